/* ops_queue.c - the queues of listeners: what --audit asks of them, and connections that stay half-open. */
#include "live.h"

#include <base/addr.h>
#include <model/listener.h>
#include <model/route.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <probe/diag.h>

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

uint8_t queue_state(const struct world *w, uint8_t s)
{
	return w->quiet ? 0 : info_of(w->fd[s]).tcpi_state;
}

static uint32_t listener_at(const struct world *w, const struct snag_addr *to)
{
	uint32_t listener, silent;

	return listener_for(w->d->m, NULL, to, &listener, &silent) == LISTENER_NONE ? 0 : listener;
}

void queue_own(const struct world *w, uint8_t s, struct snag_call *c)
{
	struct tcp_info info = info_of(w->fd[s]);

	if (w->quiet || c->proto != SNAG_PROTO_TCP || info.tcpi_state != TCP_LISTEN)
		return;
	c->facts |= SNAG_FACT_QUEUE;
	c->queue = (int32_t)info.tcpi_unacked;
	c->queue_max = (int32_t)info.tcpi_sacked;
}

struct count {
	const struct world *w;
	uint32_t listener;
	int32_t half_open;
};

static bool count_request(void *arg, const struct diag_sock *s)
{
	struct count *n = arg;

	n->half_open += s->state == TCP_SYN_RECV && !s->inode && listener_at(n->w, &s->local) == n->listener;
	return true;
}

void queue_ask(const struct world *w, struct snag_call *c)
{
	struct snag_addr to = route_meant(&c->local, &c->addr);
	struct diag_query q = {.proto = SNAG_PROTO_TCP, .port = to.port, .states = 1 << TCP_SYN_RECV};
	struct count n = {w, c->proto == SNAG_PROTO_TCP && to.port ? listener_at(w, &to) : 0, 0};

	for (uint8_t s = 1; n.listener && s <= SOCKS; s++)
		if (w->fd[s] && w->id[s] == n.listener && !diag_dump(&q, count_request, &n))
			queue_own(w, s, c);
	c->syn_queue = n.half_open;
}

OPERATION(defer, 4, false)
{
	int value = p->b % 4 ? 5 : 0;
	struct attempt t = attempt_begin(w, SNAG_CALL_setsockopt, s);
	int err = attempt_made(w, &t, setsockopt(w->fd[s], IPPROTO_TCP, TCP_DEFER_ACCEPT, &value, sizeof(value)));

	note(w, "  setsockopt(%u, TCP_DEFER_ACCEPT, %d) = %s\n", s, value, errno_text(err));
	t.c.arg[0] = IPPROTO_TCP;
	t.c.arg[1] = TCP_DEFER_ACCEPT;
	t.c.arg[2] = value;
	attempt_learn(w, &t);
}

/* Data moves on what is half-open, and the model does not see it. */
OPERATION(speak, 4, false)
{
	struct model_sock r, other;

	if (w->d->proto[w->id[s]] != SNAG_PROTO_TCP || !model_get(w->d->m, w->id[s], &r) ||
	    !model_get(w->d->m, r.other, &other) || other.state != SNAG_STATE_SYN_RECV)
		return;
	note(w, "  send(%u), half-open, = %zd\n", s, send(w->fd[s], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}
