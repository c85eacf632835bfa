/* conn: both ends of a connection: what the one does is seen at the other, and what is left keeps the port. */
#include "drive.h"
#include <model/port.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEC 1000000000ull

static const struct model_machine MACHINE = {.port_low = 40000, .port_high = 40003, .unprivileged_port = 1024,
	.tw_reuse = 1, .tw_reuse_delay_ms = 1000, .somaxconn = 4096, .fin_timeout_ms = 60000,
	.syncookies = 1, .timestamps = 1};

enum { LISTENER = 1, CLIENT, ACCEPTED, OTHER };

static struct drive *begin(void)
{
	struct drive *d = drive_begin();

	d->machine = &MACHINE;
	for (uint32_t s = LISTENER; s <= OTHER; s++)
		drive_socket(d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return d;
}

static struct model_sock get(const struct drive *d, uint32_t sock)
{
	struct model_sock r = {0};

	model_get(d->m, sock, &r);
	return r;
}

/* The facts of a call that a front end would ask for, with this state of the kernel's. */
static struct snag_call with_facts(const struct drive *d, unsigned call, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = drive_call(d, call, sock);

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_UNREAD;
	c.tcp_state = tcp_state;
	c.blocking = 1;
	c.reach = SNAG_REACH_LOCAL;
	return c;
}

#define WAITS (-100)

static int predicted(const struct drive *d, const struct snag_call *c)
{
	struct model_verdict v = drive_predict(d, c);

	if (v.sure == SNAG_WAITS)
		return WAITS;
	return v.sure == SNAG_CERTAIN ? v.err : -(int)v.unsure;
}

static int bind_to(struct drive *d, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c = with_facts(d, SNAG_CALL_bind, sock, TCP_CLOSE);
	int err;

	c.addr = drive_addr(addr, port);
	err = predicted(d, &c);
	if (!err) {
		struct snag_outcome o = drive_outcome(d, 0);
		o.local = c.addr;
		drive_learn(d, &c, &o);
	}
	return err;
}

static void listens(struct drive *d, uint32_t sock, const char *addr, unsigned port, int backlog)
{
	struct snag_call c = with_facts(d, SNAG_CALL_listen, sock, TCP_CLOSE);
	struct snag_outcome o = drive_outcome(d, 0);

	assert_int_equal(bind_to(d, sock, addr, port), 0);
	c.arg[0] = backlog;
	assert_int_equal(predicted(d, &c), 0);
	drive_learn(d, &c, &o);
}

static struct snag_call connect_call(const struct drive *d, uint32_t sock, unsigned port)
{
	struct snag_call c = with_facts(d, SNAG_CALL_connect, sock, TCP_CLOSE);

	c.addr = drive_addr("127.0.0.1", port);
	c.addr_family = AF_INET;
	c.addr_len = sizeof(struct sockaddr_in);
	return c;
}

/* Connects from this port, as the kernel chose or the program; what the model foretold. */
static int connects(struct drive *d, uint32_t sock, unsigned from, unsigned to, int real_err)
{
	struct snag_call c = connect_call(d, sock, to);
	int err = predicted(d, &c);
	struct snag_outcome o = drive_outcome(d, real_err);

	o.local = drive_addr("127.0.0.1", from);
	drive_learn(d, &c, &o);
	return err;
}

static void accepts(struct drive *d, uint32_t listener, uint32_t sock, unsigned port, unsigned from)
{
	struct snag_call c = with_facts(d, SNAG_CALL_accept4, listener, TCP_LISTEN);
	struct snag_outcome o = drive_outcome(d, 0);

	d->proto[sock] = SNAG_PROTO_TCP;
	d->domain[sock] = AF_INET;
	o.new_sock = o.new_serial = sock;
	o.local = drive_addr("127.0.0.1", port);
	o.peer = drive_addr("127.0.0.1", from);
	drive_learn(d, &c, &o);
}

static void closes(struct drive *d, uint32_t sock, uint8_t tcp_state, int unread)
{
	struct snag_call c = with_facts(d, SNAG_CALL_close, sock, tcp_state);
	struct snag_outcome o = drive_outcome(d, 0);

	c.unread = unread;
	o.last = 1;
	drive_learn(d, &c, &o);
}

static void shuts(struct drive *d, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = with_facts(d, SNAG_CALL_shutdown, sock, tcp_state);
	struct snag_outcome o = drive_outcome(d, 0);

	c.arg[0] = SHUT_WR;
	drive_learn(d, &c, &o);
}

/* A server on 8080, a client from 40000, accepted. */
static struct drive *begin_connected(void)
{
	struct drive *d = begin();

