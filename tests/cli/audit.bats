#!/usr/bin/env bats
# shellcheck disable=SC2154
# snag run --audit: counts of predictions, the wrong ones, the unknown by reason, and the exit status.

load ../helper

setup() { setup_work; }
teardown() { teardown_work; }

program() {
  cat >"$WORK/p.py" <<'PY'
import socket
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3)
d = socket.socket()
try: d.bind(a.getsockname())
except OSError: pass
a.close(); d.close()
PY
}

session_lives() {
  "$SNAG" sessions | grep -q "^$1 "
}

@test "the counts, with and without a trace, and the command's own exit status" {
  program
  run --separate-stderr "$SNAG" run -q --audit -- "$PYTHON" "$WORK/p.py"
  assert_success
  [[ $stderr == "audit: "[1-9]*" right, 0 wrong, "*" unknown"* ]] || { echo "$stderr"; false; }
  local first=$stderr
  run --separate-stderr "$SNAG" run -q -o "$WORK/t.jsonl" --audit -- "$PYTHON" "$WORK/p.py"
  assert_success
  [ "$stderr" = "$first" ]
  run "$SNAG" run -q --audit -- sh -c 'exit 7'
  assert_equal "$status" 7
  assert_line "audit: 0 right, 0 wrong, 0 unknown"
}

@test "with rules in force it is refused, with what to do instead" {
  run "$SNAG" run -q --audit --rule 'bind: EADDRINUSE' -- true
  assert_equal "$status" 125
  assert_output --partial "--audit compares the model with the kernel"
  run "$SNAG" run -q --audit --mode log --rule 'bind: EADDRINUSE' -- true
  assert_success
  assert_output --partial "audit: 0 right, 0 wrong, 0 unknown"
}

@test "a session that is joined is not audited by whoever joins" {
  program
  local name=audit-$BATS_TEST_NUMBER-$$
  "$SNAG" run -q --session "$name" -- sleep 30 3>&- &
  local keeper=$!
  wait_for session_lives "$name"
  run "$SNAG" run -q --session "$name" --audit -- true
  kill "$keeper"
  assert_equal "$status" 125
  assert_output --partial "--audit is for whoever makes it"
}

@test "the accept queue: its length, its limit, and the most that was seen" {
  cat >"$WORK/q.py" <<'PY'
import socket
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(5)
held = [socket.create_connection(a.getsockname()) for i in range(3)]
for i in range(3): held.append(a.accept()[0])
a.listen(2)
a.setblocking(False)
try: a.accept()
except BlockingIOError: pass
PY
  run "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/q.py"
  assert_success
  assert_output --regexp "^audit: [0-9]+ right, 0 wrong, 0 unknown\$"
  run "$PYTHON" -c '
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if "queue" in r: print(r["call"].rstrip("4"), *r["queue"].values())' "$WORK/t.jsonl"
  assert_output "listen 0 5 0
accept 3 5 3
accept 2 5 3
accept 1 5 3
listen 0 2 3
accept 0 2 3"
}

# What is not here is left out: each of these is a program that nobody here wrote.
@test "nothing is wrong: a web server and its client, restarted on its port" {
  requires curl
  cat >"$WORK/s.py" <<'PY'
import http.server, subprocess, sys, threading
for i in range(2):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
    t = threading.Thread(target=s.serve_forever); t.start()
    for j in range(3): subprocess.run(["curl", "-s", "-o", "/dev/null", "http://127.0.0.1:%s/" % sys.argv[1]], check=True)
    s.shutdown(); t.join(); s.server_close()
PY
  cd "$WORK"
  run "$SNAG" run -q --audit -- "$PYTHON" "$WORK/s.py" "$(free_port)"
  assert_success
  assert_output --regexp "audit: [0-9]+ right, 0 wrong, "
}

