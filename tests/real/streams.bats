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
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null
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
