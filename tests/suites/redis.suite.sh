# Redis' own tests of its servers, with the machine's redis-server.
# shellcheck shell=bash disable=SC2154,SC2034

has redis redis-server redis-cli redis-benchmark tclsh && source_of redis redis || return 0
cd "$work/redis" || return
for program in redis-server redis-cli redis-benchmark redis-check-aof redis-check-rdb; do
  ln -sf "$(command -v $program)" src/$program
done
for test in unit/networking unit/protocol unit/limits unit/introspection unit/pubsub unit/auth integration/replication-2; do
  play "redis/${test#*/}" -- ./runtest --single $test
done
