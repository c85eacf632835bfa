/* word.c - scalars that are words: booleans, names, texts, addresses, users, calls. */
#include "type.h"

#include <base/addr.h>
#include <base/calls.h>
#include <base/names.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(SNAG_CALL_WORDS == 2, "a call set stands in lo and hi");

bool text_is_utf8(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	while (*c) {
		unsigned more = *c < 0x80		  ? 0
				: *c >= 0xc2 && *c < 0xe0 ? 1
				: (*c & 0xf0) == 0xe0	  ? 2
				: *c >= 0xf0 && *c < 0xf5 ? 3
							  : 4;
		if (more == 4)
			return false;
		uint32_t code = more ? *c & (0x3fu >> more) : *c;
		for (c++; more; more--, c++) {
			if ((*c & 0xc0) != 0x80)
				return false;
			code = code << 6 | (*c & 0x3f);
		}
		if ((code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
			return false;
	}
	return true;
}

static const char *read_boolean(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)a, (void)f;
	v->lo = strcmp(text, "true") == 0;
	return v->lo || strcmp(text, "false") == 0 ? NULL : "";
}

static const char *read_true(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)a;
	v->lo = 1;
	if (strcmp(text, "false") == 0)
		return arena_printf(a, "wants true; leave %s out in place of false", f->key);
	return strcmp(text, "true") == 0 ? NULL : "";
}

static const char *word_nth(const void *words, unsigned i)
{
	return ((const struct word *)words)[i].name;
}

static const char *read_word(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	for (const struct word *w = f->words; w->name; w++) {
		if (strcmp(text, w->name) != 0)
			continue;
		v->lo = w->value;
		return w->later ? arena_printf(a, "%s is not built yet", text) : NULL;
	}
	return arena_printf(a, "unknown word %s; %s", diag_quote(a, text),
			    suggest(text, word_nth, f->words)
				    ? arena_printf(a, "did you mean %s?", suggest(text, word_nth, f->words))
				    : field_wants(a, f));
}

static const char *read_text(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)v;
	size_t len = strlen(text);

	if ((int64_t)len < f->min)
		return "an empty text";
	if ((int64_t)len > f->max)
		return arena_printf(a, "%zu bytes long; at most %lld", len, (long long)f->max);
	return NULL;
}

/* ---- names with a number ---- */

static const char *errno_candidate(const void *arg, unsigned i)
{
	(void)arg;
	return errno_nth(i);
}

static const char *signal_candidate(const void *arg, unsigned i)
{
	(void)arg;
	return signal_nth(i);
}

static const char *read_errno(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)f;
	v->lo = errno_by_name(text, strlen(text));
	if (!v->lo)
		return arena_printf(a, "unknown errno %s%s", diag_quote(a, text),
				    suggest_hint(a, text, errno_candidate, NULL));
	v->text = errno_name((int)v->lo);
	return NULL;
}

/* SIGKILL may have been written as KILL, kill or 9. */
static const char *signal_hint(struct arena *a, const char *text)
{
	const char *name = NULL;

	if (strspn(text, "0123456789") == strlen(text) && strlen(text) < 4)
		name = signal_name((int)strtol(text, NULL, 10));
	else if (!(name = suggest(text, signal_candidate, NULL)))
		name = suggest(arena_printf(a, "SIG%s", text), signal_candidate, NULL);
	return name ? arena_printf(a, "; did you mean %s?", name) : "";
}

static const char *read_signal(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)f;
	v->lo = signal_by_name(text, strlen(text));
	if (!v->lo)
		return arena_printf(a, "unknown signal %s%s", diag_quote(a, text), signal_hint(a, text));
	v->text = signal_name((int)v->lo);
	return NULL;
}

static const char *read_user(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	size_t n = strlen(text);

	if (n && strspn(text, "0123456789") == n) {
		v->lo = n > 10 ? -1 : 0;
		for (const char *c = text; n <= 10 && *c; c++)
			v->lo = v->lo * 10 + (*c - '0');
		return v->lo < f->min || v->lo > f->max ? "out of range; a uid is from 0 to 4294967295" : NULL;
	}
	const struct passwd *p = n ? getpwnam(text) : NULL;
	if (!p)
		return n ? arena_printf(a, "no such user %s on this machine", diag_quote(a, text)) : "";
	v->lo = p->pw_uid;
	return NULL;
}

