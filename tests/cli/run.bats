#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# snag run: exit status, refusals, signals, options.

load ../helper

setup() { setup_work; }
teardown() { teardown_work; }

@test "the command's own status" {
  for want in 0 1 7 120 255; do
    run "$SNAG" run -q -- sh -c "exit $want"
    assert_equal "$status" "$want"
  done
}

@test "128+N when a signal ended the command" {
  for signal in TERM:143 KILL:137 SEGV:139; do
    run "$SNAG" run -q -- bash -c "ulimit -c 0; kill -${signal%:*} \$\$"
    assert_equal "$status" "${signal#*:}"
  done
}

@test "output and input are the command's" {
  run --separate-stderr bash -c "echo in | '$SNAG' run -q -- sh -c 'cat; echo out; echo err >&2'"
  assert_success
  assert_equal "$output" $'in\nout'
  assert_equal "$stderr" err
}

@test "not found is 127" {
  run -127 "$SNAG" run -q -- ./no-such-program
  assert_output "snag: ./no-such-program: not found: No such file or directory"
  run -127 "$SNAG" run -q -- no-such-program
  assert_output --partial "not found on PATH"
}

@test "not executable is 126" {
  echo 'echo hi' >"$WORK/plain"
  run "$SNAG" run -q -- "$WORK/plain"
  assert_equal "$status" 126
  assert_output --partial "not executable"
  run "$SNAG" run -q -- "$WORK"
  assert_equal "$status" 126
  assert_output --partial "is a directory"
  PATH=$WORK:$PATH run "$SNAG" run -q -- plain
  assert_equal "$status" 126
}

@test "what cannot be interposed is refused with 126, in one line" {
  requires cc
  echo 'int main(void) { return 0; }' >"$WORK/main.c"
  cc -static -o "$WORK/static" "$WORK/main.c"
  cc -static-pie -o "$WORK/static-pie" "$WORK/main.c"
  printf '#!%s\n' "$WORK/static" >"$WORK/script"
  chmod +x "$WORK/script"
  for program in static static-pie script; do
    run "$SNAG" run -- "$WORK/$program"
    assert_equal "$status" 126
    assert_equal "${#lines[@]}" 1
    assert_output --partial "statically linked"
  done
}

@test "a Go program is refused, by its build id note, when it is static" {
  requires cc objcopy
  echo 'int main(void) { return 0; }' >"$WORK/main.c"
  # The note as the Go linker writes it.
  printf '\4\0\0\0\4\0\0\0\4\0\0\0Go\0\0id!!' >"$WORK/note"
  cat >"$WORK/note.S" <<ASM
.section .note.go.buildid,"a",%note
.balign 4
.incbin "$WORK/note"
ASM
  cc -static -o "$WORK/go-static" "$WORK/main.c" "$WORK/note.S"
  run "$SNAG" run -q -- "$WORK/go-static"
  assert_equal "$status" 126
  assert_output --partial "static Go program"
  cc -o "$WORK/go-dynamic" "$WORK/main.c" "$WORK/note.S"
  run "$SNAG" run -q -- "$WORK/go-dynamic"
  assert_success
  assert_output --partial "warning"
}

@test "a setuid program of another user is refused" {
  [ "$(id -u)" = 0 ] || skip "only root can make one"
  cp "$(type -P true)" "$WORK/setuid"
  chown nobody "$WORK/setuid"
  chmod 4755 "$WORK/setuid"
  run "$SNAG" run -q -- "$WORK/setuid"
  if [ "$status" -eq 0 ]; then findmnt -no OPTIONS -T "$WORK" | grep -q nosuid || fail "it ran"; return; fi
  assert_equal "$status" 126
  assert_output --partial "setuid"
}

@test "a 32-bit program is refused" {
  # An ELF header of a 32-bit machine is enough.
  printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0' >"$WORK/old"
  chmod +x "$WORK/old"
  run "$SNAG" run -q -- "$WORK/old"
  assert_equal "$status" 126
  assert_output --partial "32-bit"
}

