#!/usr/bin/env bats
# What a program and its peer see of a fault on a stream is what they see when it really happens: the same program is run
# twice, once with the real condition and once under a rule, and must say the same.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# same CASE RULE FAMILY...: in each family, blocking and not.
same() {
  local name=$1 rule=$2 family mode expected
  shift 2
  for family; do
    for mode in blocking nonblocking; do
      run timeout 20 "$PROGRAMS/stream" "$name" "$family" "$mode" real
      assert_success
      expected=$output
      run timeout 20 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$PROGRAMS/stream" "$name" "$family" "$mode" rule
      assert_success
      assert_equal "$family $mode: $output" "$family $mode: $expected"
      run jq -s 'map(select(.rule == "it")) | length' "$WORK/trace.jsonl"
      assert_output 1
    done
  done
}

@test "a reset with data queued: the data, ECONNRESET once, then 0" {
  same reset-queued 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
  same reset-queued 'recv role=client nth=2 name=it: reset=self' tcp4 tcp6
}

@test "a reset with nothing queued" {
  same reset-empty 'recv role=client name=it: reset=both' tcp4 tcp6
}

@test "a reset met by send: ECONNRESET, then EPIPE and SIGPIPE" {
  same reset-send 'send role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "a reset behind the peer's FIN is EPIPE" {
  same reset-behind-fin 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "a reset whatever copies of the descriptor there are" {
  same reset-copied 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "the peer sees a real reset" {
  same reset-peer-sees 'recv role=client name=it: reset=both' tcp4 tcp6
  same reset-peer-sees 'recv role=client name=it: reset=peer' tcp4
}

@test "a reset that only the peer has got: we hear of it when we send" {
  [ "$(id -u)" -eq 0 ] || skip 'the real condition needs root'
  same gone 'recv role=client nth=2 name=it: reset=peer' tcp4 tcp6
}

@test "a reset at accept: as one that came while it was queued" {
  same at-accept 'accept name=it: reset=both' tcp4 tcp6
}

@test "a reset at connect" {
  same at-connect 'connect name=it first=1: reset=both' tcp4 tcp6
}

@test "the end of what the peer sends" {
  same eof 'recv role=client nth=2 name=it: eof' tcp4 tcp6 unix
}

@test "a blackhole on our side" {
  same deaf 'recv role=client name=it: blackhole=self' tcp4 tcp6
}

@test "a blackhole on the peer's side" {
  same mute 'send role=client name=it: blackhole=peer' tcp4 tcp6
}
