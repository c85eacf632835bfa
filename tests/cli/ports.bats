#!/usr/bin/env bats
# shellcheck disable=SC2154
# snag ports: the sockets of a live session, with the queue of each listener as the kernel has it at that moment.

load ../helper

setup() { setup_work; }
teardown() {
  exec 9>&-
  [ -z "${keeper:-}" ] || wait "$keeper"
  teardown_work
}

# start CODE [OPTION...]: python code in a session of its own (with options of snag run) that then waits; `name` is the
# session's.
start() {
  name=ports-$BATS_TEST_NUMBER-$$
  mkfifo "$WORK/go"
  printf '%s\nprint("ready", flush=True)\nsys.stdin.readline()\n' "import os, socket, sys
$1" >"$WORK/p.py"
  "$SNAG" run -q --session "$name" "${@:2}" -- "$PYTHON" "$WORK/p.py" <"$WORK/go" >"$WORK/said" 3>&- &
  keeper=$!
  exec 9>"$WORK/go"
  wait_for grep -q ready "$WORK/said"
}

# rows: what `snag ports --json` says, one line a socket
rows() {
  "$SNAG" ports "$name" --json | "$PYTHON" -c '
import json, sys
r = json.load(sys.stdin)
for s in r["sockets"]:
    q = s.get("queue")
    print(s["proto"], s["state"], s.get("local", "-").split(":")[0], "queue" in s and "%d/%d" % (q["len"], q["max"]),
          sorted((h["comm"][:6], h["fd"]) for h in s["holders"]), s.get("time_wait_left", 0) > 50, "sock" in s)'
}

@test "bindings, listeners with their queues, connections by state, TIME_WAIT" {
  start 'a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3)
c = socket.create_connection(a.getsockname()); b, _ = a.accept()
d = socket.create_connection(a.getsockname())
e = socket.create_connection(a.getsockname())
a2 = socket.socket(); a2.bind(("127.0.0.2", 0)); a2.listen(0)
f = socket.create_connection(a2.getsockname()); g, _ = a2.accept(); g.close(); f.recv(1); f.close()
h = socket.create_connection(a2.getsockname()); i, _ = a2.accept(); i.shutdown(socket.SHUT_WR); h.recv(1)
u = socket.socket(socket.AF_UNIX); u.bind("\0snag%d" % os.getpid()); u.listen()
w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); w.bind(("127.0.0.3", 0))
x = socket.socket(); x.bind(("127.0.0.4", 0))
y = socket.socket()'
  run rows
  assert_success
  assert_line --regexp "^tcp listen 127.0.0.1 2/3 \[\('python', 3\)\] False True"
  assert_line --regexp "^tcp listen 127.0.0.2 0/0 .* False True"
  assert_line --regexp "^udp bound 127.0.0.3 False .* True"
  assert_line --regexp "^tcp bound 127.0.0.4 False .* True"
  assert_line --regexp "^tcp established 127.0.0.1 False "
  assert_line --regexp "^tcp close_wait 127.0.0.1 False "
  assert_line --regexp "^tcp fin_wait 127.0.0.2 False .* True"
  assert_line "tcp time_wait 127.0.0.2 False [] True False"
  assert_line --regexp "^unix listen @snag[0-9]+ False "
  run "$SNAG" ports "$name"
  assert_line --regexp "^ *[0-9]+ tcp +listen +127.0.0.1:[0-9]+ +- +2/3 +python3[^ ]*\[[0-9]+\] fd 3"
  assert_line --regexp "^ +- tcp +time_wait +127.0.0.2:[0-9]+ +127.0.0.1:[0-9]+ +[56][0-9]\.[0-9] s left"
}

@test "all processes that hold a socket" {
  start 'a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3)
r, w = os.pipe()
if os.fork() == 0:
    socket.socket()
    os.write(w, b"x")
    sys.stdin.readline()
    os._exit(0)
os.read(r, 1)'
  run rows
  assert_output "tcp listen 127.0.0.1 0/3 [('python', 3), ('python', 3)] False True"
}

@test "a listener that the model only met by exec" {
  start 'a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3); os.set_inheritable(a.fileno(), True)
os.execv(sys.executable, [sys.executable, "-c", "import sys; print(\"ready\", flush=True); sys.stdin.readline()"])'
  run rows
  assert_output "tcp listen 127.0.0.1 0/3 [('python', 3)] False True"
}

@test "which session" {
  run "$SNAG" ports no-such-session
  assert_equal "$status" 125
  assert_output --partial "there is no session no-such-session"
  run "$SNAG" ports ../x
  assert_equal "$status" 125
  run "$SNAG" ports a b
  assert_equal "$status" 2
  start 'a = socket.socket()'
  "$SNAG" run -q --session "$name-2" -- sleep 60 3>&- 9>&- &
  local second=$!
  two_live() { "$SNAG" sessions | grep -q "^$name-2 "; }
  wait_for two_live
  run "$SNAG" ports
  kill "$second"
  wait "$second" || true
  assert_equal "$status" 2
  assert_output --partial "which session? "
  assert_output --partial "$name-2"
  run "$SNAG" ports "$name"
  assert_success
}

@test "TIME_WAIT of the virtual kernel, and not the machine's" {
  start 'a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen()
c = socket.create_connection(a.getsockname()); b, _ = a.accept(); b.close(); c.recv(1); c.close()' \
    --set kernel.time_wait=1h
  "$SNAG" ports "$name" --json >"$WORK/ports.json"
  run jq -c '[.sockets[] | select(.state == "time_wait") | .time_wait_left > 3000]' "$WORK/ports.json"
  assert_output '[true]'
}
