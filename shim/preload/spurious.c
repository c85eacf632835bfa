/* spurious.c - wake-ups with nothing to take */
#include "spurious.h"
#include "epset.h"
#include "ready.h"
#include <base/sys.h>
#include <effects/state.h>
#include <effects/wait.h>
#include <poll.h>

static uint32_t left[SPURIOUS_WAITS];	/* of this process */

static struct fault_state *state_of(struct sock_ref r, bool make)
{
	uint32_t room = load_acquire(&session.header->socks_ready);
	return make ? fault_claim(session.faults, room, r.sock, r.serial)
		    : fault_find(session.faults, room, r.sock, r.serial);
}

static bool take_one(uint32_t *from)
{
	uint32_t n = load_acquire(from);
	while (n && !cas(from, &n, n - 1))
		;
	return n != 0;
}

bool spurious_accept(struct hook *h)
{
	struct fault_state *f = state_of(h->ref, false);
	bool now = h->plan.action == SNAG_ACTION_spurious && h->plan.value;
	if (now) {
		f = state_of(h->ref, true);
		if (f) {
			store_relaxed(&f->rule, h->plan.rule[0]);
			store_release(&f->spurious, (uint32_t)h->plan.value - 1);
		}
	} else if (!f || !take_one(&f->spurious)) {
		return false;
	} else {
		h->plan.rule[0] = (uint16_t)load_relaxed(&f->rule);
		h->plan.by = SNAG_BY_RULE;
	}
	ready_again(h->ref);	/* an edge is lost with the EAGAIN, so there is another */
	return true;
}

bool spurious_left(enum spurious_wait way)
{
	return unlikely(load_relaxed(&left[way]));
}

bool spurious_take(enum spurious_wait way, const struct snag_plan *p)
{
	if (p && p->action == SNAG_ACTION_spurious && p->value)
		fetch_add(&left[way], (uint32_t)p->value);
	return take_one(&left[way]);
}

bool spurious_fits(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec now = { 0, 0 };
	long flags = fdtab_knows(fd) ? sys_call(SYS_fcntl, fd, F_GETFL) : 0;
	return flags > 0 && (flags & O_NONBLOCK) && sys_call(SYS_ppoll, &p, 1, &now, NULL, 0) == 0;
}
