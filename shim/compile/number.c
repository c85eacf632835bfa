/* number.c - scalars that are numbers: plain ones, durations, sizes, chances, ranges, comparisons. */
#include "type.h"

#include <string.h>

/* Decimal digits -> *v; false: none, or too many to hold. Moves *s behind them. */
static bool digits(const char **s, int64_t *v)
{
	int64_t n = 0;
	const char *p = *s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return false;
	bool any = p > *s;
	*s = p;
	*v = n;
	return any;
}

static const char *range_error(struct arena *a, const struct field *f)
{
	return arena_printf(a, "out of range; from %lld to %lld", (long long)f->min, (long long)f->max);
}

static bool all_digits(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s && strspn(s, "0123456789") == strlen(s);
}

static const char *read_number(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;

	if (!all_digits(text))
		return "";
	if (!digits(&s, &v->lo) || *s || v->lo < f->min || v->lo > f->max)
		return range_error(a, f);
	v->text = arena_printf(a, "%lld", (long long)v->lo);
	return NULL;
}

/* Of the language. */
static const char *read_version(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	(void)f;
	v->lo = 1;
	return strcmp(text, "1") == 0 ? NULL : arena_printf(a, "%s is not known; this snag reads version: 1", text);
}

/* ---- durations ---- */

static const struct {
	const char *name;
	int64_t ns;
} units[] = {{"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};

#define UNITS (sizeof(units) / sizeof(units[0]))

static int64_t unit_ns(const char *name)
{
	for (size_t i = 0; i < UNITS; i++)
		if (strcmp(name, units[i].name) == 0)
			return units[i].ns;
	return 0;
}

/* "1.5" -> 15, 1: the number without its point, and how many digits stand behind it. A tenth digit and more say
 * nothing. */
static bool decimal(const char **s, int64_t *n, unsigned *places)
{
	const char *start = *s;

	*places = 0;
	if (!digits(s, n))
		return false;
	if (**s != '.')
		return true;
	start = ++*s;
	for (; **s >= '0' && **s <= '9'; ++*s) {
		if (*places == 9)
			continue;
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, **s - '0', n))
			return false;
		++*places;
	}
	return *s > start;
}

static int64_t power10(unsigned places)
{
	int64_t p = 1;

	while (places--)
		p *= 10;
	return p;
}

static const char *read_duration(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;
	int64_t n, ns;
	unsigned places;

	if (!decimal(&s, &n, &places))
		return "";
	if (!*s)
		return arena_printf(a, "a duration carries a unit; write %s for seconds, or %sms",
				    arena_printf(a, "%ss", text), text);
	int64_t unit = unit_ns(s);
	if (!unit)
		return arena_printf(a, "unknown unit %s; one of ns, us, ms, s, m, h", diag_quote(a, s));
	if (__builtin_mul_overflow(n, unit, &ns) || ns / power10(places) > f->max)
		return "out of range; at most 8760h";
	ns /= power10(places);
	if (ns < f->min)
		return "out of range; more than nothing";
	v->lo = ns;
	size_t i = 0;
	while (i + 1 < UNITS && (ns % units[i].ns || (!ns && units[i].ns != 1000000000)))
		i++;
	v->text = arena_printf(a, "%lld%s", (long long)(ns / units[i].ns), units[i].name);
	return NULL;
}

static const char *read_forever(struct value *v)
{
	v->lo = FOREVER;
	return NULL;
}

static const char *read_hold(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	return strcmp(text, "forever") == 0 ? read_forever(v) : read_duration(a, f, text, v);
}

static const char *read_drops(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	return strcmp(text, "forever") == 0 ? read_forever(v) : read_number(a, f, text, v);
}

/* ---- sizes, chances ---- */

static const char *read_size(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;
	int64_t unit = 1;

	if (!digits(&s, &v->lo))
		return all_digits(text) ? range_error(a, f) : "";
	if (strcmp(s, "KiB") == 0)
		unit = 1024;
	else if (strcmp(s, "MiB") == 0)
		unit = 1024 * 1024;
	else if (*s)
		return arena_printf(a, "unknown unit %s; a number of bytes, or KiB, MiB", diag_quote(a, s));
	if (__builtin_mul_overflow(v->lo, unit, &v->lo) || v->lo < f->min || v->lo > f->max)
		return range_error(a, f);
	v->text = arena_printf(a, "%lld", (long long)v->lo);
	return NULL;
}

static const char *read_chance(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;
	int64_t n;
	unsigned places;

	(void)f;
	if (!decimal(&s, &n, &places))
		return all_digits(text) ? "out of range; from 0 to 1, or from 0% to 100%" : "";
	bool percent = *s == '%';
	if (s[percent])
		return "";
	int64_t one = power10(places) * (percent ? 100 : 1);
	if (n > one && percent)
		return "out of range; from 0% to 100%";
	if (n > one)
		return arena_printf(a, "%s is above 1; write %s%% for so many in a hundred", text, text);
	v->lo = (int64_t)((__int128)n * CHANCE_ONE / one);
	return NULL;
}

/* ---- ranges ---- */

/* "a" or "a..b". */
static bool read_pair(const char **s, struct value *v)
{
	if (!digits(s, &v->lo))
		return false;
	v->hi = v->lo;
	if (strncmp(*s, "..", 2) != 0)
		return true;
	*s += 2;
	return digits(s, &v->hi);
}

