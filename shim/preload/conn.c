/* conn.c - connections: accept, accept4, connect, shutdown */
#include "enforce.h"
#include "facts.h"
#include "held.h"
#include "overflow.h"
#include "pending.h"
#include "ready.h"
#include "spurious.h"
#include "resets.h"
#include "stream.h"
#include <base/addr.h>
#include <effects/refuse.h>
#include <string.h>

/* One accept for both. */
static int accept_as(unsigned id, int fd, struct sockaddr *sa, socklen_t *len, int flags, const void *caller)
{
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own), asked = 0;
	struct hook h;
	bool ours = hook_enter_from(&h, id, fd, caller);
	if (ours && !hook_decide(&h))
		return (int)hook_leave(&h);
	int err = 0;
	if (ours && ready_needed())
		err = spurious_accept(&h) ? EAGAIN : held_accept(&h);
	if (err) {
		hook_fail(&h, err);
		return (int)hook_leave(&h);
	}
	if (ours && !sa && !len) {	/* rules and the trace ask all the same */
		sa = (struct sockaddr *)&own;
		len = &own_len;
		asked = own_len;
	} else if (ours && sa && hook_readable(len, sizeof(*len))) {
		asked = *len;
	}
	int new = id == SNAG_CALL_accept ? real.accept(fd, sa, len) : real.accept4(fd, sa, len, flags);
	if (!ours)
		return new;
	hook_done(&h, new);
	if (h.turn)
		held_over(&h, new >= 0);
	if (new >= 0 && asked)
		addr_from_sockaddr(&h.out.peer, sa, *len < asked ? *len : asked, NULL, NULL);
	if (new >= 0 && h.after)
		refuse_drop(new);
	else if (new >= 0)
		hook_made(&h, new);
	if (new >= 0 && !h.after)
		stream_made(&h, new, (struct sock_ref){ h.out.new_sock, h.out.new_serial });
	if (new >= 0 && !h.after && (engine_exact(&engine) || engine_keeps_waits(&engine)))
		facts_local(new, &h.out.local);
	return (int)hook_leave(&h);
}

HOOK int accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return accept_as(SNAG_CALL_accept, fd, sa, len, 0, __builtin_return_address(0));
}

HOOK int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	return accept_as(SNAG_CALL_accept4, fd, sa, len, flags, __builtin_return_address(0));
}

/* A blocking connect on a socket that is connecting already (net/ipv4/af_inet.c, __inet_stream_connect()). True: it ends
 * here, with this errno. */
static bool connect_waits(struct hook *h)
{
	int err = pending_wait(h);
	if (err)
		errno = err == EINPROGRESS ? EALREADY : err;	/* SO_SNDTIMEO */
	return err != 0;
}

HOOK int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_connect, fd))
		return real.connect(fd, sa, len);
	hook_addr(&h, sa, len);
	if (ready_needed())
		ready_run();
	if (hook_decide(&h)) {
		int r = connect_waits(&h) ? -1 : likely(!engine_kernel(&engine)) ? overflow_connect(&h, sa, len) : enforce_connect(&h, sa, len);
		if (r < 0 && h.begun && errno == EALREADY)	/* SO_SNDTIMEO has passed */
			errno = EINPROGRESS;
		hook_done(&h, r);
		if (engine_exact(&engine) || engine_keeps_waits(&engine))
			facts_local(fd, &h.out.local);
		if (unlikely(engine_exact(&engine)))
			h.out.tcp_state = facts_tcp_state(&h.call);
	}
	if (!h.out.err || h.out.err == EINPROGRESS) {
		resets_over(h.ref);
		stream_made(&h, fd, h.ref);
	}
	return (int)hook_leave(&h);
}

HOOK_ALIAS(__connect, connect);

HOOK int shutdown(int fd, int how)
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_shutdown, fd))
		return real.shutdown(fd, how);
	h.call.arg[0] = how;
	if (hook_decide(&h))
		hook_done(&h, real.shutdown(fd, how));
	return (int)hook_leave(&h);
}
