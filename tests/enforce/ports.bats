#!/usr/bin/env bats
# ip_local_port_range and tcp_tw_reuse of the virtual kernel, beside a machine that really has them.

load ../helper

setup() {
  requires python3
  setup_work
  cp "$BATS_TEST_DIRNAME/ephemeral.py" "$WORK"
  requires_netns
}

teardown() {
  teardown_work
}

# alone COMMAND...: in a network namespace of its own.
alone() {
  run timeout 60 "${NETNS[@]}" "$@" 3>&-
}

# natively LOW: what a machine with the four ports from LOW answers.
natively() {
  alone bash -c "echo $1 $(($1 + 3)) >/proc/sys/net/ipv4/ip_local_port_range
    exec '$PYTHON' '$WORK/ephemeral.py' $1 25000"
  assert_success
  native=$output
}

# virtually LOW KEY=VALUE...: and the virtual kernel.
virtually() {
  local low=$1 sets=(--set "kernel.ip_local_port_range=$1..$(($1 + 3))"); shift
  for key in "$@"; do
    sets+=(--set "kernel.$key")
  done
  alone "$SNAG" run -q "${sets[@]}" -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/ephemeral.py" "$low" 25000
  assert_success
}

@test "four ports answer as on a machine that has four, 12 questions" {
  natively 40000
  assert_equal "${#lines[@]}" 12
  virtually 40000
  assert_equal "$output" "$native"
  run jq -rs '[.[] | select(.by == "model")] | map(.call + " " + .errno + " " + .why.code) | unique[]' "$WORK/t.jsonl"
  assert_output "bind EADDRINUSE no_port
connect EADDRNOTAVAIL no_port
connect EAGAIN no_port
listen EADDRINUSE no_port"
}

@test "the same with a TIME_WAIT of its own" {
  natively 40000
  virtually 40000 time_wait=1h tcp_tw_reuse=0
  assert_equal "$output" "$native"
}

@test "the same where the machine itself would never choose those ports" {
  natively 20000
  virtually 20000
  assert_equal "$(head -n 11 <<<"$output")" "$(head -n 11 <<<"$native")"
}

# Clients on four ports that close first, until one is refused; then until one is not. Says how many, the errno.
storm() {
  cat <<'PY'
import errno, socket
s = socket.socket(); s.bind(('127.0.0.1', 25000)); s.listen(64)
def once():
    c = socket.socket()
    try:
        c.connect(('127.0.0.1', 25000))
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        c.close()
    s.accept()[0].close()
n = 0
while not (got := once()):
    n += 1
    if n > 50: break
print(n, got)
while got and once(): pass
print('again')
PY
}

storm_under() {
  local sets=()
  for key in "$@"; do
    sets+=(--set "kernel.$key")
  done
  alone "$SNAG" run -q "${sets[@]}" -o "$WORK/t.jsonl" -- "$PYTHON" "$WORK/storm.py"
}

@test "TIME_WAIT exhausts the range, the clock ends it, though the machine's own lasts on" {
  storm >"$WORK/storm.py"
  storm_under ip_local_port_range=40000..40003 clock=60 tcp_tw_reuse=0
  assert_output "4 EADDRNOTAVAIL
again"
  run jq -s '[.[] | select(.call == "connect" and .by == "model")][0] as $no | [.[] | select(.call == "connect")] |
    (last | .t) - (first | .t) >= 1 and $no.why.code == "no_port"' "$WORK/t.jsonl"
  assert_output true
  storm_under ip_local_port_range=20000..20003 clock=60 tcp_tw_reuse=0
  assert_output "4 EADDRNOTAVAIL
again"
}

@test "tcp_tw_reuse: 1 takes them over after one second of model time, 2 on loopback only, 0 never" {
  storm >"$WORK/storm.py"
  for reuse in 1 2; do
    storm_under ip_local_port_range=40000..40003 time_wait=1h clock=10 tcp_tw_reuse=$reuse
    assert_output "4 EADDRNOTAVAIL
again"
    run jq -s '[.[] | select(.call == "connect")] | (last | .t) - (first | .t) | . >= 0.1 and . < 30' "$WORK/t.jsonl"
    assert_output true
  done
}

@test "a loop of curl runs out of 16 ports" {
  requires curl nginx
  mkdir -p "$WORK/logs"
  cat >"$WORK/nginx.conf" <<CONF
error_log $WORK/logs/error.log;
pid $WORK/nginx.pid;
events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:8080; return 200 "in\n"; } }
CONF
  cat >"$WORK/loop.sh" <<'LOOP'
for i in {1..20}; do
  curl -s http://127.0.0.1:8080/ || echo "exit $?"
done | sort | uniq -c | tr -s ' '
LOOP
  alone bash -c "nginx -p '$WORK' -c '$WORK/nginx.conf'
    '$SNAG' run -q --set kernel.ip_local_port_range=40000..40015 --set kernel.time_wait=1h --set kernel.tcp_tw_reuse=0 \
      -o '$WORK/t.jsonl' -- bash '$WORK/loop.sh'
    kill \$(cat '$WORK/nginx.pid')"
  assert_output " 4 exit 7
 16 in"
  run jq -rs '[.[] | select(.by == "model")][0] | .comm + " " + .errno + " " + .why.code' "$WORK/t.jsonl"
  assert_output "curl EADDRNOTAVAIL no_port"
}
