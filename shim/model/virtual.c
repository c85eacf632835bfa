/* virtual.c - the virtual kernel: limits on descriptors, sockets, ports and backlogs. */
#include "virtual.h"
#include "ephemeral.h"
#include "port.h"
#include "profile.h"
#include "record.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

typedef void limit_fn(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
		      const struct snag_plan *p, struct virtual_verdict *v);

static void refuse(struct virtual_verdict *v, int err, enum snag_why why)
{
	v->err = err;
	v->why = (uint8_t)why;
}

/* ---- descriptors: get_unused_fd_flags(), f_dupfd(), ksys_dup3() (fs/file.c) ---- */

static void limit_files(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			const struct snag_plan *p, struct virtual_verdict *v)
{
	(void)m, (void)p;
	if ((c->facts & SNAG_FACT_NEXT_FD) && c->next_fd >= k->open_files)
		refuse(v, EMFILE, SNAG_WHY_OPEN_FILES);
}

/* The wanted number itself is out of range. */
static void limit_wanted(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			 const struct snag_plan *p, struct virtual_verdict *v)
{
	if (c->arg[0] >= k->open_files)
		refuse(v, c->call == SNAG_CALL_fcntl ? EINVAL : EBADF, SNAG_WHY_OPEN_FILES);
	else
		limit_files(m, k, c, p, v);
}

/* ---- sockets: alloc_empty_file() (fs/file_table.c) ---- */

bool virtual_next_sock(const struct model *m, uint32_t *sock, struct model_sock *out)
{
	for (; *sock <= record_high(m); ++*sock)
		if (model_get(m, *sock, out))
			return true;
	return false;
}

static void limit_sockets(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			  const struct snag_plan *p, struct virtual_verdict *v)
{
	uint32_t wanted = c->call == SNAG_CALL_socketpair ? 2 : 1, n = 0;
	uint32_t most = (uint32_t)k->open_sockets;
	struct model_sock s;

	(void)p;
	for (uint32_t sock = 1; n + wanted <= most && virtual_next_sock(m, &sock, &s); sock++)
		n++;
	if (n + wanted > most)
		refuse(v, ENFILE, SNAG_WHY_OPEN_SOCKETS);
}

/* The call's socket; NULL also where the ports are those of another network namespace: that kernel's own answer stands. */
static const struct model_sock *record_here(const struct model *m, const struct snag_call *c)
{
	const struct model_sock *r = record_of(m, c->sock, c->serial);

	return r && !r->elsewhere ? r : NULL;
}

/* ---- ports: __inet_bind() (net/ipv4/af_inet.c), __inet6_bind() (net/ipv6/af_inet6.c) ---- */

/* Whether an address is local comes before the port over IPv4, and after it over IPv6, groups apart. */
static bool fails_before_ports(const struct snag_call *c, const struct snag_plan *p)
{
	bool group = c->addr.family == AF_INET6 && c->addr.ip[0] == 0xff;

	return p->sure == SNAG_CERTAIN && p->model_err && p->why == SNAG_WHY_NOT_LOCAL && (c->domain == AF_INET || group);
}

static void limit_ports(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			const struct snag_plan *p, struct virtual_verdict *v)
{
	bool root = k->privileged && (!(c->facts & SNAG_FACT_PRIVILEGED) || c->privileged);

	(void)m;
	if ((c->proto != SNAG_PROTO_TCP && !snag_is_udp(c->proto)) || fails_before_ports(c, p))
		return;
	if (c->addr.family == c->domain && c->addr.port && c->addr.port < k->unprivileged_start && !root)
		refuse(v, EACCES, SNAG_WHY_PRIVILEGED);
}

/* ---- TIME_WAIT: inet_csk_bind_conflict() (net/ipv4/inet_connection_sock.c), by bind and again by listen ---- */

/* The kernel refuses for another reason, which it finds before it looks at the port. */
static bool fails_before(const struct snag_plan *p)
{
	switch (p->sure == SNAG_CERTAIN && p->model_err ? p->why : SNAG_WHY_NONE) {
	case SNAG_WHY_ALREADY_BOUND:
	case SNAG_WHY_PRIVILEGED:
	case SNAG_WHY_NOT_LOCAL:
	case SNAG_WHY_WRONG_STATE:
	case SNAG_WHY_WRONG_TYPE:
		return true;
	default:
		return p->sure == SNAG_CERTAIN && p->model_err == ENETUNREACH;
	}
}

