/* image.c - a resolved policy to the rule image: the tables are counted, laid out, filled, and indexed. */
#include "image.h"
#include "kernel.h"
#include "language.h"
#include "occupy.h"
#include "type.h"

#include <base/base.h>
#include <base/hash.h>
#include <snag/plan.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct maker {
	const struct policy *policy;
	unsigned n_rules; /* 0 in modes that ignore them */
	struct rules *image;
	struct rule *rule;
	struct rule_match *match;
	struct rule_value *value;
	struct rule_step *step;
	uint16_t *by_call;
	char *strings;
	/* entries used so far */
	uint32_t matches, values, steps, calls, bytes;
};

/* ---- how much there is ---- */

static bool is_addr(unsigned key)
{
	return key == RULE_KEY_LOCAL_ADDR || key == RULE_KEY_PEER_ADDR || key == RULE_KEY_OWN_ADDR;
}

/* `any` is the wildcard of either family, so two values. */
static unsigned value_entries(const struct value *v, unsigned key)
{
	return is_addr(key) && v->any ? 2 : 1;
}

static bool is_text(unsigned key)
{
	return key == RULE_KEY_PATH || key == RULE_KEY_EXE || key == RULE_KEY_COMM || key == RULE_KEY_CALLER;
}

static void count_rule(struct rules *h, const struct policy_rule *r)
{
	h->match.n += r->n_match;
	h->step.n += r->n_steps;
	h->strings.n += (uint32_t)strlen(r->name) + 1;
	for (unsigned i = 0; i < r->n_match; i++)
		for (unsigned j = 0; j < r->match[i].n; j++) {
			h->value.n += value_entries(&r->match[i].values[j], r->match[i].key);
			if (is_text(r->match[i].key))
				h->strings.n += (uint32_t)strlen(r->match[i].values[j].text) + 1;
		}
	for (unsigned i = 0; i < r->n_steps; i++) {
		const char *log = object_text(r->steps[i].what, KEY_do_log);
		h->strings.n += log ? (uint32_t)strlen(log) + 1 : 0;
	}
	for (unsigned c = 1; c < SNAG_CALLS; c++)
		h->by_call.n += policy_covers(r, c);
}

static void lay_out(struct rules *h, struct rules_table *t, size_t entry)
{
	t->offset = (h->size + 7) & ~7u;
	h->size = t->offset + t->n * (uint32_t)entry;
}

/* Lists of endpoints with long lists in each multiply; one rule by itself stays far below 2^32. */
static bool too_large(const struct rules *h)
{
	return (uint64_t)h->match.n * sizeof(struct rule_match) + (uint64_t)h->value.n * sizeof(struct rule_value) +
		       h->strings.n > IMAGE_BYTES_MAX;
}

/* False: too large. */
static bool measure(const struct maker *m, struct rules *h)
{
	*h = (struct rules){.magic = RULES_MAGIC, .version = RULES_VERSION, .size = sizeof(*h)};
	h->rule.n = m->n_rules;
	h->occupy.n = m->policy->mode == SNAG_MODE_INJECT ? occupy_count(m->policy) : 0;
	h->strings.n = 1; /* offset 0 is "" */
	for (uint32_t i = 0; h->occupy.n && i < occupy_entries(m->policy); i++)
		h->strings.n += (uint32_t)strlen(occupy_place(m->policy, i)) + 1;
	for (unsigned i = 0; i < m->n_rules; i++) {
		count_rule(h, &m->policy->rules[i]);
		if (too_large(h))
			return false;
	}
	lay_out(h, &h->rule, sizeof(struct rule));
	lay_out(h, &h->match, sizeof(struct rule_match));
	lay_out(h, &h->value, sizeof(struct rule_value));
	lay_out(h, &h->step, sizeof(struct rule_step));
	lay_out(h, &h->by_call, sizeof(uint16_t));
	lay_out(h, &h->occupy, sizeof(struct rules_occupy));
	lay_out(h, &h->strings, 1);
	return true;
}

/* ---- what there is ---- */

static uint32_t put_string(struct maker *m, const char *text)
{
	uint32_t at = m->bytes;
	size_t n = strlen(text) + 1;

	memcpy(m->strings + at, text, n);
	m->bytes += (uint32_t)n;
	return at;
}

