/* ops_connection.c - connections: made, accepted, ended. */
#include "live.h"
#include "address.h"

#include <sys/time.h>

static void try_connect(struct world *w, uint8_t s, const struct step *p, struct attempt *t, struct sockaddr_storage *ss,
			socklen_t len)
{
	note(w, "%s)", p->block ? "" : ", not waiting");
	queue_ask(w, &t->c);
	attempt_foresee(w, t);
	attempt_made(w, t, connect(w->fd[s], (struct sockaddr *)ss, len));
	local_of(w->fd[s], &t->o.local);
	t->o.tcp_state = queue_state(w, s);
	attempt_judge(w, t);
}

OPERATION(connect, 52, false)
{
	struct sockaddr_storage ss;
	struct attempt t;
	socklen_t len;

	set_blocking(w, s, p->block);
	t = attempt_begin(w, SNAG_CALL_connect, s);
	note(w, "  connect(%u, ", s);
	len = address_choose(w, &t.c, p, &ss);
	try_connect(w, s, p, &t, &ss, len);
}

OPERATION(disconnect, 3, false)
{
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	struct attempt t;

	set_blocking(w, s, p->block);
	t = attempt_begin(w, SNAG_CALL_connect, s);
	t.c.addr_len = 16;
	note(w, "  connect(%u, AF_UNSPEC", s);
	try_connect(w, s, p, &t, &ss, t.c.addr_len);
}

/* The new socket, at place n. */
static void accepted(struct world *w, struct attempt *t, uint8_t n, int fd, const struct sockaddr_storage *ss, socklen_t len)
{
	struct timeval patience = {.tv_usec = 100000};	/* as in make_socket(): a unix one may wait to connect */

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	w->fd[n] = fd;
	w->id[n] = t->o.new_sock = t->o.new_serial = ++w->next_id;
	w->d->proto[w->id[n]] = t->c.proto;
	w->d->domain[w->id[n]] = t->c.domain;
	addr_from_sockaddr(&t->o.peer, (const struct sockaddr *)ss, len, NULL, NULL);
	local_of(fd, &t->o.local);
	note(w, " is %u, from port %u", n, t->o.peer.port);
}

void accept_one(struct world *w, uint8_t s, bool block)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct attempt t;
	uint8_t n = 1;
	int fd;

	while (n <= SOCKS && (w->fd[n] || hold_is(w, n)))
		n++;
	if (n > SOCKS)
		return;
	set_blocking(w, s, false);
	t = attempt_begin(w, SNAG_CALL_accept4, s);
	if (block && (t.c.facts & SNAG_FACT_QUEUE) && t.c.queue) {
		set_blocking(w, s, true);
		t.c.blocking = 1;
	}
	note(w, "  accept(%u)", s);
	attempt_foresee(w, &t);
	fd = accept4(w->fd[s], (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	if (!attempt_made(w, &t, fd))
		accepted(w, &t, n, fd, &ss, len);
	attempt_judge(w, &t);
}

OPERATION(accept, 26, false)
{
	accept_one(w, s, p->block);
}

OPERATION(shutdown, 10, false)
{
	struct attempt t = attempt_begin(w, SNAG_CALL_shutdown, s);

	t.c.arg[0] = p->a % 13 == 12 ? 3 : (int)(p->a % 3);
	note(w, "  shutdown(%u, %s)", s, (const char *[]){"RD", "WR", "RDWR", "3"}[t.c.arg[0]]);
	attempt_foresee(w, &t);
	attempt_made(w, &t, shutdown(w->fd[s], t.c.arg[0]));
	attempt_judge(w, &t);
}

/* A byte that nobody reads: only where both ends stand open, so that nothing but the byte comes of it. */
OPERATION(send, 8, false)
{
	struct model_sock r, other;

	if (w->d->proto[w->id[s]] != SNAG_PROTO_TCP || !model_get(w->d->m, w->id[s], &r) ||
	    r.state != SNAG_STATE_ESTABLISHED || !model_get(w->d->m, r.other, &other) ||
	    other.state != SNAG_STATE_ESTABLISHED || r.flags & MODEL_DOUBT)
		return;
	note(w, "  send(%u) = %zd\n", s, send(w->fd[s], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}
