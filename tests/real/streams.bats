#!/usr/bin/env bats
# Real servers and clients under faults on their streams: they say what they are documented to say, and none hangs.

load ../helper

setup() {
  requires curl nginx
  setup_work
  port=$(free_port)
  mkdir -p "$WORK/www"
  head -c 200000 /dev/urandom >"$WORK/www/page"
  cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; pid $WORK/nginx.pid; error_log $WORK/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f;
  uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s; sendfile ${SENDFILE:-on};
  server { listen 127.0.0.1:$port; root $WORK/www; } }
CONF
}

teardown() {
  local pid
  for pid in ${server:-} ${proxy:-}; do kill "$pid" 2>/dev/null; done
  teardown_work
}

# serve [OPTION...]: nginx under these options of snag run.
serve() {
  "$SNAG" run -q -o "$WORK/server.jsonl" "$@" -- nginx -e "$WORK/error.log" -p "$WORK" -c "$WORK/nginx.conf" 3>&- &
  server=$!
  wait_for listens "$port"
}

# fetch [OPTION...]: the page, by curl under these options.
fetch() {
  run timeout 60 "$SNAG" run -q -o "$WORK/client.jsonl" "$@" -- \
    curl -sS --max-time 30 -o "$WORK/got" "http://127.0.0.1:$port/page" 3>&-
}

size_of() {
  stat -c %s "$1"
}

@test "a reset in the middle of an answer: curl ends with 56 and has what came" {
  serve -p reset-mid-response
  fetch --mode log
  assert_failure 56
  wait_for jq -se 'any(.rule == "cut-off" and .call == "sendfile" and .errno == "ECONNRESET")' "$WORK/server.jsonl" >/dev/null
  [ "$(size_of "$WORK/got")" -gt 3000 ] && [ "$(size_of "$WORK/got")" -lt 4096 ]	# 4096 with the header
  cmp -n "$(size_of "$WORK/got")" "$WORK/got" "$WORK/www/page"
}

@test "the same without sendfile" {
  sed -i 's/sendfile on/sendfile off/' "$WORK/nginx.conf"
  serve -p reset-mid-response
  fetch --mode log
  assert_failure 56
}

@test "an end in the middle of an answer: curl ends with 18" {
  serve --mode log
  fetch --rule 'recv proto=tcp bytes_received=1000: eof'
  assert_failure 18
}

@test "an end before any answer: curl ends with 52" {
  serve --mode log
  fetch --rule 'recv proto=tcp role=client first=1: eof'
  assert_failure 52
}

@test "a reset before any answer: curl ends with 56" {
  serve --mode log
  fetch --rule 'recv proto=tcp role=client first=1: reset=both'
  assert_failure 56
}

@test "short writes and reads on both sides: the page is whole" {
  serve --rule 'send: clamp=1000' --rule 'recv: clamp=10'
  fetch --rule 'recv: clamp=700' --rule 'send: clamp=3'
  assert_success
  cmp "$WORK/got" "$WORK/www/page"
}

@test "EAGAIN and interrupted calls on both sides: the page is whole" {
  serve --rule 'send,recv every=2: EAGAIN'
  fetch --rule 'recv,send every=3: EAGAIN'
  assert_success
  cmp "$WORK/got" "$WORK/www/page"
}

@test "a kept connection whose peer is gone: curl asks again on a new one" {
  serve --mode log
  run timeout 60 "$SNAG" run -q -o "$WORK/client.jsonl" -p half-open-peer -- curl -sS --max-time 30 -o "$WORK/got" \
    "http://127.0.0.1:$port/page" -o "$WORK/again" "http://127.0.0.1:$port/page" 3>&-
  assert_success
  cmp "$WORK/again" "$WORK/www/page"
  run jq -s 'map(select(.call == "connect" and .proto == "tcp")) | length' "$WORK/client.jsonl"
  assert_output 2
}

@test "a server whose clients are gone already goes on" {
  serve --rule 'accept first=3: reset=both'
  for _ in 1 2 3; do
    fetch --mode log
    assert_failure
  done
  wait_for timeout 30 curl -s -o "$WORK/got" "http://127.0.0.1:$port/page"
  cmp "$WORK/got" "$WORK/www/page"
}

@test "nothing arrives: curl gives up by its own clock" {
  serve --mode log
  run timeout 60 "$SNAG" run -q --rule 'send role=client first=1: blackhole=self' -- \
    curl -sS --max-time 1 "http://127.0.0.1:$port/page" 3>&-
  assert_failure 28
}

