#!/usr/bin/env bats
# Ports taken away: `occupy:`, time_wait, steal, self_connect.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

# What every python text below may use: bind() and connect() by result, a server, waiting.
PRELUDE='
import errno, os, select, socket, struct, sys, time
L = "127.0.0.1"
def name(f, *a):
    try: f(*a); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
def tcp(reuse=0, family=socket.AF_INET):
    s = socket.socket(family); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse); return s
def take(port, reuse=0, host=L, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    r = name(s.bind, (host, port))
    if r == "ok" and kind == socket.SOCK_STREAM: r = name(s.listen)
    s.close(); return r
def reach(port, host=L):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    r = name(s.connect, (host, port)); s.close(); return r
def until(f):
    for _ in range(400):
        if f(): return True
        time.sleep(0.025)
    return False
'

# with OPTION... -- PYTHON: runs the text in a session, traced into $WORK/trace.jsonl.
with() {
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  run timeout 60 "$SNAG" run -q "${options[@]}" -o "$WORK/trace.jsonl" -- "$PYTHON" -c "$PRELUDE$2" 3>&-
}

# policy TEXT: into $WORK/p.yaml
policy() {
  printf 'version: 1\n%s\n' "$1" >"$WORK/p.yaml"
}

trace() {
  run jq -r "$1" "$WORK/trace.jsonl"
}

# ---- occupy ----

@test "occupy: bound, listening and time_wait are each what a binder and a client meet of a real one" {
  local a b c
  a=$(free_port) b=$(free_port) c=$(free_port)
  policy "occupy:
  - {port: $a}
  - {port: $b, as: bound}
  - {port: $c, as: time_wait, for: 50s}"
  with -p "$WORK/p.yaml" -- "
for p in ($a, $b, $c): print(take(p), take(p, 1), take(p, 1, '127.0.0.2'), take(p, 0, '0.0.0.0'), reach(p))"
  assert_success
  assert_output "EADDRINUSE EADDRINUSE ok EADDRINUSE ok
EADDRINUSE EADDRINUSE ok EADDRINUSE ECONNREFUSED
EADDRINUSE ok ok EADDRINUSE ECONNREFUSED"
  local made=$output
  # the same by hand
  run "$PYTHON" -c "$PRELUDE
one = tcp(); one.bind((L, $a)); one.listen()
two = tcp(); two.bind((L, $b))
away = tcp(); away.bind((L, 0)); away.listen()
c = tcp(1); c.bind((L, $c)); c.connect(away.getsockname()); peer, _ = away.accept(); c.close(); peer.close()
for p in ($a, $b, $c): print(take(p), take(p, 1), take(p, 1, '127.0.0.2'), take(p, 0, '0.0.0.0'), reach(p))"
  assert_output "$made"
}

@test "occupy: udp, IPv6, every address, a range of ports" {
  local a b
  a=$(free_port) b=$(free_port)
  policy "occupy:
  - {port: $a, proto: udp}
  - {port: $a, addr: '::1', as: bound}
  - {port: $b..$((b + 1)), addr: any, as: bound}"
  with -p "$WORK/p.yaml" -- "
print(take($a, 0, L, socket.SOCK_DGRAM), take($a), take($a, 0, '::1'), take($a, 0, '::1', socket.SOCK_DGRAM))
for p in ($b, $b + 1): print(take(p), take(p, 0, '::1'), take(p, 0, '127.0.0.2'))"
  assert_success
  assert_output "EADDRINUSE ok EADDRINUSE ok
EADDRINUSE EADDRINUSE EADDRINUSE
EADDRINUSE EADDRINUSE EADDRINUSE"
}

@test "occupy: the refusal names the entry, and what would help" {
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}, {port: $((a + 1)), as: time_wait, for: 40s}]"
  with -p "$WORK/p.yaml" -- "print(take($a), take($a + 1))"
  assert_output "EADDRINUSE EADDRINUSE"
  trace 'select(.call == "bind") | .why | [.code, .holder.occupant, .holder.comm, .holder.state, .holder.local] | @csv'
  assert_output "\"held\",\"occupy[0]\",\"snag\",\"listen\",\"127.0.0.1:$a\"
\"held\",\"occupy[1]\",\"snag\",\"time_wait\",\"127.0.0.1:$((a + 1))\""
  trace 'select(.call == "bind") | .why.text'
  assert_line --index 0 "held by snag itself, occupy[0]: LISTEN on 127.0.0.1:$a without SO_REUSEADDR"
  assert_line --index 1 --regexp "^held by snag itself, occupy\[1\]: TIME_WAIT on 127.0.0.1:$((a + 1)) with SO_REUSEADDR \(for [34][0-9]\.[0-9] s more\)$"
  trace 'select(.call == "bind") | .why.fix'
  assert_line --index 0 "another port; or the policy without occupy[0]"
  assert_line --index 1 --regexp "another port; SO_REUSEADDR on this socket too; a new attempt after .* s; or the policy without occupy\[1\]"
}

