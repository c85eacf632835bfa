#!/usr/bin/env bats
# How much stack snag takes: a handler on a stack of 8 KiB may fork, and its child may go on.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

@test "fork and exec on a signal stack of 8 KiB" {
  run "$PROGRAMS/smallstack"
  assert_output "300 0"
  run timeout 20 "$SNAG" run -q -- "$PROGRAMS/smallstack" 3>&-
  assert_success
  assert_output "300 0"
  run timeout 20 "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/smallstack" 3>&-
  assert_success
  assert_output "300 0"
}
