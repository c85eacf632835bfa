/* enforce.c - the real bind, listen and connect, as a virtual kernel wants them */
#include "enforce.h"
#include "overflow.h"
#include <base/addr.h>
#include <effects/tune.h>
#include <errno.h>
#include <session/lock.h>

/* Does it keep the TIME_WAIT of this socket? Then the socket really has SO_REUSEADDR while it listens or is connected. */
static bool keeps_waits(const struct hook *h)
{
	return engine_keeps_waits(&engine) && h->call.proto == SNAG_PROTO_TCP;
}

/* ---- a port of the virtual range ---- */

/* Can the machine be made to choose it (IP_LOCAL_PORT_RANGE)? */
static bool is_inside(void)
{
	return !(engine_kernel(&engine)->given & SNAG_KERNEL_OUTSIDE);
}

static bool next_port(struct hook *h)
{
	struct session_guard g;
	if (!self_lock(&g))
		return false;
	bool found = engine_next_port(&engine, &h->call, &h->plan);
	self_unlock(&g);
	return found;
}

static int bind_to(int fd, const struct snag_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	return real.bind(fd, (struct sockaddr *)&ss, len);
}

/* A port that no living socket of the session has: nobody else's either, or only by a TIME_WAIT that is over. */
static int bind_alone(struct hook *h, struct snag_addr a)
{
	int fd = h->call.fd, r;
	bool own = hook_reuses(h);
	do {
		a.port = h->plan.port;
		tune_reuse(fd, false);
		r = bind_to(fd, &a);
		if (r < 0 && errno == EADDRINUSE && keeps_waits(h)) {
			tune_reuse(fd, true);
			r = bind_to(fd, &a);
		}
		tune_reuse(fd, own);
	} while (r < 0 && errno == EADDRINUSE && next_port(h));
	return r;
}

static struct snag_addr own_addr(const struct hook *h)
{
	const struct model_sock *m = model_peek(engine.model, h->ref.sock, h->ref.serial);
	struct snag_addr a = m ? m->local : (struct snag_addr){ 0 };
	if (!a.family)
		a.family = h->call.domain;
	return a;
}

/* ---- bind ---- */

/* As the virtual kernel's TIME_WAIT wants it. */
static int bind_planned(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	int fd = h->call.fd, r;
	if (h->plan.bind == SNAG_BIND_PROVEN)
		tune_reuse(fd, false);
	r = real.bind(fd, sa, len);
	if (h->plan.bind == SNAG_BIND_LIFTED && r < 0 && errno == EADDRINUSE) {
		tune_reuse(fd, true);
		r = real.bind(fd, sa, len);
	}
	if (h->plan.bind != SNAG_BIND_AS_IS)
		tune_reuse(fd, hook_reuses(h));
	return r;
}

void enforce_bind(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	const struct snag_kernel *k = engine_kernel(&engine);
	bool freed = tune_bind(h->call.fd, &h->call, k);
	int r = -1;
	if (!(h->plan.changes & SNAG_CHANGE_PORT))
		r = bind_planned(h, sa, len);
	else if (!is_inside() || ((r = real.bind(h->call.fd, sa, len)) < 0 && errno == EADDRINUSE))
		r = bind_alone(h, h->call.addr);
	int err = errno;
	if (freed)
		tune_bound(h->call.fd);
	errno = err;
	if (r < 0 && err == EADDRINUSE && h->plan.bind == SNAG_BIND_PROVEN)
		hook_fail(h, EADDRINUSE);
	else
		hook_done(h, r);
}

/* ---- listen ---- */

void enforce_listen(struct hook *h, int backlog)
{
	int fd = h->call.fd, r = 0;
	if ((h->plan.changes & SNAG_CHANGE_PORT) && !is_inside())
		r = bind_alone(h, own_addr(h));
	if (keeps_waits(h))
		tune_reuse(fd, true);
	if (r == 0)
		r = real.listen(fd, backlog);
	if (r < 0 && errno == EADDRINUSE && (h->plan.changes & SNAG_CHANGE_PORT) && is_inside() &&
	    bind_alone(h, own_addr(h)) == 0) {
		tune_reuse(fd, true);
		r = real.listen(fd, backlog);
	}
	int err = errno;
	if (keeps_waits(h) && r < 0)
		tune_reuse(fd, hook_reuses(h));
	errno = err;
	hook_done(h, r);
}

/* ---- connect ---- */

static bool is_taken(int r)
{
	return r < 0 && (errno == EADDRNOTAVAIL || errno == EADDRINUSE);
}

/* From one port: the machine is made to choose it, or it is bound. A bind also lifts a TIME_WAIT of the machine's:
 * tcp_twsk_unique() (net/ipv4/tcp_ipv4.c) then asks no sysctl. */
static int connect_from(struct hook *h, const struct sockaddr *sa, socklen_t len, bool inside)
{
	const struct snag_kernel *k = engine_kernel(&engine);
	int fd = h->call.fd, r = -1;
	struct snag_addr own = own_addr(h);
	own.port = h->plan.port;
	if (inside) {
		tune_range(fd, own.port, own.port);
		r = overflow_connect(h, sa, len);
		int err = errno;
		tune_range(fd, k->port_lo, k->port_hi);
		errno = err;
		if (!is_taken(r) || h->plan.bind != SNAG_BIND_LIFTED)
			return r;
	}
	r = bind_to(fd, &own);
	return r < 0 ? r : overflow_connect(h, sa, len);
}

static int connect_in_range(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	bool inside = is_inside();
	int r;
	do
		r = connect_from(h, sa, len, inside);
	while (is_taken(r) && next_port(h));
	if (is_taken(r))
		errno = snag_is_udp(h->call.proto) ? EAGAIN : EADDRNOTAVAIL;
	return r;
}

int enforce_connect(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	bool ranged = h->plan.changes & SNAG_CHANGE_PORT;
	if (keeps_waits(h))
		tune_reuse(h->call.fd, true);
	int r = ranged ? connect_in_range(h, sa, len) : overflow_connect(h, sa, len), err = errno;
	if (keeps_waits(h) && r < 0 && err != EINPROGRESS)
		tune_reuse(h->call.fd, hook_reuses(h));
	errno = err;
	return r;
}
