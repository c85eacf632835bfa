#!/usr/bin/env bats
# Listeners that reset the clients which find their queue full: beside the kernel's own tcp_abort_on_overflow, and from
# other processes.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

@test "however a client waits, it is reset as by the kernel itself" {
  requires_netns
  # shellcheck disable=SC2034  # read by beside
  local MADE_SO=("${NETNS[0]}" net.ipv4.tcp_abort_on_overflow=1 --) wait family running=0
  for wait in block poll select level edge oneshot before; do
    for family in 4 6; do
      beside overflow 'listen: backlog=0 overflow=reset' $wait $family >>"$WORK/differences" &
      running=$((running + 1))
      if [ $running -ge 7 ]; then wait -n; running=$((running - 1)); fi
    done
  done
  wait
  run cat "$WORK/differences"
  assert_output ''
  [ "$(find "$WORK" -name '*.ruled' -size +80c | wc -l)" -eq 14 ]
}

# overflowing PYTHON [OPTION...]: under backlog=1 overflow=reset
overflowing() {
  local text=$1; shift
  run --separate-stderr timeout 60 "$SNAG" run -q --rule 'listen name=short: backlog=1 overflow=reset' "$@" -- "$PYTHON" -c "
import errno, os, select, socket, subprocess, sys, threading, time
def server(at='127.0.0.1', port=0, backlog=64, share=False):
    s = socket.socket(socket.AF_INET6 if ':' in at else socket.AF_INET)
    if share: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((at, port)); s.listen(backlog); return s
def depth(s): return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)[24]
def fill(s, n=2):
    c = [socket.create_connection(('127.0.0.1', s.getsockname()[1])) for _ in range(n)]
    while depth(s) < n: time.sleep(0.001)
    return c
def try_connect(port, at='127.0.0.1'):
    c = socket.socket(socket.AF_INET6 if ':' in at else socket.AF_INET); c.settimeout(0.3)
    try: c.connect((at, port)); return 'ok'
    except TimeoutError: return 'nothing'
    except OSError as e: return errno.errorcode[e.errno]
    finally: c.close()
$text"
}

@test "another program of the session is reset; the server sees nothing of it, and the next one is let in" {
  overflowing '
s = server(); kept = fill(s); port = s.getsockname()[1]
print(subprocess.run([sys.executable, "-c", f"""
import socket
try: socket.create_connection(({port} and "127.0.0.1", {port}))
except ConnectionResetError: print("reset")"""], stdout=subprocess.PIPE, text=True).stdout.strip())
print(depth(s), s.accept()[1] == kept[0].getsockname())
print(try_connect(port), depth(s))' -o "$WORK/trace.jsonl"
  assert_output 'reset
2 True
ok 2'
  run jq -r 'select(.call == "connect" and .errno == "ECONNRESET") | [.rule, .by] | @tsv' "$WORK/trace.jsonl"
  assert_output $'short\trule'
}

@test "every address that leads to the listener; wildcard, dual stack, and the machine's own name for itself" {
  overflowing '
for at, ways in (("0.0.0.0", ("127.0.0.1", "127.0.0.2", "0.0.0.0")), ("::", ("::1", "127.0.0.1", "::ffff:127.0.0.1", "::"))):
    s = server(at); kept = fill(s)
    print(*(try_connect(s.getsockname()[1], way) for way in ways))'
  assert_output 'ECONNRESET ECONNRESET ECONNRESET
ECONNRESET ECONNRESET ECONNRESET ECONNRESET'
}

@test "of listeners that share a port the one that the kernel chose decides" {
  overflowing '
group = [server(share=True)]
group += [server(port=group[0].getsockname()[1], share=True) for _ in range(3)]
port = group[0].getsockname()[1]; kept = []; said = set()
while sum(map(depth, group)) < 8:
    c = socket.socket()
    try: c.connect(("127.0.0.1", port)); kept.append(c)
    except ConnectionResetError: said.add("reset")
print(said, [depth(s) for s in group], try_connect(port))'
  assert_output "{'reset'} [2, 2, 2, 2] ECONNRESET"
}

@test "many at once: as many as there is room for are let in, all others are reset, nobody hangs" {
  overflowing '
s = server(); kept = fill(s); port = s.getsockname()[1]; said = []
t = [threading.Thread(target=lambda: said.append(try_connect(port))) for _ in range(20)]
for x in t: x.start()
for x in t: x.join()
print(set(said), len(said), depth(s))'
  assert_output "{'ECONNRESET'} 20 2"
}

@test "a connect that a rule delays meets the queue when its time has come" {
  overflowing '
s = server(); kept = fill(s); port = s.getsockname()[1]
c = socket.socket(); c.setblocking(False)
print(c.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS)
print(select.select([], [c], [], 10)[1] == [c], errno.errorcode[c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])' \
    --rule 'connect blocking=false: delay=100ms'
  assert_output 'True
True ECONNRESET'
}

@test "not where it is switched off, listens anew without it, or is no TCP; not on another port" {
  overflowing '
s = server(); kept = fill(s)
print(try_connect(s.getsockname()[1]))
s.listen(1)
print(try_connect(s.getsockname()[1]))
u = socket.socket(socket.AF_UNIX); u.bind("\0" + str(os.getpid())); u.listen(0)
full = []
try:
    while True:
        full.append(socket.socket(socket.AF_UNIX)); full[-1].setblocking(False); full[-1].connect(u.getsockname())
except BlockingIOError: print("EAGAIN", len(full))
print(try_connect(1))' --set 'rules.short.when.first=1'
  assert_output 'ECONNRESET
nothing
EAGAIN 2
ECONNREFUSED'
}

@test "a rule that snag ctl switches off resets nobody" {
  local name="overflow-$BATS_TEST_NUMBER-$$"
  overflowing "
s = server(); kept = fill(s); port = s.getsockname()[1]
print(try_connect(port))
subprocess.run(['$SNAG', 'ctl', '$name', 'disable', 'short'], stdout=subprocess.DEVNULL)
print(try_connect(port))
subprocess.run(['$SNAG', 'ctl', '$name', 'enable', 'short'], stdout=subprocess.DEVNULL)
print(try_connect(port))" --session "$name"
  assert_output 'ECONNRESET
nothing
ECONNRESET'
}

# Says at which port it listens, and serves until it is told to end.
listening() {
  "$SNAG" run -q --rule 'listen: backlog=0 overflow=reset' -- "$PYTHON" -c '
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
kept = socket.create_connection(s.getsockname())
print(s.getsockname()[1]); sys.stdin.read()' <"$1" >"$WORK/port" 2>&-
}

@test "a client outside the session meets what Linux does, which snag check says" {
  mkfifo "$WORK/end"
  listening "$WORK/end" 3>&- &
  exec 7>"$WORK/end"
  wait_for test -s "$WORK/port"
  run "$PYTHON" -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 0.3)' "$(cat "$WORK/port")"
  assert_line 'TimeoutError: timed out'
  exec 7>&-
  printf 'version: 1\nrules: [{call: listen, do: {backlog: 0, overflow: reset}}]\n' >"$WORK/p.yaml"
  run "$SNAG" check "$WORK/p.yaml"
  assert_success
  assert_output --partial 'resets clients of the session only'
}
