#!/usr/bin/env bats
# The tour: what the READMEs of the examples show is what happens, and a README that is wrong is found.

load ../helper

setup() {
  requires python3 unshare ip
  setup_work
}

teardown() {
  teardown_work
}

tour() {
  run env TMPDIR="$WORK" SNAG_BUILD="$BUILD" timeout --foreground 300 "$PYTHON" "$ROOT/examples/tour" "$@" 3>&-
}

# Another tour, with one example of our own in it: an_example LINE... are the lines of its transcript.
an_example() {
  mkdir -p "$WORK/examples/01-own"
  cp "$ROOT/examples/tour" "$ROOT/examples/netns" "$WORK/examples/"
  { echo "# 1. Own"; echo; printf '    %s\n' "$@"; } >"$WORK/examples/01-own/README.md"
  run env TMPDIR="$WORK" SNAG_BUILD="$BUILD" timeout --foreground 60 "$PYTHON" "$WORK/examples/tour" 3>&-
}

@test "every example does what its README shows, and leaves nothing behind" {
  tour
  assert_success
  assert_line --regexp "^20 examples: [1-9][0-9]* ok, 0 FAILED"
  run find "$WORK" -mindepth 1 ! -name .start
  assert_output ""
}

@test "examples/README.md lists every example" {
  local folder
  for folder in "$ROOT"/examples/[0-9]*/; do
    grep -qF "($(basename "$folder")/README.md)" "$ROOT/examples/README.md" || fail "$folder is not listed"
  done
}

@test "one example by its number" {
  tour 3
  assert_success
  assert_line --partial "3. connect returns before accept"
  assert_line "1 examples: 1 ok, 0 FAILED, 0 skipped"
  tour 99
  assert_failure 1
}

@test "another word, a line too many and a line too few are found" {
  an_example '$ printf "one\ntwo\n"' one two
  assert_success
  an_example '$ printf "one\ntwo\n"' one too
  assert_failure 1
  assert_line --partial "expected: too"
  assert_line --partial "got:      two"
  an_example '$ printf "one\ntwo\n"' one
  assert_failure 1
  assert_line --partial "expected: (the end)"
  an_example '$ printf "one\ntwo\n"' one two three
  assert_failure 1
  assert_line --partial "got:      (the end)"
}

@test "a port, a pid and a time may be others, but the same port stays the same" {
  an_example '$ echo "0.5 a[1] :40000 :40000 :50000"' '1.5 a[2] :41000 :41000 :42000'
  assert_success
  an_example '$ echo ":40000 :40001"' ':41000 :41000'
  assert_failure 1
  an_example '$ echo ":40000 :40000"' ':41000 :41001'
  assert_failure 1
  an_example '$ echo "0.5 x"' '5 x'
  assert_failure 1
}

@test "where no namespace is allowed, what needs one is left out with the reason" {
  mkdir "$WORK/bin"
  printf '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n' >"$WORK/bin/unshare"
  chmod +x "$WORK/bin/unshare"
  PATH=$WORK/bin:$PATH tour 6
  assert_success
  assert_line --partial "it reads what it sent"
  refute_line --partial "connected!"
  assert_line --partial "no network namespace here: unshare failed: Operation not permitted"
  PATH=$WORK/bin:$PATH an_example '$ ../netns -- echo never' never
  assert_success
  assert_line "1 examples: 0 ok, 0 FAILED, 1 skipped"
}

@test "the model foretells what the kernel answers in every example" {
  cp -r "$ROOT/examples" "$WORK/examples"
  sed -i 's/snag run -q/snag run -q --audit/' "$WORK"/examples/*/README.md
  run env TMPDIR="$WORK" SNAG_BUILD="$BUILD" timeout --foreground 300 "$PYTHON" "$WORK/examples/tour" --update 3>&-
  assert_success
  run grep -E '^[0-9]+\. |audit: ([0-9]|wrong)' <<<"$output"
  [ "$(grep -c 'audit: [0-9]* right, 0 wrong' <<<"$output")" -ge 16 ] || fail "$output"
  refute_output --partial "audit: wrong"
}
