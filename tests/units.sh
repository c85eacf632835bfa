#!/usr/bin/env bash
# Runs unit test programs (cmocka) one after the other; prints one TAP stream. Addresses are not randomised: older
# sanitizer runtimes cannot live with as many random bits as newer kernels use.
set -uo pipefail
status=0
for program in "$@"; do
  name=${program#build/*/tests/}
  out=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 setarch -R "$program" 2>&1)
  result=$?
  # A skipped test is none that failed, whatever the version of cmocka calls it.
  out=$(sed -E 's/^(not )?ok ([0-9]+) (- )?# SKIP (.*)/ok \2 - \4 # skip/' <<<"$out")
  sed -nE "s|^(not )?ok [0-9]+ (- )?|\1ok - $name: |p; /^#|^ *---/p" <<<"$out"
  if [ $result -ne 0 ] && ! grep -q '^not ok' <<<"$out"; then
    echo "not ok - $name: ended with status $result"
    tail -n 30 <<<"$out" | sed 's/^/# /'
  fi
  [ $result -eq 0 ] || status=1
done
exit $status
