/* seldom: rules that the live comparison comes to by chance only (tests/live/rows.exceptions), each for itself. */
#include "drive.h"
#include <model/bind.h>
#include <model/conn.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000000ull

static struct model_machine machine;

enum { A = 1, B, C };

static struct drive *begin(void)
{
	struct drive *d = drive_begin();

	machine = (struct model_machine){.port_low = 40000, .port_high = 40000, .unprivileged_port = 1024,
		.tw_reuse = 1, .tw_reuse_delay_ms = 1000, .somaxconn = 4096, .fin_timeout_ms = 60000, .syncookies = 1,
		.timestamps = 1, .ttl = 64};
	d->machine = &machine;
	for (uint32_t s = A; s <= C; s++)
		drive_socket(d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return d;
}

static struct snag_call call_of(const struct drive *d, unsigned call, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c = drive_call(d, call, sock);

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_UNREAD;
	c.tcp_state = TCP_CLOSE;
	c.reach = SNAG_REACH_LOCAL;
	c.blocking = 1;
	c.addr = drive_addr(addr, port);
	c.addr_family = (uint16_t)c.addr.family;
	c.addr_len = c.addr.family == AF_INET ? 16 : 28;
	return c;
}

/* Waiting: the errno of its timeout, and 1000. */
static int predicted(const struct drive *d, const struct snag_call *c)
{
	struct model_verdict v = drive_predict(d, c);

	return v.sure == SNAG_WITHHELD ? -(int)v.unsure : v.err + (v.sure == SNAG_WAITS ? 1000 : 0);
}

static void learned(struct drive *d, struct snag_call c, int err, const char *local, unsigned port, bool last)
{
	struct snag_outcome o = drive_outcome(d, err);

	o.local = drive_addr(local, port);
	o.last = last;
	drive_learn(d, &c, &o);
}

static void listens(struct drive *d, uint32_t sock, const char *addr, unsigned port)
{
	learned(d, call_of(d, SNAG_CALL_bind, sock, addr, port), 0, addr, port, false);
	learned(d, call_of(d, SNAG_CALL_listen, sock, addr, port), 0, addr, port, false);
}

static void closes(struct drive *d, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = call_of(d, SNAG_CALL_close, sock, "0.0.0.0", 0);

	c.tcp_state = tcp_state;
	learned(d, c, 0, "0.0.0.0", 0, true);
}

/* Two users, both SO_REUSEPORT: is it TIME_WAIT already, to which the user is nothing? */
static void test_closing(void **state)
{
	struct bind_claim old = {.addr = drive_addr("127.0.0.1", 80), .domain = AF_INET, .options = SNAG_OPTION_REUSEPORT,
		.closing = true};
	struct bind_claim new = old;

	(void)state;
	new.closing = false;
	new.uid = 7;
	assert_int_equal(bind_conflict(&new, &old), BIND_UNSURE);
	old.closing = false;
	assert_int_equal(bind_conflict(&new, &old), BIND_CONFLICT);
	old.time_wait = true;
	assert_int_equal(bind_conflict(&new, &old), BIND_FREE);
}

/* inet_csk_accept(): with nobody in the queue, who may wait does. */
static void test_accept_waits(void **state)
{
	struct drive *d = begin();
	struct snag_call c;

	(void)state;
	listens(d, A, "127.0.0.1", 5000);
	c = call_of(d, SNAG_CALL_accept4, A, "0.0.0.0", 0);
	c.tcp_state = TCP_LISTEN;
	c.facts |= SNAG_FACT_QUEUE;
	assert_int_equal(predicted(d, &c), 1000 + EAGAIN);
	c.blocking = 0;
	assert_int_equal(predicted(d, &c), EAGAIN);
	c.queue = 1;
	assert_int_equal(predicted(d, &c), 0);
	drive_end(d);
}

/* tcp_v6_connect(): from a mapped address :: is a mapped one too, where no IPV6_V6ONLY socket goes. */
static void test_any_is_mapped(void **state)
{
	(void)state;
	for (int only = 0; only < 2; only++) {
		struct drive *d = begin();
		struct snag_call c;
		drive_socket(d, A, SNAG_PROTO_TCP, AF_INET6, SOCK_STREAM);
		drive_option(d, A, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		learned(d, call_of(d, SNAG_CALL_bind, A, "::ffff:127.0.0.1", 0), 0, "::ffff:127.0.0.1", 0, false);
		drive_option(d, A, IPPROTO_IPV6, IPV6_V6ONLY, only);
		c = call_of(d, SNAG_CALL_connect, A, "::", 5000);
		assert_int_equal(predicted(d, &c), only ? ENETUNREACH : ECONNREFUSED);
		drive_end(d);
	}
}

/* B was connected from 6000 to A at 5000, and closed first: what is left of it, at an age, for who comes from there. */
static void test_taken(void **state)
{
	static const struct {
		const char *at;
		bool named, timestamps, closed;		/* closed: A too, so that B is in TIME_WAIT */
		unsigned tw_reuse;
		uint64_t after_ms;
		int expect;
	} rows[] = {
		{"127.0.0.1", true, true, true, 1, 400, ECONNREFUSED},
		{"127.0.0.1", true, false, true, 1, 400, EADDRNOTAVAIL},
		{"127.0.0.1", true, true, false, 1, 10, -SNAG_UNSURE_PEER},
		{"127.0.0.1", true, false, false, 1, 10, EADDRNOTAVAIL},
		{"127.0.0.1", true, true, false, 1, 400, ECONNREFUSED},
		{"127.0.0.1", false, true, true, 1, 400, EADDRNOTAVAIL},
		{"127.0.0.1", false, true, true, 1, 2000, ECONNREFUSED},
		{"127.0.0.1", false, true, true, 2, 2000, ECONNREFUSED},
		{"10.9.0.1", false, true, true, 2, 2000, EADDRNOTAVAIL},
		{"10.9.0.1", false, true, true, 1, 2000, ECONNREFUSED},
		{"127.0.0.1", false, true, true, 0, 60500, -SNAG_UNSURE_PEER},
		{"127.0.0.1", true, false, true, 0, 60500, -SNAG_UNSURE_PEER},
		{"127.0.0.1", true, false, true, 0, 66000, ECONNREFUSED},
		{"127.0.0.1", false, true, true, 0, 66000, ECONNREFUSED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin();
		struct snag_call c;
		struct model_sock r;
		uint32_t child;
		unsigned from = rows[i].named ? 6000 : 40000;
		machine.timestamps = rows[i].timestamps;
		machine.tw_reuse = (uint8_t)rows[i].tw_reuse;
		for (uint32_t s = B; rows[i].named && s <= C; s++)
			drive_option(d, s, SOL_SOCKET, SO_REUSEADDR, 1);
		listens(d, A, rows[i].at, 5000);
		if (rows[i].named)
			learned(d, call_of(d, SNAG_CALL_bind, B, rows[i].at, from), 0, rows[i].at, from, false);
		learned(d, call_of(d, SNAG_CALL_connect, B, rows[i].at, 5000), 0, rows[i].at, from, false);
		assert_true(model_get(d->m, B, &r));
		child = r.other;
		closes(d, B, TCP_ESTABLISHED);
		if (rows[i].closed)
			conn_fin(d->m, child, d->now_ns);
		else
			conn_part(d->m, child);		/* its FIN does not come */
		d->now_ns += rows[i].after_ms * MS;
		if (rows[i].named)
			learned(d, call_of(d, SNAG_CALL_bind, C, rows[i].at, from), 0, rows[i].at, from, false);
		c = call_of(d, SNAG_CALL_shutdown, A, "0.0.0.0", 0);
		c.tcp_state = TCP_LISTEN;
		learned(d, c, 0, "0.0.0.0", 0, false);
		c = call_of(d, SNAG_CALL_connect, C, rows[i].at, 5000);
		if (predicted(d, &c) != rows[i].expect)
			fail_msg("row %zu: %d", i, predicted(d, &c));
		drive_end(d);
	}
}

/* The kernel's list says TIME_WAIT of what was believed to wait for a FIN: the user is nothing to it any more. */
static void test_told_time_wait(void **state)
{
	struct snag_addr local = drive_addr("127.0.0.1", 40000), peer = drive_addr("127.0.0.1", 5000);
	struct drive *d = begin();
	struct snag_call c;

	(void)state;
	for (uint32_t s = B; s <= C; s++)
		drive_option(d, s, SOL_SOCKET, SO_REUSEPORT, 1);
	listens(d, A, "127.0.0.1", 5000);
	learned(d, call_of(d, SNAG_CALL_connect, B, "127.0.0.1", 5000), 0, "127.0.0.1", 40000, false);
	closes(d, B, TCP_ESTABLISHED);
	assert_true(model_told_bare(d->m, &local, &peer, TCP_TIME_WAIT, 60000, d->now_ns));
	c = call_of(d, SNAG_CALL_bind, C, "127.0.0.1", 40000);
	c.who.uid = 7;
	assert_int_equal(predicted(d, &c), 0);
	drive_end(d);
}

/* A deaf listener answers nothing that could be told beforehand, whatever its queue; nor one that may be gone. */
static void test_deaf_listener(void **state)
{
	struct drive *d = begin();
	struct snag_call c;

	(void)state;
	listens(d, A, "127.0.0.1", 5000);
	for (int deaf = 0; deaf < 3; deaf++) {
		drive_option(d, A, IPPROTO_IP, IP_MINTTL, deaf == 1 ? 255 : 0);
		if (deaf == 2)
			conn_lose_sight(d->m, A);
		c = call_of(d, SNAG_CALL_connect, B, "127.0.0.1", 5000);
		c.facts |= SNAG_FACT_QUEUE;
		c.queue_max = 5;
		assert_int_equal(predicted(d, &c), deaf ? -SNAG_UNSURE_PEER : 0);
	}
	drive_end(d);
}

/* A client of one of several listeners, not known which: it may be reset when any of them ends. */
static void test_some_listener(void **state)
{
	(void)state;
	for (int filtered = 0; filtered < 2; filtered++) {
		struct drive *d = begin();
		struct model_sock r;
		listens(d, A, "127.0.0.1", 5000);
		if (filtered)
			drive_option(d, A, SOL_SOCKET, SO_ATTACH_FILTER, 0);
		learned(d, call_of(d, SNAG_CALL_connect, B, "127.0.0.1", 5000), 0, "127.0.0.1", 40000, false);
		assert_true(model_get(d->m, B, &r) && !(r.flags & MODEL_DOUBT));
		closes(d, A, TCP_LISTEN);
		assert_true(model_get(d->m, B, &r));
		assert_int_equal((r.flags & MODEL_DOUBT) != 0, filtered);
		drive_end(d);
	}
}

/* Nobody listens, but what is left of a connection may be anything: a FIN that nobody hears, of one that sends astray. */
static void test_meets_doubt(void **state)
{
	(void)state;
	for (int doubt = 0; doubt < 2; doubt++) {
		struct drive *d = begin();
		struct model_sock r;
		struct snag_call c;
		listens(d, A, "127.0.0.1", 5000);
		learned(d, call_of(d, SNAG_CALL_bind, B, "127.0.0.1", 6000), 0, "127.0.0.1", 6000, false);
		learned(d, call_of(d, SNAG_CALL_connect, B, "127.0.0.1", 5000), 0, "127.0.0.1", 6000, false);
		assert_true(model_get(d->m, B, &r));
		conn_fin(d->m, r.other, d->now_ns);
		c = call_of(d, SNAG_CALL_shutdown, B, "0.0.0.0", 0);
		c.arg[0] = 1;	/* SHUT_WR */
		c.tcp_state = TCP_CLOSE_WAIT;
		learned(d, c, 0, "0.0.0.0", 0, false);
		closes(d, A, TCP_LISTEN);
		for (uint32_t at = SNAG_SOCKS + 1; doubt && at <= SNAG_SOCKS + 4; at++)
			conn_lose_sight(d->m, at);
		c = call_of(d, SNAG_CALL_connect, B, "0.0.0.0", 0);
		c.addr_family = 0;
		c.addr = (struct snag_addr){0};
		learned(d, c, 0, "127.0.0.1", 6000, false);
		c = call_of(d, SNAG_CALL_connect, B, "127.0.0.1", 5000);
		assert_int_equal(predicted(d, &c), doubt ? -SNAG_UNSURE_PEER : ECONNREFUSED);
		drive_end(d);
	}
}

/* unix_autobind(): an accepted one has its listener's address already, and takes no name by it. */
static void test_accepted_unix(void **state)
{
	struct drive *d = begin();
	struct snag_outcome o = drive_outcome(d, 0);
	struct model_sock r;
	struct snag_call c;

	(void)state;
	drive_socket(d, A, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
	o.new_sock = o.new_serial = C;
	drive_learn(d, &(struct snag_call){.call = SNAG_CALL_accept4, .sock = A, .serial = A, .proto = SNAG_PROTO_UNIX,
					   .domain = AF_UNIX}, &o);
	d->proto[C] = SNAG_PROTO_UNIX;
	d->domain[C] = AF_UNIX;
	c = drive_call(d, SNAG_CALL_bind, C);
	o = drive_outcome(d, 0);
	o.local = (struct snag_addr){.family = AF_UNIX, .ip = {1, 2}};
	drive_learn(d, &c, &o);
	assert_true(model_get(d->m, C, &r));
	assert_int_equal(r.on_port, 0);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closing),	 cmocka_unit_test(test_accept_waits),
		cmocka_unit_test(test_any_is_mapped), cmocka_unit_test(test_taken),
		cmocka_unit_test(test_told_time_wait), cmocka_unit_test(test_deaf_listener),
		cmocka_unit_test(test_some_listener), cmocka_unit_test(test_meets_doubt),
		cmocka_unit_test(test_accepted_unix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
