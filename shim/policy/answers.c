/* answers.c - what an action asks of the socket. */
#include "answers.h"

#include <base/base.h>
#include <base/calls.h>
#include <errno.h>
#include <snag/plan.h>
#include <string.h>
#include <sys/socket.h>

#define TCP (1u << SNAG_PROTO_TCP)
#define UDP (1u << SNAG_PROTO_UDP)
#define UNIX (1u << SNAG_PROTO_UNIX)
#define INET (~UNIX)

/* A datagram socket's connect sends nothing, so nobody refuses it and nothing times out (net/ipv4/datagram.c); on a
 * Unix socket somebody listens or not, at once (net/unix/af_unix.c). Routes and local addresses are the internet's, paths
 * are a Unix socket's (unix(7), ip(7)). EINTR fits a blocking socket only: on another one no
 * correct program would call again by itself. EAGAIN fits where readiness can be raised again. A connection that is
 * reset or falls silent is TCP's; a datagram that is cut loses its rest, so only streams are. */
static const struct {
	const char *group;	/* NULL: any */
	uint16_t action;	/* enum snag_action */
	int err;
	struct answers answers;
} rows[] = {
	{"connect", SNAG_ACTION_errno, ECONNREFUSED, {TCP | UNIX, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, ETIMEDOUT, {TCP, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, EADDRNOTAVAIL, {INET, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, ENETUNREACH, {INET, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, EHOSTUNREACH, {INET, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, ENOENT, {UNIX, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_errno, EPROTOTYPE, {UNIX, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, EADDRNOTAVAIL, {INET, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, ELOOP, {UNIX, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, ENAMETOOLONG, {UNIX, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, ENOENT, {UNIX, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, ENOTDIR, {UNIX, ANSWERS_ANY, false}},
	{"bind", SNAG_ACTION_errno, EROFS, {UNIX, ANSWERS_ANY, false}},
	{"connect", SNAG_ACTION_syn_drop, 0, {TCP, ANSWERS_ANY, false}},
	{"accept", SNAG_ACTION_spurious, 0, {TCP | UNIX, ANSWERS_NONBLOCKING, false}},
	{"accept", SNAG_ACTION_hold, 0, {TCP | UNIX, ANSWERS_ANY, false}},
	{"accept", SNAG_ACTION_errno, EINTR, {~0u, ANSWERS_BLOCKING, false}},
	{"recv", SNAG_ACTION_errno, EINTR, {~0u, ANSWERS_BLOCKING, false}},
	{"send", SNAG_ACTION_errno, EINTR, {~0u, ANSWERS_BLOCKING, false}},
	{"recv", SNAG_ACTION_errno, EAGAIN, {TCP | UNIX, ANSWERS_NONBLOCKING, true}},
	{"send", SNAG_ACTION_errno, EAGAIN, {TCP | UNIX, ANSWERS_NONBLOCKING, true}},
	{"recv", SNAG_ACTION_spurious, 0, {TCP | UNIX, ANSWERS_NONBLOCKING, true}},
	{"recv", SNAG_ACTION_stall, 0, {TCP | UNIX, ANSWERS_ANY, true}},
	{"send", SNAG_ACTION_stall, 0, {TCP | UNIX, ANSWERS_ANY, true}},
	{NULL, SNAG_ACTION_clamp, 0, {TCP | UNIX, ANSWERS_ANY, true}},
	{NULL, SNAG_ACTION_eof, 0, {TCP | UNIX, ANSWERS_ANY, true}},
	{NULL, SNAG_ACTION_reset, 0, {TCP, ANSWERS_ANY, false}},
	{NULL, SNAG_ACTION_time_wait, 0, {TCP, ANSWERS_ANY, false}},
	{NULL, SNAG_ACTION_steal, 0, {TCP | UDP, ANSWERS_ANY, false}},
	{NULL, SNAG_ACTION_self_connect, 0, {TCP, ANSWERS_ANY, false}},
	{NULL, SNAG_ACTION_blackhole, 0, {TCP, ANSWERS_ANY, false}},
};

struct answers answers_of(unsigned call, unsigned action, int err)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].action == action && rows[i].err == (action == SNAG_ACTION_errno ? err : 0) &&
		    (!rows[i].group || strcmp(rows[i].group, call_row(call)->group) == 0))
			return rows[i].answers;
	return (struct answers){~0u, ANSWERS_ANY, false};
}

int answers_denied(unsigned call)
{
	return call == SNAG_CALL_connect ? ECONNREFUSED : EACCES;
}

bool answers_met(struct answers a, const struct snag_call *c)
{
	if (c->proto > SNAG_PROTO_OTHER || !(a.protos >> c->proto & 1) || (a.stream && c->type != SOCK_STREAM))
		return false;
	return a.wait == ANSWERS_ANY ||
	       ((c->facts & SNAG_FACT_BLOCKING) && !c->blocking == (a.wait == ANSWERS_NONBLOCKING));
}
