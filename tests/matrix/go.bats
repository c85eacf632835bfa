#!/usr/bin/env bats
# A peer in Go, which no session can hold, meets what a C program in a session does to it: the same that a real peer does,
# in Go's own words.

load ../helper
load cast

setup() {
  [ -x "$BUILD/real/gopeer" ] || skip "Go is not installed: make check-programs"
  needs libuv || skip "libuv is not installed"
  requires ss
  setup_work
}

teardown() {
  stop
  teardown_work
}

stop() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
  [ -z "${server:-}" ] || wait "$server" 2>/dev/null || true
  server=
}

# for_real HOW: a plain server that does it on purpose; ruled OPTION...: a C server in a session. Both on $port.
for_real() {
  stop
  rm -f "$WORK/port"
  "$PYTHON" "$HERE/peer.py" answer "$WORK/port" "$1" 3>&- &
  server=$!
  wait_for test -s "$WORK/port"
  port=$(cat "$WORK/port")
}

ruled() {
  stop
  port=$(free_port)
  "$SNAG" run -q -o "$WORK/trace.jsonl" "$@" -- "$BUILD/real/uv" serve "$port" 3>&- &
  server=$!
  wait_for listens "$port"
}

go_peer() {
  timeout 60 "$BUILD/real/gopeer" "$@" | sed -E "s/127.0.0.1:[0-9]+/ADDR/g"
}

@test "a Go client of a server under reset-on-accept" {
  for_real reset
  run go_peer dial "$port" 5000
  assert_output --regexp 'connection reset by peer$'	# of dial, or of read
  ruled -p reset-on-accept
  run go_peer dial "$port" 5000
  assert_output --regexp 'connection reset by peer$'
}

@test "a Go client of a server under reset-mid-response: so many bytes, and the reset" {
  for_real cut
  run go_peer ask "$port" 5000 /page
  local real=$output
  ruled -p reset-mid-response
  run go_peer ask "$port" 5000 /page
  assert_output "$real"
  assert_output --regexp '^200 40[0-9]{2} read tcp .*: connection reset by peer$'
}

@test "a Go client of a server under late-accept, short-writes, spurious-wakeups: it is served" {
  local policy
  for policy in late-accept short-writes spurious-wakeups; do
    ruled -p $policy
    run go_peer ask "$port" 30000 / /page
    assert_output $'200 4 <nil>\n200 100000 <nil>'
  done
}

@test "a Go client of a server whose queue is full: as where SYNs are lost; then it is served" {
  for_real never
  run go_peer dial "$port" 1000
  local real=$output
  ruled --session "go-$$" -p accept-queue-full --set 'rules[1].do.hold=forever'
  exec 5<>"/dev/tcp/127.0.0.1/$port" 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
  run go_peer dial "$port" 1000
  assert_output "$real"
  assert_output 'dial tcp ADDR: i/o timeout'
  "$SNAG" ctl "go-$$" disable nobody-accepts
  "$SNAG" ctl "go-$$" release
  exec 5>&- 6>&- 7>&-
  run go_peer ask "$port" 30000 /
  assert_output '200 4 <nil>'
}

@test "a Go client of a server under emfile-storm, without and with a descriptor in reserve" {
  ruled --session "go-$$" -p emfile-storm --set 'rules[0].when.after=0s' --set 'rules[0].when.pulse.active=60s' \
    --set 'rules[0].when.event=now'
  "$SNAG" ctl "go-$$" fire now
  run go_peer ask "$port" 1000 /
  assert_output --regexp '(EOF|connection reset by peer|server closed idle connection)$'
  "$SNAG" ctl "go-$$" disable out-of-descriptors
  run go_peer ask "$port" 30000 /
  assert_output '200 4 <nil>'
}

@test "a Go client of a server from which nothing arrives" {
  ruled --rule 'send role=accepted: blackhole=peer'
  run go_peer ask "$port" 1000 /
  assert_output --partial 'Client.Timeout exceeded'
}

# go_server [OPTION...]: a C client under these asks a server in Go; prints what the latter says.
go_server() {
  stop
  rm -f "$WORK/port"
  "$BUILD/real/gopeer" serve "$WORK/port" >"$WORK/go" 3>&- &
  server=$!
  wait_for test -s "$WORK/port"
  port=$(cat "$WORK/port")
  timeout 30 "$SNAG" run -q "$@" -- "$BUILD/real/uv" ask "$port" 1500 / / >"$WORK/asked" 2>&1 || true
  [ ! -s "$WORK/go" ] || wait_for grep -qE 'EOF|reset' "$WORK/go"
  stop
  sed -E "s/127.0.0.1:[0-9]+/ADDR/g" "$WORK/go"
}

@test "a Go server of a client under half-open-peer: a real reset" {
  run go_server -p half-open-peer
  assert_output $'/ <nil>\nread tcp ADDR->ADDR: read: connection reset by peer'
  run cat "$WORK/asked"
  assert_output $'200 4\nread: connection reset by peer'
}

@test "a Go server of a client under slow-handshake, short-writes, spurious-wakeups: both get all" {
  local policy
  for policy in slow-handshake short-writes spurious-wakeups; do
    run go_server -p $policy --seed 7
    assert_output $'/ <nil>\n/ <nil>\nEOF'
    assert_equal "$(cat "$WORK/asked")" $'200 4\n200 4'
  done
}

@test "a Go server of a client under hanging-connect hears of nobody" {
  run go_server -p hanging-connect
  assert_output ''
  run cat "$WORK/asked"
  assert_output 'ask: connection timed out'
}
