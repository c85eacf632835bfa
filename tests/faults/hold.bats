#!/usr/bin/env bats
# Connections that a rule holds in the queue: beside ones that come later by themselves, in everything that a program can ask.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# table RULE: all cells, eight at a time
table() {
  local wait family threads running=0
  for wait in block poll select level edge oneshot exclusive; do
    for family in 4 6 unix; do
      for threads in 1 4; do
        beside held "$1" $wait $family $threads >>"$WORK/differences" &
        running=$((running + 1))
        if [ $running -ge 8 ]; then wait -n; running=$((running - 1)); fi
      done
    done
  done
  wait
  run cat "$WORK/differences"
  assert_output ''
  [ "$(find "$WORK" -name '*.ruled' -size +30c | wc -l)" -eq 42 ]
}

@test "hold: however a program waits, connections come when they are let go" {
  table 'accept: hold=300ms'
}

@test "hold: one connection held, the next ones wait behind it" {
  table 'accept first=1: hold=300ms'
}

# held PYTHON [OPTION...]: under hold: 400ms
held() {
  local text=$1; shift
  run timeout 60 "$SNAG" run -q --rule 'accept name=late: hold=400ms' "$@" -- "$PYTHON" -c "
import select, socket, time
def server(backlog=64, blocking=False):
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(backlog); s.setblocking(blocking); return s
def client(s):
    c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); return c
def established(c): return select.select([], [c], [], 0.3)[1] == [c]
$text"
}

@test "held connections stay in the real queue, which overflows for real" {
  held '
s = server(1)
first = [client(s) for _ in range(2)]
print([established(c) for c in first])
print(socket.TCP_INFO and s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)[24])
late = client(s)
print(established(late))
print(select.select([s], [], [], 10)[0] == [s], s.accept()[1] == first[0].getsockname())
print(select.select([], [late], [], 10)[1] == [late])'
  assert_output '[True, True]
2
False
True True
True'
}

@test "a process that leaves the session by a seccomp filter finds its listener in its epoll set" {
  held '
import ctypes, struct
s = server(); c = client(s); e = select.epoll(); e.register(s)
print(e.poll(0))
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))
print(libc.prctl(38, 1, 0, 0, 0), libc.prctl(22, 2, program, 0, 0))
print([fd == s.fileno() for fd, _ in e.poll(10)], s.accept()[1] == c.getsockname())'
  assert_output '[]
0 0
[True] True'
}

@test "those that arrive together are let go together, in order" {
  held '
s = server()
c = [client(s) for _ in range(5)]
select.select([s], [], [])
print([s.accept()[1] for _ in c] == [x.getsockname() for x in c])'
  assert_output True
}

@test "a time-out of the program's own is not overslept, nor cut short" {
  held '
s = server(); c = client(s)
p = select.poll(); p.register(s); e = select.epoll(); e.register(s)
for wait in (lambda: p.poll(50), lambda: select.select([s], [], [], 0.05)[0], lambda: e.poll(0.05)):
    t = time.monotonic(); r = wait(); d = time.monotonic() - t
    print(r, 0.05 <= d < 0.3)'
  assert_output '[] True
[] True
[] True'
}

@test "a listener that was registered before it listened, and by a parent" {
  held '
import os
s = socket.socket(); s.bind(("127.0.0.1", 0))
e = select.epoll(); e.register(s, select.EPOLLIN | select.EPOLLET)
e.poll(0)
s.listen(); s.setblocking(False)
c = client(s)
try: s.accept()
except BlockingIOError: print("held")
if os.fork() == 0:
    print(e.poll(10) != [], s.accept()[1] == c.getsockname(), flush=True)
    os._exit(0)
os.wait()'
  assert_output 'held
True True'
}

@test "SO_RCVTIMEO bounds an accept that waits for a held connection, and signals end it" {
  held '
import signal, struct
s = server(blocking=True); c = client(s)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
try: s.accept()
except BlockingIOError: print("EAGAIN")
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
class Enough(Exception): pass
def stop(*a): raise Enough()
signal.signal(signal.SIGALRM, stop); signal.setitimer(signal.ITIMER_REAL, 0.05)
try: s.accept()
except Enough: print("EINTR")
print(s.accept()[1] == c.getsockname())'
  assert_output 'EAGAIN
EINTR
True'
}

@test "SO_RCVTIMEO and SO_SNDTIMEO bound what delay, stall, hold and the kernel's own wait take together" {
  held '
import struct
def bound(s, option): s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 1, 500000))
def ends(f):
    t = time.monotonic()
    try: f(); r = "ok"
    except BlockingIOError: r = "EAGAIN"
    print(r, 1.5 <= time.monotonic() - t < 2.5)