/* Of a closed connection the waits tell. */
static bool lives(uint32_t sock, const struct model_sock *r)
{
	return r->state != SNAG_STATE_TIME_WAIT && !(model_is_bare(sock) && r->state == SNAG_STATE_FIN_WAIT);
}

/* What the socket claims, or is about to. */
static struct bind_claim claim_for(const struct model_sock *r, const struct snag_call *c)
{
	struct bind_claim new = port_claim(r, c->start_ns);

	if (c->call == SNAG_CALL_bind) {
		new.addr = c->addr;
		new.vague = false;
	}
	return new;
}

/* SO_REUSEPORT alone is enough next to a connection: the machine has to be asked by the option that it heeds. */
static bool lifts_by_reuseport(const struct snag_kernel *k, const struct model_sock *r)
{
	return k->profile != SNAG_PROFILE_LINUX && (r->options & SNAG_OPTION_REUSEPORT);
}

/* The first living socket on the port that is in the way by these rules; connected_only: of those that have a peer. */
static uint32_t rival_of(const struct model *m, uint32_t self, uint8_t proto, unsigned profile,
			 const struct bind_claim *new, bool connected_only, uint64_t now_ns)
{
	const struct model_sock *r;
	struct port_walk w;
	uint32_t at;

	port_walk_begin(&w, m, port_chain(proto, &new->addr));
	while ((r = port_walk_next(&w, &at))) {
		struct bind_claim old = port_claim(r, now_ns);
		bool connected = record_connected(r);
		if (at == self || !record_holds(r) || !lives(at, r) || (connected_only && !connected))
			continue;
		if (profile_conflict(profile, new, &old, connected) == BIND_CONFLICT)
			return at;
	}
	return 0;
}

static void limit_waits(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			const struct snag_plan *p, struct virtual_verdict *v)
{
	const struct model_sock *r = record_here(m, c);
	bool binds = c->call == SNAG_CALL_bind;
	struct bind_claim new;

	if (!r || r->proto != SNAG_PROTO_TCP || r->state == SNAG_STATE_LISTEN || fails_before(p))
		return;
	if (!binds && !profile_listen_checks(k->profile))
		return;
	new = claim_for(r, c);
	if (!new.addr.port)
		return;
	v->wait = waits_refuse(m, k, &new, c->start_ns);
	if (v->wait && !(binds && waits_doubtful(m, v->wait))) {
		refuse(v, EADDRINUSE, SNAG_WHY_HELD);
		return;
	}
	/* Connected sockets really have SO_REUSEADDR, for the sake of their TIME_WAIT, even where the program has not
	 * set it: next to one of those the real kernel may admit what it must not. */
	if (binds && !v->wait && (r->options & SNAG_OPTION_REUSEADDR))
		v->holder = rival_of(m, c->sock, c->proto, k->profile, &new, true, c->start_ns);
	if (v->wait || v->holder) {
		v->bind = SNAG_BIND_PROVEN;
		v->why = SNAG_WHY_HELD;
	} else if (binds && !(r->options & SNAG_OPTION_REUSEADDR) &&
		   (waits_past(m, &new, c->start_ns) || lifts_by_reuseport(k, r))) {
		v->bind = SNAG_BIND_LIFTED;
	}
}

/* ---- whose rules: profile.h ---- */

/* What that kernel would refuse and Linux admits; else the event says so if the machine refuses. */
static void limit_profile(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			  const struct snag_plan *p, struct virtual_verdict *v)
{
	const struct model_sock *r = record_here(m, c);
	bool opens = p->why == SNAG_WHY_PRIVILEGED && profile_opens_low_ports(k->profile, &c->addr);
	struct bind_claim new;

	if (k->profile == SNAG_PROFILE_LINUX || !r || (fails_before(p) && !opens))
		return;
	if (c->call == SNAG_CALL_connect) {
		if (r->proto == SNAG_PROTO_TCP && !record_connected(r) && r->state != SNAG_STATE_LISTEN &&
		    c->addr.family && !c->addr.port && profile_port_zero(k->profile))
			refuse(v, profile_port_zero(k->profile), SNAG_WHY_PROFILE);
		return;
	}
	if (r->proto != SNAG_PROTO_TCP && !snag_is_udp(r->proto))
		return;
	new = claim_for(r, c);
	v->holder = new.addr.port ? rival_of(m, c->sock, c->proto, k->profile, &new, false, c->start_ns) : 0;
	if (v->holder)
		refuse(v, EADDRINUSE, SNAG_WHY_HELD);
	else
		v->changes |= SNAG_CHANGE_ADMIT;
}

