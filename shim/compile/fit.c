/* fit.c - which calls a rule covers, and whether each action and errno is possible there. */
#include "language.h"
#include "policy.h"
#include "type.h"

#include <base/base.h>
#include <base/calls.h>
#include <base/names.h>
#include <errno.h>
#include <string.h>

/* Errnos that the calls do give, and that a rule can't: what they promise would have to come true. */
static const struct {
	int err;
	const char *groups, *why;
} refused[] = {
	{EAGAIN, "accept connect",
	 "readiness would not be raised again, and a correct program would wait for ever"},
	{EINTR, "connect", "the attempt would have to go on, as that of an interrupted connect does"},
	{EINPROGRESS, "connect",
	 "the attempt would have to go on; delay, or ECONNREFUSED and ETIMEDOUT on a "
	 "non-blocking socket, bring it about"},
	{EALREADY, "connect", "an attempt would have to be going on"},
	{EISCONN, "connect", "the socket would have to be connected"},
};

static const char *refusal(int err, const char *group)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (refused[i].err == err && words_have(refused[i].groups, group))
			return refused[i].why;
	return NULL;
}

enum verdict { FITS, NEVER_FAILS_SO, REFUSED, NO_RESULT, WRONG_CALL };

/* May this call fail so? */
static enum verdict errno_fits(unsigned call, int err, bool force)
{
	const struct call_row *row = call_row(call);

	if (!*row->errnos)
		return NO_RESULT;
	if (words_have(row->errnos, errno_name(err)))
		return FITS;
	if (refusal(err, row->group))
		return REFUSED;
	return force ? FITS : NEVER_FAILS_SO;
}

static bool action_fits(const struct field *f, unsigned call)
{
	return strcmp(f->fits, "*") == 0 || words_have(f->fits, call_row(call)->group);
}

/* All that one `do` asks of a call; *key tells which action was in the way. */
static enum verdict do_fits(const struct object *what, unsigned call, unsigned *key)
{
	bool force = object_num(what, KEY_do_force, 0);

	for (*key = 0; *key < KEYS_do; ++*key) {
		const struct field *f = &table_do.fields[*key];
		if ((f->flags & FIELD_PARAM) || !object_has(what, *key))
			continue;
		if (!action_fits(f, call))
			return WRONG_CALL;
		if (*key != KEY_do_errno)
			continue;
		enum verdict v = errno_fits(call, (int)object_num(what, *key, 0), force);
		if (v != FITS)
			return v;
	}
	return FITS;
}

struct answers policy_answers(const struct object *what, unsigned call)
{
	for (unsigned key = 0; key < KEYS_do; key++) {
		unsigned action = language_action(key);
		if (!object_has(what, key) || !language_terminal(action) || (table_do.fields[key].flags & FIELD_PARAM))
			continue;
		if (action == SNAG_ACTION_deny)
			return answers_of(call, SNAG_ACTION_errno, answers_denied(call));
		return answers_of(call, action, (int)object_num(what, KEY_do_errno, 0));
	}
	return answers_of(call, SNAG_ACTION_NONE, 0);
}

/* ---- one `do` by itself ---- */

static void check_action(struct diags *d, const struct object *what, unsigned key, unsigned *terminal)
{
	const struct field *f = &table_do.fields[key];
	const struct node *at = object_at(what, key);
	unsigned action = language_action(key);

	if (f->flags & FIELD_PARAM) {
		const struct field *lead = table_find(&table_do, f->fits);
		if (!object_at(what, (unsigned)(lead - table_do.fields)))
			diag_error_key(d, at, "goes with %s, which is not there", f->fits);
		return;
	}
	if (!language_terminal(action))
		return;
	if (*terminal != KEYS_do)
		diag_error_key(d, at, "a second terminal action; %s decides the call already",
			       table_do.fields[*terminal].key);
	*terminal = key;
}

static void check_do(struct diags *d, const struct object *what)
{
	unsigned terminal = KEYS_do, actions = 0;

	for (unsigned key = 0; key < KEYS_do; key++) {
		if (!object_at(what, key))
			continue;
		actions += !(table_do.fields[key].flags & FIELD_PARAM);
		check_action(d, what, key, &terminal);
	}
	if (!actions && what->node->kind == NODE_MAP)
		diag_error(d, what->node, "no action; such as errno or delay");
}

static void refuse_unbuilt(struct diags *d, const struct object *what)
{
	for (unsigned key = 0; key < KEYS_do; key++)
		if (object_has(what, key) && (table_do.fields[key].flags & FIELD_LATER))
			diag_error_key(d, object_at(what, key), "is not built yet; leave it out");
}

/* ---- the calls of a rule ---- */

static void add_call(uint64_t *set, unsigned call)
{
	set[call / 64] |= 1ull << (call % 64);
}

static bool in_set(const uint64_t *set, unsigned call)
{
	return set[call / 64] >> (call % 64) & 1;
}

