#!/usr/bin/env bats
# Rules on the calls that move bytes: every variant of them, real counts, and errnos that a correct program survives.

load ../helper

RECVS='read __read __read_chk readv recv __recv_chk recvfrom __recvfrom_chk recvmsg recvmmsg SYS_read SYS_recvfrom'
SENDS='write __write writev send __send sendto sendmsg sendmmsg sendfile SYS_write SYS_sendto'

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# moves RULE WHAT LINE MESSAGES: the program `moves WHAT` says LINE of each call; MESSAGES of those with two messages.
moves() {
  local rule=$1 what=$2 line=$3 messages=$4 name expected='' names=$SENDS
  [[ $what == recv* ]] && names=$RECVS
  for name in $names; do
    if [[ $name == *mmsg ]]; then expected+="$name $messages"$'\n'; else expected+="$name $line"$'\n'; fi
  done
  # shellcheck disable=SC2086
  run timeout 30 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$PROGRAMS/moves" $what
  assert_success
  assert_output "${expected%$'\n'}"
}

under() {
  local rule=$1
  shift
  run timeout 30 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$@"
}

python() {
  local rule=$1
  under "$rule" "$PYTHON" -c "
import errno, os, select, signal, socket, sys, threading, time
def name(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode[e.errno]
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(8)
a = socket.create_connection(l.getsockname()); b = l.accept()[0]
$2"
}

@test "without a rule on them they are themselves" {
  moves 'bind: log=x' recv '10 abcdefghij' '10 abcdefghij'
  moves 'bind: log=x' send '10 abcdefghij' '10 abcdefghij'
  run jq -r '.call' "$WORK/trace.jsonl"
  refute_output --regexp 'send|write|recv|read'
}

@test "clamp: at most so many bytes really move, and none is lost" {
  moves 'recv role=client: clamp=3' recv '3 3 3 1 abcdefghij' '2 2 2 2 2 abcdefghij'
  moves 'send role=client: clamp=3' send '3 3 3 1 abcdefghij' '2 2 2 2 2 abcdefghij'
  run jq -s -c 'map(select(.call == "write")) | map([.ret, .by, .rule])' "$WORK/trace.jsonl"
  assert_output '[[3,"rule","rule1"],[3,"rule","rule1"],[3,"rule","rule1"],[1,"rule","rule1"],[3,"rule","rule1"],[3,"rule","rule1"],[3,"rule","rule1"],[1,"rule","rule1"],[3,"rule","rule1"],[3,"rule","rule1"],[3,"rule","rule1"],[1,"rule","rule1"]]'
}

@test "clamp on unix streams" {
  moves 'recv family=unix: clamp=4' 'recv unix' '4 4 2 abcdefghij' '2 2 2 4 abcdefghij'
  moves 'send family=unix: clamp=4' 'send unix' '4 4 2 abcdefghij' '2 2 2 4 abcdefghij'
}

@test "a datagram is never cut" {
  python 'recv,send: clamp=2' "
u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))
v = socket.socket(type=socket.SOCK_DGRAM); print(v.sendto(b'datagram', u.getsockname()), u.recv(99))
p, q = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); print(p.send(b'datagram'), q.recv(99))"
  assert_output $'8 b\'datagram\'\n8 b\'datagram\''
}

@test "bytes_sent and bytes_received: the call that would cross the border ends there" {
  moves 'send role=client count_per=socket limit=1 bytes_sent=4: EPIPE' send '4 EPIPE+SIGPIPE 6 abcdefghij' \
    '2 2 EPIPE+SIGPIPE 6 abcdefghij'
  moves 'recv role=client count_per=socket limit=1 bytes_received=4: ECONNRESET' recv '4 ECONNRESET 6 abcdefghij' \
    '2 2 ECONNRESET 6 abcdefghij'
}

@test "bytes are counted over all processes that have the socket" {
  python 'send role=client bytes_sent=5: EPIPE' "
print(a.send(b'abc')); sys.stdout.flush()
if os.fork() == 0: print(a.send(b'def')); os._exit(0)
os.wait(); signal.signal(signal.SIGPIPE, signal.SIG_IGN); print(name(a.send, b'g'), b.recv(9))"
  assert_output $'3\n2\nEPIPE b\'abcde\''
}

@test "a peek moves nothing" {
  python 'recv role=client bytes_received=3: ECONNRESET' "
b.send(b'abcdef'); print(a.recv(9, socket.MSG_PEEK), a.recv(9, socket.MSG_PEEK), a.recv(9), name(a.recv, 9))"
  assert_output "b'abc' b'abc' b'abc' ECONNRESET"
}

