#!/usr/bin/env bats
# How a delayed or failing call feels to the program: like the kernel's own.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# feels RULE WHAT LINE...: the program `waiting WHAT` under the rule says these lines.
feels() {
  local rule=$1 what=$2
  shift 2
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$PROGRAMS/waiting" "$what"
  assert_success
  assert_output "$(printf '%s\n' "$@")"
}

seconds_of() {
  jq -r "select(.call == \"$1\") | .dur" "$WORK/trace.jsonl" | head -n 1
}

@test "a delayed accept" {
  feels 'accept first=1: delay=200ms' accept 'accept ok' 'then EAGAIN'
  run jq -e -n "$(seconds_of accept) >= 0.2"
  assert_success
}

@test "a signal without SA_RESTART ends a delayed accept" {
  feels 'accept first=1: delay=10s' accept-eintr 'accept EINTR' 'then ok'
}

@test "a signal with SA_RESTART does not" {
  feels 'accept first=1: delay=200ms' accept-restart 'accept ok' 'then EAGAIN'
}

@test "without threads a delayed accept waits in one piece, so no signal falls between two" {
  requires strace
  ldd "$PROGRAMS/waiting" | grep -q 'libc\.so\.6' || skip 'for glibc'
  run timeout 20 strace -f -o "$WORK/strace" -e trace=timerfd_create \
    "$SNAG" run -q --rule 'accept first=1: delay=450ms' -- "$PROGRAMS/waiting" accept 3>&-
  assert_output $'accept ok\nthen EAGAIN'
  assert_equal "$(grep -c timerfd_create "$WORK/strace")" 1
}

@test "SO_RCVTIMEO bounds a delayed accept" {
  feels 'accept first=1: delay=10s' accept-timeout 'accept EAGAIN' 'then ok'
}

@test "a thread in a delayed accept can be cancelled, and takes nothing" {
  feels 'accept first=1: delay=60s' accept-cancel cancelled 'then ok'
}

@test "the wait uses a high descriptor and leaves none" {
  feels 'accept first=1: delay=400ms' accept-fds 'waits on a high descriptor' 'accept ok' '0 left behind'
}

@test "ECONNABORTED consumes the connection" {
  feels 'accept first=1: ECONNABORTED' accept 'accept ECONNABORTED' 'then EAGAIN'
}

@test "EMFILE leaves the connection queued" {
  feels 'accept first=1: EMFILE' accept 'accept EMFILE' 'then ok'
}

@test "a blocking connect is refused" {
  feels 'connect first=1: ECONNREFUSED' connect 'connect ECONNREFUSED' 'poll 1 OUT HUP' 'SO_ERROR 0'
}

@test "a blocking connect times out after a while" {
  feels 'connect first=1: ETIMEDOUT after=200ms' connect 'connect ETIMEDOUT' 'poll 1 OUT HUP' 'SO_ERROR 0'
  run jq -e -n "$(seconds_of connect) >= 0.2"
  assert_success
}

@test "an interrupted connect goes on" {
  feels 'connect first=1: delay=10s' connect-eintr 'connect EINTR' 'poll 1 OUT ' 'SO_ERROR 0'
}

@test "a non-blocking connect is refused by the kernel, later" {
  feels 'connect first=1: ECONNREFUSED' connect-late 'connect EINPROGRESS' 'poll 1 IN OUT ERR HUP' 'SO_ERROR ECONNREFUSED'
}

@test "deny on a non-blocking connect is a refusal" {
  feels 'connect first=1: deny' connect-late 'connect EINPROGRESS' 'poll 1 IN OUT ERR HUP' 'SO_ERROR ECONNREFUSED'
}

@test "a non-blocking connect times out in the kernel" {
  feels 'connect first=1: ETIMEDOUT' connect-late 'connect EINPROGRESS' 'poll 1 IN OUT ERR HUP' 'SO_ERROR ETIMEDOUT'
}

@test "a unix connect is refused at once" {
  feels 'connect first=1: ECONNREFUSED' connect-unix 'connect ECONNREFUSED'
}

@test "a signal before the call" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'accept name=stop: signal=SIGTERM' -- "$PROGRAMS/waiting" accept
  assert_failure 143
  refute_output --partial accept
  run jq -r 'select(.call == "rule") | .rule' "$WORK/trace.jsonl"
  assert_output stop
  run jq -r 'select(.call == "accept")' "$WORK/trace.jsonl"
  assert_output ''
}

@test "a signal after the call" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'accept: signal=SIGTERM after_call=true' -- "$PROGRAMS/waiting" accept
  assert_failure 143
  run jq -r 'select(.call == "accept") | .ret' "$WORK/trace.jsonl"
  assert_output --regexp '^[0-9]+$'
}

@test "a smaller backlog is the real one's" {
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'listen: backlog=0' -- python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(50)
n = 0
for i in range(3):
    c = socket.socket(); c.settimeout(0.3)
    try: c.connect(s.getsockname()); n += 1
    except TimeoutError: break
    globals()["c%d" % i] = c
print(n)'
  assert_output 1
}

@test "a dry run changes nothing" {
  run "$SNAG" run -q --dry-run -o "$WORK/trace.jsonl" --rule 'accept: EMFILE' --rule 'connect: ECONNREFUSED' -- \
    "$PROGRAMS/waiting" accept
  assert_output $'accept ok\nthen EAGAIN'
}

@test "rules see the length of the queue" {
  feels 'accept queue=>=1: EMFILE' accept 'accept EMFILE' 'then EMFILE'
  feels 'accept queue=>=2: EMFILE' accept 'accept ok' 'then EAGAIN'
}

@test "rules see whether the call blocks" {
  feels 'accept blocking=false: EMFILE' accept 'accept ok' 'then EMFILE'
}

@test "rules see who calls" {
  feels 'accept caller=waiting: EMFILE' accept 'accept EMFILE' 'then EMFILE'
  feels 'accept caller=libc: EMFILE' accept 'accept ok' 'then EAGAIN'
}

@test "rules see the user that the process has become" {
  [ "$(id -u)" -eq 0 ] || skip 'needs root'
  run "$SNAG" run -q --rule 'bind user=nobody: EACCES' -- python3 -c '
import os, pwd, socket
def bind():
    try: socket.socket().bind(("127.0.0.1", 0)); print("ok")
    except OSError as e: print(e.errno)
bind(); os.seteuid(pwd.getpwnam("nobody").pw_uid); bind()'
  assert_output $'ok\n13'
}
