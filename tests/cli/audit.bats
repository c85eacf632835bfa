#!/usr/bin/env bats
# shellcheck disable=SC2154
# snag run --audit: counts of predictions, the wrong ones, the unknown by reason, and the exit status.

load ../helper

setup() { setup_work; }
teardown() { teardown_work; }

program() {
  cat >"$WORK/p.py" <<'PY'
import socket
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3)
d = socket.socket()
try: d.bind(a.getsockname())
except OSError: pass
a.close(); d.close()
PY
}

session_lives() {
  "$SNAG" sessions | grep -q "^$1 "
}

@test "the counts, with and without a trace, and the command's own exit status" {
  program
  run --separate-stderr "$SNAG" run -q --audit -- "$PYTHON" "$WORK/p.py"
  assert_success
  [[ $stderr == "audit: "[1-9]*" right, 0 wrong, "*" unknown"* ]] || { echo "$stderr"; false; }
  local first=$stderr
  run --separate-stderr "$SNAG" run -q -o "$WORK/t.jsonl" --audit -- "$PYTHON" "$WORK/p.py"
  assert_success
  [ "$stderr" = "$first" ]
  run "$SNAG" run -q --audit -- sh -c 'exit 7'
  assert_equal "$status" 7
  assert_line "audit: 0 right, 0 wrong, 0 unknown"
}

@test "with rules in force it is refused, with what to do instead" {
  run "$SNAG" run -q --audit --rule 'bind: EADDRINUSE' -- true
  assert_equal "$status" 125
  assert_output --partial "--audit compares the model with the kernel"
  run "$SNAG" run -q --audit --mode log --rule 'bind: EADDRINUSE' -- true
  assert_success
  assert_output --partial "audit: 0 right, 0 wrong, 0 unknown"
}

@test "a session that is joined is not audited by whoever joins" {
  program
  local name=audit-$BATS_TEST_NUMBER-$$
  "$SNAG" run -q --session "$name" -- sleep 30 3>&- &
  local keeper=$!
  wait_for session_lives "$name"
  run "$SNAG" run -q --session "$name" --audit -- true
  kill "$keeper"
  assert_equal "$status" 125
  assert_output --partial "--audit is for whoever makes it"
}