@test "nothing is wrong: nginx, twice on one port" {
  requires nginx curl
  local port
  port=$(free_port)
  printf 'worker_processes 2; daemon off; pid %s/pid; error_log %s/log;\nevents {}\nhttp { access_log off; server { listen 127.0.0.1:%s; location / { return 204; } } }\n' "$WORK" "$WORK" "$port" >"$WORK/nginx.conf"
  cat >"$WORK/run.sh" <<SH
for round in 1 2; do
  nginx -p "$WORK" -c "$WORK/nginx.conf" & server=\$!
  for try in \$(seq 100); do curl -s "http://127.0.0.1:$port/" && break; sleep 0.05; done
  for i in 1 2 3; do curl -s "http://127.0.0.1:$port/"; done
  kill \$server; wait \$server
done
SH
  run "$SNAG" run -q --audit -- bash "$WORK/run.sh"
  assert_success
  assert_output --regexp "audit: [0-9]+ right, 0 wrong, "
}

@test "nothing is wrong: python's own tests of sockets in asyncio" {
  local python
  python=$(python3 -c 'import sys, test.test_asyncio; print(sys.executable)' 2>/dev/null) ||
    skip "python's tests are not installed"
  cd "$WORK"
  run timeout 120 "$SNAG" run -q --audit -- "$python" -m test test_asyncio.test_sock_lowlevel
  assert_output --regexp "audit: [0-9]+ right, 0 wrong, "
}

# Both queues of a listener, filled and emptied: every call is foretold, and what waits is told why.
overflow_program() {
  cat >"$WORK/o.py" <<'PY'
import socket, struct, sys, threading
def attempt(f):
    try: return f()
    except OSError: pass
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.setblocking(False)
if sys.argv[1] == "defers": l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
l.listen(1)
clients = [socket.socket() for i in range(6)]
for c in clients[::2]: c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50000))
for c in clients[1::2]: c.setblocking(False)
for c in clients:
    attempt(lambda: c.connect(l.getsockname()))
    attempt(l.accept) if sys.argv[1] == "defers" else None
for c in clients: attempt(lambda: c.send(b"x", socket.MSG_DONTWAIT))
for c in clients: attempt(l.accept)
m = socket.socket(); m.bind(("127.0.0.1", 0)); m.listen(0)
first, late = socket.create_connection(m.getsockname()), socket.socket()
threading.Timer(0.1, m.accept).start()
late.connect(m.getsockname())       # its second SYN finds room
l.close()
for c in clients: attempt(lambda: c.shutdown(socket.SHUT_WR)); c.close()
PY
}

@test "a full queue: whoever waits was foretold to, and is told which queue it is" {
  requires_netns
  overflow_program
  local cookies how
  for cookies in 0 1 2; do
    for how in plain defers; do
      run "${NETNS[@]:0:1}" net.ipv4.tcp_syncookies=$cookies net.ipv4.tcp_abort_on_overflow=$((cookies / 2)) -- \
        "$SNAG" run -q --audit -o "$WORK/$how$cookies.jsonl" -- "$PYTHON" "$WORK/o.py" $how
      assert_success
      assert_output --regexp "^audit: [0-9]+ right, 0 wrong, 0 unknown\$"
    done
  done
  run "$SNAG" trace --call connect "$WORK/plain1.jsonl"
  assert_output --regexp "EINPROGRESS.*
 +the accept queue of 127.0.0.1:[0-9]+ is full; python3.*\[[0-9]+\] fd [0-9]+ listens there"
  run "$SNAG" trace --call connect "$WORK/defers0.jsonl"
  assert_output --partial "the SYN queue of 127.0.0.1:"
  run grep -c '"model":"waits"' "$WORK/plain1.jsonl"
  assert_output 3		# two of SO_SNDTIMEO, and the one that room was made for
  run grep '"model":"waits"' "$WORK/plain1.jsonl"
  assert_output --partial '"ret":0,'
}

# The keeper hears of a death in its own time: many ports are tried, so that some are asked for before that.
@test "a listener outside the session: connects are foretold by its queue" {
  cat >"$WORK/outside.py" <<'PY'
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1); print(s.getsockname()[1], flush=True)
d = socket.socket(socket.AF_INET6); d.bind(("::", 0)); d.listen(); print(d.getsockname()[1], flush=True)
sys.stdin.read()
PY
  cat >"$WORK/inside.py" <<'PY'
