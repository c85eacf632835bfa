#!/usr/bin/env bats
# The table that `tests/faults/cells` prints: each action beside the real condition, for all ways of waiting.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# cells PATTERN...: no cell of these rows differs, but for a reason that it names.
cells() {
  local pattern
  for pattern; do
    run timeout 300 "$ROOT/tests/faults/cells" "$pattern" 3>&-
    [ "$status" -eq 0 ] || grep -A4 -E '^[^ ]|DIFFERS|in spite' <<<"$output"
    [ "$status" -eq 0 ]
    [ "$(grep -cE '^  (tcp4|tcp6|unix) .* (agrees|differs): |needs root' <<<"$output")" -gt 0 ]
  done
}

@test "reset: both, self, peer, at accept, at connect, and what the peer sees" {
  cells reset=
}

@test "eof, blackhole" {
  cells eof blackhole
}

@test "clamp" {
  cells clamp
}

@test "stall, delay, hold" {
  cells stall delay hold
}

@test "nothing there: spurious, EAGAIN" {
  cells nothing-there
}

@test "EINTR, a signal" {
  cells EINTR signal
}

@test "accept without room: EMFILE, ENFILE, ENOBUFS, ENOMEM" {
  cells no-room
}

@test "accept: ECONNABORTED, EPROTO" {
  cells dropped
}

@test "connect: refused, slow, to a full queue" {
  cells ECONNREFUSED syn_drop backlog
}

@test "connect to a port that was taken: steal, time_wait" {
  cells stolen
}
