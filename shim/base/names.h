/* names.h - errnos and signals by name, without stdio or locale. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>

/* NULL: no such errno or signal. EAGAIN, not EWOULDBLOCK; EOPNOTSUPP, not ENOTSUP. */
const char *errno_name(int err);
const char *signal_name(int sig);
/* 0: no such name. Both take aliases (EWOULDBLOCK, SIGCLD). */
int errno_by_name(const char *name, size_t len);
int signal_by_name(const char *name, size_t len);
/* The i-th name of each table, for suggestions; NULL past the end. */
const char *errno_nth(unsigned i);
const char *signal_nth(unsigned i);

/* The lower-case words of the trace and the policy, for the enums of <snag/>: "listen", "accepted", "tcp", "inject",
 * "rule"; of enum snag_unsure ("foreign") and enum snag_why ("held"). Out of range: "?". */
const char *state_name(unsigned state);
const char *role_name(unsigned role);
const char *proto_name(unsigned proto);
const char *mode_name(unsigned mode);
const char *by_name(unsigned by);
const char *unsure_name(unsigned unsure);
const char *why_name(unsigned why);

#endif
