#!/usr/bin/env bats
# snag ctl: a live session's rules switched, told of events, and its holds let go.

load ../helper

setup() {
  setup_work
  NAME=ctl-$$-$BATS_TEST_NUMBER
}

teardown() {
  [ -z "${session:-}" ] || kill "$session" 2>/dev/null || true
  teardown_work
}

ctl() {
  "$SNAG" ctl "$NAME" "$@"
}

# live RULE... -- PYTHON: a session whose program says on lines what it sees, and is asked by lines.
live() {
  local rules=()
  while [ "$1" != -- ]; do rules+=(--rule "$1"); shift; done
  mkfifo "$WORK/ask"
  "$SNAG" run -q --session "$NAME" "${rules[@]}" -- "$PYTHON" -uc "
import select, socket, sys
def server():
    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); return s
def attempt(f):
    try: f(); return 'ok'
    except OSError as e: return str(e.errno)
$2" <"$WORK/ask" >"$WORK/said" 3>&- &
  session=$!
  exec 7>"$WORK/ask"
  said ready
}

ask() {
  echo "$1" >&7
}

# said LINE: the program's last line is this one, soon.
said() {
  wait_for last_is "$1"
}

last_is() {
  [ "$(tail -n 1 "$WORK/said")" = "$1" ]
}

ended() {
  exec 7>&-
  wait "$session" || true
  session=
}

BINDS='
print("ready")
for line in sys.stdin: print(line.strip(), attempt(lambda: socket.socket().bind(("127.0.0.1", 0))))'

@test "list: names, switches, counts, calls, actions" {
  live 'bind name=busy nth=2: EADDRINUSE' 'accept,connect name=slow: delay=1ms' -- "$BINDS"
  ask a
  said 'a ok'
  ask b
  said 'b 98'
  run ctl list --json
  assert_success
  assert_equal "$(jq -c . <<<"$output")" "{\"session\":\"$NAME\",\"rules\":[{\"name\":\"busy\",\"enabled\":true,\"matched\":2,\"fired\":1,\"call\":\"bind\",\"action\":\"errno\"},{\"name\":\"slow\",\"enabled\":true,\"matched\":0,\"fired\":0,\"call\":\"accept connect\",\"action\":\"delay\"}]}"
  run ctl list
  assert_line --regexp '^busy +on +2 +1 +errno +bind$'
  ended
}

@test "list: a session without rules" {
  live -- "$BINDS"
  run ctl list
  assert_success
  assert_output "session $NAME has no rules"
  ended
}

@test "disable and enable" {
  live 'bind name=busy: EADDRINUSE' -- "$BINDS"
  ask a
  said 'a 98'
  run ctl disable busy
  assert_success
  assert_output ''
  ask b
  said 'b ok'
  run ctl list
  assert_line --regexp '^busy +off +1 +1 '
  run ctl enable busy
  assert_success
  ask c
  said 'c 98'
  ended
}

@test "fire: a rule waits for an event" {
  cat >"$WORK/p.yaml" <<'YAML'
version: 1
rules:
  - {name: later, call: bind, when: {event: now}, do: {errno: EADDRINUSE}}
YAML
  live 'bind name=later event=now: EADDRINUSE' -- "$BINDS"
  ask a
  said 'a ok'
  run ctl fire other
  assert_failure 1
  run ctl fire now
  assert_success
  ask b
  said 'b 98'
  ask c
  said 'c 98'
  ended
  run "$SNAG" check "$WORK/p.yaml"
  assert_success
}

@test "release lets go of what is held now, for each way of waiting" {
  local wait
  for wait in 'select.select([s], [], [])' 'p.poll()' 'e.poll()' None; do
    rm -f "$WORK/ask"
    live 'accept: hold=forever' -- "
s = server(); p = select.poll(); p.register(s, select.POLLIN); e = select.epoll(); e.register(s, select.EPOLLIN)
for i in 1, 2:
    c = socket.create_connection(s.getsockname())
    print('ready' if i == 1 else 'again')
    $wait
    print('accepted', s.accept()[1] == c.getsockname())
sys.stdin.readline()"
    run ctl release
    assert_success
    said again
    [ "$(grep -c accepted "$WORK/said")" -eq 1 ]
    run ctl release
    said 'accepted True'
    ended
  done
}

@test "release is heard by all processes that wait, however they do" {
  local way
  for way in 'lambda: 0' 'p.poll' 'lambda: select.select([s], [], [])' 'e.poll'; do
    rm -f "$WORK/ask"
    live 'accept: hold=forever' -- "
import os
s = server(); s.setblocking('0' in '$way'); said, out = os.pipe()
c = [socket.create_connection(s.getsockname()) for _ in range(3)]
for _ in c:
    if os.fork() == 0:
        p = select.poll(); p.register(s, select.POLLIN); e = select.epoll(); e.register(s, select.EPOLLIN)
        wait = $way
        while True:
            wait()
            try: s.accept(); os.write(out, b'x'); os._exit(0)
            except BlockingIOError: pass
print('ready'); sys.stdin.readline()
print(len([os.read(said, 1) for _ in c]))
for _ in c: os.wait()
sys.stdin.readline()"
    run ctl release
    assert_success
    ask go
    said 3
    ended
  done
}

@test "a rule that is switched off lets go of what it holds" {
  live 'accept name=held: hold=forever' -- '
s = server(); c = socket.create_connection(s.getsockname()); print("ready"); s.accept(); print("accepted")'
  run ctl disable held
  assert_success
  said accepted
  ended
}

@test "stop: no rule acts any more, and the programs end" {
  live 'accept: hold=forever' -- '
import signal
def end(*a): raise SystemExit(7)
signal.signal(signal.SIGTERM, end)
s = server(); c = socket.create_connection(s.getsockname()); print("ready"); s.accept(); print("accepted"); sys.stdin.read()'
  run ctl stop
  assert_success
  local status=0
  wait "$session" || status=$?
  assert_equal $status 7
  session=
  wait_for not_listed
}

not_listed() {
  ! "$SNAG" sessions | grep -q "^$NAME "
}

@test "no such rule, no such session, wrong words" {
  live 'bind name=busy: EADDRINUSE' -- "$BINDS"
  run ctl disable nobody
  assert_failure 1
  assert_output "snag ctl: session $NAME has no rule 'nobody'; \`snag ctl $NAME list\` shows them"
  run ctl disable $'no\ebody\n'
  assert_failure 1
  assert_output "snag ctl: session $NAME has no rule 'no\x1bbody\x0a'; \`snag ctl $NAME list\` shows them"
  run ctl fire $'\a'
  assert_failure 1
  assert_output "snag ctl: no rule of session $NAME waits for event '\x07'"
  run ctl add 'bind: EACCES'
  assert_failure 2
  assert_output --partial 'not built yet'
  for words in "" "list more" "disable" "frobnicate" "list --wrong"; do
    # shellcheck disable=SC2086
    run ctl $words
    assert_failure 2
  done
  run ctl frobnicate
  assert_output --partial "snag ctl: frobnicate: unknown command; usage: "
  run "$SNAG" ctl
  assert_failure 2
  assert_output --partial "snag ctl: no SESSION; usage: "
  ended
  run "$SNAG" ctl nobody-here list
  assert_failure 125
  run "$SNAG" ctl --help
  assert_success
  assert_output --partial 'release'
}
