#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# LD_PRELOAD alone: the first process starts the keeper, and everything works as under snag run.

load ../helper

setup() { setup_work; }
teardown() { teardown_work; }

bind_program() {
  cat >"$WORK/bind.py" <<'PY'
import errno, socket
s = socket.socket()
try:
    s.bind(("127.0.0.1", 0))
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
PY
}

deny_policy() {
  cat >"$WORK/deny.yaml" <<'YAML'
version: 1
rules:
  - {name: no-bind, call: bind, do: deny}
YAML
}

@test "a policy and a trace, with children" {
  bind_program
  deny_policy
  run env LD_PRELOAD="$LIB" SNAG_POLICY="$WORK/deny.yaml" SNAG_TRACE="$WORK/t.jsonl" sh -c "'$PYTHON' '$WORK/bind.py'; '$PYTHON' '$WORK/bind.py'"
  assert_success
  assert_output $'EACCES\nEACCES'
  # An entry process waits for its last event: the trace is whole when it has ended.
  run jq -c 'select(.call == "bind") | [.errno, .rule]' "$WORK/t.jsonl"
  assert_output $'["EACCES","no-bind"]\n["EACCES","no-bind"]'
  assert_equal "$(jq -r 'select(.call == "process" and .what == "start").comm' "$WORK/t.jsonl" | sort | xargs)" "python3 python3 sh"
  assert_equal "$(head -n 1 "$WORK/t.jsonl" | jq -r '.policy[0]')" "$WORK/deny.yaml"
}

@test "several policies, divided by colons, and a shipped one by name" {
  bind_program
  deny_policy
  printf 'version: 1\nseed: 77\n' >"$WORK/seed.yaml"
  run --separate-stderr env LD_PRELOAD="$LIB" SNAG_POLICY="$WORK/seed.yaml:$WORK/deny.yaml:slow-bind" SNAG_TRACE="$WORK/t.jsonl" \
    "$PYTHON" "$WORK/bind.py"
  assert_output EACCES
  assert_equal "$(head -n 1 "$WORK/t.jsonl" | jq -c '[.seed, (.policy | length)]')" '[77,3]'
}

@test "without any variable: log mode into the session and nowhere else" {
  bind_program
  run --separate-stderr env LD_PRELOAD="$LIB" "$PYTHON" "$WORK/bind.py"
  assert_success
  assert_output ok
  assert_equal "$stderr" ""
}

@test "SNAG_TRACE=- is text on stderr, a relative name is relative to the program's folder" {
  bind_program
  run --separate-stderr env LD_PRELOAD="$LIB" SNAG_TRACE=- "$PYTHON" "$WORK/bind.py"
  assert_output ok
  [[ $stderr =~ bind\([0-9]+,\ 127\.0\.0\.1:0\)\ =\ 0 ]] || fail "$stderr"
  run env -C "$WORK" LD_PRELOAD="$LIB" SNAG_TRACE=rel.txt "$PYTHON" "$WORK/bind.py"
  assert_output ok
  assert grep -q 'bind(' "$WORK/rel.txt"
}

@test "a bad policy: 125 with its diagnostics, and the program is not started" {
  printf 'version: 1\nrules:\n  - {call: bind, do: {errno: EADRINUSE}}\n' >"$WORK/bad.yaml"
  run env LD_PRELOAD="$LIB" SNAG_POLICY="$WORK/bad.yaml" touch "$WORK/started"
  assert_equal "$status" 125
  assert_output --partial "$WORK/bad.yaml:3:"
  assert_output --partial "did you mean EADDRINUSE?"
  assert [ ! -e "$WORK/started" ]
  run env LD_PRELOAD="$LIB" SNAG_POLICY="$WORK/none.yaml" touch "$WORK/started"
  assert_equal "$status" 125
  assert [ ! -e "$WORK/started" ]
}

@test "SNAG_ON_ERROR=passthrough lets it run untouched, with one line more" {
  bind_program
  echo 'version: 9' >"$WORK/bad.yaml"
  run --separate-stderr env LD_PRELOAD="$LIB" SNAG_ON_ERROR=passthrough SNAG_POLICY="$WORK/bad.yaml" "$PYTHON" "$WORK/bind.py"
  assert_success
  assert_output ok
  assert_equal "$(grep -c '^snag: ' <<<"$stderr")" 1
}

@test "\$(LD_PRELOAD program) returns at once, though a child lives on" {
  cat >"$WORK/leave.sh" <<SH
(exec >/dev/null 2>&1 </dev/null; while [ ! -e "$WORK/end" ]; do sleep 0.05; done) & echo finished
SH
  run timeout 20 bash -c "echo \$(LD_PRELOAD='$LIB' SNAG_TRACE='$WORK/t.jsonl' bash '$WORK/leave.sh')"
  assert_success
  assert_output finished
  touch "$WORK/end"
  wait_for grep -q '"what":"end","name"' "$WORK/t.jsonl"
}

@test "the program has no child that it did not start" {
  cat >"$WORK/wait.py" <<'PY'
import os
try:
    print("child", os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("none")
PY
  run env LD_PRELOAD="$LIB" SNAG_TRACE="$WORK/t.jsonl" "$PYTHON" "$WORK/wait.py"
  assert_output none
}

@test "programs started apart with one SNAG_SESSION share a session and its counts" {
  bind_program
  printf 'version: 1\nrules:\n  - {call: bind, when: {first: 2}, do: {errno: EADDRINUSE}}\n' >"$WORK/first.yaml"
  export SNAG_SESSION=d-$$-$BATS_TEST_NUMBER SNAG_POLICY=$WORK/first.yaml SNAG_TRACE=$WORK/t.jsonl
  LD_PRELOAD=$LIB sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' sh "$WORK/end" 3>&- &
  local holder=$!
  wait_for test -s "$WORK/t.jsonl"
  for want in EADDRINUSE EADDRINUSE ok; do
    run env LD_PRELOAD="$LIB" "$PYTHON" "$WORK/bind.py"
    assert_output $want
  done
  touch "$WORK/end"
  wait $holder
  unset SNAG_SESSION SNAG_POLICY SNAG_TRACE
}

@test "many first processes at once agree on one session" {
  bind_program
  export SNAG_SESSION=m-$$-$BATS_TEST_NUMBER SNAG_TRACE=$WORK/t.jsonl
  LD_PRELOAD=$LIB sh -c 'while [ ! -e "$1" ]; do sleep 0.05; done' sh "$WORK/end" 3>&- &
  local holder=$! i
  for i in 1 2 3 4 5 6; do
    LD_PRELOAD=$LIB "$PYTHON" "$WORK/bind.py" >"$WORK/out.$i" 2>&1 3>&- &
  done
  for i in 1 2 3 4 5 6; do
    wait_for grep -qx ok "$WORK/out.$i"
  done
  touch "$WORK/end"
  wait $holder
  unset SNAG_SESSION SNAG_TRACE
  wait
  wait_for grep -q '"what":"end","name"' "$WORK/t.jsonl"
  assert_equal "$(jq -r 'select(.call == "session" and .what == "start").name' "$WORK/t.jsonl" | wc -l)" 1
  assert_equal "$(jq -r 'select(.call == "bind").ret' "$WORK/t.jsonl" | grep -c '^0$')" 6
}
