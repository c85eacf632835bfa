#!/usr/bin/env bats
# The virtual kernel's TIME_WAIT: on an ordinary machine, without root, over processes and restarts.

load ../helper

setup() {
  requires python3
  setup_work
  cp "$BATS_TEST_DIRNAME/waits.py" "$WORK"
}

teardown() {
  teardown_work
}

# Serves one connection, which it closes first; says what bind said.
server() {
  cat <<'PY'
import errno, socket, sys
port = int(sys.argv[1])
s = socket.socket()
try:
    s.bind(('127.0.0.1', port))
    s.listen()
    c = socket.create_connection(('127.0.0.1', port))
    a, _ = s.accept()
    a.close()
    c.recv(1)
    print('served', s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR),
          a.fileno() == -1 and c.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
except OSError as e:
    print(errno.errorcode[e.errno])
PY
}

@test "with a TIME_WAIT of an hour the virtual kernel answers as the machine itself, 18 cases" {
  run timeout 60 "$PYTHON" "$WORK/waits.py" 3>&-
  assert_success
  local native=$output
  assert_equal "${#lines[@]}" 18
  run timeout 60 "$SNAG" run -q --set kernel.time_wait=1h -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/waits.py" 3>&-
  assert_success
  assert_equal "$output" "$native"
  run jq -s '[.[] | select(.by == "model")] | length > 8' "$WORK/t.jsonl"
  assert_output true
}

@test "the same for a user who is not root" {
  requires setpriv
  [ "$(id -u)" = 0 ] || skip "is not root anyway"
  run timeout 60 "$PYTHON" "$WORK/waits.py" 3>&-
  local native=$output
  setpriv --reuid 65534 --clear-groups test -x "$LIB" || skip "nobody else can reach $LIB"
  # The test's own folders are root's.
  run timeout 60 setpriv --reuid 65534 --clear-groups "$SNAG" run -q --set kernel.time_wait=1h -- \
    "$PYTHON" - <"$WORK/waits.py" 3>&-
  assert_success
  assert_equal "$output" "$native"
}

@test "a restarted server meets 60 s of TIME_WAIT in 0.6 s, in another process, and then binds" {
  local port
  port=$(free_port)
  server >"$WORK/server.py"
  cat >"$WORK/go.sh" <<'GO'
"$PYTHON" "$WORK/server.py" "$1"
for _ in {1..200}; do
  got=$("$PYTHON" "$WORK/server.py" "$1")
  [ "$got" = "$last" ] || echo "$got"
  last=$got
  case $got in served*) break ;; esac
done
GO
  export PYTHON WORK
  run timeout 60 "$SNAG" run -q --set kernel.clock=100 -o "$WORK/t.jsonl" -- bash "$WORK/go.sh" "$port" 3>&-
  assert_success
  assert_output "served 0 0
EADDRINUSE
served 0 0"
  # From the first close to the bind that worked: model time.
  run jq -rs --arg addr "127.0.0.1:$port" '
    [.[] | select(.call == "bind" and .addr == $addr)] as $b |
    ($b | map(select(.errno)) | last | .why | .code + " " + .holder.state + " " +
      (((.holder.until - .holder.since) * 1000 | round) | tostring)),
    ($b | last | .t) - ($b | map(select(.errno)) | first | .why.holder.since) >= 0.6' "$WORK/t.jsonl"
  assert_output "held time_wait 600
true"
}

@test "tcp_max_tw_buckets: 0 leaves nothing, N leaves N" {
  run timeout 60 "$SNAG" run -q --set kernel.tcp_max_tw_buckets=0 -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/waits.py" 3>&-
  assert_line "the server closes first: ok ok"
  assert_line "killed: ok ok"
  assert_line "established, no listener: EADDRINUSE EADDRINUSE 0"
  run timeout 60 "$SNAG" run -q --set kernel.tcp_max_tw_buckets=1 -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/waits.py" 3>&-
  assert_line "the server closes first: EADDRINUSE EADDRINUSE"
  assert_line "the server closes first, SO_REUSEADDR: ok ok"
}

@test "time_wait: 0s: a restart never waits" {
  local port
  port=$(free_port)
  server >"$WORK/server.py"
  export PYTHON WORK
  run timeout 60 "$SNAG" run -q --set kernel.time_wait=0s -o "$WORK/t.jsonl" -- bash -c \
    "for i in 1 2 3; do \"\$PYTHON\" \"\$WORK/server.py\" $port; done" 3>&-
  assert_output "served 0 0
served 0 0
served 0 0"
}

@test "the time begins anew with the peer's close" {
  run timeout 60 "$SNAG" run -q --set kernel.time_wait=1s --set kernel.clock=10 -o "$WORK/t.jsonl" -- "$PYTHON" -c "
import socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.create_connection(s.getsockname()); a, _ = s.accept(); port = s.getsockname()[1]
a.close(); s.close(); c.recv(1); c.close()
while True:
    b = socket.socket()
    try:
        b.bind(('127.0.0.1', port)); break
    except OSError: b.close()" 3>&-
  assert_success
  run jq -s '[.[] | select(.call == "close")][2].t as $c |
    ([.[] | select(.call == "bind")] | last | .t) - $c >= 0.1' "$WORK/t.jsonl"
  assert_output true
}

@test "getsockopt shows what the program has set, and setsockopt keeps working" {
  run timeout 60 "$SNAG" run -q --set kernel.time_wait=1h -o "$WORK/t.jsonl" -- "$PYTHON" -c "
import socket
R = socket.SOL_SOCKET, socket.SO_REUSEADDR
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
print(s.getsockopt(*R)); s.setsockopt(*R, 1); print(s.getsockopt(*R)); s.setsockopt(*R, 0); print(s.getsockopt(*R))
c = socket.create_connection(s.getsockname()); print(c.getsockopt(*R), c.getsockopt(*R, 2))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.setsockopt(*R, 1); print(u.getsockopt(*R))" 3>&-
  assert_output "0
1
0
0 b'\\x00\\x00'
1"
}
