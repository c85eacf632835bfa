/* ctl.c - `snag ctl SESSION ...`: a live session's rules switched, told of events, and its holds let go. All of it stands
 * in the session's memory, so every process of it heeds it at its next call. */
#include "buf.h"
#include "cmd.h"
#include "find.h"
#include "options.h"
#include "procs.h"

#include <base/base.h>
#include <base/calls.h>
#include <base/hash.h>
#include <effects/state.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <policy/trigger.h>
#include <session/bell.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KEY_JSON = 256 };

static const struct option_row rows[] = {
	{ KEY_JSON, "json", NULL, "list: as JSON" },
	{ 0 },
};

static const struct usage usage = {
	.line = "ctl SESSION list [--json] | enable RULE | disable RULE | fire EVENT | release | stop",
	.what = "Looks at a live session's rules, and takes part in them",
	.options = rows,
	.notes = "  list          the rules: on or off, how often each matched and fired\n"
		 "  enable RULE   switches a rule on\n"
		 "  disable RULE  switches it off, as if it were not there; what it holds is let go\n"
		 "  fire EVENT    says an event that rules wait for (when: {event: EVENT}), for good\n"
		 "  release       lets go of every connection that is held at this moment\n"
		 "  stop          switches all rules off, lets go of all holds, and sends SIGTERM to the session's programs\n"
		 "\nExit status: 0 done; 1 no such rule, or no rule waits for that event; 125 no such session.",
};

struct ctl {
	struct session session;
	const char *name;
	const struct rules *rules;
	struct trigger_table *triggers;
	bool json;
};

static const char *rule_name(const struct ctl *c, uint32_t rule)
{
	return rules_string(c->rules, rules_rule(c->rules, rule)->name);
}

/* ---- list ---- */

/* "accept recv": the groups of calls that it covers. */
static void calls_text(const struct rule *r, char *buf, size_t size)
{
	const char *last = "";
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned c = 1; c < SNAG_CALLS; c++) {
		const char *group = call_row(c)->group;
		if (!(r->calls[c / 64] >> c % 64 & 1) || strcmp(group, last) == 0)
			continue;
		int n = snprintf(buf + len, size - len, "%s%s", len ? " " : "", group);
		if (n < 0 || (size_t)n >= size - len)
			return;
		len += (size_t)n;
		last = group;
	}
}

/* What the user typed stands in it: no control character reaches the terminal. */
static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	char text[1024];
	struct buf line = { 0 };
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	buf_plain(&line, text_of(text));
	fprintf(stderr, "snag ctl: %.*s\n", (int)line.n, line.p ? line.p : "");
	buf_free(&line);
}

/* What its first step does. */
static const char *action_text(const struct ctl *c, const struct rule *r)
{
	static const char *const names[SNAG_ACTIONS] = {
#define SNAG_FAULT(name, terminal, built, calls, value, help) [SNAG_ACTION_##name] = #name,
#include <snag/faults.def>
	};
	const struct rule_step *s = rules_step(c->rules, r->first_step);

	if (s->action)
		return names[s->action];
	return s->delay_ns || s->jitter_ns ? "delay" : s->signal ? "signal" : "log";
}

static json_t *rule_json(const struct ctl *c, uint32_t i)
{
	const struct rule *r = rules_rule(c->rules, i);
	const struct trigger_tally *t = &c->triggers->rule[i];
	char calls[512];

	calls_text(r, calls, sizeof(calls));
	return json_pack("{s:s, s:b, s:I, s:I, s:s, s:s}", "name", rule_name(c, i), "enabled", trigger_on(c->triggers, i),
			 "matched", (json_int_t)load_relaxed(&t->matched), "fired",
			 (json_int_t)load_relaxed(&t->fired), "call", calls, "action", action_text(c, r));
}

static void list_json(const struct ctl *c)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < c->rules->rule.n; i++)
		json_array_append_new(all, rule_json(c, i));
	json_t *top = json_pack("{s:s, s:o}", "session", c->name, "rules", all);
	json_dumpf(top, stdout, JSON_INDENT(2));
	json_decref(top);
	putchar('\n');
}

static void list_text(const struct ctl *c)
{
	if (!c->rules->rule.n)
		printf("session %s has no rules\n", c->name);
	else
		printf("%-24s %-4s %9s %9s  %-10s %s\n", "RULE", "", "MATCHED", "FIRED", "ACTION", "CALLS");
	for (uint32_t i = 0; i < c->rules->rule.n; i++) {
		const struct rule *r = rules_rule(c->rules, i);
		const struct trigger_tally *t = &c->triggers->rule[i];
		char calls[512];
		calls_text(r, calls, sizeof(calls));
		printf("%-24s %-4s %9llu %9llu  %-10s %s\n", rule_name(c, i), trigger_on(c->triggers, i) ? "on" : "off",
		       (unsigned long long)load_relaxed(&t->matched), (unsigned long long)load_relaxed(&t->fired),
		       action_text(c, r), calls);
	}
}