/* ---- ephemeral ports ---- */

/* What a kernel answers when none is left; over UDP see inet_autobind() (net/ipv4/af_inet.c). */
static int exhausted(unsigned profile, const struct snag_call *c)
{
	if (c->call != SNAG_CALL_connect)
		return profile_exhausted(profile);
	return snag_is_udp(c->proto) ? EAGAIN : EADDRNOTAVAIL;
}

/* Does the call give the socket a port of the kernel's choice? */
static bool wants_port(const struct model_sock *r, const struct snag_call *c)
{
	if ((r->proto != SNAG_PROTO_TCP && !snag_is_udp(r->proto)) || record_connected(r) || record_holds(r))
		return false;
	switch (c->call) {
	case SNAG_CALL_bind:
		return !c->addr.port && c->addr.family == r->domain && !(r->flags & MODEL_NO_PORT);
	case SNAG_CALL_connect:
		return c->addr.family == AF_INET || c->addr.family == AF_INET6;
	default:
		return r->state != SNAG_STATE_LISTEN;
	}
}

static void limit_range(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
			const struct snag_plan *p, struct virtual_verdict *v)
{
	const struct model_sock *r = record_here(m, c);
	bool keeps = waits_in_force(k) && c->proto == SNAG_PROTO_TCP;

	if (!r || fails_before(p) || !wants_port(r, c))
		return;
	v->changes |= SNAG_CHANGE_RANGE;
	v->why = SNAG_WHY_NO_PORT;
	if (!keeps && !(k->given & SNAG_KERNEL_OUTSIDE))
		return;		/* the machine itself chooses within the range */
	v->port = ephemeral_port(m, k, c, &v->port_at);
	if (c->call == SNAG_CALL_connect && keeps && ephemeral_lifts(m, c, v->port))
		v->bind = SNAG_BIND_LIFTED;
	v->changes |= SNAG_CHANGE_PORT;
	if (!v->port)
		refuse(v, exhausted(k->profile, c), SNAG_WHY_NO_PORT);
}

bool virtual_exhausted(const struct snag_call *c, int err)
{
	return err == exhausted(SNAG_PROFILE_LINUX, c);
}

/* ---- backlogs: __sys_listen() (net/socket.c), for every family ---- */

/* A rule's backlog is Linux's. */
void virtual_backlog(const struct snag_kernel *k, const struct snag_call *c, struct snag_plan *p)
{
	bool ruled = p->changes & SNAG_CHANGE_BACKLOG, profiled = (k->given & SNAG_KERNEL_RULES) && c->proto == SNAG_PROTO_TCP;
	int32_t asked = ruled ? p->backlog : c->arg[0], backlog = asked;

	if (c->call != SNAG_CALL_listen)
		return;
	if ((k->given & SNAG_KERNEL_SOMAXCONN) && (uint32_t)backlog > (uint32_t)k->somaxconn)
		backlog = k->somaxconn;
	if (profiled && !ruled)
		backlog = profile_backlog(k->profile, backlog, k->given & SNAG_KERNEL_SOMAXCONN ? k->somaxconn : -1);
	if (profiled && profile_resets(k->profile))
		p->changes |= SNAG_CHANGE_OVERFLOW;
	if (backlog != asked) {
		p->backlog = backlog;
		p->changes |= SNAG_CHANGE_BACKLOG;
	}
}

/* ---- which limit speaks of which call ---- */

