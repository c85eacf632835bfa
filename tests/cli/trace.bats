#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# The trace: legal JSON that its schema describes, no gap, whole when the command has ended; snag trace and its filters.

load ../helper

setup() { setup_work; }
teardown() { teardown_work; }

# A server, a client, a failing bind, unix sockets with odd names, a child, a signal.
busy_program() {
  cat >"$WORK/busy.py" <<'PY'
import os, socket, sys
a = socket.socket(); a.bind(("127.0.0.1", 0)); a.listen(3)
c = socket.create_connection(a.getsockname()); b, _ = a.accept()
d = socket.socket()
try: d.bind(a.getsockname())
except OSError: pass
u = socket.socket(socket.AF_UNIX); u.bind(b"\0odd \xff\n\"name\\")
v = socket.socket(socket.AF_INET6); v.bind(("::1", 0))
w = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); w.bind(("127.0.0.1", 0)); w.connect(("127.0.0.1", 9))
b.shutdown(socket.SHUT_WR)
e = os.dup(a.fileno()); os.close(e)
p, q = socket.socketpair(); p.close(); q.close()
if os.fork() == 0:
    open("/proc/self/comm", "w").write('a"\\\n\t\xc3')
    socket.socket().close()
    os._exit(0)
os.wait()
os.execv(sys.executable, [sys.executable, "-c", "import socket; socket.socket().close()"])
PY
}

trace_busy() {
  busy_program
  "$SNAG" run -q -o "$WORK/t.jsonl" "$@" -- "$PYTHON" "$WORK/busy.py"
}

@test "every line is what the schema says, in order and without a gap" {
  trace_busy --rule 'connect name=slow: delay=1ms' --rule 'listen name=note: log="a \\ tex\t"'
  "$SNAG" schema trace >"$WORK/schema.json"
  run "$PYTHON" - "$WORK/t.jsonl" "$WORK/schema.json" <<'PY'
import json, sys
schema = json.load(open(sys.argv[2]))
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
def check(where, value, s):
    while "$ref" in s:
        at = schema
        for part in s["$ref"][2:].split("/"): at = at[part]
        s = at
    if "type" in s:
        kinds = s["type"] if isinstance(s["type"], list) else [s["type"]]
        assert any(isinstance(value, TYPES[k]) for k in kinds), (where, value, s)
    if "enum" in s: assert value in s["enum"], (where, value, s)
    if "const" in s: assert value == s["const"], (where, value, s)
    if isinstance(value, dict):
        for k in s.get("required", []): assert k in value, (where, "lacks", k)
        for k, v in value.items():
            known = s.get("properties", {})
            assert k in known or s.get("additionalProperties", True) is not False, (where, "unknown", k)
            if k in known: check(where + "." + k, v, known[k])
    if isinstance(value, list) and "items" in s:
        for v in value: check(where + "[]", v, s["items"])
assert schema["additionalProperties"] is False and "properties" in schema
seq = 0
calls = set()
with open(sys.argv[1], encoding="utf-8") as f:
    lines = f.read().split("\n")
assert lines.pop() == ""
for n, line in enumerate(lines):
    r = json.loads(line)
    check("line %d" % n, r, schema)
    for k in ("t", "seq", "pid", "call"): assert k in r, (n, k)
    seq += 1
    assert r["seq"] == seq, (r["seq"], seq)
    seq += r["count"] - 1 if r["call"] == "lost" and r["what"] == "events" else 0
    calls.add(r["call"])
first = json.loads(lines[0])
assert first["call"] == "session"
for k in ("version", "seed", "policy", "kernel", "clock", "mode", "name"): assert k in first, k
assert json.loads(lines[-1])["what"] == "end"
want = {"socket", "bind", "listen", "connect", "shutdown", "close", "fcntl", "socketpair", "process", "session"}
assert want <= calls, want - calls
print("good")
PY
  assert_output good
}

