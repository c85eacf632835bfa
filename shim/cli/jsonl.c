/* jsonl.c - a record as one line of JSON, and back. The writer is by hand: 200 000 events a second pass through it. */
#include "jsonl.h"

static void write_list(struct buf *b, const struct record_texts *l)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_char(b, i ? ',' : '[');
		buf_json(b, l->item[i]);
	}
	buf_char(b, ']');
}

static void write_uint(struct buf *b, uint64_t v)
{
	if (v > INT64_MAX) {
		buf_int(b, (int64_t)(v / 10));
		buf_char(b, (char)('0' + v % 10));
	} else {
		buf_int(b, (int64_t)v);
	}
}

static void write_value(struct buf *b, const struct record_field *f, const void *at)
{
	switch (f->type) {
	case RECORD_TIME:
		buf_seconds(b, *(const int64_t *)at, 9);
		break;
	case RECORD_INT:
		buf_int(b, *(const int64_t *)at);
		break;
	case RECORD_UINT:
		write_uint(b, (uint64_t)*(const int64_t *)at);
		break;
	case RECORD_TEXT:
		buf_json(b, *(const struct text *)at);
		break;
	case RECORD_BOOL:
		buf_str(b, "true");
		break;
	case RECORD_LIST:
		write_list(b, at);
		break;
	case RECORD_OBJECT:
		jsonl_object(b, f->fields, at);
		break;
	}
}

void jsonl_object(struct buf *b, const struct record_field *f, const void *base)
{
	char before = '{';

	for (; f->name; f++) {
		if (!record_has(f, base))
			continue;
		buf_char(b, before);
		buf_bytes(b, f->json, f->size + 3u);
		write_value(b, f, (const char *)base + f->offset);
		before = ',';
	}
	if (before == '{')
		buf_char(b, before);
	buf_char(b, '}');
}

void jsonl_write(struct buf *b, const struct record *r)
{
	jsonl_object(b, record_fields, r);
	buf_char(b, '\n');
}

/* Seconds within three hundred years. */
static void read_time(double s, int64_t *ns)
{
	if (s > -9e9 && s < 9e9)
		*ns = (int64_t)(s * 1e9 + (s < 0 ? -0.5 : 0.5));
}

/* A number that does not fit comes as a real, see jsonl_read. */
static void read_int(const json_t *v, int64_t *n)
{
	double real = json_real_value(v);

	if (json_is_integer(v))
		*n = json_integer_value(v);
	else if (json_is_real(v) && real > -9e18 && real < 1.8e19)
		*n = real < 0 ? (int64_t)real : (int64_t)(uint64_t)real;
}

static bool read_text(const json_t *v, struct text *t)
{
	if (!json_is_string(v))
		return false;
	*t = (struct text){ json_string_value(v), json_string_length(v) };
	return true;
}

static void read_list(const json_t *v, struct record_texts *l)
{
	size_t i;
	json_t *item;

	json_array_foreach(v, i, item)
		if (l->n < RECORD_TEXTS && read_text(item, &l->item[l->n]))
			l->n++;
}

static void read_object(const json_t *v, const struct record_field *f, void *base);

static void read_value(const json_t *v, const struct record_field *f, void *at)
{
	switch (f->type) {
	case RECORD_TIME:
		if (json_is_number(v))
			read_time(json_number_value(v), at);
		break;
	case RECORD_INT:
	case RECORD_UINT:
		read_int(v, at);
		break;
	case RECORD_TEXT:
		read_text(v, at);
		break;
	case RECORD_BOOL:
		*(bool *)at = json_is_true(v);
		break;
	case RECORD_LIST:
		read_list(v, at);
		break;
	case RECORD_OBJECT:
		read_object(v, f->fields, at);
		break;
	}
}

static void read_object(const json_t *v, const struct record_field *f, void *base)
{
	for (; f->name; f++) {
		const json_t *field = json_object_get(v, f->name);
		if (field)
			read_value(field, f, (char *)base + f->offset);
	}
}

int jsonl_read(const char *line, size_t len, struct record *r, json_t **json)
{
	json_error_t error;

	record_clear(r);
	*json = json_loadb(line, len, JSON_ALLOW_NUL, &error);
	/* A seed above 2^63 is too big for an integer of jansson; rounded, it is still good enough to be shown. */
	if (!*json && json_error_code(&error) == json_error_numeric_overflow)
		*json = json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(*json)) {
		json_decref(*json);
		*json = NULL;
		return -1;
	}
	read_object(*json, record_fields, r);
	return 0;
}
