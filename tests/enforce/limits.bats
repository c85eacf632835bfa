#!/usr/bin/env bats
# The virtual kernel's limits, on real programs: descriptors, sockets, ports, backlogs and the options of new sockets.
# shellcheck disable=SC2154  # stderr is what `run --separate-stderr` sets

load ../helper

setup() {
  requires python3
  setup_work
}

teardown() {
  teardown_work
}

# under KEY=VALUE... -- PYTHON: runs the python text under such a `kernel:`, traced.
under() {
  local sets=()
  while [ "$1" != -- ]; do
    sets+=(--set "kernel.$1"); shift
  done
  run timeout 60 "$SNAG" run -q "${sets[@]}" -o "$WORK/trace.jsonl" -- "$PYTHON" -c "
import errno, os, socket, sys
def name(f, *a):
    try: f(*a); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
def server(backlog=64):
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(backlog); return s
def client(s):
    c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); return c
$2" 3>&-
}

# Fields of the first refusal of the virtual kernel, as FIELD=VALUE lines of jq.
refusal() {
  jq -r "[.[] | select(.by == \"model\")][0] | $1" <(jq -s . "$WORK/trace.jsonl")
}

@test "open_files: EMFILE for sockets, accepts and copies, and the connection stays queued" {
  under open_files=20 -- "
s = server(); c = client(s)
more = []
def fill():
    while True: more.append(socket.socket())
print(name(fill), max(m.fileno() for m in more))
print(name(s.accept), name(s.accept), name(os.dup, s.fileno()), name(os.dup2, s.fileno(), 20))
more.pop().close()
print(name(s.accept))"
  assert_success
  assert_output "EMFILE 19
EMFILE EMFILE EMFILE EBADF
ok"
  assert_equal "$(refusal '.call + " " + .errno + " " + .why.code')" "socket EMFILE open_files"
}

@test "open_sockets: ENFILE over all processes of the session; a process that ends gives its own back" {
  under open_sockets=3 -- "
mine = [socket.socket(), socket.socket()]
pid = os.fork()
if pid == 0:
    print(name(socket.socket), flush=True)
    keep = socket.socket()
    print(name(socket.socket), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
keep = socket.socket()
print('again', name(socket.socket), name(socket.socketpair))"
  assert_success
  assert_output "ok
ENFILE
again ENFILE ENFILE"
  assert_equal "$(refusal '.errno + " " + .why.code')" "ENFILE open_sockets"
}

@test "privileged: false and ip_unprivileged_port_start: EACCES, for root too" {
  under privileged=false -- "
for family in socket.AF_INET, socket.AF_INET6:
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        print(name(socket.socket(family, kind).bind, ('', 7)))"
  assert_success
  assert_output "EACCES
EACCES
EACCES
EACCES"
  assert_equal "$(refusal '.call + " " + .why.code')" "bind privileged"
  under privileged=false ip_unprivileged_port_start=50000 -- "
s = socket.socket()
print(name(s.bind, ('127.0.0.1', 49999)), name(s.bind, ('127.0.0.1', 0)))"
  assert_output "EACCES ok"
}

@test "somaxconn: the real queue is that short, whatever listen asked for" {
  under somaxconn=2 -- "
for asked in 100, 0, 1:
    s = server(asked)
    # tcpi_sacked of a listener: the limit of its queue
    print(int.from_bytes(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[28:32], sys.byteorder))"
  assert_success
  assert_output "2
0
1"
  # The trace tells of the one that was shortened.
  run "$SNAG" trace --call listen "$WORK/trace.jsonl"
  assert_output --regexp "^[0-9.]+ .*listen\\([0-9]+, 100\\) = 0 \\(127.0.0.1:[0-9]+, queue of 2\\)
[^,]*, 0\\) = 0 \\(127.0.0.1:[0-9]+\\)
[^,]*, 1\\) = 0 \\(127.0.0.1:[0-9]+\\)\$"
}

@test "ip_nonlocal_bind, bindv6only, tcp_syn_retries, tcp_fin_timeout: seen as on such a machine" {
  under ip_nonlocal_bind=true bindv6only=true tcp_syn_retries=3 tcp_fin_timeout=7s -- "
s = socket.socket()
print(name(s.bind, ('192.0.2.1', 0)), s.getsockname()[0], s.getsockopt(socket.IPPROTO_IP, 15))
v6 = socket.socket(socket.AF_INET6)
print(v6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
v6.bind(('::', 0)); v6.listen()
s = socket.socket()
print(name(s.bind, ('0.0.0.0', v6.getsockname()[1])))
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2))"
  assert_success
  assert_output "ok 192.0.2.1 0
