#!/usr/bin/env bats
# A program overwrites the memory that it shares with snag: the trace is worth nothing then, but no process of the
# session crashes, hangs or sees another result of a call, and the session ends with its last process.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

scribbled() {
  run timeout 60 "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/scribble" "$1" 3>&-
  assert_success
  assert_line "as ever"
}

@test "zeroes" { scribbled zeroes; }
@test "ones" { scribbled ones; }
@test "random numbers" {
  for seed in 1 2 3; do
    scribbled $seed
  done
}
