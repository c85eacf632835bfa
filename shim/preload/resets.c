/* resets.c - connections that are reset at this moment */
#include "resets.h"
#include "epset.h"
#include "facts.h"
#include "fdtab.h"
#include "ready.h"
#include "self.h"
#include <base/sys.h>
#include <effects/reset.h>
#include <effects/silence.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <session/lock.h>
#include <snag/plan.h>

#define BUSY_NS NSEC_PER_SEC	/* a reset by another thread takes far less; its thread may have died in it */

static struct fault_state *state_of(struct sock_ref r)
{
	return fault_find(session.faults, load_acquire(&session.header->socks_ready), r.sock, r.serial);
}

/* For the model it is as if the program had disconnected it: what connect chose is given back (net/ipv4/tcp.c,
 * tcp_done()). */
static void tell_model(struct sock_ref r)
{
	struct snag_call c = { .call = SNAG_CALL_connect, .sock = r.sock, .serial = r.serial, .proto = SNAG_PROTO_TCP };
	struct snag_outcome o = { .seen = SNAG_SEEN, .end_ns = self_now() };
	struct session_guard g;
	bool locked = self_on_port(r.sock);
	if (locked && !self_lock(&g))
		return;
	model_learn(engine.model, engine.machine, &c, &o, o.end_ns);
	if (locked)
		self_unlock(&g);
}

static void begin(struct fault_state *f, struct sock_ref r, struct epset_places *places)
{
	struct ready_guard g;
	places->n = 0;
	if (f)
		store_release(&f->busy, sys_gettid());
	if (!ready_lock(&g))
		return;
	fetch_add(&ready_changes, 1);
	epset_take(places, r);
	ready_unlock(&g);
}

static void end_it(struct fault_state *f, const struct epset_places *places)
{
	struct ready_guard g;
	if (places->n && ready_lock(&g)) {
		epset_put(places);
		ready_unlock(&g);
	}
	if (!f)
		return;
	__atomic_fetch_or(&f->spent, SNAG_SPENT_RESET, __ATOMIC_ACQ_REL);
	store_release(&f->busy, 0);
	sys_futex(&f->busy, FUTEX_WAKE, INT_MAX, NULL);
}

/* The socket is connected anew, with a port of its own choice, and from another address where it loses its peer. */
static void remember(struct fault_state *f, int fd)
{
	if (!facts_local(fd, &f->local))
		f->local.family = 0;
	if (!facts_peer(fd, &f->peer))
		f->peer.family = 0;
}

int resets_do(int fd, struct sock_ref r, struct fault_state *f, unsigned end)
{
	struct epset_places places;
	bool strayed = false;
	begin(f, r, &places);
	if (f && (load_relaxed(&f->spent) & SNAG_SPENT_DEAF))
		silence_hear(fd, (int)load_relaxed(&f->least));
	if (f)
		remember(f, fd);
	int result = reset_connection(fd, end, &strayed);
	if (f)
		store_release(&f->strayed, strayed);
	end_it(f, &places);
	if (result == 0 && end != SNAG_END_PEER)
		tell_model(r);
	return result;
}

static bool wait_for_end(struct fault_state *f)
{
	uint64_t end = sys_clock_ns(CLOCK_MONOTONIC) + BUSY_NS, now;
	uint32_t busy = load_acquire(&f->busy);
	bool any = busy != 0;
	while (busy && (now = sys_clock_ns(CLOCK_MONOTONIC)) < end) {
		struct timespec left = sys_timespec(end - now);
		sys_futex(&f->busy, FUTEX_WAIT, busy, &left);
		busy = load_acquire(&f->busy);
	}
	return any;
}

/* The kernel answers ENOTCONN and EPIPE in between, and one ECONNRESET too many, to whoever asks first. */
bool resets_stray(struct fault_state *f, int err)
{
	uint32_t one = 1;
	if (err != ENOTCONN && err != EPIPE && err != ECONNRESET)
		return false;
	if (!wait_for_end(f) && !(load_acquire(&f->spent) & SNAG_SPENT_RESET))
		return false;
	return err != ECONNRESET || cas(&f->strayed, &one, 0);
}

bool resets_met(int fd)
{
	struct sock_ref r = load_relaxed(&ready_flags) & READY_BREAKS ? fdtab_get(fd) : (struct sock_ref){ 0 };
	struct fault_state *f = r.sock ? state_of(r) : NULL;
	return f && wait_for_end(f);
}

bool resets_address(int fd, bool peer, struct snag_addr *a)
{
	struct sock_ref r = self_active() ? fdtab_get(fd) : (struct sock_ref){ 0 };
	struct fault_state *f = r.sock ? state_of(r) : NULL;
	if (likely(!f || !(load_acquire(&f->spent) & SNAG_SPENT_RESET)))
		return false;
	*a = peer ? f->peer : f->local;
	return a->family != 0;
}

void resets_over(struct sock_ref r)
{
	struct fault_state *f = state_of(r);
	if (f)
		f->local.family = f->peer.family = 0;
}
