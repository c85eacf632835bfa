#!/usr/bin/env bats
# Real servers and clients behave the same with and without snag, and every socket call of theirs is in the trace.

load ../helper

setup() {
  setup_work
  port=$(free_port)
}

teardown() {
  teardown_work
}

# both SCENARIO: runs the function SCENARIO with RUN empty, then with RUN=snag run --mode log; output and status agree.
both() {
  RUN=()
  run "$1"
  local native=$output native_status=$status
  port=$(free_port)
  RUN=("$SNAG" run -q --mode log -o "$WORK/trace.jsonl" --)
  run "$1"
  assert_equal "$output" "$native"
  assert_equal "$status" "$native_status"
}

# traced JQ-CONDITION [N]: at least N (1) records of the trace meet it.
traced() {
  local n
  n=$(jq -c "select($1)" "$WORK/trace.jsonl" | wc -l)
  [ "$n" -ge "${2:-1}" ] || fail "$n records with $1, wanted ${2:-1}"
}

answers() { curl -s -o /dev/null "http://127.0.0.1:$port/"; }

# serve_then STOP COMMAND...: starts the server, waits until it answers, runs `client`, stops it, says its status.
serve_then() {
  local signal=$1 pid; shift
  "${RUN[@]}" "$@" >"$WORK/server.out" 2>&1 3>&- &
  pid=$!
  wait_for "${ready:-answers}" || { cat "$WORK/server.out"; return 1; }
  client
  kill -s "$signal" $pid
  wait $pid
  echo "server ended with $?"
}

nginx_conf() {
  mkdir -p "$WORK/www"
  echo hello >"$WORK/www/index.html"
  cat >"$WORK/nginx.conf" <<CONF
daemon ${1:-off}; worker_processes 2; pid $WORK/nginx.pid; error_log $WORK/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
  uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$port; root $WORK/www; } }
CONF
}

nginx_scenario() {
  nginx_conf
  client() { for _ in $(seq 20); do curl -s "http://127.0.0.1:$port/"; done; }
  serve_then QUIT nginx -e "$WORK/error.log" -p "$WORK" -c "$WORK/nginx.conf"
}

@test "nginx with two workers and curl" {
  requires nginx curl
  both nginx_scenario
  traced '.call == "bind" and .ret == 0'
  traced '.call == "listen" and .ret == 0'
  traced '.call == "accept4" and .ret >= 0' 20
  traced '.call == "process" and .what == "start"' 3
  traced '.call == "process" and .what == "end"' 3
}

daemon_scenario() {
  nginx_conf on
  "${RUN[@]}" nginx -e "$WORK/error.log" -p "$WORK" -c "$WORK/nginx.conf" 3>&-
  echo "started: $?"
  wait_for answers && curl -s "http://127.0.0.1:$port/"
  local pid
  pid=$(cat "$WORK/nginx.pid")
  kill -QUIT "$pid"
  wait_for gone "$pid" && echo stopped
}

@test "nginx as a daemon outlives snag run and stays in its session" {
  requires nginx curl
  both daemon_scenario
  traced '.call == "accept4" and .ret >= 0' 1
}

redis_scenario() {
  ready=redis_answers
  redis_answers() { [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ]; }
  client() {
    for i in 1 2 3 4 5; do "${RUN[@]:0:3}" ${RUN[@]:+--mode log -o "$WORK/client.jsonl" --} redis-cli -p "$port" set key$i value$i; done
    redis-cli -p "$port" mget key1 key5 nothing
  }
  serve_then TERM redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$WORK"
}

@test "redis-server and redis-cli" {
  requires redis-server redis-cli
  both redis_scenario
  traced '.call == "bind" and .ret == 0'
  traced '(.call == "accept4" or .call == "accept") and .ret >= 0' 6
  jq -se 'any(.call == "connect")' "$WORK/client.jsonl"
}

python_scenario() {
  mkdir -p "$WORK/www" && echo hello >"$WORK/www/file"
  client() { for _ in 1 2 3; do curl -s "http://127.0.0.1:$port/file"; done; }
  serve_then TERM python3 -m http.server --bind 127.0.0.1 -d "$WORK/www" "$port"
}

@test "python3 -m http.server" {
  requires python3 curl
  both python_scenario
  traced '.call == "accept4" and .ret >= 0' 4
  traced '.call == "setsockopt" and .ret == 0'
}

node_scenario() {
  client() { curl -s "http://127.0.0.1:$port/"; curl -s "http://127.0.0.1:$port/"; }
  serve_then TERM node -e "
    const server = require('http').createServer((q, r) => r.end('hello from node\n'));
    server.listen($port, '127.0.0.1');
    process.on('SIGTERM', () => server.close(() => process.exit(3)));"
}

@test "node's http server" {
  requires node curl
  both node_scenario
  traced '.call == "bind" and .ret == 0'
  traced '.call == "accept4" and .ret >= 0' 2
}

nc_scenario() {
  ready=listening
  listening() { ss -Hltn "sport = :$port" | grep -q .; }
  client() { echo ping | "${RUN[@]:0:3}" ${RUN[@]:+-o "$WORK/client.jsonl" --} nc -N 127.0.0.1 "$port"; }
  "${RUN[@]}" nc -l -N 127.0.0.1 "$port" >"$WORK/received" 2>&1 </dev/null 3>&- &
  local pid=$!
  wait_for listening
  client
  wait $pid
  echo "server ended with $?, received: $(cat "$WORK/received")"
}

@test "nc to nc" {
  requires nc ss
  both nc_scenario
  traced '.call == "bind" and .ret == 0'
  jq -se 'any(.call == "connect" and .proto == "tcp")' "$WORK/client.jsonl"
}

pipeline_scenario() {
  mkdir -p "$WORK/www" && seq 1000 >"$WORK/www/numbers"
  "${RUN[@]}" bash -c "
    python3 -m http.server --bind 127.0.0.1 -d '$WORK/www' $port >/dev/null 2>&1 &
    server=\$!
    for try in \$(seq 100); do curl -s -o /dev/null http://127.0.0.1:$port/ && break; read -rt 0.1 <> <(:); done
    curl -s http://127.0.0.1:$port/numbers | sort -rn | head -n 3
    (exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /numbers HTTP/1.0\r\n\r\n' >&3 && tail -n 2 <&3)
    kill \$server; wait \$server; echo \"server \$?\"; exit 7" 3>&-
  echo "pipeline ended with $?"
}

@test "a shell pipeline of servers and clients" {
  requires python3 curl
  both pipeline_scenario
  traced '.comm == "bash" and .call == "connect" and .ret == 0'
  traced '.comm == "curl" and .call == "connect"'
  traced '.call == "accept4" and .ret >= 0' 3
}
