#!/usr/bin/env bash
# What snag costs, beside its peers, in one run: tests/bench/run.sh BUILD [ROUNDS]. Every row is the median over the
# rounds; within a round all variants run one after the other, and a ratio compares runs of the same round only.
set -euo pipefail
build=$(cd "$1" && pwd)
rounds=${2:-3}
snag=$build/snag
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A rule that looks at every bind and connect and never matches.
never=(--rule 'bind,connect,accept port=1: EPERM' --mode inject)

variant() {   # variant NAME COMMAND...: runs it that way, prints its number
  local name=$1; shift
  case $name in
    native) "$@" ;;
    noop) LD_PRELOAD=$build/bench/noop.so "$@" ;;
    snag-disabled) "$snag" run -q --mode disabled -- "$@" ;;
    snag-log) "$snag" run -q --mode log -- "$@" ;;
    snag-log-trace) "$snag" run -q --mode log -o "$work/trace.jsonl" -- "$@" ;;
    snag-inject) "$snag" run -q "${never[@]}" -- "$@" ;;
    snag-inject-trace) "$snag" run -q "${never[@]}" -o "$work/trace.jsonl" -- "$@" ;;
    fiu-run) fiu-run -x "$@" ;;
    socket_wrapper) mkdir -p "$work/sw"; SOCKET_WRAPPER_DIR=$work/sw SOCKET_WRAPPER_DEFAULT_IFACE=10 \
      LD_PRELOAD=libsocket_wrapper.so "$@" ;;
    strace) strace -f --seccomp-bpf -o /dev/null -e trace=bind,connect,accept \
      -e inject=bind,connect,accept:error=EPERM:when=65535 "$@" ;;
  esac
}

variants=(native noop snag-disabled snag-log snag-log-trace snag-inject snag-inject-trace fiu-run socket_wrapper strace)

median() { sort -g | awk '{v[NR]=$1} END {if (NR) print (NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2); else print "-"}'; }

measure() {   # measure TITLE COMMAND...
  local title=$1 round v; shift
  for ((round = 1; round <= rounds; round++)); do
    [ -t 2 ] && printf '\r%s: round %d of %d ' "$title" "$round" "$rounds" >&2
    for v in "${variants[@]}"; do
      if [ "$v" = strace ] && [ "$round" -gt 1 ]; then continue; fi	# minutes a round, and far from the others
      variant "$v" "$@" >"$work/out" 2>/dev/null || echo nan >"$work/out"
      tail -n 1 "$work/out" >>"$work/$v.ns"
    done
  done
  [ -t 2 ] && printf '\r\033[K' >&2
  printf '%-16s' "$title"
  for v in "${variants[@]}"; do
    printf ' %17s' "$(paste "$work/$v.ns" "$work/native.ns" | awk '$1 != "nan" && $2 > 0 {printf "%.4f\n", $1 / $2}' | median |
      awk '{if ($1 == "-") print "failed"; else printf "%.3f", $1}')"
  done
  printf '   native %s ns' "$(median <"$work/native.ns")"
  printf ', over noop:'
  for v in snag-disabled snag-log snag-inject; do
    printf ' %s %s' "${v#snag-}" "$(paste "$work/$v.ns" "$work/noop.ns" |
      awk '$1 != "nan" && $2 != "nan" {print $1 - $2}' | median | awk '{if ($1 == "-") print "failed"; else printf "%+.1f", $1}')"
  done
  printf ' ns\n'
  rm -f "$work"/*.ns
}

echo "ratios to native, medians of $rounds rounds ($(nproc) cores, Linux $(uname -r))"
printf '%-16s' ""
printf ' %17s' "${variants[@]}"
echo
measure cycle "$build/bench/cycle" 20000
for call in close-bad fcntl-file dup-close-file setsockopt socket-close bind-close read-file send-recv; do
  measure "$call" "$build/bench/call" $call
done

"$build/bench/model"

"$(dirname "$0")/hold.sh" "$build" 20
