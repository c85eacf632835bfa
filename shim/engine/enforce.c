/* enforce.c - the virtual kernel's part in decide and commit. */
#include "enforce.h"

#include <errno.h>
#include <model/ephemeral.h>
#include <model/profile.h>
#include <model/virtual.h>
#include <netinet/in.h>
#include <sys/socket.h>

const struct snag_kernel *engine_kernel(const struct engine *e)
{
	return e->mode >= SNAG_MODE_ENFORCE && !e->dry && e->rules && e->rules->kernel.given ? &e->rules->kernel : NULL;
}

bool engine_keeps_waits(const struct engine *e)
{
	const struct snag_kernel *k = engine_kernel(e);

	return k && waits_in_force(k);
}

void engine_forget(struct engine *e, uint32_t sock, uint64_t now_ns)
{
	if (engine_keeps_waits(e))
		waits_closed(e->model, engine_kernel(e), sock, NULL, now_ns);
	model_forget(e->model, sock, now_ns);
}

/* ---- decide ---- */

/* Of as many as there are places: does one belong to a process that is gone, and will be forgotten soon? */
static bool any_dead(const struct engine *e, int32_t most)
{
	struct engine_holder h;
	struct model_sock s;
	int32_t living = 0;

	for (uint32_t sock = 1; e->holder && sock <= SNAG_SOCKS && living < most; sock++) {
		if (!virtual_next_sock(e->model, &sock, &s))
			return true;
		living += e->holder(e->arg, sock, s.serial, &h);
	}
	return false;
}

/* Sockets that listen or are connected really have SO_REUSEADDR, whatever the model has heard: what it says of the
 * machine's own answer is not the truth then. */
static void doubt(const struct snag_call *c, struct snag_plan *p)
{
	bool binds = c->call == SNAG_CALL_bind || c->call == SNAG_CALL_listen;

	if (!binds || c->proto != SNAG_PROTO_TCP || p->sure != SNAG_CERTAIN || p->model_err != EADDRINUSE)
		return;
	p->sure = SNAG_WITHHELD;
	p->model_why = SNAG_UNSURE_VIRTUAL;
}

void enforce_decide(const struct engine *e, const struct snag_kernel *k, const struct snag_call *c, struct snag_plan *p)
{
	struct virtual_verdict v;
	struct model_sock s;

	virtual_backlog(k, c, p);
	if (p->by == SNAG_BY_RULE && p->err)
		return;
	virtual_decide(e->model, k, c, p, &v);
	if (waits_in_force(k))
		doubt(c, p);
	if (v.holder && model_get(e->model, v.holder, &s)) {
		p->holder = v.holder;
		p->holder_serial = s.serial;
	}
	p->changes |= v.changes;
	p->port = v.port;
	p->port_at = v.port_at;
	p->bind = v.bind;
	p->wait = v.wait;
	p->refusal = v.why;
	if (!v.err || (v.why == SNAG_WHY_OPEN_SOCKETS && any_dead(e, k->open_sockets)))
		return;
	p->by = SNAG_BY_MODEL;
	p->action = SNAG_ACTION_errno;
	p->err = v.err;
}

bool engine_next_port(const struct engine *e, const struct snag_call *c, struct snag_plan *p)
{
	const struct snag_kernel *k = engine_kernel(e);

	p->port = k ? ephemeral_port(e->model, k, c, &p->port_at) : 0;
	p->bind = p->port && c->call == SNAG_CALL_connect && ephemeral_lifts(e->model, c, p->port) ? SNAG_BIND_LIFTED
												  : SNAG_BIND_AS_IS;
	return p->port != 0;
}

unsigned enforce_time_waits(const struct engine *e, const struct snag_addr *local, uint64_t now_ns)
{
	return engine_keeps_waits(e) ? waits_count(e->model, local->port, now_ns)
				     : model_time_waits(e->model, local, now_ns);
}

