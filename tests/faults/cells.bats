#!/usr/bin/env bats
# The table that `tests/faults/cells` prints: each action beside the real condition, for all ways of waiting.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# cells PATTERN: no cell of these rows differs, but for a reason that it names.
cells() {
  run timeout 300 "$ROOT/tests/faults/cells" "$1" 3>&-
  [ "$status" -eq 0 ] || grep -A4 -E '^[^ ]|DIFFERS|in spite' <<<"$output"
  [ "$status" -eq 0 ]
  [ "$(grep -cE '^  (tcp4|tcp6|unix) .* (agrees|differs): |needs root' <<<"$output")" -gt 0 ]
}

@test "reset: both, self, peer, and what the peer sees" {
  cells reset=
}

@test "eof, blackhole" {
  cells eof
  cells blackhole
}

@test "clamp" {
  cells clamp
}

@test "stall, delay" {
  cells stall
  cells delay
}

@test "nothing there: spurious, EAGAIN" {
  cells nothing-there
}

@test "EINTR" {
  cells interrupted
}
