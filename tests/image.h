/* image.h - rule images for tests, built call by call:
 *
 *     struct image_builder *b = image_begin(SNAG_MODE_INJECT, 42);
 *     image_rule(b, "no-bind", (unsigned[]){SNAG_CALL_bind, 0});
 *     image_range(b, RULE_KEY_LOCAL_PORT, 80, 80);
 *     image_when(b)->nth_lo = 1; ...
 *     *image_step(b) = (struct rule_step){.action = SNAG_ACTION_errno, .err = EACCES};
 *     struct rules *r = image_end(b);        (malloc) */
#ifndef TESTS_IMAGE_H
#define TESTS_IMAGE_H

#include <base/addr.h>
#include <base/hash.h>
#include <policy/rules.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_MAX 2048

struct image_builder {
	unsigned mode;
	uint64_t seed;
	unsigned rules, matches, values, steps, strings;
	struct rule rule[SNAG_RULES_MAX];
	struct rule_match match[IMAGE_MAX];
	struct rule_value value[IMAGE_MAX];
	struct rule_step step[IMAGE_MAX];
	char string[1 << 16];
	int no_index;
};

static inline struct image_builder *image_begin(unsigned mode, uint64_t seed)
{
	struct image_builder *b = calloc(1, sizeof(*b));

	b->mode = mode;
	b->seed = seed;
	b->strings = 1;	/* offset 0 is the empty string */
	return b;
}

static inline uint32_t image_string(struct image_builder *b, const char *s)
{
	uint32_t at = b->strings;

	strcpy(b->string + at, s);
	b->strings += (uint32_t)strlen(s) + 1;
	return at;
}

static inline struct rule *image_last(struct image_builder *b)
{
	return &b->rule[b->rules - 1];
}

/* `calls` ends with 0. */
static inline void image_rule(struct image_builder *b, const char *name, const unsigned *calls)
{
	struct rule *rule = &b->rule[b->rules++];

	rule->name = image_string(b, name);
	rule->name_hash = hash_bytes(name, strlen(name));
	rule->first_match = b->matches;
	rule->first_step = b->steps;
	for (; *calls; calls++)
		rule->calls[*calls / 64] |= 1ull << *calls % 64;
}

static inline struct rule_value *image_match(struct image_builder *b, unsigned key)
{
	struct rule_match *m = &b->match[b->matches++];

	image_last(b)->n_matches++;
	m->key = (uint16_t)key;
	m->first_value = b->values;
	m->n_values = 1;
	return &b->value[b->values++];
}

/* One more value for the last key. */
static inline struct rule_value *image_or(struct image_builder *b)
{
	b->match[b->matches - 1].n_values++;
	return &b->value[b->values++];
}

/* The last key stands in this alternative. */
static inline void image_alternative(struct image_builder *b, unsigned alternative)
{
	b->match[b->matches - 1].alternative = (uint16_t)alternative;
}

static inline void image_range(struct image_builder *b, unsigned key, int64_t lo, int64_t hi)
{
	struct rule_value *v = image_match(b, key);

	v->lo = lo;
	v->hi = hi;
}

static inline void image_text(struct image_builder *b, unsigned key, const char *text)
{
	uint32_t at = image_string(b, text);

	image_match(b, key)->string = at;
}

static inline void image_net(struct image_builder *b, unsigned key, const char *net)
{
	struct rule_value *v = image_match(b, key);
	unsigned prefix = 0;

	if (!addr_parse(&v->net, &prefix, net, strlen(net)))
		abort();
	v->prefix = (uint8_t)prefix;
}

static inline struct rule_when *image_when(struct image_builder *b)
{
	return &image_last(b)->when;
}

static inline struct rule_step *image_step(struct image_builder *b)
{
	image_last(b)->n_steps++;
	return &b->step[b->steps++];
}

static inline void image_put(char *image, uint32_t *at, struct rules_table *t, const void *from, size_t size,
	unsigned n)
{
	*at = (*at + 7) & ~7u;
	t->offset = *at;
	t->n = n;
	if (n)
		memcpy(image + *at, from, size * n);
	*at += (uint32_t)(size * n);
}

/* The image, indexed unless b->no_index; frees the builder. */
static inline struct rules *image_end(struct image_builder *b)
{
	static uint16_t by_call[SNAG_CALLS * SNAG_RULES_MAX];
	unsigned n = 0;
	size_t room = (1 << 21) + RULES_INDEX_ROOM;
	struct rules *r = calloc(1, room);
	uint32_t at = sizeof(*r);

	*r = (struct rules){.magic = RULES_MAGIC, .version = RULES_VERSION, .mode = b->mode, .seed = b->seed};
	for (unsigned call = 1; call < SNAG_CALLS; call++) {
		r->call[call].first = n;
		for (unsigned i = 0; i < b->rules; i++)
			if (b->rule[i].calls[call / 64] >> call % 64 & 1)
				by_call[n++] = (uint16_t)i;
		r->call[call].n = (uint16_t)(n - r->call[call].first);
	}
	image_put((char *)r, &at, &r->rule, b->rule, sizeof(b->rule[0]), b->rules);
	image_put((char *)r, &at, &r->match, b->match, sizeof(b->match[0]), b->matches);
	image_put((char *)r, &at, &r->value, b->value, sizeof(b->value[0]), b->values);
	image_put((char *)r, &at, &r->step, b->step, sizeof(b->step[0]), b->steps);
	image_put((char *)r, &at, &r->by_call, by_call, sizeof(by_call[0]), n);
	image_put((char *)r, &at, &r->strings, b->string, 1, b->strings);
	r->size = at;
	if (!b->no_index)
		rules_index(r, room);
	free(b);
	return r;
}

#endif
