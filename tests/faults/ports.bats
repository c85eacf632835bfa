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
  assert_line --index 0 "held by snag itself, occupy[0] ($WORK/p.yaml:2:17): LISTEN on 127.0.0.1:$a without SO_REUSEADDR (until the session ends)"
  assert_line --index 1 --regexp "^held by snag itself, occupy\[1\] \($WORK/p.yaml:2:[0-9]+\): TIME_WAIT on 127.0.0.1:$((a + 1)) with SO_REUSEADDR \(for [34][0-9]\.[0-9] s more\)$"
  trace 'select(.call == "bind") | .why.holder | "\(.place) \(.since) \(.until)"'
  assert_line --index 0 "$WORK/p.yaml:2:17 0 null"
  assert_line --index 1 --regexp "^$WORK/p.yaml:2:[0-9]+ 0 40$"
  trace 'select(.call == "bind") | .why.fix'
  assert_line --index 0 "another port; or the policy without occupy[0]"
  assert_line --index 1 --regexp "another port; SO_REUSEADDR on this socket too; a new attempt after .* s; or the policy without occupy\[1\]"
}

# seen_from_outside ADDR:PORT: what `snag why --json` says of who is in the way
seen_from_outside() {
  run bash -c '"$0" why "$@" --json | jq -r "[.why.code, .errno] + (.why.holder | [.occupant, .state, .comm, .session,
    .place != null, .until != null]) | map(tostring) | join(\" \")"' "$SNAG" "$@"
}

@test "snag why and snag ports name the entry or the rule, until when, and what to do" {
  local a session=occupied-$$ keeper
  a=$(free_port)
  policy "occupy: [{port: $a}, {port: $((a + 1)), as: time_wait, for: 50s}, {port: $((a + 2)), proto: udp, addr: any, for: 50s}]
rules: [{name: thief, call: close, do: {steal: 50s}}]"
  "$SNAG" run -q --session "$session" -p "$WORK/p.yaml" -- "$PYTHON" -c "$PRELUDE
s = socket.socket(); s.bind((L, 0)); p = s.getsockname()[1]; s.close()
print(p, flush=True); until(lambda: os.path.exists('$WORK/end'))" >"$WORK/port" 3>&- &
  keeper=$!
  wait_for test -s "$WORK/port"
  seen_from_outside "127.0.0.1:$a"
  assert_output "held EADDRINUSE occupy[0] listen snag $session true false"
  seen_from_outside "127.0.0.1:$((a + 1))"
  assert_output "held EADDRINUSE occupy[1] time_wait snag $session true true"
  seen_from_outside udp "0.0.0.0:$((a + 2))"
  assert_output "held EADDRINUSE occupy[2] bound snag $session true true"
  seen_from_outside "127.0.0.1:$(cat "$WORK/port")"
  assert_output "held EADDRINUSE rule thief bound snag $session false true"
  run "$SNAG" why "127.0.0.1:$a"
  assert_line --partial "held by snag itself, session $session, occupy[0] ($WORK/p.yaml:2:17): LISTEN on 127.0.0.1:$a without SO_REUSEADDR (until the session ends)"
  assert_line --regexp "would work with: another port, such as [0-9]+; .*; or the policy without occupy\[0\]$"
  run "$SNAG" why "127.0.0.1:$((a + 1))"
  assert_line --regexp "would work with: SO_REUSEADDR on this socket; .*; a new attempt after [0-9.]+ s; or the policy without occupy\[1\]$"
  run "$SNAG" why "127.0.0.1:$((a + 1))" --reuseaddr
  assert_success
  assert_line --partial "beside snag itself, session $session, occupy[1]"

  run "$SNAG" ports "$session"
  assert_line --regexp "tcp +listen +127.0.0.1:$a .* snag\[$keeper\] fd [0-9]+ for occupy\[0\] \($WORK/p.yaml:2:17\) until the session ends$"
  assert_line --regexp "tcp +bound .* s left +snag\[$keeper\] fd [0-9]+ for rule thief$"
  "$SNAG" ports "$session" --json >"$WORK/ports"
  run jq -r '.sockets[] | select(.occupant) | "\(.occupant) \(.state) \(.local | split(":")[-1]) \(.holders[0].comm) " +
    "\(.place != null) \(if .until then .until - .since | round else null end) \(.left != null and .left > 0 and .left <= .until)"' "$WORK/ports"
  assert_equal "$(sort <<<"$output")" "occupy[0] listen $a snag true null false
occupy[1] time_wait $((a + 1)) snag true 50 true
occupy[2] bound $((a + 2)) snag true 50 true
rule thief bound $(cat "$WORK/port") snag false 50 true"

  touch "$WORK/end"
  wait "$keeper"
  run "$SNAG" why "127.0.0.1:$a"
  assert_success
  refute_output --partial occupy
}

