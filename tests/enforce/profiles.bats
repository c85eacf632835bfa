#!/usr/bin/env bats
# Whose rules hold: the same program by those of Linux, FreeBSD, macOS and the textbook.

load ../helper

setup() {
  requires python3
  setup_work
  cp "$BATS_TEST_DIRNAME/profiles.py" "$WORK"
}

teardown() {
  teardown_work
}

by_rules() {
  run timeout 60 "$SNAG" run -q --set "kernel.rules=$1" -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/profiles.py" 3>&-
  assert_success
}

# why TEXT: code and decider of the bind refusals, in their order.
whys() {
  jq -rs '[.[] | select(.call == "bind" and .errno) | .by + " " + .why.code] | join(", ")' "$WORK/t.jsonl"
}

@test "linux: as the machine itself" {
  run timeout 60 "$PYTHON" "$WORK/profiles.py" 3>&-
  local native=$output
  by_rules linux
  assert_equal "$output" "$native"
}

bsd_answers="the same address twice, SO_REUSEADDR: EADDRINUSE
the same address twice, SO_REUSEPORT: ok
the same over UDP, SO_REUSEADDR: EADDRINUSE
an address beside a listening wildcard: EADDRINUSE
TIME_WAIT, no option: EADDRINUSE
TIME_WAIT, SO_REUSEPORT of the new one: ok
TIME_WAIT, SO_REUSEADDR of the new one: ok ok
a connection, SO_REUSEADDR of the new one: ok ok"

@test "freebsd: the new socket's SO_REUSEADDR counts, and never shares one address" {
  by_rules freebsd
  assert_equal "$(head -n 8 <<<"$output")" "$bsd_answers"
  assert_line "connect to port 0: EADDRNOTAVAIL"
  refute_line "IPV6_V6ONLY: 0"
  assert_equal "$(whys)" "model held, model held, kernel real_kernel_stricter, model held"
}

@test "macos and textbook" {
  by_rules macos
  assert_equal "$(head -n 8 <<<"$output")" "$bsd_answers"
  assert_line "connect to port 0: EADDRNOTAVAIL"
  by_rules textbook
  assert_equal "$(head -n 8 <<<"$output")" "$bsd_answers"
  assert_line "connect to port 0: ECONNREFUSED"
}

# What becomes of clients that nobody accepts, of listen(2), and what the queue's limit is.
queue() {
  run timeout 60 "$SNAG" run -q --set "kernel.rules=$1" "${@:2}" -o "$WORK/t.jsonl" -- "$PYTHON" -c '
import errno, socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(2); kept = []
info = lambda: tuple(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)[i] for i in (24, 28))
said = "ok"
while said == "ok":
    c = socket.socket(); c.settimeout(0.3); kept.append(c)
    try: c.connect(s.getsockname())
    except TimeoutError: said = "nothing"
    except OSError as e: said = errno.errorcode[e.errno]
print(len(kept) - 1, said, *info())' 3>&-
}

@test "freebsd: half as many more may queue, and a client that finds the queue full is reset" {
  queue freebsd
  assert_output '4 ECONNRESET 4 3'
  run jq -r 'select(.call == "connect" and .by == "model") | .state' "$WORK/t.jsonl"
  [ "${#lines[@]}" -eq 1 ]
  queue freebsd --set kernel.somaxconn=1
  assert_output '2 ECONNRESET 2 1'
}

@test "macos, textbook: as many may queue as listen says, and the SYN of the next one is dropped" {
  local rules
  for rules in macos textbook; do
    queue $rules
    assert_output '2 nothing 2 1'
  done
  queue linux
  assert_output '3 nothing 3 2'
}

@test "freebsd: of a rule's backlog as many as the rule says" {
  queue freebsd --rule 'listen: backlog=0'
  assert_output '1 ECONNRESET 1 0'
}

@test "TIME_WAIT lasts 60, 60, 30 and 240 seconds" {
  local rules
  for rules in linux freebsd macos textbook; do
    by_rules $rules
    jq -rs '[.[] | select(.why.holder.until)][0].why.holder | .until - .since | round' "$WORK/t.jsonl"
  done >"$WORK/lengths"
  run cat "$WORK/lengths"
  assert_output "60
60
30
240"
}

@test "where the machine's own kernel is stricter, the event says so" {
  run timeout 60 "$SNAG" run -q --set kernel.rules=textbook -o "$WORK/t.txt" -- "$PYTHON" "$WORK/profiles.py" 3>&-
  run cat "$WORK/t.txt"
  assert_line --partial "the machine's own kernel refuses what the one whose rules hold would admit: held by"
}

@test "macos: a low port is open to all, and the machine's kernel is stricter" {
  requires setpriv
  [ "$(id -u)" = 0 ] || skip "needs root to become somebody else"
  setpriv --reuid 65534 --clear-groups test -x "$LIB" || skip "nobody else can reach $LIB"
  run timeout 60 setpriv --reuid 65534 --clear-groups --inh-caps=-all "$SNAG" run --set kernel.rules=macos -- \
    "$PYTHON" -c "
import socket
for addr in '0.0.0.0', '127.0.0.1':
    try: socket.socket().bind((addr, 79))
    except OSError as e: pass" 3>&-
  assert_line --partial "the machine's own kernel refuses what the one whose rules hold would admit"
  assert_line --partial "the port is below ip_unprivileged_port_start"
}
