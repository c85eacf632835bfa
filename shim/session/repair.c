/* repair.c - after a death inside the lock: hold.h says what is true then, and what is only an index over it. */
#include <session/sock.h>

#include "hold.h"
#include "index.h"
#include "tables.h"

static bool proc_known(const struct session *s, uint32_t proc)
{
	const struct proc *p = tables_proc(s, proc);

	return proc == SOCK_IN_FLIGHT || (p && load_acquire(&p->state) != PROC_FREE);
}

/* States that are none (scribbled on) are free slots. */
static unsigned repair_procs(struct session *s)
{
	unsigned mended = 0;

	for (uint32_t i = 0; i < SNAG_PROCS; i++) {
		if (load_acquire(&s->tables->proc[i].state) <= PROC_ALIVE)
			continue;
		shared_store(&s->tables->proc[i].state, PROC_FREE);
		mended++;
	}
	return mended;
}

/* Records of sockets that are not shared, or of nobody. */
static unsigned repair_holds(struct session *s, uint32_t ready)
{
	unsigned mended = 0;

	for (uint32_t i = 0; i < ready; i++) {
		struct sock_hold *h = &s->tables->hold[i];
		uint32_t sock = load_acquire(&h->sock);
		struct sock *k = tables_sock(s, sock);

		if (!sock || (k && word_state(load_acquire(&k->word)) == SOCK_SHARED && proc_known(s, h->proc)))
			continue;
		shared_store(&h->sock, 0);
		mended++;
	}
	return mended;
}

static void repair_chains(struct session *s, uint32_t ready)
{
	for (uint32_t i = 0; i < ready; i++)
		if (load_acquire(&s->tables->sock[i].holds))
			shared_store(&s->tables->sock[i].holds, 0);
	for (uint32_t i = 0; i < ready; i++) {
		struct sock_hold *h = &s->tables->hold[i];
		struct sock *k = tables_sock(s, load_acquire(&h->sock));

		if (!k)
			continue;
		shared_store(&h->next, load_acquire(&k->holds));
		shared_store(&k->holds, i + 1);
	}
}

/* Shared sockets that nobody refers to, private ones of nobody, words that mean nothing. A socket that was shared for a
 * reference that was never made is private again. One that is closing under a living owner is left to it. */
static unsigned repair_socks(struct session *s, uint32_t ready)
{
	unsigned mended = 0;

	for (uint32_t i = 0; i < ready; i++) {
		struct sock *k = &s->tables->sock[i];
		uint64_t word = load_acquire(&k->word);
		bool lost = word && !proc_known(s, word_owner(word));

		if (word_state(word) == SOCK_SHARED)
			lost = load_acquire(&k->holds) == 0;
		if (word_state(word) > SOCK_CLOSING)
			lost = true;
		if (lost ? shared_cas(&k->word, &word, 0) : hold_unshare(s, i + 1))
			mended++;
	}
	return mended;
}

unsigned session_repair(struct session *s)
{
	uint32_t ready = tables_ready(s);
	unsigned mended = repair_procs(s) + repair_holds(s, ready);

	repair_chains(s, ready);
	mended += repair_socks(s, ready);
	index_rebuild(s);
	return mended;
}
