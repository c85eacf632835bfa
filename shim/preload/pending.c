/* pending.c - connection attempts of this process that end later
 *
 * Until then the attempt is a real one, in SYN_SENT, whose SYNs are lost (effects/shield.h): so poll, epoll, SO_ERROR,
 * getpeername and a second connect say by themselves what they say of an attempt under way. At its time the shield is
 * lowered, and where the kernel's own next SYN would come too late the attempt is begun anew. */
#include "pending.h"
#include "epset.h"
#include "identity.h"
#include "overflow.h"
#include "ready.h"
#include "self.h"
#include "stream.h"
#include <effects/shield.h>
#include <effects/state.h>
#include <effects/wait.h>
#include <sys/socket.h>

#define PENDING_MAX 256
#define LOOK_NS (250 * NSEC_PER_MSEC)	/* between looks at what the kernel does by itself; its SYNs are 1 s apart */
#define LEAST_TIMEOUT_NS NSEC_PER_SEC	/* no TCP_USER_TIMEOUT ends an attempt before its first retry */

enum pending_kind {
	PENDING_NONE,
	PENDING_CONNECT,	/* let it through */
	PENDING_REFUSE,		/* have it refused */
	PENDING_DROPS,		/* let it through when `count` SYNs are lost */
	PENDING_TIMEOUT,	/* the kernel ends it; then put back what the socket had */
	PENDING_KINDS
};

struct pending {
	struct sock_ref ref;
	int fd;
	struct fault_late how;
};

static struct pending table[PENDING_MAX];
static uint32_t used;		/* rows that are not NONE */

static struct pending *find(struct sock_ref r)
{
	for (unsigned i = 0; used && i < PENDING_MAX; i++)
		if (table[i].how.kind && table[i].ref.sock == r.sock && table[i].ref.serial == r.serial)
			return &table[i];
	return NULL;
}

static struct pending *find_free(void)
{
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (!table[i].how.kind)
			return &table[i];
	return NULL;
}

static void end(struct pending *p)
{
	p->how.kind = PENDING_NONE;
	if (--used)
		return;
	__atomic_fetch_and(&ready_flags, ~(uint32_t)READY_LATE, __ATOMIC_RELAXED);
	stream_watch(false);
}

/* Whoever has the socket may have the attempt in its table, by fork, exec or passing: of them all one does it. */
static struct fault_state *state_of(struct sock_ref r)
{
	uint32_t room = load_acquire(&session.header->socks_ready);
	return sock_is(&session, r) ? fault_claim(session.faults, room, r.sock, r.serial) : NULL;
}

static bool claim(const struct pending *p)
{
	struct fault_state *s = state_of(p->ref);
	uint32_t serial = p->ref.serial;
	return s && cas(&s->late, &serial, 0);
}

/* ---- what is due ---- */

static void begin_again(const struct pending *p, int fd, const struct snag_addr *to)
{
	struct epset_places places;
	epset_take(&places, p->ref);	/* nobody is to see the moment in between */
	shield_connect_again(fd, to);
	epset_put(&places);
	fetch_add(&ready_changes, 1);
}

static void let_through(const struct pending *p, int fd)
{
	unsigned syns;
	if (!claim(p))
		return;
	shield_lower(fd, &p->how.to, p->how.shield);
	if (shield_waits(fd, &syns))
		begin_again(p, fd, &p->how.to);
	overflow_meet(fd, p->ref, &p->how.to);
}

static void refuse(const struct pending *p, int fd)
{
	struct snag_addr nobody = shield_nobody(&p->how.to);
	unsigned syns;
	if (!claim(p))
		return;
	shield_lower(fd, &p->how.to, p->how.shield);
	if (shield_waits(fd, &syns))
		begin_again(p, fd, &nobody);
}

static void restore(const struct pending *p, int fd)
{
	const struct fault_state *s = state_of(p->ref);
	if (!s || !claim(p))
		return;
	shield_lower(fd, &p->how.to, p->how.shield);
	if (p->how.kind == PENDING_TIMEOUT && shield_timeout(fd) == p->how.ours)
		shield_set_timeout(fd, s->attempt.count);
}

/* True: it is done. */
static bool run_one(struct pending *p, uint64_t now)
{
	unsigned syns = 0;
	int fd = identity_descriptor(p->fd, p->ref);
	if (fd < 0)
		return true;
	switch (p->how.kind) {
	case PENDING_CONNECT:
		let_through(p, fd);
		return true;
	case PENDING_REFUSE:
		refuse(p, fd);
		return true;
	default:
		if (shield_waits(fd, &syns) && (p->how.kind == PENDING_TIMEOUT || syns < p->how.count)) {
			p->how.due = now + LOOK_NS;
			return false;
		}
		restore(p, fd);
		return true;
	}
}

uint64_t pending_run(uint64_t now)
{
	uint64_t next = READY_NEVER;
	for (unsigned i = 0; used && i < PENDING_MAX; i++) {
		struct pending *p = &table[i];
		bool look = p->how.kind && (p->how.due <= now || p->how.kind == PENDING_TIMEOUT);
		if (look && run_one(p, now))
			end(p);
		if (p->how.kind && p->how.due < next)
			next = p->how.due;
	}
	return next;
}

bool pending_has(struct sock_ref r)
{
	struct ready_guard g;
	if (!(load_relaxed(&ready_flags) & READY_LATE) || !ready_lock(&g))
		return false;
	pending_run(self_now());
	bool has = find(r) != NULL;
	ready_unlock(&g);
	return has;
}

static bool under_way(void *ref)
{
	return pending_has(*(struct sock_ref *)ref);
}

