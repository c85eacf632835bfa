/* cross: two sockets that connect to each other; sockets that do not hear; how long a closed one waits. */
#include "drive.h"
#include <model/port.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#ifndef IP_MINTTL
#define IP_MINTTL 21
#endif
#define MS 1000000ull

static struct model_machine machine = {.port_low = 40000, .port_high = 40003, .unprivileged_port = 1024,
	.somaxconn = 4096, .timestamps = 1};

enum { A = 1, B, C };

static struct drive *begin(uint32_t fin_timeout_ms, bool no_time_wait)
{
	struct drive *d = drive_begin();

	machine.fin_timeout_ms = fin_timeout_ms;
	machine.no_time_wait = no_time_wait;
	machine.ttl = 64;
	d->machine = &machine;
	for (uint32_t s = A; s <= C; s++)
		drive_socket(d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return d;
}

static struct model_sock get(const struct drive *d, uint32_t sock)
{
	struct model_sock r = {0};

	model_get(d->m, sock, &r);
	return r;
}

static int predicted(const struct drive *d, const struct snag_call *c)
{
	struct model_verdict v = drive_predict(d, c);

	return v.sure == SNAG_CERTAIN ? v.err : -(int)v.unsure;
}

static struct snag_call call_to(const struct drive *d, unsigned call, uint32_t sock, unsigned port)
{
	struct snag_call c = drive_call(d, call, sock);

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_UNREAD;
	c.tcp_state = TCP_CLOSE;
	c.reach = SNAG_REACH_LOCAL;
	c.blocking = 1;
	c.addr = drive_addr("127.0.0.1", port);
	c.addr_family = AF_INET;
	c.addr_len = sizeof(struct sockaddr_in);
	return c;
}

static int binds(struct drive *d, uint32_t sock, unsigned port)
{
	struct snag_call c = call_to(d, SNAG_CALL_bind, sock, port);
	struct snag_outcome o = drive_outcome(d, 0);
	int err = predicted(d, &c);

	if (!err)
		drive_learn(d, &c, &o);
	return err;
}

/* The kernel's answer, and what was foretold. */
static int connects(struct drive *d, uint32_t sock, unsigned from, unsigned to, bool blocking, int err)
{
	struct snag_call c = call_to(d, SNAG_CALL_connect, sock, to);
	struct snag_outcome o = drive_outcome(d, err);
	int foretold;

	c.blocking = blocking;
	foretold = predicted(d, &c);
	o.local = drive_addr("127.0.0.1", from);
	drive_learn(d, &c, &o);
	return foretold;
}

static void closes(struct drive *d, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = call_to(d, SNAG_CALL_close, sock, 0);
	struct snag_outcome o = drive_outcome(d, 0);

	c.tcp_state = tcp_state;
	o.last = 1;
	drive_learn(d, &c, &o);
}

/* A waits in SYN_SENT at 5000 for 6000: it was deaf when the RST came. */
static struct drive *begin_waiting(void)
{
	struct drive *d = begin(60000, false);

