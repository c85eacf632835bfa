#!/usr/bin/env bats
# Children of every kind stay in the session, and take an inherited or passed socket for what it is.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

watched() {
  "$SNAG" run -q -o "$WORK/trace.jsonl" -- "$@"
}

# The child's listen (backlog 77) is on the socket of its parent's (backlog 5).
same_socket() {
  local parent child
  parent=$(jq -r 'select(.call == "listen" and .backlog == 5) | .sock' "$WORK/trace.jsonl")
  child=$(jq -r 'select(.call == "listen" and .backlog == 77) | .sock' "$WORK/trace.jsonl")
  [ -n "$parent" ] && [ "$parent" = "$child" ]
}

nothing_lost() {
  run jq -c 'select(.call == "lost" or .diverged)' "$WORK/trace.jsonl"
  assert_output ''
}

inherits() {
  run watched "$PROGRAMS/inherit" "$1"
  assert_success
  wait_for same_socket || { cat "$WORK/trace.jsonl"; return 1; }
  nothing_lost
}

@test "fork" { inherits fork; }
@test "_Fork" { inherits _Fork; }
@test "clone by syscall()" { inherits syscall-fork; }
@test "double fork" { inherits double-fork; }
@test "fork and exec" { inherits fork-exec; }
@test "vfork and exec" { inherits vfork; }
@test "vfork, moved descriptors, and an exec with an empty environment" { inherits vfork-moved; }
@test "posix_spawn" { inherits posix_spawn; }
@test "posix_spawnp with an empty environment" { inherits posix_spawn-empty; }
@test "system" { inherits system; }
@test "system after clearenv" { inherits system-cleared; }
@test "popen" { inherits popen; }
@test "forkpty" { inherits forkpty; }
@test "daemon" { inherits daemon; }
@test "execve with an empty environment" { inherits execve-empty; }
@test "execl" { inherits execl; }
@test "execle with an empty environment" { inherits execle; }
@test "execlp" { inherits execlp; }
@test "execve by syscall()" { inherits syscall-exec; }

@test "every way that the program knows is tested" {
  run "$PROGRAMS/inherit"
  for way in "${lines[@]}"; do
    grep -q "inherits $way;" "$BATS_TEST_FILENAME" || fail "$way is not tested"
  done
}

passes() {
  run watched "$PROGRAMS/pass" "$1"
  assert_success
  same_socket || { cat "$WORK/trace.jsonl"; return 1; }
  nothing_lost
}

@test "a descriptor passed by sendmsg" { passes sendmsg; }
@test "a descriptor passed by sendmmsg and recvmmsg" { passes sendmmsg; }

@test "a descriptor received twice, by MSG_PEEK first" {
  passes peek
  run jq -r 'select(.call == "listen") | .sock' "$WORK/trace.jsonl"
  assert_equal "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" 1
}

@test "python's subprocess, with another environment" {
  requires python3
  run watched python3 -c 'import socket, subprocess
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5)
subprocess.run(["/usr/bin/env", "'"$PROGRAMS"'/inherit", "child", str(s.fileno())], env={"A": "b"}, pass_fds=[s.fileno()], check=True)'
  assert_success
  same_socket
}

# The child hears of its sockets by their numbers only, however they lie.
@test "a hundred sockets, far apart" {
  requires python3
  run watched python3 -c 'import fcntl, os, socket, subprocess
some = [socket.socket() for i in range(100)]
far = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 300 + 7 * i) for i, s in enumerate(some)]
for s in some: s.close()
s = socket.socket(fileno=far[-1]); s.bind(("127.0.0.1", 0)); s.listen(5)
for vfork in True, False:
    subprocess._USE_VFORK = vfork
    subprocess.run(["'"$PROGRAMS"'/inherit", "child", str(far[-1])], pass_fds=far, check=True)'
  assert_success
  run jq -r 'select(.call == "listen") | .sock' "$WORK/trace.jsonl"
  assert_equal "${#lines[@]}" 3
  assert_equal "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" 1
  nothing_lost
}

@test "a child gets the library first, beside what else is preloaded" {
  cc -shared -fPIC -o "$WORK/other.so" -x c - <<<'int other_library(void) { return 1; }'
  # shellcheck disable=SC2016
  run watched sh -c 'exec env LD_PRELOAD="$1" sh -c "echo \$LD_PRELOAD"' sh "$WORK/other.so"
  assert_success
  assert_output --regexp "libsnag\.so:$WORK/other\.so$"
}