int pending_wait(struct hook *h)
{
	struct sock_ref r = h->ref;
	if (likely(!(load_relaxed(&ready_flags) & READY_LATE)) || !wait_blocks(&h->call) || !pending_has(r))
		return 0;
	return wait_while(&h->call, h->traits, hook_since(h), under_way, &r);
}

/* ---- the beginning ---- */

static bool fails_with(const struct snag_plan *p, int err)
{
	return (p->action == SNAG_ACTION_errno || p->action == SNAG_ACTION_deny) && p->err == err;
}

/* What the plan means for a connect that does not wait; NONE: nothing that comes late. */
static struct pending describe(const struct hook *h)
{
	const struct snag_plan *p = &h->plan;
	struct pending q = { .ref = h->ref, .fd = h->call.fd, .how = { .to = h->call.addr } };
	uint64_t now = self_now(), wait = p->delay_ns + p->after_ns;
	if (p->action == SNAG_ACTION_syn_drop) {
		q.how.kind = p->value ? PENDING_DROPS : PENDING_NONE;
		q.how.count = p->value < UINT32_MAX ? (unsigned)p->value : UINT32_MAX;
		wait = LOOK_NS;
	} else if (fails_with(p, ETIMEDOUT)) {
		wait = wait < LEAST_TIMEOUT_NS ? LEAST_TIMEOUT_NS : wait;
		q.how.kind = PENDING_TIMEOUT;
		q.how.ours = wait / NSEC_PER_MSEC < UINT32_MAX / 2 ? (unsigned)(wait / NSEC_PER_MSEC) : UINT32_MAX / 2;
	} else if (wait && fails_with(p, ECONNREFUSED)) {
		q.how.kind = PENDING_REFUSE;
	} else if (wait && (p->action == SNAG_ACTION_NONE || p->action == SNAG_ACTION_reset ||
			    p->action == SNAG_ACTION_blackhole)) {	/* which find it when it is there */
		q.how.kind = PENDING_CONNECT;
	}
	q.how.due = now + wait;
	return q;
}

static void watch(const struct pending *p)
{
	used++;
	__atomic_fetch_or(&ready_flags, READY_LATE, __ATOMIC_RELAXED);
	stream_watch(true);
	epset_wake_at(p->how.due);
}

static void enter(const struct pending *q)
{
	struct fault_state *s = state_of(q->ref);
	struct pending *p = find_free();
	if (!s || !p)	/* looked at before, and nobody else fills the table under the lock */
		return;
	*p = *q;
	s->attempt = q->how;
	store_release(&s->late, q->ref.serial);
	watch(p);
}

void pending_adopt(int fd, struct sock_ref r, const struct fault_state *f)
{
	struct pending *p = load_acquire(&f->late) == r.serial && !find(r) ? find_free() : NULL;
	uint8_t kind = f->attempt.kind;
	if (!p || kind == PENDING_NONE || kind >= PENDING_KINDS)
		return;
	*p = (struct pending){ .ref = r, .fd = fd, .how = f->attempt };
	p->how.kind = kind;
	watch(p);
}

/* Under the lock: the attempt goes on in the kernel, out of its peer's hearing. 0: not to be done so; else the errno. */
static int begin(struct pending *q, bool blocks)
{
	if (!find_free() || !state_of(q->ref))
		return 0;
	q->how.shield = (uint8_t)shield_raise(q->fd, &q->how.to);
	if (q->how.shield == SHIELD_NONE)
		return 0;
	if (q->how.kind == PENDING_TIMEOUT) {
		q->how.count = shield_timeout(q->fd);
		shield_set_timeout(q->fd, q->how.ours);
	}
	int err = blocks ? shield_connect_briefly(q->fd, &q->how.to) : shield_connect(q->fd, &q->how.to);
	if (err == EINPROGRESS) {
		enter(q);
		return err;
	}
	shield_lower(q->fd, &q->how.to, q->how.shield);
	if (q->how.kind == PENDING_TIMEOUT)
		shield_set_timeout(q->fd, q->how.count);
	return err ? err : -1;
}

/* The shield of this attempt is lowered. */
static void put_back(struct hook *h)
{
	struct ready_guard g;
	if (!ready_lock(&g))
		return;
	struct pending *p = find(h->ref);
	if (p) {
		restore(p, h->call.fd);
		end(p);
	}
	ready_unlock(&g);
}

static bool still_lost(void *arg)
{
	const struct pending *p = arg;
	unsigned syns;
	return shield_waits(p->fd, &syns) && syns < p->how.count;
}

/* A blocking connect: this thread sees to it that the SYNs are lost, then waits in the real call. */
static bool wait_out(struct hook *h, struct pending *q)
{
	int err = wait_while(&h->call, h->traits, hook_since(h), still_lost, q);
	if (!err) {
		put_back(h);
		h->begun = true;
		return false;
	}
	hook_fail(h, err);
	return true;
}

bool pending_connect(struct hook *h)
{
	struct ready_guard g;
	const struct snag_addr *to = &h->call.addr;
	if (h->call.call != SNAG_CALL_connect || h->call.proto != SNAG_PROTO_TCP ||
	    (to->family != AF_INET && to->family != AF_INET6))
		return false;
	bool blocks = wait_blocks(&h->call);
	struct pending q = describe(h);
	if (q.how.kind == PENDING_NONE || (blocks && q.how.kind != PENDING_DROPS) || !ready_lock(&g))
		return false;
	int err = begin(&q, blocks);
	ready_unlock(&g);
	if (!err)
		return false;
	if (blocks && err == EINPROGRESS)
		return wait_out(h, &q);
	hook_fail(h, err > 0 ? err : 0);
	h->out.real_err = err > 0 && err != EINPROGRESS ? err : err < 0 ? 0 : -1;
	if (err < 0)
		h->out.ret = 0;
	return true;
}
