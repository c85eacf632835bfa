/* ports.c - rules that take ports away: time_wait, steal, self_connect */
#include "ports.h"
#include "act.h"
#include "facts.h"
#include "identity.h"
#include "netns.h"
#include <base/addr.h>
#include <base/sys.h>
#include <session/lock.h>
#include <string.h>

static const char *words_for(int err)
{
	switch (err) {
	case -EADDRINUSE: return "the port is in use already";
	case -EADDRNOTAVAIL: return "no interface has this address";
	case -EACCES: return "this process may not bind the port";
	case -EOPNOTSUPP: return "the socket is bound to a device";
	case -EAFNOSUPPORT: return "the socket has no port";
	case -EMFILE: return "the process has no descriptors left";
	default: return "the kernel did not let snag bind a socket there";
	}
}

/* ---- to the keeper ---- */

/* NULL, or why it could not be done; fd is closed. */
static const char *send_order(int fd, const struct snag_occupant_order *o)
{
	char folder[64], path[OCCUPANT_PATH_MAX];
	if (session_folder(folder, sizeof(folder), false) < 0 || !occupant_path(path, folder, session.header->name)) {
		sys_close(fd);
		return "the folder of sessions is out of this process's reach";
	}
	if (occupant_hand(path, fd, o) < 0)
		return "the session's keeper is out of this process's reach";
	session_wake_keeper(&session);	/* it ends on time */
	return NULL;
}

/* The descriptor, or -errno, of a port that is taken as wished. */
static void hand_over(struct hook *h, const struct occupant_wish *w, int fd)
{
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
	const char *note = fd < 0 ? words_for(fd) : send_order(fd, &o);
	if (note)
		act_leave_alone(h, note);
}

/* ---- close ---- */

static void claim(struct hook *h, unsigned as)
{
	struct occupant_wish *w = &h->claim.wish;
	*w = (struct occupant_wish){ .as = (uint8_t)as, .for_ns = engine_real_ns(&engine, h->plan.value) };
	occupant_claim(&h->claim, h->call.fd);
	w->options = engine_left_options(&engine, h->plan.action, h->ref.sock, h->ref.serial, w->options);
	h->claimed = true;
}

void ports_settle(struct hook *h)
{
	h->claimed = false;
	hand_over(h, &h->claim.wish, occupant_settle(&h->claim));
}

bool ports_leaving(struct hook *h, unsigned call, int fd, struct sock_ref r)
{
	struct session_guard g;
	h->claimed = false;
	h->note = NULL;
	if (likely(!engine_leaves(&engine, call)) || !hook_describe(h, call, fd, r) || !identity_holds(fd, r) ||
	    !self_lock(&g))
		return false;
	engine_leave(&engine, &h->call, &h->plan);
	self_unlock(&g);
	ports_act(h);
	return h->claimed;
}

/* ---- the end of a process ---- */

void ports_ended(void *arg, uint32_t proc, uint32_t sock)
{
	struct ports_left *l = arg;
	struct snag_call c;
	if (engine_leaves(&engine, SNAG_CALL_close) && l->n < PORTS_LEFT_MAX) {
		proc_closing(&session, proc, sock, &c);
		c.start_ns = self_now();
		l->n += engine_ended(&engine, &c, &l->order[l->n]);
	}
	self_closed(NULL, proc, sock);
}

void ports_leave(struct ports_left *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct snag_occupant_order *o = &l->order[i];
		int fd = occupant_obey(o);
		if (fd >= 0)
			send_order(fd, o);
	}
	l->n = 0;
}

void ports_reap(void)
{
	struct ports_left l = { .n = 0 };
	if (!netns_at_home())	/* what they left behind is to stand on ports there */
		return;
	proc_reap(&session, ports_ended, &l);
	ports_leave(&l);
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
		.for_ns = engine_real_ns(&engine, h->plan.value),
	};
	struct snag_addr local;
	if (facts_local(h->call.fd, &local) && local.port) {
		act_leave_alone(h, "the socket has an address already");
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
	model_learn(engine.model, engine.machine, &bind, &done, self_now());
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
		act_leave_alone(h, "the socket or the address is not one to connect");
		return;
	}
	if (facts_local(h->call.fd, &local) && local.port) {
		if (local.port != to.port || !(addr_is_any(&local) || addr_equal_ip(&local, &to)))
			act_leave_alone(h, "the socket is bound to another address");
		return;
	}
	long r = sys_call(SYS_bind, h->call.fd, &ss, len);
	if (r < 0)
		act_leave_alone(h, words_for((int)r));
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