import socket, struct, sys
def reach(port, host="127.0.0.1", own=0):
    c = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50000))
    if own: c.bind((host, 0))
    try: c.connect((host, port))
    except OSError as e: print(e.errno)
    return c
short, dual = map(int, sys.argv[1:])
held = [reach(short) for i in range(3)]     # a backlog of 1 lets two in
reach(dual), reach(dual, "::1"), reach(dual, own=1)
PY
  mkfifo "$WORK/end"
  "$PYTHON" "$WORK/outside.py" <"$WORK/end" >"$WORK/ports" 3>&- &
  local outside=$! ports
  exec 9>"$WORK/end"
  ports_told() { [ "$(wc -l <"$WORK/ports")" -eq 2 ]; }
  wait_for ports_told
  mapfile -t ports <"$WORK/ports"
  run "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/inside.py" "${ports[@]}"
  exec 9>&-
  wait $outside
  assert_success
  assert_output --regexp "audit: [0-9]+ right, 0 wrong, 1 unknown"
  run jq -r 'select(.call == "connect") | "\(.errno) \(.model) \(.model_why) \(.why.code)"' "$WORK/t.jsonl"
  assert_output "null ok null null
null ok null null
EINPROGRESS waits null queue_full
null ok null null
null ok null null
null unknown peer null"
}

@test "a killed server holds its port no longer, whoever has heard of it" {
  cat >"$WORK/k.py" <<'PY'
import os, signal, socket
for i in range(40):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)
        os.write(w, b"%d" % s.getsockname()[1]); signal.pause()
    port = int(os.read(r, 9)); os.close(r); os.close(w)
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    c = socket.socket(); c.setblocking(False); c.connect_ex(("127.0.0.1", port)); c.close()
    b = socket.socket(); b.bind(("127.0.0.1", port)); b.listen(1); b.close()
PY
  run "$SNAG" run -q --audit -- "$PYTHON" "$WORK/k.py"
  assert_success
  assert_output --regexp "^audit: [0-9]+ right, 0 wrong, "
}

@test "UDP-Lite: UDP's rules, on ports of its own" {
  "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)' ||
    skip "a kernel without UDP-Lite"
  run --separate-stderr "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" -c '
import errno, socket
def bind(protocol, address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, protocol); kept.append(s)
    try: s.bind(address); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
kept = []; bind(socket.IPPROTO_UDPLITE, ("127.0.0.1", 0)); taken = kept[0].getsockname()
print(bind(socket.IPPROTO_UDPLITE, taken), bind(socket.IPPROTO_UDP, taken))
kept[1].connect(taken)' 3>&-
  assert_success
  assert_output "EADDRINUSE ok"
  assert_equal "$stderr" "audit: 7 right, 0 wrong, 0 unknown"
  run jq -r 'select(.call == "bind") | .proto + " " + .model' "$WORK/t.jsonl"
  assert_output "udplite ok
udplite EADDRINUSE
udp ok"
}

@test "bind to AF_UNSPEC; an address that cannot be read" {
  cat >"$WORK/unspec.py" <<'PY'
import ctypes, errno, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def call(f, s, addr, length):
    print(errno.errorcode.get(ctypes.get_errno() if f(s.fileno(), addr, length) else 0, 0), end=" ")
def unspec(ip, port):
    return struct.pack("=H", socket.AF_UNSPEC) + struct.pack("!H", port) + socket.inet_aton(ip) + bytes(20)
a, b, c = socket.socket(), socket.socket(), socket.socket(socket.AF_INET6)
call(libc.bind, a, unspec("127.0.0.1", 0), 16); call(libc.bind, a, unspec("0.0.0.0", 0), 16)
call(libc.bind, b, unspec("0.0.0.0", a.getsockname()[1]), 16); call(libc.bind, c, unspec("0.0.0.0", 0), 28)
for s in b, c:
    call(libc.bind, s, ctypes.c_void_p(8), 28); call(libc.connect, s, ctypes.c_void_p(8), 28)
PY
  run --separate-stderr "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/unspec.py"
  assert_success
  assert_output "EAFNOSUPPORT 0 EADDRINUSE EAFNOSUPPORT EFAULT EFAULT EFAULT EFAULT "
  [[ $stderr == *" 0 wrong, 4 unknown"* ]] || { echo "$stderr"; false; }
  run jq -r 'select(.call == "bind") | .model' "$WORK/t.jsonl"
  assert_output "EAFNOSUPPORT
ok
EADDRINUSE
EAFNOSUPPORT
unknown
unknown"
}