	listens(d, LISTENER, "127.0.0.1", 8080, 5);
	assert_int_equal(connects(d, CLIENT, 40000, 8080, 0), 0);
	assert_int_equal(get(d, LISTENER).queue_len, 1);
	accepts(d, LISTENER, ACCEPTED, 8080, 40000);
	assert_int_equal(get(d, LISTENER).queue_len, 0);
	assert_int_equal(get(d, CLIENT).other, ACCEPTED);
	assert_int_equal(get(d, ACCEPTED).other, CLIENT);
	return d;
}

static bool everybody(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)sock, (void)serial;
	return true;
}

static void end(struct drive *d)
{
	assert_int_equal(model_check(d->m, everybody, NULL), 0);
	drive_end(d);
}

/* The states of both ends, as FINs go: the client's shutdown first, then the server's. */
static void test_fins(void **state)
{
	struct drive *d = begin_connected();

	(void)state;
	shuts(d, CLIENT, TCP_ESTABLISHED);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_FIN_WAIT);
	assert_int_equal(get(d, ACCEPTED).state, SNAG_STATE_CLOSE_WAIT);
	shuts(d, ACCEPTED, TCP_CLOSE_WAIT);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_CLOSED);	/* a bare record is in TIME_WAIT in its place */
	assert_int_equal(get(d, ACCEPTED).state, SNAG_STATE_CLOSED);
	closes(d, ACCEPTED, TCP_CLOSE, 0);
	closes(d, CLIENT, TCP_CLOSE, 0);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 40000), EADDRINUSE);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), 0);
	end(d);
}

/* Who closes first keeps TIME_WAIT: for a minute certainly, then perhaps, then it is over. */
static void test_time_wait(void **state)
{
	struct drive *d = begin_connected();

	(void)state;
	closes(d, ACCEPTED, TCP_ESTABLISHED, 0);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_CLOSE_WAIT);
	closes(d, CLIENT, TCP_CLOSE_WAIT, 0);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), EADDRINUSE);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.2", 8080), 0);
	d->now_ns += 59 * SEC;
	drive_socket(d, 10, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	assert_int_equal(bind_to(d, 10, "127.0.0.1", 8080), EADDRINUSE);
	drive_option(d, 10, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(bind_to(d, 10, "127.0.0.1", 8080), EADDRINUSE);	/* the old one had not */
	d->now_ns += 3 * SEC;
	assert_int_equal(bind_to(d, 10, "127.0.0.1", 8080), -SNAG_UNSURE_PEER);
	d->now_ns += 6 * SEC;
	assert_int_equal(bind_to(d, 10, "127.0.0.1", 8080), 0);
	end(d);
}

/* Another thread accepts the connection, and may close it, before connect() says that it is there. */
static void test_accepted_early(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		struct drive *d = begin();
		struct snag_outcome o;
		struct snag_call c;
		listens(d, LISTENER, "127.0.0.1", 8080, 5);
		c = connect_call(d, CLIENT, 8080);
		accepts(d, LISTENER, ACCEPTED, 8080, 40000);
		if (closed)
			closes(d, ACCEPTED, TCP_ESTABLISHED, 0);
		o = drive_outcome(d, 0);
		o.local = drive_addr("127.0.0.1", 40000);
		drive_learn(d, &c, &o);
		assert_int_equal(get(d, LISTENER).queue_len, 0);
		assert_int_equal(get(d, CLIENT).state, closed ? SNAG_STATE_CLOSE_WAIT : SNAG_STATE_ESTABLISHED);
		closes(d, CLIENT, closed ? TCP_CLOSE_WAIT : TCP_ESTABLISHED, 0);
		if (!closed)
			closes(d, ACCEPTED, TCP_CLOSE_WAIT, 0);
		closes(d, LISTENER, TCP_LISTEN, 0);
		assert_int_equal(bind_to(d, OTHER, "127.0.0.1", closed ? 8080 : 40000), EADDRINUSE);
		assert_int_equal(bind_to(d, OTHER, "127.0.0.1", closed ? 40000 : 8080), 0);
		end(d);
	}
}