/* ---- commit ---- */

bool enforce_refused(const struct snag_call *c, const struct snag_plan *p, const struct snag_outcome *o)
{
	if (o->seen != SNAG_SEEN || !o->err || p->by == SNAG_BY_RULE)
		return false;
	if ((p->changes & SNAG_CHANGE_RANGE) && virtual_exhausted(c, o->err))
		return true;
	if (o->real_err >= 0)
		return false;
	return p->by == SNAG_BY_MODEL || (p->bind == SNAG_BIND_PROVEN && o->err == EADDRINUSE);
}

bool enforce_stricter(const struct engine *e, const struct snag_call *c, const struct snag_plan *p,
		      const struct snag_outcome *o, uint32_t holder)
{
	const struct snag_kernel *k = engine_kernel(e);

	if (!k || !(p->changes & SNAG_CHANGE_ADMIT))
		return false;
	if (o->real_err == EACCES)
		return profile_opens_low_ports(k->profile, &c->addr);
	return o->real_err == EADDRINUSE && holder && holder <= SNAG_SOCKS;
}

static bool closes(const struct snag_call *c, const struct snag_outcome *o)
{
	switch (c->call) {
	case SNAG_CALL_close:
	case SNAG_CALL_fclose:
	case SNAG_CALL_close_range:
	case SNAG_CALL_closefrom:
		return o->last && o->real_err >= 0;
	case SNAG_CALL_shutdown:
		return o->real_err == 0 && c->arg[0] != SHUT_RD;
	default:
		return false;
	}
}

void enforce_before(struct engine *e, const struct snag_call *c, const struct snag_outcome *o)
{
	if (engine_keeps_waits(e) && o->seen == SNAG_SEEN && closes(c, o))
		waits_closed(e->model, engine_kernel(e), c->sock, c, o->end_ns);
}

static void learn_resumed(struct engine *e, const struct snag_call *c, const struct snag_outcome *o)
{
	if (c->call == SNAG_CALL_connect && (o->real_err == 0 || o->real_err == EINPROGRESS))
		waits_resumed(e->model, &o->local, &c->addr);
	else if ((c->call == SNAG_CALL_accept || c->call == SNAG_CALL_accept4) && o->real_err == 0)
		waits_resumed(e->model, &o->local, &o->peer);
}

void enforce_option(struct engine *e, const struct snag_call *c, const struct snag_outcome *o, int level, int name,
		    int value)
{
	struct snag_call set = *c;

	set.call = SNAG_CALL_setsockopt;
	set.sock = o->new_sock;
	set.serial = o->new_serial;
	set.arg[0] = level;
	set.arg[1] = name;
	set.arg[2] = value;
	model_learn(e->model, e->machine, &set, o, o->end_ns);
}

/* The options that the virtual kernel gives to new sockets: see effects/tune.c. */
static void learn_tuned(struct engine *e, const struct snag_kernel *k, const struct snag_call *c,
			const struct snag_outcome *o)
{
	if (c->call != SNAG_CALL_socket || o->real_err || (c->domain != AF_INET && c->domain != AF_INET6))
		return;
	if ((k->given & SNAG_KERNEL_BINDV6ONLY) && c->domain == AF_INET6)
		enforce_option(e, c, o, IPPROTO_IPV6, IPV6_V6ONLY, k->bindv6only);
	if (k->given & SNAG_KERNEL_PORT_RANGE)
		enforce_option(e, c, o, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */,
			       (int)((uint32_t)k->port_hi << 16 | k->port_lo));
}

void enforce_after(struct engine *e, const struct snag_call *c, const struct snag_outcome *o)
{
	const struct snag_kernel *k = engine_kernel(e);

	if (!k || o->seen != SNAG_SEEN)
		return;
	learn_tuned(e, k, c, o);
	if (waits_in_force(k) && !engine_elsewhere(e, c))
		learn_resumed(e, c, o);
}
