/* stalls.c - what a stall hides is shown again when nobody else does. */
#include "stalls.h"

#include <base/base.h>
#include <effects/lowat.h>
#include <effects/state.h>
#include <probe/owner.h>
#include <session/sock.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE_NS (100 * NSEC_PER_MSEC)	/* behind its end: who knows of it is on time */

bool stalls_possible(const struct rules *rules)
{
	for (uint32_t i = 0; i < rules->step.n; i++)
		if (rules_step(rules, i)->action == SNAG_ACTION_stall)
			return true;
	return false;
}

struct hidden {
	struct fault_state *state;
	uint64_t cookie;
};

static void show(void *arg, const struct proc *p, int their)
{
	const struct hidden *h = arg;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int fd = load_acquire(&h->state->lowat) ? owner_borrow(p->pid, their) : -1;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 && cookie == h->cookie)
		lowat_show(fd, &h->state->lowat);
	close(fd);
}

void stalls_step(struct session *s)
{
	uint32_t ready = load_acquire(&s->header->socks_ready);
	struct fault_table *t = s->faults;
	uint64_t now = session_now(s);
	struct sock k;

	for (uint32_t i = 0; i < ready && i < SNAG_SOCKS; i++) {
		struct fault_state *f = &t->sock[i];
		struct sock_ref r = { i + 1, load_acquire(&f->serial) };

		if (!load_acquire(&f->lowat) || now < load_acquire(&f->recv_until_ns) + LATE_NS || !sock_is(s, r) ||
		    !sock_get(s, r.sock, &k) || !k.cookie)
			continue;
		sock_each_holder(s, r.sock, show, &(struct hidden){ f, k.cookie });
	}
}
