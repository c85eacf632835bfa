/* queue.c - connections that are held in a listener's queue */
#include "queue.h"
#include <string.h>

static uint32_t runs_of(const struct queue_held *q)
{
	return q->runs < QUEUE_RUNS ? q->runs : QUEUE_RUNS;
}

struct queue_held *queue_find(struct queue_table *t, uint32_t sock, uint32_t serial, bool make,
			     bool (*gone)(uint32_t sock, uint32_t serial))
{
	struct queue_held *place = NULL;
	for (unsigned i = 0; i < QUEUE_LISTENERS; i++) {
		struct queue_held *q = &t->queue[i];
		if (q->sock == sock && q->serial == serial)
			return q;
		if (make && (!place || place->sock) && (!q->sock || gone(q->sock, q->serial)))
			place = q;
	}
	if (place) {
		memset(place, 0, sizeof(*place));
		place->sock = sock;
		place->serial = serial;
	}
	return place;
}

static void drop(struct queue_held *q, uint32_t n)
{
	while (n && runs_of(q)) {
		if (q->run[0].n > n) {
			q->run[0].n -= n;
			return;
		}
		n -= q->run[0].n;
		q->runs = runs_of(q) - 1;
		memmove(q->run, q->run + 1, q->runs * sizeof(q->run[0]));
	}
}

static uint32_t known(const struct queue_held *q)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < runs_of(q); i++)
		n += q->run[i].n;
	return n;
}

uint32_t queue_news(struct queue_held *q, uint32_t len)
{
	uint32_t n = known(q);
	if (len == 0) {
		memset(q->taker, 0, sizeof(q->taker));
		q->runs = 0;
		return 0;
	}
	uint32_t taking = queue_taking(q);	/* what an accept under way has taken is dropped when it is over */
	if (n > len && n - len > taking)
		drop(q, n - len - taking);
	return len > n ? len - n : 0;
}

void queue_add(struct queue_held *q, uint64_t now, uint64_t until, uint32_t rule)
{
	uint32_t n = runs_of(q);
	struct queue_run *last = n ? &q->run[n - 1] : NULL;
	bool same = last && last->rule == rule && last->until_ns == until && last->seen_ns == now;
	if (last && (same || n == QUEUE_RUNS)) {	/* no room: they go together, none of them too early */
		last->n++;
		if (last->until_ns < until)
			last->until_ns = until;
		return;
	}
	q->run[n] = (struct queue_run){ .seen_ns = now, .until_ns = until, .n = 1, .rule = rule };
	q->runs = n + 1;
}

void queue_let_go(struct queue_held *q, bool (*off)(uint32_t rule))
{
	for (uint32_t i = 0; i < runs_of(q); i++)
		if (q->run[i].rule && off(q->run[i].rule - 1))
			q->run[i].rule = 0;
}

uint32_t queue_free(const struct queue_table *t, const struct queue_held *q, uint64_t now, uint64_t *until,
		   uint32_t *rule)
{
	uint32_t n = 0;
	*until = QUEUE_FOREVER;
	*rule = 0;
	for (uint32_t i = 0; i < runs_of(q); i++) {
		const struct queue_run *r = &q->run[i];
		if (now < r->until_ns && r->rule && r->seen_ns >= t->released_ns) {
			*until = r->until_ns;
			*rule = r->rule;
			break;
		}
		n += r->n;
	}
	return n;
}

bool queue_unchanged(const struct queue_table *t, const struct queue_held *q, uint32_t len, uint64_t now, uint64_t *until,
		     uint32_t *rule)
{
	return len && known(q) == len && queue_free(t, q, now, until, rule) == 0;
}

void queue_take(struct queue_held *q, uint32_t tid)
{
	for (unsigned i = 0; i < QUEUE_TAKERS; i++)
		if (!q->taker[i]) {
			q->taker[i] = tid;
			return;
		}
}

void queue_took(struct queue_held *q, uint32_t tid, bool took)
{
	for (unsigned i = 0; i < QUEUE_TAKERS; i++)
		if (q->taker[i] == tid)
			q->taker[i] = 0;
	if (took)
		drop(q, 1);
}

uint32_t queue_taking(const struct queue_held *q)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < QUEUE_TAKERS; i++)
		n += q->taker[i] != 0;
	return n;
}

void queue_forget(struct queue_held *q, bool (*thread_gone)(uint32_t tid))
{
	for (unsigned i = 0; i < QUEUE_TAKERS; i++)
		if (q->taker[i] && thread_gone(q->taker[i]))
			q->taker[i] = 0;
}