@test "EPIPE comes with SIGPIPE, and without it where the program asked so" {
  moves 'send role=client count_per=socket first=1: EPIPE' send 'EPIPE+SIGPIPE 10 abcdefghij' 'EPIPE+SIGPIPE 10 abcdefghij'
  python 'send role=client first=1: EPIPE' "
signal.signal(signal.SIGPIPE, lambda *x: print('SIGPIPE'))
print(name(a.send, b'x', socket.MSG_NOSIGNAL))"
  assert_output EPIPE
}

@test "EAGAIN comes with readiness raised again, also for edges" {
  python 'recv role=client first=3: EAGAIN' "
a.setblocking(False); e = select.epoll(); e.register(a, select.EPOLLIN | select.EPOLLET)
b.send(b'abc'); seen = []
while not seen or seen[-1] != b'abc': assert e.poll(5); seen.append(name(a.recv, 9))
print(*seen, e.poll(0))"
  assert_output "EAGAIN EAGAIN EAGAIN b'abc' []"
  python 'send role=client first=2: EAGAIN' "
a.setblocking(False); e = select.epoll(); e.register(a, select.EPOLLOUT | select.EPOLLET); e.poll(5)
seen = [name(a.send, b'abc')]
while seen[-1] != 3: assert e.poll(5); seen.append(name(a.send, b'abc'))
print(*seen)"
  assert_output "EAGAIN EAGAIN 3"
}

@test "EAGAIN and EINTR are for those who can meet them" {
  python 'recv role=client: EAGAIN' "b.send(b'abc'); print(a.recv(9))"
  assert_output "b'abc'"
  python 'recv role=client: EINTR' "a.setblocking(False); b.send(b'abc'); print(a.recv(9))"
  assert_output "b'abc'"
  python 'recv role=client first=2: EINTR' "b.send(b'abc'); print(a.recv(9))"
  assert_output "b'abc'"
  run jq -s -c 'map(select(.call == "recv") | .errno)' "$WORK/trace.jsonl"
  assert_output '["EINTR","EINTR"]'
}

@test "a delayed recv waits for its socket's own time at most" {
  python 'recv role=client: delay=10s' "
import struct
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('qq', 0, 100000)); b.send(b'x')
print(name(a.recv, 1))"
  assert_output EAGAIN
}

@test "what a rule waits in front of a call counts towards the socket's own time" {
  local rule
  for rule in delay stall; do
    python "recv role=client: $rule=400ms" "
import struct
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('qq', 3, 0)); t = time.monotonic()
print(name(a.recv, 1), 3 <= time.monotonic() - t < 3.4)
b.send(b'x'); print(a.recv(1))"
    assert_output "EAGAIN True
b'x'"
  done
}

@test "stall: no progress on this way for so long, in no process" {
  python 'recv role=client first=1: stall=300ms' "
b.send(b'xy'); t = time.monotonic(); a.send(b'z'); print(a.recv(1), time.monotonic() - t >= 0.3)"
  assert_output "b'x' True"
  python 'recv role=client first=1: stall=60s' "
b.send(b'xy'); start = threading.Event(); pids = []
def child():
    pids.append(os.fork())
    if not pids[0]: signal.alarm(60); a.recv(1); os._exit(0)
child(); child_in_recv = lambda: open('/proc/%d/syscall' % pids[0]).read().split()[0] in ('0', '63', '35', '230', '115')
while not child_in_recv(): time.sleep(0.01)
second = os.fork()
if second == 0: signal.signal(signal.SIGALRM, lambda *x: os._exit(7)); signal.setitimer(signal.ITIMER_REAL, 0.25, 0.07); a.recv(1); os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])); os.kill(pids[0], 9); os.wait()"
  assert_output 7
}

