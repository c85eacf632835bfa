/* TIME_WAIT of the virtual kernel: who leaves one, for how long, and in whose way it is. */
#include "drive.h"

#include <model/waits.h>

#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEC 1000000000ull
#define SERVER 8080
#define CLIENT 40000

static const struct snag_kernel minute = {
	.given = SNAG_KERNEL_TIME_WAIT, .clock = 1, .time_wait_ns = 60 * SEC, .tw_buckets = 0,
};

/* The server's end of a connection: socket 1, with these options. */
static struct drive *connected(int reuseaddr)
{
	struct drive *d = drive_begin();
	struct model_facts f = {
		.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_ESTABLISHED, .domain = AF_INET, .type = SOCK_STREAM,
		.options = reuseaddr ? SNAG_OPTION_REUSEADDR : 0,
		.local = drive_addr("127.0.0.1", SERVER), .peer = drive_addr("127.0.0.1", CLIENT),
	};

	d->proto[1] = SNAG_PROTO_TCP;
	d->domain[1] = AF_INET;
	model_adopt(d->m, 1, 1, &f, d->now_ns);
	return d;
}

static struct snag_call closing(const struct drive *d, unsigned call, unsigned tcp_state)
{
	struct snag_call c = drive_call(d, call, 1);

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_UNREAD | SNAG_FACT_LINGER | SNAG_FACT_LOCAL;
	c.tcp_state = (uint8_t)tcp_state;
	c.local = drive_addr("127.0.0.1", SERVER);
	return c;
}

static const struct {
	const char *source;
	unsigned call, tcp_state;
	int unread, linger;
	bool leaves;
} ends[] = {
	{"RFC 9293, 3.6: the first FIN", SNAG_CALL_close, TCP_ESTABLISHED, 0, 0, true},
	{"RFC 9293, 3.6: the second FIN", SNAG_CALL_close, TCP_CLOSE_WAIT, 0, 0, false},
	{"tcp_close(): FIN sent, none received", SNAG_CALL_close, TCP_FIN_WAIT2, 0, 0, true},
	{"tcp_close(): both at once", SNAG_CALL_close, TCP_CLOSING, 0, 0, true},
	{"__tcp_close(): data_was_unread", SNAG_CALL_close, TCP_ESTABLISHED, 1, 0, false},
	{"__tcp_close(): SOCK_LINGER and no sk_lingertime", SNAG_CALL_close, TCP_ESTABLISHED, 0, 1, false},
	{"__tcp_close(): SO_LINGER of five seconds", SNAG_CALL_close, TCP_ESTABLISHED, 0, 6, true},
	{"a reset connection", SNAG_CALL_close, TCP_CLOSE, 0, 0, false},
	{"never connected", SNAG_CALL_close, TCP_SYN_SENT, 0, 0, false},
	{"tcp_shutdown()", SNAG_CALL_shutdown, TCP_ESTABLISHED, 0, 0, true},
	{"tcp_shutdown() with unread data: no RST", SNAG_CALL_shutdown, TCP_ESTABLISHED, 1, 0, true},
	{"tcp_shutdown(), the second FIN", SNAG_CALL_shutdown, TCP_CLOSE_WAIT, 0, 0, false},
};

static void test_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(ends); i++) {
		struct drive *d = connected(0);
		struct snag_call c = closing(d, ends[i].call, ends[i].tcp_state);
		c.unread = ends[i].unread;
		c.linger = ends[i].linger;
		waits_closed(d->m, &minute, 1, &c, SEC);
		if (waits_count(d->m, SERVER, 2 * SEC) != ends[i].leaves)
			fail_msg("row %u: %s", i, ends[i].source);
		drive_end(d);
	}
}

/* inet_csk_bind_conflict(): what TIME_WAIT has copied of the options counts, and whose it was does not. */
static const struct {
	const char *addr;
	unsigned options, new;
	bool refused;
} binders[] = {
	{"127.0.0.1", 0, 0, true},
	{"0.0.0.0", 0, 0, true},
	{"::", 0, 0, true},
	{"::", 0, SNAG_OPTION_V6ONLY, false},
	{"127.0.0.2", 0, 0, false},
	{"127.0.0.1", 0, SNAG_OPTION_REUSEADDR, true},
	{"127.0.0.1", SNAG_OPTION_REUSEADDR, 0, true},
	{"127.0.0.1", SNAG_OPTION_REUSEADDR, SNAG_OPTION_REUSEADDR, false},
};

static void test_binders(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(binders); i++) {
		struct drive *d = connected(binders[i].options != 0);
		struct snag_call c = closing(d, SNAG_CALL_close, TCP_ESTABLISHED);
		struct bind_claim new = {.addr = drive_addr(binders[i].addr, SERVER), .uid = 7};
		new.options = (uint8_t)binders[i].new;
		new.domain = new.addr.family;
		waits_closed(d->m, &minute, 1, &c, SEC);
		if ((waits_refuse(d->m, &minute, &new, 2 * SEC) != 0) != binders[i].refused)
			fail_msg("row %u", i);
		drive_end(d);
	}
}

