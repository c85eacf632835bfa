/* Sockets that the session never saw: in the way, perhaps in the way, or not at all. */
#include "drive.h"
#include <model/foreign.h>
#include <model/port.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ADDR SNAG_OPTION_REUSEADDR
#define PORT SNAG_OPTION_REUSEPORT

/* What the kernel lets be seen of a foreign socket leaves the answer open only where its options decide. */
static void test_hidden(void **state)
{
	static const struct {
		const char *old;
		uint8_t old_state;
		uint32_t old_uid;
		const char *new;
		uint8_t new_options;
		enum bind_answer answer;
	} rows[] = {
		{"127.0.0.1", SNAG_STATE_LISTEN, 0, "127.0.0.1", 0, BIND_CONFLICT},
		{"127.0.0.1", SNAG_STATE_LISTEN, 0, "127.0.0.1", ADDR, BIND_CONFLICT},	/* a listener heeds only the port */
		{"127.0.0.1", SNAG_STATE_LISTEN, 0, "127.0.0.1", PORT, BIND_UNSURE},
		{"127.0.0.1", SNAG_STATE_LISTEN, 5, "127.0.0.1", PORT, BIND_CONFLICT},	/* another user */
		{"127.0.0.1", SNAG_STATE_BOUND, 0, "127.0.0.1", 0, BIND_CONFLICT},
		{"127.0.0.1", SNAG_STATE_BOUND, 0, "127.0.0.1", ADDR, BIND_UNSURE},
		{"127.0.0.1", SNAG_STATE_TIME_WAIT, 5, "127.0.0.1", PORT, BIND_UNSURE},	/* whichever user */
		{"127.0.0.1", SNAG_STATE_LISTEN, 0, "127.0.0.2", 0, BIND_FREE},
		{"0.0.0.0", SNAG_STATE_LISTEN, 0, "127.0.0.2", ADDR, BIND_CONFLICT},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bind_claim old = {.addr = drive_addr(rows[i].old, 80), .domain = AF_INET, .hidden = ADDR | PORT,
					 .listening = rows[i].old_state == SNAG_STATE_LISTEN,
					 .time_wait = rows[i].old_state == SNAG_STATE_TIME_WAIT, .uid = rows[i].old_uid};
		struct bind_claim new = {.addr = drive_addr(rows[i].new, 80), .domain = AF_INET,
					 .options = rows[i].new_options};
		assert_int_equal(bind_conflict(&new, &old), rows[i].answer);
	}
}

static void test_v6only_hidden(void **state)
{
	struct bind_claim old = {.addr = drive_addr("::", 80), .domain = AF_INET6, .hidden = SNAG_OPTION_V6ONLY};
	struct bind_claim new = {.addr = drive_addr("127.0.0.1", 80), .domain = AF_INET};

	(void)state;
	assert_int_equal(bind_conflict(&new, &old), BIND_UNSURE);
	new = (struct bind_claim){.addr = drive_addr("::1", 80), .domain = AF_INET6};
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
}

static void test_table(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct model_foreign f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .hidden = ADDR | PORT,
				  .domain = AF_INET, .cookie = 7, .local = drive_addr("127.0.0.1", 80)}, out;
	struct bind_claim new = {.addr = drive_addr("127.0.0.1", 80), .domain = AF_INET};
	uint32_t holder;

	(void)state;
	assert_int_equal(port_ask(m, SNAG_PROTO_TCP, 0, &new, 0, &holder), BIND_FREE);
	assert_true(model_foreign_add(m, &f));
	assert_int_equal(port_ask(m, SNAG_PROTO_TCP, 0, &new, 0, &holder), BIND_CONFLICT);
	assert_true(foreign_is(holder) && model_foreign_get(m, holder, &out) && out.cookie == 7);
	assert_int_equal(port_ask(m, SNAG_PROTO_UDP, 0, &new, 0, &holder), BIND_FREE);
	new.addr.port = 81;
	assert_int_equal(port_ask(m, SNAG_PROTO_TCP, 0, &new, 0, &holder), BIND_FREE);
	new.addr.port = 80;
	assert_int_equal(model_foreign_count(m, SNAG_PROTO_TCP, 80), 1);
	model_foreign_clear(m, SNAG_PROTO_TCP, 81);
	assert_int_equal(model_foreign_count(m, SNAG_PROTO_TCP, 80), 1);
	model_foreign_clear(m, SNAG_PROTO_TCP, 80);
	assert_int_equal(port_ask(m, SNAG_PROTO_TCP, 0, &new, 0, &holder), BIND_FREE);
	for (f.uid = 0; f.uid < MODEL_FOREIGNS; f.uid++)
		assert_true(model_foreign_add(m, &f));
	assert_false(model_foreign_add(m, &f));
	f.uid--;
	assert_true(model_foreign_add(m, &f));	/* one that claims the same is there */
	m->foreign_high = 0xffffffff;	/* whatever stands in shared memory */
	assert_int_equal(port_ask(m, SNAG_PROTO_TCP, 0, &new, 0, &holder), BIND_CONFLICT);
	assert_false(model_foreign_get(m, 0, &out) || model_foreign_get(m, SNAG_SOCKS, &out) ||
		     model_foreign_get(m, FOREIGN_FIRST - 1, &out) || model_foreign_get(m, FOREIGN_FIRST + MODEL_FOREIGNS, &out) ||
		     model_foreign_get(m, 0xffffffff, &out));
	free(m);
}

