#!/usr/bin/env bats
# Connects that end late: beside the same end brought about by the kernel alone, in everything that a program can ask.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# table RULE END: all cells, eight at a time
table() {
  local wait family threads running=0
  for wait in poll select level edge oneshot exclusive before; do
    for family in 4 6; do
      for threads in 1 4; do
        beside slow "$1" $wait $family $threads "$2" >>"$WORK/differences" &
        running=$((running + 1))
        if [ $running -ge 8 ]; then wait -n; running=$((running - 1)); fi
      done
    done
  done
  wait
  run cat "$WORK/differences"
  assert_output ''
  [ "$(find "$WORK" -name '*.ruled' -size +100c | wc -l)" -eq 28 ]
}

@test "delay: a non-blocking connect completes late" {
  table 'connect first=1: delay=300ms' ok
}

@test "ECONNREFUSED after a while" {
  table 'connect first=1: ECONNREFUSED after=300ms' refused
}

@test "ETIMEDOUT" {
  table 'connect first=1: ETIMEDOUT' timeout
}

@test "syn_drop: the kernel's second SYN gets through" {
  table 'connect first=1: syn_drop=1' ok
}

# What comes by on loopback, in a network of its own: flags and seconds of each TCP segment.
sniffed() {
  requires_netns
  run timeout 60 "${NETNS[@]}" python3 "$ROOT/tests/faults/sniff.py" "$@"
}

@test "on the wire a blocking connect under syn_drop sends its SYN three times, and is answered once" {
  sniffed "$SNAG" run -q --rule 'connect: syn_drop=2' -- python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 7)); s.listen()
c = socket.create_connection(("127.0.0.1", 7)); s.accept()'
  assert_success
  assert_output --partial 'S at 0
S at 1
S at 2
SA at 2
A at 2'
}

@test "on the wire a delayed connect is heard of when its time has come" {
  sniffed "$SNAG" run -q --rule 'connect: delay=2700ms' -- python3 -c '
import socket, select
s = socket.socket(); s.bind(("127.0.0.1", 7)); s.listen()
c = socket.socket(); c.setblocking(False); c.connect_ex(("127.0.0.1", 7))
print(select.select([s], [], [], 2)[0] == [])
print(select.select([], [c], [], 5)[1] == [c])'
  assert_success
  assert_line --index 0 True
  assert_line --index 1 True
  refute_line 'SA at 0'
  refute_line 'SA at 1'
  refute_line 'SA at 2'
  assert_line 'SA at 3'
}

@test "a blocking connect under syn_drop: SO_SNDTIMEO and signals bound it, and the attempt goes on" {
  run timeout 60 "$SNAG" run -q --rule 'connect: syn_drop=1' -- python3 -c '
import select, signal, socket, struct
def attempt(c):
    try: c.connect(s.getsockname())
    except OSError as e: print(e.errno)
    print(select.select([], [c], [], 10)[1] == [c], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.socket()
c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 100000))
attempt(c)
class Enough(OSError): errno = 4
def stop(*args): raise Enough()
signal.signal(signal.SIGALRM, stop); signal.setitimer(signal.ITIMER_REAL, 0.1)
attempt(socket.socket())'
  assert_success
  assert_output '115
True 0
4
True 0'
}

@test "syn_drop: forever ends as the kernel ends it" {
  run timeout 60 "$SNAG" run -q --rule 'connect: syn_drop=forever' -- python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.socket()
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
try: c.connect(s.getsockname())
except OSError as e: print(e.errno)
s.setblocking(False)
try: s.accept()
except BlockingIOError: print("nobody came")'
  assert_success
  assert_output '110
nobody came'
}

@test "asyncio: three slow connects at once, in one thread" {
  run timeout 60 "$SNAG" run -q --rule 'connect: delay=500ms' -- python3 -c '
import asyncio, time
async def main():
    s = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    a = s.sockets[0].getsockname()
    t = time.monotonic(); ticks = 0
    async def tick():
        nonlocal ticks
        while True: await asyncio.sleep(0.01); ticks += 1
    task = asyncio.create_task(tick())
    await asyncio.gather(*[asyncio.open_connection(*a) for _ in range(3)])
    print(0.5 <= time.monotonic() - t < 1.4, ticks > 5)
    task.cancel()
asyncio.run(main())'
  assert_success
  assert_output 'True True'
}