/* Why a `do` does not fit any of the calls that one name covers. */
static void say_unfit(struct diags *d, const struct object *what, unsigned key, enum verdict v, unsigned call,
		      const char *name)
{
	const struct node *at = object_at(what, key);
	const struct field *f = &table_do.fields[key];
	const char *err = object_text(what, KEY_do_errno);

	switch (v) {
	case WRONG_CALL:
		diag_error_key(d, at, "does not fit %s; it fits %s", name, words_listed(d->arena, f->fits));
		break;
	case REFUSED:
		diag_error(d, at, "%s can't be injected on %s: %s", err, name,
			   refusal((int)object_num(what, key, 0), call_row(call)->group));
		break;
	case NO_RESULT:
		diag_error(d, at, "%s never fails", name);
		break;
	default:
		diag_error(d, at, "%s can never fail with %s; force: true injects it all the same", name, err);
	}
}

static bool fits_all_steps(const struct policy_rule *r, unsigned call)
{
	unsigned key;

	for (unsigned i = 0; i < r->n_steps; i++)
		if (do_fits(r->steps[i].what, call, &key) != FITS)
			return false;
	return true;
}

/* Of the calls that one name stands for, those that fit; when none does, that is said. */
static void fit_name(struct diags *d, struct policy_rule *r, const struct value *name)
{
	uint64_t named[SNAG_CALL_WORDS] = {(uint64_t)name->lo, (uint64_t)name->hi};
	bool any = false;
	unsigned first = 0, key;

	for (unsigned c = SNAG_CALLS - 1; c; c--) {
		if (!in_set(named, c))
			continue;
		first = c;
		if (fits_all_steps(r, c)) {
			any = true;
			add_call(r->calls, c);
		}
	}
	for (unsigned i = 0; !any && i < r->n_steps; i++) {
		enum verdict v = do_fits(r->steps[i].what, first, &key);
		if (v != FITS)
			say_unfit(d, r->steps[i].what, key, v, first, name->text + (*name->text == '='));
	}
}

/* Every call that fits. */
static void fit_all(struct diags *d, struct policy_rule *r, const struct node *at)
{
	bool any = false;

	for (unsigned c = 1; c < SNAG_CALLS; c++) {
		if (fits_all_steps(r, c)) {
			any = true;
			add_call(r->calls, c);
		}
	}
	if (any)
		return;
	if (r->n_steps && object_has(r->steps[0].what, KEY_do_errno)) {
		const struct object *what = r->steps[0].what;
		const char *why = NULL;
		for (size_t i = 0; i < ARRAY_LEN(refused) && !why; i++)
			if (refused[i].err == object_num(what, KEY_do_errno, 0))
				why = refused[i].why;
		diag_error(d, object_at(what, KEY_do_errno), "no call can fail with %s%s%s",
			   object_text(what, KEY_do_errno), why ? ": " : "", why ? why : "");
	} else {
		diag_error(d, at, "no call fits all of its steps");
	}
}

/* What `force` let through. */
static void warn_forced(struct diags *d, const struct policy_rule *r)
{
	for (unsigned i = 0; i < r->n_steps; i++) {
		const struct object *what = r->steps[i].what;
		const char *odd = "";
		int err = (int)object_num(what, KEY_do_errno, 0);
		for (unsigned c = 1; c < SNAG_CALLS && err; c++)
			if (policy_covers(r, c) && errno_fits(c, err, false) != FITS)
				odd = arena_printf(d->arena, "%s%s%s", odd, *odd ? ", " : "", call_row(c)->name);
		if (*odd)
			diag_warn(d, object_at(what, KEY_do_errno), "%s can never be the errno of %s; forced",
				  object_text(what, KEY_do_errno), odd);
	}
}

/* A rule that holds speaks of connections that arrive; all else in a `do` speaks of calls. */
static void check_hold(struct diags *d, const struct policy_rule *r)
{
	const struct node *other = NULL;
	bool holds = false;

	for (unsigned i = 0; i < r->n_steps; i++) {
		const struct object *what = r->steps[i].what;
		for (unsigned key = 0; key < KEYS_do; key++)
			if (object_at(what, key) && key != KEY_do_hold && key != KEY_do_log)
				other = object_at(what, key);
		holds |= object_has(what, KEY_do_hold);
	}
	if (holds && other)
		diag_error_key(d, other, "stands in a rule with hold, which speaks of connections that arrive and not of "
					 "accept calls; give it a rule of its own");
}

void fit_rule(struct diags *d, struct policy_rule *r)
{
	const struct slot *calls = &r->object->slots[KEY_rule_call];
	unsigned errors = d->errors;

	for (unsigned i = 0; i < r->n_steps; i++)
		check_do(d, r->steps[i].what);
	check_hold(d, r);
	r->covers_all = !calls->node;
	for (unsigned i = 0; i < calls->n; i++)
		r->covers_all |= calls->values[i].any;
	if (r->covers_all && r->n_steps && errors == d->errors)
		fit_all(d, r, calls->node ? calls->node : r->object->node);
	for (unsigned i = 0; i < calls->n && !r->covers_all; i++)
		fit_name(d, r, &calls->values[i]);
	warn_forced(d, r);
	for (unsigned i = 0; i < r->n_steps && d->errors == errors; i++)
		refuse_unbuilt(d, r->steps[i].what);
}