static void put_occupy(struct maker *m, struct rules_occupy *rows)
{
	uint32_t place = 0, next = 0;

	occupy_make(m->policy, rows);
	for (uint32_t i = 0; i < m->image->occupy.n; i++) {
		if (rows[i].entry == next)
			place = put_string(m, occupy_place(m->policy, next++));
		rows[i].place = place;
	}
}

static void put_address(struct maker *m, const struct value *v)
{
	static const uint16_t families[] = {AF_INET, AF_INET6};

	if (!v->any) {
		m->value[m->values++] = (struct rule_value){.net = v->net, .prefix = v->prefix};
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		m->value[m->values++] = (struct rule_value){
			.net = {.family = families[i]},
			.prefix = families[i] == AF_INET ? 32 : 128,
			.any_only = 1,
		};
}

static bool is_range(unsigned key)
{
	return policy_is_port(key) || key == RULE_KEY_QUEUE || key == RULE_KEY_TIME_WAIT;
}

static void put_match(struct maker *m, const struct predicate *p)
{
	uint32_t first = m->values;

	for (unsigned i = 0; i < p->n; i++) {
		const struct value *v = &p->values[i];
		if (is_addr(p->key))
			put_address(m, v);
		else if (is_text(p->key))
			m->value[m->values++] = (struct rule_value){.string = put_string(m, v->text)};
		else
			m->value[m->values++] =
				(struct rule_value){.lo = v->lo, .hi = is_range(p->key) ? v->hi : v->lo};
	}
	m->match[m->matches++] = (struct rule_match){
		.first_value = first,
		.n_values = (uint16_t)(m->values - first),
		.key = (uint16_t)p->key,
		.alternative = (uint16_t)p->alternative,
	};
}

static void put_action(struct rule_step *step, const struct value *v, unsigned action)
{
	step->action = (uint8_t)action;
	step->value = v->lo == FOREVER ? RULE_FOREVER : (uint64_t)v->lo;
}

/* Of the actions that are built; the others never come this far. */
static void put_step(struct maker *m, const struct policy_step *s)
{
	const struct object *o = s->what;
	const char *log = object_text(o, KEY_do_log);
	struct rule_step *step = &m->step[m->steps++];

	*step = (struct rule_step){
		.times = s->times,
		.delay_ns = (uint64_t)object_num(o, KEY_do_delay, 0),
		.jitter_ns = (uint64_t)object_num(o, KEY_do_jitter, 0),
		.after_ns = (uint64_t)object_num(o, KEY_do_after, 0),
		.err = (int32_t)object_num(o, KEY_do_errno, 0),
		.signal = (int32_t)object_num(o, KEY_do_signal, 0),
		.after_call = object_num(o, KEY_do_after_call, 0) != 0,
		.backlog = (int32_t)object_num(o, KEY_do_backlog, 0),
		.resets = object_num(o, KEY_do_overflow, OVERFLOW_DROP) == OVERFLOW_RESET,
		.has_log = log != NULL,
		.log = log ? put_string(m, log) : 0,
	};
	for (unsigned key = 0; key < KEYS_do; key++)
		if (object_has(o, key) && !(table_do.fields[key].flags & FIELD_PARAM) &&
		    language_terminal(language_action(key)))
			put_action(step, &o->slots[key].values[0], language_action(key));
}

/* A chance of 0 is how the image says never. */
static void never(struct rule_when *w)
{
	w->has_chance = 1;
	w->chance = 0;
}

static void put_counts(struct rule_when *w, const struct object *o)
{
	const struct value *nth = object_has(o, KEY_when_nth) ? o->slots[KEY_when_nth].values : NULL;
	int64_t first = object_num(o, KEY_when_first, 0);

	if (nth)
		*w = (struct rule_when){
			.nth_lo = (uint64_t)nth->lo, .nth_hi = (uint64_t)nth->hi, .nth_step = (uint64_t)nth->step};
	else if (first)
		*w = (struct rule_when){.nth_lo = 1, .nth_hi = (uint64_t)first, .nth_step = 1};
	if (nth && first && w->nth_hi > (uint64_t)first) /* both: what they share */
		w->nth_hi = (uint64_t)first;
	if (w->nth_lo > w->nth_hi) {
		*w = (struct rule_when){0};
		never(w);
	}
	w->every = (uint64_t)object_num(o, KEY_when_every, 0);
	w->limit = (uint64_t)object_num(o, KEY_when_limit, 0);
	if (object_has(o, KEY_when_limit) && !w->limit)
		never(w);
}

static void put_when(struct rule_when *w, const struct object *o)
{
	put_counts(w, o);
	if (object_has(o, KEY_when_chance) && !w->has_chance) {
		w->has_chance = 1;
		w->chance = (uint64_t)object_num(o, KEY_when_chance, 0);
	}
	w->after_ns = (uint64_t)object_num(o, KEY_when_after, 0);
	w->until_ns = (uint64_t)object_num(o, KEY_when_until, 0);
	if (object_has(o, KEY_when_until) && !w->until_ns)
		never(w);
	w->bytes_sent = (uint64_t)object_num(o, KEY_when_bytes_sent, 0);
	w->bytes_received = (uint64_t)object_num(o, KEY_when_bytes_received, 0);
	const char *event = object_text(o, KEY_when_event);
	w->event = event ? hash_bytes(event, strlen(event)) : 0;
	w->per = (uint8_t)object_num(o, KEY_when_count_per, RULE_PER_RULE);

	const struct object *pulse = object_sub(o, KEY_when_pulse);
	if (pulse) {
		w->active_ns = (uint64_t)object_num(pulse, KEY_pulse_active, 0);
		w->idle_ns = (uint64_t)object_num(pulse, KEY_pulse_idle, 0);
		if (!w->active_ns)
			never(w);
	}
}

static void put_rule(struct maker *m, const struct policy_rule *r, struct rule *out)
{
	const struct object *when = object_sub(r->object, KEY_rule_when);

	*out = (struct rule){.name_hash = hash_bytes(r->name, strlen(r->name)),
			     .name = put_string(m, r->name),
			     .first_match = m->matches,
			     .n_matches = r->n_match,
			     .first_step = m->steps,
			     .n_steps = r->n_steps};
	memcpy(out->calls, r->calls, sizeof(out->calls));
	for (unsigned i = 0; i < r->n_match; i++)
		put_match(m, &r->match[i]);
	for (unsigned i = 0; i < r->n_steps; i++)
		put_step(m, &r->steps[i]);
	if (when)
		put_when(&out->when, when);
}

static void put_calls(struct maker *m)
{
	for (unsigned c = 1; c < SNAG_CALLS; c++) {
		m->image->call[c].first = m->calls;
		for (unsigned i = 0; i < m->n_rules; i++)
			if (policy_covers(&m->policy->rules[i], c))
				m->by_call[m->calls++] = (uint16_t)i;
		m->image->call[c].n = (uint16_t)(m->calls - m->image->call[c].first);
	}
}

struct rules *image_make(const struct policy *p, uint64_t seed, size_t *size)
{
	struct maker m = {.policy = p, .n_rules = p->mode == SNAG_MODE_INJECT ? p->n_rules : 0, .bytes = 1};
	struct rules head;

	if (!measure(&m, &head))
		return NULL;
	char *base = calloc(1, head.size + RULES_INDEX_ROOM);
	if (!base)
		return NULL;
	m.image = (struct rules *)base;
	*m.image = head;
	m.image->mode = p->mode;
	m.image->seed = seed;
	if (p->mode >= SNAG_MODE_ENFORCE)
		kernel_make(p, &m.image->kernel);
	m.rule = (struct rule *)(base + head.rule.offset);
	m.match = (struct rule_match *)(base + head.match.offset);
	m.value = (struct rule_value *)(base + head.value.offset);
	m.step = (struct rule_step *)(base + head.step.offset);
	m.by_call = (uint16_t *)(base + head.by_call.offset);
	m.strings = base + head.strings.offset;
	if (head.occupy.n)
		put_occupy(&m, (struct rules_occupy *)(base + head.occupy.offset));
	for (unsigned i = 0; i < m.n_rules; i++)
		put_rule(&m, &p->rules[i], &m.rule[i]);
	put_calls(&m);
	*size = rules_index(m.image, head.size + RULES_INDEX_ROOM);
	return m.image;
}
