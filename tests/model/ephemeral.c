/* Which port of its range the virtual kernel gives to whom: sequences of connections, each row one question. */
#include "drive.h"

#include <model/ephemeral.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SEC 1000000000ull
#define LOW 40000

static struct snag_kernel kernel(unsigned ports, unsigned reuse)
{
	return (struct snag_kernel){
		.given = SNAG_KERNEL_PORT_RANGE | SNAG_KERNEL_TIME_WAIT, .clock = 1, .time_wait_ns = 60 * SEC,
		.port_lo = LOW, .port_hi = (uint16_t)(LOW + ports - 1), .tw_reuse = (uint8_t)reuse,
		.tw_reuse_delay_ms = 1000,
	};
}

static struct snag_call connect_to(struct drive *d, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c;

	drive_socket(d, sock, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_call(d, SNAG_CALL_connect, sock);
	c.addr = drive_addr(addr, port);
	return c;
}

/* The connection is made, from this port. */
static void connected(struct drive *d, const struct snag_call *c, unsigned port)
{
	struct snag_outcome o = drive_outcome(d, 0);

	o.local = drive_addr("127.0.0.1", port);
	drive_learn(d, c, &o);
}

static unsigned next(struct drive *d, const struct snag_kernel *k, struct snag_call c)
{
	uint32_t at = 0;

	c.start_ns = d->now_ns;
	return ephemeral_port(d->m, k, &c, &at);
}

/* __inet_hash_connect(): the 4-tuple must be new; another peer may share the port. */
static void test_connect(void **state)
{
	struct snag_kernel k = kernel(2, 0);
	struct drive *d = drive_begin();
	struct snag_call c;
	unsigned first, second;

	(void)state;
	c = connect_to(d, 1, "127.0.0.1", 80);
	first = next(d, &k, c);
	assert_in_range(first, LOW, LOW + 1);
	connected(d, &c, first);
	c = connect_to(d, 2, "127.0.0.1", 80);
	second = next(d, &k, c);
	assert_int_equal(second, 2 * LOW + 1 - first);
	connected(d, &c, second);
	c = connect_to(d, 3, "127.0.0.1", 80);
	assert_int_equal(next(d, &k, c), 0);
	c = connect_to(d, 4, "127.0.0.1", 81);
	assert_int_not_equal(next(d, &k, c), 0);
	c = connect_to(d, 5, "127.0.0.2", 80);
	assert_int_not_equal(next(d, &k, c), 0);
	drive_end(d);
}

/* The same: a bucket with somebody who has bound the port is passed over, whatever his address. */
static void test_bound(void **state)
{
	struct snag_kernel k = kernel(1, 0);
	struct drive *d = drive_begin();
	struct snag_call b, c = connect_to(d, 1, "127.0.0.1", 80);
	struct snag_outcome o = drive_outcome(d, 0);

	(void)state;
	drive_socket(d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	b = drive_bind_call(d, 2, drive_addr("127.0.0.9", LOW));
	drive_learn(d, &b, &o);
	assert_int_equal(next(d, &k, c), 0);
	drive_close(d, 2);
	assert_int_equal(next(d, &k, c), LOW);
	drive_end(d);
}

/* inet_csk_find_open_port(): bind shares with nobody, but another address is another. */
static void test_bind(void **state)
{
	struct snag_kernel k = kernel(1, 0);
	struct drive *d = drive_begin();
	struct snag_call c = connect_to(d, 1, "127.0.0.1", 80), b;

	(void)state;
	connected(d, &c, LOW);
	drive_socket(d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	drive_option(d, 2, SOL_SOCKET, SO_REUSEADDR, 1);
	b = drive_bind_call(d, 2, drive_addr("127.0.0.1", 0));
	assert_int_equal(next(d, &k, b), 0);
	b.addr = drive_addr("0.0.0.0", 0);
	assert_int_equal(next(d, &k, b), 0);
	b.addr = drive_addr("127.0.0.2", 0);
	assert_int_equal(next(d, &k, b), LOW);
	drive_end(d);
}

/* tcp_twsk_unique(): rows of tcp_tw_reuse. */
static void test_reuse(void **state)
{
	static const struct {
		unsigned reuse;
		const char *peer;
		uint64_t after_ns;
		bool taken_over;
	} rows[] = {
		{0, "127.0.0.1", 59 * SEC, false}, {0, "127.0.0.1", 60 * SEC, true},  {1, "127.0.0.1", SEC - 1, false},
		{1, "127.0.0.1", SEC, true},	   {1, "192.0.2.1", SEC, true},	      {2, "127.0.0.1", SEC - 1, false},
		{2, "127.0.0.1", SEC, true},	   {2, "192.0.2.1", 59 * SEC, false}, {2, "192.0.2.1", 60 * SEC, true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snag_kernel k = kernel(1, rows[i].reuse);
		struct drive *d = drive_begin();
		struct model_facts f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_ESTABLISHED, .domain = AF_INET,
					.peer = drive_addr(rows[i].peer, 80)};
		struct snag_call c;
		f.local = drive_addr(rows[i].peer[0] == '1' && rows[i].peer[1] == '2' ? "127.0.0.1" : "192.0.2.7", LOW);
		model_adopt(d->m, 1, 1, &f, d->now_ns);
		waits_closed(d->m, &k, 1, NULL, d->now_ns);
		model_forget(d->m, 1, d->now_ns);
		c = connect_to(d, 2, rows[i].peer, 80);
		d->now_ns = SEC + rows[i].after_ns;
		if ((next(d, &k, c) != 0) != rows[i].taken_over)
			fail_msg("row %u", i);
		drive_end(d);
	}
}

/* Every port comes once, those at an even distance first. */
static void test_order(void **state)
{
	struct snag_kernel k = kernel(5, 0);
	struct drive *d = drive_begin();
	struct snag_call c = connect_to(d, 1, "127.0.0.1", 80);
	uint32_t at = 0;
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		unsigned port = ephemeral_port(d->m, &k, &c, &at);
		assert_in_range(port, LOW, LOW + 4);
		assert_int_equal((port - LOW) % 2, i >= 3);
		seen |= 1u << (port - LOW);
	}
	assert_int_equal(seen, 31);
	assert_int_equal(ephemeral_port(d->m, &k, &c, &at), 0);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect), cmocka_unit_test(test_bound), cmocka_unit_test(test_bind),
		cmocka_unit_test(test_reuse),	cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
