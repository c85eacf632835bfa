/* index: the port sets, and the facts that a call's rules ask for. */
#include "image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Many rules that each name a port: the set lets exactly those ports through. */
static void test_port_sets(void **state)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);
	struct rules *r;

	(void)state;
	for (int i = 0; i < 500; i++) {
		image_rule(b, "r", (unsigned[]){SNAG_CALL_bind, 0});
		image_range(b, RULE_KEY_LOCAL_PORT, 2 * i, 2 * i);
		*image_step(b) = (struct rule_step){.action = SNAG_ACTION_deny};
		image_rule(b, "r", (unsigned[]){SNAG_CALL_connect, SNAG_CALL_close, 0});
		image_range(b, RULE_KEY_PEER_PORT, 3 * i, 3 * i);
		*image_step(b) = (struct rule_step){.delay_ns = 1};
	}
	image_rule(b, "r", (unsigned[]){SNAG_CALL_close, 0});	/* one without a port: no set for close */
	*image_step(b) = (struct rule_step){.delay_ns = 1};
	r = image_end(b);
	assert_null(rules_check(r, r->size));
	for (uint32_t port = 0; port < 65536; port++) {
		assert_int_equal(rules_speak_of(r, SNAG_CALL_bind, (uint16_t)port, 0), port < 1000 && port % 2 == 0);
		assert_int_equal(rules_speak_of(r, SNAG_CALL_connect, 0, (uint16_t)port), port < 1500 && port % 3 == 0);
	}
	assert_true(rules_speak_of(r, SNAG_CALL_close, 1, 1));
	assert_false(rules_speak_of(r, SNAG_CALL_listen, 0, 0));
	free(r);
}

/* A port without a side: each call's set is of the port that the call acts on. */
static void test_own_port_sets(void **state)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);
	struct rules *r;

	(void)state;
	for (int i = 0; i < 10; i++) {
		image_rule(b, "r", (unsigned[]){SNAG_CALL_bind, SNAG_CALL_connect, 0});
		image_range(b, RULE_KEY_OWN_PORT, 80 + i, 80 + i);
		*image_step(b) = (struct rule_step){.delay_ns = 1};
	}
	r = image_end(b);
	assert_null(rules_check(r, r->size));
	assert_int_equal(r->ports.n, 2);
	assert_true(rules_speak_of(r, SNAG_CALL_bind, 85, 1));
	assert_false(rules_speak_of(r, SNAG_CALL_bind, 1, 85));
	assert_true(rules_speak_of(r, SNAG_CALL_connect, 1, 85));
	assert_false(rules_speak_of(r, SNAG_CALL_connect, 85, 1));
	free(r);
}

/* A set has the ports of every alternative, and there is none where one of them names no port. */
static void test_alternative_port_sets(void **state)
{
	(void)state;
	for (int named = 0; named < 2; named++) {
		struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);
		struct rules *r;
		for (int i = 0; i < 10; i++) {
			image_rule(b, "r", (unsigned[]){SNAG_CALL_bind, 0});
			image_range(b, RULE_KEY_LOCAL_PORT, 80 + i, 80 + i);
			image_alternative(b, 1);
			image_range(b, RULE_KEY_PROTO, SNAG_PROTO_UDP, SNAG_PROTO_UDP);
			image_alternative(b, 2);
			image_range(b, i < 9 || named ? RULE_KEY_LOCAL_PORT : RULE_KEY_PEER_PORT, 180 + i, 180 + i);
			image_alternative(b, 2);
			*image_step(b) = (struct rule_step){.delay_ns = 1};
			image_rule(b, "r", (unsigned[]){SNAG_CALL_connect, 0});	/* what must hold names the port */
			image_range(b, RULE_KEY_PEER_PORT, 80 + i, 80 + i);
			image_text(b, RULE_KEY_PATH, "*");
			image_alternative(b, 1);
			image_range(b, RULE_KEY_PEER_PORT, 180 + i, 180 + i);
			image_alternative(b, 2);
			*image_step(b) = (struct rule_step){.delay_ns = 1};
		}
		r = image_end(b);
		assert_null(rules_check(r, r->size));
		assert_true(rules_speak_of(r, SNAG_CALL_bind, 85, 0));
		assert_true(rules_speak_of(r, SNAG_CALL_bind, 185, 0));
		assert_int_equal(rules_speak_of(r, SNAG_CALL_bind, 285, 0), !named);
		assert_true(rules_speak_of(r, SNAG_CALL_connect, 0, 85));
		assert_false(rules_speak_of(r, SNAG_CALL_connect, 0, 185));
		free(r);
	}
}

static void test_facts(void **state)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);
	struct rules *r;

	(void)state;
	image_rule(b, "r", (unsigned[]){SNAG_CALL_accept, 0});
	image_range(b, RULE_KEY_QUEUE, 1, 5);
	image_range(b, RULE_KEY_LOCAL_PORT, 1, 5);
	*image_step(b) = (struct rule_step){.action = SNAG_ACTION_errno, .err = EINTR};
	image_rule(b, "r", (unsigned[]){SNAG_CALL_shutdown, 0});
	image_range(b, RULE_KEY_LOCAL_PORT, 1, 5);
	*image_step(b) = (struct rule_step){.delay_ns = 1};
	image_rule(b, "r", (unsigned[]){SNAG_CALL_bind, 0});
	image_range(b, RULE_KEY_TIME_WAIT, 1, 5);
	*image_step(b) = (struct rule_step){.delay_ns = 1};
	image_rule(b, "r", (unsigned[]){SNAG_CALL_connect, SNAG_CALL_dup, SNAG_CALL_listen, 0});
	image_range(b, RULE_KEY_OWN_PORT, 1, 5);
	*image_step(b) = (struct rule_step){.delay_ns = 1};
	r = image_end(b);
	assert_int_equal(r->call[SNAG_CALL_accept].facts, SNAG_FACT_QUEUE | SNAG_FACT_BLOCKING);
	assert_int_equal(r->call[SNAG_CALL_shutdown].facts, SNAG_FACT_LOCAL);
	assert_int_equal(r->call[SNAG_CALL_close].facts, SNAG_FACT_TCP_STATE);
	assert_int_equal(r->call[SNAG_CALL_connect].facts, 0);	/* the peer is its argument */
	assert_int_equal(r->call[SNAG_CALL_dup].facts, SNAG_FACT_LOCAL);
	assert_int_equal(r->call[SNAG_CALL_listen].facts, 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_sets),
		cmocka_unit_test(test_own_port_sets),
		cmocka_unit_test(test_alternative_port_sets),
		cmocka_unit_test(test_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