/* Who certainly gets a SYN, and is alone with it? */
static void test_listener(void **state)
{
	static const struct {
		const char *at, *other, *to;	/* other: a second listener, or "" */
		uint8_t options, hidden;
		uint32_t device;
		bool gets;
	} rows[] = {
		{"127.0.0.1", "", "127.0.0.1", 0, 0, 0, true},
		{"0.0.0.0", "", "127.0.0.1", 0, 0, 0, true},
		{"::1", "", "::1", 0, SNAG_OPTION_V6ONLY, 0, true},
		{"::", "", "127.0.0.1", 0, 0, 0, true},
		{"::", "", "::1", SNAG_OPTION_V6ONLY, 0, 0, true},
		{"::", "", "127.0.0.1", SNAG_OPTION_V6ONLY, 0, 0, false},
		{"::", "", "127.0.0.1", 0, SNAG_OPTION_V6ONLY, 0, false},
		{"0.0.0.0", "", "::1", 0, 0, 0, false},
		{"127.0.0.1", "", "::ffff:127.0.0.1", 0, 0, 0, false},
		{"::ffff:127.0.0.1", "", "127.0.0.1", 0, 0, 0, false},
		{"127.0.0.1", "", "127.0.0.1", 0, 0, 1, false},
		{"127.0.0.1", "0.0.0.0", "127.0.0.1", 0, 0, 0, false},
		{"127.0.0.1", "127.0.0.2", "127.0.0.1", 0, 0, 0, true},
		{"127.0.0.2", "", "127.0.0.1", 0, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *m = calloc(1, sizeof(*m));
		struct snag_addr to = drive_addr(rows[i].to, 80);
		struct model_foreign f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .options = rows[i].options,
					  .hidden = rows[i].hidden, .device = rows[i].device,
					  .local = drive_addr(rows[i].at, 80)};
		f.domain = f.local.family;
		assert_true(model_foreign_add(m, &f));
		if (rows[i].other[0]) {
			f.local = drive_addr(rows[i].other, 80);
			assert_true(model_foreign_add(m, &f));
		}
		assert_int_equal(foreign_listener(m, &to) != NULL, rows[i].gets);
		free(m);
	}
}

/* Who connects there does not know what it will meet. */
static void test_listens(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct model_foreign f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .domain = AF_INET,
				  .local = drive_addr("127.0.0.1", 80)};
	struct snag_addr here = drive_addr("127.0.0.1", 80), there = drive_addr("127.0.0.2", 80);
	struct snag_addr mapped = drive_addr("::ffff:127.0.0.1", 80), other = drive_addr("127.0.0.1", 81);

	(void)state;
	assert_false(foreign_listens(m, &here));
	assert_true(model_foreign_add(m, &f));
	assert_true(foreign_listens(m, &here) && foreign_listens(m, &mapped));
	assert_false(foreign_listens(m, &there) || foreign_listens(m, &other));
	f.local = drive_addr("0.0.0.0", 80);
	assert_true(model_foreign_add(m, &f));
	assert_true(foreign_listens(m, &there));
	model_foreign_clear(m, SNAG_PROTO_TCP, 80);
	f.state = SNAG_STATE_BOUND;
	assert_true(model_foreign_add(m, &f));
	assert_false(foreign_listens(m, &there));
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden), cmocka_unit_test(test_v6only_hidden), cmocka_unit_test(test_table),
		cmocka_unit_test(test_listens), cmocka_unit_test(test_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
