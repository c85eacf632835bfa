#!/usr/bin/env bash
# gcc and clang without a warning (a unit test that is in no list earns one), shellcheck without a remark, the layers.
# Prints what is wrong, and fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
bad=0

for cc in gcc clang; do
  command -v $cc >/dev/null || { echo "lint: no $cc"; bad=1; continue; }
  make -s VARIANT=lint B=build/lint-$cc CC=$cc all programs units >/dev/null || bad=1
done

mapfile -t scripts < <(git ls-files -co --exclude-standard | while read -r f; do
  [ -f "$f" ] || continue
  case $f in
    *.sh | *.bash | *.bats) echo "$f" ;;
    *) head -c 64 "$f" | grep -qaE '^#!.*\b(ba)?sh\b' && echo "$f" ;;
  esac
done)
shellcheck -x "${scripts[@]}" || bad=1

tests/layers.sh || bad=1
exit $bad