@test "occupy: begins and ends on time, which the trace tells" {
  local a
  a=$(free_port)
  policy "occupy:
  - {port: $a, for: 300ms}
  - {port: $((a + 1)), from: 200ms, for: 300ms, as: bound}
  - {port: $((a + 2)), as: time_wait, for: 400ms}"
  with -p "$WORK/p.yaml" -- "
print(take($a), take($a + 1), take($a + 2))
print(until(lambda: take($a + 1) != 'ok'))
print(until(lambda: take($a) == 'ok'), until(lambda: take($a + 1) == 'ok'), until(lambda: take($a + 2) == 'ok'))"
  assert_success
  assert_output "EADDRINUSE ok EADDRINUSE
True
True True True"
  trace 'select(.call == "occupy") | "\(.entry) \(.what) \(.state)"'
  assert_output "0 begin listen
2 begin time_wait
1 begin bound
0 end listen
2 end time_wait
1 end bound"
  run jq -s 'map(select(.call == "occupy") | .t) | . == sort and .[2] >= 0.2 and .[3] >= 0.3 and .[5] >= 0.5' "$WORK/trace.jsonl"
  assert_output true
  run "$SNAG" trace --call occupy "$WORK/trace.jsonl"
  assert_line --index 0 --regexp "^0\.000000 snag\[[0-9]+\] occupy\[0\] begin: LISTEN on 127.0.0.1:$a$"
}

@test "occupy: ends with the session" {
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}, {port: $((a + 1)), as: time_wait}, {port: $((a + 2)), as: time_wait, for: 50s}]"
  with -p "$WORK/p.yaml" -- "print(take($a), take($a + 1), take($a + 2))"
  assert_output "EADDRINUSE EADDRINUSE EADDRINUSE"
  run "$PYTHON" -c "$PRELUDE
print(take($a), take($a + 1), take($a + 2))"
  assert_output "ok ok ok"
}

@test "occupy: a keeper in the background goes on with it" {
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}, {port: $((a + 1)), as: time_wait, for: 50s}]"
  mkfifo "$WORK/go"
  run timeout 20 "$SNAG" run -q -p "$WORK/p.yaml" -- bash -c "cat '$WORK/go' >/dev/null 2>&1 & disown" 3>&-
  assert_success
  run "$PYTHON" -c "$PRELUDE
print(take($a), take($a + 1))"
  assert_output "EADDRINUSE EADDRINUSE"
  : >"$WORK/go"
  run "$PYTHON" -c "$PRELUDE
print(until(lambda: take($a) == 'ok'), until(lambda: take($a + 1) == 'ok'))"
  assert_output "True True"
}

@test "occupy: before the first call of a program that is preloaded directly" {
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}]"
  LD_PRELOAD=$LIB SNAG_POLICY=$WORK/p.yaml SNAG_TRACE=$WORK/trace.jsonl run timeout 20 "$PYTHON" -c "$PRELUDE
print(take($a))" 3>&-
  assert_output EADDRINUSE
  trace 'select(.call == "bind") | .why.holder.occupant'
  assert_output "occupy[0]"
}

@test "occupy: a port that is taken already is an error that names the holder" {
  local a
  a=$(free_port)
  "$PYTHON" -c "
import socket, time
s = socket.socket(); s.bind(('0.0.0.0', $a)); s.listen(); time.sleep(30)" 3>&- &
  local holder=$!
  wait_for listens "$a"
  policy "occupy: [{port: $((a + 1))}, {port: $a}]"
  run timeout 20 "$SNAG" run -q -p "$WORK/p.yaml" -- touch "$WORK/ran" 3>&-
  assert_failure 125
  assert_output --regexp "^snag: occupy\[1\]: tcp 127.0.0.1:$a cannot be taken: Address already in use; held by python3[^[]*\[$holder\] fd 3 on 0.0.0.0:$a$"
  LD_PRELOAD=$LIB SNAG_POLICY=$WORK/p.yaml run timeout 20 touch "$WORK/ran" 3>&-
  assert_failure 125
  assert [ ! -e "$WORK/ran" ]
  # later it is no error, but a record
  policy "occupy: [{port: $a, from: 50ms}]"
  with -p "$WORK/p.yaml" -- "
open(os.environ['SNAG_TEST_WORK'] + '/up', 'w').close()
until(lambda: 'failed' in open(os.environ['SNAG_TEST_WORK'] + '/trace.jsonl').read())"
  assert_success
  trace 'select(.call == "occupy") | "\(.what) \(.errno)"'
  assert_output "failed EADDRINUSE"
  kill "$holder"
}

@test "occupy: modes below inject leave it, with a warning; --dry-run takes nothing" {
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}]"
  with -p "$WORK/p.yaml" --mode log -- "print(take($a))"
  assert_output "--mode: warning: mode: log ignores occupy; mode: inject carries them out
ok"
  with -p "$WORK/p.yaml" --dry-run -- "print(take($a))"
  assert_output ok
}
