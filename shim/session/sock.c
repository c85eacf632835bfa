/* sock.c - sockets: the lock-free life of private ones, and what is asked of all. See hold.c for shared ones. */
#include <session/sock.h>

#include <base/hash.h>
#include <errno.h>
#include <session/lock.h>
#include "hold.h"
#include "index.h"
#include "tables.h"

/* Takes a free slot: slot + 1, or 0. The word alone takes it: a process that dies right after has a private socket with
 * old particulars, which is found by its word and dropped. */
static uint32_t sock_take(struct session *s, uint32_t proc, struct proc *p, uint64_t word)
{
	for (;;) {
		uint32_t ready = tables_ready(s), at = load_relaxed(&p->sock_hint);

		for (uint32_t i = 0; i < ready; i++, at++) {
			uint64_t was;

			if (at >= ready)
				at = 0;
			was = load_relaxed(&s->tables->sock[at].word);
			if (word_state(was) == SOCK_FREE && shared_cas(&s->tables->sock[at].word, &was, word)) {
				shared_store(&p->sock_hint, at + 1);
				return at + 1;
			}
		}
		if (session_grow_socks(s) < 0 || load_acquire(&tables_proc(s, proc)->state) == PROC_FREE)
			return 0;
	}
}

struct sock_ref sock_new(struct session *s, uint32_t proc, int fd)
{
	struct proc *p = tables_proc(s, proc);
	struct sock_ref r = {0, 0};
	struct sock *k;

	if (!p || load_acquire(&p->state) == PROC_FREE)
		return r;
	r.serial = tables_serial(&s->header->next_sock);
	shared_add(&p->socks_held, 1);
	r.sock = sock_take(s, proc, p, SOCK_WORD(r.serial, proc, SOCK_PRIVATE));
	if (!r.sock) {
		shared_add(&p->socks_held, (uint32_t)-1);
		tables_lost(s);
		return (struct sock_ref){0, 0};
	}
	/* `holds` is not touched: another thread's fork may have shared this socket already. A cookie of the slot's
	 * last socket names a socket of the kernel that is gone, so nobody can look for it. */
	k = &s->tables->sock[r.sock - 1];
	shared_store(&k->cookie, 0);
	shared_store(&k->key, hash_mix(p->key, shared_add(&p->socks_made, 1) + 1));
	shared_store(&k->fd, fd);
	shared_store(&k->made_by, p->serial);
	shared_store(&k->flags, 0);
	return r;
}