s = server(blocking=True); c = client(s); bound(s, socket.SO_RCVTIMEO)
ends(s.accept)
for _ in range(2):
    a, b = socket.socketpair(); a.setblocking(False)
    try:
        while True: a.send(b"x" * 65536)
    except BlockingIOError: a.setblocking(True)
    bound(a, socket.SO_SNDTIMEO)
    ends(lambda: a.send(b"x"))' --rule 'accept: delay=1s' --set 'rules.late.do.hold=forever' \
    --rule 'send blocking=true first=1: stall=1s' --rule 'send blocking=true: delay=1s'
  assert_output 'EAGAIN True
EAGAIN True
EAGAIN True'
}

@test "signals with SA_RESTART do not end it; a thread can be cancelled in it, and takes nothing; no descriptor is left" {
  while read -r what said; do
    run timeout 30 "$SNAG" run -q --rule 'accept first=1: hold=400ms' -- "$PROGRAMS/waiting" "$what"
    assert_output "$(printf '%b' "$said")"
  done <<'CASES'
accept accept ok\nthen EAGAIN
accept-eintr accept EINTR\nthen EAGAIN
accept-restart accept ok\nthen EAGAIN
accept-timeout accept EAGAIN\nthen EAGAIN
accept-cancel cancelled\nthen EAGAIN
CASES
}

@test "a rule on accept4 alone" {
  run timeout 30 "$SNAG" run -q --rule '=accept4: hold=300ms' -- "$PROGRAMS/held" ruled level 4 1
  assert_line 'at first: nothing'
  assert_line 'accepted: 3'
}

@test "the trace says which rule held what" {
  held 's = server(); c = client(s); select.select([s], [], []); s.accept()' -o "$WORK/trace.jsonl"
  run jq -r 'select(.call == "rule") | [.rule, .on] | @tsv' "$WORK/trace.jsonl"
  assert_output $'late\taccept'
}

@test "a dry run holds nothing" {
  held 's = server(); c = client(s); print(select.select([s], [], [], 0.2)[0] == [s], s.accept()[1] == c.getsockname())' --dry-run
  assert_output 'True True'
}

# Four processes wait for eight connections, with one listener or each with its own on the same port. None is lost, and
# none comes twice.
workers() {
  held '
import os
way = os.environ["WAY"]
def listener(port=0):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, way == "group")
    s.bind(("127.0.0.1", port)); s.listen(); s.setblocking(way == "block"); return s
def waiting(s, end):
    if way == "block": return lambda: True
    if way == "select": return lambda: end not in select.select([s, end], [], [])[0]
    p = select.poll() if way == "poll" else select.epoll()
    p.register(s, select.POLLIN | (select.EPOLLEXCLUSIVE if way == "exclusive" else select.EPOLLET if way == "edge" else 0))
    p.register(end, select.POLLIN)
    return lambda: end not in [fd for fd, _ in p.poll()]
def work(s, end, out):
    wait = waiting(s, end)
    while wait():
        try:
            while True:
                s.accept(); os.write(out, b"x")
        except BlockingIOError: pass
        except OSError: break
group = [listener()]
group += [listener(group[0].getsockname()[1]) for _ in range(3)] if way == "group" else group * 3
(end, ends), (said, out) = os.pipe(), os.pipe()
for s in group:
    if os.fork() == 0:
        os.close(ends); work(s, end, out); os._exit(0)
c = [client(group[0]) for _ in range(8)]
print(len([os.read(said, 1) for _ in c]))
for s in set(group): s.shutdown(socket.SHUT_RD)
os.close(ends); os.close(out)
for _ in group: os.wait()
print(len(os.read(said, 9)))'
}

@test "four processes, however they wait: each held connection comes to one of them" {
  local way
  for way in block poll select level edge exclusive group; do
    WAY=$way workers
    assert_output "8
0"
  done
}

@test "a program that closes what it does not know, and has files of its own there, keeps them" {
  local wait
  for wait in poll epoll; do
    run -0 timeout 30 "$SNAG" run -q --rule 'accept: hold=300ms' -- "$PYTHON" -c "
import os, select, socket
s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())
p = select.$wait(); p.register(s, select.POLLIN)
assert p.poll(0) == [] and p.poll(0.01) == []
os.closerange(500, 600)
e = select.epoll()
for fd in range(512, 530): os.dup2((c, e)[fd % 2].fileno(), fd)
was = [os.readlink(f'/proc/self/fd/{fd}') for fd in range(512, 530)]
d = socket.create_connection(s.getsockname())
while not p.poll(0.01): pass
s.accept(); s.accept(); s.setblocking(False)
try: s.accept()
except BlockingIOError: print(was == [os.readlink(f'/proc/self/fd/{fd}') for fd in range(512, 530)])"
    assert_output True
  done
}
