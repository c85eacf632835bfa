#!/usr/bin/env bats
# What a program and its peer see of a fault on a stream is what they see when it really happens: the same program is run
# twice, once with the real condition and once under a rule, and must say the same.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# same CASE RULE FAMILY...: in each family, blocking and not.
same() {
  local name=$1 rule=$2 family mode expected
  shift 2
  for family; do
    for mode in blocking nonblocking; do
      run timeout 20 "$PROGRAMS/stream" "$name" "$family" "$mode" real
      assert_success
      expected=$output
      run timeout 20 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$PROGRAMS/stream" "$name" "$family" "$mode" rule
      assert_success
      assert_equal "$family $mode: $output" "$family $mode: $expected"
      run jq -s 'map(select(.rule == "it")) | length' "$WORK/trace.jsonl"
      assert_output 1
    done
  done
}

@test "a reset with data queued: the data, ECONNRESET once, then 0" {
  same reset-queued 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
  same reset-queued 'recv role=client nth=2 name=it: reset=self' tcp4 tcp6
}

@test "a reset with nothing queued" {
  same reset-empty 'recv role=client name=it: reset=both' tcp4 tcp6
}

@test "a reset met by send: ECONNRESET, then EPIPE and SIGPIPE" {
  same reset-send 'send role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "a reset while another thread waits in recv" {
  local family expected
  for family in tcp4 tcp6; do
    run timeout 20 "$PROGRAMS/stream" reset-elsewhere $family blocking real
    expected=$output
    run timeout 20 "$SNAG" run -q --rule 'send role=client first=1: reset=both' -- \
      "$PROGRAMS/stream" reset-elsewhere $family blocking rule
    assert_output "$expected"
  done
}

@test "a reset behind the peer's FIN is EPIPE" {
  same reset-behind-fin 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "a reset whatever copies of the descriptor there are" {
  same reset-copied 'recv role=client nth=2 name=it: reset=both' tcp4 tcp6
}

@test "the peer sees a real reset" {
  same reset-peer-sees 'recv role=client name=it: reset=both' tcp4 tcp6
  same reset-peer-sees 'recv role=client name=it: reset=peer' tcp4
}

@test "a reset that only the peer has got: we hear of it when we send" {
  [ "$(id -u)" -eq 0 ] || skip 'the real condition needs root'
  same gone 'recv role=client nth=2 name=it: reset=peer' tcp4 tcp6
}

@test "a reset at accept: as one that came while it was queued" {
  same at-accept 'accept name=it: reset=both' tcp4 tcp6
}

@test "a reset at connect" {
  same at-connect 'connect name=it first=1: reset=both' tcp4 tcp6
}

@test "the end of what the peer sends" {
  same eof 'recv role=client nth=2 name=it: eof' tcp4 tcp6 unix
}

@test "a blackhole on our side" {
  same deaf 'recv role=client name=it: blackhole=self' tcp4 tcp6
}

@test "a blackhole on the peer's side" {
  same mute 'send role=client name=it: blackhole=peer' tcp4 tcp6
}

# sniffed RULE CASE: the segments of the program's run, in a network namespace of its own.
sniffed() {
  requires_netns
  run timeout 60 "${NETNS[@]}" python3 "$ROOT/tests/faults/sniff.py" \
    "$SNAG" run -q --rule "$1" -- "$PROGRAMS/stream" "$2" tcp4 blocking rule
  assert_success
}

resets() {
  grep -c 'R.* at ' <<<"$1"
}

@test "on the wire: a RST for the peer, and one for us" {
  sniffed 'recv role=client nth=2: reset=both' reset-queued
  assert_equal "$(resets "$output")" 2
}

@test "on the wire: what only we get is dropped on its way to the peer, which hears of it when it sends" {
  sniffed 'recv role=client nth=2: reset=self' reset-self
  assert_equal "$(resets "$output")" 3	# the dropped one, ours, and the answer to the peer
}

@test "on the wire: what only the peer gets" {
  sniffed 'recv role=client first=1: reset=peer' reset-peer-sees
  assert_equal "$(resets "$output")" 3	# the peer's, that of the end that vanishes unheard, and the answer to our FIN
}

@test "no privilege is needed" {
  [ "$(id -u)" -eq 0 ] || skip 'all other tests show it'
  requires setpriv
  local row name rule family expected
  chmod 755 "$BATS_TEST_TMPDIR" "$WORK"
  for row in 'reset-queued recv role=client nth=2 name=it: reset=self' 'mute send role=client: blackhole=peer' \
    'deaf recv role=client: blackhole=self' 'eof recv role=client nth=2: eof'; do
    name=${row%% *} rule=${row#* }
    for family in tcp4 tcp6; do
      run timeout 20 "$PROGRAMS/stream" "$name" $family blocking real
      expected=$output
      run timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
        "$SNAG" run -q --rule "$rule" -- "$PROGRAMS/stream" "$name" $family blocking rule
      assert_output "$expected"
    done
  done
}

# accepts ERRNO THEN: accept fails so; then the connection is still there (ok), or not (EAGAIN).
accepts() {
  run timeout 20 "$SNAG" run -q --rule "accept first=1: $1" -- "$PROGRAMS/waiting" accept
  assert_output "accept $1
then $2"
}

@test "errors of accept that speak of room leave the connection queued, those that speak of it consume it" {
  local name
  for name in EMFILE ENFILE ENOBUFS ENOMEM; do accepts $name ok; done
  for name in ECONNABORTED EPROTO EPERM; do accepts $name EAGAIN; done
}

@test "a connect that is under way is reset at its first use" {
  run timeout 30 "$SNAG" run -q --rule 'connect name=it nth=3: reset=both' -- "$PYTHON" -c "
import errno, select, socket
def name(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode[e.errno]
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(0)
full = [socket.socket() for _ in range(2)]
for f in full: f.setblocking(False); f.connect_ex(l.getsockname())
c = socket.socket(); c.setblocking(False); print(name(c.connect, l.getsockname()))
l.accept(); l.setblocking(False)
while not select.select([], [c], [], 0.1)[1]: name(l.accept)
print(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), name(c.recv, 1), name(c.recv, 1), name(c.getpeername))"
  assert_output "EINPROGRESS
0 ECONNRESET b'' ENOTCONN"
}

@test "a connect that is delayed is reset when it is there" {
  run timeout 30 "$SNAG" run -q --rule 'connect: delay=300ms' --rule 'connect: reset=both' -- "$PYTHON" -c "
import errno, select, socket
def name(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode[e.errno]
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(5)
c = socket.socket(); c.setblocking(False); print(name(c.connect, l.getsockname()), len(select.select([], [c], [], 9)[1]))
print(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), name(c.recv, 1), name(c.recv, 1))
c = socket.socket(); print(name(c.connect, l.getsockname()), name(c.recv, 1), name(c.recv, 1))"
  assert_output "EINPROGRESS 1
0 ECONNRESET b''
None ECONNRESET b''"
}
