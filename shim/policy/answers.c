/* answers.c - errnos that only some sockets can answer. */
#include "answers.h"

#include <base/base.h>
#include <errno.h>

/* A datagram socket's connect sends nothing, so nobody refuses it and nothing times out (net/ipv4/datagram.c); on a Unix
 * socket somebody listens or not, at once (net/unix/af_unix.c). EINTR on accept fits a blocking socket only: on another
 * one no correct program would call again by itself. */
static const struct {
	uint16_t call; /* enum snag_call_id */
	int err;
	struct answers answers;
} rows[] = {
	{SNAG_CALL_connect, ECONNREFUSED, {1 << SNAG_PROTO_TCP | 1 << SNAG_PROTO_UNIX, false}},
	{SNAG_CALL_connect, ETIMEDOUT, {1 << SNAG_PROTO_TCP, false}},
	{SNAG_CALL_accept, EINTR, {~0u, true}},
	{SNAG_CALL_accept4, EINTR, {~0u, true}},
};

struct answers answers_of(unsigned call, int err)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].call == call && rows[i].err == err)
			return rows[i].answers;
	return (struct answers){~0u, false};
}

int answers_denied(unsigned call)
{
	return call == SNAG_CALL_connect ? ECONNREFUSED : EACCES;
}
