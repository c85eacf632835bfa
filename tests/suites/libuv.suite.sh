# libuv's own tests, which refuse to be run by root.
# shellcheck shell=bash disable=SC2154,SC2034

has libuv cmake setpriv && source_of libuv libuv1 || return 0
libuv_build() {
  mkdir -p "$work/libuv" && cd "$work/libuv" && cmake "$work/libuv1" -DLIBUV_BUILD_TESTS=ON && make -j2 uv_run_tests_a
}
[ -x "$work/libuv/uv_run_tests_a" ] || built libuv libuv_build || return 0
cd "$work/libuv" || return
if [ "$(id -u)" -eq 0 ]; then
  as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp)
  chmod 777 "$out" .
  ln -sfn "$work/libuv1/test" test
fi
play libuv -- ./uv_run_tests_a
