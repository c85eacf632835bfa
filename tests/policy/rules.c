/* rules: which images are taken, and that a damaged one harms nobody. */
#include "image.h"
#include <policy/match.h>
#include <policy/trigger.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

static const unsigned BIND[] = {SNAG_CALL_bind, 0};
static const unsigned ACCEPT[] = {SNAG_CALL_accept, SNAG_CALL_accept4, 0};

static struct rules *some_image(void)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);

	image_rule(b, "one", BIND);
	image_range(b, RULE_KEY_LOCAL_PORT, 80, 90);
	image_text(b, RULE_KEY_EXE, "nginx");
	image_net(b, RULE_KEY_LOCAL_ADDR, "10.0.0.0/8");
	image_when(b)->nth_lo = image_when(b)->nth_hi = 3;
	*image_step(b) = (struct rule_step){.action = SNAG_ACTION_errno, .err = EACCES};
	image_rule(b, "two", ACCEPT);
	image_text(b, RULE_KEY_PATH, "/run/*.sock");
	image_alternative(b, 1);
	image_range(b, RULE_KEY_OWN_PORT, 80, 90);
	image_alternative(b, 2);
	image_net(b, RULE_KEY_OWN_ADDR, "::1");
	image_alternative(b, 2);
	image_when(b)->has_chance = 1;
	image_when(b)->chance = 1ull << 31;
	image_when(b)->per = RULE_PER_SOCKET;
	*image_step(b) = (struct rule_step){.times = 2, .delay_ns = 5, .jitter_ns = 9};
	struct rule_step *s = image_step(b);
	s->has_log = 1;
	s->log = image_string(b, "hello");
	for (int i = 0; i < 10; i++) {
		image_rule(b, "more", (const unsigned[]){SNAG_CALL_connect, 0});
		image_range(b, RULE_KEY_PEER_PORT, 1000 + i, 1000 + i);
		*image_step(b) = (struct rule_step){.action = SNAG_ACTION_deny};
	}
	return image_end(b);
}

static void test_accepts(void **state)
{
	struct rules *r = some_image();

	(void)state;
	assert_null(rules_check(r, r->size));
	assert_string_equal(rules_string(r, rules_rule(r, 1)->name), "two");
	assert_null(rules_rule(r, 12));
	assert_int_equal(r->ports.n, 2);	/* the rules of bind and of connect all name a port */
	free(r);
	r = image_end(image_begin(SNAG_MODE_LOG, 0));
	assert_null(rules_check(r, r->size));
	free(r);
}