@test "a late connect on a socket that blocks by then: send, recv and connect wait for its end" {
  local rule='connect first=1: delay=300ms' call
  for call in 'c.send(b"x")' 'c.recv(1)' 'c.connect(s.getsockname())'; do
    run timeout 20 "$SNAG" run -q --rule "$rule" -- python3 -c "
import socket, threading, time
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
threading.Thread(target=lambda: s.accept()[0].sendall(b'y'), daemon=True).start()
c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); c.setblocking(True)
t = time.monotonic(); print($call, time.monotonic() - t >= 0.29, c.getpeername() == s.getsockname())"
    assert_success
    assert_output --regexp "^(1|b'y'|None) True True\$"
  done
  run timeout 20 "$SNAG" run -q --rule "$rule" -- python3 -c "
import errno, socket, struct
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); c.setblocking(True)
c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 50000))
print(errno.errorcode[c.connect_ex(s.getsockname())])"
  assert_output EALREADY
  for call in 'c.send(b"x")' 'c.recv(1)' 'c.connect(s.getsockname())'; do
    run timeout 20 "$SNAG" run -q --rule 'connect first=1: ECONNREFUSED after=200ms' -- python3 -c "
import errno, socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); c.setblocking(True)
try: print($call)
except OSError as e: print(errno.errorcode[e.errno])"
    assert_output ECONNREFUSED
  done
}

@test "a forked child's copy of a slow connect does not begin it twice" {
  run timeout 60 "$SNAG" run -q --rule 'connect: delay=300ms' -- python3 -c '
import os, select, socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname())
child = os.fork()
ready = select.select([], [c], [], 10)[1] == [c]
if child == 0: os._exit(0 if ready else 1)
print(ready, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
s.setblocking(False); a = s.accept()
try: s.accept()
except BlockingIOError: print("one connection")'
  assert_success
  assert_output 'True 0
one connection'
}

# What every text below begins with: a listener, an attempt that is not waited for, and how it ends.
ATTEMPT='
import array, errno, os, select, socket, sys, time
def attempt(port):
    s = socket.socket(); s.setblocking(False)
    assert s.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
    return s
def outcome(s):
    p = select.poll(); p.register(s, select.POLLOUT)
    return len(p.poll(20000)), errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "ok")
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(); port = l.getsockname()[1]
'

@test "a late connect ends on time in the program that exec makes of it, and in one that it is passed to" {
  local rule
  for rule in 'delay=300ms ok' 'ECONNREFUSED after=300ms ECONNREFUSED' 'syn_drop=1 ok' 'ETIMEDOUT ETIMEDOUT'; do
    run timeout 60 "$SNAG" run -q --rule "connect first=1: ${rule% *}" -- "$PYTHON" -c "$ATTEMPT"'
l.set_inheritable(True); s = attempt(port); s.set_inheritable(True)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], str(s.fileno())])' "$ATTEMPT
print(*outcome(socket.socket(fileno=int(sys.argv[1]))))" 3>&-
    assert_success
    assert_output "1 ${rule##* }"
    run timeout 60 "$SNAG" run -q --rule "connect first=1: ${rule% *}" -- "$PYTHON" -c "$ATTEMPT"'
here, there = socket.socketpair()
if os.fork() == 0:
    m, c, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
    print(*outcome(socket.socket(fileno=array.array("i", c[0][2])[0])))
    os._exit(0)
s = attempt(port)
here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
s.close()
os.wait()' 3>&-
    assert_success
    assert_output "1 ${rule##* }"
  done
}

@test "a program that sleeps, and then asks SO_ERROR, finds a late connect at its end" {
  run timeout 60 "$SNAG" run -q --rule 'connect first=1: ECONNREFUSED after=200ms' -- "$PYTHON" -c "$ATTEMPT"'
s = attempt(port)
while (e := s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) == 0: time.sleep(0.01)
print(errno.errorcode[e])' 3>&-
  assert_success
  assert_output ECONNREFUSED
}