@test "a simultaneous open: whoever comes second connects at once, and the first one too" {
  cat >"$WORK/cross.py" <<'PY'
import socket, sys
host, family = sys.argv[1], socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
hops = (socket.IPPROTO_IPV6, 73) if ":" in host else (socket.IPPROTO_IP, 21)     # IPV6_MINHOPCOUNT, IP_MINTTL
a, b = socket.socket(family), socket.socket(family)
a.bind((host, 0)); b.bind((host, 0))
a.setblocking(False)
a.setsockopt(*hops, 255); a.connect_ex(b.getsockname()); a.setsockopt(*hops, 0)
b.connect(a.getsockname())
print(a.connect_ex(b.getsockname()), a.connect_ex(b.getsockname()) != 0)
b.close(); a.close()
PY
  local host
  for host in 127.0.0.1 ::1; do
    run --separate-stderr "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/cross.py" $host
    assert_success
    assert_output "0 True"
    assert_equal "$stderr" "audit: 8 right, 0 wrong, 0 unknown"
    run jq -r 'select(.call == "connect") | .model + " " + .state' "$WORK/t.jsonl"
    assert_output "EINPROGRESS syn_sent
ok established
ok established
EISCONN established"
  done
}

@test "accept with nobody in the queue waits: for a client, a timeout, a shutdown" {
  run --separate-stderr "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" -c '
import socket, struct, threading
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(4); kept = []
def later(tid, act):
    while open(f"/proc/self/task/{tid}/wchan").read() != "inet_csk_accept": pass
    act()
def accept(act=None):
    t = threading.Thread(target=later, args=(threading.get_native_id(), act)) if act else None
    if t: t.start()
    try: s.accept()[0].close(); print("ok")
    except OSError as e: print(type(e).__name__)
    if t: t.join()
def timeout(us): s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, us))
accept(lambda: kept.append(socket.create_connection(s.getsockname())))
timeout(20000); accept()
timeout(0); accept(lambda: s.shutdown(socket.SHUT_RD))' 3>&-
  assert_success
  assert_output "ok
BlockingIOError
OSError"
  [[ $stderr == "audit: "*" right, 0 wrong, "* ]]
  run jq -r 'select(.call == "accept4") | .model' "$WORK/t.jsonl"
  assert_output "waits
waits
waits"
}

@test "a port below 1024: whoever has CAP_NET_BIND_SERVICE, root or not" {
  local place user=(--reuid 65534 --regid 65534 --clear-groups)
  local capable=(--inh-caps +net_bind_service --ambient-caps +net_bind_service)
  [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
  requires setpriv
  requires_netns
  place=$(mktemp -d)	# open to all, unlike the folders of bats
  chmod 755 "$place"
  cp "$SNAG" "$LIB" "$place"
  cat >"$place/low.py" <<'PY'
import socket
s = socket.socket()
try: s.bind(("127.0.0.1", 81)); print("bound")
except OSError as e: print(e.strerror)
PY
  while read -r who answer; do
    case $who in
      capable) set -- "${user[@]}" "${capable[@]}" ;;
      nobody) set -- "${user[@]}" ;;
      root) set -- --bounding-set -net_bind_service ;;
    esac
    run "${NETNS[@]}" setpriv "$@" "$place/snag" run -q --audit -- "$PYTHON" "$place/low.py"
    [ "$output" = "$answer"$'\n'"audit: 2 right, 0 wrong, 0 unknown" ] || { echo "$who: $output"; false; }
  done <<'ROWS'
capable bound
nobody Permission denied
root Permission denied
ROWS
  rm -r "$place"
}
