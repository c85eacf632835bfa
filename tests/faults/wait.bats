#!/usr/bin/env bats
# Rules on the calls that wait for readiness, and wake-ups with nothing to take.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# under RULE PYTHON: the waits are w['poll'](ms) and so on, of a listener s that does not block, with no client yet.
under() {
  run timeout 60 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$1" -- "$PYTHON" -c "
import ctypes, errno, select, signal, socket, struct, sys, time
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); s.setblocking(False)
p = select.poll(); p.register(s, select.POLLIN)
e = {f: select.epoll() for f in ('level', 'edge', 'oneshot')}
for f, flag in (('level', 0), ('edge', select.EPOLLET), ('oneshot', select.EPOLLONESHOT)):
    e[f].register(s, select.EPOLLIN | flag)
w = {'poll': lambda ms: bool(p.poll(ms)), 'select': lambda ms: bool(select.select([s], [], [], ms / 1000)[0])}
for f in e: w[f] = lambda ms, f=f: e[f].poll(ms / 1000) == [(s.fileno(), select.EPOLLIN)]
def accept():
    try: s.accept(); return 'ok'
    except OSError as x: return errno.errorcode[x.errno]
def client():
    c = socket.create_connection(s.getsockname()); return c
$2" 3>&-
}

@test "spurious: poll, select and epoll wake up for nothing, and then for something" {
  local way call
  for way in poll select level edge oneshot; do
    case $way in poll | select) call=$way ;; *) call=epoll ;; esac
    under "$call first=1: spurious=2" "
print(*[w['$way'](20) for _ in range(3)], accept())
if '$way' == 'oneshot': e['$way'].modify(s, select.EPOLLIN | select.EPOLLONESHOT)
c = client(); print(w['$way'](5000), accept())"
    if [ $way = oneshot ]; then
      assert_output $'True False False EAGAIN\nTrue ok'	# used up by the first
    else
      assert_output $'True True False EAGAIN\nTrue ok'
    fi
  done
}

@test "spurious: accept finds nothing, and is told again, edges too" {
  local way
  for way in poll select level edge; do
    under 'accept first=1: spurious=2' "
c = client()
print(*[(w['$way'](5000), accept()) for _ in range(4)])"
    assert_output "(True, 'EAGAIN') (True, 'EAGAIN') (True, 'ok') (False, 'EAGAIN')"
  done
}

@test "spurious: what is ready anyway is reported as it is, and a blocking socket is left alone" {
  under 'poll first=1: spurious=1' "
c = client(); print(w['poll'](0), accept()); s.setblocking(True); print(w['poll'](20))"
  assert_output $'True ok\nFalse'
  under 'poll first=1: spurious=1' "s.setblocking(True); print(w['poll'](20))"
  assert_output False
}

@test "errno, delay and log on calls that wait" {
  under 'poll first=1: ENOMEM' "
try: w['poll'](0)
except OSError as x: print(errno.errorcode[x.errno])
print(w['poll'](0), w['select'](0), w['level'](0))"
  assert_output $'ENOMEM\nFalse False False'
  run jq -r 'select(.call == "poll") | [.errno, .by] | @tsv' "$WORK/trace.jsonl"
  assert_output $'ENOMEM\trule'
  under 'epoll first=1: delay=100ms' "t = time.monotonic(); w['level'](0); print(time.monotonic() - t >= 0.1)"
  assert_output True
  under 'select: log=seen' "w['select'](0); w['poll'](0)"
  run jq -r 'select(.log) | [.call, .log[]] | @tsv' "$WORK/trace.jsonl"
  assert_output --regexp $'^p?select\tseen$'
}

@test "EINTR on each of them, as the C library gives it" {
  under 'poll,select,epoll first=4: EINTR' "
libc = ctypes.CDLL(None, use_errno=True)
for f in (lambda: libc.poll(None, 0, 5000), lambda: libc.select(0, None, None, None, None),
          lambda: libc.epoll_wait(e['level'].fileno(), ctypes.create_string_buffer(12), 1, 5000),
          lambda: libc.epoll_pwait(e['level'].fileno(), ctypes.create_string_buffer(12), 1, 5000, None)):
    print(f(), errno.errorcode[ctypes.get_errno()])"
  assert_output $'-1 EINTR\n-1 EINTR\n-1 EINTR\n-1 EINTR'
}

@test "without a rule that needs them the waits make the system calls that they make alone" {
  requires strace
  local text='
import select, socket
s = socket.socket(); s.listen(); p = select.poll(); p.register(s); e = select.epoll(); e.register(s)
print("BEGIN", flush=True)
for _ in range(5): p.poll(0); select.select([s], [], [], 0); e.poll(0)
print("END", flush=True)'
  calls() {
    sed -n '/BEGIN/,/END/p' "$1" | sed '1d;$d' | grep -oE '^[0-9]* *[a-z0-9_]+\(' | grep -oE '[a-z0-9_]+\(' | sort | uniq -c
  }
  strace -f -o "$WORK/alone" "$PYTHON" -c "$text" >/dev/null
  "$SNAG" run -q --rule 'bind port=1: EACCES' -- strace -f -o "$WORK/under" "$PYTHON" -c "$text" >/dev/null
  assert_equal "$(calls "$WORK/under")" "$(calls "$WORK/alone")"
}