/* The flags that TIME_WAIT copies are those of the closing socket, which come from its listener. */
static void test_time_wait_flags(void **state)
{
	struct drive *d = begin();

	(void)state;
	drive_option(d, LISTENER, SOL_SOCKET, SO_REUSEADDR, 1);
	drive_option(d, OTHER, SOL_SOCKET, SO_REUSEADDR, 1);
	listens(d, LISTENER, "0.0.0.0", 8080, 5);
	connects(d, CLIENT, 40000, 8080, 0);
	accepts(d, LISTENER, ACCEPTED, 8080, 40000);
	closes(d, LISTENER, TCP_LISTEN, 0);
	closes(d, ACCEPTED, TCP_ESTABLISHED, 0);
	assert_int_equal(bind_to(d, OTHER, "0.0.0.0", 8080), 0);
	end(d);
}

/* RST: with data that nobody read, or SO_LINGER with 0 seconds. Nothing is left, the other end is closed. */
static void test_resets(void **state)
{
	(void)state;
	for (int hard = 0; hard < 2; hard++) {
		struct drive *d = begin_connected();
		if (hard)
			drive_option(d, ACCEPTED, SOL_SOCKET, SO_LINGER, 1);
		closes(d, ACCEPTED, TCP_ESTABLISHED, hard ? 0 : 7);
		assert_int_equal(get(d, CLIENT).state, SNAG_STATE_CLOSED);
		assert_int_equal(get(d, CLIENT).pending, ECONNRESET);
		assert_int_equal(get(d, CLIENT).on_port, 0);
		closes(d, LISTENER, TCP_LISTEN, 0);
		assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), 0);
		end(d);
	}
}

/* Killed with who knows what unread: FIN or RST, the port may be held or not, until somebody asks the kernel. */
static void test_killed(void **state)
{
	struct drive *d = begin_connected();
	struct snag_addr server = drive_addr("127.0.0.1", 8080), client = drive_addr("127.0.0.1", 40000);

	(void)state;
	model_forget(d->m, ACCEPTED, d->now_ns);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), -SNAG_UNSURE_PEER);
	assert_true(model_told_bare(d->m, &server, &client, TCP_FIN_WAIT2, 60000, d->now_ns));
	model_told(d->m, CLIENT, TCP_CLOSE_WAIT, d->now_ns);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_CLOSE_WAIT);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), EADDRINUSE);
	end(d);
}

static bool nothing_listed(void *arg, const struct snag_addr *local, const struct snag_addr *peer)
{
	(void)arg, (void)local, (void)peer;
	return false;
}

/* What the kernel lists no more is gone. */
static void test_told(void **state)
{
	struct drive *d = begin_connected();
	struct snag_addr server = drive_addr("127.0.0.1", 8080), nobody = drive_addr("127.0.0.9", 1);

	(void)state;
	closes(d, ACCEPTED, TCP_ESTABLISHED, 0);
	closes(d, CLIENT, TCP_CLOSE_WAIT, 0);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_equal(model_time_waits(d->m, &server, d->now_ns), 1);
	assert_false(model_told_bare(d->m, &server, &nobody, TCP_TIME_WAIT, 0, d->now_ns));
	model_told_all(d->m, 8080, nothing_listed, NULL);
	assert_int_equal(model_time_waits(d->m, &server, d->now_ns), 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), 0);
	end(d);
}

