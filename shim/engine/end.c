/* end.c - sockets that end without a call of their own: what rules on close leave on their ports. */
#include "engine.h"

#include <string.h>

/* A duration of the policy is model time, as the virtual kernel's clock has it. */
uint64_t engine_real_ns(const struct engine *e, uint64_t model_ns)
{
	const struct snag_kernel *k = engine_kernel(e);

	return k && k->clock ? model_ns / k->clock : model_ns;
}

uint8_t engine_left_options(const struct engine *e, unsigned action, uint32_t sock, uint32_t serial, uint8_t options)
{
	struct model_sock m;

	if (action == SNAG_ACTION_steal)
		return options & SNAG_OPTION_V6ONLY;	/* a stranger shares with nobody */
	if (engine_keeps_waits(e) && model_get(e->model, sock, &m) && m.serial == serial &&
	    !(m.options & SNAG_OPTION_REUSEADDR))
		return options & (uint8_t)~SNAG_OPTION_REUSEADDR;	/* set by us, not by the program */
	return options;
}

bool engine_ended(struct engine *e, struct snag_call *c, struct snag_occupant_order *o)
{
	struct snag_plan p;
	struct model_sock m;

	if (!engine_leaves(e, c->call) || !model_get(e->model, c->sock, &m) || m.elsewhere)
		return false;
	c->serial = m.serial;
	c->proto = m.proto;
	c->domain = (uint8_t)m.domain;
	c->type = m.type;
	c->facts = SNAG_FACT_LAST;
	c->last = 1;
	engine_leave(e, c, &p);
	if ((p.action != SNAG_ACTION_time_wait && p.action != SNAG_ACTION_steal) || !m.local.port)
		return false;
	*o = (struct snag_occupant_order){
		.magic = SNAG_OCCUPANT_MAGIC,
		.as = p.action == SNAG_ACTION_steal ? SNAG_OCCUPANT_BOUND : SNAG_OCCUPANT_TIME_WAIT,
		.proto = m.proto,
		.options = engine_left_options(e, p.action, c->sock, m.serial, m.options),
		.rule = p.rule[0],
		.begin_ns = c->start_ns,
		.until_ns = c->start_ns + engine_real_ns(e, p.value),
		.addr = m.local,
	};
	return true;
}
