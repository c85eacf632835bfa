#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016
# A session whose processes live in several network namespaces: the model has the ports of the first one only.

load ../helper

setup() {
  setup_work
  requires_netns
  export PYTHONPATH=$WORK
  cat >"$WORK/n.py" <<'PY'
import array, ctypes, errno, os, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
NEWNET = 0x40000000
def unshare(): assert libc.unshare(NEWNET) == 0, os.strerror(ctypes.get_errno())
def tcp(): return socket.socket()
def listen(port):
    s = tcp(); s.bind(("", port)); s.listen(5); return s
def answer(f, *a):
    try: f(*a); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
PY
}
teardown() { teardown_work; }

# audited PROGRAM: python code under --audit, in a network namespace of its own.
audited() {
  printf 'from n import *\n%s\n' "$1" >"$WORK/p.py"
  run --separate-stderr timeout 60 "${NETNS[@]}" "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py" 3>&-
  assert_success
  [[ $stderr == "audit: "*" right, 0 wrong, "* ]] || { echo "$stderr"; false; }
}

# calls NAME: what the program met and what was foretold, in order
calls() {
  jq -r "select(.call == \"$1\" and .proto != \"other\") | [.errno // \"ok\", .model, .model_why // \"-\"] | join(\" \")" "$WORK/t.jsonl"
}

@test "two processes, one port, one name: nothing is wrong, and each refusal has the right reason" {
  cat >"$WORK/two.py" <<'PY'
from n import *
import subprocess
l = listen(8080)
print(answer(tcp().bind, ("", 8080)))
c = socket.create_connection(("127.0.0.1", 8080)); a, _ = l.accept(); a.close(); c.close()
u = socket.socket(socket.AF_UNIX); u.bind("\0same"); u.listen(1)
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("", 8080))
if len(sys.argv) > 1: subprocess.run(sys.argv[1:], check=True)
PY
  audited "sys.argv[1:] = ['${NETNS[0]}', '--', '$PYTHON', '$WORK/two.py']
exec(open('$WORK/two.py').read())"
  assert_output "EADDRINUSE
EADDRINUSE"
  [[ $stderr == *"audit: unknown: netns "* ]]
  run calls bind
  assert_output "ok ok -
EADDRINUSE EADDRINUSE -
ok ok -
ok ok -
ok unknown netns
EADDRINUSE unknown netns
ok unknown netns
ok unknown netns"
  run jq -r 'select(.errno == "EADDRINUSE") | .why | [.code, .text, .holder.pid] | @tsv' "$WORK/t.jsonl"
  assert_line --index 0 --regexp "^held.*	[0-9]+\$"
  assert_line --index 1 "netns	held in another network namespace than the session's, which snag does not follow	"
}

@test "a thread that moves, by unshare and by setns, also through syscall(); and what it forks" {
  audited 'first = listen(8080)
home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
def moves():
    unshare(); print("away", answer(listen, 8080))
    assert libc.setns(home, NEWNET) == 0; print("home", answer(listen, 8080))
    libc.syscall(272, NEWNET) if os.uname().machine == "x86_64" else unshare(); s = listen(8080)
    print("away", answer(listen, 8080))
    if os.fork() == 0:
        print("child", answer(listen, 8080), flush=True); os._exit(0)
    os.wait()
t = threading.Thread(target=moves); t.start(); t.join()
print("main", answer(listen, 8080))'
  assert_output "away ok
home EADDRINUSE
away EADDRINUSE
child EADDRINUSE
main EADDRINUSE"
  run calls bind
  assert_output "ok ok -
ok unknown netns
EADDRINUSE EADDRINUSE -
ok unknown netns
EADDRINUSE unknown netns
EADDRINUSE unknown netns
EADDRINUSE EADDRINUSE -"
}

@test "a program that moves before its first socket is at home where it went" {
  audited 'unshare(); os.system("ip link set lo up"); l = listen(8080)
print(answer(tcp().bind, ("127.0.0.1", 8080)), answer(tcp().connect, ("127.0.0.1", 8080)))'
  assert_output "EADDRINUSE ok"
  run calls bind
  assert_output "ok ok -
EADDRINUSE EADDRINUSE -"
}

