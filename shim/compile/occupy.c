/* occupy.c - `occupy:` of a policy to the image's table of ports. */
#include "occupy.h"
#include "language.h"
#include "type.h"

#include <snag/occupant.h>
#include <string.h>
#include <sys/socket.h>

static const struct slot *entries(const struct policy *p)
{
	return &p->top->slots[KEY_policy_occupy];
}

static const struct value *port_of(const struct object *o)
{
	return object_has(o, KEY_occupy_port) ? o->slots[KEY_occupy_port].values : NULL;
}

/* One address, not a net: 127.0.0.1 when left out; `any` is the wildcard of both families. */
static struct snag_addr addr_of(const struct object *o, bool *whole)
{
	static const struct snag_addr loopback = {.family = AF_INET, .ip = {127, 0, 0, 1}};
	const struct value *v = object_has(o, KEY_occupy_addr) ? o->slots[KEY_occupy_addr].values : NULL;

	*whole = true;
	if (!v)
		return loopback;
	if (v->any)
		return (struct snag_addr){.family = AF_INET6};
	*whole = v->prefix == (v->net.family == AF_INET ? 32 : 128);
	return v->net;
}

static void check_entry(const struct policy *p, const struct object *o)
{
	bool whole;

	addr_of(o, &whole);
	if (!whole)
		diag_error(p->diags, object_at(o, KEY_occupy_addr), "wants one address, not a net");
	if (object_num(o, KEY_occupy_proto, SNAG_PROTO_TCP) == SNAG_PROTO_UDP &&
	    object_num(o, KEY_occupy_as, SNAG_OCCUPANT_BOUND) != SNAG_OCCUPANT_BOUND)
		diag_error(p->diags, object_at(o, KEY_occupy_as), "udp is bound and nothing else; leave it out");
}

void occupy_check(const struct policy *p)
{
	const struct slot *s = entries(p);

	for (unsigned i = 0; i < s->n; i++)
		check_entry(p, s->objects[i]);
	if (s->n && occupy_count(p) > RULES_OCCUPY_MAX)
		diag_error(p->diags, s->node, "names %u ports; at most %u", occupy_count(p), RULES_OCCUPY_MAX);
}

uint32_t occupy_count(const struct policy *p)
{
	const struct slot *s = entries(p);
	uint32_t n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct value *port = port_of(s->objects[i]);
		n += port && port->hi >= port->lo ? (uint32_t)(port->hi - port->lo) + 1 : 0;
	}
	return n;
}

uint32_t occupy_entries(const struct policy *p)
{
	return entries(p)->n;
}

const char *occupy_place(const struct policy *p, uint32_t i)
{
	return diag_place(p->diags->arena, object_at(entries(p)->objects[i], KEY_occupy_port));
}

void occupy_make(const struct policy *p, struct rules_occupy *rows)
{
	const struct slot *s = entries(p);
	bool whole;

	for (unsigned i = 0; i < s->n; i++) {
		const struct object *o = s->objects[i];
		const struct value *port = port_of(o);
		struct rules_occupy row = {
			.addr = addr_of(o, &whole),
			.from_ns = (uint64_t)object_num(o, KEY_occupy_from, 0),
			.for_ns = object_has(o, KEY_occupy_for) ? (uint64_t)object_num(o, KEY_occupy_for, 0)
								: SNAG_OCCUPANT_FOREVER,
			.entry = i,
			.proto = (uint8_t)object_num(o, KEY_occupy_proto, SNAG_PROTO_TCP),
		};
		row.as = row.proto == SNAG_PROTO_UDP
				 ? SNAG_OCCUPANT_BOUND
				 : (uint8_t)object_num(o, KEY_occupy_as, SNAG_OCCUPANT_LISTENING);
		for (int64_t n = port->lo; n <= port->hi; n++) {
			row.addr.port = (uint16_t)n;
			*rows++ = row;
		}
	}
}
