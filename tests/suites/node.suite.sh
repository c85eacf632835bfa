# node's own tests of its net and dgram modules, one process each.
# shellcheck shell=bash disable=SC2154,SC2034

has node node && source_of node nodejs || return 0
cd "$work/nodejs/test/parallel" || return
# shellcheck disable=SC2016 # the inner shell's
for module in net dgram; do
  play "node/$module" -- bash -c 'for f in test-$1-*.js; do
    timeout 20 node --expose-internals $f >/dev/null 2>&1 && echo "ok $f" || echo "not ok $f"; done' node $module
done
