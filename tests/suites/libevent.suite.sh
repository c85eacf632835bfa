# libevent's regression tests. Some of them measure time, and fail on a busy machine.
# shellcheck shell=bash disable=SC2154,SC2034

has libevent cmake && source_of libevent libevent || return 0
libevent_build() {
  mkdir -p "$work/libevent-build" && cd "$work/libevent-build" &&
    cmake "$work/libevent" -DEVENT__LIBRARY_TYPE=STATIC -DEVENT__DISABLE_MBEDTLS=ON -DEVENT__DISABLE_SAMPLES=ON &&
    make -j2 regress
}
[ -x "$work/libevent-build/bin/regress" ] || built libevent libevent_build || return 0
cd "$work/libevent-build" || return
play libevent -- ./bin/regress --quiet
