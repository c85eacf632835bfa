# helper.bash - what every bats suite loads: where snag is, a folder for each test, bounded waiting, and at the end a look
# for what a test left behind. Sourced as `load ../helper`.
# shellcheck shell=bash disable=SC2034

bats_require_minimum_version 1.5.0

for library in bats-support bats-assert; do
  for place in /usr/lib/bats /usr/share/bats /usr/lib "$BATS_TEST_DIRNAME/../lib"; do
    if [ -f "$place/$library/load.bash" ]; then
      load "$place/$library/load.bash"
      break
    fi
  done
done

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${SNAG_BUILD:-$ROOT/build/release}
[[ $BUILD = /* ]] || BUILD=$ROOT/$BUILD
SNAG=$BUILD/snag
LIB=$BUILD/libsnag.so
PROGRAMS=$BUILD/programs
# Not a version manager's script of that name: it would run a dozen shells first.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=$(command -v python3)

# A folder of the test's own, and a mark in the environment of all that it starts.
setup_work() {
  WORK=$(mktemp -d "${BATS_TEST_TMPDIR:-/tmp}/work.XXXXXX")
  touch "$WORK/.start"
  export SNAG_TEST_WORK=$WORK
  unset SNAG_SESSION SNAG_POLICY SNAG_TRACE SNAG_ON_ERROR NO_COLOR
  export PYTHONUNBUFFERED=1	# what a child prints before os._exit, and a parent before fork
}

teardown_work() {
  no_leftovers
  local status=$?
  rm -rf "$WORK"
  return $status
}

# wait_for COMMAND...: until it succeeds, ten seconds at most.
wait_for() {
  local try
  for try in {1..200}; do
    "$@" && return 0
    sleep 0.05
  done
  echo "waited in vain for: $*" >&2
  return 1
}

# Ended; a container's first process may be one that never waits for orphans.
gone() {
  ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# A TCP port that was free on every address a moment ago, below those that the kernel gives to clients by itself.
free_port() {
  python3 -c '
import random, socket
while True:
    s = socket.socket(socket.AF_INET6)
    try:
        s.bind(("::", random.randrange(20000, 32000)))
        print(s.getsockname()[1])
        break
    except OSError:
        pass'
}

listens() {
  ss -Hltn "sport = :$1" | grep -q .
}

# requires PROGRAM...: skips the test where one is missing.
requires() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || skip "$program is not installed"
  done
}

# A network namespace of its own: "${NETNS[@]}" COMMAND... Skips the test where that is not allowed.
requires_netns() {
  NETNS=("$ROOT/examples/netns" --)
  "${NETNS[@]}" true 2>/dev/null || skip "needs a network namespace"
}

# Pids of what this test started and what still runs.
test_processes() {
  env -u SNAG_TEST_WORK grep -lsz "^SNAG_TEST_WORK=$WORK\$" /proc/[0-9]*/environ | grep -oE '[0-9]+'
}

no_processes() {
  [ -z "$(test_processes)" ]
}

# Session files of this test's time whose keeper is dead. The keeper's pid stands at a fixed place in struct snag_header.
dead_sessions() {
  local file keeper
  for file in "/dev/shm/snag-$(id -u)"/* "/tmp/snag-$(id -u)"/*; do
    if [ ! -f "$file" ] || [ -L "$file" ] || [ ! "$file" -nt "$WORK/.start" ]; then continue; fi
    keeper=$(od -An -tu4 -j324 -N4 "$file" 2>/dev/null | tr -d ' ')
    [ "${keeper:-0}" -gt 0 ] && gone "$keeper" && [ -f "$file" ] && echo "$file"
  done
}

no_dead_sessions() {
  [ -z "$(dead_sessions)" ]
}

# What is left after ten seconds is named, ended, and an error.
no_leftovers() {
  local status=0 pid
  if ! wait_for no_processes 2>/dev/null; then
    status=1
    for pid in $(test_processes); do
      echo "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
      kill -KILL "$pid" 2>/dev/null
    done
  fi
  if ! wait_for no_dead_sessions 2>/dev/null; then
    status=1
    echo "left behind: $(dead_sessions)" >&2
  fi
  return $status
}

# beside PROGRAM RULE ARGUMENT...: nothing, where it says the same under the rule as where the kernel alone makes it so
# (in the place that the array MADE_SO leads to, where it is set).
beside() {
  local program=$1 rule=$2; shift 2
  local name=$WORK/$*
  timeout 60 "${MADE_SO[@]}" "$PROGRAMS/$program" real "$@" >"$name.real" 2>&1
  timeout 60 "$SNAG" run -q --rule "$rule" -- "$PROGRAMS/$program" ruled "$@" >"$name.ruled" 2>&1
  sed -i '/^--rule .*: warning: /d' "$name.ruled"
  diff "$name.real" "$name.ruled" >"$name.diff" || echo "differs: $*: $(cat "$name.diff")"
}