static void test_clock(void **state)
{
	struct snag_kernel fast = minute;
	struct bind_claim new = {.addr = drive_addr("127.0.0.1", SERVER), .domain = AF_INET};
	struct drive *d = connected(0);
	struct snag_call c = closing(d, SNAG_CALL_close, TCP_ESTABLISHED);

	(void)state;
	fast.clock = 100;
	waits_closed(d->m, &fast, 1, &c, SEC);
	assert_int_not_equal(waits_refuse(d->m, &fast, &new, SEC + 599999999), 0);
	assert_false(waits_past(d->m, &new, SEC + 599999999));
	assert_int_equal(waits_refuse(d->m, &fast, &new, SEC + 600000000), 0);
	assert_true(waits_past(d->m, &new, SEC + 600000000));
	assert_false(waits_past(d->m, &new, SEC + 200 * SEC));
	drive_end(d);
}

static void test_doubt(void **state)
{
	struct bind_claim new = {.addr = drive_addr("127.0.0.1", SERVER), .domain = AF_INET};
	struct drive *d = connected(0);
	uint32_t wait;

	(void)state;
	waits_closed(d->m, &minute, 1, NULL, SEC);	/* killed */
	wait = waits_refuse(d->m, &minute, &new, 2 * SEC);
	assert_true(waits_doubtful(d->m, wait));
	drive_end(d);
}

static void test_buckets(void **state)
{
	struct snag_kernel one = minute;
	struct drive *d = connected(0);
	struct snag_call c = closing(d, SNAG_CALL_close, TCP_ESTABLISHED);

	(void)state;
	one.given |= SNAG_KERNEL_TW_BUCKETS;
	one.tw_buckets = 1;
	waits_closed(d->m, &one, 1, &c, SEC);
	assert_int_equal(waits_all(d->m, 2 * SEC), 1);
	c.local.port = 1;	/* another one */
	waits_closed(d->m, &one, 1, &c, 3 * SEC);
	assert_int_equal(waits_all(d->m, 4 * SEC), 1);
	assert_int_equal(waits_count(d->m, 1, 4 * SEC), 0);
	drive_end(d);
}

/* The peer's end is closed later: the time begins anew. A new connection ends it. */
static void test_peer(void **state)
{
	struct drive *d = connected(0);
	struct snag_call c = closing(d, SNAG_CALL_close, TCP_ESTABLISHED);
	struct snag_addr server = drive_addr("127.0.0.1", SERVER), client = drive_addr("127.0.0.1", CLIENT);

	(void)state;
	waits_closed(d->m, &minute, 1, &c, SEC);
	model_forget(d->m, 1, SEC);
	struct model_facts f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_ESTABLISHED, .domain = AF_INET,
				.local = client, .peer = server};
	model_adopt(d->m, 1, 1, &f, SEC);
	c = closing(d, SNAG_CALL_close, TCP_CLOSE_WAIT);
	c.local = client;
	waits_closed(d->m, &minute, 1, &c, 31 * SEC);
	assert_int_not_equal(waits_tuple(d->m, &server, &client, 90 * SEC), 0);
	assert_int_equal(waits_tuple(d->m, &server, &client, 91 * SEC), 0);
	waits_resumed(d->m, &server, &client);
	assert_int_equal(waits_tuple(d->m, &server, &client, 32 * SEC), 0);
	drive_end(d);
}

/* More than there are places: the oldest give way, and every chain stays whole. */
static void test_many(void **state)
{
	struct drive *d = connected(0);
	struct snag_call c = closing(d, SNAG_CALL_close, TCP_ESTABLISHED);

	(void)state;
	for (unsigned i = 0; i < MODEL_WAITS + 5000; i++) {
		c.local.port = (uint16_t)(1 + i % 60000);
		waits_closed(d->m, &minute, 1, &c, SEC + i);
	}
	assert_int_equal(waits_all(d->m, 2 * SEC), MODEL_WAITS);
	assert_int_equal(waits_count(d->m, 1, 2 * SEC), 0);
	assert_int_equal(waits_count(d->m, 5001, 2 * SEC), 1);
	memset(d->m->waits.chain, 0xff, sizeof(d->m->waits.chain));	/* scribbled on */
	assert_int_equal(waits_count(d->m, 5001, 2 * SEC), 0);
	waits_check(d->m);
	assert_int_equal(waits_count(d->m, 5001, 2 * SEC), 1);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),	cmocka_unit_test(test_binders), cmocka_unit_test(test_clock),
		cmocka_unit_test(test_doubt),	cmocka_unit_test(test_buckets), cmocka_unit_test(test_peer),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
