#include "index.h"

#include <base/hash.h>
#include <string.h>
#include "tables.h"

#define INDEX_FULL (SESSION_INDEX / 4 * 3)	/* entries, with those of closed sockets */

_Static_assert((SESSION_INDEX & (SESSION_INDEX - 1)) == 0, "places go round the table by their low bits");
_Static_assert(INDEX_FULL > SNAG_SOCKS, "after a rebuild there is room again");

/* The kernel counts cookies up, so sockets made together stand together: groups of 64 are spread, and each group keeps
 * its order. */
static uint32_t index_place(uint64_t cookie)
{
	return ((uint32_t)hash_mix(0, cookie / 64) * 64 + (uint32_t)(cookie % 64)) % SESSION_INDEX;
}

static bool index_names(const struct session *s, uint32_t sock, uint64_t cookie)
{
	const struct sock *k = tables_sock(s, sock);

	return k && load_acquire(&k->cookie) == cookie && word_lives(load_acquire(&k->word));
}

uint32_t index_find(const struct session *s, uint64_t cookie)
{
	uint32_t at = index_place(cookie);

	for (uint32_t i = 0; i < SESSION_INDEX && cookie; i++) {
		uint32_t sock = load_acquire(&s->tables->index[(at + i) % SESSION_INDEX]);

		if (!sock)
			break;
		if (index_names(s, sock, cookie))
			return sock;
	}
	return 0;
}

/* The first free place on its way. */
static void index_enter(struct session *s, uint32_t sock, uint64_t cookie)
{
	uint32_t at = index_place(cookie);

	for (uint32_t i = 0; i < SESSION_INDEX; i++) {
		uint32_t *entry = &s->tables->index[(at + i) % SESSION_INDEX];

		if (load_acquire(entry))
			continue;
		shared_store(&s->tables->index_used, s->tables->index_used + 1);
		shared_store(entry, sock);
		return;
	}
}

void index_rebuild(struct session *s)
{
	uint32_t ready = tables_ready(s);

	memset(s->tables->index, 0, sizeof(s->tables->index));
	shared_store(&s->tables->index_used, 0);
	for (uint32_t i = 0; i < ready; i++) {
		const struct sock *k = &s->tables->sock[i];
		uint64_t cookie = load_acquire(&k->cookie);

		if (cookie && word_lives(load_acquire(&k->word)))
			index_enter(s, i + 1, cookie);
	}
}

void index_add(struct session *s, uint32_t sock)
{
	const struct sock *k = tables_sock(s, sock);
	uint64_t cookie = k ? load_acquire(&k->cookie) : 0;

	if (!cookie || index_find(s, cookie) == sock)
		return;
	if (s->tables->index_used >= INDEX_FULL)
		index_rebuild(s);	/* enters this one too */
	else
		index_enter(s, sock, cookie);
}
