/* posted.c - the occupants that stand now, in the session's file */
#include "posted.h"
#include <base/base.h>
#include <snag/call.h>
#include <string.h>
#include <sys/socket.h>

void posted_set(struct posted *t, unsigned i, const struct occupant_post *p)
{
	struct occupant_post *to = &t->at[i % OCCUPANTS];

	store_relaxed(&to->version, 0);
	__atomic_thread_fence(__ATOMIC_RELEASE);	/* no field changes while the old version can still be seen */
	if (!p)
		return;
	memcpy((char *)to + sizeof(to->version), (const char *)p + sizeof(p->version), sizeof(*p) - sizeof(p->version));
	t->made += t->made == UINT32_MAX ? 2 : 1;
	store_release(&to->version, t->made);
}

static bool can_be(const struct occupant_post *p)
{
	return p->as < SNAG_OCCUPANTS && (p->proto == SNAG_PROTO_TCP || p->proto == SNAG_PROTO_UDP) &&
	       (p->addr.family == AF_INET || p->addr.family == AF_INET6) && (p->rule == 0) != (p->entry == OCCUPANT_NO_ENTRY);
}

bool posted_get(const struct posted *t, unsigned i, struct occupant_post *p)
{
	const struct occupant_post *from = &t->at[i % OCCUPANTS];
	uint32_t version = load_acquire(&from->version);

	*p = *from;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return version && __atomic_load_n(&from->version, __ATOMIC_RELAXED) == version && can_be(p);
}
