# Perl's own tests of IO::Socket and IO::Socket::IP.
# shellcheck shell=bash disable=SC2154,SC2034

has perl prove && source_of perl perl || return 0
for module in dist/IO cpan/IO-Socket-IP; do
  cd "$work/perl/$module" || return
  play "perl/${module#*/}" -- prove t
done
