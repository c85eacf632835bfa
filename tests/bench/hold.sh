#!/usr/bin/env bash
# What a held accept loop costs, and how late it is: tests/bench/hold.sh BUILD [ROUNDS]. For each way of waiting: clients
# come at odd moments to a listener under hold: 200ms; milliseconds from the end of a connection's hold until it is
# accepted (median and worst), and the share of one processor that the server took.
set -euo pipefail
build=$(cd "$1" && pwd)
rounds=${2:-10}

for way in block poll select level edge; do
  printf 'hold-%-11s ' "$way"
  "$build/snag" run -q --rule 'accept: hold=200ms' -- python3 -c '
import os, resource, select, socket, sys, time
way, rounds = sys.argv[1], int(sys.argv[2])
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); s.setblocking(way == "block")
r, w = os.pipe()
if os.fork() == 0:
    kept = []
    for i in range(rounds):
        time.sleep(0.07 + 0.13 * (i % 3))
        kept.append(socket.create_connection(s.getsockname()))
        os.write(w, b"%20.6f" % time.monotonic())
    os.read(0, 1)
    os._exit(0)
p = select.poll(); p.register(s, select.POLLIN)
e = select.epoll(); e.register(s, select.EPOLLIN | (select.EPOLLET if way == "edge" else 0))
wait = {"block": lambda: 0, "poll": p.poll, "select": lambda: select.select([s], [], []), "level": e.poll, "edge": e.poll}[way]
u = resource.getrusage(resource.RUSAGE_SELF); base = u.ru_utime + u.ru_stime
start, late = time.monotonic(), []
while len(late) < rounds:
    wait()
    try:
        while len(late) < rounds:
            s.accept()
            late.append(1000 * (time.monotonic() - float(os.read(r, 20)) - 0.2))
    except BlockingIOError: pass
u = resource.getrusage(resource.RUSAGE_SELF); spent = time.monotonic() - start
late.sort()
print("late by %.2f ms, at worst %.2f ms, CPU %.2f %%" % (late[len(late) // 2], late[-1], 100 * (u.ru_utime + u.ru_stime - base) / spent))
' "$way" "$rounds" </dev/null 2>&1 | tail -n 1
done
