/* predict_bind.c - what will bind answer? */
#include "predict.h"
#include "port.h"
#include "record.h"
#include "route.h"

#include <base/addr.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PRIVILEGED_PORTS 1024	/* ip_unprivileged_port_start, unless the machine says otherwise */

/* A check of the kernel: its errno; 0: it passes; UNKNOWN: it hangs on what nobody told, then `unsure` is why. */
#define UNKNOWN (-1)
typedef int check_fn(const struct question *q);

/* SIN6_LEN_RFC2133: without the scope. */
static int check_length(const struct question *q)
{
	socklen_t least = q->r->domain == AF_INET6 ? 24 : sizeof(struct sockaddr_in), len = q->c->addr_len;

	if (!len && !q->c->addr_family)	/* nobody told: as long as its family's addresses are */
		return q->c->addr.family == AF_INET6 || (q->c->addr.family && q->r->domain == AF_INET) ? 0 : UNKNOWN;
	return len < least || len > sizeof(struct sockaddr_storage) ? EINVAL : 0;
}

/* AF_UNSPEC with 0.0.0.0 is a bind like any other, for AF_INET sockets. */
static int check_family(const struct question *q)
{
	int family = q->c->addr_family ? q->c->addr_family : q->c->addr.family;

	if (q->c->addr_len && q->c->addr_family == AF_UNSPEC && q->r->domain == AF_INET)
		return addr_is_any(&q->c->addr) ? 0 : EAFNOSUPPORT;
	return family == q->r->domain ? 0 : EAFNOSUPPORT;
}

/* inet_addr_valid_or_nonlocal() (include/net/inet_sock.h); ipv6_can_nonlocal_bind() and ipv6_chk_addr(). */
static int check_reach(const struct question *q)
{
	const struct snag_addr *a = &q->c->addr;
	bool v4 = a->family == AF_INET || addr_is_mapped(a), known = predict_knows(q, SNAG_FACT_REACH);
	bool nonlocal = q->machine && (v4 ? q->machine->nonlocal_bind : q->machine->nonlocal_bind6);

	nonlocal |= (q->r->flags & MODEL_FREEBIND) != 0;
	if (a->ip[0] == 0xff && !v4)
		return 0;
	if (!v4 && addr_is_loopback(a) && !nonlocal && !route_hears_loopback(q->r->device))
		return q->machine ? EADDRNOTAVAIL : UNKNOWN;	/* ::1 is its device's own: IFA_HOST in ipv6_chk_addr_and_flags() */
	if (!v4 && addr_is_loopback(a) && !nonlocal && q->r->device == MODEL_DEVICE_UNKNOWN)
		return UNKNOWN;
	if (addr_is_any(a) || addr_is_loopback(a) || nonlocal || route_is_group4(a))
		return 0;
	if (!known)
		return UNKNOWN;
	return q->c->reach == SNAG_REACH_LOCAL || (v4 && q->c->reach == SNAG_REACH_GROUP) ? 0 : EADDRNOTAVAIL;
}

/* CAP_NET_BIND_SERVICE of the caller: inet_port_requires_bind_service() (include/net/ip.h) in __inet_bind(). */
static int check_privilege(const struct question *q)
{
	unsigned first = q->machine ? q->machine->unprivileged_port : PRIVILEGED_PORTS;

	if (!q->c->addr.port || q->c->addr.port >= first)
		return 0;
	if (predict_knows(q, SNAG_FACT_PRIVILEGED))
		return q->c->privileged ? 0 : EACCES;
	return q->c->who.uid ? UNKNOWN : 0;
}

/* Bound already: it has a port (inet_num), or is not in TCP_CLOSE. */
static int check_unbound(const struct question *q)
{
	const struct model_sock *r = q->r;
	bool named = record_holds(r) && (r->flags & MODEL_EXPLICIT || r->state == SNAG_STATE_BOUND);

	if (snag_is_udp(r->proto))
		return record_connected(r) || record_holds(r) ? EINVAL : r->flags & MODEL_DOUBT ? UNKNOWN : 0;
	switch (predict_tcp(q)) {
	case PREDICT_CLOSED:
		return named ? EINVAL : 0;
	case PREDICT_MAYBE_CLOSED:	/* reset meanwhile, it may be bound again unless it named its port */
		return r->flags & MODEL_EXPLICIT ? EINVAL : UNKNOWN;
	default:
		return EINVAL;
	}
}

static int check_multicast(const struct question *q)
{
	return q->c->addr.ip[0] == 0xff && q->r->type == SOCK_STREAM ? EINVAL : 0;
}

