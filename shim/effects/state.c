/* state.c - what faults have left on a socket */
#include "state.h"
#include <base/base.h>

/* Between predecessor and successor; who is killed there leaves it to the next one. No socket has this serial for
 * long: it is the last of four thousand million. */
#define MOVING UINT32_MAX

static struct fault_state *at(struct fault_table *t, uint32_t ready, uint32_t sock)
{
	uint32_t n = ready < SNAG_SOCKS ? ready : SNAG_SOCKS;
	return t && sock - 1 < n ? &t->sock[sock - 1] : NULL;
}

struct fault_state *fault_find(struct fault_table *t, uint32_t ready, uint32_t sock, uint32_t serial)
{
	struct fault_state *f = at(t, ready, sock);
	return f && load_acquire(&f->serial) == serial ? f : NULL;
}

struct fault_state *fault_claim(struct fault_table *t, uint32_t ready, uint32_t sock, uint32_t serial)
{
	struct fault_state *f = at(t, ready, sock);
	uint32_t was;
	if (!f || !serial)
		return NULL;
	was = load_acquire(&f->serial);
	if (was == serial)
		return f;
	if (!cas(&f->serial, &was, MOVING))
		return NULL;
	for (size_t i = sizeof(f->serial); i < sizeof(*f); i++)
		((volatile uint8_t *)f)[i] = 0;
	store_release(&f->serial, serial);
	return f;
}