	assert_int_equal(binds(d, A, 5000), 0);
	drive_option(d, A, IPPROTO_IP, IP_MINTTL, 255);
	assert_int_equal(connects(d, A, 5000, 6000, false, EINPROGRESS), EINPROGRESS);
	assert_int_equal(get(d, A).state, SNAG_STATE_SYN_SENT);
	assert_int_equal(binds(d, B, 6000), 0);
	return d;
}

static void test_open(void **state)
{
	(void)state;
	for (int blocking = 0; blocking < 2; blocking++) {
		int answer = blocking ? 0 : EINPROGRESS;
		struct drive *d = begin_waiting();
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
		assert_int_equal(connects(d, B, 6000, 5000, blocking, answer), answer);
		assert_int_equal(get(d, A).state, SNAG_STATE_ESTABLISHED);
		assert_int_equal(get(d, B).state, SNAG_STATE_ESTABLISHED);
		assert_int_equal(get(d, A).other, B);
		assert_int_equal(get(d, B).other, A);
		closes(d, B, TCP_ESTABLISHED);
		assert_int_equal(get(d, A).state, SNAG_STATE_CLOSE_WAIT);
		drive_end(d);
	}
}

/* Still deaf, or its first retry may have been refused: nobody knows. */
static void test_open_unsure(void **state)
{
	struct drive *d = begin_waiting();

	(void)state;
	assert_int_equal(connects(d, B, 6000, 5000, true, 0), -SNAG_UNSURE_PEER);
	drive_end(d);
	d = begin_waiting();
	drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
	d->now_ns += 1000 * MS;
	assert_int_equal(connects(d, B, 6000, 5000, true, ECONNREFUSED), -SNAG_UNSURE_PEER);
	drive_end(d);
}

/* What was shut down before it began ends as soon as it is open. */
static void test_open_shut(void **state)
{
	struct drive *d = begin(60000, false);
	struct snag_call c = call_to(d, SNAG_CALL_shutdown, A, 0);
	struct snag_outcome o = drive_outcome(d, ENOTCONN);

	(void)state;
	c.arg[0] = SHUT_WR;
	drive_learn(d, &c, &o);
	binds(d, A, 5000);
	binds(d, B, 6000);
	drive_option(d, A, IPPROTO_IP, IP_MINTTL, 255);
	connects(d, A, 5000, 6000, false, EINPROGRESS);
	drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
	assert_int_equal(connects(d, B, 6000, 5000, true, 0), 0);
	assert_int_equal(get(d, A).state, SNAG_STATE_FIN_WAIT);
	assert_int_equal(get(d, B).state, SNAG_STATE_CLOSE_WAIT);
	drive_end(d);
}

/* A connect that blocks is learned when it returns: both in one call then, in either order. */
static void test_open_late(void **state)
{
	struct drive *d = begin(60000, false);
	struct snag_call a, b;
	struct snag_outcome o = drive_outcome(d, 0);

	(void)state;
	binds(d, A, 5000);
	binds(d, B, 6000);
	a = call_to(d, SNAG_CALL_connect, A, 6000);
	b = call_to(d, SNAG_CALL_connect, B, 5000);
	o.local = drive_addr("127.0.0.1", 6000);
	drive_learn(d, &b, &o);
	o.local = drive_addr("127.0.0.1", 5000);
	drive_learn(d, &a, &o);
	assert_int_equal(get(d, A).other, B);
	assert_int_equal(get(d, B).other, A);
	assert_false(get(d, B).flags & MODEL_DOUBT);
	drive_end(d);
}

/* How long is the port of one that closed first, and whose other end stays open, in the way? */
static void test_fin_wait(void **state)
{
	static const struct {
		uint32_t fin_timeout_ms;
		bool no_time_wait;
		int linger2;
		uint64_t after_ms;
		int expect;
	} rows[] = {
		{60000, false, 0, 59000, EADDRINUSE}, {60000, false, 0, 61000, -SNAG_UNSURE_PEER},
		{60000, false, 0, 66000, 0}, {3000, false, 0, 2900, EADDRINUSE}, {3000, false, 0, 3100, -SNAG_UNSURE_PEER},
		{3000, false, 0, 4000, 0}, {3000, false, 10, 9900, EADDRINUSE}, {3000, false, 10, 12000, 0},
		{60000, false, 1, 1600, 0}, {60000, false, 500, 119000, EADDRINUSE}, {60000, false, -1, 400, 0},
		{100000, false, 0, 79000, EADDRINUSE}, {100000, false, 0, 86000, 0}, {60000, true, 0, 400, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin(rows[i].fin_timeout_ms, rows[i].no_time_wait);
		binds(d, A, 5000);
		binds(d, B, 6000);
		if (rows[i].linger2)
			drive_option(d, B, IPPROTO_TCP, TCP_LINGER2, rows[i].linger2);
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 255);
		connects(d, A, 5000, 6000, false, EINPROGRESS);
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
		connects(d, B, 6000, 5000, true, 0);
		closes(d, B, TCP_ESTABLISHED);
		d->now_ns += rows[i].after_ms * MS;
		if (binds(d, C, 6000) != rows[i].expect)
			fail_msg("row %zu", i);
		drive_end(d);
	}
}

/* The other end's FIN comes too late to make a TIME_WAIT of it; without those, none is made at all. */
static void test_no_time_wait(void **state)
{
	(void)state;
	for (int none = 0; none < 2; none++) {
		struct drive *d = begin(1000, none);
		binds(d, A, 5000);
		binds(d, B, 6000);
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 255);
		connects(d, A, 5000, 6000, false, EINPROGRESS);
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
		connects(d, B, 6000, 5000, true, 0);
		closes(d, B, TCP_ESTABLISHED);
		d->now_ns += none ? 0 : 2000 * MS;
		closes(d, A, TCP_CLOSE_WAIT);
		assert_int_equal(binds(d, C, 6000), 0);
		drive_end(d);
	}
}