/* A listener that ends resets whoever waits in its queue. */
static void test_queue(void **state)
{
	struct drive *d = begin();

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 0);
	assert_int_equal(connects(d, CLIENT, 40000, 8080, 0), 0);	/* one more than the backlog says */
	assert_int_equal(get(d, LISTENER).queue_len, 1);
	assert_int_equal(connects(d, OTHER, 40001, 8080, EINPROGRESS), WAITS);
	assert_int_equal(get(d, OTHER).state, SNAG_STATE_SYN_SENT);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_CLOSED);
	end(d);
}

/* 4-tuples: one client port to two servers, never twice to one. */
static void test_tuples(void **state)
{
	struct drive *d = begin();
	struct snag_call c;

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 5);
	for (uint32_t s = CLIENT; s <= ACCEPTED; s++) {
		drive_option(d, s, SOL_SOCKET, SO_REUSEADDR, 1);
		assert_int_equal(bind_to(d, s, "127.0.0.1", 5000), 0);
	}
	assert_int_equal(connects(d, CLIENT, 5000, 8080, 0), 0);
	c = connect_call(d, ACCEPTED, 8080);
	assert_int_equal(predicted(d, &c), EADDRNOTAVAIL);
	c = connect_call(d, ACCEPTED, 8081);
	assert_int_equal(predicted(d, &c), ECONNREFUSED);
	end(d);
}

/* tcp_tw_reuse: a chosen port after a second, a named one at once. */
static void test_reuse(void **state)
{
	static const struct {
		uint8_t tw_reuse;
		uint32_t after_ms;
		int expect;
	} rows[] = {{0, 5000, EADDRNOTAVAIL}, {1, 500, EADDRNOTAVAIL}, {1, 5000, 0}, {2, 500, EADDRNOTAVAIL}, {2, 5000, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin();
		struct model_machine one = MACHINE;
		struct snag_call c;
		one.port_low = one.port_high = 40000;
		one.tw_reuse = rows[i].tw_reuse;
		d->machine = &one;
		listens(d, LISTENER, "127.0.0.1", 8080, 5);
		connects(d, CLIENT, 40000, 8080, 0);
		accepts(d, LISTENER, ACCEPTED, 8080, 40000);
		closes(d, CLIENT, TCP_ESTABLISHED, 0);
		closes(d, ACCEPTED, TCP_CLOSE_WAIT, 0);
		d->now_ns += rows[i].after_ms * 1000000ull;
		c = connect_call(d, OTHER, 8080);
		assert_int_equal(predicted(d, &c), rows[i].expect);
		drive_option(d, OTHER, SOL_SOCKET, SO_REUSEADDR, 1);
		end(d);
	}
}

/* Four ports, four connections: the fifth has none. The same port serves two servers. */
static void test_exhausted(void **state)
{
	struct drive *d = begin();
	struct snag_call c;

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 50);
	for (uint32_t s = 0; s < 4; s++) {
		drive_socket(d, 20 + s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
		assert_int_equal(connects(d, 20 + s, 40000 + s, 8080, 0), 0);
	}
	c = connect_call(d, OTHER, 8080);
	assert_int_equal(predicted(d, &c), EADDRNOTAVAIL);
	c = connect_call(d, OTHER, 8081);
	assert_int_equal(predicted(d, &c), ECONNREFUSED);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 0), EADDRINUSE);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.2", 0), 0);
	end(d);
}

/* To itself: a connection of one socket, which ends in TIME_WAIT at its own port. */
static void test_self(void **state)
{
	struct drive *d = begin();

	(void)state;
	assert_int_equal(bind_to(d, CLIENT, "127.0.0.1", 5000), 0);
	assert_int_equal(connects(d, CLIENT, 5000, 5000, 0), 0);
	assert_int_equal(get(d, CLIENT).state, SNAG_STATE_ESTABLISHED);
	closes(d, CLIENT, TCP_ESTABLISHED, 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 5000), EADDRINUSE);
	end(d);
}

static unsigned leaders(const struct model *m, unsigned port)
{
	struct port_walk w;
	uint32_t at;
	unsigned n = 0;

	port_walk_begin(&w, m, port);
	while (port_walk_next(&w, &at))
		n++;
	return n;
}

