#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Sessions: alone, by name, side by side, and without their keeper.

load ../helper

setup() {
  setup_work
  NAME=t-$$-$BATS_TEST_NUMBER
}

teardown() { teardown_work; }

# server.py PORT FILE: binds and listens, says so in FILE, stays until it is ended.
server_program() {
  cat >"$WORK/server.py" <<'PY'
import errno, socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen(5)
    word = "up"
except OSError as e:
    word = errno.errorcode[e.errno]
open(sys.argv[2], "w").write(word)
while word == "up":
    time.sleep(0.05)
PY
}

# waiter FILE: a command that ends when FILE is there.
waiter() {
  # shellcheck disable=SC2016
  echo 'while [ ! -e "$1" ]; do sleep 0.05; done' >"$WORK/waiter.sh"
}

session_has_processes() {
  [ "$("$SNAG" sessions --json | jq ".[] | select(.name == \"$1\").processes")" -gt 0 ] 2>/dev/null
}

session_lives() {
  "$SNAG" sessions | grep -q "^$1 "
}

@test "separately started programs meet in a named session: server, client, server again" {
  local port server first
  port=$(free_port)
  server_program
  waiter
  "$SNAG" run -q --session "$NAME" -o "$WORK/t.jsonl" -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  wait_for session_lives "$NAME"
  "$SNAG" run -q --session "$NAME" -- "$PYTHON" "$WORK/server.py" "$port" "$WORK/one" 3>&- &
  first=$!
  wait_for test -s "$WORK/one"
  # A second server in the way of the first: the model of the session knows who holds the port.
  run "$SNAG" run -q --session "$NAME" -- "$PYTHON" "$WORK/server.py" "$port" "$WORK/two"
  assert_success
  assert_equal "$(cat "$WORK/two")" EADDRINUSE
  kill $first
  wait $first || true
  "$SNAG" run -q --session "$NAME" -- "$PYTHON" "$WORK/server.py" "$port" "$WORK/three" 3>&- &
  server=$!
  wait_for test -s "$WORK/three"
  assert_equal "$(cat "$WORK/three")" up
  kill $server
  wait $server || true
  touch "$WORK/end"
  wait $keeper
  run jq -r 'select(.call == "bind" and .errno) | .why.code, .why.holder.comm, .why.holder.state, .why.holder.local' "$WORK/t.jsonl"
  assert_output "held
python3
listen
127.0.0.1:$port"
  assert_equal "$(jq -r 'select(.call == "bind") | .errno // "ok"' "$WORK/t.jsonl" | xargs)" "ok EADDRINUSE ok"
}

@test "who joins a session decides nothing about it" {
  waiter
  "$SNAG" run -q --session "$NAME" -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  wait_for session_lives "$NAME"
  for options in "-p flaky-connect" "--rule bind:deny" "--set kernel.somaxconn=2" "--mode log" "--seed 1" "-o $WORK/x" \
    "--dry-run" "--summary"; do
    # shellcheck disable=SC2086
    run "$SNAG" run --session "$NAME" $options -- true
    assert_equal "$status" 125
    assert_equal "${#lines[@]}" 1
    assert_output --partial "lives already"
  done
  run "$SNAG" run --session "$NAME" -- sh -c 'exit 5'
  assert_equal "$status" 5
  touch "$WORK/end"
  wait $keeper
}

@test "--timeout in a joined session ends the command and what descends from it, and nobody else" {
  waiter
  "$SNAG" run -q --session "$NAME" -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  wait_for session_has_processes "$NAME"
  # A child that hears SIGTERM, one that does not, and one whose parent is gone.
  cat >"$WORK/family.sh" <<SH
sleep 1000 & echo \$! >"$WORK/one"
(trap '' TERM; exec sleep 1000) & echo \$! >"$WORK/two"
(setsid sleep 1000 & echo \$! >"$WORK/three")
wait
SH
  run "$SNAG" run -q --session "$NAME" --timeout 3s -- sh "$WORK/family.sh"
  assert_equal "$status" 124
  for child in one two three; do
    assert [ -s "$WORK/$child" ]
    wait_for gone "$(cat "$WORK/$child")"
  done
  refute gone $keeper
  assert session_has_processes "$NAME"
  touch "$WORK/end"
  wait $keeper
}

@test "parallel runs never meet" {
  local port
  port=$(free_port)
  for i in 1 2 3 4; do
    "$SNAG" run -q -o "$WORK/$i.jsonl" --rule "bind port=$port first=1: EADDRINUSE" -- \
      "$PYTHON" -c "
import socket
for i in range(2):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try: s.bind(('127.0.0.1', $port))
    except OSError: pass
    s.close()" 3>&- &
  done
  wait
  for i in 1 2 3 4; do
    assert_equal "$(jq -r 'select(.call == "bind") | .by' "$WORK/$i.jsonl" | xargs)" "rule kernel"
    assert_equal "$(jq -r 'select(.call == "process" and .what == "start") | .pid' "$WORK/$i.jsonl" | wc -l)" 1
  done
}

@test "snag sessions lists what lives, as text and as JSON" {
  waiter
  "$SNAG" run -q --session "$NAME" --mode log -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  wait_for session_has_processes "$NAME"
  run "$SNAG" sessions --json
  assert_success
  assert_equal "$(jq -c ".[] | select(.name == \"$NAME\") | [.pid, .processes > 0, .mode, (.since | type)]" <<<"$output")" \
    "[$keeper,true,\"log\",\"string\"]"
  touch "$WORK/end"
  wait $keeper
  run "$SNAG" sessions
  refute_output --partial "$NAME"
}

@test "a killed keeper costs the trace and nothing else" {
  waiter
  # Not the foreground keeper: the one that snag run leaves behind.
  "$SNAG" run -q --session "$NAME" -o "$WORK/t.jsonl" -- sh -c "sh '$WORK/waiter.sh' '$WORK/end' >/dev/null 2>&1 & echo \$!" \
    >"$WORK/pid" 3>&-
  local keeper
  keeper=$("$SNAG" sessions --json | jq -r ".[] | select(.name == \"$NAME\").pid")
  kill -KILL "$keeper"
  wait_for gone "$keeper"
  refute gone "$(cat "$WORK/pid")"
  # Its rules and its model go on, and others still join.
  run "$SNAG" run --session "$NAME" -- sh -c 'exit 3'
  assert_equal "$status" 3
  touch "$WORK/end"
  wait_for gone "$(cat "$WORK/pid")"
  run "$SNAG" sessions
  refute_output --partial "$NAME"
  assert [ ! -e "/dev/shm/snag-$(id -u)/$NAME" ]
}

@test "killed snag run: the command lives on, the session can be cleared away" {
  waiter
  "$SNAG" run -q --session "$NAME" -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  wait_for session_has_processes "$NAME"
  kill -KILL $keeper
  wait $keeper || true
  assert session_lives "$NAME"
  touch "$WORK/end"
  wait_for no_processes
  refute session_lives "$NAME"
  assert [ ! -e "/dev/shm/snag-$(id -u)/$NAME" ]
}

@test "what a killed keeper leaves goes with the next session, unless somebody lives in it" {
  waiter
  "$SNAG" run -q --session "$NAME" -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$! file
  file=/dev/shm/snag-$(id -u)/$NAME
  [ -d /dev/shm ] || file=/tmp/snag-$(id -u)/$NAME
  wait_for session_has_processes "$NAME"
  kill -KILL $keeper
  wait $keeper || true
  "$SNAG" run -q -- true
  assert [ -e "$file" ]
  touch "$WORK/end"
  # Its processes end a moment later.
  removed() { "$SNAG" run -q -- true && [ ! -e "$file" ]; }
  wait_for removed
}

@test "the background keeper keeps no descriptor of the starter, and stays out of its session" {
  waiter
  exec 8>"$WORK/held"
  "$SNAG" run -q --session "$NAME" -o "$WORK/t.jsonl" -- \
    sh -c "exec 8>&-; sh '$WORK/waiter.sh' '$WORK/end' >/dev/null 2>&1 &" 3>&-
  local keeper fd
  keeper=$("$SNAG" sessions --json | jq -r ".[] | select(.name == \"$NAME\").pid")
  for fd in /proc/"$keeper"/fd/*; do
    [ "$(readlink "$fd")" != "$WORK/held" ] || fail "$fd"
  done
  assert_equal "$(readlink "/proc/$keeper/cwd")" /
  assert_equal "$(ps -o sid= -p "$keeper" | tr -d ' ')" "$keeper"
  exec 8>&-
  # SIGTERM ends it only when nobody is left.
  kill "$keeper"
  assert session_lives "$NAME"
  touch "$WORK/end"
  wait_for gone "$keeper"
  assert_equal "$(tail -n 1 "$WORK/t.jsonl" | jq -c '[.call, .what]')" '["session","end"]'
}

@test "names that are none are refused" {
  for name in .hidden -x a/b "a b" "$(printf 'x%.0s' {1..64})"; do
    run "$SNAG" run --session="$name" -- true
    assert_equal "$status" 125
    assert_output --partial "not a name"
  done
}