static void calls(struct drive *d, unsigned call, uint32_t sock, int arg, int err)
{
	struct snag_call c = call_to(d, call, sock, 0);
	struct snag_outcome o = drive_outcome(d, err);

	c.arg[0] = arg;
	drive_learn(d, &c, &o);
}

/* A FIN that the deaf one has sent is heard, and what it makes TIME_WAIT is beyond what a listener resets at its end. */
static void test_deaf_client(void **state)
{
	(void)state;
	for (int deaf = 0; deaf < 2; deaf++) {
		struct drive *d = begin(60000, false);
		calls(d, SNAG_CALL_shutdown, A, SHUT_WR, ENOTCONN);
		binds(d, A, 5000);
		calls(d, SNAG_CALL_listen, A, 5, 0);
		connects(d, B, 40000, 5000, true, 0);
		assert_int_equal(get(d, B).state, SNAG_STATE_CLOSE_WAIT);
		drive_option(d, B, IPPROTO_IP, IP_MINTTL, deaf ? 255 : 0);
		closes(d, B, TCP_CLOSE_WAIT);
		closes(d, A, TCP_LISTEN);
		assert_int_equal(binds(d, C, 5000), deaf ? -SNAG_UNSURE_PEER : EADDRINUSE);
		drive_end(d);
	}
}

/* One that was bound, and moves to an address where connect() has chosen the port, may be overlooked by who chooses. */
static void test_overlooked(void **state)
{
	static const struct {
		const char *bound, *leaves;
		int expect;
	} rows[] = {
		{"127.0.0.2", "127.0.0.2", EADDRNOTAVAIL}, {"255.255.255.255", "127.0.0.1", -SNAG_UNSURE_PEER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin(60000, false);
		struct snag_call c;
		struct snag_outcome o = drive_outcome(d, 0);
		machine.port_high = machine.port_low;
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 255);
		connects(d, A, 40000, 6000, false, EINPROGRESS);
		c = call_to(d, SNAG_CALL_bind, B, 0);
		c.addr = o.local = drive_addr(rows[i].bound, 40000);
		drive_learn(d, &c, &o);
		c = call_to(d, SNAG_CALL_connect, B, 7000);
		o = drive_outcome(d, EINPROGRESS);
		o.local = drive_addr(rows[i].leaves, 40000);
		drive_option(d, B, IPPROTO_IP, IP_MINTTL, 255);
		drive_learn(d, &c, &o);
		c = call_to(d, SNAG_CALL_connect, C, 8000);
		if (predicted(d, &c) != rows[i].expect)
			fail_msg("row %zu: %d", i, predicted(d, &c));
		machine.port_high = 40003;
		drive_end(d);
	}
}

/* An IPv6 socket that has tried a mapped address sends its SYN there again, whatever it connects to, and may meet what
 * is left of a connection between the same ports. */
static void test_astray(void **state)
{
	(void)state;
	for (int astray = 0; astray < 2; astray++) {
		struct drive *d = begin_waiting();
		struct snag_call c;
		struct snag_outcome o;
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, 0);
		connects(d, B, 6000, 5000, true, 0);
		closes(d, B, TCP_ESTABLISHED);
		closes(d, A, TCP_CLOSE_WAIT);
		drive_socket(d, A, SNAG_PROTO_TCP, AF_INET6, SOCK_STREAM);
		c = call_to(d, SNAG_CALL_connect, A, 0);
		c.addr = drive_addr("::ffff:127.0.0.1", 7000);
		o = drive_outcome(d, ECONNREFUSED);
		if (astray)
			drive_learn(d, &c, &o);
		c.addr = drive_addr("::1", 5000);
		o = drive_outcome(d, EINPROGRESS);
		o.local = drive_addr("::1", 6000);
		drive_learn(d, &c, &o);
		assert_int_equal(binds(d, C, 6000), astray ? -SNAG_UNSURE_PEER : EADDRINUSE);
		drive_end(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),	   cmocka_unit_test(test_open_unsure),
		cmocka_unit_test(test_open_shut),  cmocka_unit_test(test_open_late),
		cmocka_unit_test(test_fin_wait),   cmocka_unit_test(test_no_time_wait),
		cmocka_unit_test(test_deaf_client), cmocka_unit_test(test_overlooked),
		cmocka_unit_test(test_astray),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
