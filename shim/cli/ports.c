/* ports.c - the sockets of a live session.
 *
 * The model knows which sockets there are, whose they are and what they are bound to; the kernel is asked (sock_diag)
 * what they are now: the state of a connection, which its peer may have changed, and the queue of a listener. A socket
 * of the session is found in the kernel's list by its cookie, or by its inode where the cookie was never read. */
#include "ports.h"

#include "holders.h"
#include "standing.h"

#include <base/base.h>
#include <errno.h>
#include <model/model.h>
#include <model/traffic.h>
#include <model/waits.h>
#include <netinet/tcp.h>
#include <probe/diag.h>
#include <probe/owner.h>
#include <session/sock.h>
#include <stdlib.h>
#include <string.h>

struct list {
	struct diag_sock *at;
	size_t n, size;
};

static bool keep(void *arg, const struct diag_sock *s)
{
	struct list *l = arg;

	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 256;
		struct diag_sock *more = reallocarray(l->at, size, sizeof(*more));
		if (!more)
			return false;
		l->at = more;
		l->size = size;
	}
	l->at[l->n++] = *s;
	return true;
}

static int by_cookie(const void *a, const void *b)
{
	const struct diag_sock *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static int by_inode(const void *a, const void *b)
{
	const struct diag_sock *const *x = a, *const *y = b;

	return ((*x)->inode > (*y)->inode) - ((*x)->inode < (*y)->inode);
}

/* What the kernel lists, found by cookie and by inode. */
struct kernel {
	struct list all;
	const struct diag_sock **inode;
};

static void kernel_read(struct kernel *k)
{
	static const uint8_t protos[] = { SNAG_PROTO_TCP, SNAG_PROTO_UDP };

	*k = (struct kernel){ 0 };
	for (size_t i = 0; i < sizeof(protos); i++) {
		const struct diag_query q = { .proto = protos[i], .states = DIAG_ALL };
		diag_dump(&q, keep, &k->all);	/* where nobody tells, the model's word stands */
	}
	if (k->all.n)
		qsort(k->all.at, k->all.n, sizeof(*k->all.at), by_cookie);
	k->inode = calloc(k->all.n + 1, sizeof(*k->inode));
	for (size_t i = 0; k->inode && i < k->all.n; i++)
		k->inode[i] = &k->all.at[i];
	if (k->inode && k->all.n)
		qsort(k->inode, k->all.n, sizeof(*k->inode), by_inode);
}

static const struct diag_sock *kernel_find(const struct kernel *k, uint64_t cookie, const struct ports_row *r)
{
	struct diag_sock key = { .cookie = cookie };
	const struct diag_sock *at = &key, **found;

	if (!k->all.n)
		return NULL;
	if (cookie)
		return bsearch(&key, k->all.at, k->all.n, sizeof(key), by_cookie);
	if (!r->n_holders || !k->inode)
		return NULL;
	key.inode = owner_socket(r->holder[0].pid, r->holder[0].fd);
	found = key.inode ? bsearch(&at, k->inode, k->all.n, sizeof(*k->inode), by_inode) : NULL;
	return found ? *found : NULL;
}

static void kernel_free(struct kernel *k)
{
	free(k->all.at);
	free(k->inode);
}

/* ---- the rows ---- */

static struct ports_row *new_row(struct ports *p)
{
	struct ports_row *more = p->n % 64 ? p->row : reallocarray(p->row, p->n + 64, sizeof(*more));

	if (!more)
		return NULL;
	p->row = more;
	p->row[p->n] = (struct ports_row){ .queue_len = PORTS_NONE, .queue_max = PORTS_NONE, .queue_high = PORTS_NONE,
					   .left_ms = PORTS_NONE, .until_ns = PORTS_NONE };
	return &p->row[p->n++];
}

static void add_holder(void *arg, const struct proc *p, int fd)
{
	struct ports_row *r = arg;
	struct ports_holder *more = reallocarray(r->holder, r->n_holders + 1, sizeof(*more));

	if (!more)
		return;
	r->holder = more;
	r->holder[r->n_holders] = (struct ports_holder){ .pid = p->pid, .fd = fd };
	memcpy(r->holder[r->n_holders].comm, p->comm, sizeof(p->comm));
	r->holder[r->n_holders++].comm[sizeof(p->comm) - 1] = 0;
}

static void set_path(struct ports_row *r, const struct model *m, uint32_t sock)
{
	uint16_t len = 0;
	const char *path = model_path(m, sock, &len);

	if (!path)
		return;
	memcpy(r->path, path, len);
	if (len && !r->path[0])
		r->path[0] = '@';
}

static void set_kernel(struct ports_row *r, const struct model_sock *m, const struct diag_sock *k)
{
	if (!k)
		return;
	r->local = k->local;
	r->peer = k->peer;
	if (k->proto != SNAG_PROTO_TCP)
		return;
	r->state = model_state_of(k->state == DIAG_BOUND ? TCP_CLOSE : k->state, m);
	if (r->state == SNAG_STATE_LISTEN) {
		r->queue_len = k->queue_len;
		r->queue_max = k->queue_limit;
		if (m->queue_high)
			r->queue_high = m->queue_high > k->queue_len ? m->queue_high : k->queue_len;
	}
}

static bool has_name(const struct ports_row *r)
{
	return r->path[0] || r->local.port || r->peer.port || r->state == SNAG_STATE_LISTEN;
}

static int add_sock(struct ports *p, const struct session *s, const struct kernel *k, uint32_t sock)
{
	const struct model *m = s->model;
	struct model_sock rec;
	struct ports_row *r;
	struct sock id;

	if (!model_get(m, sock, &rec) || !sock_get(s, sock, &id) ||
	    !sock_is(s, (struct sock_ref){ .sock = sock, .serial = rec.serial }))
		return 0;
	r = new_row(p);
	if (!r)
		return -ENOMEM;
	r->sock = rec.serial;
	r->proto = rec.proto;
	r->state = rec.state;
	r->elsewhere = rec.elsewhere;
	r->local = rec.local;
	r->peer = rec.peer;
	sock_each_holder(s, sock, add_holder, r);
	set_path(r, m, sock);
	if (rec.proto == SNAG_PROTO_TCP || rec.proto == SNAG_PROTO_UDP)
		set_kernel(r, &rec, kernel_find(k, id.cookie, r));
	if (r->n_holders && has_name(r))
		return 0;
	free(r->holder);	/* nobody's any more, or nothing to tell */
	p->n--;
	return 0;
}

/* Has the virtual kernel kept any TIME_WAIT? Then its own counts, and the machine's is in nobody's way. */
static bool keeps_waits(const struct model *m)
{
	return __atomic_load_n(&m->waits.made, __ATOMIC_ACQUIRE) != 0;
}

static int add_waits(struct ports *p, const struct session *s)
{
	uint64_t now = session_now(s);
	struct model_wait e;

	for (uint32_t i = 1; i <= MODEL_WAITS && keeps_waits(s->model); i++) {
		struct ports_row *r;
		if (!waits_get(s->model, i, &e) || e.until_ns <= now)
			continue;
		r = new_row(p);
		if (!r)
			return -ENOMEM;
		r->proto = SNAG_PROTO_TCP;
		r->state = SNAG_STATE_TIME_WAIT;
		r->local = e.local;
		r->peer = e.peer;
		r->left_ms = (int64_t)((e.until_ns - now) / NSEC_PER_MSEC);
	}
	return 0;
}

/* ---- ports that snag itself keeps taken ---- */

struct adding {
	struct ports *ports;
	int err;
};

static char *copy_of(const struct buf *b)
{
	return b->n ? strndup(b->p, b->n) : NULL;
}

static bool add_occupant(void *arg, struct standing *st)
{
	struct adding *a = arg;
	const struct occupant *o = &st->occupant;
	struct proc keeper = { .pid = st->keeper, .comm = "snag" };
	struct ports_row *r = new_row(a->ports);

	if (!r) {
		a->err = -ENOMEM;
		return false;
	}
	r->proto = o->proto;
	r->state = (uint8_t)occupant_state(o);
	r->local = o->addr;
	r->occupant = copy_of(&st->name);
	r->place = copy_of(&st->place);
	r->since_ns = (int64_t)(o->begin_ns & INT64_MAX);
	add_holder(r, &keeper, o->fd);
	if (o->until_ns == SNAG_OCCUPANT_FOREVER)
		return true;
	r->until_ns = (int64_t)(o->until_ns & INT64_MAX);
	r->left_ms = o->until_ns > st->now_ns ? (int64_t)((o->until_ns - st->now_ns) / NSEC_PER_MSEC) : 0;
	return true;
}

static int add_occupants(struct ports *p, const struct session *s)
{
	struct adding a = { .ports = p };

	standing_each(s, add_occupant, &a);
	return a.err;
}

/* Is this remainder of a connection one of them, and listed already? */
static bool is_listed(const struct ports *p, const struct diag_sock *d)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct ports_row *r = &p->row[i];
		if (r->occupant && r->state == SNAG_STATE_TIME_WAIT && r->local.port == d->local.port &&
		    addr_equal_ip(&r->local, &d->local))
			return true;
	}
	return false;
}