@test "stall on a non-blocking socket: EAGAIN, and readiness at its end, for whoever waits and however" {
  local how
  for how in poll select epoll edge thread; do
    python 'recv role=client: stall=300ms' "
a.setblocking(False); b.send(b'abc'); t = time.monotonic(); how = '$how'
e = select.epoll(); e.register(a, select.EPOLLIN | (select.EPOLLET if how == 'edge' else 0)); p = select.poll(); p.register(a, select.POLLIN)
def ready(s):
    if how == 'poll': return len(p.poll(s * 1000))
    if how == 'select': return len(select.select([a], [], [], s)[0])
    return len(e.poll(s))
if how == 'thread':
    seen = []; w = threading.Thread(target=lambda: seen.append(ready(9)))
print(name(a.recv, 9), 0 if how == 'thread' else ready(0), end=' ')
if how == 'thread': w.start(); w.join(); print(*seen, end=' ')
else: print(ready(9), end=' ')
print(time.monotonic() - t >= 0.3, a.recv(9), a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT))"
    assert_output "EAGAIN 0 1 True b'abc' 1"
  done
  run jq -s -c 'map(select(.call == "recv") | [.ret, .errno])' "$WORK/trace.jsonl"
  assert_output '[[-1,"EAGAIN"],[3,null]]'
}

@test "a hidden stall does not outlast the descriptor or the process that met it" {
  local stall='recv role=client first=1: stall=300ms'
  python "$stall" "
import select
a.setblocking(False); d = a.dup(); print(name(a.recv, 1)); a.close(); b.send(b'x')
print(select.select([d], [], [], 10)[0] == [d], d.recv(1))"
  assert_output "EAGAIN
True b'x'"
  python "$stall" "
import select
a.setblocking(False); p = os.fork()
if p == 0: name(a.recv, 1); os._exit(0)
os.waitpid(p, 0); b.send(b'x')
while True:
    if select.select([a], [], [], 10)[0] != [a]: print('hidden'); break
    try: print(a.recv(1)); break
    except BlockingIOError: pass"
  assert_output "b'x'"
}

@test "a hidden stall whose process was killed ends for those that share the socket and wait already" {
  local wait
  for wait in 'select.select([a], [], [], 20)[0] == [a]' 'bool(e.poll(20))'; do
    python 'recv role=client first=1: stall=300ms' "
import select, signal
e = select.epoll(); e.register(a, select.EPOLLIN | select.EPOLLET); a.setblocking(False)
p = os.fork()
if p == 0: b.send(b'x'); print(name(a.recv, 1)); os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(p, 0); print($wait, a.recv(1))"
    assert_output "EAGAIN
True b'x'"
  done
}

@test "options that a fault has changed answer as ever: wrong lengths, values and pointers too" {
  local rule
  "$PROGRAMS/optiongrid" >"$WORK/native"
  for rule in 'recv: stall=60s' 'send: blackhole=self' 'send: blackhole=peer' 'recv: eof'; do
    run -0 timeout 20 "$SNAG" run -q --rule "$rule" -- "$PROGRAMS/optiongrid"
    diff "$WORK/native" <(printf '%s\n' "$output")
  done
}

@test "options that a fault has changed read as the program left them; what it sets meanwhile comes into force after" {
  python 'recv role=client first=1: stall=300ms' "
a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 2); a.setblocking(False)
lowat = lambda: a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
print(lowat(), name(a.recv, 9), lowat()); a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 3); print(lowat())
b.send(b'xy'); p = select.poll(); p.register(a, select.POLLIN); print(p.poll(600)); b.send(b'z')
print(len(p.poll(10000)), a.recv(9), lowat())"
  assert_output "2 EAGAIN 2
3
[]
1 b'xyz' 3"
  python 'recv role=client first=1: blackhole=self' "
least = lambda: a.getsockopt(0, 21); a.setsockopt(0, 21, 7); a.setblocking(False)
print(least(), name(a.recv, 9), least()); a.setsockopt(0, 21, 9); print(least(), name(a.setsockopt, 0, 21, 256))
b.send(b'x'); print(select.select([a], [], [], 0.4)[0], least())"
  assert_output "7 EAGAIN 7
9 EINVAL
[] 9"
  python 'connect nth=2: ETIMEDOUT' "
timeout = lambda: c.getsockopt(6, socket.TCP_USER_TIMEOUT)
c = socket.socket(); c.setsockopt(6, socket.TCP_USER_TIMEOUT, 70000); c.setblocking(False)
print(errno.errorcode[c.connect_ex(l.getsockname())], timeout()); c.setsockopt(6, socket.TCP_USER_TIMEOUT, 80000); print(timeout())
p = select.poll(); p.register(c, select.POLLOUT); p.poll(20000); print(errno.errorcode[c.getsockopt(1, 4)], timeout())"
  assert_output "EINPROGRESS 70000
80000
ETIMEDOUT 80000"
  python 'recv role=client first=1: eof' "
print(a.recv(1), len(a.getsockopt(1, 26, 64)))"
  assert_output "b'' 0"
  python 'send role=client first=1: blackhole=peer' "