@test "a script without #! runs, and so does one with" {
  echo 'echo plain' >"$WORK/plain"
  printf '#!/bin/sh\necho sh $0\n' >"$WORK/sh"
  printf '#! /usr/bin/env -S bash\necho env\n' >"$WORK/env"
  chmod +x "$WORK/plain" "$WORK/sh" "$WORK/env"
  run "$SNAG" run -q -- "$WORK/plain"
  assert_output plain
  run "$SNAG" run -q -- "$WORK/sh"
  assert_output "sh $WORK/sh"
  run "$SNAG" run -q -- "$WORK/env"
  assert_output env
}

@test "bad options and bad policies are 125, and the command is not started" {
  echo 'version: 2' >"$WORK/bad.yaml"
  for options in "--no-such" "--rule=bind:" "--rule=bind:_ENOSUCH" "--mode=maybe" "--timeout=soon" "--format=xml" \
    "-p=$WORK/none.yaml" "-p$WORK/bad.yaml" "--report=x.xml" "-o$WORK/no/such/dir" \
    "--session=../x" "--timeout=0s" "--output="; do
    run "$SNAG" run "${options//_/ }" -- touch "$WORK/started"
    assert_equal "$status" 125
    assert [ -n "$output" ]
    assert [ ! -e "$WORK/started" ]
  done
  run "$SNAG" run
  assert_equal "$status" 125
}

@test "a trace from before stays until there is a session" {
  echo before >"$WORK/t.txt"
  # No file may be as long as a session is.
  run bash -c "trap '' XFSZ; ulimit -f 8; '$SNAG' run -q -o '$WORK/t.txt' -- true"
  assert_equal "$status" 125
  assert_equal "$(cat "$WORK/t.txt")" before
  run "$SNAG" run -q -o "$WORK/t.txt" -- true
  assert_success
  refute grep -q before "$WORK/t.txt"
}

@test "what is not built yet is refused by its name" {
  run "$SNAG" run --report r.tap -- true
  assert_output "snag run: --report is not built yet"
}

@test "messages say what is wrong" {
  run "$SNAG" run --timeout 0s -- true
  assert_output --partial "no time to run in"
  run "$SNAG" schema policy trace
  assert_equal "$status" 2
  assert_output "snag schema: one schema at a time: policy or trace"
}

@test "every command has --help, and help names no command that is not there" {
  for command in run check trace sessions schema; do
    run "$SNAG" "$command" --help
    assert_success
    assert_line --index 0 --partial "snag $command"
    run "$SNAG" --help
    assert_output --regexp "^  $command |
  $command "
  done
  refute_output --partial keeper
  run "$SNAG" --version
  assert_output --regexp '^snag [0-9]+\.[0-9]+\.[0-9]+$'
  run "$SNAG" nonsense
  assert_equal "$status" 2
}

