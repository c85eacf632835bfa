/* name.c - sockets and their names: socket, socketpair, bind, listen, getsockname, getpeername */
#include "enforce.h"
#include "facts.h"
#include "hook.h"
#include "identity.h"
#include "netns.h"
#include "resets.h"
#include "pending.h"
#include "overflow.h"
#include <base/addr.h>
#include <base/hash.h>
#include <base/sys.h>
#include <effects/tune.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

HOOK int socket(int domain, int type, int protocol)
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_socket, -1))
		return real.socket(domain, type, protocol);
	h.call.domain = (uint8_t)domain;
	h.call.proto = identity_proto(domain, type, protocol);
	h.call.arg[0] = domain;
	h.call.arg[1] = type;
	h.call.arg[2] = protocol;
	if (hook_decide(&h)) {
		int fd = real.socket(domain, type, protocol);
		hook_done(&h, fd);
		if (fd >= 0) {
			hook_made(&h, fd);
			h.out.elsewhere = netns_made(fd, domain);
			if (unlikely(engine_kernel(&engine)))
				tune_socket(fd, &h.call, engine_kernel(&engine));
		}
	}
	return (int)hook_leave(&h);
}

HOOK_ALIAS(__socket, socket);

/* The second end has no event of its own; the model hears of it all the same. */
static void adopt_second(struct hook *h, int fd)
{
	struct model_facts f = {
		.proto = h->call.proto,
		.domain = h->call.domain,
		.state = SNAG_STATE_ESTABLISHED,
		.uid = h->call.who.uid,
		.elsewhere = h->out.elsewhere,
	};
	struct sock_ref r = sock_new(&session, h->call.who.proc, fd);
	self_put(fd, r);
	if (r.sock)
		model_adopt(engine.model, r.sock, r.serial, &f, h->out.end_ns);
}

HOOK int socketpair(int domain, int type, int protocol, int sv[2])
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_socketpair, -1))
		return real.socketpair(domain, type, protocol, sv);
	h.call.domain = (uint8_t)domain;
	h.call.proto = identity_proto(domain, type, protocol);
	h.call.arg[0] = domain;
	h.call.arg[1] = type;
	h.call.arg[2] = protocol;
	if (hook_decide(&h)) {
		hook_done(&h, real.socketpair(domain, type, protocol, sv));
		if (h.out.ret == 0) {
			hook_made(&h, sv[0]);
			h.out.elsewhere = netns_made(sv[0], domain);
			adopt_second(&h, sv[1]);
		}
	}
	return (int)hook_leave(&h);
}

/* Where the kernel chose: the address that the socket really has. */
static void learn_local(struct hook *h)
{
	facts_local(h->call.fd, &h->out.local);
}

HOOK int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_bind, fd))
		return real.bind(fd, sa, len);
	hook_addr(&h, sa, len);
	if (unlikely(!h.call.addr_family && h.call.addr_len) && h.call.domain == AF_INET)
		addr_from_unspec(&h.call.addr, sa, len);
	if (hook_decide(&h)) {
		if (likely(!engine_kernel(&engine)))
			hook_done(&h, real.bind(fd, sa, len));
		else
			enforce_bind(&h, sa, len);
		if (h.out.ret == 0 && h.call.addr.port == 0 && h.call.path_len == 0)
			learn_local(&h);
	}
	return (int)hook_leave(&h);
}

HOOK int listen(int fd, int backlog)
{
	struct hook h;
	if (!hook_enter(&h, SNAG_CALL_listen, fd))
		return real.listen(fd, backlog);
	h.call.arg[0] = backlog;
	if (hook_decide(&h)) {
		if (h.plan.changes & SNAG_CHANGE_BACKLOG)
			backlog = h.plan.backlog;
		if (likely(!engine_kernel(&engine)))
			hook_done(&h, real.listen(fd, backlog));
		else
			enforce_listen(&h, backlog);
		if (h.out.ret == 0)
			learn_local(&h);	/* a socket without a name gets one here */
		if (h.out.ret == 0)
			overflow_listens(&h);
		if (h.out.ret == 0 && unlikely(engine_exact(&engine) || (h.plan.changes & SNAG_CHANGE_BACKLOG))) {	/* as it is now */
			h.call.facts &= (uint16_t)~SNAG_FACT_QUEUE;
			facts_fill(&h.call, SNAG_FACT_QUEUE, NULL);
		}
	}
	return (int)hook_leave(&h);
}

/* ---- questions ---- */

typedef int address_fn(int fd, struct sockaddr *sa, socklen_t *len);

/* Of a connection that a rule has reset: as the kernel answers of one that received a RST. */
static int answer(address_fn *ask, int fd, bool peer, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_storage ss;
	struct snag_addr was;
	if (likely(!resets_address(fd, peer, &was)) || !hook_readable(len, sizeof(*len)))
		return ask(fd, sa, len);
	socklen_t room = *len;
	int r = ask(fd, sa, len);
	if (r == 0) {
		*len = addr_to_sockaddr(&was, &ss);
		memcpy(sa, &ss, room < *len ? room : *len);
	}
	return r;
}

HOOK int getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	real_need();
	return answer(real.getsockname, fd, false, sa, len);
}

HOOK int getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	real_need();
	return answer(real.getpeername, fd, true, sa, len);
}