print(a.send(b'x'), len(a.getsockopt(0, 4, 40)))"
  assert_output "1 0"
}

@test "what the program has the kernel hold back is sent before a reset" {
  local hold
  for hold in 'socket.MSG_MORE' 'a.setsockopt(6, socket.TCP_CORK, 1) or 0'; do
    python 'send role=client bytes_sent=4: reset=both' "
flag = $hold; print(a.send(b'abcd', flag), name(a.send, b'e', flag), a.getsockopt(6, socket.TCP_NODELAY))
print(b.recv(4, socket.MSG_WAITALL), name(b.recv, 1))"
    assert_output "4 ECONNRESET 0
b'abcd' ECONNRESET"
  done
}

@test "a connection that was reset keeps its names, until the program connects the socket anew" {
  local end role
  for end in self both peer; do
    for role in client accepted; do
      python "recv role=$role nth=2: reset=$end" "
s, o = (a, b) if '$role' == 'client' else (b, a)
was = s.getsockname(), s.getpeername(); o.send(b'x'); s.recv(1); s.setblocking(False)
name(s.recv, 1); print(s.getsockname() == was[0], name(s.getpeername) in ((was[1],) if '$end' == 'peer' else ('ENOTCONN',)))
s.setblocking(True); l2 = socket.socket(); l2.bind(('127.0.0.2', 0)); l2.listen()
import ctypes; ctypes.CDLL(None).connect(s.fileno(), (ctypes.c_char * 16)(), 16)
s.connect(l2.getsockname()); c = l2.accept()[0]
print(s.getsockname() == c.getpeername(), s.getpeername() == l2.getsockname())"
      assert_output "True True
True True"
    done
  done
}

@test "a stall that cannot be hidden makes the thread wait" {
  python 'recv role=client first=1: stall=300ms' "
a.setblocking(False); b.setblocking(False); n = 0
try:
    while True: n += b.send(b'x' * 65536)
except BlockingIOError: pass
t = time.monotonic(); print(len(a.recv(9)), time.monotonic() - t >= 0.3)"
  assert_output '9 True'
  python 'send role=client first=1: stall=300ms' "
a.setblocking(False); t = time.monotonic(); print(a.send(b'x'), time.monotonic() - t >= 0.3)"
  assert_output '1 True'
}

@test "a dry run moves everything" {
  run timeout 30 "$SNAG" run -q --dry-run -o "$WORK/trace.jsonl" --rule 'send: clamp=1' -- "$PROGRAMS/moves" send
  assert_line 'write 10 abcdefghij'
  run jq -s '[.[] | select(.call == "write" and .dry)] | map(.bytes) | unique == [10]' "$WORK/trace.jsonl"
  assert_output true
}

@test "files and pipes are nobody's business" {
  under 'recv,send: clamp=1' "$PYTHON" -c "
import os
r, w = os.pipe(); print(os.write(w, b'abc'), os.read(r, 9))"
  assert_output "3 b'abc'"
}

@test "descriptors are passed with the first byte of a cut message" {
  under 'send,recv family=unix: clamp=2' "$PYTHON" -c "
import array, os, socket
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM); r, w = os.pipe()
print(a.sendmsg([b'abcdef'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [w]))]))
data, control, flags, _ = b.recvmsg(9, 100)
os.write(array.array('i', control[0][2])[0], b'through it'); print(data, len(control), flags & socket.MSG_CTRUNC, os.read(r, 99))"
  assert_output $'2\nb\'ab\' 1 0 b\'through it\''
}

@test "spurious: so many calls find nothing, each with its own edge; then it is all there" {
  python 'recv role=client first=1: spurious=3' "
a.setblocking(False); e = select.epoll(); e.register(a, select.EPOLLIN | select.EPOLLET)
b.send(b'abc'); seen = []
while not seen or seen[-1] != b'abc': assert e.poll(5); seen.append(name(a.recv, 9))
print(*seen, e.poll(0))"
  assert_output "EAGAIN EAGAIN EAGAIN b'abc' []"
  run jq -s -c 'map(select(.call == "recv") | [.errno, .rule])' "$WORK/trace.jsonl"
  assert_output '[["EAGAIN","rule1"],["EAGAIN","rule1"],["EAGAIN","rule1"]]'
  python 'recv role=client first=1: spurious=3' "b.send(b'abc'); print(a.recv(9))"
  assert_output "b'abc'"
}
