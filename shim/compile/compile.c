/* compile.c - a policy, from text to rule image: read every source, merge, resolve, check, make. */
#include "compile.h"

#include "diag.h"
#include "field.h"
#include "image.h"
#include "language.h"
#include "policy.h"
#include "ruleline.h"
#include "setting.h"
#include "type.h"
#include "yaml.h"

#include <base/base.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct compiler {
	const struct compile_input *in;
	struct arena arena;
	struct diags diags;
	struct node **documents;
	unsigned n;
	unsigned sources;
	struct policy policy;
};

static struct source *source_new(struct compiler *c, const char *name, bool argument)
{
	struct source *s = arena_alloc(&c->arena, sizeof(*s));

	*s = (struct source){.name = name, .order = c->sources++, .argument = argument};
	return s;
}

/* A document that holds one key. */
static struct node *document_of(struct compiler *c, const struct source *s, const char *key, struct node *value)
{
	struct node *map = node_new(&c->arena, NODE_MAP, s, value->line, value->col);

	node_append(map, value, node_scalar(&c->arena, s, value->line, value->col, key, strlen(key)));
	return map;
}

static void add(struct compiler *c, struct node *document)
{
	if (document)
		c->documents[c->n++] = document;
}

/* ---- sources ---- */

/* A name without `/` and suffix is a shipped policy's. NULL: there is none of that name. */
static const char *path_of(struct compiler *c, const char *file)
{
	if (!c->in->policy_dir || strchr(file, '/') || strchr(file, '.'))
		return file;
	const char *path = arena_printf(&c->arena, "%s/%s.yaml", c->in->policy_dir, file);
	return access(path, F_OK) == 0 ? path : NULL;
}

static int is_policy(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static void say_unshipped(struct compiler *c, const struct source *s)
{
	struct dirent **shipped = NULL;
	const char *names = "";
	int n = scandir(c->in->policy_dir, &shipped, is_policy, alphasort);

	for (int i = 0; i < n; i++) {
		int len = (int)strlen(shipped[i]->d_name) - 5;
		names = arena_printf(&c->arena, "%s%s%.*s", names, *names ? ", " : "", len, shipped[i]->d_name);
		free(shipped[i]);
	}
	free(shipped);
	diag_error_at(&c->diags, s, 0, 0, "",
		      "no shipped policy has this name; there are %s. The path of a "
		      "file has a / or a suffix",
		      *names ? names : "none");
}

/* Every file says which version it is written in. */
static void check_version(struct compiler *c, const struct node *root)
{
	if (root->kind == NODE_MAP && !node_find(root, "version"))
		diag_error_at(&c->diags, root->source, 1, 1, "version", "is missing; write version: 1");
}

static void read_files(struct compiler *c)
{
	for (size_t i = 0; i < c->in->n_files; i++) {
		const char *path = path_of(c, c->in->files[i]);
		const struct source *s = source_new(c, path ? path : c->in->files[i], false);
		struct node *root = path ? yaml_load(&c->diags, s, path) : NULL;
		if (!path)
			say_unshipped(c, s);
		if (root)
			check_version(c, root);
		add(c, root);
	}
}

/* Each is a policy of one rule, whose path is its own. */
static void read_rules(struct compiler *c)
{
	const struct source *s = source_new(c, "--rule", true);

	for (size_t i = 0; i < c->in->n_rules; i++) {
		struct node *rule = ruleline_read(&c->diags, s, (unsigned)i + 1, c->in->rules[i]);
		if (!rule)
			continue;
		struct node *list = node_new(&c->arena, NODE_LIST, s, rule->line, rule->col);
		node_append(list, rule, NULL);
		rule->parent = NULL;
		add(c, document_of(c, s, "rules", list));
	}
}

static void read_sets(struct compiler *c)
{
	const struct source *s = source_new(c, "--set", true);

	if (!c->in->n_sets)
		return;
	add(c, node_new(&c->arena, NODE_MAP, s, 1, 1));
	for (size_t i = 0; i < c->in->n_sets; i++)
		setting_apply(&c->diags, s, (unsigned)i + 1, c->in->sets[i], c->documents, c->n);
}

static void read_option(struct compiler *c, const char *name, const char *key, const char *value)
{
	const struct source *s = source_new(c, name, true);

	if (value)
		add(c, document_of(c, s, key, node_scalar(&c->arena, s, 0, 0, value, strlen(value))));
}

/* ---- the whole ---- */

/* All of it, as far as it can be read: the last word of each scalar, all rules, all names. */
static struct object *merge(struct compiler *c)
{
	static const struct source nowhere = {.name = ""};
	struct object *top = NULL;

	add(c, node_new(&c->arena, NODE_MAP, &nowhere, 0, 0));
	for (unsigned i = 0; i < c->n; i++) {
		struct object *o = object_read(&c->diags, &table_policy, c->documents[i]);
		if (top)
			object_merge(&c->arena, top, o);
		else
			top = o;
	}
	return top;
}

static bool load(struct compiler *c, const struct compile_input *in)
{
	*c = (struct compiler){.in = in};
	c->diags.arena = &c->arena;
	c->documents = arena_alloc(&c->arena, (in->n_files + in->n_rules + 4) * sizeof(struct node *));
	read_files(c);
	read_rules(c);
	read_sets(c);
	read_option(c, "--mode", "mode", in->mode);
	read_option(c, "--seed", "seed", in->seed);
	policy_resolve(&c->policy, &c->diags, merge(c));
	if (!c->diags.errors)
		warn_policy(&c->policy);
	return !c->diags.errors;
}

static void unload(struct compiler *c)
{
	arena_free(&c->arena);
}

/* 32 bits: short enough to be typed again. */
static uint64_t draw_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		return seed;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint32_t)(t.tv_nsec ^ t.tv_sec);
}

