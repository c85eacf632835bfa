#!/usr/bin/env bats
# Each real server meets each policy of a server's. What its clients get is what the policy says; what it writes, and the
# processor time it takes, are the same as under the real condition, made beside it; and afterwards it serves as before.

load ../helper
load cast

SERVERS=(nginx haproxy redis memcached asyncio node libuv libevent)

setup() {
  requires nc ss setsid prlimit
  setup_work
  SESSION=servers-$$-$BATS_TEST_NUMBER
  mkdir -p "$WORK/www"
  head -c 100000 /dev/zero | tr '\0' x >"$WORK/www/page"
  printf pong >"$WORK/www/pong"
  chmod 755 "$WORK" "$WORK/www"
}

teardown() {
  [ -z "${other:-}" ] || kill "$other"
  [ -z "${leader:-}" ] || signal_server TERM
  teardown_work
}

# Processes of the server: all of its session (as setsid has it) but snag's own.
server_pids() {
  ps -o pid=,comm= -s "$leader" | awk '$2 != "snag" {print $1}'
}

signal_server() {
  server_pids | xargs -r kill -s "$1" 2>/dev/null || true
}

server_ticks() {
  local pid sum=0
  for pid in $(server_pids); do
    sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat" 2>/dev/null || echo 0)))
  done
  echo $sum
}

# up OPTION...: $program serves, and has its pages; ruled: under these options of snag run.
up() {
  local under=()
  rm -f "$WORK/out" "$WORK/log"
  port=$(free_port)
  server "$program"
  [ "$mode" = real ] || under=("$SNAG" run -q --session "$SESSION" "$@" --)
  setsid "${under[@]}" "${COMMAND[@]}" >"$WORK/out" 2>&1 3>&- &
  leader=$!
  wait_for listens "$port" && fill "$program"
}

down() {
  signal_server TERM
  wait_for gone "$leader" || signal_server KILL
  wait "$leader" 2>/dev/null
  leader=
}

# The condition begins and ends: the policy's first rules at a word, or the real thing.
begin() {
  if [ "$mode" = ruled ]; then "$SNAG" ctl "$SESSION" fire now; else "real_$scenario" begin; fi
}

finish() {
  if [ "$mode" = ruled ]; then "$SNAG" ctl "$SESSION" disable "$rule"; else "real_$scenario" finish; fi
}

ask() {
  peer ask "$(protocol "$program")" "$port" "$@"
}

fired() {
  "$SNAG" ctl "$SESSION" list --json | jq ".rules | map(select(.name == \"$1\").fired) | add"
}

# play MODE OPTION...: what clients got, what the server wrote, and its ticks are left in $WORK/$program.MODE.*
play() {
  local mode=$1 at=$WORK/$program.$1 before; shift
  up "$@" || { echo "does not start: $(cat "$WORK/out")" >"$at.got"; return; }
  before=$(server_ticks)
  "$scenario" >"$at.got" 2>&1
  echo $(($(server_ticks) - before)) >"$at.ticks"
  complaints >"$at.words"
  [ "$mode" = real ] || [ -z "$rule" ] || fired "$rule" >"$at.fired"
  down
}

same() {
  diff "$1" "$2" >"$WORK/diff" || echo "$program: $3: $(cat "$WORK/diff")"
}

# What differs between the two plays of $program, and between the clients' view and what is expected.
compare() {
  local at=$WORK/$program real
  printf '%s\n' "$@" >"$at.expected"
  same "$at.expected" "$at.ruled.got" "its clients"
  grep -v ECONNRESET "$at.expected" >"$at.elsewhere"	# where the client itself makes the condition, it sees nothing
  same "$at.elsewhere" "$at.real.got" "its clients, for real"
  same "$at.real.words" "$at.ruled.words" "its words"
  real=$(cat "$at.real.ticks")
  [ "$(cat "$at.ruled.ticks")" -le $((3 * real + 30)) ] || echo "$program: $(cat "$at.ruled.ticks") ticks, $real for real"
  [ -z "$rule" ] || [ "$(cat "$at.ruled.fired")" -gt 0 ] || echo "$program: no rule has fired"
}

# matrix SCENARIO RULE OPTION...: every server, for real and ruled; `expected` tells what its clients get.
matrix() {
  local scenario=$1 rule=$2 program; shift 2
  for program in "${SERVERS[@]}"; do
    needs "$program" || { echo "# $program is not installed" >&3; continue; }
    [ -e "$WORK/$program.real.got" ] || play real || true
    play ruled "$@" || true
    mapfile -t lines < <(expected)
    compare "${lines[@]}"
  done >"$WORK/differs"
  assert_equal "$(cat "$WORK/differs")" ""
}