static int check_v6only(const struct question *q)
{
	return addr_is_mapped(&q->c->addr) && (q->r->options & SNAG_OPTION_V6ONLY) ? EINVAL : 0;
}

/* A link-local address, of a group too, needs a scope; whether that exists, the machine knows. */
static int check_scope(const struct question *q)
{
	const struct snag_addr *a = &q->c->addr;

	if (a->ip[0] == 0xff && (a->ip[1] & 0xf) <= 2 && q->r->device && !a->scope)
		return 0;
	if ((a->ip[0] != 0xfe || (a->ip[1] & 0xc0) != 0x80) && (a->ip[0] != 0xff || (a->ip[1] & 0xf) > 2))
		return 0;
	return a->scope || q->r->device ? UNKNOWN : EINVAL;
}

struct step {
	check_fn *check;
	uint8_t why, unsure;
};

/* The order of the checks. */
static const struct step bind4[] = {	/* inet_bind_sk(), __inet_bind() (net/ipv4/af_inet.c) */
	{check_length, SNAG_WHY_WRONG_TYPE, SNAG_UNSURE_UNMODELLED},
	{check_family, SNAG_WHY_WRONG_TYPE, SNAG_UNSURE_UNMODELLED},
	{check_reach, SNAG_WHY_NOT_LOCAL, SNAG_UNSURE_MACHINE},
	{check_privilege, SNAG_WHY_PRIVILEGED, SNAG_UNSURE_MACHINE},
	{check_unbound, SNAG_WHY_ALREADY_BOUND, SNAG_UNSURE_PEER},
};
static const struct step bind6[] = {	/* inet6_bind_sk(), __inet6_bind() (net/ipv6/af_inet6.c) */
	{check_length, SNAG_WHY_WRONG_TYPE, SNAG_UNSURE_UNMODELLED},
	{check_family, SNAG_WHY_WRONG_TYPE, SNAG_UNSURE_UNMODELLED},
	{check_multicast, SNAG_WHY_NOT_LOCAL, SNAG_UNSURE_MACHINE},
	{check_privilege, SNAG_WHY_PRIVILEGED, SNAG_UNSURE_MACHINE},
	{check_unbound, SNAG_WHY_ALREADY_BOUND, SNAG_UNSURE_PEER},
	{check_v6only, SNAG_WHY_WRONG_TYPE, SNAG_UNSURE_UNMODELLED},
	{check_scope, SNAG_WHY_NOT_LOCAL, SNAG_UNSURE_MACHINE},
	{check_reach, SNAG_WHY_NOT_LOCAL, SNAG_UNSURE_MACHINE},
};

static void predict_bind_port(const struct question *q)
{
	struct bind_claim self = port_claim(q->r, q->now_ns);

	self.addr = q->c->addr;
	self.vague = self.listening = self.time_wait = false;
	if (self.addr.family == AF_INET6 && !addr_is_any(&self.addr) && !addr_is_mapped(&self.addr))
		self.options |= SNAG_OPTION_V6ONLY;	/* set before the port is asked for */
	if (!self.addr.port && (q->r->flags & MODEL_NO_PORT))
		predict_allow(q);
	else
		predict_port(q, &self);
}

/* Somebody holds the very address, so it is local. */
static bool held_there(const struct question *q)
{
	const struct model_sock *holder = record_of(q->m, q->v->holder, 0);

	return q->v->err == EADDRINUSE && holder && addr_equal_ip(&holder->local, &q->c->addr);
}

/* The first check that refuses decides; one before it that hangs on what nobody told makes that unsure. */
static void predict_bind_inet(const struct question *q)
{
	bool v6 = q->r->domain == AF_INET6;
	const struct step *step = v6 ? bind6 : bind4;
	unsigned n = v6 ? sizeof(bind6) / sizeof(bind6[0]) : sizeof(bind4) / sizeof(bind4[0]);
	uint8_t unsure = SNAG_UNSURE_NONE;

	for (unsigned i = 0; i < n; i++) {
		int err = step[i].check(q);
		if (err == UNKNOWN && (!unsure || unsure == SNAG_UNSURE_MACHINE))
			unsure = step[i].unsure;
		if (err <= 0)
			continue;
		predict_refuse(q, err, step[i].why);
		if (unsure)
			predict_withhold(q, unsure);
		return;
	}
	predict_bind_port(q);
	if (unsure && !(unsure == SNAG_UNSURE_MACHINE && held_there(q)))
		predict_withhold(q, unsure);
}

void predict_bind(const struct question *q)
{
	if (q->r->proto == SNAG_PROTO_UNIX)
		predict_bind_unix(q);
	else
		predict_bind_inet(q);
}