static bool rule_draws(const struct policy_rule *r)
{
	const struct object *when = object_sub(r->object, KEY_rule_when);
	bool draws = when && object_has(when, KEY_when_chance);

	for (unsigned i = 0; i < r->n_steps; i++)
		draws |= object_has(r->steps[i].what, KEY_do_jitter);
	return draws;
}

static void fill(struct compiled *out, const struct compiler *c)
{
	const struct object *top = c->policy.top;

	out->seed = object_has(top, KEY_policy_seed) ? (uint64_t)object_num(top, KEY_policy_seed, 0) : draw_seed();
	out->mode = c->policy.mode;
	out->n_rules = c->policy.n_rules;
	for (unsigned i = 0; i < c->policy.n_rules; i++)
		out->draws |= rule_draws(&c->policy.rules[i]);
	out->image = image_make(&c->policy, out->seed, &out->size);
}

int compile_policy(const struct compile_input *in, struct compiled *out, FILE *diagnostics)
{
	struct compiler c;

	*out = (struct compiled){0};
	if (load(&c, in)) {
		fill(out, &c);
		const char *wrong = out->image ? rules_check(out->image, out->size)
					       : "the rules name too much: over 64 MiB";
		if (wrong) {
			free(out->image);
			out->image = NULL;
			diag_error_at(&c.diags, source_new(&c, "policy", false), 0, 0, "", "%s", wrong);
		}
	}
	out->errors = c.diags.errors;
	out->warnings = c.diags.warnings;
	if (diagnostics)
		diag_print(&c.diags, diagnostics);
	unload(&c);
	return out->errors ? -1 : 0;
}

void compile_free(struct compiled *c)
{
	free(c->image);
	c->image = NULL;
	c->size = 0;
}

/* What was left to be understood stands in the canonical form: version, mode, names of rules. */
static void say(struct compiler *c, const struct object *o, unsigned key, const char *text)
{
	struct value *v = arena_alloc(&c->arena, sizeof(*v));

	*v = (struct value){.node = o->node, .text = text};
	o->slots[key] = (struct slot){.node = o->node, .n = 1, .values = v};
}

static const char *mode_text(uint32_t mode)
{
	for (const struct word *w = table_policy.fields[KEY_policy_mode].words; w->name; w++)
		if ((uint32_t)w->value == mode)
			return w->name;
	return "log";
}

int compile_print(const struct compile_input *in, FILE *out, FILE *diagnostics)
{
	struct compiler c;
	bool ok = load(&c, in);

	if (diagnostics)
		diag_print(&c.diags, diagnostics);
	if (ok) {
		say(&c, c.policy.top, KEY_policy_version, "1");
		say(&c, c.policy.top, KEY_policy_mode, mode_text(c.policy.mode));
		for (unsigned i = 0; i < c.policy.n_rules; i++)
			say(&c, c.policy.rules[i].object, KEY_rule_name, c.policy.rules[i].name);
		object_print(out, c.policy.top, 0);
	}
	unload(&c);
	return ok ? 0 : -1;
}