/* What is left of closed connections: those on ports where the session has closed some lately, on either side. */
static int add_remains(struct ports *p, const struct session *s, const struct kernel *k)
{
	bool virtual = keeps_waits(s->model);
	uint64_t now = session_now(s);
	uint8_t options;

	for (size_t i = 0; i < k->all.n; i++) {
		const struct diag_sock *d = &k->all.at[i];
		struct ports_row *r;
		if (d->inode || !d->left_ms || is_listed(p, d) || d->proto != SNAG_PROTO_TCP || (d->state == TCP_TIME_WAIT && virtual) ||
		    (!traffic_lingers(s->model, d->local.port, now, &options) &&
		     !traffic_lingers(s->model, d->peer.port, now, &options)))
			continue;
		r = new_row(p);
		if (!r)
			return -ENOMEM;
		r->proto = d->proto;
		r->state = d->state == TCP_TIME_WAIT ? SNAG_STATE_TIME_WAIT : SNAG_STATE_FIN_WAIT;
		r->local = d->local;
		r->peer = d->peer;
		r->left_ms = d->left_ms;
	}
	return 0;
}

/* Listeners first, then who is bound, then connections by state. */
static int by_state(const void *a, const void *b)
{
	static const uint8_t order[SNAG_STATES] = { [SNAG_STATE_LISTEN] = 0,	  [SNAG_STATE_BOUND] = 1,
						    [SNAG_STATE_SYN_SENT] = 2,	  [SNAG_STATE_SYN_RECV] = 2,
						    [SNAG_STATE_ESTABLISHED] = 3,
						    [SNAG_STATE_CLOSE_WAIT] = 4,  [SNAG_STATE_FIN_WAIT] = 5,
						    [SNAG_STATE_TIME_WAIT] = 6,	  [SNAG_STATE_CLOSED] = 7,
						    [SNAG_STATE_NONE] = 8 };
	const struct ports_row *x = a, *y = b;

	if (x->state != y->state)
		return order[x->state % SNAG_STATES] - order[y->state % SNAG_STATES];
	if (x->local.port != y->local.port)
		return x->local.port - y->local.port;
	return (x->sock > y->sock) - (x->sock < y->sock);
}

int ports_read(struct ports *p, const struct session *s)
{
	const struct model *m = s->model;
	uint32_t high = __atomic_load_n(&m->high, __ATOMIC_ACQUIRE);
	struct kernel k;
	int err = 0;

	*p = (struct ports){ 0 };
	kernel_read(&k);
	for (uint32_t sock = 1; !err && sock <= high && sock <= SNAG_SOCKS; sock++)
		err = add_sock(p, s, &k, sock);
	if (!err)
		err = add_occupants(p, s);
	if (!err)
		err = add_remains(p, s, &k);
	if (!err)
		err = add_waits(p, s);
	kernel_free(&k);
	if (p->n)
		qsort(p->row, p->n, sizeof(*p->row), by_state);
	return err;
}

void ports_free(struct ports *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->row[i].holder);
		free(p->row[i].occupant);
		free(p->row[i].place);
	}
	free(p->row);
	*p = (struct ports){ 0 };
}
