#!/usr/bin/env bash
# Builds, and runs every test: unit tests (plain, then under ASan and UBSan), lint, symbols, the bats suites two at a
# time, and a few seconds of each fuzzer. Each stage leaves TAP in build/tap/; the last line counts. `tests/run.sh PATTERN`
# runs the stages and suites whose name contains PATTERN. tests/matrix runs only where PATTERN names it: it takes minutes.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
pattern=${1:-}
tap=build/tap
rm -rf $tap && mkdir -p $tap
make -s all programs || exit

# stage NAME COMMAND...: its output is TAP, or a check that passes by its exit status alone
stage() {
  local name=$1 start=$SECONDS status; shift
  [[ $name == *"$pattern"* ]] || return 0
  "$@" >"$tap/$name.tap" 2>"$tap/$name.err"
  status=$?
  if ! grep -qE '^(not )?ok ' "$tap/$name.tap"; then
    { [ $status -eq 0 ] && echo "ok 1 - $name" || echo "not ok 1 - $name"; } >>"$tap/$name.tap"
  elif [ $status -ne 0 ] && ! grep -q '^not ok ' "$tap/$name.tap"; then
    echo "not ok - $name ended with status $status" >>"$tap/$name.tap"
  fi
  local ok failed
  ok=$(grep -c '^ok ' "$tap/$name.tap")
  failed=$(grep -c '^not ok ' "$tap/$name.tap")
  printf '%-28s %4d passed, %d failed  (%d s)\n' "$name" "$ok" "$failed" $((SECONDS - start))
  if [ "$failed" -gt 0 ]; then
    sed 's/^/    /' "$tap/$name.tap" | grep -vE '^    (ok |1\.\.)' | head -n 60
    tail -n 40 "$tap/$name.err" | sed 's/^/    /'
  fi
}

units() {
  make -s VARIANT="$1" check-unit
}

fuzz_briefly() {
  make -s fuzz SECONDS=4
}

# A stage must be able to run beside another, so the suites go two at a time.
suites() {
  local file name running=0
  for file in tests/*/*.bats; do
    name=$(basename "$(dirname "$file")")-$(basename "$file" .bats)
    [[ $name != matrix-* || $pattern == matrix* ]] || continue
    stage "$name" timeout --foreground -k 10 900 bats --tap "$file" &
    running=$((running + 1))
    if [ $running -ge 2 ]; then wait -n; running=$((running - 1)); fi
  done
  wait
}

stage lint tests/lint.sh
stage symbols make -s symbols
stage units units release
stage units-san units san
suites
stage fuzz fuzz_briefly

passed=$(cat $tap/*.tap 2>/dev/null | grep '^ok ' | grep -vc '# skip')
skipped=$(cat $tap/*.tap 2>/dev/null | grep '^ok ' | grep -c '# skip')
failed=$(cat $tap/*.tap 2>/dev/null | grep -c '^not ok ')
grep -h '^ok .*# skip' $tap/*.tap 2>/dev/null | sed 's/^ok [0-9]* /skipped: /'
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