@test "occupy beside a virtual kernel: the machine's own refusals, and no prediction that is wrong" {
  local a text
  a=$(free_port)
  policy "occupy: [{port: $a}, {port: $((a + 1)), as: time_wait, for: 50s}, {port: $((a + 2)), as: bound}]
kernel: {time_wait: 2s, ip_unprivileged_port_start: 0}"
  text="print([take(p, r) for p in range($a, $a + 4) for r in (0, 1)], [reach(p) for p in range($a, $a + 3)])"
  with -p "$WORK/p.yaml" --audit -- "$text"
  assert_success
  assert_line --index 0 "['EADDRINUSE', 'EADDRINUSE', 'EADDRINUSE', 'ok', 'EADDRINUSE', 'EADDRINUSE', 'ok', 'ok'] ['ok', 'ECONNREFUSED', 'ECONNREFUSED']"
  assert_line --regexp "^audit: [0-9]+ right, 0 wrong, "
  trace 'select(.call == "bind" and .errno) | "\(.by) \(.why.code) \(.why.holder.occupant)"'
  assert_output "kernel held occupy[0]
kernel held occupy[0]
kernel held occupy[1]
kernel held occupy[2]
kernel held occupy[2]"
  # Without the virtual kernel each refusal is foretold, where the other's options do not matter.
  sed -i '/^kernel/d' "$WORK/p.yaml"
  with -p "$WORK/p.yaml" --audit -- "print(*[take(p) for p in range($a, $a + 3)])"
  assert_success
  assert_line --index 0 "EADDRINUSE EADDRINUSE EADDRINUSE"
  trace 'select(.call == "bind" and .errno) | "\(.model) \(.model_when)"'
  assert_equal "$(sort -u <<<"$output")" "EADDRINUSE null"
}

