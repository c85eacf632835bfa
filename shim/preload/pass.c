/* pass.c - descriptors passed over unix sockets, in the control messages of sendmsg and recvmsg
 *
 * A socket on its way is held by the session as in flight, so that it does not seem closed when its sender closes
 * it. */
#include "pass.h"
#include "hook.h"
#include "identity.h"
#include <errno.h>
#include <session/lock.h>
#include <string.h>

#define CONTROL_MAX (256u << 10)	/* more than the kernel takes: net/core/sock.c, sysctl_optmem_max */

/* Calls back with each descriptor in the message's SCM_RIGHTS; reads no further than msg_controllen says. */
typedef void each_fd(int fd, bool peeked);

static void each_passed(const struct msghdr *m, each_fd *each, bool peeked)
{
	const char *at = m->msg_control;
	size_t left = m->msg_controllen;
	if (left > CONTROL_MAX || !hook_readable(at, left))
		return;
	while (left >= sizeof(struct cmsghdr)) {
		const struct cmsghdr *c = (const struct cmsghdr *)at;
		size_t len = c->cmsg_len, step = CMSG_ALIGN(len);
		if (len < sizeof(*c) || len > left)
			return;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			for (size_t i = CMSG_LEN(0); i + sizeof(int) <= len; i += sizeof(int)) {
				int fd;
				memcpy(&fd, at + i, sizeof(fd));
				each(fd, peeked);
			}
		}
		if (step > left)
			return;
		at += step;
		left -= step;
	}
}

/* ---- sending ---- */

static void hold_one(int fd, bool peeked)
{
	struct session_guard g;
	struct sock_ref r = fdtab_get(fd);
	(void)peeked;
	if (!r.sock)
		return;
	identity_publish(fd, r);
	if (!self_lock(&g))
		return;
	sock_hold(&session, SOCK_IN_FLIGHT, r, fd);
	self_unlock(&g);
}

static void release(struct sock_ref r)
{
	struct session_guard g;
	if (!self_lock(&g))
		return;
	bool last = sock_drop(&session, SOCK_IN_FLIGHT, r, true);
	self_unlock(&g);
	if (last)
		self_forget(r);
}

static void release_one(int fd, bool peeked)
{
	struct sock_ref r = fdtab_get(fd);
	(void)peeked;
	if (r.sock)
		release(r);
}

bool pass_may(int fd)
{
	struct sock_ref r = fdtab_get(fd);
	if (!self_active())
		return false;
	const struct model_sock *m = r.sock ? model_peek(engine.model, r.sock, r.serial) : NULL;
	return !m || m->proto == SNAG_PROTO_UNIX || m->proto == SNAG_PROTO_NONE;
}

bool pass_looks(const struct msghdr *m)
{
	return m->msg_controllen && self_active() && !self_borrowed();
}

void pass_hold(const struct msghdr *m)
{
	each_passed(m, hold_one, false);
}

void pass_release(const struct msghdr *m)
{
	each_passed(m, release_one, false);
}

/* ---- receiving ---- */

/* A descriptor has arrived. A peeked one is a copy: the message is still on its way. */
static void arrive(int fd, bool peeked)
{
	struct sock_ref known = fdtab_take(fd);	/* the number was closed unseen */
	if (known.sock && sock_is(&session, known))
		self_drop(known, false);
	struct sock_ref r = identity_adopt(fd);
	if (r.sock && !peeked)
		release(r);
}

void pass_receive(const struct msghdr *m, int flags)
{
	int saved = errno;
	if (pass_looks(m))
		each_passed(m, arrive, (flags & MSG_PEEK) != 0);
	errno = saved;
}
