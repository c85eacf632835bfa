#!/usr/bin/env bats
# A program does not notice that it is watched.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

log() {
  "$SNAG" run -q --mode log -o "$WORK/trace.jsonl" -- "$@"
}

nothing_lost() {
  run jq -c 'select(.call == "lost" or .diverged)' "$WORK/trace.jsonl"
  assert_output ''
}

@test "syscall() answers as without" {
  local native
  native=$("$PROGRAMS/gate" </dev/null)
  run log "$PROGRAMS/gate" </dev/null
  assert_success
  assert_output "$native"
  run jq -r 'select(.call == "accept4" and .ret >= 0) | .call' "$WORK/trace.jsonl"
  assert_output accept4
}

@test "threads, signal handlers and forks, all at once" {
  run log "$PROGRAMS/storm" 4 300
  assert_success
  assert_output 'done'
  nothing_lost
  run jq -r 'select(.call == "bind") | .ret' "$WORK/trace.jsonl"
  assert_equal "$(printf '%s\n' "${lines[@]}" | sort -u)" 0
}

@test "a non-blocking program in a storm of rules that do not match" {
  run "$SNAG" run -q --rule 'bind port=1: EADDRINUSE' --rule 'close port=1: EIO' -- "$PROGRAMS/storm" 4 100
  assert_success
  assert_output 'done'
}

@test "a musl program" {
  requires musl-gcc
  cat >"$WORK/m.c" <<'C'
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 5))
		return 1;
	pid_t pid = fork();
	if (!pid) {
		char number[16];
		snprintf(number, sizeof(number), "%d", fd);
		char *none[] = { NULL }, *argv[] = { "inherit", "child", number, NULL };
		execve(INHERIT, argv, none);
		_exit(97);
	}
	waitpid(pid, &status, 0);
	printf("%d\n", status);
	return 0;
}
C
  musl-gcc -o "$WORK/m" -DINHERIT="\"$PROGRAMS/inherit\"" "$WORK/m.c"
  run log "$WORK/m"
  assert_success
  assert_output 0
  run jq -c 'select(.call == "listen") | [.sock, .backlog]' "$WORK/trace.jsonl"
  assert_output $'[1,5]\n[1,77]'
}

@test "together with another preloaded library that wraps the same calls" {
  cat >"$WORK/other.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>
int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
	write(1, "wrapped\n", 8);
	return next(fd, sa, len);
}
C
  cc -shared -fPIC -o "$WORK/other.so" "$WORK/other.c"
  for order in "$LIB $WORK/other.so" "$WORK/other.so $LIB"; do
    run env LD_PRELOAD="$order" SNAG_TRACE="$WORK/trace.jsonl" "$PROGRAMS/closing" close
    assert_success
    assert_output $'wrapped\nwrapped\nbound again'
    run jq -r 'select(.call == "bind") | .ret' "$WORK/trace.jsonl"
    assert_output $'0\n0'
    rm "$WORK/trace.jsonl"
  done
}

@test "an executable at a fixed address takes the addresses of what is hooked: not a word from the loader" {
  cat >"$WORK/fixed.c" <<'C'
#include <sys/socket.h>
#include <unistd.h>
int (*volatile taken)(int);
int (*volatile asked)(int, struct sockaddr *, socklen_t *);
int main(void)
{
	taken = close;
	asked = getsockname;
	return taken(socket(AF_INET, SOCK_STREAM, 0));
}
C
  cc -O1 -fno-pie -no-pie -o "$WORK/fixed" "$WORK/fixed.c"
  run log "$WORK/fixed"
  assert_success
  assert_output ''
  run jq -r 'select(.ret != null) | .call' "$WORK/trace.jsonl"
  assert_output $'socket\nclose'
}

@test "with another allocator" {
  local allocator
  allocator=$(ldconfig -p | awk '/libjemalloc\.so|libtcmalloc_minimal\.so/ {print $NF; exit}')
  [ -n "$allocator" ] || skip 'neither jemalloc nor tcmalloc is installed'
  run env LD_PRELOAD="$LIB $allocator" SNAG_TRACE="$WORK/trace.jsonl" "$PROGRAMS/storm" 4 100
  assert_success
  assert_output 'done'
}

@test "snag.h: a program asks, and leaves a mark" {
  run "$PROGRAMS/asking"
  assert_output $'alone\n0\n0\n0\nmatched 0, fired 0, unknown 0'
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'bind name=r nth=2: EADDRINUSE' -- "$PROGRAMS/asking"
  assert_output $'watched\n0\n-1\n0\nmatched 3, fired 1, unknown 1'
  run jq -r 'select(.call == "mark") | .text' "$WORK/trace.jsonl"
  assert_output 'half "way"'
}

@test "snag.h compiles as C++ too" {
  requires c++
  echo '#include <snag/snag.h>' >"$WORK/user.cc"
  run c++ -Wall -Wextra -Werror -fsyntax-only -I"$ROOT/include" "$WORK/user.cc"
  assert_success
}

@test "the program's descriptors are its own" {
  run log python3 -c 'import os; print(sorted(os.listdir("/proc/self/fd")))'
  local watched=$output
  run python3 -c 'import os; print(sorted(os.listdir("/proc/self/fd")))'
  assert_equal "$watched" "$output"
}

@test "a watched program that calls wait and has a SIGCHLD handler sees no keeper" {
  run env LD_PRELOAD="$LIB" python3 -c '
import os, signal
signal.signal(signal.SIGCHLD, lambda *a: print("SIGCHLD"))
try: print(os.wait())
except ChildProcessError: print("no child")'
  assert_output 'no child'
  run env --ignore-signal=CHLD LD_PRELOAD="$LIB" python3 -c '
import os
try: print(os.wait())
except ChildProcessError: print("no child")'
  assert_output 'no child'
}

@test "a message from the heap: no system call more than without" {
  requires strace
  cat >"$WORK/m.c" <<'C'
#include <stdlib.h>
#include <sys/socket.h>
int main(void)
{
	struct msghdr *m = calloc(8, sizeof(*m));
	int fd = socket(AF_INET, SOCK_DGRAM, 0), failed = 0;
	for (int i = 0; i < 50; i++)
		failed += sendmsg(fd, m + i % 8, 0) < 0;
	return failed != 50;
}
C
  gcc -O1 -o "$WORK/m" "$WORK/m.c"
  run log strace -f -o "$WORK/calls" "$WORK/m"
  assert_success
  run awk '/sendmsg/ {if (++n == 50) exit; next} n {print}' "$WORK/calls"
  assert_output ''
}

@test "select in a library's constructor, before snag is awake: a time in microseconds alone" {
  cat >"$WORK/early.c" <<'C'
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>
__attribute__((constructor)) static void early(void)
{
	int p[2];
	fd_set w;
	struct timeval t = { 0, 2000000 };
	FD_ZERO(&w);
	if (pipe(p) == 0)
		FD_SET(p[1], &w);
	printf("%d\n", select(p[1] + 1, NULL, &w, NULL, &t));
	fflush(stdout);
}
C
  gcc -fPIC -shared -o "$WORK/early.so" "$WORK/early.c"
  run env LD_PRELOAD="$LIB $WORK/early.so" true
  assert_output 1
}
