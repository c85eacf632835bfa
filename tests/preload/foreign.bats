#!/usr/bin/env bats
# shellcheck disable=SC2154
# Sockets outside the session: named under a refusal, remembered, and looked up again before they are believed.

load ../helper

setup() { setup_work; }
teardown() {
  [ -z "${holder:-}" ] || kill "$holder" 2>/dev/null
  [ -z "${open:-}" ] || rm -rf "$open"
  teardown_work
}

# hold CODE: python code in the background that sets s and p; ends when told on its stdin.
hold() {
  mkfifo "$WORK/go"
  "$PYTHON" -c "
import socket, sys
$1
print(p, flush=True)
sys.stdin.readline()
s.close()
print('closed', flush=True)
sys.stdin.readline()" <"$WORK/go" >"$WORK/said" 3>&- &
  holder=$!
  exec 9>"$WORK/go"
  wait_for test -s "$WORK/said"
  port=$(head -n1 "$WORK/said")
}

# binds OPTION: a program that binds three times, lets the holder go, and binds again.
binds() {
  cat >"$WORK/p.py" <<PY
import os, socket, time
def bind():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.$1, $2)
    try:
        s.bind(("127.0.0.1", $port))
        return 0
    except OSError as e:
        return e.errno
    finally:
        s.close()
first = [bind() for i in range(3)]
os.write(9, b"go\n")
while "closed" not in open("$WORK/said").read():
    time.sleep(0.01)
print(first, bind())
PY
}

# events: the bind events, one word a line: errno model model_why model_when holder's pid
events() {
  "$PYTHON" - "$WORK/t.jsonl" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r["call"] == "bind":
        h = r.get("why", {}).get("holder", {})
        print(r.get("errno", "ok"), r["model"], r.get("model_why", "-"), r.get("model_when", "-"), h.get("pid", "-"), h.get("state", "-"), "sock" in h, "diverged" in r)
PY
}

@test "a listener outside the session: named, believed while it is there, forgotten when it is gone" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  binds SO_REUSEADDR 0
  run "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py"
  assert_output "[98, 98, 98] 0"
  run events
  assert_line --index 0 "EADDRINUSE EADDRINUSE foreign after $holder listen False False"
  assert_line --index 1 "EADDRINUSE EADDRINUSE - - $holder listen False False"
  assert_line --index 2 "EADDRINUSE EADDRINUSE - - $holder listen False False"
  assert_line --index 3 "ok ok - - - - False False"
  run "$SNAG" trace "$WORK/t.jsonl"
  assert_output --regexp "held by python3[^ ]*\[$holder\] fd 3: LISTEN on 127.0.0.1:$port"
  exec 9>&-
}

@test "under --audit it is known before the call, and nothing is wrong" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  binds SO_REUSEADDR 1
  run "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py"
  assert_success
  assert_line "[98, 98, 98] 0"
  assert_line --regexp "^audit: [0-9]+ right, 0 wrong, 0 unknown"
  run events
  assert_line --index 0 "EADDRINUSE EADDRINUSE - - $holder listen False False"
  assert_line --index 3 "ok ok - - - - False False"
  exec 9>&-
}

@test "where its options decide, which the kernel does not tell, the prediction is withheld" {
  hold 's = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]'
  binds SO_REUSEADDR 1
  run "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py"
  assert_success
  assert_line "[0, 0, 0] 0"
  run events
  assert_line --index 0 "ok unknown foreign - - - False False"
  exec 9>&-
}

@test "UDP" {
  hold 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]'
  binds SO_REUSEADDR 0
  sed -i 's/socket.socket()/socket.socket(socket.AF_INET, socket.SOCK_DGRAM)/' "$WORK/p.py"
  run "$SNAG" run -q --audit -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py"
  assert_success
  assert_line "[98, 98, 98] 0"
  run events
  assert_line --index 0 "EADDRINUSE EADDRINUSE - - $holder bound False False"
  exec 9>&-
}

@test "a holder whose process is hidden is named by uid and inode" {
  [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
  requires setpriv
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  open=$(mktemp -d /tmp/snag-test.XXXXXX)
  cp "$SNAG" "$LIB" "$open"
  printf 'import socket\ntry: socket.socket().bind(("127.0.0.1", %s))\nexcept OSError: pass\n' "$port" >"$open/p.py"
  chmod 755 "$open"
  cd "$open"
  run setpriv --reuid 65534 --regid 65534 --clear-groups "$open/snag" run -- "$PYTHON" "$open/p.py"
  assert_output --regexp "held by a process of uid 0 \(socket inode [0-9]+\): LISTEN on 127.0.0.1:$port"
  exec 9>&-
}

@test "nothing stays open, and errno is the call's own" {
  hold 's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); p = s.getsockname()[1]'
  cat >"$WORK/p.py" <<PY
import os, socket
s = socket.socket()
before = os.listdir("/proc/self/fd")
try: s.bind(("127.0.0.1", $port))
except OSError as e: print(e.errno)
print(os.listdir("/proc/self/fd") == before)
PY
  run "$SNAG" run -q -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/p.py"
  assert_output "98
True"
  exec 9>&-
}
