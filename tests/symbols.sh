#!/usr/bin/env bash
# symbols.sh LIBRARY - what libsnag.so exports, against include/snag/calls.def and the C library of this machine:
#   1. it exports exactly the SNAG_SYMBOLs and SNAG_GATEs;
#   2. it needs no library, and asks the C libraries only for what glibc and musl both have;
#   3. every function of the C library that makes, copies, passes or ends descriptors, names sockets, or makes, replaces
#      or ends processes, is hooked, or stands as SNAG_UNHOOKED with a reason.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
library=${1:-build/release/libsnag.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# rows ROW...: the first argument of these rows of calls.def, sorted
rows() {
  local row text=
  for row; do text+="#define $row(name, ...) name
"; done
  printf '#define SNAG_CALL(...)\n%s#include <snag/calls.def>\n' "$text" | cc -Iinclude -E -P -x c - | grep . | sort -u
}

# said WHAT: complains about the names on stdin
said() {
  local name
  while read -r name; do
    echo "symbols: $1: $name"
    bad=1
  done
}

rows 'SNAG_SYMBOL' 'SNAG_GATE' >"$work/exported"
rows 'SNAG_UNHOOKED' >"$work/unhooked"

nm -D --defined-only "$library" | awk '{print $3}' | sort -u >"$work/nm"
said 'exported, but not in calls.def' < <(comm -13 "$work/exported" "$work/nm")
said 'in calls.def, but not exported' < <(comm -23 "$work/exported" "$work/nm")
said 'both hooked and unhooked in calls.def' < <(comm -12 "$work/exported" "$work/unhooked")

said 'needed library' < <(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')

# Of the C library it may use: memory, strings, the clock, and what the loader tells. `w` are those it does without.
allowed='^(__errno_location|clock_gettime|dl_iterate_phdr|environ|getauxval|mem(chr|cmp|cpy|move|set)|str(chr|cmp|len|ncmp|nlen|rchr))$'
said 'wants from the C library' < <(nm -D --undefined-only "$library" | awk '$1 == "U" {print $2}' | grep -vE "$allowed")
said 'wants weakly from the C library' < <(nm -D --undefined-only "$library" |
  awk '$1 == "w" {print $2}' | grep -vxE 'dlsym|pthread_testcancel|__libc_single_threaded')

libc=$(ldconfig -p | awk '$1 == "libc.so.6" {print $NF; exit}')
words='^(__)?(read|write)v?(_chk)?$|p(read|write)v(64v)?2|recv|^(__)?send|splice|poll|select|sock|bind|listen|accept|connect|shutdown|close|dup|fcntl|fork|clone|exec|spawn|popen|system|daemon|forkpty|_exit$|_Exit|exit$|(send|recv)m?msg|syscall|freopen|pidfd_getfd'
# names with these words that mean something else: string copies, locales, message catalogues, threads, regular
# expressions, profiling, databases, and symbols private to the C library
other='^(xdr|svc|clnt|key|re_|reg|gconv|__gconv|iconv|cat|__nss|_nss|__libc_|_dl|dl|__dl|__pthread|pthread|thrd|_thread_db|__rpc|_rpc|__sched|sched|aio|lio|mq_|sem_|shm_|pkey|pututx|__res|res_|ns_|inet|ether|__cyg|_IO_(un_link|proc|str|wfile|file))|str(n)?dup|wcsdup|duplocale|textdomain|domain_bindings|cxa_|sigemptyset|exit_(status|failure)|quick_exit_|spawn_file_actions|spawnattr|on_exit|__sigsetjmp|__mq|system_clock|socklen'
nm -D --defined-only "$libc" | awk '$2 ~ /^[TWi]$/ {print $3}' | sed 's/@.*//' | grep -E "$words" | grep -vE "$other" |
  sort -u >"$work/libc"
said "in $libc, neither hooked nor SNAG_UNHOOKED" < <(comm -23 "$work/libc" <(sort -u "$work/exported" "$work/unhooked"))

[ $bad -eq 0 ] && echo "symbols: $(wc -l <"$work/exported") exported, $(wc -l <"$work/unhooked") left alone, all accounted for"
exit $bad
