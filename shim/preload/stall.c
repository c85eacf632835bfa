/* stall.c - TCP sockets of this process that hide what has arrived
 *
 * What SO_RCVLOWAT was stands in the socket's fault record, so that any process which has the socket can put it back;
 * who does so is who takes it from there. */
#include "stall.h"
#include "epset.h"
#include "identity.h"
#include "ready.h"
#include "self.h"
#include <effects/lowat.h>

#define STALLS_MAX 256

struct stall {
	struct sock_ref ref;	/* sock 0: free */
	int fd;
	uint64_t due;		/* session time */
};

static struct stall table[STALLS_MAX];

static struct fault_state *state_of(struct sock_ref r)
{
	return fault_find(session.faults, load_acquire(&session.header->socks_ready), r.sock, r.serial);
}

void stall_show(int fd, struct fault_state *f)
{
	if (f)
		lowat_show(fd, &f->lowat);
}

/* Its place in the table, or a free one. */
static struct stall *place_of(struct sock_ref r)
{
	struct stall *free = NULL;
	for (unsigned i = 0; i < STALLS_MAX; i++) {
		if (table[i].ref.sock == r.sock && table[i].ref.serial == r.serial)
			return &table[i];
		if (!table[i].ref.sock && !free)
			free = &table[i];
	}
	return free;
}

static bool enter(int fd, struct sock_ref r, uint64_t until)
{
	struct ready_guard g;
	struct stall *s;
	if (!ready_lock(&g))
		return false;
	s = place_of(r);
	if (s)
		*s = (struct stall){ .ref = r, .fd = fd, .due = until };
	ready_unlock(&g);
	return s != NULL;
}

bool stall_hide(int fd, struct sock_ref r, struct fault_state *f, uint64_t until)
{
	uint32_t none = 0;
	int was;
	if (!enter(fd, r, until))
		return false;
	identity_publish(fd, r);	/* the keeper shows it if nobody else does */
	was = load_acquire(&f->lowat) ? 0 : lowat_raise(fd);
	if (was && !cas(&f->lowat, &none, (uint32_t)was))
		lowat_restore(fd, was);
	__atomic_fetch_or(&ready_flags, READY_STALLS, __ATOMIC_ACQ_REL);
	ready_run();	/* the sets that threads wait in get their timer */
	return !lowat_is_ready(fd, false);
}

void stall_adopt(int fd, struct sock_ref r, const struct fault_state *f)
{
	struct stall *s = load_acquire(&f->lowat) ? place_of(r) : NULL;
	if (!s)
		return;
	*s = (struct stall){ .ref = r, .fd = fd, .due = load_acquire(&f->recv_until_ns) };
	__atomic_fetch_or(&ready_flags, READY_STALLS, __ATOMIC_ACQ_REL);
	epset_wake_at(s->due);
}

void stall_end(void)
{
	for (unsigned i = 0; i < STALLS_MAX; i++) {
		int fd = table[i].ref.sock ? identity_descriptor(table[i].fd, table[i].ref) : -1;
		if (fd >= 0)
			stall_show(fd, state_of(table[i].ref));
	}
}

uint64_t stall_run(uint64_t now)
{
	uint64_t next = READY_NEVER;
	for (unsigned i = 0; i < STALLS_MAX; i++) {
		struct stall *s = &table[i];
		int fd = s->ref.sock ? identity_descriptor(s->fd, s->ref) : -1;
		if (fd >= 0 && s->due > now) {
			next = s->due < next ? s->due : next;
			continue;
		}
		if (fd >= 0)
			stall_show(fd, state_of(s->ref));
		s->ref.sock = 0;
	}
	if (next == READY_NEVER)
		__atomic_fetch_and(&ready_flags, ~(uint32_t)READY_STALLS, __ATOMIC_ACQ_REL);
	return next;
}
