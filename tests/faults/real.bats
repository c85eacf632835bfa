#!/usr/bin/env bats
# Real programs under held accepts and slow connects: they serve, late, and idle meanwhile.

load ../helper

setup() {
  setup_work
  NAME=real-$$-$BATS_TEST_NUMBER
  port=$(free_port)
}

teardown() {
  [ -z "${session:-}" ] || "$SNAG" ctl "$NAME" stop 2>/dev/null || true
  [ -z "${session:-}" ] || wait "$session" || true
  teardown_work
}

# server RULE COMMAND...: in a session; what follows waits until it listens.
server() {
  local rule=$1; shift
  "$SNAG" run -q --session "$NAME" --rule "$rule" -- "$@" >"$WORK/out" 2>&1 3>&- &
  session=$!
  wait_for listens "$port"
}

# Clock ticks of processor time of all the session's programs.
ticks() {
  local pid sum=0
  for pid in $(test_processes); do
    grep -qa libsnag "/proc/$pid/maps" 2>/dev/null || continue
    sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat" 2>/dev/null || echo 0)))
  done
  echo $sum
}

nginx_conf() {
  mkdir -p "$WORK/www"
  echo hello >"$WORK/www/index.html"
  chmod 755 "$WORK" "$WORK/www"
  cat >"$WORK/nginx.conf" <<CONF
daemon off; user $(id -un); worker_processes 2; pid $WORK/nginx.pid; error_log $WORK/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
  uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$port; root $WORK/www; location /proxy { proxy_pass http://127.0.0.1:$port/index.html; } } }
CONF
}

# asked PATH: the answer, and whether it took at least 0.3 s
asked() {
  curl -s -m 20 -w '%{time_total}\n' "http://127.0.0.1:$port/$1" | awk 'NR == 1 {print} NR == 2 {print ($1 >= 0.3)}'
}

@test "nginx with workers under hold: every connection is served, late; nobody spins" {
  requires nginx curl
  nginx_conf
  server 'accept: hold=300ms' nginx -p "$WORK" -c "$WORK/nginx.conf"
  local before i clients=()
  before=$(ticks)
  for i in 1 2 3 4 5 6 7 8; do
    asked index.html >"$WORK/answer.$i" &
    clients+=($!)
  done
  wait "${clients[@]}"
  for i in 1 2 3 4 5 6 7 8; do assert_equal "$(cat "$WORK/answer.$i")" $'hello\n1'; done
  [ $(($(ticks) - before)) -lt 20 ]
}

@test "nginx as a proxy under slow connects" {
  requires nginx curl
  nginx_conf
  server 'connect: delay=300ms' nginx -p "$WORK" -c "$WORK/nginx.conf"
  run asked proxy
  assert_output $'hello\n1'
  run asked index.html
  assert_output $'hello\n0'
}

@test "redis under hold: forever, until it is let go" {
  requires redis-server redis-cli
  server 'accept first=1: hold=forever' redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$WORK"
  timeout 20 redis-cli -h 127.0.0.1 -p "$port" ping >"$WORK/pong" &
  local client=$!
  waits_in_queue() { [ "$(ss -Hltn "sport = :$port" | awk '{print $2}')" -eq 1 ]; }
  wait_for waits_in_queue
  local before
  before=$(ticks)
  run timeout 1 tail --pid=$client -f /dev/null
  assert_failure 124
  [ $(($(ticks) - before)) -lt 20 ]
  "$SNAG" ctl "$NAME" release
  wait $client
  assert_equal "$(cat "$WORK/pong")" PONG
}

@test "node: slow connects, late refusals, held connections" {
  requires node
  cat >"$WORK/n.js" <<'JS'
const net = require('net'), t = Date.now()
const s = net.createServer(c => c.end('hi')).listen(0, '127.0.0.1', () => {
  let n = 0
  for (let i = 0; i < 4; i++) {
    const c = net.connect(s.address().port, '127.0.0.1')
    c.on('data', d => console.log(d.toString(), Date.now() - t >= 300))
    c.on('error', e => console.log(e.code, Date.now() - t >= 300))
    c.on('close', () => { if (++n == 4) s.close() })
  }
})
JS
  run timeout 30 "$SNAG" run -q --rule 'connect: delay=310ms' -- node "$WORK/n.js"
  assert_output $'hi true\nhi true\nhi true\nhi true'
  run timeout 30 "$SNAG" run -q --rule 'accept: hold=310ms' -- node "$WORK/n.js"
  assert_output $'hi true\nhi true\nhi true\nhi true'
  run timeout 30 "$SNAG" run -q --rule 'connect: ECONNREFUSED after=310ms' -- node "$WORK/n.js"
  assert_output $'ECONNREFUSED true\nECONNREFUSED true\nECONNREFUSED true\nECONNREFUSED true'
}
