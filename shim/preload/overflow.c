/* overflow.c - listeners that reset the clients which find their queue full */
#include "overflow.h"
#include "epset.h"
#include "facts.h"
#include "identity.h"
#include "ready.h"
#include <base/sys.h>
#include <effects/reset.h>
#include <effects/shield.h>
#include <effects/state.h>
#include <effects/wait.h>
#include <model/route.h>
#include <netinet/tcp.h>
#include <probe/diag.h>
#include <probe/route.h>
#include <session/lock.h>

#define BY_KERNEL UINT32_MAX	/* in the place of a rule: the kernel whose rules hold does so */

static bool watched(const struct hook *h)
{
	return unlikely(load_relaxed(&ready_flags) & READY_RESETS) && h->call.proto == SNAG_PROTO_TCP;
}

void overflow_listens(const struct hook *h)
{
	uint32_t room = load_acquire(&session.header->socks_ready);
	bool resets = h->plan.changes & SNAG_CHANGE_OVERFLOW;
	if (!watched(h))
		return;
	struct fault_state *f = resets ? fault_claim(session.faults, room, h->ref.sock, h->ref.serial)
				       : fault_find(session.faults, room, h->ref.sock, h->ref.serial);
	if (f)
		store_release(&f->overflow, !resets ? 0 : h->plan.action == SNAG_ACTION_backlog ? h->plan.rule[0] : BY_KERNEL);
	if (resets)
		identity_publish(h->call.fd, h->ref);	/* its clients know it by its cookie */
}

/* ---- the client ---- */

/* The listener that dropped the SYN for want of room; false: nobody did, or nobody here. */
static bool find_full(int fd, unsigned domain, const struct snag_addr *to, struct diag_sock *s)
{
	unsigned syns;
	*s = (struct diag_sock){ .domain = (uint16_t)domain, .proto = SNAG_PROTO_TCP };
	if (!shield_waits(fd, &syns) || !facts_local(fd, &s->peer))
		return false;
	s->local = route_meant(&s->peer, to);
	return route_reach(&s->local) == SNAG_REACH_LOCAL && diag_receiver(s) == 0 && s->state == TCP_LISTEN &&
	       s->queue_len > s->queue_limit;	/* include/net/sock.h, sk_acceptq_is_full() */
}

/* The rule by which a listener resets, index + 1, or BY_KERNEL; 0: it does not. */
static uint32_t rule_of(uint64_t cookie)
{
	struct session_guard g;
	if (!self_lock(&g))
		return 0;
	struct sock_ref r = sock_find(&session, cookie);
	self_unlock(&g);
	const struct fault_state *f =
		fault_find(session.faults, load_acquire(&session.header->socks_ready), r.sock, r.serial);
	uint32_t rule = f ? load_acquire(&f->overflow) : 0;
	return rule && (rule == BY_KERNEL || trigger_on(engine.triggers, rule - 1)) ? rule : 0;
}

static void reset(int fd, struct sock_ref r, const struct snag_addr *to)
{
	struct epset_places places;
	epset_take(&places, r);		/* nobody is to see the moment in between */
	if (reset_attempt(fd, to) < 0)
		shield_connect(fd, to);
	epset_put(&places);
	fetch_add(&ready_changes, 1);
}

uint32_t overflow_meet(int fd, struct sock_ref r, const struct snag_addr *to)
{
	const struct model_sock *m = model_peek(engine.model, r.sock, r.serial);
	struct diag_sock listener;
	if (!(load_relaxed(&ready_flags) & READY_RESETS) || !m || !find_full(fd, m->domain, to, &listener))
		return 0;
	uint32_t rule = rule_of(listener.cookie);
	if (rule)
		reset(fd, r, to);
	return rule;
}

/* The attempt has begun. */
static void look(struct hook *h)
{
	struct ready_guard g;
	if (!ready_lock(&g))
		return;
	uint32_t rule = overflow_meet(h->call.fd, h->ref, &h->call.addr);
	ready_unlock(&g);
	if (!rule)
		return;
	h->plan.by = rule == BY_KERNEL ? SNAG_BY_MODEL : SNAG_BY_RULE;
	if (rule != BY_KERNEL)
		h->plan.rule[0] = (uint16_t)rule;
	if (h->plan.sure == SNAG_CERTAIN) {	/* what the machine's own kernel would have answered is not seen */
		h->plan.sure = SNAG_WITHHELD;
		h->plan.model_why = SNAG_UNSURE_VIRTUAL;
	}
}

static void set_blocking(int fd, bool blocks)
{
	long flags = sys_call(SYS_fcntl, fd, F_GETFL);
	if (flags >= 0)
		sys_call(SYS_fcntl, fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* Begun without waiting; what comes of it, the kernel tells the next connect. */
static int connect_in_two(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	int fd = h->call.fd;
	set_blocking(fd, false);
	int err = (int)-sys_call(SYS_connect, fd, sa, len);
	if (err == EINPROGRESS)
		look(h);
	set_blocking(fd, true);
	int r = err ? -1 : 0;
	errno = err;
	if (err == EINPROGRESS || err == EALREADY)
		r = real.connect(fd, sa, len);
	if (r < 0 && errno == EALREADY)		/* SO_SNDTIMEO has passed */
		errno = err;
	return r;
}

int overflow_connect(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	int fd = h->call.fd, family = h->call.addr.family;
	if (likely(!watched(h)) || (family != AF_INET && family != AF_INET6))
		return real.connect(fd, sa, len);
	if (wait_blocks(&h->call))
		return connect_in_two(h, sa, len);
	int r = real.connect(fd, sa, len);
	if (r < 0 && errno == EINPROGRESS) {
		look(h);
		errno = EINPROGRESS;
	}
	return r;
}
