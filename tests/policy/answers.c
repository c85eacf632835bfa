/* answers: what an errno asks of the socket, and that the facts of a call follow from it. */
#include "image.h"

#include <errno.h>
#include <policy/answers.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_errno, ETIMEDOUT).protos, 1 << SNAG_PROTO_TCP);
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_errno, ECONNREFUSED).protos,
			 1 << SNAG_PROTO_TCP | 1 << SNAG_PROTO_UNIX);
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_errno, ENETUNREACH).protos, ~(1u << SNAG_PROTO_UNIX));
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_errno, ENOENT).protos, 1 << SNAG_PROTO_UNIX);
	assert_int_equal(answers_of(SNAG_CALL_bind, SNAG_ACTION_errno, EADDRNOTAVAIL).protos, ~(1u << SNAG_PROTO_UNIX));
	assert_int_equal(answers_of(SNAG_CALL_bind, SNAG_ACTION_errno, EROFS).protos, 1 << SNAG_PROTO_UNIX);
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_errno, EACCES).protos, ~0u);
	assert_int_equal(answers_of(SNAG_CALL_bind, SNAG_ACTION_errno, ETIMEDOUT).protos, ~0u);
	assert_int_equal(answers_of(SNAG_CALL_accept, SNAG_ACTION_errno, EINTR).wait, ANSWERS_BLOCKING);
	assert_int_equal(answers_of(SNAG_CALL_accept4, SNAG_ACTION_errno, EINTR).wait, ANSWERS_BLOCKING);
	assert_int_equal(answers_of(SNAG_CALL_accept, SNAG_ACTION_errno, EMFILE).wait, ANSWERS_ANY);
	assert_int_equal(answers_of(SNAG_CALL_close, SNAG_ACTION_errno, EINTR).wait, ANSWERS_ANY);
	assert_int_equal(answers_of(SNAG_CALL_readv, SNAG_ACTION_errno, EINTR).wait, ANSWERS_BLOCKING);
	assert_int_equal(answers_of(SNAG_CALL_sendfile, SNAG_ACTION_errno, EAGAIN).wait, ANSWERS_NONBLOCKING);
	assert_true(answers_of(SNAG_CALL_read, SNAG_ACTION_clamp, 0).stream);
	assert_int_equal(answers_of(SNAG_CALL_accept, SNAG_ACTION_reset, 0).protos, 1 << SNAG_PROTO_TCP);
	assert_int_equal(answers_of(SNAG_CALL_bind, SNAG_ACTION_time_wait, 0).protos, 1 << SNAG_PROTO_TCP);
	assert_int_equal(answers_of(SNAG_CALL_close, SNAG_ACTION_steal, 0).protos,
			 1 << SNAG_PROTO_TCP | 1 << SNAG_PROTO_UDP);
	assert_int_equal(answers_of(SNAG_CALL_connect, SNAG_ACTION_self_connect, 0).protos, 1 << SNAG_PROTO_TCP);
	assert_int_equal(answers_denied(SNAG_CALL_connect), ECONNREFUSED);
	assert_int_equal(answers_denied(SNAG_CALL_bind), EACCES);
}

/* A rule whose errno asks for a blocking socket makes its calls find out, and no other. */
static void test_facts(void **state)
{
	struct image_builder *b = image_begin(SNAG_MODE_INJECT, 1);
	struct rules *r;

	(void)state;
	image_rule(b, "r", (unsigned[]){SNAG_CALL_accept4, SNAG_CALL_close, 0});
	*image_step(b) = (struct rule_step){.action = SNAG_ACTION_errno, .err = EINTR};
	r = image_end(b);
	assert_int_equal(r->call[SNAG_CALL_accept4].facts, SNAG_FACT_BLOCKING);
	assert_int_equal(r->call[SNAG_CALL_accept].facts, 0);
	assert_int_equal(r->call[SNAG_CALL_close].facts, 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