@test "haproxy answers 502 when the server behind it ends in the middle of a header" {
  requires haproxy
  local front
  front=$(free_port)
  serve --mode log
  cat >"$WORK/haproxy.cfg" <<CONF
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  retries 0
listen web
  bind 127.0.0.1:$front
  server nginx 127.0.0.1:$port
CONF
  "$SNAG" run -q -o "$WORK/proxy.jsonl" --rule 'recv role=client bytes_received=100 limit=1: eof' -- \
    haproxy -db -f "$WORK/haproxy.cfg" 3>&- &
  proxy=$!
  wait_for listens "$front"
  run curl -s -o /dev/null -w '%{http_code}' --max-time 20 "http://127.0.0.1:$front/page"
  assert_output 502
  curl -s -o "$WORK/got" --max-time 20 "http://127.0.0.1:$front/page"
  cmp "$WORK/got" "$WORK/www/page"
}

@test "redis: a value of many bytes comes whole through short reads, short writes and EAGAIN" {
  requires redis-server redis-cli
  local rules=(--rule 'recv proto=tcp every=3: EAGAIN' --rule 'send proto=tcp every=3: EAGAIN' --rule 'recv,send proto=tcp: clamp=900')
  "$SNAG" run -q "${rules[@]}" -- redis-server --port "$port" --save '' --dir "$WORK" >/dev/null 3>&- &
  server=$!
  wait_for listens "$port"
  base64 -w0 "$WORK/www/page" >"$WORK/value"
  run timeout 60 redis-cli -p "$port" -x set big <"$WORK/value"
  assert_output OK
  timeout 60 "$SNAG" run -q --rule 'recv: clamp=500' -- redis-cli -p "$port" get big >"$WORK/back"
  cmp -n "$(size_of "$WORK/value")" "$WORK/value" "$WORK/back"
  run timeout 60 "$SNAG" run -q --rule 'recv role=client first=1: reset=both' -- redis-cli -p "$port" get big
  assert_output --partial 'Connection reset by peer'
}

@test "asyncio: an echo is whole through short reads, short writes and EAGAIN; a reset is ConnectionResetError" {
  cat >"$WORK/echo.py" <<'PY'
import asyncio, os
async def echo(r, w):
    try:
        while data := await r.read(65536):
            w.write(data); await w.drain()
    except ConnectionError: pass
    w.close()
async def main():
    s = await asyncio.start_server(echo, '127.0.0.1', 0); port = s.sockets[0].getsockname()[1]
    data = os.urandom(300000)
    r, w = await asyncio.open_connection('127.0.0.1', port)
    w.write(data); print(await r.readexactly(len(data)) == data)
    w.write(b'more')
    try: print(await r.readexactly(4))
    except OSError as e: print(type(e).__name__)
asyncio.run(main())
PY
  run timeout 60 "$SNAG" run -q --rule 'recv,send every=2: EAGAIN' --rule 'recv,send: clamp=5000' -- "$PYTHON" "$WORK/echo.py"
  assert_output $'True\nb\'more\''
  run timeout 60 "$SNAG" run -q --rule 'send role=client bytes_sent=300000: reset=both' -- "$PYTHON" "$WORK/echo.py"
  assert_output $'True\nConnectionResetError'
}

@test "node: an answer that is reset is an error of the request, and the server goes on" {
  requires node
  cat >"$WORK/http.js" <<'JS'
const http = require('http');
const s = http.createServer((q, a) => a.end(Buffer.alloc(q.url === '/big' ? 100000 : 10, 'x')));
const get = (url) => new Promise((done) => {
  let n = 0;
  http.get({ port: s.address().port, host: '127.0.0.1', path: url, agent: false }, (a) => {
    a.on('data', (d) => { n += d.length; });
    a.on('end', () => done(`end ${n}`)).on('error', (e) => done(e.code));
  }).on('error', (e) => done(e.code));
});
s.listen(0, '127.0.0.1', async () => {
  for (const url of ['/small', '/big', '/small']) console.log(await get(url));
  s.close();
});
JS
  run timeout 60 "$SNAG" run -q -p reset-mid-response -- node "$WORK/http.js"
  assert_output $'end 10\nECONNRESET\nend 10'
  run timeout 60 "$SNAG" run -q -p short-writes -- node "$WORK/http.js"
  assert_output $'end 10\nend 100000\nend 10'
}