# complains PROGRAM...: these, and no others, have written of an error.
complains() {
  local at program who=()
  for at in "$WORK"/*.ruled.words; do
    program=$(basename "$at" .ruled.words)
    [ ! -s "$at" ] || who+=("$program")
  done
  for program in "$@"; do needs "$program" || who+=("$program"); done
  assert_equal "$(printf '%s\n' "${who[@]}" | sort)" "$(printf '%s\n' "$@" | sort)"
}

# Each process has the descriptors that it has, and no more.
real_storm() {
  local pid n
  for pid in $(server_pids); do
    n=$(prlimit --pid "$pid" --nofile --noheadings -o HARD)
    [ "$1" = finish ] || for ((n = 0; ; n++)); do [ -e "/proc/$pid/fd/$n" ] || break; done
    prlimit --pid "$pid" --nofile="$n:"
  done
}

# A connection from before ends when there are descriptors again: memcached waits for that.
storm() {
  exec 7<>"/dev/tcp/127.0.0.1/$port"
  ask 5000 pong
  begin
  ask 1000 pong | sed 's/end$/dropped/; s/ECONNRESET$/dropped/'
  finish
  exec 7>&-
  ask 20000 pong
}

@test "emfile-storm: clients wait, or are dropped by a descriptor in reserve; nobody spins more than ever" {
  expected() {
    case $program in
      node | libuv) printf '%s\n' whole '0 bytes, then dropped' whole ;;
      *) printf '%s\n' whole '0 bytes, then timeout' whole ;;
    esac
  }
  matrix storm out-of-descriptors -p emfile-storm --set 'rules[0].when.event=now' --set 'rules[0].when.pulse.active=60s' \
    --set 'rules[0].when.after=0s'
  complains nginx redis memcached asyncio libevent
}

real_resets() {
  if [ "$1" = begin ]; then signal_server STOP; else signal_server CONT; fi
}

resets() {
  begin
  for _ in 1 2 3; do
    if [ "$mode" = ruled ]; then peer meet "$port" 5000; else peer reset "$port"; fi
  done
  finish
  ask 5000 pong
}

@test "reset-on-accept: the connection's own end, and the next one is served" {
  expected() { printf '%s\n' '0 bytes, then ECONNRESET' '0 bytes, then ECONNRESET' '0 bytes, then ECONNRESET' whole; }
  matrix resets gone-already -p reset-on-accept --set 'rules[0].when.event=now'
  complains nginx memcached asyncio node libuv
}

real_cuts() { :; }

cuts() {
  begin
  if [ "$mode" = ruled ]; then ask 5000 page; else peer cut "$(protocol "$program")" "$port" 4096; fi
  finish
  ask 5000 page
}

@test "reset-mid-response: the answer is cut, and the next one is whole" {
  # Whether it is a read or a write that meets the reset depends on when the client has read its 4096 bytes.
  complaints() { words | grep -oiE 'connection ?reset by peer|ECONNRESET' | sort -u; }
  expected() { printf '%s\n' '4096 bytes, then ECONNRESET' whole; }
  matrix cuts cut-off -p reset-mid-response --set 'rules[0].when.event=now'
  complains nginx asyncio node libuv
}

real_late() {
  if [ "$1" = begin ]; then signal_server STOP; else signal_server CONT; fi
}

overflows() {
  ss -Htn state syn-sent "dport = :$port" | grep -q .
}

late() {
  local clients=() i
  begin
  for i in {1..6}; do
    ask 30000 pong >"$WORK/client.$i" &
    clients+=($!)
  done
  if [ "$mode" = ruled ] && [ "$rule" = nobody-accepts ]; then wait_for overflows; fi
  [ "$mode" = ruled ] || finish
  wait "${clients[@]}"
  cat "$WORK"/client.*
}

@test "accept-queue-full: whoever finds the queue full tries again, and is served" {
  expected() { printf 'whole\n%.0s' {1..6}; }
  matrix late nobody-accepts -p accept-queue-full --set 'rules[1].when.event=now' --set 'rules[1].do.hold=700ms'
  complains
}

@test "late-accept: everybody is served" {
  expected() { printf 'whole\n%.0s' {1..6}; }
  matrix late busy -p late-accept --set 'rules[0].when.event=now'
  complains
}

plain() {
  ask 20000 pong pong pong pong pong pong page
}

# What a good server does not notice: one play for real, with nothing, serves to compare with all of them.
@test "spurious-wakeups, short-writes, time-wait-restart, slow-bind and the small kernels: there is nothing to notice" {
  local policy
  expected() { printf 'whole\n%.0s' {1..7}; }
  for policy in spurious-wakeups:for-nothing short-writes:a-few-bytes time-wait-restart:just-restarted slow-bind:slow \
    backlog-of-one:short-queue time-wait-fast: freebsd: tiny-kernel:; do
    matrix plain "${policy#*:}" -p "${policy%:*}"
    complains
  done
}

# refused OPTION...: how $program ends where its port is taken, and in what words.
ends_so() {
  rm -f "$WORK/out" "$WORK/log"
  server "$program"
  timeout 30 "$@" "${COMMAND[@]}" >"$WORK/out" 2>&1 3>&- || echo "ended with $?"
  complaints || true
}

@test "address-in-use-then-ok: what a server says and how it ends, as where somebody has the port" {
  local program
  "$PYTHON" "$HERE/peer.py" answer "$WORK/port" 3>&- &
  other=$!
  wait_for test -s "$WORK/port"
  port=$(cat "$WORK/port")
  for program in "${SERVERS[@]}"; do
    needs "$program" || continue
    ends_so >"$WORK/$program.real"
    port=$(free_port)
    ends_so "$SNAG" run -q -p address-in-use-then-ok --set 'rules[0].when.first=100' -- >"$WORK/$program.ruled"
    port=$(cat "$WORK/port")
    grep -qi 'in use' "$WORK/$program.ruled" || echo "$program: says nothing: $(cat "$WORK/$program.ruled")"
    same "$WORK/$program".{real,ruled} "its end"
  done >"$WORK/differs"
  assert_equal "$(cat "$WORK/differs")" ""
}
