/* attempt.c - one call: described with the facts that --audit would ask for, predicted, made, judged, learned. */
#include "live.h"
#include "network.h"
#include "unix.h"

#include <base/names.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <probe/diag.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <time.h>

uint64_t now_of_world(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

const char *errno_text(int err)
{
	return err ? errno_name(err) : "0";
}

void local_of(int fd, struct snag_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (!getsockname(fd, (struct sockaddr *)&ss, &len))
		addr_from_sockaddr(a, (struct sockaddr *)&ss, len, NULL, NULL);
}

void set_blocking(struct world *w, uint8_t s, bool block)
{
	fcntl(w->fd[s], F_SETFL, block ? 0 : O_NONBLOCK);
}

static void ask_tcp(struct snag_call *c, int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int n;

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	c->facts |= SNAG_FACT_TCP_STATE;
	c->tcp_state = info.tcpi_state;
	if (info.tcpi_state == TCP_LISTEN) {
		c->facts |= SNAG_FACT_QUEUE;
		c->queue = (int32_t)info.tcpi_unacked;
	} else if (!ioctl(fd, SIOCINQ, &n)) {
		c->facts |= SNAG_FACT_UNREAD;
		c->unread = n;
	}
}

static void ask_facts(const struct world *w, struct snag_call *c, int fd)
{
	struct pollfd p = {.fd = fd};

	c->facts = SNAG_FACT_BLOCKING | SNAG_FACT_LOCAL | SNAG_FACT_WHOLE | SNAG_FACT_ERROR | SNAG_FACT_PRIVILEGED;
	c->privileged = w->privileged;
	c->blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	local_of(fd, &c->local);
	poll(&p, 1, 0);
	c->pending = (p.revents & POLLERR) != 0;
	if (c->proto == SNAG_PROTO_TCP)
		ask_tcp(c, fd);
	if (c->proto == SNAG_PROTO_UNIX && (c->call == SNAG_CALL_accept4 || c->call == SNAG_CALL_listen))
		unix_queue(c, fd);
}

struct attempt attempt_begin(struct world *w, unsigned call, uint8_t s)
{
	struct attempt t = {0};
	int type = 0;
	socklen_t len = sizeof(type);

	network_settle();
	w->d->now_ns = now_of_world();
	w->d->uid = w->uid;
	t.c = drive_call(w->d, call, w->id[s]);
	getsockopt(w->fd[s], SOL_SOCKET, SO_TYPE, &type, &len);
	t.c.type = (uint8_t)type;
	ask_facts(w, &t.c, w->fd[s]);
	return t;
}

void attempt_foresee(struct world *w, struct attempt *t)
{
	if (w->quiet)
		t->c.facts = 0;
	t->v = drive_predict(w->d, &t->c);
}

int attempt_made(struct world *w, struct attempt *t, long ret)
{
	int err = ret < 0 ? errno : 0;

	t->o = drive_outcome(w->d, err);
	t->o.end_ns = now_of_world();
	return err;
}

static void note_record(struct world *w, uint32_t sock)
{
	char local[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];
	struct model_sock r;

	if (!model_get(w->d->m, sock, &r))
		return;
	addr_text(&r.local, local);
	addr_text(&r.peer, peer);
	note(w, "    %u: %s %s %s, options %x, flags %x, user %u, device %x%s\n", sock, state_name(r.state), local, peer,
	     r.options, r.flags, r.uid, r.device, r.until_ns ? ", closed" : "");
}

static bool note_real(void *arg, const struct diag_sock *s)
{
	char local[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];

	addr_text(&s->local, local);
	addr_text(&s->peer, peer);
	note(arg, "    %s, state %u, %s %s\n", proto_name(s->proto), s->state, local, peer);
	return true;
}

/* What the model believes: all of it, after a wrong prediction; and what there is. */
static void note_beliefs(struct world *w)
{
	uint32_t bares = w->d->m->bare_high;

	note(w, "  the model's records:\n");
	for (uint32_t i = 1; i <= w->d->m->high; i++)
		note_record(w, i);
	for (uint32_t i = 1; i <= bares; i++)
		note_record(w, SNAG_SOCKS + i);
	note(w, "  the kernel's sockets:\n");
	diag_dump(&(struct diag_query){.proto = SNAG_PROTO_TCP, .states = DIAG_ALL}, note_real, w);
	diag_dump(&(struct diag_query){.proto = SNAG_PROTO_UDP, .states = DIAG_ALL}, note_real, w);
}

/* Without --audit a certain prediction speaks of the session's sockets, and not of the machine: engine/commit.c. */
static bool of_machine(const struct world *w, const struct attempt *t)
{
	const struct snag_call *c = &t->c;

	switch (t->o.real_err) {
	case EACCES:
	case EADDRNOTAVAIL:
		return true;
	case EAGAIN:
		return c->call == SNAG_CALL_connect && snag_is_udp(c->proto);
	case EADDRINUSE:
		return !model_holder(w->d->m, c->sock, &c->addr, c->proto, c->start_ns);
	default:
		return false;
	}
}

static void count(const struct world *w, const struct attempt *t, bool certain)
{
	struct totals *sum = &board->totals;

	if (w->quiet) {
		sum->quiet_asked++;
		sum->quiet_certain += certain;
		return;
	}
	sum->asked++;
	sum->certain += certain;
	sum->unknown[t->v.unsure] += !certain;
	sum->by_call[t->c.call] += !certain;
}

/* SO_SNDTIMEO was over, and in the same moment the answer came: this machine has stood still. */
static bool came_late(const struct attempt *t)
{
	return t->c.call == SNAG_CALL_connect && t->c.blocking && t->o.real_err == EINPROGRESS &&
	       t->v.err == ECONNREFUSED && t->o.tcp_state == TCP_CLOSE;
}

static void compare(struct world *w, const struct attempt *t)
{
	const struct model_verdict *v = &t->v;
	int err = t->o.real_err;
	bool certain = v->sure != SNAG_WITHHELD && !(w->quiet && of_machine(w, t));

	note(w, " = %s", errno_text(err));
	count(w, t, certain);
	if (!certain) {
		note(w, "\t(unknown)\n");
		return;
	}
	if (came_late(t)) {
		board->totals.late++;
		note(w, "\t(late)\n");
		return;
	}
	if (v->err == err) {	/* one that waits, too: the socket has SO_SNDTIMEO */
		note(w, "\n");
		return;
	}
	note(w, "\t<-- predicted %s\n", errno_text(v->err));
	w->failed = true;
	note_beliefs(w);
}

void attempt_judge(struct world *w, struct attempt *t)
{
	compare(w, t);
	if (w->quiet && t->c.call != SNAG_CALL_bind && t->c.call != SNAG_CALL_listen)
		t->o.local = (struct snag_addr){0};
	model_learn(w->d->m, w->d->machine, &t->c, &t->o, t->o.end_ns);
}

void attempt_learn(struct world *w, struct attempt *t)
{
	t->c.facts = 0;
	model_learn(w->d->m, w->d->machine, &t->c, &t->o, t->o.end_ns);
}