static bool in_range(const struct field *f, const struct value *v)
{
	return v->lo >= f->min && v->lo <= f->max && v->hi >= f->min && v->hi <= f->max;
}

static const char *pair_text(struct arena *a, const struct value *v)
{
	if (v->lo == v->hi)
		return arena_printf(a, "%lld", (long long)v->lo);
	return arena_printf(a, "%lld..%lld", (long long)v->lo, (long long)v->hi);
}

static const char *read_port(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;

	if (!read_pair(&s, v) || *s)
		return all_digits(text) ? range_error(a, f) : "";
	if (!in_range(f, v))
		return range_error(a, f);
	v->text = pair_text(a, v);
	return NULL;
}

static const char *read_span(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *wrong = strstr(text, "..") ? read_port(a, f, text, v) : "";

	if (!wrong && v->lo > v->hi)
		return "the range is empty; write the lower number first";
	return wrong;
}

static const char *read_nth(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	const char *s = text;

	v->step = 1;
	if (!read_pair(&s, v))
		return all_digits(text) ? range_error(a, f) : "";
	if (*s == '+') {
		s++;
		if (!digits(&s, &v->step) || *s)
			return "";
		if (v->step < 1 || v->step > f->max)
			return range_error(a, f);
	}
	if (*s)
		return "";
	if (!in_range(f, v))
		return range_error(a, f);
	if (v->lo > v->hi)
		return "the range is empty; write the lower number first";
	v->text = v->step == 1 ? pair_text(a, v) : arena_printf(a, "%s+%lld", pair_text(a, v), (long long)v->step);
	return NULL;
}

/* "3", "1..5", ">=3", ">3", "<=3", "<3". */
static const char *read_count(struct arena *a, const struct field *f, const char *text, struct value *v)
{
	char op = *text == '>' || *text == '<' ? *text : 0;
	const char *s = text + (op != 0);
	bool equal = op && *s == '=';

	s += equal;
	if (op ? !digits(&s, &v->lo) : !read_pair(&s, v))
		return all_digits(text) ? range_error(a, f) : "";
	if (*s)
		return "";
	if (v->lo < f->min || v->lo > f->max || (!op && v->hi > f->max))
		return range_error(a, f);
	if (!op) {
		if (v->lo > v->hi)
			return "the range is empty; write the lower number first";
		v->text = pair_text(a, v);
		return NULL;
	}
	v->text = arena_printf(a, "%c%s%lld", op, equal ? "=" : "", (long long)v->lo);
	v->hi = op == '>' ? INT64_MAX : v->lo - !equal;
	v->lo = op == '>' ? v->lo + (!equal && v->lo < INT64_MAX) : INT64_MIN;
	return NULL;
}

#define DURATION "^[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h)$"

const struct type type_version = {"version", "1", ACCEPT_NUMBER, read_version, NULL, NULL};
const struct type type_number = {"number", "a number", ACCEPT_NUMBER, read_number, NULL, NULL};
const struct type type_duration = {
	"duration", "a duration such as 250ms", ACCEPT_TEXT | ACCEPT_NUMBER, read_duration, DURATION, NULL};
const struct type type_hold = {"duration or forever",
			       "a duration such as 250ms, or forever",
			       ACCEPT_TEXT | ACCEPT_NUMBER,
			       read_hold,
			       "^(forever|[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))$",
			       NULL};
const struct type type_drops = {"number or forever", "a number, or forever", ACCEPT_TEXT | ACCEPT_NUMBER,
				read_drops,	     "^(forever|[0-9]+)$",   NULL};
const struct type type_size = {
	"size", "a number of bytes, or such as 64KiB", ACCEPT_TEXT | ACCEPT_NUMBER, read_size, "^[0-9]+(KiB|MiB)?$",
	NULL};
const struct type type_chance = {"chance",
				 "a chance such as 5% or 0.05",
				 ACCEPT_TEXT | ACCEPT_NUMBER,
				 read_chance,
				 "^(0*(100|[0-9]{1,2})(\\.[0-9]+)?%|0*[01](\\.[0-9]+)?)$",
				 NULL};
const struct type type_span = {"range",	  "a range such as 40000..40015", ACCEPT_TEXT,
			       read_span, "^[0-9]+\\.\\.[0-9]+$",	  NULL};
const struct type type_port = {"port",
			       "a port such as 8080, or a range such as 8000..8099",
			       ACCEPT_TEXT | ACCEPT_NUMBER,
			       read_port,
			       "^[0-9]+(\\.\\.[0-9]+)?$",
			       NULL};
const struct type type_nth = {"ordinals", "ordinals such as 3, 3..9 or 3..9+2",	 ACCEPT_TEXT | ACCEPT_NUMBER,
			      read_nth,	  "^[0-9]+(\\.\\.[0-9]+)?(\\+[0-9]+)?$", NULL};
const struct type type_count = {"count",    "a count such as 3, 1..5 or \">=3\"",	   ACCEPT_TEXT | ACCEPT_NUMBER,
				read_count, "^((>=|>|<=|<)[0-9]+|[0-9]+(\\.\\.[0-9]+)?)$", NULL};
