/* print.c - an object as canonical YAML: keys in the order of their table, values in one form. */
#include "field.h"
#include "type.h"

#include <string.h>

/* Would this text, written plainly, be read as this text, also inside [] and {}? */
static bool is_plain(const char *text)
{
	static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";
	struct node n = {.kind = NODE_SCALAR, .style = NODE_PLAIN, .text = text, .len = strlen(text)};

	return n.len && strspn(text, word) == n.len && strcmp(node_resolved(&n), "text") == 0;
}

/* One character of UTF-8 -> its number; moves *s behind it. */
static uint32_t next_code(const unsigned char **s)
{
	unsigned char c = *(*s)++;
	unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	uint32_t code = more ? c & (0x3fu >> more) : c;

	for (; more && (**s & 0xc0) == 0x80; more--)
		code = code << 6 | (*(*s)++ & 0x3f);
	return code;
}

/* What YAML 1.2 lets stand in a double-quoted text as it is (5.1), line breaks left out. */
static bool printable(uint32_t code)
{
	return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0xd800 && code != 0x2028 && code != 0x2029) ||
	       (code >= 0xe000 && code < 0xfffe && code != 0xfeff) || (code >= 0x10000 && code < 0x110000);
}

static void print_quoted(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		const unsigned char *start = s;
		uint32_t code = next_code(&s);
		if (!printable(code))
			fprintf(out, "\\U%08x", code);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else
			fwrite(start, 1, (size_t)(s - start), out);
	}
	fputc('"', out);
}

/* Numbers and ranges stand plainly; texts where they can. */
static void print_value(FILE *out, const struct field *f, const struct value *v)
{
	bool digit = *v->text >= '0' && *v->text <= '9';
	bool number = (f->type->accepts & (ACCEPT_NUMBER | ACCEPT_BOOL)) && f->type != &type_user;

	if (is_plain(v->text) || (f->type == &type_user && v->node->style == NODE_PLAIN && digit) ||
	    (number && strspn(v->text, "0123456789.+%abcdefghijklmnopqrstuvwxyz") == strlen(v->text)))
		fputs(v->text, out);
	else
		print_quoted(out, v->text);
}

static void print_flow(FILE *out, const struct object *o);

static void print_scalars(FILE *out, const struct field *f, const struct slot *s)
{
	if (s->n > 1)
		fputc('[', out);
	for (unsigned i = 0; i < s->n; i++) {
		if (i)
			fputs(", ", out);
		print_value(out, f, &s->values[i]);
	}
	if (s->n > 1)
		fputc(']', out);
}

static void print_flow(FILE *out, const struct object *o)
{
	const char *between = "";

	fputc('{', out);
	for (unsigned i = 0; i < o->table->n; i++) {
		const struct field *f = &o->table->fields[i];
		if (!o->slots[i].n)
			continue;
		fprintf(out, "%s%s: ", between, f->key);
		if (f->type)
			print_scalars(out, f, &o->slots[i]);
		else
			print_flow(out, o->slots[i].objects[0]);
		between = ", ";
	}
	fputc('}', out);
}

static void print_items(FILE *out, const struct field *f, const struct slot *s, unsigned indent)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct object *o = s->objects[i];
		fprintf(out, "%*s", (int)indent, "");
		if (f->shape == FIELD_NAMED) {
			print_value(out, &(struct field){.type = &type_text}, &(struct value){.text = o->name});
			fputs(": ", out);
		} else {
			fputs("- ", out);
		}
		if (o->table->block) {
			object_print(out, o, indent + 2);
		} else {
			print_flow(out, o);
			fputc('\n', out);
		}
	}
}

/* The first key stands where the writer is; the others on lines of their own. */
void object_print(FILE *out, const struct object *o, unsigned indent)
{
	bool first = true;

	for (unsigned i = 0; i < o->table->n; i++) {
		const struct field *f = &o->table->fields[i];
		const struct slot *s = &o->slots[i];
		if (!s->n)
			continue;
		fprintf(out, "%*s%s:", first ? 0 : (int)indent, "", f->key);
		first = false;
		if (f->shape == FIELD_OBJECTS || f->shape == FIELD_NAMED) {
			fputc('\n', out);
			print_items(out, f, s, indent + 2);
			continue;
		}
		fputc(' ', out);
		if (f->type)
			print_scalars(out, f, s);
		else
			print_flow(out, s->objects[0]);
		fputc('\n', out);
	}
	if (first)
		fputs("{}\n", out);
}
