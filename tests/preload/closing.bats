#!/usr/bin/env bats
# However a socket is closed, the session notices: its port is free again, for the model as for the kernel.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# The second bind is to the first one's port; the model expects it to work.
frees_the_port() {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/closing" "$1"
  assert_success
  assert_output 'bound again'
  run jq -c 'select(.call == "bind") | [.sock, .ret, .model]' "$WORK/trace.jsonl"
  assert_line --index 0 '[1,0,"ok"]'
  assert_line --index 1 --regexp '^\[[0-9]+,0,"ok"\]$'
  run jq -c 'select(.call == "lost" or .diverged)' "$WORK/trace.jsonl"
  assert_output ''
}

@test "close" { frees_the_port close; }
@test "fclose" { frees_the_port fclose; }
@test "dup2 onto it" { frees_the_port dup2; }
@test "dup3 onto it" { frees_the_port dup3; }
@test "close_range(3, ~0)" { frees_the_port close_range; }
@test "closefrom" { frees_the_port closefrom; }
@test "close by syscall()" { frees_the_port syscall; }
@test "close_range by syscall()" { frees_the_port syscall-range; }
@test "four names, closed one by one" { frees_the_port dups; }
@test "a vfork child's closes are not its parent's" { frees_the_port vfork; }

@test "each socket that close_range closes has an event" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/closing" close_range
  run jq -c 'select(.call == "close_range") | [.sock, .ret, .state]' "$WORK/trace.jsonl"
  assert_output '[1,0,"closed"]'
}

@test "a copy keeps the socket, and its number" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$PROGRAMS/closing" dups
  run jq -r 'select(.call == "dup" or .call == "dup3" or .call == "fcntl" or (.call == "close" and .sock == 1)) | .sock' \
    "$WORK/trace.jsonl"
  assert_equal "${#lines[@]}" 7
  assert_equal "$(printf '%s\n' "${lines[@]}" | sort -u)" 1
}

@test "an injected error of close still closes" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'close first=1: EIO' -- "$PROGRAMS/closing" dups
  assert_failure 99
  assert_output --partial 'close(fd): Input/output error'
  run "$SNAG" run -q --rule 'close first=1: EIO' -- python3 -c '
import os, socket
s = socket.socket()
fd = s.fileno()
try: s.close()
except OSError as e: print(e.errno)
try: os.fstat(fd)
except OSError as e: print(e.errno)'
  assert_output $'5\n9'
}