@test "a socket that is passed on stays where it was made" {
  audited 'mine, its = socket.socketpair()
if os.fork() == 0:
    mine.close(); unshare(); away = listen(8080)
    home = socket.recv_fds(its, 1, 1)[1][0]; home = socket.socket(fileno=home)
    home.bind(("", 9090))
    print("child", answer(listen, 9090), flush=True)
    socket.send_fds(its, [b"x"], [away.fileno()]); os._exit(0)
its.close(); s = tcp(); socket.send_fds(mine, [b"x"], [s.fileno()])
away = socket.socket(fileno=socket.recv_fds(mine, 1, 1)[1][0]); os.wait()
print("main", answer(listen, 9090), answer(listen, 8080))
s.close(); print("main", answer(listen, 9090), away.getsockname()[1])'
  assert_output "child ok
main EADDRINUSE ok
main ok 8080"
  run calls bind
  assert_line --index 1 "ok unknown netns"	# the machine that it asks is another
  assert_line --index 3 "EADDRINUSE EADDRINUSE -"
}

@test "inherited over exec: at home, in a program that is elsewhere" {
  audited 'home = listen(8080); home.set_inheritable(True)
import subprocess
subprocess.run(["'"${NETNS[0]}"'", "--", sys.executable, "-c", """
from n import *
home = socket.socket(fileno=%d)
print("away", answer(listen, 8080), home.getsockname()[1])
""" % home.fileno()], close_fds=False, check=True)
print("home", answer(listen, 8080))'
  assert_output "away ok 8080
home EADDRINUSE"
}

@test "rules meet the sockets of every namespace" {
  cat >"$WORK/p.yaml" <<'YAML'
version: 1
rules:
  - {call: bind, match: {port: 7070}, do: {errno: EADDRINUSE}}
  - {call: accept, match: {role: listener, port: 8080}, when: {first: 1}, do: {errno: EMFILE}}
YAML
  printf 'from n import *\n%s\n' 'tcp(); unshare(); os.system("ip link set lo up")
l = listen(8080); c = socket.create_connection(("127.0.0.1", 8080))
print(answer(tcp().bind, ("", 7070)), answer(l.accept), answer(l.accept))' >"$WORK/p.py"
  run timeout 60 "${NETNS[@]}" "$SNAG" run -q -p "$WORK/p.yaml" -- "$PYTHON" "$WORK/p.py" 3>&-
  assert_output "EADDRINUSE EMFILE ok"
}

@test "the virtual kernel leaves the ports of another namespace to the machine" {
  printf 'from n import *\n%s\n' 'def used(port):
    os.system("ip link set lo up")
    l = listen(port); c = socket.create_connection(("127.0.0.1", port)); a, _ = l.accept()
    a.close(); c.recv(1); c.close(); l.close()
used(8080); print("home", answer(listen, 8080))
def away():
    unshare(); print("away", answer(listen, 8080)); print("low", answer(listen, 80))
t = threading.Thread(target=away); t.start(); t.join()' >"$WORK/p.py"
  run timeout 60 "${NETNS[@]}" "$SNAG" run -q --mode enforce --set kernel.time_wait=30s --set kernel.privileged=false \
    -- "$PYTHON" "$WORK/p.py" 3>&-
  assert_output "home EADDRINUSE
away ok
low EACCES"
}

@test "snag ports says which are elsewhere" {
  mkfifo "$WORK/go"
  printf 'from n import *\n%s\n' 'a = listen(8080); unshare(); b = listen(8080)
print("ready", flush=True); sys.stdin.readline()' >"$WORK/p.py"
  "${NETNS[@]}" "$SNAG" run -q --session "netns-$$" -- "$PYTHON" "$WORK/p.py" <"$WORK/go" >"$WORK/said" 3>&- &
  exec 9>"$WORK/go"
  wait_for grep -q ready "$WORK/said"
  run "$SNAG" ports "netns-$$" --json
  exec 9>&-
  wait
  assert_equal "$(jq -c '[.sockets[] | [.state, .netns]]' <<<"$output")" '[["listen",null],["listen","other"]]'
}

# Before Linux 5.14, played by a filter that knows no SO_NETNS_COOKIE.
@test "where the kernel does not tell, all is one namespace" {
  cat >"$WORK/old.py" <<'PY'
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None)
number = {"x86_64": 55, "aarch64": 209}[platform.machine()]
rows = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 32), (0x15, 0, 1, 71), (0x06, 0, 0, 0x50000 | 92),
        (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *r) for r in rows))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execvp(sys.argv[1], sys.argv[1:])
PY
  printf 'from n import *\n%s\n' 'l = listen(8080)
print(answer(listen, 8080), answer(tcp().connect, ("127.0.0.1", 8080)))' >"$WORK/p.py"
  run timeout 60 "${NETNS[@]}" "$PYTHON" "$WORK/old.py" "$SNAG" run -q --audit -- "$PYTHON" "$WORK/p.py" 3>&-
  assert_success
  assert_line "EADDRINUSE ok"
  assert_line --regexp "^audit: [1-9][0-9]* right, 0 wrong, 0 unknown"
}
