/* ask.c - the entry of snag.h, the small API for test programs */
#include "hook.h"
#include <snag/snag.h>
#include <string.h>

static long put_mark(const char *text)
{
	union snag_event ev[2];
	if (!hook_readable(text, 1) || !session_tracing(&session))
		return 0;
	memset(ev, 0, sizeof(ev));
	struct snag_event_process *e = &ev[0].process;
	e->head.kind = SNAG_EVENT_MARK;
	e->t_ns = self_now();
	memcpy(e->comm, self->who.comm, sizeof(e->comm));
	struct snag_event_text *t = &ev[1].text;
	t->head.kind = SNAG_EXTRA_TEXT;
	t->what = SNAG_TEXT_MARK;
	t->len = (uint8_t)strnlen(text, sizeof(t->text));
	memcpy(t->text, text, t->len);
	for (unsigned i = 0; i < ARRAY_LEN(ev); i++) {
		ev[i].head.proc = (uint16_t)self->who.proc;
		ev[i].head.pid = self->who.pid;
	}
	self_event(ev, ARRAY_LEN(ev));
	return 1;
}

static long count_of(const char *name, bool fired)
{
	for (uint32_t i = 0; hook_readable(name, 1) && i < engine.rules->rule.n && i < SNAG_RULES_MAX; i++) {
		const struct rule *r = rules_rule(engine.rules, i);
		if (strcmp(rules_string(engine.rules, r->name), name) != 0)
			continue;
		return fired ? load_relaxed(&engine.triggers->rule[i].fired)
			     : load_relaxed(&engine.triggers->rule[i].matched);
	}
	return -ENOENT;
}

HOOK long snag_ask(int question, const char *text);
long snag_ask(int question, const char *text)
{
	if (!self_active())
		return 0;
	switch (question) {
	case SNAG_ASK_ACTIVE: return 1;
	case SNAG_ASK_MARK: return put_mark(text);
	case SNAG_ASK_MATCHED: return count_of(text, false);
	case SNAG_ASK_FIRED: return count_of(text, true);
	default: return -EINVAL;
	}
}