/* ---- addresses ---- */

static const char *read_addr(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	unsigned prefix;

	(void)f;
	if (strcmp(text, "any") == 0) {
		v->any = 1;
		return NULL;
	}
	if (!addr_parse(&v->net, &prefix, text, strlen(text)))
		return arena_printf(a,
				    "no address %s; write one such as 127.0.0.1, 10.0.0.0/8, \"::1\" or any; names are "
				    "not looked up",
				    diag_quote(a, text));
	v->prefix = (uint8_t)prefix;
	return NULL;
}

/* ---- calls ---- */

/* Group names first, then `=` and each call's own name. */
static const char *call_candidate(const void *arg, unsigned i)
{
	(void)arg;
	for (unsigned c = 1; c < SNAG_CALLS; c++) {
		bool first = true;
		for (unsigned b = 1; b < c; b++)
			first = first && strcmp(call_row(b)->group, call_row(c)->group) != 0;
		if (first && i-- == 0)
			return call_row(c)->group;
	}
	return NULL;
}

static void call_set(struct value *v, unsigned call)
{
	*(call < 64 ? &v->lo : &v->hi) |= (int64_t)(1ull << (call % 64));
}

static const char *read_call(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)f;
	v->lo = v->hi = 0;
	if (strcmp(text, "*") == 0) {
		v->any = 1;
		return NULL;
	}
	unsigned exact = call_by_name(text + (*text == '='), strlen(text) - (*text == '='));
	if (*text == '=') {
		if (!exact)
			return arena_printf(a, "unknown call %s%s", diag_quote(a, text + 1),
					    suggest_hint(a, text + 1, call_candidate, NULL));
		call_set(v, exact);
		return NULL;
	}
	for (unsigned c = 1; c < SNAG_CALLS; c++)
		if (strcmp(call_row(c)->group, text) == 0)
			call_set(v, c);
	if (v->lo | v->hi)
		return NULL;
	if (exact)
		return arena_printf(a, "%s is a variant of %s; write %s, or =%s for exactly this one", text,
				    call_row(exact)->group, call_row(exact)->group, text);
	return arena_printf(a, "unknown call %s%s", diag_quote(a, text), suggest_hint(a, text, call_candidate, NULL));
}

const struct type type_boolean = {"boolean", "true or false", ACCEPT_BOOL, read_boolean, NULL, NULL};
const struct type type_true = {"true", "true", ACCEPT_BOOL, read_true, NULL, NULL};
const struct type type_word = {"word", "a word", ACCEPT_TEXT, read_word, NULL, NULL};
const struct type type_text = {"text", "a text", ACCEPT_TEXT, read_text, NULL, NULL};
const struct type type_pattern = {"pattern", "a path, with * for any characters", ACCEPT_TEXT, read_text, NULL, NULL};
const struct type type_errno_name = {"errno",	     "an errno such as EADDRINUSE", ACCEPT_TEXT, read_errno, NULL,
				     errno_candidate};
const struct type type_signal = {"signal",	  "a signal such as SIGTERM", ACCEPT_TEXT | ACCEPT_NUMBER, read_signal, NULL,
				 signal_candidate};
const struct type type_addr = {"address", "an address such as 127.0.0.1 or 10.0.0.0/8, or any", ACCEPT_TEXT,
			       read_addr, "^(any|[0-9A-Fa-f.:]+(%[0-9]+)?(/[0-9]{1,3})?)$",	NULL};
const struct type type_user = {"user", "a user's name or uid", ACCEPT_TEXT | ACCEPT_NUMBER, read_user, "^.+$", NULL};
const struct type type_call = {"call",	  "the name of a call", ACCEPT_TEXT,
			       read_call, "^=[A-Za-z0-9_]+$",	call_candidate};
