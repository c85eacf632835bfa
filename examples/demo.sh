#!/usr/bin/env bash
# The main job, on a real nginx: a restart meets "Address already in use" three times and recovers; then a second server
# is told who holds the port. examples/demo.sh [PATH-OF-SNAG]. Leaves nothing behind.
set -euo pipefail
snag=${1:-snag}
binary=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx)
work=$(mktemp -d)
chmod 755 "$work"	# for nginx's worker, who is nobody
pid=
stop() { [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT

bold="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# A port that nobody listens on.
while port=$((20000 + RANDOM % 10000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
printf 'hello from nginx\n' >"$work/index.html"
conf() {
  cat <<CONF
daemon off; worker_processes 1; pid $work/$1.pid; error_log $work/$1.log notice;
events {}
http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
  uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  server { listen 127.0.0.1:$port; root $work; } }
CONF
}
conf first >"$work/first.conf"
conf second >"$work/second.conf"
nginx() { exec "$snag" run -q --session $session "${@:2}" -- "$binary" -e "$work/$1.log" -p "$work" -c "$work/$1.conf" 2>/dev/null; }

session=demo-$$
say "1. nginx starts on port $port while snag answers its first three bind() calls with EADDRINUSE:"
echo "\$ snag run -p address-in-use-then-ok -- nginx"
nginx first -p address-in-use-then-ok -o "$work/trace.jsonl" &
pid=$!
tries=0
until answer=$(curl -s "http://127.0.0.1:$port/"); do
  tries=$((tries + 1))
  if [ $tries -gt 200 ] || ! kill -0 $pid 2>/dev/null; then
    echo "nginx did not come up:" >&2; cat "$work/first.log" >&2; exit 1
  fi
  sleep 0.1
done
say "2. What nginx saw and did (its own log):"
grep -E 'bind\(\)|still could not' "$work/first.log" | sed -E 's/^[0-9/]+ ([0-9:]+) \[([a-z]+)\] [0-9#]+: /\1 \2: /'
say "3. It tried again until the port was its own. A client asks:"
echo "\$ curl http://127.0.0.1:$port/"
echo "$answer"
until [ -n "$("$snag" trace --call listen "$work/trace.jsonl")" ]; do sleep 0.05; done	# written in batches
say "4. The trace, every bind() and listen() with who decided it:"
echo "\$ snag trace --call bind,listen trace.jsonl"
"$snag" trace --call bind,listen "$work/trace.jsonl"
say "5. A second server wants the same port. This refusal is the kernel's own; snag says who holds it:"
echo "\$ snag run --session $session -- nginx"
(nginx second) || true
"$snag" trace --failed --call bind "$work/trace.jsonl" | tail -n 3
