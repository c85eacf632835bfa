#!/usr/bin/env bats
# Every shipped policy does to a program what its own header says.

load ../helper

setup() {
  requires python3
  setup_work
  ALONE=()
}

teardown() {
  teardown_work
}

# From here on in a network namespace of its own: others on the machine have ports of the policy's.
alone() {
  ALONE=("$ROOT/examples/netns" --)
  "${ALONE[@]}" true 2>/dev/null || skip "needs a network namespace"
}

# with POLICY [OPTION...] -- PYTHON: runs the python text under the policy, traced.
with() {
  local policy=$1; shift
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  run timeout 60 "${ALONE[@]}" "$SNAG" run -q -p "$policy" "${options[@]}" -o "$WORK/trace.jsonl" -- python3 -c "
import errno, os, select, socket, struct, sys, time
def name(f, *a):
    try: f(*a); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
def server(backlog=64):
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(backlog); return s
$2" 3>&-
}

@test "each policy is valid, explained, and in the README" {
  local file name says
  for file in "$ROOT"/policies/*.yaml; do
    name=$(basename "$file" .yaml)
    run "$SNAG" check "$file"
    assert_success
    says=$(head -n 1 "$file")
    [[ $says == "# $name - "* ]] || fail "$name: the first line does not say what it is"
    grep -qxF "| [\`$name\`]($name.yaml) | ${says#"# $name - "} |" "$ROOT/policies/README.md" ||
      fail "policies/README.md does not say of $name what its first line says"
    grep -qF "with $name " "$BATS_TEST_FILENAME" || fail "$name is not tested here"
  done
}

@test "address-in-use-then-ok" {
  with address-in-use-then-ok -- "
s = socket.socket()
for _ in range(5): print(name(s.bind, ('127.0.0.1', 0)))"
  assert_success
  assert_output "EADDRINUSE
EADDRINUSE
EADDRINUSE
ok
EINVAL"
}

flaky() {
  with flaky-connect --seed "$1" -- "
s = server()
print(*[name(socket.create_connection, s.getsockname()) for _ in range(40)])"
}

@test "flaky-connect" {
  flaky 7
  assert_success
  assert_output --partial ECONNREFUSED
  assert_output --partial ok
  local first=$output
  flaky 7
  assert_output "$first"
  flaky 8
  refute_output "$first"
}

@test "flaky-connect on a non-blocking socket" {
  with flaky-connect --set 'rules[0].when.chance=100%' -- "
s = server()
for wait in ('poll', 'epoll', 'select'):
    c = socket.socket(); c.setblocking(False)
    print(name(c.connect, s.getsockname()))
    if wait == 'poll':
        p = select.poll(); p.register(c, select.POLLOUT); print(p.poll(5000)[0][1] == select.POLLOUT | select.POLLERR | select.POLLHUP)
    elif wait == 'epoll':
        p = select.epoll(); p.register(c, select.EPOLLOUT | select.EPOLLET); print(p.poll(5)[0][1] == select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP)
    else:
        print(len(select.select([], [c], [], 5)[1]) == 1)
    print(errno.errorcode[c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), name(c.getpeername))"
  assert_success
  assert_output "$(for _ in 1 2 3; do printf 'EINPROGRESS\nTrue\nECONNREFUSED 0 ENOTCONN\n'; done)"
}

@test "refused-for-two-seconds" {
  with refused-for-two-seconds -- "
s = server()
seen = [name(socket.create_connection, s.getsockname())]
while seen[-1] != 'ok': time.sleep(0.05); seen.append(name(socket.create_connection, s.getsockname()))
print(seen[0], len(seen) > 5)"
  assert_success
  assert_output "ECONNREFUSED True"
  run jq -s 'map(select(.call == "connect" and .ret == 0))[0].t >= 2 and all(.[] | select(.call == "connect" and .by == "rule") | .t; . <= 2)' "$WORK/trace.jsonl"
  assert_output true
}

@test "slow-bind" {
  with slow-bind -- "
s = socket.socket(); print(name(s.bind, ('127.0.0.1', 0)))
u = socket.socket(type=socket.SOCK_DGRAM); print(name(u.bind, ('127.0.0.1', 0)))"
  assert_success
  assert_output "ok
ok"
  run jq -s 'map(select(.call == "bind") | .dur >= 0.5) == [true, false]' "$WORK/trace.jsonl"
  assert_output true
}

@test "emfile-on-accept" {
  with emfile-on-accept -- "
s = server(); cs = [socket.create_connection(s.getsockname()) for _ in range(3)]
print(*[name(s.accept) for _ in range(12)])
print(len(select.select([s], [], [], 0)[0]))
s.accept(); s.setblocking(False); print(name(s.accept))"
  assert_success
  assert_output "ok $(printf 'EMFILE %.0s' {1..10})ok
1
EAGAIN"
}

@test "backlog-of-one" {
  with backlog-of-one -- "
s = server(64)
print(struct.unpack_from('I', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 28)[0])  # tcpi_sacked: the limit
cs = [socket.create_connection(s.getsockname()) for _ in range(2)]
c = socket.socket(); c.setblocking(False); print(name(c.connect, s.getsockname()))
print(len(select.select([], [c], [], 0.5)[1]))"
  assert_success
  assert_output "1
EINPROGRESS
0"
}

@test "reset-mid-response" {
  with reset-mid-response -- "
import signal, threading
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
def serve(n):
    s = server(); c = socket.create_connection(s.getsockname()); a = s.accept()[0]; got = b''
    seen = [name(a.sendall, b'x' * n), name(a.send, b'y')]
    try:
        while part := c.recv(65536): got += part
        seen.append('end')
    except OSError as e: seen.append(errno.errorcode[e.errno])
    return len(got), *seen
print(*serve(100000))
s = server(); c = socket.create_connection(s.getsockname()); a = s.accept()[0]
a.sendall(b'x' * 4095); a.close(); print(len(c.recv(9999, socket.MSG_WAITALL)))"
  assert_success
  assert_output "4096 ECONNRESET EPIPE ECONNRESET
4095"
}

@test "reset-on-accept" {
  with reset-on-accept -- "
s = server()
for _ in range(3):
    c = socket.create_connection(s.getsockname()); c.send(b'abc'); a = s.accept()[0]
    print(name(a.getpeername), a.recv(9), name(a.recv, 9), a.recv(9), name(c.recv, 9))"
  assert_success
  assert_output "$(for _ in 1 2 3; do echo "ENOTCONN b'abc' ECONNRESET b'' ECONNRESET"; done)"
}

@test "short-writes" {
  with short-writes -- "
s = server(); c = socket.create_connection(s.getsockname()); a = s.accept()[0]
print(c.send(b'x' * 100), os.write(c.fileno(), b'x' * 5), a.send(b'x' * 8))
c.sendall(bytes(range(200))); print(a.recv(212, socket.MSG_WAITALL) == b'x' * 12 + bytes(range(200)))"
  assert_success
  assert_output "7 5 7
True"
}

@test "half-open-peer" {
  with half-open-peer -- "
s = server()
for _ in range(2):
    c = socket.create_connection(s.getsockname()); a = s.accept()[0]
    print(c.send(b'one'), a.recv(9), a.send(b'two'), c.recv(9))
    print(c.send(b'three'), name(a.recv, 9), name(c.recv, 9))"
  assert_success
  assert_output "$(for _ in 1 2; do echo "3 b'one' 3 b'two'"; echo "5 ECONNRESET ECONNRESET"; done)"
}

@test "accept-queue-full" {
  with accept-queue-full --set 'rules[1].do.hold=2s' -- "
s = server(64)
cs = [socket.create_connection(s.getsockname()) for _ in range(3)]
c = socket.socket(); c.setblocking(False); print(name(c.connect, s.getsockname()))
print(struct.unpack_from('II', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 24))
print(len(select.select([s], [c], [], 0.5)[1]), len(select.select([s], [], [], 10)[0]))
print([s.accept()[1] for _ in cs] == [x.getsockname() for x in cs], len(select.select([], [c], [], 10)[1]))"
  assert_success
  assert_output "EINPROGRESS
(3, 2)
0 1
True 1"
}

@test "late-accept" {
  with late-accept -- "
s = server(); s.setblocking(False); c = socket.create_connection(s.getsockname()); c.send(b'x')
t = time.monotonic()
print(name(s.accept), len(select.select([s], [], [], 0.05)[0]))
print(len(select.select([s], [], [], 10)[0]), time.monotonic() - t >= 0.25, s.accept()[0].recv(1))"
  assert_success
  assert_output "EAGAIN 0
1 True b'x'"
}

@test "hanging-connect" {
  with hanging-connect -- "
s = server(); c = socket.socket(); c.settimeout(0.3)
try: c.connect(s.getsockname())
except TimeoutError: print('hangs')
print(name(c.getpeername)); s.setblocking(False); print(name(s.accept))"
  assert_success
  assert_output "hangs
ENOTCONN
EAGAIN"
}

@test "slow-handshake" {
  with slow-handshake --seed 7 -- "
s = server(); cs = [socket.socket() for _ in range(20)]
t = time.monotonic()
for c in cs: c.setblocking(False); c.connect_ex(s.getsockname())
late = []
while cs:
    for c in select.select([], cs, [], 10)[1]: cs.remove(c); late.append(time.monotonic() - t); print(end=name(c.getpeername) + ' ')
print(min(late) >= 0.4, sum(x >= 0.95 for x in late) in range(1, 8))"
  assert_success
  assert_output "$(printf 'ok %.0s' {1..20})True True"
}

@test "spurious-wakeups" {
  with spurious-wakeups -- "
s = server(); s.setblocking(False); p = select.poll(); p.register(s, select.POLLIN)
print(*[len(p.poll(0)) for _ in range(10)])
cs = [socket.create_connection(s.getsockname()) for _ in range(4)]
print(*[name(s.accept) for _ in range(6)])"
  assert_success
  assert_output "0 0 0 0 1 0 0 0 0 1
ok ok EAGAIN ok ok EAGAIN"
}

@test "emfile-storm" {
  with emfile-storm --set 'rules[0].when.after=0s' --set 'rules[0].when.pulse.active=60s' -- "
print(name(socket.socket), name(os.open, '/', 0))"
  assert_success
  assert_output "EMFILE ok"
  with emfile-storm -- "
end = time.monotonic() + 10; seen = set()
while len(seen) < 2 and time.monotonic() < end: seen.add(name(socket.socket)); time.sleep(0.02)
print(*sorted(seen))"
  assert_success
  assert_output "EMFILE ok"
}

@test "emfile-storm: a descriptor that was kept in reserve is one to accept with, and so in each storm" {
  with emfile-storm --set 'rules[0].when.after=0s' --set 'rules[0].when.pulse.active=60s' --set 'rules[0].when.event=now' \
    --session "reserve-$$" -- "
def ctl(*a): os.spawnv(os.P_WAIT, '$SNAG', ['snag', 'ctl', 'reserve-$$', *a])
s = server(); s.setblocking(False); cs = [socket.create_connection(s.getsockname()) for _ in range(5)]
reserve = os.open('/', 0)
ctl('fire', 'now')
for _ in range(2):
    print(name(s.accept), name(s.accept), name(socket.socket))
    os.close(reserve); a = s.accept()[0]; print(a.fileno() == reserve, name(s.accept), name(socket.socket))
    a.close(); a = s.accept()[0]; a.close(); reserve = os.open('/', 0); print(name(s.accept))
    ctl('disable', 'out-of-descriptors'); print(name(socket.socket)); ctl('enable', 'out-of-descriptors')"
  assert_success
  assert_output "$(for _ in 1 2; do printf 'EMFILE EMFILE EMFILE\nTrue EMFILE EMFILE\nEMFILE\nok\n'; done)"
  run jq -rs 'map(select(.note).note) | unique[]' "$WORK/trace.jsonl"
  assert_output 'the program has closed a descriptor since'
}

@test "time-wait-restart" {
  local port
  port=$(free_port)
  with time-wait-restart --set 'rules[0].do.time_wait=1s' -- "
s = socket.socket(); print(name(s.bind, ('127.0.0.1', $port)))
while name(s.bind, ('127.0.0.1', $port)) != 'ok': time.sleep(0.05)
s.listen(); print('listens')"
  assert_success
  assert_output "EADDRINUSE
listens"
  run jq -s 'map(select(.call == "bind")) | .[0].why.holder.occupant == "rule just-restarted" and .[-1].t - .[0].t >= 0.9' "$WORK/trace.jsonl"
  assert_output true
  port=$(free_port)
  with time-wait-restart -- "
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', $port)); s.listen(); print('listens')"
  assert_output listens
}

@test "ephemeral-exhaustion" {
  alone
  with ephemeral-exhaustion -- "
def listener(host):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((host, 25000)); s.listen(64); return s
def call(s):
    c = socket.socket(); r = name(c.connect, s.getsockname()); c.close()
    if r == 'ok': s.accept()[0].close()
    return r
a, b = listener('127.0.0.1'), listener('127.0.0.2')
print([call(a) for _ in range(18)].count('ok'), call(a), [call(b) for _ in range(16)].count('ok'), call(b))
while call(a) != 'ok': time.sleep(0.05)
print('again')"
  assert_success
  assert_output "16 EADDRNOTAVAIL 16 EADDRNOTAVAIL
again"
}

@test "tiny-kernel" {
  # Four ports somewhere else each time: others on this machine may use some of them.
  local low=$((33000 + RANDOM % 27000))
  with tiny-kernel --set "kernel.ip_local_port_range=$low..$((low + 3))" -- "
s = server()
made = []
def connect():
    made.append(socket.create_connection(s.getsockname()))
while (got := name(connect)) == 'ok' and len(made) < 9: made.append(s.accept()[0])
print(len(made) <= 8, got)
made.clear()
def fill():
    while len(made) < 99: made.append(socket.socket())
print(name(fill), max(m.fileno() for m in made))
made.clear()
print(name(socket.socket().bind, ('', 80)))"
  assert_success
  assert_output "True EADDRNOTAVAIL
EMFILE 63
EACCES"
  run jq -rs '[.[] | select(.by == "model") | .why.code] | join(" ")' "$WORK/trace.jsonl"
  assert_output "no_port open_files privileged"
}

@test "time-wait-fast" {
  with time-wait-fast -- "
s = server(); port = s.getsockname()[1]
c = socket.create_connection(s.getsockname()); a, _ = s.accept()
a.close(); s.close(); c.recv(1); c.close()
got = []
while not got or got[-1] != 'ok':
    b = socket.socket(); got.append(name(b.bind, ('127.0.0.1', port))); b.close()
print(got[0], got[-1])"
  assert_success
  assert_output "EADDRINUSE ok"
  run jq -rs '[.[] | select(.by == "model")][0].why.holder | .state, ((.until - .since) * 1000 | round)' "$WORK/trace.jsonl"
  assert_output "time_wait
600"
}

@test "freebsd" {
  with freebsd -- "
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', 0))
t = socket.socket(); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
print(name(t.bind, s.getsockname()), name(socket.socket().connect, ('127.0.0.1', 0)))"
  assert_success
  assert_output "EADDRINUSE EADDRNOTAVAIL"
}