/* A thousand connections claim the same: a walk over their port meets one of them, whoever comes and goes. */
static void test_twins(void **state)
{
	struct drive *d = begin();
	unsigned seed = 3;

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 5);
	for (uint32_t s = 10; s < 1010; s++)
		accepts(d, LISTENER, s, 8080, 1000 + s);
	assert_int_equal(leaders(d->m, 8080), 2);
	for (int i = 0; i < 5000; i++) {
		uint32_t s = 10 + (uint32_t)rand_r(&seed) % 1000;
		if (get(d, s).serial)
			closes(d, s, TCP_ESTABLISHED, rand_r(&seed) % 2);
		else
			accepts(d, LISTENER, s, 8080, 1000 + s);
	}
	assert_int_equal(leaders(d->m, 8080), 3);	/* the listener, the open ones, the closed ones */
	end(d);
}

/* More closed connections than there is room for: the oldest give way, and the port says that something may be left. */
static void test_no_room(void **state)
{
	struct drive *d = begin();
	struct snag_addr server = drive_addr("127.0.0.1", 8080);

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 5);
	for (uint32_t i = 0; i < MODEL_BARES + 100; i++) {
		accepts(d, LISTENER, ACCEPTED, 8080, 1000 + i);
		closes(d, ACCEPTED, TCP_ESTABLISHED, 0);
	}
	assert_int_equal(model_time_waits(d->m, &server, d->now_ns), MODEL_BARES);
	closes(d, LISTENER, TCP_LISTEN, 0);
	model_told_all(d->m, 8080, nothing_listed, NULL);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), -SNAG_UNSURE_PEER);
	end(d);
}

/* A child whose listener was shut down before sends its FIN first, also where its client's has completed it: both ends go to
 * TIME_WAIT. */
static void test_deferred_and_shut(void **state)
{
	struct drive *d = begin();
	struct snag_call c;
	struct snag_outcome o = drive_outcome(d, 0);

	(void)state;
	assert_int_equal(bind_to(d, LISTENER, "127.0.0.1", 8080), 0);
	drive_option(d, LISTENER, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	shuts(d, LISTENER, TCP_CLOSE);
	c = with_facts(d, SNAG_CALL_listen, LISTENER, TCP_CLOSE);
	c.arg[0] = 5;
	drive_learn(d, &c, &o);
	connects(d, CLIENT, 40000, 8080, 0);
	closes(d, CLIENT, TCP_ESTABLISHED, 0);
	closes(d, LISTENER, TCP_LISTEN, 0);
	assert_int_not_equal(bind_to(d, OTHER, "127.0.0.1", 8080), 0);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.2", 8080), 0);
	drive_end(d);
}

/* A connection whose other end was reset, which it has not heard, answers a SYN from there in place of a listener. */
static void test_stale_connection(void **state)
{
	struct drive *d = begin();

	(void)state;
	listens(d, LISTENER, "127.0.0.1", 8080, 5);
	assert_int_equal(bind_to(d, CLIENT, "127.0.0.1", 9000), 0);
	assert_int_equal(connects(d, CLIENT, 9000, 8080, 0), 0);
	accepts(d, LISTENER, ACCEPTED, 8080, 9000);
	closes(d, LISTENER, TCP_LISTEN, 0);
	drive_option(d, CLIENT, SOL_SOCKET, SO_ATTACH_FILTER, 1);
	closes(d, ACCEPTED, TCP_ESTABLISHED, 1);
	assert_int_equal(bind_to(d, OTHER, "127.0.0.1", 8080), 0);
	assert_int_equal(connects(d, OTHER, 8080, 9000, EINPROGRESS), -(int)SNAG_UNSURE_PEER);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fins), cmocka_unit_test(test_time_wait), cmocka_unit_test(test_time_wait_flags),
		cmocka_unit_test(test_resets), cmocka_unit_test(test_killed), cmocka_unit_test(test_told),
		cmocka_unit_test(test_queue), cmocka_unit_test(test_tuples), cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_exhausted), cmocka_unit_test(test_self), cmocka_unit_test(test_twins),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_accepted_early),
		cmocka_unit_test(test_deferred_and_shut), cmocka_unit_test(test_stale_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