# as_from_a_terminal COMMAND...: a shell's background job ignores SIGINT and SIGQUIT; this one does not.
as_from_a_terminal() {
  exec "$PYTHON" -c 'import os, signal, sys
for s in signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE: signal.signal(s, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# A program that writes the signals it gets to FILE, READY when it listens to them, and ends at the second TERM.
signal_program() {
  cat >"$WORK/signals.sh" <<'SH'
for s in HUP INT QUIT USR1 USR2 WINCH; do trap "echo $s >>$1" $s; done
trap 'echo TERM >>$1; exit 9' TERM
echo READY >>$1
while :; do sleep 0.1; done
SH
}

@test "signals sent to snag run reach the command" {
  signal_program
  as_from_a_terminal "$SNAG" run -q -- bash "$WORK/signals.sh" "$WORK/got" 3>&- &
  local pid=$!
  wait_for grep -qs READY "$WORK/got"
  for signal in HUP INT QUIT USR1 USR2 WINCH; do
    kill -s $signal $pid
    wait_for grep -qx $signal "$WORK/got"
  done
  kill -s TERM $pid
  status=0; wait $pid || status=$?
  assert_equal "$status" 9
  assert_equal "$(grep -c . "$WORK/got")" 8
}

@test "what the terminal sends reaches the command once" {
  requires script
  signal_program
  # ^C typed into a terminal goes to its whole foreground group.
  mkfifo "$WORK/keys"
  as_from_a_terminal script -qec "'$SNAG' run -q -- bash '$WORK/signals.sh' '$WORK/got'" /dev/null <"$WORK/keys" >/dev/null 2>&1 3>&- &
  local pid=$!
  exec 9>"$WORK/keys"
  wait_for grep -qs READY "$WORK/got"
  printf '\003' >&9
  wait_for grep -qx INT "$WORK/got"
  kill -s TERM "$(pgrep -f "^bash $WORK/signals.sh")"
  exec 9>&-
  wait $pid || true
  assert_equal "$(grep -c INT "$WORK/got")" 1
}

@test "a signal that the starter ignores still reaches a command that listens to it" {
  cat >"$WORK/int.py" <<PY
import signal, time
signal.signal(signal.SIGINT, lambda *a: exit(6))
open("$WORK/got", "w").write("READY")
while True: time.sleep(0.05)
PY
  "$SNAG" run -q -- "$PYTHON" "$WORK/int.py" 3>&- &
  local pid=$!
  wait_for test -s "$WORK/got"
  kill -INT $pid
  status=0; wait $pid || status=$?
  assert_equal "$status" 6
}

@test "SIGHUP that the starter ignores stays ignored" {
  run bash -c "trap '' HUP; '$SNAG' run -q -- sh -c 'kill -HUP \$\$; echo alive'"
  assert_output alive
}

@test "--timeout ends the command and all of its session with 124" {
  cat >"$WORK/stubborn.sh" <<'SH'
trap '' TERM
sleep 1000 &
while :; do sleep 0.2; done
SH
  run "$SNAG" run -q --timeout 300ms -- bash "$WORK/stubborn.sh"
  assert_equal "$status" 124
  wait_for no_processes
  run "$SNAG" run -q --timeout 100s -- true
  assert_success
}

@test "\$(snag run) does not wait for what lives on in the background" {
  cat >"$WORK/leave.sh" <<SH
(exec >/dev/null 2>&1 </dev/null; exec sleep 1000) & echo \$! >"$WORK/pid"; echo finished
SH
  run timeout 20 bash -c "echo \$('$SNAG' run -q -o '$WORK/trace.jsonl' -- bash '$WORK/leave.sh')"
  assert_success
  assert_output finished
  refute gone "$(cat "$WORK/pid")"
  kill "$(cat "$WORK/pid")"
}

@test "a child that outlives the command stays in the session, which ends with it" {
  cat >"$WORK/late.py" <<PY
import os, socket, time
if os.fork() == 0:
    os.setsid()
    while not os.path.exists("$WORK/go"):
        time.sleep(0.02)
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.close()
    os._exit(0)
PY
  run "$SNAG" run -q -o "$WORK/trace.jsonl" --session "late-$$" -- sh -c "'$PYTHON' '$WORK/late.py' >/dev/null 2>&1"
  assert_success
  run jq -r 'select(.call == "bind").call' "$WORK/trace.jsonl"
  assert_output ""
  run "$SNAG" sessions --json
  assert_equal "$(jq -r ".[] | select(.name == \"late-$$\").processes" <<<"$output")" 1
  touch "$WORK/go"
  wait_for grep -q '"what":"end","name"' "$WORK/trace.jsonl"
  run jq -r 'select(.call == "bind").ret' "$WORK/trace.jsonl"
  assert_output 0
  run "$SNAG" sessions
  refute_output --partial "late-$$"
}

@test "the seed is printed where a rule draws, unless -q; --seed sets it" {
  local draws='bind chance=5%: delay=1ms'
  run --separate-stderr "$SNAG" run -o /dev/null --rule "$draws" --seed 42 -- true
  assert_equal "$stderr" "snag: seed 42"
  run --separate-stderr "$SNAG" run -o /dev/null --rule 'bind: delay=1ms jitter=1ms' --seed 42 -- true
  assert_equal "$stderr" "snag: seed 42"
  run --separate-stderr "$SNAG" run -o /dev/null -q --rule "$draws" --seed 42 -- true
  assert_equal "$stderr" ""
  run --separate-stderr "$SNAG" run -o /dev/null --rule 'bind: delay=1ms' --seed 42 -- true
  assert_equal "$stderr" ""
  run --separate-stderr "$SNAG" run -o "$WORK/t.jsonl" --rule "$draws" -- true
  local seed=${stderr#snag: seed }
  assert_equal "$(head -n 1 "$WORK/t.jsonl" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["seed"])')" "$seed"
}

@test "--summary counts calls, failures and rules" {
  echo 'import socket
for i in range(3):
    s = socket.socket()
    try: s.bind(("127.0.0.1", 0))
    except OSError: pass
    s.close()' >"$WORK/three.py"
  run --separate-stderr "$SNAG" run -o /dev/null --summary --rule 'bind first=2: EADDRINUSE' -- "$PYTHON" "$WORK/three.py"
  assert_success
  assert_equal "$(awk '$1 == "bind" { print $2, $3, $4 }' <<<"$stderr")" "3 2 2"
  assert_equal "$(awk '$1 == "close" { print $2, $3, $4 }' <<<"$stderr")" "3 0 0"
  run --separate-stderr "$SNAG" run -q --summary -- true
  assert_equal "$stderr" ""
}

bind_program() {
  cat >"$WORK/bind.py" <<'PY'
import errno, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
PY
}

@test "counts go on over processes: two binds fail, the third works" {
  bind_program
  local port
  port=$(free_port)
  run "$SNAG" run -q --rule "bind port=$port first=2: EADDRINUSE" -- \
    sh -c "for i in 1 2 3; do '$PYTHON' '$WORK/bind.py' $port; done"
  assert_success
  assert_output $'EADDRINUSE\nEADDRINUSE\nok'
}

@test "--dry-run changes nothing and says which rule would have acted" {
  bind_program
  run "$SNAG" run -q --dry-run -o "$WORK/t.jsonl" --rule 'bind name=mine: EADDRINUSE' -- "$PYTHON" "$WORK/bind.py" 0
  assert_output ok
  run jq -c 'select(.call == "bind") | [.ret, .rule, .dry, .by]' "$WORK/t.jsonl"
  assert_output '[0,"mine",true,"kernel"]'
}

@test "mode disabled and mode log leave the rules alone" {
  bind_program
  for mode in disabled log; do
    run --separate-stderr "$SNAG" run -q --mode $mode --rule 'bind: EADDRINUSE' -- "$PYTHON" "$WORK/bind.py" 0
    assert_output ok
  done
}

@test "a shipped policy is found by its name" {
  run "$SNAG" run -q -o "$WORK/t.jsonl" -p address-in-use-then-ok -- true
  assert_success
  assert_equal "$(head -n 1 "$WORK/t.jsonl" | jq -r '.policy[0]')" address-in-use-then-ok
}

@test "a library whose path has a blank, a colon and a dollar" {
  local odd="$WORK/a b:c\$d"
  mkdir "$odd"
  cp "$SNAG" "$LIB" "$odd"
  bind_program
  run "$odd/snag" run -q --rule 'bind: EADDRINUSE' -- "$PYTHON" "$WORK/bind.py" 0
  assert_output EADDRINUSE
  run bash -c "ls /dev/shm/snag-*/*.so 2>/dev/null"
  refute_output --partial "$odd"
}

@test "without libsnag.so: 125, and what to do" {
  mkdir "$WORK/alone"
  cp "$SNAG" "$WORK/alone"
  run "$WORK/alone/snag" run -q -- true
  assert_equal "$status" 125
  assert_output --partial "libsnag.so"
}

@test "another preloaded library stays" {
  run env LD_PRELOAD=libdl.so.2 "$SNAG" run -q -- sh -c 'echo "$LD_PRELOAD"'
  assert_output --regexp 'libsnag\.so:libdl\.so\.2$'
}

# Four processes at once, ten connects each, 30 % refused: what each of them met, by its place in the order of forks.
draws_program() {
  cat >"$WORK/draws.py" <<'PY'
import os, socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
pipes = []
for child in range(4):
    r, w = os.pipe()
    if os.fork() == 0:
        met = ""
        for i in range(10):
            s = socket.socket()
            try:
                s.connect(listener.getsockname())
                met += "."
            except OSError:
                met += "X"
            s.close()
        os.write(w, met.encode())
        os._exit(0)
    os.close(w)
    pipes.append(r)
for r in pipes:
    print(os.read(r, 100).decode())
for child in range(4):
    os.wait()
PY
}

@test "the same seed gives the same decisions to four processes" {
  draws_program
  local rule='connect chance=30%: ECONNREFUSED' first
  first=$("$SNAG" run -q --seed 42 --rule "$rule" -- "$PYTHON" "$WORK/draws.py")
  assert_equal "$(wc -l <<<"$first")" 4
  [[ $first = *X* && $first = *.* ]] || fail "$first"
  assert [ "$(sort -u <<<"$first" | wc -l)" -gt 1 ]
  for _ in 1 2 3; do
    run "$SNAG" run -q --seed 42 --rule "$rule" -- "$PYTHON" "$WORK/draws.py"
    assert_output "$first"
  done
  run "$SNAG" run -q --seed 43 --rule "$rule" -- "$PYTHON" "$WORK/draws.py"
  refute_output "$first"
}

@test "a run inside a run is a session of its own" {
  bind_program
  run "$SNAG" run -q -o "$WORK/outer.jsonl" -- "$SNAG" run -q -o "$WORK/inner.jsonl" --rule 'bind: EADDRINUSE' -- \
    "$PYTHON" "$WORK/bind.py" 0
  assert_output EADDRINUSE
  assert_equal "$(jq -r 'select(.call == "bind").by' "$WORK/inner.jsonl")" rule
  assert_equal "$(jq -r 'select(.call == "bind").by' "$WORK/outer.jsonl")" ""
}

@test "SNAG_POLICY, SNAG_SESSION and SNAG_TRACE count where no option says otherwise" {
  bind_program
  printf 'version: 1\nrules:\n  - {name: no-bind, call: bind, do: deny}\n' >"$WORK/deny.yaml"
  export SNAG_POLICY=$WORK/deny.yaml:flaky-connect SNAG_TRACE=$WORK/t.jsonl SNAG_SESSION=env-$$
  run "$SNAG" run -q -- "$PYTHON" "$WORK/bind.py" 0
  assert_output EACCES
  assert_equal "$(head -n 1 "$WORK/t.jsonl" | jq -c '[.name, .policy]')" "[\"env-$$\",[\"$WORK/deny.yaml\",\"flaky-connect\"]]"
  run "$SNAG" run -q --session "opt-$$" -o "$WORK/o.jsonl" --rule 'bind: EADDRINUSE' -- "$PYTHON" "$WORK/bind.py" 0
  assert_output EADDRINUSE
  assert_equal "$(head -n 1 "$WORK/o.jsonl" | jq -c '[.name, .policy]')" "[\"opt-$$\",[\"bind: EADDRINUSE\"]]"
  # Inside a session they are that session's.
  run "$SNAG" run -q -- env -u SNAG_POLICY "$SNAG" run -q -o "$WORK/inner.jsonl" -- "$PYTHON" "$WORK/bind.py" 0
  assert_output ok
  refute [ "$(head -n 1 "$WORK/inner.jsonl" | jq -r .name)" = "env-$$" ]
  # Started by a preloaded program, too, the variables are the outer session's.
  run env LD_PRELOAD="$LIB" sh -c "'$SNAG' run -q -o '$WORK/inner.jsonl' -- '$PYTHON' '$WORK/bind.py' 0"
  assert_output ok
  refute [ "$(head -n 1 "$WORK/inner.jsonl" | jq -r .name)" = "env-$$" ]
}

@test "without /proc it works as well" {
  requires unshare mount
  unshare -m --propagation private mount -t tmpfs none /proc 2>/dev/null || skip "this user cannot mount"
  bind_program
  run unshare -m --propagation private sh -c 'mount -t tmpfs none /proc && exec "$@"' sh \
    "$SNAG" run -q --rule 'bind: EADDRINUSE' -- "$PYTHON" "$WORK/bind.py" 0
  assert_output EADDRINUSE
}

@test "SNAG_SESSION joins a live session" {
  export SNAG_SESSION=join-$$
  bind_program
  echo 'while [ ! -e "$1" ]; do sleep 0.05; done' >"$WORK/waiter.sh"
  "$SNAG" run -q --rule 'bind: deny' -- sh "$WORK/waiter.sh" "$WORK/end" 3>&- &
  local keeper=$!
  lives() { "$SNAG" sessions | grep -q "^$SNAG_SESSION "; }
  wait_for lives
  SNAG_TRACE=$WORK/none.jsonl SNAG_POLICY=slow-bind run "$SNAG" run -q -- "$PYTHON" "$WORK/bind.py" 0
  assert_output EACCES
  assert [ ! -e "$WORK/none.jsonl" ]
  touch "$WORK/end"
  wait $keeper
}
