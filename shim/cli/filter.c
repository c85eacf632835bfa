/* filter.c - which records `snag trace` shows. */
#include "filter.h"

#include <base/base.h>
#include <base/calls.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was asked for ---- */

static void add_call(struct filter *f, unsigned call)
{
	f->calls[call / 64] |= UINT64_C(1) << (call % 64);
}

static bool add_own(struct filter *f, struct text name)
{
	for (unsigned i = 0; record_own[i]; i++) {
		if (!text_is(name, record_own[i]))
			continue;
		f->own |= 1u << i;
		return true;
	}
	return false;
}

/* As in a rule: a group covers its variants, `=` means exactly this one. */
static bool add_name(struct filter *f, struct text name)
{
	bool exactly = name.n && name.p[0] == '=', found = false;
	unsigned exact = call_by_name(name.p + exactly, name.n - exactly);

	for (unsigned c = 1; c < SNAG_CALLS && !exactly; c++) {
		if (!text_is(name, call_row(c)->group))
			continue;
		add_call(f, c);
		found = true;
	}
	if (!found && exact)
		add_call(f, exact);
	return found || exact || (!exactly && add_own(f, name));
}

int filter_add_calls(struct filter *f, const char *list)
{
	f->by_call = true;
	for (const char *at = list;;) {
		size_t len = strcspn(at, ",");
		const char *next = at + len;
		while (len && strchr(" \t", at[len - 1]))
			len--;
		size_t blanks = strspn(at, " \t");
		struct text name = { at + (blanks < len ? blanks : len), len - (blanks < len ? blanks : len) };
		if (!add_name(f, name)) {
			fprintf(stderr, "snag trace: --call: unknown call '%.*s'\n", (int)name.n, name.p);
			return -1;
		}
		if (!*next)
			return 0;
		at = next + 1;
	}
}

static int too_many(const char *option)
{
	fprintf(stderr, "snag trace: %s: more than %d of them\n", option, FILTER_VALUES);
	return -1;
}

int filter_add_rule(struct filter *f, const char *name)
{
	if (f->n_rules == FILTER_VALUES)
		return too_many("--rule");
	f->rule[f->n_rules++] = name;
	return 0;
}

static int add_number(struct filter_numbers *l, const char *option, const char *text, int64_t max)
{
	char *end;

	errno = 0;
	int64_t n = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n < 1 || n > max) {
		fprintf(stderr, "snag trace: %s: '%s' is no number from 1 to %lld\n", option, text, (long long)max);
		return -1;
	}
	if (l->n == FILTER_VALUES)
		return too_many(option);
	l->value[l->n++] = n;
	return 0;
}

int filter_add_port(struct filter *f, const char *text)
{
	return add_number(&f->port, "--port", text, UINT16_MAX);
}

int filter_add_pid(struct filter *f, const char *text)
{
	return add_number(&f->pid, "--pid", text, INT32_MAX);
}

/* ---- what passes ---- */

static bool has_number(const struct filter_numbers *l, int64_t n)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->value[i] == n)
			return true;
	return false;
}

static bool call_passes(const struct filter *f, struct text call)
{
	unsigned id = call.p ? call_by_name(call.p, call.n) : 0;

	if (id)
		return f->calls[id / 64] >> (id % 64) & 1;
	for (unsigned i = 0; record_own[i]; i++)
		if (f->own >> i & 1 && text_is(call, record_own[i]))
			return true;
	return false;
}

static bool rule_passes(const struct filter *f, const struct record *r)
{
	for (size_t i = 0; i < f->n_rules; i++) {
		if (text_is(r->rule, f->rule[i]))
			return true;
		for (size_t j = 0; j < r->rules.n; j++)
			if (text_is(r->rules.item[j], f->rule[i]))
				return true;
	}
	return false;
}

/* Does the address end in one of the ports? */
static bool has_port(const struct filter *f, struct text addr)
{
	const char *colon = addr.p ? memrchr(addr.p, ':', addr.n) : NULL;
	int64_t port = 0;

	if (!colon)
		return false;
	for (const char *d = colon + 1; d < addr.p + addr.n; d++) {
		if (*d < '0' || *d > '9' || port > UINT16_MAX)
			return false;
		port = port * 10 + (*d - '0');
	}
	return has_number(&f->port, port);
}

static bool has_sock(const struct filter *f, int64_t sock)
{
	for (size_t i = f->n_socks; sock != RECORD_NONE && i > 0; i--)
		if (f->sock[i - 1] == sock)
			return true;
	return false;
}

/* accept does not name its listener's address: that stands in the bind and listen before it. */
static void remember(struct filter *f, const struct record *r)
{
	bool binds = text_is(r->call, "bind") || text_is(r->call, "listen");

	if (!binds || r->ret != 0 || r->sock == RECORD_NONE || has_sock(f, r->sock))
		return;
	if (f->n_socks == f->sock_room) {
		size_t room = f->sock_room ? 2 * f->sock_room : 64;
		int64_t *more = reallocarray(f->sock, room, sizeof(*more));
		if (!more)
			return;
		f->sock = more;
		f->sock_room = room;
	}
	f->sock[f->n_socks++] = r->sock;
}

static bool port_passes(struct filter *f, const struct record *r)
{
	if (has_port(f, r->addr) || has_port(f, r->local)) {
		remember(f, r);
		return true;
	}
	return has_port(f, r->peer) || has_sock(f, r->sock) || has_sock(f, r->listener);
}

bool filter_passes(struct filter *f, const struct record *r)
{
	bool port = !f->port.n || port_passes(f, r);	/* first: it also learns from what does not pass */

	return port && (!f->by_call || call_passes(f, r->call)) && (!f->n_rules || rule_passes(f, r)) &&
	       (!f->pid.n || has_number(&f->pid, r->pid)) && (!f->failed || record_failed(r));
}

void filter_free(struct filter *f)
{
	free(f->sock);
}
