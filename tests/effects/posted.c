/* posted.c - the occupants in the session's file: what is set is got whole, and nothing that cannot be. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <effects/posted.h>
#include <pthread.h>
#include <snag/call.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct occupant_post a_post(uint32_t entry)
{
	return (struct occupant_post){ .fd = (int32_t)entry, .entry = entry, .as = SNAG_OCCUPANT_LISTENING,
				       .proto = SNAG_PROTO_TCP, .begin_ns = entry, .until_ns = entry,
				       .addr = { .family = AF_INET, .port = 80, .ip = { 127, 0, 0, 1 } } };
}

static void test_set_and_got(void **state)
{
	struct posted *t = calloc(1, sizeof(*t));
	struct occupant_post p = a_post(7), got;

	(void)state;
	assert_false(posted_get(t, 3, &got));
	posted_set(t, 3, &p);
	assert_true(posted_get(t, 3, &got));
	assert_memory_equal((char *)&got + sizeof(got.version), (char *)&p + sizeof(p.version), sizeof(p) - sizeof(p.version));
	assert_false(posted_get(t, 4, &got));
	posted_set(t, 3, NULL);
	assert_false(posted_get(t, 3, &got));
	t->made = UINT32_MAX;	/* 0 is no version */
	posted_set(t, 3, &p);
	assert_true(posted_get(t, 3, &got));
	free(t);
}

static void test_what_cannot_be(void **state)
{
	struct posted *t = calloc(1, sizeof(*t));
	struct occupant_post wrong[5], got;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		wrong[i] = a_post(1);
	wrong[0].as = SNAG_OCCUPANTS;
	wrong[1].proto = SNAG_PROTO_UNIX;
	wrong[2].addr.family = AF_UNIX;
	wrong[3].rule = 1;
	wrong[4].entry = OCCUPANT_NO_ENTRY;
	for (unsigned i = 0; i < 5; i++) {
		posted_set(t, i, &wrong[i]);
		assert_false(posted_get(t, i, &got));
	}
	free(t);
}

#define ROUNDS 200000

static void *writes(void *arg)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		struct occupant_post p = a_post(i);
		posted_set(arg, 0, &p);
	}
	return NULL;
}

/* Beside a writer a reader has one version or none. */
static void test_whole_or_not(void **state)
{
	struct posted *t = calloc(1, sizeof(*t));
	struct occupant_post p;
	pthread_t writer;
	uint32_t last = 0;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, writes, t), 0);
	while (last != ROUNDS) {
		if (!posted_get(t, 0, &p))
			continue;
		assert_true(p.entry >= last);
		assert_true(p.fd == (int32_t)p.entry && p.begin_ns == p.entry && p.until_ns == p.entry);
		last = p.entry;
	}
	pthread_join(writer, NULL);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_got),
		cmocka_unit_test(test_what_cannot_be),
		cmocka_unit_test(test_whole_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
