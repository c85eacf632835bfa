#!/usr/bin/env bats
# shellcheck disable=SC2154
# snag why: who holds a port of this machine, which rule refuses a bind there, and which change would make it work.

load ../helper

setup() { setup_work; }
teardown() {
  [ -z "${holder:-}" ] || kill "$holder" 2>/dev/null
  teardown_work
}

# hold CODE: runs python code in the background that ends by printing a port; `port` and `holder` are set.
hold() {
  "$PYTHON" -c "
import socket, sys, time
$1
print(p, flush=True)
time.sleep(60)" >"$WORK/port" 3>&- &
  holder=$!
  wait_for test -s "$WORK/port"
  port=$(cat "$WORK/port")
}

why() {
  run "$SNAG" why "$@"
}

@test "a listener is named, with the rule and with what would work" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  why "127.0.0.1:$port"
  assert_equal "$status" 1
  assert_line --index 0 "no: bind to tcp 127.0.0.1:$port fails with EADDRINUSE"
  assert_line --regexp "held by python3[^ ]*\[$holder\] fd 3: LISTEN on 127.0.0.1:$port without SO_REUSEPORT"
  assert_line --partial "rule: a port where somebody listens is shared only if both have SO_REUSEPORT"
  assert_line --regexp "would work with: another port, such as [0-9]+; 127.0.0.2:$port; or the end of pid $holder"
  # each way that it names does work
  why "127.0.0.2:$port"
  assert_success
  assert_output "yes: bind to tcp 127.0.0.2:$port works"
  why udp "127.0.0.1:$port"
  assert_success
  why "$port"
  assert_equal "$status" 1
  assert_output --partial "the wildcard address covers the one that is taken"
  why "[::]:$port"
  assert_equal "$status" 1
  assert_output --partial "IPV6_V6ONLY on this socket"
  why "[::]:$port" --v6only
  assert_success
}

@test "a socket that is bound and does not listen; SO_REUSEADDR on both" {
  hold 's = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]'
  why "127.0.0.1:$port"
  assert_equal "$status" 1
  assert_output --partial "BOUND on 127.0.0.1:$port with SO_REUSEADDR"
  assert_output --partial "would work with: SO_REUSEADDR on this socket; "
  why "127.0.0.1:$port" --reuseaddr
  assert_success
}

@test "SO_REUSEPORT: who would be beside" {
  hold 's = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  why --reuseport "127.0.0.1:$port"
  assert_success
  why --reuseaddr "127.0.0.1:$port"
  assert_equal "$status" 1
  assert_output --partial "with SO_REUSEPORT"
  assert_output --partial "would work with: SO_REUSEPORT on this socket"
}

@test "TIME_WAIT: what is left of a closed connection, and how long" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]
c = socket.create_connection(s.getsockname()); b, _ = s.accept(); s.close(); b.close(); c.recv(1); c.close()'
  why "127.0.0.1:$port"
  assert_equal "$status" 1
  assert_output --partial "held by a closed connection in TIME_WAIT on 127.0.0.1:$port"
  assert_output --partial "rule: TIME_WAIT holds a port unless"
  assert_line --regexp "or a wait of [1-6]?[0-9] s"
}

@test "udp" {
  hold 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]'
  why udp "localhost:$port"
  assert_equal "$status" 1
  assert_line --index 0 "no: bind to udp 127.0.0.1:$port fails with EADDRINUSE"
  assert_output --partial "[$holder] fd 3: BOUND on 127.0.0.1:$port without SO_REUSEADDR"
  why "$port/udp"
  assert_equal "$status" 1
  why "$port"
  assert_success
}

@test "as JSON, the reason as in the trace" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  why --json "127.0.0.1:$port"
  assert_equal "$status" 1
  "$PYTHON" - "$output" "$holder" "$port" <<'PY'
