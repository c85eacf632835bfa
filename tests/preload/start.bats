#!/usr/bin/env bats
# How a preloaded program finds or starts its session, and what it says when it cannot.

load ../helper

setup() {
  setup_work
}

teardown() {
  teardown_work
}

@test "alone, without a \`snag\` beside it, the library says so and lets the program run" {
  cp "$LIB" "$WORK/libsnag.so"
  run env LD_PRELOAD="$WORK/libsnag.so" echo hello
  assert_success
  assert_line hello
  assert_line "snag: there is no \`snag\` beside $WORK/libsnag.so; the program runs without snag"
}

@test "strict: any trouble ends the program with 125" {
  cp "$LIB" "$WORK/libsnag.so"
  run env LD_PRELOAD="$WORK/libsnag.so" SNAG_ON_ERROR=strict echo hello
  assert_failure 125
  refute_line hello
}

@test "a name that is none" {
  run env LD_PRELOAD="$LIB" SNAG_SESSION=../x echo hello
  assert_success
  assert_line hello
  assert_line --partial "not a session's name: ../x"
}

@test "an installed library finds snag in bin" {
  mkdir -p "$WORK/p/bin" "$WORK/p/lib/snag"
  cp "$LIB" "$WORK/p/lib/snag/"
  cp "$SNAG" "$WORK/p/bin/"
  run env LD_PRELOAD="$WORK/p/lib/snag/libsnag.so" SNAG_TRACE="$WORK/trace.jsonl" "$PROGRAMS/closing" close
  assert_success
  assert_output 'bound again'
  run jq -r 'select(.call == "bind") | .ret' "$WORK/trace.jsonl"
  assert_output $'0\n0'
}

@test "a library named by a relative path is still there for a child in another folder" {
  cd "$(dirname "$LIB")"
  run env LD_PRELOAD=./libsnag.so SNAG_TRACE="$WORK/trace.jsonl" sh -c "cd / && env -u LD_PRELOAD '$PROGRAMS/closing' close"
  assert_success
  assert_output 'bound again'
  run jq -r 'select(.call == "bind") | .ret' "$WORK/trace.jsonl"
  assert_output $'0\n0'
}

@test "children join their parent's session, which has no name in the environment" {
  run env LD_PRELOAD="$LIB" SNAG_TRACE="$WORK/trace.jsonl" sh -c "'$PROGRAMS/closing' close; '$PROGRAMS/closing' close; true"
  assert_success
  run jq -s '[.[] | select(.call == "session" and .what == "start")] | length' "$WORK/trace.jsonl"
  assert_output 1
  run jq -r 'select(.call == "bind") | .sock' "$WORK/trace.jsonl"
  assert_output $'1\n2\n3\n4'
}

@test "mode disabled: nothing is hooked" {
  run "$SNAG" run -q --mode disabled -o "$WORK/trace.jsonl" -- "$PROGRAMS/closing" close
  assert_success
  run jq -r 'select(.call == "bind")' "$WORK/trace.jsonl"
  assert_output ''
}

@test "a killed keeper costs the trace and nothing else" {
  cat >"$WORK/p.py" <<'PY'
import glob, os, signal, socket, sys
session = os.environ["SNAG_SESSION"]
for stat in glob.glob("/proc/[0-9]*/cmdline"):
    try: args = open(stat, "rb").read().split(b"\0")
    except OSError: continue
    if b"keeper" in args and session.encode() in args:
        os.kill(int(stat.split("/")[2]), signal.SIGKILL)
        print("killed")
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen()
b = socket.socket()
try: b.bind(a.getsockname())
except OSError as e: print(e.errno)
PY
  run env LD_PRELOAD="$LIB" "$(python3 -c 'import sys; print(sys.executable)')" "$WORK/p.py"
  assert_success
  assert_output $'killed\n98'
  "$SNAG" sessions >/dev/null	# drops the dead one
}

@test "a bad policy that is passed over is told of once, whatever the program starts" {
  echo 'version: 2' >"$WORK/bad.yaml"
  LD_PRELOAD=$LIB SNAG_POLICY=$WORK/bad.yaml SNAG_ON_ERROR=passthrough \
    run sh -c '/bin/echo one; sh -c "/bin/echo two; /bin/echo three"'
  assert_success
  assert_line one
  assert_line three
  assert_equal "$(grep -c 'runs without snag' <<<"$output")" 1
}