1
ok
3 7"
  # The model knows of the option that nobody set: it foretold that both may stand on the port.
  run jq -s '[.[] | select(.diverged)] | length' "$WORK/trace.jsonl"
  assert_output 0
}

@test "nginx under somaxconn 1: two clients are in, the third stays in SYN_SENT until one is taken" {
  requires nginx ss unshare
  unshare -n true 2>/dev/null || skip "needs a network namespace"
  mkdir -p "$WORK/logs"
  cat >"$WORK/nginx.conf" <<CONF
daemon off;
master_process off;
error_log $WORK/logs/error.log;
pid $WORK/nginx.pid;
events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:8080; return 200 "in\n"; } }
CONF
  cat >"$WORK/go.sh" <<'GO'
ip link set lo up
"$SNAG" run -q --set kernel.somaxconn=1 -- nginx -p "$WORK" -c "$WORK/nginx.conf" &
until ss -Hltn 'sport = :8080' | grep -q .; do sleep 0.05; done
kill -STOP "$(cat "$WORK/nginx.pid")"
"$PYTHON" - <<'PY'
import socket, subprocess, time
clients = []
for _ in range(3):
    c = socket.socket(); c.setblocking(False); c.connect_ex(('127.0.0.1', 8080)); clients.append(c)
def states():
    return sorted(subprocess.run(['ss', '-Htn', 'dport = :8080'], capture_output=True, text=True).stdout.split()[::5])
for _ in range(100):
    if states() == ['ESTAB', 'ESTAB', 'SYN-SENT']: break
    time.sleep(0.05)
print(*states())
PY
kill -CONT "$(cat "$WORK/nginx.pid")"
curl -s http://127.0.0.1:8080/
kill "$(cat "$WORK/nginx.pid")"
wait
GO
  export SNAG WORK PYTHON
  run timeout 60 unshare -n bash "$WORK/go.sh" 3>&-
  assert_line "ESTAB ESTAB SYN-SENT"
  assert_line "in"
}

@test "inject applies the kernel too, and a rule goes first; log ignores it with one warning" {
  cat >"$WORK/p.yaml" <<'YAML'
version: 1
kernel: {open_files: 4, privileged: false}
rules:
  - {call: bind, match: {port: 7}, when: {first: 1}, do: {errno: EADDRINUSE}}
YAML
  text="
import errno, socket
def name(f, *a):
    try: f(*a); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
s = socket.socket()
print(name(s.bind, ('', 7)), name(s.bind, ('', 7)), name(socket.socket))"
  run timeout 60 "$SNAG" run -q -p "$WORK/p.yaml" -o "$WORK/t.jsonl" -- "$PYTHON" -c "$text" 3>&-
  assert_output "EADDRINUSE EACCES EMFILE"
  run jq -r 'select(.errno and .fd) | .call + " " + .by' "$WORK/t.jsonl"
  assert_line "bind rule"
  assert_line "bind model"
  run --separate-stderr timeout 60 "$SNAG" run -q -p "$WORK/p.yaml" --mode log -o "$WORK/t.jsonl" -- true 3>&-
  assert_equal "$stderr" "--mode: warning: mode: log ignores kernel and rules; mode: inject carries them out"
  run timeout 60 "$SNAG" run -q -p "$WORK/p.yaml" --mode enforce -o "$WORK/t.jsonl" -- "$PYTHON" -c "$text" 3>&-
  assert_line "EACCES EACCES EMFILE"
}

@test "--dry-run leaves the program alone" {
  run timeout 60 "$SNAG" run -q --dry-run --set kernel.open_sockets=0 -o "$WORK/t.jsonl" -- "$PYTHON" -c "
import socket; socket.socket(); print('made')" 3>&-
  assert_output made
}

@test "a refusal in the text form names the virtual kernel, the reason and a way out" {
  run timeout 60 "$SNAG" run -q --set kernel.open_sockets=0 -o "$WORK/t.txt" -- "$PYTHON" -c "
import socket
try: socket.socket()
except OSError: pass" 3>&-
  run cat "$WORK/t.txt"
  assert_line --partial "= -1 ENFILE"
  assert_line "         by the virtual kernel: the session has as many sockets as open_sockets allows"
  assert_line "         would work with: fewer open sockets; or a higher open_sockets"
}
