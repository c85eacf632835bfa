#!/usr/bin/env bats
# kill -9 of processes in a live session, a thousand times at random moments: nothing hangs, no lock is lost, no dead
# process holds a port, and the session goes away with its last process.

load ../helper

setup() {
  setup_work
  port=$(free_port)
}

teardown() {
  teardown_work
}

@test "a thousand kills in one session" {
  run timeout 120 "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/churn" 1 "$port" 3>&-
  assert_success
  assert_output --regexp '^[0-9]{4} kills, bind: 0$'
  # Every line is legal, and seq has no gap that a lost record does not count.
  run jq -s 'reduce .[] as $e ({next: 1, bad: 0};
    (if $e.call == "lost" and $e.what == "events" then $e.count else 1 end) as $step |
    .bad += (if $e.seq == .next then 0 else 1 end) | .next = $e.seq + $step) | .bad' "$WORK/trace.jsonl"
  assert_output 0
  # No prediction was wrong, in spite of the dead.
  run jq -s 'map(select(.diverged)) | length' "$WORK/trace.jsonl"
  assert_output 0
}

@test "a killed keeper costs the trace and nothing else" {
  "$SNAG" run -q --session "killed-$BATS_TEST_NUMBER-$$" -o "$WORK/trace.jsonl" -- \
    "$PROGRAMS/churn" 1 "$port" >"$WORK/out" 2>&1 3>&- &
  local snag=$! churn
  wait_for pgrep -P $snag
  churn=$(pgrep -P $snag)
  kill -KILL $snag
  wait_for gone "$churn"
  run cat "$WORK/out"
  assert_output --regexp 'kills, bind: 0'
  run "$SNAG" sessions
  refute_output --partial "killed-$BATS_TEST_NUMBER-$$"
}

@test "a process that is killed in accept leaves the connection that it was let through to" {
  run timeout 30 "$SNAG" run -q --rule 'accept: hold=100ms' -- "$PROGRAMS/taker"
  assert_output 'accept: ok'
}
