#!/usr/bin/env bats
# `make install` lays down a snag that finds its own parts wherever it is put, and `make uninstall` takes it away.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

install_to() {   # PREFIX [DESTDIR]
  make -s -C "$ROOT" install PREFIX="$1" DESTDIR="${2:-}" >/dev/null
}

@test "everything stands where it belongs, also staged, and goes away again" {
  install_to /opt/snag "$WORK/stage"
  run find "$WORK/stage" -type f -printf '%P %m\n'
  assert_line "opt/snag/bin/snag 755"
  assert_line "opt/snag/lib/snag/libsnag.so 755"
  assert_line "opt/snag/include/snag/snag.h 644"
  assert_line "opt/snag/share/snag/policies/flaky-connect.yaml 644"
  assert_line "opt/snag/share/man/man1/snag.1 644"
  assert_line "opt/snag/share/bash-completion/completions/snag 644"
  make -s -C "$ROOT" uninstall PREFIX=/opt/snag DESTDIR="$WORK/stage" >/dev/null
  run find "$WORK/stage" -type f
  assert_output ""
}

@test "an installed snag finds library, policies and keeper; blanks and colons in its path are no obstacle" {
  local p="$WORK/a b:c"
  install_to "$p"
  run "$p/bin/snag" run -q -p address-in-use-then-ok -- python3 -c '
import socket
s = socket.socket()
for _ in range(4):
    try: s.bind(("127.0.0.1", 0)); print("ok")
    except OSError as e: print(e.errno)'
  assert_success
  assert_output "98
98
98
ok"
}

@test "the installed library alone starts the installed keeper" {
  install_to "$WORK/p"
  LD_PRELOAD=$WORK/p/lib/snag/libsnag.so SNAG_TRACE=$WORK/trace.jsonl \
    run python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 0))'
  assert_success
  assert_output ""
  run jq -c 'select(.call == "bind") | .ret' "$WORK/trace.jsonl"
  assert_output 0
}

@test "a program compiles against the installed header, and runs with and without the library" {
  install_to "$WORK/p"
  cat >"$WORK/t.c" <<'C'
#include <snag/snag.h>
#include <stdio.h>
int main(void) { snag_mark("half way"); printf("%d\n", snag_active()); return 0; }
C
  cc -Wall -Wextra -Werror -I"$WORK/p/include" -o "$WORK/t" "$WORK/t.c"
  run "$WORK/t"
  assert_output 0
  run "$WORK/p/bin/snag" run -q -o "$WORK/trace.jsonl" -- "$WORK/t"
  assert_output 1
  run jq -r 'select(.call == "mark") | .text' "$WORK/trace.jsonl"
  assert_output "half way"
}
