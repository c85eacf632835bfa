/* refuse.c - failures that the real kernel is made to deliver */
#include "refuse.h"
#include "shield.h"
#include "wait.h"
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <sys/socket.h>

bool refuse_is_late(const struct snag_call *c, int err)
{
	return err == ECONNREFUSED && c->proto == SNAG_PROTO_TCP &&
	       (c->addr.family == AF_INET || c->addr.family == AF_INET6) && !wait_blocks(c);
}

int refuse_connect(const struct snag_call *c)
{
	struct snag_addr nobody = shield_nobody(&c->addr);
	int err = shield_connect(c->fd, &nobody);
	/* busy with an earlier attempt, or done: the kernel has the word */
	return err == EINPROGRESS || err == EALREADY || err == EISCONN ? err : ECONNREFUSED;
}

bool refuse_consumes(int err)
{
	static const int consuming[] = { ECONNABORTED, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
					 ENETUNREACH, ENETDOWN, EPERM };
	for (unsigned i = 0; i < ARRAY_LEN(consuming); i++)
		if (consuming[i] == err)
			return true;
	return false;
}

void refuse_drop(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sys_close(fd);
}
