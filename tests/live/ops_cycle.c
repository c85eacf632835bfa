/* ops_cycle.c - whole courses that single steps seldom come to: a client again and again from the same few ports, one that
 * is reset while it waits, and what the kernel's own list of a port tells the model. */
#include "live.h"
#include "address.h"

#include <netinet/tcp.h>
#include <probe/diag.h>
#include <probe/route.h>

static uint8_t free_place(const struct world *w)
{
	uint8_t n = 1;

	while (n <= SOCKS && (w->fd[n] || hold_is(w, n)))
		n++;
	return n <= SOCKS ? n : 0;
}

/* A new client of the listener at `to`. */
static uint8_t client_of(struct world *w, const struct snag_addr *to, bool block)
{
	struct sockaddr_storage ss;
	struct attempt t;
	uint8_t s = free_place(w);
	socklen_t len = addr_to_sockaddr(to, &ss);
	char text[ADDR_TEXT_MAX];
	int reach = route_reach(to);

	if (!s)
		return 0;
	make_socket(w, s, to->family == AF_INET6);
	set_blocking(w, s, block);
	t = attempt_begin(w, SNAG_CALL_connect, s);
	t.c.addr = *to;
	t.c.addr_family = to->family;
	t.c.addr_len = len;
	t.c.reach = reach < 0 ? 0 : (uint8_t)reach;
	t.c.facts |= reach < 0 ? 0 : SNAG_FACT_REACH;
	addr_text(to, text);
	note(w, "  connect(%u, %s%s)", s, text, block ? "" : ", not waiting");
	queue_ask(w, &t.c);
	attempt_foresee(w, &t);
	attempt_made(w, &t, connect(w->fd[s], (struct sockaddr *)&ss, len));
	local_of(w->fd[s], &t.o.local);
	t.o.tcp_state = queue_state(w, s);
	attempt_judge(w, &t);
	return s;
}

static bool listens(const struct world *w, uint8_t s)
{
	struct model_sock r;

	return model_get(w->d->m, w->id[s], &r) && r.state == SNAG_STATE_LISTEN;
}

/* It ends first and keeps TIME_WAIT, or waits for its peer; the next one may get its port, or not. */
OPERATION(again, 2, false)
{
	struct snag_addr to = {0};
	uint8_t client;

	local_of(w->fd[s], &to);
	if (w->d->proto[w->id[s]] != SNAG_PROTO_TCP || !to.port || !(listens(w, s) || p->a % 8 == 7))
		return;
	client = client_of(w, &to, true);
	if (!client || w->failed)
		return;
	if (p->a % 4 == 0)	/* a RST */
		set_linger(w, client, 0);
	close_socket(w, client);
	if (!w->failed && p->a % 3)
		accept_one(w, s, false);
	if (!w->failed && p->b % 3 == 0 && w->fd[client])	/* it stands where the client was */
		close_socket(w, client);
	if (!w->failed)
		client_of(w, &to, p->block);
}

/* ---- what the kernel lists ---- */

struct list {
	struct world *w;
	struct diag_sock sock[256];
	unsigned n;
};

static bool enter(void *arg, const struct diag_sock *s)
{
	struct list *l = arg;

	if (l->n < sizeof(l->sock) / sizeof(l->sock[0]))
		l->sock[l->n++] = *s;
	return true;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static void tell(struct list *l, const struct diag_sock *s)
{
	uint64_t now = now_of_world();

	for (uint8_t i = 1; i <= SOCKS; i++)
		if (l->w->fd[i] && cookie_of(l->w->fd[i]) == s->cookie) {
			model_told(l->w->d->m, l->w->id[i], s->state, now);
			return;
		}
	model_told_bare(l->w->d->m, &s->local, &s->peer, s->state, s->left_ms, now);
}

static bool same(const struct snag_addr *a, const struct snag_addr *b)
{
	return a->port == b->port && addr_equal_ip(a, b);
}

static bool is_listed(void *arg, const struct snag_addr *local, const struct snag_addr *peer)
{
	const struct list *l = arg;

	for (unsigned i = 0; i < l->n; i++)
		if (same(&l->sock[i].local, local) && same(&l->sock[i].peer, peer))
			return true;
	return false;
}

/* As --audit asks before it predicts: preload/outside.c. */
OPERATION(list, 4, true)
{
	uint16_t port = (uint16_t)(w->base + p->a % PORTS);
	static struct list l;

	if (w->quiet || w->names)
		return;
	l = (struct list){.w = w};
	if (diag_dump(&(struct diag_query){.proto = SNAG_PROTO_TCP, .port = port, .states = DIAG_ALL}, enter, &l) ||
	    l.n == sizeof(l.sock) / sizeof(l.sock[0]))
		return;
	note(w, "  the kernel lists %u on port %u\n", l.n, port);
	for (unsigned i = 0; i < l.n; i++)
		tell(&l, &l.sock[i]);
	model_told_all(w->d->m, port, is_listed, &l);
}