@test "occupy: begins and ends on time, which the trace tells" {
  local a
  a=$(free_port)
  policy "occupy:
  - {port: $a, for: 3s}
  - {port: $((a + 1)), from: 2s, for: 3s, as: bound}
  - {port: $((a + 2)), as: time_wait, for: 4s}"
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
  run jq -s 'map(select(.call == "occupy") | .t) | . == sort and .[2] >= 2 and .[3] >= 3 and .[4] >= 4 and .[5] >= 5' "$WORK/trace.jsonl"
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
  assert_output --regexp "^$WORK/p.yaml:2:[0-9]+: error: occupy\[1\]: tcp 127.0.0.1:$a cannot be taken: Address already in use; held by python3[^[]*\[$holder\] fd 3 on 0.0.0.0:$a$"
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

# ---- time_wait ----

# What a new socket meets with each pair of SO_REUSEADDR of the old one and the new one; then a client.
MEETS='
def row(leave):
    for old in (0, 1):
        p = leave(old)
        print(old, take(p), take(p, 1), take(p, 0, "127.0.0.2"), take(p, 0, "0.0.0.0"), reach(p))
def bound(old):
    s = tcp(old); s.bind((L, 0)); p = s.getsockname()[1]; s.close()
    s = tcp(old); s.bind((L, p)); return s, p
'

@test "time_wait on close: a restart meets what a real TIME_WAIT gives" {
  with --rule 'close role=listener: time_wait=50s' -- "$MEETS
def leave(old):
    s, p = bound(old); s.listen(); s.close(); return p
row(leave)"
  assert_success
  assert_output "0 EADDRINUSE EADDRINUSE ok EADDRINUSE ECONNREFUSED
1 EADDRINUSE ok ok EADDRINUSE ECONNREFUSED"
  local made=$output
  with --rule 'close state=bound limit=2: time_wait=50s' -- "$MEETS
def leave(old):
    s = tcp(old); s.bind((L, 0)); p = s.getsockname()[1]; s.close(); return p
row(leave)"
  assert_output "$made"
  # a real one: closed first on this side
  run "$PYTHON" -c "$PRELUDE$MEETS
def leave(old):
    s, p = bound(old); s.listen(); c = socket.create_connection((L, p)); a, _ = s.accept(); a.close(); s.close(); c.close(); return p
row(leave)"
  assert_output "$made"
}

@test "time_wait on close: on a port of every address, IPv6, and by a connection that its peer closed first" {
  with --rule 'close role=listener: time_wait=50s' --rule 'close state=close_wait: time_wait=50s' -- "
for host, family in (('0.0.0.0', socket.AF_INET), ('::', socket.AF_INET6), ('::1', socket.AF_INET6)):
    s = tcp(0, family); s.bind((host, 0)); p = s.getsockname()[1]; s.listen(); s.close()
    print(take(p, 0, host), take(p, 0, '127.0.0.2'))
s = tcp(); s.bind((L, 0)); s.listen(); c = tcp(); c.bind((L, 0)); p = c.getsockname()[1]; c.connect(s.getsockname())
a, _ = s.accept(); a.close(); print(c.recv(1)); c.close(); print(take(p))"
  assert_success
  assert_output "EADDRINUSE ok
EADDRINUSE ok
EADDRINUSE ok
b''
EADDRINUSE"
}

@test "time_wait: all processes of the session meet it, and others; it ends on time, by the virtual clock" {
  with --rule 'close role=listener limit=1: time_wait=40s' --set kernel.clock=10 -- "
s = tcp(); s.bind((L, 0)); s.listen(); p = s.getsockname()[1]; s.close()
os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', '''
import socket
s = socket.socket()
try: s.bind((\"127.0.0.1\", %d)); print(\"ok\")
except OSError as e: print(\"in use\")''' % p])
env = {k: v for k, v in os.environ.items() if not k.startswith(('LD_', 'SNAG_SESSION', 'SNAG_INHERITED'))}
print(until(lambda: take(p) == 'ok'))"
  assert_success
  assert_output "in use
True"
  run jq -s 'map(select(.call == "occupy")) | map(.what) == ["begin", "end"] and (.[1].t - .[0].t | . > 3 and . < 20)' "$WORK/trace.jsonl"
  assert_output true
}

@test "time_wait on bind: the port is found in it; SO_REUSEADDR, which the predecessor had too, cures it" {
  local a
  a=$(free_port)
  with --rule "bind port=$a first=1: time_wait=50s" --rule "bind port=$((a + 1)) first=1: time_wait=50s" -- "
print(take($a), take($a), take($a, 1))
print(take($a + 1, 1), take($a + 1), take($a + 1, 1))
s = socket.socket(); print(name(s.bind, (L, 0)))"
  assert_success
  assert_output "EADDRINUSE EADDRINUSE EADDRINUSE
ok EADDRINUSE ok
ok"
  trace 'select(.call == "bind" and .errno) | "\(.by) \(.why.code) \(.why.holder.occupant) \(.why.holder.state)"'
  assert_output "rule held rule rule1 time_wait
kernel held rule rule1 time_wait
kernel held rule rule1 time_wait
kernel held rule rule2 time_wait"
}

@test "what cannot be carried out leaves the call alone and says why" {
  local a
  a=$(free_port)
  with --rule "bind port=$a: time_wait=50s" --rule 'connect: self_connect' -- "
d = tcp(1); d.bind((L, 0)); d.listen(); print(reach(d.getsockname()[1]))
c = tcp(); c.bind((L, 0)); print(name(c.connect, d.getsockname()))
t = tcp(); t.bind((L, $a + 1)); print(name(t.bind, (L, $a)), take($a + 1))
c = tcp(); c.settimeout(0.05); print(name(c.connect, ('192.0.2.1', 9)) != 'ok')"
  assert_success
  assert_output "ok
ok
EINVAL EADDRINUSE
True"
  trace 'select(.note) | "\(.call) \(.by) \(.note)"'
  assert_output "connect kernel the port is in use already
connect kernel the socket is bound to another address
bind kernel the socket has an address already
connect kernel no interface has this address"
  run "$SNAG" trace --call bind "$WORK/trace.jsonl"
  assert_output --partial "matched rule rule1
         not carried out: the socket has an address already"
}

@test "time_wait on close: fclose, dup2, dup3, close_range, closefrom, with one descriptor or at the last of several" {
  local way
  for way in close fclose dup2 dup3 close_range closefrom syscall syscall-range dups vfork; do
    run timeout 20 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'close limit=1: time_wait=50s' -- "$PROGRAMS/closing" $way 3>&-
    assert_failure 99
    assert_output --partial "Address already in use"
    trace 'select(.call == "bind" and .errno) | .why.holder | "\(.occupant) \(.state)"'
    assert_output "rule rule1 time_wait"
  done
}

# What is said of a port whose listener had a process that has ended so.
ENDS='
def ended(how, reuse=0):
    r, w = os.pipe(); pid = os.fork()
    if not pid:
        s = tcp(reuse); s.bind((L, 0)); s.listen(); d = s.dup(); os.write(w, b"%d" % s.getsockname()[1])
        how()
    os.close(w); os.waitpid(pid, 0); return int(os.read(r, 9))
def run_true(): os.execv("/bin/true", ["true"])
def killed(): os.kill(os.getpid(), 9)
ways = [sys.exit, lambda: os._exit(0), os.abort, killed, run_true]
'

@test "time_wait on close: a server that exits, is killed or executes another program leaves what closing leaves" {
  with --rule 'close role=listener: time_wait=50s' -- "$ENDS
for how in ways: p = ended(how); q = ended(how, 1); print(take(p), take(p, 1), take(q), take(q, 1), reach(p))"
  assert_success
  assert_line --index 0 "EADDRINUSE EADDRINUSE EADDRINUSE ok ECONNREFUSED"
  assert_equal "$(sort -u <<<"$output")" "${lines[0]}"
  assert_equal ${#lines[@]} 5
  trace 'select(.call == "bind" and .errno) | "\(.why.holder.occupant) \(.why.holder.state)"'
  assert_equal "$(sort -u <<<"$output")" "rule rule1 time_wait"
}

@test "steal: from a process that ends" {
  with --rule 'close: steal=50s' -- "$ENDS
for how in ways: p = ended(how, 1); print(take(p), take(p, 1), reach(p))"
  assert_success
  assert_line --index 0 "EADDRINUSE EADDRINUSE ECONNREFUSED"
  assert_equal "$(sort -u <<<"$output")" "${lines[0]}"
}

@test "time_wait on close: the last of several processes leaves it; counts are of ends that could leave it" {
  with --rule 'close role=listener first=1: time_wait=50s' -- "
r, w = os.pipe(); s = tcp(); s.bind((L, 0)); s.listen(); p = s.getsockname()[1]
pid = os.fork()
if not pid:
    s.close(); os.close(w); os.read(r, 1); os._exit(0)
other = os.fork()
if not other:
    os.close(w); os.read(r, 1); os._exit(0)
s.close(); print(reach(p)); os.close(w)
for i in (pid, other): os.waitpid(i, 0)
print(take(p))"
  assert_success
  assert_output "ok
EADDRINUSE"
}

# ---- steal ----

@test "steal: a port that was handed out is gone between close and bind, for a while" {
  with --rule 'close: steal=4s' -- "
def handed_out(listens, kind=socket.SOCK_STREAM):
    s = socket.socket(type=kind); s.bind((L, 0)); p = s.getsockname()[1]
    if listens: s.listen()
    s.close(); return p
p, q, u = handed_out(False), handed_out(True), handed_out(False, socket.SOCK_DGRAM)
print(take(p), take(p, 1), reach(p), take(q), take(q, 1), reach(q), take(u, 0, L, socket.SOCK_DGRAM), take(u))
print(*[until(lambda: take(*a) == 'ok') for a in ((p,), (q,), (u, 0, L, socket.SOCK_DGRAM))])
print(take(p))"
  assert_success
  assert_output "EADDRINUSE EADDRINUSE ECONNREFUSED EADDRINUSE EADDRINUSE ECONNREFUSED EADDRINUSE ok
True True True
ok"
  trace 'select(.call == "bind" and .errno) | .why.holder.occupant'
  assert_line --index 0 "rule rule1"
}

@test "steal: not from a socket that named its port, nor from a connection" {
  local a
  a=$(free_port)
  with --rule 'close: steal=50s' -- "
print(take($a), take($a))
s = tcp(1); s.bind((L, $a)); s.listen(); c = socket.create_connection((L, $a)); x, _ = s.accept()
x.close(); c.close(); s.close(); print(take($a, 1))"
  assert_success
  assert_output "ok ok
ok"
  trace 'select(.rule)'
  assert_output ""
}

# ---- self_connect ----

@test "self_connect: blocking, poll, select, epoll, edges: as a real one, IPv4 and IPv6" {
  local a made host
  a=$(free_port)
  for host in 127.0.0.1 127.0.0.9 ::1; do
    run timeout 60 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule 'connect: self_connect' -- "$PROGRAMS/selfconn" rule $host "$a" 3>&-
    assert_success
    assert_line --index 0 "blocking: connect=ok error=ok ends=1 again=EISCONN/EISCONN sent=5 got=5 hello end=0"
    made=$output
    run timeout 60 "$PROGRAMS/selfconn" real $host "$a" 3>&-
    assert_output "$made"
  done
  trace 'select(.call == "connect" and .by == "rule") | .state' 
  assert_line --index 0 established
}

@test "self_connect: to the wildcard, and when the rule is told to stop" {
  local a
  a=$(free_port)
  with --rule 'connect limit=1: self_connect' -- "
s = tcp(1); s.connect(('0.0.0.0', $a)); print(s.getsockname() == s.getpeername() == (L, $a)); s.close()
print(reach($a))"
  assert_output "True
ECONNREFUSED"
}

# ---- crash points ----

# crash HOW CALL: a server that dies at a point of its life, by a rule or by its own hand, and is started again. Each life
# tells how far it came; the parent is its client.
CRASH='
import signal
how, point = sys.argv[1], sys.argv[2]
def step(who, name_, f, *a):
    if who and how == "hand" and point == "before " + name_: os.kill(os.getpid(), signal.SIGKILL)
    r = f(*a)
    if who and how == "hand" and point == "after " + name_: os.kill(os.getpid(), signal.SIGKILL)
    os.write(1, (name_ + " ").encode()); return r
def serve(who, port, reuse):
    s = tcp(reuse)
    try:
        step(who, "bind", s.bind, (L, port)); step(who, "listen", s.listen)
        select.select([s], [], [])
        a, _ = step(who, "accept", s.accept); step(who, "close", a.close)
    except OSError as e: os.write(1, (errno.errorcode[e.errno] + " ").encode())
    os._exit(0)
def life(who, port, reuse):
    r, w = os.pipe(); pid = os.fork()
    if not pid: os.dup2(w, 1); serve(who, port, reuse)
    os.close(w); said, c = b"", None
    while data := os.read(r, 64):
        said += data
        if b"listen" in said and not c: c = socket.create_connection((L, port))
    os.close(r); print(said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), end=" ")
    if c:
        c.settimeout(5)
        try: print("client", c.recv(1))
        except OSError as e: print("client", type(e).__name__)
    else: print("no client")
    return c
port, reuse = int(sys.argv[3]), int(sys.argv[4])
first = life(True, port, reuse)
second = life(False, port, reuse)
'

@test "crash points: a server killed right before and right after a call leaves what a real kill leaves" {
  local call when reuse point rule made
  for call in bind listen accept close; do
    for when in before after; do
      reuse=$([ "$when" = after ] && echo 1 || echo 0)
      point="$when $call"
      rule="$call first=1: signal=SIGKILL"
      if [ "$call" = close ]; then rule="close role=accepted first=1: signal=SIGKILL"; fi
      if [ "$when" = after ]; then rule+=" after_call=true"; fi
      run timeout 60 "$SNAG" run -q -o "$WORK/trace.jsonl" --rule "$rule" -- "$PYTHON" -c "$PRELUDE$CRASH" rule "$point" "$(free_port)" "$reuse" 3>&-
      assert_success
      made=$output
      run timeout 60 "$PYTHON" -c "$PRELUDE$CRASH" hand "$point" "$(free_port)" "$reuse"
      assert_success
      echo "$point: $output"
      assert_equal "$made" "$output"
      assert_line --index 0 --partial -- "-9 "
      # the session is whole: nothing lost, every process has its end, and the session has its own
      run jq -rs 'map(select(.call == "lost")) | length' "$WORK/trace.jsonl"
      assert_output 0
      run jq -s '(map(select(.call == "process" and .what == "start") | .pid) | sort) == (map(select(.call == "process" and .what == "end") | .pid) | sort) and .[-1].what == "end" and any(.[]; .call == "rule" and .signal == "SIGKILL")' "$WORK/trace.jsonl"
      assert_output true
    done
  done
}

# ---- real programs ----

nginx_conf() {
  mkdir -p "$WORK/www"
  echo hello >"$WORK/www/index.html"
  cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log $WORK/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
  uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$1; root $WORK/www; } }
CONF
}

greets() { [ "$(curl -s "http://127.0.0.1:$1/")" = hello ]; }

# nginx_under PORT OPTION...: runs it until it answers, and ends it.
nginx_under() {
  local port=$1; shift
  nginx_conf "$port"
  timeout 60 "$SNAG" run -q "$@" -o "$WORK/trace.jsonl" -- nginx -c "$WORK/nginx.conf" -p "$WORK" 3>&- &
  local pid=$!
  wait_for greets "$port"
  kill "$pid"
  wait "$pid" || true
}

@test "nginx tries again until an occupied port is free, and does not mind a TIME_WAIT" {
  requires nginx curl
  local a
  a=$(free_port)
  policy "occupy: [{port: $a, as: bound, for: 1s}]"
  nginx_under "$a" -p "$WORK/p.yaml"
  run grep -c "bind() to 127.0.0.1:$a failed (98: Address already in use)" "$WORK/error.log"
  assert [ "$output" -ge 1 ]
  trace 'select(.call == "bind" and .errno) | .why.holder.occupant'
  assert_line --index 0 "occupy[0]"
  a=$(free_port)
  nginx_under "$a" -p time-wait-restart
  trace 'select(.call == "bind") | "\(.ret) \(.by)"'
  assert_output "0 rule"
}

@test "redis ends where its port is in the way" {
  requires redis-server
  local a
  a=$(free_port)
  policy "occupy: [{port: $a}]"
  run timeout 20 "$SNAG" run -q -p "$WORK/p.yaml" -- redis-server --port "$a" --bind 127.0.0.1 --save '' --dir "$WORK" 3>&-
  assert_failure 1
  assert_output --partial "Address already in use"
}