import json, sys
r = json.loads(sys.argv[1]); h = r["why"]["holder"]
assert not {"since", "until", "sock"} & set(h), h  # what only a session knows
assert r["ok"] is False and r["errno"] == "EADDRINUSE" and r["settled"] == "model", r
assert r["why"]["code"] == "held" and r["why"]["fix"] and r["rule"], r
assert h["pid"] == int(sys.argv[2]) and h["fd"] == 3 and h["state"] == "listen", h
assert h["comm"] and h["exe"].startswith("/") and h["local"] == "127.0.0.1:" + sys.argv[3], h
assert r["holders"] == [h], r
PY
  why --json "127.0.0.2:$port"
  assert_success
  [ "$("$PYTHON" -c 'import json, sys; print(json.loads(sys.argv[1])["ok"])' "$output")" = True ]
}

@test "other reasons: addresses that are never bound so" {
  why '[fe80::1]:80'
  assert_equal "$status" 1
  assert_output --partial "fails with EINVAL"
  assert_output --partial "rule: a link-local address is bound together with its interface"
  why '[ff02::1]:80'
  assert_output --partial "rule: a TCP socket is never bound to a multicast address"
  why --json '[ff02::1]:80'
  [ "$("$PYTHON" -c 'import json, sys; print(json.loads(sys.argv[1])["errno"])' "$output")" = EINVAL ]
}

@test "other reasons: no such address, a privileged port" {
  why 192.0.2.77:80
  assert_equal "$status" 1
  assert_output --partial "fails with EADDRNOTAVAIL"
  assert_output --partial "no interface has this address"
  [ "$(id -u)" -eq 0 ] && requires setpriv
  [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 1 ] || skip "all ports are open to all users"
  chmod 755 "$WORK"
  cp "$SNAG" "$WORK/snag"
  if [ "$(id -u)" -eq 0 ]; then
    run setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/snag" why 127.0.0.1:1
  else
    why 127.0.0.1:1
  fi
  assert_equal "$status" 1
  assert_output --partial "fails with EACCES"
  assert_output --partial "a port at or above ip_unprivileged_port_start"
}

@test "where /proc is closed to us: uid and inode, and a probe bind settles what is hidden" {
  [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
  requires setpriv
  hold 's = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]'
  cp "$SNAG" "$WORK/snag"
  chmod 755 "$WORK"
  run setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/snag" why "127.0.0.1:$port"
  assert_equal "$status" 1
  assert_line --regexp "held by a process of uid 0 \(socket inode [0-9]+\): BOUND on 127.0.0.1:$port\$"
  run setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/snag" why --reuseaddr "127.0.0.1:$port"
  assert_success
  assert_output --partial "settled by a probe bind"
}

@test "wrong usage is 2 and says what is right" {
  local words
  for words in "" "nohost.example:80" "127.0.0.1" "80 81" "127.0.0.1:80 --v6only" "udp 80/tcp" "--rules vms 80" "--no-such 80" "65536"; do
    # shellcheck disable=SC2086
    why $words
    assert_equal "$status" 2
    assert [ -n "$output" ]
  done
}

@test "by the rules of another system" {
  hold 's = socket.socket(); s.bind(("0.0.0.0", 0)); s.listen(); p = s.getsockname()[1]'
  why "127.0.0.1:$port" --reuseaddr
  assert_equal "$status" 1
  why "127.0.0.1:$port" --reuseaddr --rules freebsd
  assert_success
  assert_line --index 0 "freebsd says yes: bind to tcp 127.0.0.1:$port works"
  assert_output --partial "this machine's own kernel says EADDRINUSE"
  why "127.0.0.1:$port" --rules macos
  assert_equal "$status" 1
  assert_output --partial "macos says no"
  assert_output --partial "SO_REUSEADDR on this socket"
  why --json "0.0.0.0:$port" --reuseaddr --rules textbook
  assert_equal "$status" 1
  assert_output --partial '"rules":"textbook","real":"EADDRINUSE"'
}