#define REFUSE(what)                                                                                                   \
	do {                                                                                                           \
		struct rules *r = some_image();                                                                        \
		struct rule *rule = (struct rule *)rules_rule(r, 0);                                                   \
		struct rule_match *match = (struct rule_match *)rules_match(r, 0);                                     \
		struct rule_value *value = (struct rule_value *)rules_value(r, 0);                                     \
		struct rule_step *step = (struct rule_step *)rules_step(r, 0);                                         \
		size_t size = r->size;                                                                                 \
		(void)rule, (void)match, (void)value, (void)step;                                                      \
		what;                                                                                                  \
		if (!rules_check(r, size))                                                                             \
			fail_msg("taken: %s", #what);                                                                  \
		free(r);                                                                                               \
	} while (0)

static void test_refuses(void **state)
{
	(void)state;
	assert_non_null(rules_check(NULL, 0));
	REFUSE(size = 10);
	REFUSE(size--);
	REFUSE(r->magic++);
	REFUSE(r->version++);
	REFUSE(r->size = 4);
	REFUSE(r->mode = 77);
	REFUSE(r->rule.n = SNAG_RULES_MAX + 1);
	REFUSE(r->rule.offset = 0);
	REFUSE(r->rule.offset++);
	REFUSE(r->match.offset = r->size);
	REFUSE(r->value.n = UINT32_MAX);
	REFUSE(r->step.offset = UINT32_MAX & ~7u);
	REFUSE(r->strings.n--);
	REFUSE(r->ports.n++);
	REFUSE(rule->name = r->strings.n);
	REFUSE(rule->first_match = UINT32_MAX);
	REFUSE(rule->n_matches = UINT32_MAX);
	REFUSE(rule->n_steps = 0);
	REFUSE(rule->first_step = 9999);
	REFUSE(rule->when.per = 99);
	REFUSE(match->key = RULE_KEYS);
	REFUSE(match->n_values = 999);
	REFUSE(match[0].alternative = 1);	/* before one that must hold */
	REFUSE(match[2].alternative = 2);	/* without a first */
	REFUSE(match[3].alternative = 2);
	REFUSE(match[4].alternative = 0);
	REFUSE(match[5].alternative = 4);
	REFUSE(match[5].alternative = UINT16_MAX);
	REFUSE(value->string = r->strings.n);
	REFUSE(value->prefix = 129);
	REFUSE(step->action = SNAG_ACTIONS);
	REFUSE(step->err = -1);
	REFUSE(step->signal = 65);
	REFUSE(step->has_log = 1; step->log = r->strings.n);
	REFUSE(*(uint16_t *)((char *)r + r->by_call.offset) = (uint16_t)r->rule.n);
	REFUSE(r->call[SNAG_CALL_bind].n = 9999);
	REFUSE(r->call[SNAG_CALL_bind].first = UINT32_MAX);
	REFUSE(r->call[SNAG_CALL_bind].ports = (uint16_t)(r->ports.n + 1));
}

/* What every reader does with an image, for calls that touch all of it. */
static void use(const struct rules *r, struct trigger_table *t)
{
	static const char path[] = "/run/x.sock";
	struct match_view v = {.path = path, .path_len = sizeof(path) - 1};
	struct snag_call c = {.facts = 0xffff, .serial = 1, .path_len = 5, .path = "/run/", .caller = "libc"};
	uint64_t draw;

	memcpy(c.who.exe, "nginx", 6);
	for (unsigned call = 0; call < SNAG_CALLS; call++) {
		c.call = (uint16_t)call;
		c.addr = (struct snag_addr){.family = AF_INET, .port = 80, .ip = {10, 1, 1, 1}};
		rules_speak_of(r, call, 80, 1001);
		for (uint32_t i = 0; i < r->call[call].n && i < 64; i++) {
			uint32_t index = rules_by_call(r, call, i), step;
			match_rule(r, rules_rule(r, index), &c, &v);
			step = trigger_fire(t, r, index, &c, 12345678, &draw);
			if (step != TRIGGER_NO_STEP) {
				const struct rule_step *s = rules_step(r, step);
				assert_non_null(s);
				assert_true(s->action < SNAG_ACTIONS);
				assert_true(strlen(rules_string(r, s->log)) < r->strings.n);
				trigger_jitter(draw, s->jitter_ns);
			}
		}
	}
}

/* The image stands in a block of exactly its size, so that a sanitizer sees every byte read behind it. */
static void test_damaged(void **state)
{
	struct rules *good = some_image();
	struct trigger_table *t = calloc(1, sizeof(*t));
	unsigned seed = 1, taken = 0;

	(void)state;
	/* the port set is all data: leave most of it out, flips should meet structure */
	for (int round = 0; round < 20000; round++) {
		uint32_t size = good->size, header = round % 2 ? sizeof(struct rules) : good->ports.offset + 16;
		char *image = malloc(size);
		memcpy(image, good, size);
		for (int flips = 1 + rand_r(&seed) % 3; flips; flips--)
			image[(uint32_t)rand_r(&seed) % header] ^= (char)(1 << rand_r(&seed) % 8);
		if (!rules_check(image, size)) {
			taken++;
			use((struct rules *)image, t);
		}
		free(image);
	}
	assert_true(taken > 100);	/* else nothing was tried */
	free(good);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