static int do_list(struct ctl *c, const char *what)
{
	(void)what;
	if (c->json)
		list_json(c);
	else
		list_text(c);
	return CMD_OK;
}

/* ---- the others ---- */

static int switch_rule(struct ctl *c, const char *name, bool on)
{
	bool any = false;

	for (uint32_t i = 0; i < c->rules->rule.n; i++) {
		if (strcmp(rule_name(c, i), name) != 0)
			continue;
		trigger_switch(c->triggers, i, on);
		any = true;
	}
	if (!any)
		complain("session %s has no rule '%s'; `snag ctl %s list` shows them", c->name, name, c->name);
	bell_ring(&c->session);
	return any ? CMD_OK : CMD_LOST;
}

static int do_enable(struct ctl *c, const char *name)
{
	return switch_rule(c, name, true);
}

static int do_disable(struct ctl *c, const char *name)
{
	return switch_rule(c, name, false);
}

static int do_fire(struct ctl *c, const char *name)
{
	uint64_t event = hash_bytes(name, strlen(name));
	bool any = false;

	for (uint32_t i = 0; i < c->rules->rule.n; i++)
		any |= rules_rule(c->rules, i)->when.event == event;
	if (!any) {
		complain("no rule of session %s waits for event '%s'", c->name, name);
		return CMD_LOST;
	}
	if (!trigger_say(c->triggers, event)) {
		complain("session %s knows too many events already", c->name);
		return CMD_LOST;
	}
	return CMD_OK;
}

static int do_release(struct ctl *c, const char *what)
{
	struct fault_table *faults = c->session.faults;

	(void)what;
	store_release(&faults->queues.released_ns, session_now(&c->session) + 1);
	bell_ring(&c->session);
	return CMD_OK;
}

static void terminate(void *arg, uint32_t pid)
{
	(void)arg;
	kill((pid_t)pid, SIGTERM);
}

static int do_stop(struct ctl *c, const char *what)
{
	for (uint32_t i = 0; i < c->rules->rule.n; i++)
		trigger_switch(c->triggers, i, false);
	do_release(c, what);
	procs_count(&c->session, terminate, NULL);
	return CMD_OK;
}

static int not_built(struct ctl *c, const char *what)
{
	(void)c;
	(void)what;
	complain("add and set are not built yet; a rule that is to come later can wait for an event "
			"(when: {event: NAME}), and be told by fire");
	return CMD_USAGE;
}

static const struct verb {
	const char *name;
	bool takes;		/* an operand */
	int (*run)(struct ctl *c, const char *operand);
} verbs[] = {
	{ "list", false, do_list },	  { "enable", true, do_enable }, { "disable", true, do_disable },
	{ "fire", true, do_fire },	  { "release", false, do_release }, { "stop", false, do_stop },
	{ "add", true, not_built },	  { "set", true, not_built },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int on_session(const char *name, const struct verb *v, const char *operand, bool json)
{
	struct ctl c = { .name = name, .json = json };
	int err = find_session(&c.session, name);

	if (err == -ENOENT)
		complain("there is no session '%s'; `snag sessions` lists them", name);
	else if (err)
		find_complain(name, err);
	if (err)
		return CMD_FAILED;
	c.rules = c.session.rules;
	c.triggers = c.session.triggers;
	const char *wrong = rules_check(c.rules, c.session.rules_size);
	if (wrong)
		complain("session %s: %s", name, wrong);
	int status = wrong ? CMD_FAILED : v->run(&c, operand);
	session_detach(&c.session);
	return status;
}

static void misused(const char *name, unsigned n, const struct verb *v)
{
	const char *what = n == 0 ? "no SESSION" : n == 1 ? "no command" : !v ? "unknown command" :
			   v->takes ? "wants a name" : "takes no name";

	complain("%s%s%s; usage: snag %s", n > 1 ? name : "", n > 1 ? ": " : "", what, usage.line);
}

int cmd_ctl(int argc, char **argv)
{
	const char *operand[3] = { NULL, NULL, NULL };
	unsigned n = 0;
	bool json = false;

	/* options may stand between and behind the operands */
	while (optind <= argc) {
		int key = options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key == KEY_JSON) {
			json = true;
			continue;
		}
		if (key != OPTIONS_END)
			return CMD_USAGE;
		if (!argv[optind])
			break;
		if (n == ARRAY_LEN(operand)) {
			complain("too many operands: %s", argv[optind]);
			return CMD_USAGE;
		}
		operand[n++] = argv[optind++];
	}
	const struct verb *v = n > 1 ? find_verb(operand[1]) : NULL;
	if (!v || (n == 3) != v->takes) {
		misused(operand[1], n, v);
		return CMD_USAGE;
	}
	return on_session(operand[0], v, operand[2], json);
}
