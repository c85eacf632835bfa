/* rules.c - the rule image: is it one that readers may trust? */
#include "rules.h"

#include <base/base.h>
#include <snag/occupant.h>
#include <string.h>
#include <sys/socket.h>

/* One table of the image, and how to check one of its entries. */
struct table_row {
	size_t at;		/* of the struct rules_table in the header */
	size_t size, align;
	bool (*ok)(const struct rules *r, const void *entry);
	const char *wrong;
};

static bool in_table(const struct rules_table *t, uint64_t first, uint64_t n)
{
	return first + n <= t->n;
}

static bool is_string(const struct rules *r, uint32_t offset)
{
	return offset < r->strings.n;	/* the table ends with a NUL, so every string in it does */
}

static bool alternatives_ok(const struct rules *r, const struct rule *rule)
{
	unsigned last = 0;

	for (uint32_t i = 0; i < rule->n_matches; i++) {
		unsigned alternative = rules_match(r, rule->first_match + i)->alternative;
		if (alternative != last && alternative != last + 1)
			return false;
		last = alternative;
	}
	return true;
}

static bool rule_ok(const struct rules *r, const void *entry)
{
	const struct rule *rule = entry;

	return is_string(r, rule->name) && rule->n_steps && in_table(&r->match, rule->first_match, rule->n_matches) &&
	       in_table(&r->step, rule->first_step, rule->n_steps) && rule->when.per <= RULE_PER_LISTENER &&
	       alternatives_ok(r, rule);
}

static bool match_ok(const struct rules *r, const void *entry)
{
	const struct rule_match *match = entry;

	return match->key < RULE_KEYS && in_table(&r->value, match->first_value, match->n_values);
}

static bool value_ok(const struct rules *r, const void *entry)
{
	const struct rule_value *value = entry;
	unsigned bits = value->net.family == AF_INET ? 32 : 128;

	return (is_string(r, value->string) || !value->string) && value->prefix <= bits;
}

static bool step_ok(const struct rules *r, const void *entry)
{
	const struct rule_step *step = entry;

	return step->action < SNAG_ACTIONS && step->err >= 0 && step->err < 4096 && step->signal >= 0 &&
	       step->signal <= 64 && (!step->has_log || is_string(r, step->log));
}

static bool kernel_ok(const struct snag_kernel *k)
{
	return !k->given ||
	       (k->clock && k->profile < SNAG_PROFILES && k->port_lo && k->port_lo <= k->port_hi && k->machine_lo &&
		k->machine_lo <= k->machine_hi && k->open_files >= 0 && k->open_sockets >= 0 && k->somaxconn >= 0 &&
		k->tw_buckets >= 0);
}

static bool occupy_ok(const struct rules *r, const void *entry)
{
	const struct rules_occupy *o = entry;

	return o->place < r->strings.n && (o->addr.family == AF_INET || o->addr.family == AF_INET6) && o->addr.port &&
	       o->as < SNAG_OCCUPANTS && (o->proto == SNAG_PROTO_TCP || o->proto == SNAG_PROTO_UDP);
}

static bool by_call_ok(const struct rules *r, const void *entry)
{
	return *(const uint16_t *)entry < r->rule.n;
}

static const struct table_row tables[] = {
	{offsetof(struct rules, strings), 1, 1, NULL, "the strings are out of bounds"},
	{offsetof(struct rules, rule), sizeof(struct rule), 8, rule_ok, "a rule is out of bounds"},
	{offsetof(struct rules, match), sizeof(struct rule_match), 4, match_ok, "a match is out of bounds"},
	{offsetof(struct rules, value), sizeof(struct rule_value), 8, value_ok, "a value is out of bounds"},
	{offsetof(struct rules, step), sizeof(struct rule_step), 8, step_ok, "a step is out of bounds"},
	{offsetof(struct rules, by_call), sizeof(uint16_t), 2, by_call_ok, "a call names no rule"},
	{offsetof(struct rules, occupy), sizeof(struct rules_occupy), 8, occupy_ok, "an occupied port is out of bounds"},
	{offsetof(struct rules, ports), sizeof(struct rules_ports), 8, NULL, "the ports are out of bounds"},
};

static const struct rules_table *table_of(const struct rules *r, const struct table_row *row)
{
	return (const struct rules_table *)((const char *)r + row->at);
}

static bool table_fits(const struct rules *r, const struct table_row *row)
{
	const struct rules_table *t = table_of(r, row);

	if (!t->n)
		return true;
	return t->offset >= sizeof(*r) && t->offset % row->align == 0 &&
	       t->offset + (uint64_t)t->n * row->size <= r->size;
}

static const char *check_entries(const struct rules *r, const struct table_row *row)
{
	const struct rules_table *t = table_of(r, row);

	for (uint32_t i = 0; row->ok && i < t->n; i++)
		if (!row->ok(r, (const char *)r + t->offset + i * row->size))
			return row->wrong;
	return NULL;
}

const char *rules_check(const void *image, size_t size)
{
	const struct rules *r = image;
	const char *wrong = NULL;

	if (!image || (uintptr_t)image % 8 || size < sizeof(*r))
		return "no rule image";
	if (r->magic != RULES_MAGIC)
		return "no rule image";
	if (r->version != RULES_VERSION)
		return "a rule image of another version";
	if (r->size < sizeof(*r) || r->size > size)
		return "the rule image is cut";
	if (r->mode > SNAG_MODE_INJECT)
		return "no such mode";
	if (!kernel_ok(&r->kernel))
		return "the virtual kernel is out of bounds";
	if (r->rule.n > SNAG_RULES_MAX || r->occupy.n > RULES_OCCUPY_MAX)
		return "too many rules or occupied ports";
	for (unsigned i = 0; i < ARRAY_LEN(tables); i++)
		if (!table_fits(r, &tables[i]))
			return tables[i].wrong;
	if (r->strings.n && ((const char *)r)[r->strings.offset + r->strings.n - 1])
		return "the strings do not end";
	for (unsigned i = 0; !wrong && i < ARRAY_LEN(tables); i++)
		wrong = check_entries(r, &tables[i]);
	for (unsigned i = 0; !wrong && i < ARRAY_LEN(r->call); i++)
		if (!in_table(&r->by_call, r->call[i].first, r->call[i].n) || r->call[i].ports > r->ports.n)
			wrong = "a call's rules are out of bounds";
	return wrong;
}
