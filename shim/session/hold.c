#include "hold.h"

#include <errno.h>
#include "tables.h"

struct sock_hold *hold_next(const struct session *s, uint32_t sock, uint32_t index, uint32_t *steps)
{
	struct sock_hold *h = tables_hold(s, index);

	/* one record for each process, and one for what is in flight */
	return h && (*steps)++ <= SNAG_PROCS && load_acquire(&h->sock) == sock ? h : NULL;
}

struct sock_hold *hold_find(const struct session *s, uint32_t sock, uint32_t proc)
{
	struct sock *k = tables_sock(s, sock);
	struct sock_hold *h;
	uint32_t steps = 0;

	if (!k)
		return NULL;
	for (h = hold_next(s, sock, load_acquire(&k->holds), &steps); h; h = hold_next(s, sock, h->next, &steps))
		if (h->proc == proc)
			return h;
	return NULL;
}

/* A free record: index + 1, or -errno. */
static int64_t hold_free_one(struct session *s)
{
	for (;;) {
		uint32_t ready = tables_ready(s), at = load_relaxed(&s->tables->hold_hint);
		int rc;

		for (uint32_t i = 0; i < ready; i++, at++) {
			if (at >= ready)
				at = 0;
			if (load_relaxed(&s->tables->hold[at].sock) == 0) {
				shared_store(&s->tables->hold_hint, at + 1);
				return (int64_t)at + 1;
			}
		}
		rc = session_grow_socks(s);
		if (rc < 0)
			return rc;
	}
}

/* Private sockets and records of a process: counted up before there is one more, down after there was, so never too
 * few. */
static void socks_count(struct session *s, uint32_t proc, int change)
{
	struct proc *p = tables_proc(s, proc);

	if (p)
		shared_add(&p->socks_held, (uint32_t)change);
}

static void refs_count(struct session *s, uint32_t proc, int change)
{
	struct proc *p = tables_proc(s, proc);

	if (p)
		shared_add(&p->refs, (uint32_t)change);
}

int hold_add(struct session *s, uint32_t sock, uint32_t proc, int fd, uint32_t fds)
{
	struct sock *k = tables_sock(s, sock);
	int64_t index = k ? hold_free_one(s) : -ENOENT;
	struct sock_hold *h;

	if (index < 0)
		return (int)index;
	h = &s->tables->hold[index - 1];
	refs_count(s, proc, 1);
	shared_store(&h->proc, proc);
	shared_store(&h->fd, fd);
	shared_store(&h->fds, fds);
	shared_store(&h->next, load_acquire(&k->holds));
	shared_store(&h->sock, sock);
	shared_store(&k->holds, (uint32_t)index);
	return 0;
}

void hold_remove(struct session *s, struct sock_hold *hold)
{
	uint32_t sock = load_acquire(&hold->sock), index = (uint32_t)(hold - s->tables->hold) + 1, steps = 0;
	struct sock *k = tables_sock(s, sock);
	struct sock_hold *h;
	uint32_t *link;

	/* The link first, as a chain that leads to a free record ends there and would lose what comes behind it. */
	for (link = k ? &k->holds : NULL; link && load_acquire(link) != index; link = h ? &h->next : NULL)
		h = hold_next(s, sock, load_acquire(link), &steps);
	if (link)
		shared_store(link, load_acquire(&hold->next));
	shared_store(&hold->sock, 0);
	refs_count(s, load_acquire(&hold->proc), -1);
	shared_store(&s->tables->hold_hint, index - 1);
}

int hold_share(struct session *s, struct sock_ref r)
{
	struct sock *k = tables_sock(s, r.sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;
	uint32_t owner = word_owner(word);
	struct sock_hold *h;
	int rc;

	if (!k || !r.serial || word_serial(word) != r.serial)
		return -ENOENT;
	if (word_state(word) == SOCK_SHARED)
		return 0;
	if (word_state(word) != SOCK_PRIVATE)
		return -ENOENT;
	shared_store(&k->holds, 0);
	rc = hold_add(s, r.sock, owner, load_relaxed(&k->fd), 1);
	if (rc < 0)
		return rc;
	/* The owner may close it at this moment, without the lock. */
	if (!shared_cas(&k->word, &word, SOCK_WORD(r.serial, 0, SOCK_SHARED))) {
		h = hold_find(s, r.sock, owner);
		if (h)	/* not there only where it was scribbled on */
			hold_remove(s, h);
		return -ENOENT;
	}
	socks_count(s, owner, -1);
	return 0;
}

/* The word first, then the record, which means nothing beside such a word. */
bool hold_unshare(struct session *s, uint32_t sock)
{
	struct sock *k = tables_sock(s, sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;
	struct sock_hold *h = k ? tables_hold(s, load_acquire(&k->holds)) : NULL;

	if (word_state(word) != SOCK_SHARED || !h || h->sock != sock || h->next || h->fds != 1 ||
	    !tables_proc(s, h->proc))
		return false;
	socks_count(s, h->proc, 1);
	shared_store(&k->fd, h->fd);
	shared_store(&k->flags, 0);
	shared_store(&k->word, SOCK_WORD(word_serial(word), h->proc, SOCK_PRIVATE));
	hold_remove(s, h);
	return true;
}

bool hold_give_up(struct session *s, struct sock_hold *hold, uint32_t n, uint32_t closer)
{
	uint32_t sock = load_acquire(&hold->sock), fds = load_acquire(&hold->fds), steps = 0;
	struct sock *k = tables_sock(s, sock);
	uint32_t index = (uint32_t)(hold - s->tables->hold) + 1;
	uint64_t word = k ? load_acquire(&k->word) : 0;
	bool last;

	if (!k || word_state(word) != SOCK_SHARED) {
		hold_remove(s, hold);
		return false;
	}
	if (n < fds) {
		shared_store(&hold->fds, fds - n);
		hold_unshare(s, sock);
		return false;
	}
	last = load_acquire(&k->holds) == index && !hold_next(s, sock, load_acquire(&hold->next), &steps);
	if (last) {
		socks_count(s, closer, 1);	/* sock_free counts it off again */
		shared_store(&k->word, SOCK_WORD(word_serial(word), closer, SOCK_CLOSING));
	}
	hold_remove(s, hold);
	if (!last)
		hold_unshare(s, sock);
	return last;
}

void hold_drop_all(struct session *s, uint32_t proc, bool doubted, proc_closed_fn *closed, void *arg)
{
	uint32_t ready = tables_ready(s);

	for (uint32_t i = 0; i < ready && tables_has_refs(s, proc); i++) {
		struct sock_hold *h = &s->tables->hold[i];
		uint32_t sock = load_acquire(&h->sock);
		struct sock *k = tables_sock(s, sock);

		if (!sock || h->proc != proc || (doubted && load_acquire(&h->fds)))
			continue;
		if (!hold_give_up(s, h, UINT32_MAX, proc))
			continue;
		if (closed)
			closed(arg, proc, sock);
		sock_free(s, (struct sock_ref){sock, word_serial(load_acquire(&k->word))});
	}
}
