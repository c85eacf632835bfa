#!/usr/bin/env bash
# Test suites that nobody here wrote, as Debian's packages have them: each is run as it is and then under
# `snag run --audit`, in a network namespace of its own. It has to end the same way, with no wrong prediction.
#
#     tests/suites/run.sh [BEGINNING]     only those whose name begins so: kernel, kernel/bind
#
# Sources are fetched and built in build/suites/; nothing is installed, and what a suite misses is said. Outputs and
# traces stay in build/suites/out/.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
root=$PWD
suites=$root/tests/suites
snag=$root/build/release/snag
netns=$root/examples/netns
work=$root/build/suites
out=$work/out
beginning=${1:-}
bad=0
mkdir -p "$out" "$work/apt/parts" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"

wanted() { [[ $1 == "$beginning"* ]]; }

# has NAME COMMAND...: are all there? Else the suite is skipped.
has() {
  local name=$1 command; shift
  for command in "$@"; do
    command -v "$command" >/dev/null || { skip "$name" "$command is not installed"; return 1; }
  done
}

# apt with the machine's own archives, as sources too, and with lists of its own.
source_apt() {
  if [ -z "$(ls "$work/apt/parts")" ]; then
    sed 's/^Types: .*/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources >"$work/apt/parts/debian.sources" 2>/dev/null
    sed -n 's/^deb\(-src\)* \(.*\)/deb \2\ndeb-src \2/p' /etc/apt/sources.list >"$work/apt/parts/debian.list" 2>/dev/null
  fi
  printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\nDir::State::lists "%s";\nDir::Cache "%s";\nAPT::Sandbox::User "";\n' \
    "$work/apt/parts" "$work/apt/lists" "$work/apt/cache" >"$work/apt/conf"
  [ -e "$work/apt/updated" ] || APT_CONFIG=$work/apt/conf apt-get update -qq >"$work/apt/log" 2>&1 && touch "$work/apt/updated"
  (cd "$work" && APT_CONFIG=$work/apt/conf "$@") >"$work/apt/log" 2>&1
}

# fetch PACKAGE: its source, the newest that the archive really has.
fetch() {
  local version versions
  source_apt apt-cache showsrc --only-source "$1" || return
  mapfile -t versions < <(sed -n 's/^Version: //p' "$work/apt/log" | sort -Vr)
  for version in "${versions[@]}"; do
    source_apt apt-get source --download-only "$1=$version" && return
  done
  return 1
}

# source_of NAME PACKAGE: its unpacked source is in $work/PACKAGE.
source_of() {
  [ -d "$work/$2" ] && return
  has "$1" apt-get dpkg-source || return
  if ! fetch "$2" || ! dpkg-source --no-check -x "$work/$2"_*.dsc "$work/$2" >"$work/apt/log" 2>&1; then
    skip "$1" "no source of $2: $(tail -n 1 "$work/apt/log")"
    return 1
  fi
}

# built NAME COMMAND...: quietly, in the current folder
built() {
  local name=$1; shift
  "$@" >"$out/$name.build" 2>&1 || { skip "$name" "does not build, see $out/$name.build"; return 1; }
}

# Lines of the usual kinds that say that a test failed.
failures() {
  grep -caE '^ *(# )?not ok |\.\.\. FAIL|\.\. FAILED|\[.* FAILED\]|^\[err\]' "$1"
}

# play NAME [SYSCTL=VALUE...] -- CMD...
play() {
  local name=$1 settings=() native audited file
  wanted "$name" || { shift; return 0; }
  shift
  while [ "$1" != -- ]; do settings+=("$1"); shift; done
  shift
  file=$out/${name//\//-}
  rm -f "$file".*
  timeout -k 5 600 "$netns" "${settings[@]}" -- ${as_user[@]+"${as_user[@]}"} "$@" >"$file.native" 2>&1 </dev/null
  native=$?
  timeout -k 5 600 "$netns" "${settings[@]}" -- ${as_user[@]+"${as_user[@]}"} \
    "$snag" run -q --audit -o "$file.jsonl" -- "$@" >"$file.audit" 2>&1 </dev/null
  audited=$?
  report "$name" "$native" "$audited" "$file"
}

report() {
  local name=$1 native=$2 audited=$3 file=$4 right=- wrong=- unknown=- verdict=same
  read -r right wrong unknown < <(sed -nE 's/^audit: ([0-9]+) right, ([0-9]+) wrong, ([0-9]+) unknown$/\1 \2 \3/p' "$file.audit" | tail -n 1)
  [ "$native" -eq "$audited" ] || verdict=DIFFERS
  [ "${wrong:-1}" = 0 ] || verdict=WRONG
  [ "$verdict" = same ] || bad=1
  printf '%-34s %6s %7s %6s %7s %8s %6s %8s  %s %s\n' "$name" "$native" "$(failures "$file.native")" "$audited" \
    "$(failures "$file.audit")" "${right:--}" "${wrong:--}" "${unknown:--}" "$verdict" \
    "$(sed -n 's/^audit: unknown: //p' "$file.audit" | tr '\n' ' ')"
  sed -n 's/^audit: wrong: /    wrong: /p' "$file.audit" | head -n 5
  # A trace of millions of calls is of no use to anybody.
  [ "$(stat -c %s "$file.jsonl" 2>/dev/null || echo 0)" -lt 100000000 ] || rm -f "$file.jsonl"
}

# skip NAME REASON
skip() {
  printf '%-34s skipped: %s\n' "$1" "$2"
}

make -s all || exit
"$netns" -- true || exit
printf '%-34s %6s %7s %6s %7s %8s %6s %8s\n' suite native failed audit failed right wrong unknown
for file in "$suites"/*.suite.sh; do
  name=$(basename "$file" .suite.sh)
  [[ $name == "${beginning%%/*}"* ]] || continue
  cd "$root" || exit
  as_user=()
  # shellcheck source=/dev/null
  . "$file"
done
exit $bad
