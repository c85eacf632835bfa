/* ports.c - rules that take ports away: time_wait, steal, self_connect */
#include "ports.h"
#include "facts.h"
#include <base/addr.h>
#include <base/sys.h>
#include <session/lock.h>
#include <string.h>

/* The call is the kernel's; the event keeps the rule's name and says why. */
static void leave_alone(struct hook *h, const char *note)
{
	h->plan.action = SNAG_ACTION_NONE;
	h->plan.by = SNAG_BY_KERNEL;
	h->note = note;
}

static const char *words_for(int err)
{
	switch (err) {
	case -EADDRINUSE: return "the port is in use already";
	case -EADDRNOTAVAIL: return "no interface has this address";
	case -EACCES: return "this process may not bind the port";
	case -EOPNOTSUPP: return "the socket is bound to a device";
	case -EAFNOSUPPORT: return "the socket has no port";
	default: return "the kernel did not let snag bind a socket there";
	}
}

/* ---- to the keeper ---- */

/* A duration of the policy is model time, as the virtual kernel's clock has it. */
static uint64_t real_ns(uint64_t model_ns)
{
	const struct snag_kernel *k = engine_kernel(&engine);
	return k && k->clock ? model_ns / k->clock : model_ns;
}

/* The descriptor, or -errno, of a port that is taken as wished. */
static void hand_over(struct hook *h, const struct occupant_wish *w, int fd)
{
	char folder[64], path[OCCUPANT_PATH_MAX];
	struct snag_occupant_order o = {
		.magic = SNAG_OCCUPANT_MAGIC,
		.as = w->as,
		.proto = w->proto,
		.options = w->options,
		.rule = h->plan.rule[0],
		.begin_ns = h->call.start_ns,
		.until_ns = self_now() + w->for_ns,
		.addr = w->addr,
	};
	if (fd < 0) {
		leave_alone(h, words_for(fd));
		return;
	}
	if (session_folder(folder, sizeof(folder), false) < 0 ||
	    !occupant_path(path, folder, session.header->name)) {
		sys_close(fd);
		leave_alone(h, "the folder of sessions is out of this process's reach");
	} else if (occupant_hand(path, fd, &o) < 0) {
		leave_alone(h, "the session's keeper is out of this process's reach");
	} else {
		session_wake_keeper(&session);	/* it ends on time */
	}
}

/* ---- close ---- */

static bool last_reference(const struct hook *h)
{
	struct session_guard g;
	if (!sock_shared(&session, h->ref))
		return true;
	if (!self_lock(&g))
		return false;
	bool sole = sock_sole(&session, h->ref);
	self_unlock(&g);
	return sole;
}

static void claim(struct hook *h, unsigned as)
{
	if (!last_reference(h)) {
		leave_alone(h, "other descriptors of the socket are open");
		return;
	}
	h->claim.wish = (struct occupant_wish){ .as = (uint8_t)as, .for_ns = real_ns(h->plan.value) };
	occupant_claim(&h->claim, h->call.fd);
	if (as == SNAG_OCCUPANT_BOUND)
		h->claim.wish.options &= SNAG_OPTION_V6ONLY;	/* a stranger shares with nobody */
	else if (engine_keeps_waits(&engine) && !hook_reuses(h))
		h->claim.wish.options &= (uint8_t)~SNAG_OPTION_REUSEADDR;	/* set by us, not by the program */
	h->claimed = true;
}

void ports_settle(struct hook *h)
{
	h->claimed = false;
	hand_over(h, &h->claim.wish, occupant_settle(&h->claim));
}

/* ---- bind ---- */

/* As its predecessor left it a moment ago, who had the same options. */
static void find_taken(struct hook *h)
{
	struct occupant_wish w = {
		.addr = h->call.addr,
		.domain = h->call.domain,
		.as = SNAG_OCCUPANT_TIME_WAIT,
		.proto = SNAG_PROTO_TCP,
		.options = occupant_options(h->call.fd),
		.for_ns = real_ns(h->plan.value),
	};
	struct snag_addr local;
	if (facts_local(h->call.fd, &local) && local.port) {
		leave_alone(h, "the socket has an address already");
		return;
	}
	w.addr = occupant_specific(&w.addr);
	hand_over(h, &w, occupant_open(&w));
}

/* ---- connect ---- */

/* The model hears of a bind that the program did not make. */
static void learn_bind(const struct hook *h, const struct snag_addr *addr)
{
	struct snag_call bind = h->call;
	struct snag_outcome done = { .seen = SNAG_SEEN, .new_fd = -1 };
	struct session_guard g;
	bind.call = SNAG_CALL_bind;
	bind.facts = 0;
	bind.addr = *addr;
	if (!self_lock(&g))
		return;
	model_learn(engine.model, &bind, &done, self_now());
	self_unlock(&g);
}

/* tcp_rcv_state_process() (net/ipv4/tcp_input.c): a SYN that meets its own socket in SYN_SENT opens it from both sides
 * at once, and the one socket is both ends. */
static void connect_itself(struct hook *h)
{
	struct snag_addr to = occupant_specific(&h->call.addr), local;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to, &ss);
	uint8_t state = SNAG_STATE_CLOSED;
	const struct model_sock *m = model_peek(engine.model, h->ref.sock, h->ref.serial);
	if (m)
		state = m->state;
	if (!len || !to.port || state >= SNAG_STATE_LISTEN) {
		leave_alone(h, "the socket or the address is not one to connect");
		return;
	}
	if (facts_local(h->call.fd, &local) && local.port) {
		if (local.port != to.port || !(addr_is_any(&local) || addr_equal_ip(&local, &to)))
			leave_alone(h, "the socket is bound to another address");
		return;
	}
	long r = sys_call(SYS_bind, h->call.fd, &ss, len);
	if (r < 0)
		leave_alone(h, words_for((int)r));
	else
		learn_bind(h, &to);
}

void ports_act(struct hook *h)
{
	switch (h->plan.action) {
	case SNAG_ACTION_time_wait:
		if (h->call.call == SNAG_CALL_bind)
			find_taken(h);
		else
			claim(h, SNAG_OCCUPANT_TIME_WAIT);
		break;
	case SNAG_ACTION_steal:
		claim(h, SNAG_OCCUPANT_BOUND);
		break;
	case SNAG_ACTION_self_connect:
		connect_itself(h);
		break;
	}
}