bool sock_is(const struct session *s, struct sock_ref r)
{
	const struct sock *k = tables_sock(s, r.sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;

	return r.serial && word_serial(word) == r.serial && word_lives(word);
}

bool sock_get(const struct session *s, uint32_t sock, struct sock *out)
{
	const struct sock *k = tables_sock(s, sock);

	if (!k)
		return false;
	*out = (struct sock){
		.word = load_acquire(&k->word),
		.cookie = load_acquire(&k->cookie),
		.key = load_acquire(&k->key),
		.fd = load_acquire(&k->fd),
		.holds = load_acquire(&k->holds),
		.made_by = load_acquire(&k->made_by),
		.flags = load_acquire(&k->flags),
	};
	return word_lives(out->word);
}

bool sock_shared(const struct session *s, struct sock_ref r)
{
	const struct sock *k = tables_sock(s, r.sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;

	return word_serial(word) == r.serial && word_state(word) == SOCK_SHARED;
}

bool sock_sole(const struct session *s, struct sock_ref r)
{
	const struct sock *k = tables_sock(s, r.sock);
	const struct sock_hold *h;
	uint32_t steps = 0;

	if (!sock_shared(s, r))
		return sock_is(s, r);
	h = hold_next(s, r.sock, load_acquire(&k->holds), &steps);
	return h && h->fds == 1 && !hold_next(s, r.sock, h->next, &steps);
}

/* Where this slot is the owner's own it is the first to be taken again, while it is warm. */
static void sock_freed(struct session *s, uint32_t proc, uint32_t sock)
{
	struct proc *p = tables_proc(s, proc);

	if (!p)
		return;
	shared_add(&p->socks_held, (uint32_t)-1);
	shared_store(&p->sock_hint, sock - 1);
}

enum drop { DROP_NONE, DROP_LAST, DROP_SHARED };

static enum drop sock_drop_private(struct session *s, uint32_t proc, struct sock_ref r, bool keep)
{
	struct sock *k = tables_sock(s, r.sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;

	while (r.serial && word_serial(word) == r.serial && word_lives(word)) {
		if (word_state(word) == SOCK_SHARED)
			return DROP_SHARED;
		if (word_owner(word) != proc)
			break;
		if (!shared_cas(&k->word, &word, keep ? SOCK_WORD(r.serial, proc, SOCK_CLOSING) : 0))
			continue;
		if (!keep)
			sock_freed(s, proc, r.sock);
		return DROP_LAST;
	}
	return DROP_NONE;
}

static bool sock_drop_locked(struct session *s, uint32_t proc, struct sock_ref r, bool keep)
{
	enum drop d = sock_drop_private(s, proc, r, keep);
	struct sock_hold *h;

	if (d != DROP_SHARED)
		return d == DROP_LAST;
	h = hold_find(s, r.sock, proc);
	if (!h || !hold_give_up(s, h, 1, tables_proc(s, proc) ? proc : 0))
		return false;
	if (!keep)
		sock_free(s, r);
	return true;
}

bool sock_drop(struct session *s, uint32_t proc, struct sock_ref r, bool keep)
{
	enum drop d = sock_drop_private(s, proc, r, keep);
	struct session_guard g;
	bool last;

	if (d != DROP_SHARED)
		return d == DROP_LAST;
	if (session_locked(s))
		return sock_drop_locked(s, proc, r, keep);
	if (session_lock_tables(s, &g, proc == SOCK_IN_FLIGHT ? 0 : proc) < 0)
		return false;
	last = sock_drop_locked(s, proc, r, keep);
	session_unlock(s, &g);
	return last;
}

void sock_free(struct session *s, struct sock_ref r)
{
	struct sock *k = tables_sock(s, r.sock);
	uint64_t word = k ? load_acquire(&k->word) : 0;

	if (!r.serial || word_serial(word) != r.serial || word_state(word) != SOCK_CLOSING)
		return;
	if (shared_cas(&k->word, &word, 0))
		sock_freed(s, word_owner(word), r.sock);
}

int sock_hold(struct session *s, uint32_t proc, struct sock_ref r, int fd)
{
	struct sock_hold *h;
	int rc = hold_share(s, r);

	if (rc < 0)
		return rc;
	h = hold_find(s, r.sock, proc);
	if (!h)
		return hold_add(s, r.sock, proc, fd, 1);
	shared_store(&h->fds, load_acquire(&h->fds) + 1);
	return 0;
}

void sock_publish(struct session *s, struct sock_ref r, uint64_t cookie)
{
	struct sock *k = tables_sock(s, r.sock);

	if (!sock_is(s, r) || load_acquire(&k->cookie) == cookie)
		return;
	shared_store(&k->cookie, cookie);
	/* Another thread may have closed it meanwhile, and somebody else made a socket in its place. */
	if (!sock_is(s, r))
		shared_cas(&k->cookie, &cookie, 0);
	index_add(s, r.sock);
}

struct sock_ref sock_find(const struct session *s, uint64_t cookie)
{
	struct sock_ref none = {0, 0}, r = {index_find(s, cookie), 0};
	const struct sock *k = tables_sock(s, r.sock);

	r.serial = k ? word_serial(load_acquire(&k->word)) : 0;
	return sock_is(s, r) ? r : none;
}

void sock_each_holder(const struct session *s, uint32_t sock, void (*each)(void *arg, const struct proc *p, int fd),
		      void *arg)
{
	struct sock_hold *h;
	struct sock k;
	struct proc p;
	uint32_t steps = 0;

	if (!sock_get(s, sock, &k))
		return;
	if (word_state(k.word) == SOCK_PRIVATE) {
		if (proc_get(s, word_owner(k.word), &p) && proc_alive(&p))
			each(arg, &p, k.fd);
		return;
	}
	for (h = hold_next(s, sock, k.holds, &steps); h; h = hold_next(s, sock, load_acquire(&h->next), &steps))
		if (proc_get(s, load_acquire(&h->proc), &p) && proc_alive(&p))
			each(arg, &p, load_acquire(&h->fd));
}

uint32_t sock_holder(const struct session *s, uint32_t sock, int *fd, unsigned *others)
{
	struct sock k;
	struct sock_hold *h;
	struct proc p;
	uint32_t steps = 0, holder = 0;

	*fd = -1;
	*others = 0;
	if (!sock_get(s, sock, &k))
		return 0;
	if (word_state(k.word) == SOCK_PRIVATE) {
		*fd = k.fd;
		return word_owner(k.word);
	}
	/* The newest reference stands first; whoever has held it longest is the one to speak of. */
	for (h = hold_next(s, sock, k.holds, &steps); h; h = hold_next(s, sock, load_acquire(&h->next), &steps)) {
		uint32_t proc = load_acquire(&h->proc);

		if (!proc_get(s, proc, &p) || !proc_alive(&p))
			continue;
		*others += holder != 0;
		*fd = load_acquire(&h->fd);
		holder = proc;
	}
	return holder;
}
