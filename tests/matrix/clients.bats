#!/usr/bin/env bats
# Each real client (nginx and haproxy as proxies) meets each policy of a client's, and servers that are under one: the
# answers it has, its own words and how it ends are the same as under the real condition, made beside it.

load ../helper
load cast

CLIENTS=(curl nginx haproxy redis asyncio node libuv libevent)

setup() {
  requires curl nc ss
  setup_work
  chmod 755 "$WORK"
  export WORK BUILD
  PATH=$PATH:/usr/sbin
  TIMEFORMAT='%U %S'
}

teardown() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null
  teardown_work
}

# answering HOW [COMMAND...]: a plain server on $port, the command in front of it.
answering() {
  local how=$1; shift
  stop_answering
  rm -f "$WORK/port"
  "$@" "$PYTHON" "$HERE/peer.py" answer "$WORK/port" "$how" 3>&- &
  server=$!
  wait_for test -s "$WORK/port"
  port=$(cat "$WORK/port")
}

stop_answering() {
  [ -n "${server:-}" ] || return 0
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
}

# play KIND [OPTION...]: every client asks; ruled: under these options of snag run. $meets makes what it says comparable.
play() {
  local kind=$1 program; shift
  for program in "${CLIENTS[@]}"; do
    needs "$program" || continue
    local at=$WORK/$program.$kind
    export UNDER=
    [ $# -eq 0 ] || UNDER="$SNAG run -q -o $WORK/$program.jsonl $*"
    FRONT=$(free_port)
    export FRONT
    { time timeout 60 "${AROUND[@]}" "$HERE/client.bash" "$program" "$port" 1500 "${PATHS[@]}" >"$at.raw" 3>&-; } 2>"$at.time"
    sed -E "$meets" "$at.raw" | uniq >"$at"
  done
}

compare() {
  local program
  for program in "${CLIENTS[@]}"; do
    needs "$program" || continue
    diff "$WORK/$program.real" "$WORK/$program.ruled" >"$WORK/diff" || echo "$program: $(cat "$WORK/diff")"
    awk -v what="$program" 'NR == FNR {real = $1 + $2; next} $1 + $2 > 3 * real + 0.5 {print what ": " $0 " s of processor time, " real " s for real"}' \
      "$WORK/$program.real.time" "$WORK/$program.ruled.time"
  done >"$WORK/differs"
  assert_equal "$(cat "$WORK/differs")" ""
}

# sees PROGRAM TEXT: it is told so under the policy.
sees() {
  ! needs "$1" || grep -qF "$2" "$WORK/$1.ruled.raw" || fail "$1 does not say '$2': $(cat "$WORK/$1.ruled.raw")"
}

PATHS=(/page / /page)
AROUND=()
meets=''

@test "flaky-connect: as where nobody listens" {
  port=$(free_port)
  play real
  answering well
  play ruled -p flaky-connect --set 'rules[0].when.chance=100%'
  compare
  sees curl 'ended with 7'
  sees nginx 'connect() failed (111: Connection refused) while connecting to upstream'
  sees haproxy '503 SC'
  sees redis 'Connection refused'
  sees asyncio 'ConnectionRefusedError'
  sees node 'connect ECONNREFUSED'
  sees libuv 'connect: connection refused'
}

@test "hanging-connect: as where SYNs are lost; each gives up by its own clock" {
  PATHS=(/page)
  answering never
  play real
  answering well
  play ruled -p hanging-connect
  compare
  sees curl 'ended with 28'
  sees nginx 'upstream timed out (110: Connection timed out) while connecting to upstream'
  sees haproxy '503 sC'
  sees asyncio TimeoutError
}

@test "slow-handshake, short-writes and spurious-wakeups: every answer is whole" {
  answering well
  play real
  local policy
  for policy in slow-handshake short-writes spurious-wakeups; do
    play ruled -p $policy --seed 7
    compare
  done
  sees curl '200 100000'
}

@test "half-open-peer: as where the peer is gone without a word" {
  PATHS=(/ / /page)
  answering well
  play ruled -p half-open-peer
  answering gone
  play real
  grep -q 'reset by peer' "$WORK/redis.real.raw" || skip "a peer can be gone without a word only with CAP_NET_ADMIN"
  compare
  sees curl '200 100000'
  sees nginx 'recv() failed (104: Connection reset by peer) while reading response header from upstream'
  sees redis 'Connection reset by peer'
  sees asyncio ConnectionResetError
}

# Which call meets a reset depends on when it comes.
reset='s/.*(reset by peer|ECONNRESET|ConnectionResetError|end of file|aborted|Failed to connect).*/broken off/I; s/50[23] [SCH0-9]+/50x/
  s/ended with (7|56)/ended with 7 or 56/; s/^200 (0|[0-9]{4})$/200 part/; s/with [0-9]+ bytes/with some bytes/'

@test "reset-on-accept: as of a server that resets at once" {
  meets=$reset
  answering reset
  play real
  answering well "$SNAG" run -q -p reset-on-accept --
  play ruled
  compare
  sees curl 'ended with 56'
  sees redis 'Connection reset by peer'
  sees asyncio ConnectionResetError
}

@test "reset-mid-response: as of a server that resets after 4096 bytes" {
  meets=$reset
  answering cut
  play real
  answering well "$SNAG" run -q -p reset-mid-response --
  play ruled
  compare
  sees curl 'ended with 56'
  sees nginx 'failed (104: Connection reset by peer) while reading upstream'
  sees haproxy '200 SD'
  sees asyncio ConnectionResetError
}

@test "ephemeral-exhaustion: as where all ports are taken" {
  requires_netns
  port=25001
  local range=42000..42003
  AROUND=("$ROOT/examples/netns" 'net.ipv4.ip_local_port_range=42000 42003' -- "$PYTHON" "$HERE/peer.py" exhausted "$port" --)
  play real
  AROUND=("$ROOT/examples/netns" -- "$SNAG" run -q -p ephemeral-exhaustion --set "kernel.ip_local_port_range=$range" --
    "$PYTHON" "$HERE/peer.py" exhausted "$port" --)
  play ruled
  compare
  sees redis 'Cannot assign requested address'
  sees nginx '(99: Cannot assign requested address) while connecting to upstream'
  sees node EADDRNOTAVAIL
  sees libuv 'address not available'
}
