#!/usr/bin/env bash
# client.bash NAME PORT MS PATH...: the real client NAME asks 127.0.0.1:PORT for each PATH on one connection, and takes no
# longer than MS for what it can bound itself. Prints a line for each answer, what it says of errors, and how it ends.
# nginx and haproxy ask as proxies, and curl asks them. $UNDER stands in front of the client itself, $WORK is its folder.
set -u
name=$1 port=$2 ms=$3 front=$FRONT
shift 3
seconds=$(((ms + 999) / 1000))
read -ra under <<<"${UNDER:-}"
here=$(cd "$(dirname "$0")" && pwd)
work=$WORK/client.$$
mkdir "$work" && chmod 755 "$work"

# Without what differs from run to run.
plain() {
  sed -E "/^\[(WARNING|NOTICE)\]|stopped \(cumulated/d; s/\b($port|$front)\b/PORT/g; s/after [0-9]+ ms/after N ms/; s/^[0-9/]+ [0-9:]+ (\[[a-z]+\]) [0-9#]+: \*[0-9]+/\1/"
}

bounded() {
  timeout 60 "${under[@]}" "$@" 2>&1 || echo "ended with $?"
}

curl_format='%{http_code} %{size_download}\n'

with_curl() {
  local args=() path
  for path in "$@"; do args+=(-o /dev/null "http://127.0.0.1:$port$path"); done
  bounded curl -sS --connect-timeout "$seconds" --max-time 30 -w "$curl_format" "${args[@]}"
}

# redis-cli has no clock of its own.
with_redis() {
  bounded timeout "$seconds" redis-cli -p "$port" -r $# ping
}

nginx_conf() {
  cat <<CONF
daemon off; master_process off; user $(id -un); pid $work/pid; error_log $work/log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
  uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  upstream back { server 127.0.0.1:$port max_fails=0; keepalive 4; }
  server { listen 127.0.0.1:$front;
    location / { proxy_pass http://back; proxy_connect_timeout ${seconds}s; proxy_http_version 1.1; proxy_set_header Connection ''; } } }
CONF
}

haproxy_conf() {
  cat <<CONF
global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "%ST %ts"
  timeout connect ${ms}ms
  timeout client 30s
  timeout server 30s
  retries 1
listen web
  bind 127.0.0.1:$front
  http-reuse always
  server back 127.0.0.1:$port
CONF
}


# as_proxy SIGNAL COMMAND...: it listens on $front, is asked by curl, and ends when it has written all.
as_proxy() {
  local signal=$1 args=() path pid
  shift
  "${under[@]}" "$@" >"$work/out" 2>&1 &
  pid=$!
  timeout 10 bash -c "until ss -Hltn 'sport = :$front' | grep -q .; do sleep 0.05; done"
  for path in "${paths[@]}"; do args+=(-o /dev/null "http://127.0.0.1:$front$path"); done
  curl -sS --max-time 30 -w "$curl_format" "${args[@]}" 2>&1
  kill -s "$signal" $pid
  wait $pid 2>/dev/null
  cat "$work/log" "$work/out" 2>/dev/null
}

paths=("$@")
case $name in
  curl) with_curl "$@" ;;
  redis) with_redis "$@" ;;
  asyncio) bounded /usr/bin/python3 "$here/cast/aio.py" ask "$port" "$ms" "$@" ;;
  node) bounded node "$here/cast/http.js" ask "$port" "$ms" "$@" ;;
  libuv) bounded "$BUILD/real/uv" ask "$port" "$ms" "$@" ;;
  libevent) bounded "$BUILD/real/event" ask "$port" "$ms" "$@" ;;
  nginx | haproxy)
    "${name}_conf" >"$work/conf"
    case $name in
      nginx) as_proxy QUIT nginx -e "$work/log" -p "$work" -c "$work/conf" ;;
      haproxy) as_proxy USR1 haproxy -db -f "$work/conf" ;;
    esac
    ;;
esac > >(plain) 2>&1
wait
rm -rf "$work"
