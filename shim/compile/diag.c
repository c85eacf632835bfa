/* diag.c - what is wrong with a policy. */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct diag {
	struct diag *next;
	const struct source *source;
	uint32_t line, col;
	unsigned order;
	bool error;
	const char *path, *text;
};

static void add(struct diags *d, bool error, const struct source *s, uint32_t line, uint32_t col, const char *path,
		const char *format, va_list args)
{
	*(error ? &d->errors : &d->warnings) += 1;
	if (d->n >= DIAG_MAX)
		return;

	struct diag *g = arena_alloc(d->arena, sizeof(*g));
	char *text = arena_alloc(d->arena, 1024);
	vsnprintf(text, 1024, format, args);
	*g = (struct diag){
		.source = s, .line = line, .col = col, .order = d->n++, .error = error, .path = path, .text = text};
	if (!d->end)
		d->end = &d->first;
	*d->end = g;
	d->end = &g->next;
}

void diag_error(struct diags *d, const struct node *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, true, at->source, at->line, at->col, node_path(d->arena, at), format, args);
	va_end(args);
}

void diag_warn(struct diags *d, const struct node *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, false, at->source, at->line, at->col, node_path(d->arena, at), format, args);
	va_end(args);
}

void diag_error_key(struct diags *d, const struct node *at, const char *format, ...)
{
	const struct node *place = at->key ? at->key : at;
	va_list args;

	va_start(args, format);
	add(d, true, place->source, place->line, place->col, node_path(d->arena, at), format, args);
	va_end(args);
}

void diag_error_at(struct diags *d, const struct source *s, uint32_t line, uint32_t col, const char *path,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, true, s, line, col, path, format, args);
	va_end(args);
}

static int by_place(const void *a, const void *b)
{
	const struct diag *x = *(const struct diag *const *)a, *y = *(const struct diag *const *)b;

	if (x->source->order != y->source->order)
		return x->source->order < y->source->order ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* A file may hold anything; a terminal must not obey it. */
static void put_safe(FILE *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\x%02x", *c);
		else
			fputc(*c, out);
	}
}

static void print_one(const struct diag *g, FILE *out)
{
	put_safe(out, g->source->name);
	if (g->line)
		fprintf(out, "%c%u:%u", g->source->argument ? ' ' : ':', g->line, g->col);
	fprintf(out, ": %s: ", g->error ? "error" : "warning");
	if (*g->path) {
		put_safe(out, g->path);
		fputs(": ", out);
	}
	put_safe(out, g->text);
	fputc('\n', out);
}

const char *diag_place(struct arena *a, const struct node *at)
{
	return arena_printf(a, "%s%c%u:%u", at->source->name, at->source->argument ? ' ' : ':', at->line, at->col);
}

void diag_print(struct diags *d, FILE *out)
{
	const struct diag *sorted[DIAG_MAX];
	unsigned n = 0;

	for (const struct diag *g = d->first; g && n < DIAG_MAX; g = g->next)
		sorted[n++] = g;
	qsort(sorted, n, sizeof(sorted[0]), by_place);
	for (unsigned i = 0; i < n; i++)
		print_one(sorted[i], out);
	if (d->errors + d->warnings > n)
		fprintf(out, "and %u more\n", d->errors + d->warnings - n);
}

const char *diag_quote(struct arena *a, const char *text)
{
	size_t cut = 60;

	if (strlen(text) <= cut)
		return arena_printf(a, "'%s'", text);
	while (cut && ((unsigned char)text[cut] & 0xc0) == 0x80) /* not inside a UTF-8 sequence */
		cut--;
	return arena_printf(a, "'%.*s...'", (int)cut, text);
}

#define WORD_MAX 48

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, letter case aside; both at most WORD_MAX long. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= nb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = last[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		unsigned *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[nb];
}

const char *suggest(const char *text, suggest_fn *candidate, const void *arg)
{
	size_t len = strlen(text);
	unsigned least = len <= 3 ? 1 : len <= 6 ? 2 : 3; /* edits that still look like a slip */
	const char *name, *best = NULL;

	if (!len || len > WORD_MAX)
		return NULL;
	for (unsigned i = 0; (name = candidate(arg, i)); i++) {
		size_t n = strlen(name);
		if (n > WORD_MAX)
			continue;
		unsigned d = distance(text, len, name, n);
		bool begins = strncmp(name, text, len) == 0; /* of two as near, what was only cut short */
		if (d < n && (d < least || (d == least && (!best || begins)))) {
			least = d;
			best = name;
		}
	}
	return best;
}

const char *suggest_hint(struct arena *a, const char *text, suggest_fn *candidate, const void *arg)
{
	const char *name = suggest(text, candidate, arg);

	return name ? arena_printf(a, "; did you mean %s?", name) : "";
}