#define CLOSING_FACTS (SNAG_FACT_TCP_STATE | SNAG_FACT_UNREAD | SNAG_FACT_LINGER | SNAG_FACT_LOCAL)
#define RANGE_KEYS (SNAG_KERNEL_PORT_RANGE | SNAG_KERNEL_TW_REUSE)
#define PORT_KEYS (SNAG_KERNEL_PRIVILEGED | SNAG_KERNEL_UNPRIVILEGED_START)

/* Of one call, in the order in which the kernel checks. */
static const struct {
	uint16_t call, facts;
	uint32_t keys;		/* any of them given */
	limit_fn *limit;	/* NULL: it refuses nothing, but looks at what becomes of the call */
} limits[] = {
	{SNAG_CALL_socket, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_files},
	{SNAG_CALL_socket, 0, SNAG_KERNEL_OPEN_SOCKETS, limit_sockets},
	{SNAG_CALL_socketpair, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_files},
	{SNAG_CALL_socketpair, 0, SNAG_KERNEL_OPEN_SOCKETS, limit_sockets},
	{SNAG_CALL_accept, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_files},
	{SNAG_CALL_accept, 0, SNAG_KERNEL_OPEN_SOCKETS, limit_sockets},
	{SNAG_CALL_accept4, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_files},
	{SNAG_CALL_accept4, 0, SNAG_KERNEL_OPEN_SOCKETS, limit_sockets},
	{SNAG_CALL_dup, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_files},
	{SNAG_CALL_fcntl, SNAG_FACT_NEXT_FD, SNAG_KERNEL_OPEN_FILES, limit_wanted},
	{SNAG_CALL_dup2, 0, SNAG_KERNEL_OPEN_FILES, limit_wanted},
	{SNAG_CALL_dup3, 0, SNAG_KERNEL_OPEN_FILES, limit_wanted},
	{SNAG_CALL_bind, SNAG_FACT_PRIVILEGED, PORT_KEYS, limit_ports},
	{SNAG_CALL_bind, 0, SNAG_KERNEL_RULES, limit_profile},
	{SNAG_CALL_bind, 0, WAITS_KEYS, limit_waits},
	{SNAG_CALL_bind, 0, RANGE_KEYS, limit_range},
	{SNAG_CALL_listen, 0, SNAG_KERNEL_SOMAXCONN | SNAG_KERNEL_RULES, NULL},
	{SNAG_CALL_listen, 0, RANGE_KEYS, limit_range},
	{SNAG_CALL_connect, 0, SNAG_KERNEL_RULES, limit_profile},
	{SNAG_CALL_connect, 0, RANGE_KEYS, limit_range},
	{SNAG_CALL_listen, 0, WAITS_KEYS, limit_waits},
	{SNAG_CALL_connect, 0, WAITS_KEYS, NULL},
	{SNAG_CALL_accept, 0, WAITS_KEYS, NULL},
	{SNAG_CALL_accept4, 0, WAITS_KEYS, NULL},
	{SNAG_CALL_shutdown, CLOSING_FACTS, WAITS_KEYS, NULL},
	{SNAG_CALL_close, CLOSING_FACTS, WAITS_KEYS, NULL},
	{SNAG_CALL_fclose, CLOSING_FACTS, WAITS_KEYS, NULL},
	{SNAG_CALL_close_range, 0, WAITS_KEYS, NULL},
	{SNAG_CALL_closefrom, 0, WAITS_KEYS, NULL},
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

bool virtual_concerns(const struct snag_kernel *k, unsigned call)
{
	for (unsigned i = 0; i < LIMITS; i++)
		if (limits[i].call == call && (limits[i].keys & k->given))
			return true;
	return false;
}

unsigned virtual_facts(const struct snag_kernel *k, unsigned call)
{
	unsigned facts = 0;

	for (unsigned i = 0; i < LIMITS; i++)
		if (limits[i].call == call && (limits[i].keys & k->given))
			facts |= limits[i].facts;
	return facts;
}

void virtual_decide(const struct model *m, const struct snag_kernel *k, const struct snag_call *c,
		    const struct snag_plan *p, struct virtual_verdict *v)
{
	*v = (struct virtual_verdict){0};
	for (unsigned i = 0; i < LIMITS && !v->err; i++)
		if (limits[i].call == c->call && (limits[i].keys & k->given) && limits[i].limit)
			limits[i].limit(m, k, c, p, v);
}
