# cast.bash - the real programs of the matrix: how each is started on $port and in what words it speaks.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

HERE=$BATS_TEST_DIRNAME

peer() { "$PYTHON" "$HERE/peer.py" "$@"; }

needs() {
  case $1 in
    redis) command -v redis-server ;;
    asyncio) [ -x "$PYTHON" ] ;;
    libuv) [ -x "$BUILD/real/uv" ] ;;
    libevent) [ -x "$BUILD/real/event" ] ;;
    *) command -v "$1" ;;
  esac >/dev/null
}

protocol() {
  case $1 in
    redis | memcached) echo "$1" ;;
    *) echo http ;;
  esac
}

temporary_paths() {
  local what
  for what in client_body proxy fastcgi uwsgi scgi; do echo "${what}_temp_path $WORK/$what;"; done
}

nginx_conf() {
  cat >"$WORK/nginx.conf" <<CONF
daemon off; user $(id -un); worker_processes 1; pid $WORK/nginx.pid; error_log $WORK/log info;
events { worker_connections 64; }
http { access_log off; $(temporary_paths)
  server { listen 127.0.0.1:$port; root $WORK/www; } }
CONF
}

haproxy_conf() {
  cat >"$WORK/haproxy.cfg" <<CONF
global
  maxconn 50
  tune.bufsize 262144
defaults
  mode http
  timeout client 20s
  timeout connect 20s
  timeout server 20s
frontend web
  bind 127.0.0.1:$port
  http-request return status 200 content-type text/plain file $WORK/www/page if { path /page }
  http-request return status 200 content-type text/plain string pong
CONF
}

# server NAME: COMMAND starts it on $port.
server() {
  case $1 in
    nginx) nginx_conf; COMMAND=(nginx -e "$WORK/log" -p "$WORK" -c "$WORK/nginx.conf") ;;
    haproxy) haproxy_conf; COMMAND=(haproxy -W -db -f "$WORK/haproxy.cfg") ;;
    redis) COMMAND=(redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$WORK" --maxclients 50) ;;
    memcached) COMMAND=(memcached -u "$(id -un)" -l 127.0.0.1 -p "$port" -U 0 -c 50 -t 2) ;;
    asyncio) COMMAND=("$PYTHON" "$HERE/cast/aio.py" serve "$port") ;;
    node) COMMAND=(node "$HERE/cast/http.js" serve "$port") ;;
    libuv) COMMAND=("$BUILD/real/uv" serve "$port") ;;
    libevent) COMMAND=("$BUILD/real/event" serve "$port") ;;
  esac
}

# fill NAME: gives a server without files its page and pong.
fill() {
  case $1 in
    redis)
      { printf 'SET pong pong\r\n*3\r\n$3\r\nSET\r\n$4\r\npage\r\n$100000\r\n'; cat "$WORK/www/page"; printf '\r\n'; } |
        nc -N -w 5 127.0.0.1 "$port" >/dev/null ;;
    memcached)
      { printf 'set pong 0 0 4\r\npong\r\nset page 0 0 100000\r\n'; cat "$WORK/www/page"; printf '\r\nquit\r\n'; } |
        nc -w 5 127.0.0.1 "$port" >/dev/null ;;
  esac
}

# What a server has said, each thing once, without the numbers that differ from run to run.
words() {
  cat "$WORK/out" "$WORK/log" 2>/dev/null | sed -E 's/^[0-9/: MXN*.,A-Za-z]{0,40}[*#-] //' | grep -v '^ ' | sed -E 's/[0-9]+/N/g' | sort -u
}

# Of these, what speaks of an error.
complaints() {
  words | grep -iE 'too many|reset by peer|ECONN|broken pipe|not connected|fail|error|refused|in use|timed out' |
    grep -vE 'Interrupted|may fail'
}
