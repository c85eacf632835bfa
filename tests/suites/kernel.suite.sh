# The kernel's own networking selftests: every program of tools/testing/selftests/net that is about binding, listening,
# connecting and closing, on loopback, with the sysctls that its script sets. Left out: bind_bhash, which wants more
# descriptors than many a machine allows.
# shellcheck shell=bash disable=SC2154,SC2034

kernel_programs="bind_wildcard bind_timewait reuseaddr_conflict reuseaddr_ports_exhausted reuseport_addr_any
  reuseport_bpf reuseport_bpf_cpu reuseport_dualstack so_incoming_cpu sk_bind_sendto_listen sk_connect_zero_addr
  sk_so_peek_off so_netns_cookie socket tcp_inq fin_ack_lat ip_local_port_range stress_reuseport_listen
  tcp_fastopen_backup_key nettest msg_oob scm_pidfd scm_rights unix_connect diag_uid mptcp_sockopt mptcp_inq"

# The newest source that Debian has, and of it what the selftests are built from.
kernel_source() {
  local package tar
  [ -d "$work/linux" ] && return
  package=$(apt-cache search --names-only '^linux-source-[0-9.]+$' | awk '{print $1}' | sort -V | tail -n 1)
  [ -n "$package" ] && source_apt apt-get download "$package" && dpkg-deb -x "$work/$package"_*.deb "$work/linux-deb" || return
  rm -f "$work/$package"_*.deb
  tar=$(echo "$work"/linux-deb/usr/src/*.tar.*)
  mkdir "$work/linux" && tar -xf "$tar" -C "$work/linux" --strip-components=1 --wildcards '*/Makefile' '*/Kbuild*' \
    '*/scripts/*' '*/include/uapi/*' '*/include/asm-generic/*' '*/include/linux/*' '*/arch/*/include/*' \
    '*/arch/*/entry/syscalls/*' '*/arch/*/tools/*' '*/tools/include/*' '*/usr/include/*' \
    '*/tools/testing/selftests/*.h' '*/tools/testing/selftests/net/*'
  rm -rf "$work/linux-deb"
}

kernel_build() {
  local net=$work/linux/tools/testing/selftests/net program source
  make -s -C "$work/linux" headers || return
  mkdir -p "$work/kernel"
  for program in $kernel_programs; do
    source=$(find "$net" -name "$program.c")
    # Some forget a header.
    cc -w -O1 -g -D_GNU_SOURCE= -include stdbool.h -include stdio.h -include string.h -I"$work/linux/usr/include" \
      -I"$net" -I"$net/.." -I"$net/../../../include" -o "$work/kernel/$program" "$source" -lpthread || true
  done
}

kernel_one() {
  local name=$1; shift
  [ -x "$work/kernel/$name" ] || { wanted "kernel/$name" && skip "kernel/$name" "does not build"; return 0; }
  play "kernel/$name" "$@"
}

kernel_source || { skip kernel "no source: $(tail -n 1 "$work/apt/log")"; return 0; }
[ -d "$work/kernel" ] || built kernel kernel_build || return 0
cd "$work/kernel" || return
for program in $kernel_programs; do
  case $program in
    reuseaddr_ports_exhausted)
      kernel_one "$program" net.ipv4.ip_local_port_range='32768 32768' net.ipv4.ip_autobind_reuse=1 -- "./$program" ;;
    ip_local_port_range) kernel_one "$program" net.ipv4.ip_local_port_range='40000 49999' -- "./$program" ;;
    stress_reuseport_listen) kernel_one "$program" net.ipv6.ip_nonlocal_bind=1 -- "./$program" 20 40 ;;
    tcp_fastopen_backup_key) kernel_one "$program" net.ipv4.tcp_fastopen=3 -- sh -c './tcp_fastopen_backup_key -4 && ./tcp_fastopen_backup_key -6sr' ;;
    nettest) kernel_one "$program" -- sh -c './nettest -6 -s -t 3 & sleep 0.3; ./nettest -6 -r ::1; wait' ;;
    fin_ack_lat) kernel_one "$program" -- timeout 2 "./$program" ;;
    *) kernel_one "$program" -- "./$program" ;;
  esac
done
