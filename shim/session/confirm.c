/* confirm.c - what a process still holds, after exec closed some of its descriptors unseen: everything is doubted, what
 * is found is confirmed, the rest is dropped. A doubted record has fds 0; a doubted private socket has a flag. */
#include <session/sock.h>

#include "hold.h"
#include "tables.h"

static bool private_of(const struct sock *k, uint32_t proc)
{
	uint64_t word = load_acquire(&k->word);

	return word_state(word) == SOCK_PRIVATE && word_owner(word) == proc;
}

void sock_confirm_begin(struct session *s, uint32_t proc)
{
	struct session_tables *t = s->tables;
	uint32_t ready = tables_ready(s);

	if (!tables_has_socks(s, proc) && !tables_has_refs(s, proc))
		return;
	for (uint32_t i = 0; i < ready; i++) {
		if (private_of(&t->sock[i], proc))
			shared_store(&t->sock[i].flags, SOCK_DOUBTED);
		if (t->hold[i].sock && t->hold[i].proc == proc)
			shared_store(&t->hold[i].fds, 0);
	}
}

void sock_confirm(struct session *s, uint32_t proc, struct sock_ref r, int fd)
{
	struct sock *k = tables_sock(s, r.sock);
	struct sock_hold *h;

	if (!sock_is(s, r))
		return;
	if (private_of(k, proc) && !(load_acquire(&k->flags) & SOCK_CONFIRMED)) {
		shared_store(&k->fd, fd);
		shared_store(&k->flags, SOCK_CONFIRMED);
		return;
	}
	h = private_of(k, proc) ? NULL : hold_find(s, r.sock, proc);
	if (h && load_acquire(&h->fds) == 0)
		shared_store(&h->fd, fd);
	sock_hold(s, proc, r, fd);
}

void sock_confirm_end(struct session *s, uint32_t proc, proc_closed_fn *closed, void *arg)
{
	struct session_tables *t = s->tables;
	uint32_t ready = tables_ready(s);

	for (uint32_t i = 0; i < ready && tables_has_socks(s, proc); i++) {
		struct sock *k = &t->sock[i];
		struct sock_ref r = {i + 1, word_serial(load_acquire(&k->word))};

		if (!private_of(k, proc) || !(load_acquire(&k->flags) & SOCK_DOUBTED) ||
		    !sock_drop(s, proc, r, true))
			continue;
		if (closed)
			closed(arg, proc, r.sock);
		sock_free(s, r);
	}
	hold_drop_all(s, proc, true, closed, arg);
}
