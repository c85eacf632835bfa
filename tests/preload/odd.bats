#!/usr/bin/env bats
# Programs that do what few do: sanitizers, wild pointers, little stacks, a sandbox of their own, another user's identity.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
  rm -rf "${PUBLIC:-/nonexistent}"
}

# A copy of snag that every user can read.
public() {
  [ "$(id -u)" = 0 ] || skip 'only root can become another user'
  PUBLIC=$(mktemp -d /tmp/snag-public.XXXXXX)
  cp "$SNAG" "$LIB" "$PUBLIC"
  chmod -R 755 "$PUBLIC"
}

log() {
  "$SNAG" run -q --mode log -o "$WORK/trace.jsonl" -- "$@"
}

@test "a program built with AddressSanitizer" {
  cat >"$WORK/a.c" <<'C'
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
int main(int argc, char **argv)
{
	char *p = malloc(8);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc > 1)
		free(p);
	memcpy(p, argv[0], 8);
	return fd < 0;
}
C
  gcc -g -fsanitize=address -o "$WORK/a" "$WORK/a.c" 2>/dev/null || skip 'gcc has no AddressSanitizer here'
  ASAN_OPTIONS=detect_leaks=0 run log "$WORK/a"
  assert_success
  assert_output ''
  run jq -r 'select(.call == "socket") | .ret >= 0' "$WORK/trace.jsonl"
  assert_output true
  run env ASAN_OPTIONS=detect_leaks=0:exitcode=7 "$SNAG" run -q -- "$WORK/a" bad
  assert_failure 7
}

@test "a program under valgrind, with addresses from the heap: not a word more" {
  requires valgrind
  cat >"$WORK/v.c" <<'C'
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(void)
{
	struct sockaddr_in *a = calloc(1, sizeof(*a));
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	a->sin_family = AF_INET;
	if (bind(s, (struct sockaddr *)a, sizeof(*a)))
		return 1;
	free(a);
	return 3;
}
C
  gcc -g -o "$WORK/v" "$WORK/v.c"
  run log valgrind -q "$WORK/v"
  assert_failure 3
  assert_output ''
}

@test "pointers that cannot be read: the kernel's own answers" {
  local native
  native=$("$PROGRAMS/wild")
  [[ $native == *'bind(s, bad, 16): -1 14'* ]]
  run log "$PROGRAMS/wild"
  assert_success
  assert_output "$native"
  run "$SNAG" run -q --rule "bind port=1: EACCES" -- "$PROGRAMS/wild"
  assert_output "$native"
}

@test "a rule decides about an address that it can read, and no other" {
  run "$SNAG" run -q --rule 'bind port=0: EADDRNOTAVAIL' -- "$PROGRAMS/wild"
  assert_line 'bind(s, bad, 16): -1 14'
  assert_line 'bind(s, heap, 16): -1 99'
  assert_line 'bind(s, (void *)&local, 16): -1 99'
}

@test "handlers on an alternate stack of 8 KiB, and threads with 16 KiB" {
  local where what
  for where in 'handler 8192' 'thread 16384'; do
    for what in sockets fork exec vfork spawn; do
      run log "$PROGRAMS/narrow" "${where% *}" "${where#* }" "$what"
      assert_output "$what: ok"
    done
  done
}

@test "vfork and exec a hundred times with a large environment: no memory is left behind" {
  run log "$PROGRAMS/narrow" main 0 repeat
  assert_output 'repeat: ok'
}

@test "a program that puts a seccomp filter upon itself, deadly for what snag would call" {
  local way end
  for way in prctl seccomp; do
    for end in return exit; do
      run log "$PROGRAMS/sealed" $way $end
      assert_success
      assert_output 'child 3, done'
    done
  done
  run log "$PROGRAMS/sealed" strict exit
  assert_success
  assert_output 'strict, done'
  run jq -r 'select(.call == "bind" or .call == "close") | .call' "$WORK/trace.jsonl"
  assert_output 'bind'
}

@test "a filter of its own ends what rules ask of waits and bytes" {
  local rule
  for rule in 'poll,select,epoll nth=1000: EINTR' 'accept port=1: hold=1s' 'connect port=1: delay=1s' 'recv,send port=1: clamp=1'; do
    run timeout 20 "$SNAG" run -q --rule "$rule" -- "$PROGRAMS/sealed" prctl exit
    assert_success
    assert_output 'child 3, done'
  done
}

@test "a process that became another user and starts a program: that leaves the session, silently" {
  public
  local user=5432$BATS_TEST_NUMBER
  cat >"$PUBLIC/become.py" <<'PY'
import os, sys
os.setuid(int(sys.argv[1]))
os.execv("/bin/sh", ["sh", "-c", "echo here; /bin/true; echo still here"])
PY
  run env LD_PRELOAD="$PUBLIC/libsnag.so" SNAG_TRACE="$WORK/t.jsonl" "$PYTHON" "$PUBLIC/become.py" "$user"
  assert_success
  assert_output $'here\nstill here'
  SNAG_ON_ERROR=strict run log "$PYTHON" "$PUBLIC/become.py" "$user"
  assert_success
  assert_output $'here\nstill here'
  run env LD_PRELOAD="$PUBLIC/libsnag.so" SNAG_SESSION="u-$$-$BATS_TEST_NUMBER" "$PYTHON" "$PUBLIC/become.py" "$user"
  assert_success
  assert_output $'here\nstill here'
  [ ! -e "/dev/shm/snag-$user" ]
  [ ! -e "/tmp/snag-$user" ]
}

@test "a FIFO as the trace: with a reader it is written, without one nobody waits for it" {
  local line
  mkfifo "$WORK/t.jsonl"
  run timeout 10 env LD_PRELOAD="$LIB" SNAG_TRACE="$WORK/t.jsonl" "$PROGRAMS/closing" close
  assert_success
  assert_line 'bound again'
  assert_line "snag: SNAG_TRACE: $WORK/t.jsonl: no trace can be written there: Broken pipe"
  exec 7<>"$WORK/t.jsonl"
  run timeout 10 env LD_PRELOAD="$LIB" SNAG_TRACE="$WORK/t.jsonl" "$PROGRAMS/closing" close
  assert_output 'bound again'
  read -r -t 10 line <&7
  exec 7<&-
  assert_equal "$(jq -r .call <<<"$line")" session
}