@test "sockets keep their number, processes tell their start, exec and end" {
  trace_busy
  # One socket from its making to its close: the listener and its accepts.
  run jq -c '. as $r | select(.call == "listen") | .sock' "$WORK/t.jsonl"
  local sock=$output
  assert_equal "$(jq -r "select(.sock == $sock).call" "$WORK/t.jsonl" | head -n 3 | xargs)" "socket bind listen"
  assert_equal "$(jq -r "select((.call | startswith(\"accept\")) and .ret >= 0) | .listener" "$WORK/t.jsonl")" "$sock"
  assert_equal "$(jq -r 'select(.call == "process").what' "$WORK/t.jsonl" | sort | uniq -c | awk '{ print $2 $1 }' | xargs)" \
    "end2 exec1 start2"
}

@test "a name of odd bytes stays one legal line" {
  trace_busy
  assert_equal "$(jq -r 'select(.call == "bind" and .proto == "unix").addr' "$WORK/t.jsonl" | od -An -c | tr -d ' \n')" \
    "@odd303277\\n\"name\\\\n"
}

@test "the text names the holder and the way out" {
  trace_busy
  run "$SNAG" trace --call bind --failed "$WORK/t.jsonl"
  assert_success
  assert_line --index 0 --regexp '^[0-9]+\.[0-9]{6} python3\[[0-9]+\] bind\([0-9]+, 127\.0\.0\.1:[0-9]+\) = -1 EADDRINUSE$'
  assert_line --index 1 --regexp '^         held by python3\[[0-9]+\] fd [0-9]+: LISTEN on 127\.0\.0\.1:[0-9]+ without SO_REUSEPORT \(since [0-9]+\.[0-9] s\)$'
  assert_line --index 2 --regexp '^         would work with: another port; 127\.0\.0\.2:[0-9]+; or close the other socket first$'
  assert_equal "${#lines[@]}" 3
}

@test "text from the ring and text from the JSONL file are the same" {
  busy_program
  # One session, seen both ways: the text that snag trace makes, against the format option's on the same program.
  "$SNAG" run -q -o "$WORK/t.txt" --format text -- "$PYTHON" "$WORK/busy.py"
  "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/busy.py"
  "$SNAG" trace "$WORK/t.jsonl" >"$WORK/t2.txt"
  # A byte that is no UTF-8 stands in JSON as the code point of its number.
  local plain='s/\\xff/\xc3\xbf/; s/^[0-9.]+ //; s/\[[0-9]+\]/[PID]/g; s/:[0-9]{2,}/:PORT/g; s/pid [0-9]+/pid PID/; s/s-[0-9]+-[0-9]+/NAME/; s/parent [0-9]+/parent PID/; s/seed [0-9]+/SEED/; s/(fork\(\)) = [0-9]+/\1 = PID/; s/ <[0-9.]+ s>//; s/since [0-9.]+/since T/'
  diff <(sed -E "$plain" "$WORK/t.txt" | sort) <(sed -E "$plain" "$WORK/t2.txt" | sort)
}

@test "filters" {
  trace_busy --rule 'connect name=mine first=1: delay=1ms'
  count() { "$SNAG" trace "$@" "$WORK/t.jsonl" | grep -cE '^[0-9]+\.[0-9]{6} '; }
  lines() { jq -c "select($1)" "$WORK/t.jsonl" | wc -l; }
  assert_equal "$(count)" "$(wc -l <"$WORK/t.jsonl")"
  assert_equal "$(count --call bind,listen)" "$(lines '.call == "bind" or .call == "listen"')"
  assert_equal "$(count --failed)" "$(lines .errno)"
  assert_equal "$(count --rule mine)" "$(lines '.rule == "mine"')"
  local pid port
  pid=$(jq -r 'select(.call == "listen").pid' "$WORK/t.jsonl")
  assert_equal "$(count --pid "$pid")" "$(lines ".pid == $pid")"
  port=$(jq -r 'select(.call == "connect" and .proto == "tcp").addr' "$WORK/t.jsonl" | grep -oE '[0-9]+$')
  assert_equal "$(count --port "$port" --call connect)" 1
}

@test "filters: groups and variants of calls, several values, options behind FILE" {
  cat >"$WORK/accept4.py" <<'PY'
import socket, ctypes
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5)
c = [socket.create_connection(s.getsockname()) for i in range(3)]
libc = ctypes.CDLL(None)
libc.accept(s.fileno(), None, None)
libc.accept4(s.fileno(), None, None, 0)
libc.accept4(s.fileno(), None, None, 0)
PY
  "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/accept4.py"
  count() { "$SNAG" trace "$WORK/t.jsonl" "$@" | grep -cE '^[0-9]+\.[0-9]{6} '; }
  assert_equal "$(count --call accept)" 3
  assert_equal "$(count --call =accept)" 1
  assert_equal "$(count --call =accept4)" 2
  assert_equal "$(count --call ' bind , listen ')" 2
  assert_equal "$(count --call bind --call session,listen)" 4
  # accept does not say the port of its listener; its bind did.
  local port
  port=$(jq -r 'select(.call == "bind").local' "$WORK/t.jsonl" | grep -oE '[0-9]+$')
  assert_equal "$(count --port "$port" --call accept)" 3
  assert_equal "$(count --port "$port" --call =accept,bind,listen,connect)" 6
  assert_equal "$(count --pid 1 --pid "$(jq -r 'select(.call == "bind").pid' "$WORK/t.jsonl")" --call bind)" 1
}

@test "every rule of an event is named, and found by --rule" {
  "$SNAG" run -q -o "$WORK/t.jsonl" --rule 'socket name=first: log="a"' --rule 'socket name=second: EMFILE' \
    --rule 'socketpair name=alone: log="b"' -- "$PYTHON" -c '
import socket
try: socket.socket()
except OSError: pass
socket.socketpair()'
  run jq -c 'select(.call == "socket" or .call == "socketpair") | [.rule, .rules]' "$WORK/t.jsonl"
  assert_output $'["second",["second","first"]]\n["alone",null]'
  for rule in first second; do
    run "$SNAG" trace --rule $rule "$WORK/t.jsonl"
    assert_output --partial "by rule second, with first"
  done
  run "$SNAG" trace --rule alone --rule none "$WORK/t.jsonl"
  assert_line --index 0 --partial 'socketpair('
}

@test "what cannot be asked for is refused in one line" {
  echo '{}' >"$WORK/t.jsonl"
  for options in "--port x" "--port 0" "--port 65536" "--pid 0" "--call nonsense" "--call bind,,listen" "--call =recvfroms" \
    "$WORK/t.jsonl"; do
    # shellcheck disable=SC2086
    run "$SNAG" trace $options "$WORK/t.jsonl"
    assert_equal "$status" 2
    assert_equal "${#lines[@]}" 1
  done
  run "$SNAG" trace
  assert_equal "$status" 2
  assert_output --partial "no FILE to print"
}

@test "what cannot be read or written is exit 1, in one line" {
  for file in "$WORK/none.jsonl" "$WORK"; do
    run "$SNAG" trace "$file"
    assert_equal "$status" 1
    assert_equal "${#lines[@]}" 1
    assert_output --partial "$file"
  done
  [ -e /dev/full ] || skip "no /dev/full"
  "$SNAG" run -q -o "$WORK/t.jsonl" -- true
  for command in "trace $WORK/t.jsonl" "trace --follow $WORK/t.jsonl" "schema" "--help" "run --help" "sessions --json"; do
    run bash -c "'$SNAG' $command >/dev/full"
    assert_equal "$status" 1
    assert_equal "${#lines[@]}" 1
    assert_output --partial "could not be written"
  done
}

@test "a damaged line is counted, the others are printed" {
  trace_busy
  sed -i '2s/^{/x/' "$WORK/t.jsonl"
  run --separate-stderr "$SNAG" trace "$WORK/t.jsonl"
  assert_equal "$status" 2
  assert_equal "$stderr" "snag trace: $WORK/t.jsonl: 1 line is no JSON object; \`snag run\` writes a trace as JSON lines with -o NAME.jsonl or --format jsonl"
  assert [ -n "$output" ]
}

@test "--follow ends when the session has ended" {
  cat >"$WORK/slow.sh" <<SH
while [ ! -e "$WORK/end" ]; do sleep 0.05; done; exec "$PYTHON" -c 'import socket; socket.socket().close()'
SH
  "$SNAG" run -q -o "$WORK/t.jsonl" -- sh "$WORK/slow.sh" 3>&- &
  local run=$!
  wait_for test -s "$WORK/t.jsonl"
  timeout 30 "$SNAG" trace --follow "$WORK/t.jsonl" >"$WORK/out" 3>&- &
  local follow=$!
  wait_for grep -q 'process start' "$WORK/out"
  refute grep -q 'socket(' "$WORK/out"
  touch "$WORK/end"
  wait $run
  wait $follow
  assert grep -q 'socket(' "$WORK/out"
  assert_equal "$(grep -cE '^[0-9]+\.[0-9]{6} ' "$WORK/out")" "$(wc -l <"$WORK/t.jsonl")"
}

@test "--follow waits for a trace that has not begun" {
  : >"$WORK/t.jsonl"
  timeout 30 "$SNAG" trace --follow "$WORK/t.jsonl" >"$WORK/out" 3>&- &
  local follow=$!
  follows() { [ "$(readlink "/proc/$(pgrep -P $follow)/fd/3")" = "$WORK/t.jsonl" ]; }
  wait_for follows
  "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" -c 'import socket; socket.socket().close()'
  wait $follow
  assert grep -q 'socket(' "$WORK/out"
}

@test "the trace on stderr keeps whole lines beside the program's own" {
  run --separate-stderr "$SNAG" run -- "$PYTHON" -c '
import os, socket
for i in range(300):
    os.write(2, b"own line\n")
    socket.socket().close()'
  assert_success
  assert_equal "$(grep -c '^own line$' <<<"$stderr")" 300
  assert_equal "$(grep -cE '^[0-9.]+ python3\[[0-9]+\] socket\(AF_INET, SOCK_STREAM\|SOCK_CLOEXEC, 0\) = [0-9]+$' <<<"$stderr")" 300
}

@test "the trace is whole when the command was killed" {
  run "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" -c '
import os, socket
for i in range(1000): socket.socket().close()
os.kill(os.getpid(), 9)'
  assert_equal "$status" 137
  assert_equal "$(grep -c '"call":"socket"' "$WORK/t.jsonl")" 1000
  assert_equal "$(jq -r 'select(.call == "process").what' "$WORK/t.jsonl" | xargs)" "start end"
  refute grep -q '"call":"lost"' "$WORK/t.jsonl"
}

@test "a full disk ends the trace with one line, not the program" {
  [ -e /dev/full ] || skip "no /dev/full"
  run --separate-stderr "$SNAG" run -q -o /dev/full -- sh -c 'exit 4'
  assert_equal "$status" 4
  assert_equal "$stderr" "snag: the trace ends here: No space left on device"
}

@test "no colour but on a terminal" {
  requires script
  run --separate-stderr "$SNAG" run -- "$PYTHON" -c 'import socket; socket.socket().connect_ex(("127.0.0.1", 1))'
  refute [ "$(grep -c $'\033' <<<"$stderr")" -gt 0 ]
  local command="'$SNAG' run -- '$PYTHON' -c 'import socket; socket.socket().connect_ex((\"127.0.0.1\", 1))'"
  run script -qec "$command" /dev/null
  assert_output --partial $'\033[31mECONNREFUSED'
  NO_COLOR=1 run script -qec "$command" /dev/null
  refute_output --partial $'\033'
}
