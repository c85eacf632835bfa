/* predict and learn: sequences of calls, each row predicted, then learned as the kernel would have answered. */
#include "drive.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEC 1000000000ull

enum op {
	TCP4, TCP6, UDP4, UNIX,		/* socket() */
	REUSEADDR, REUSEPORT, V6ONLY,	/* setsockopt(), to 1 */
	BIND, LISTEN, CONNECT, ACCEPT,	/* accept makes socket `arg` */
	SHUTDOWN, CLOSE, USER,
};

/* What is predicted: 0 or an errno, or withheld for this reason; then the kernel's answer is `real`. */
#define WITHHELD(why) (-(int)SNAG_UNSURE_##why)

struct row {
	enum op op;
	uint32_t sock;
	const char *addr;	/* NULL: none */
	unsigned arg;		/* bind, connect: port; accept: the new socket; shutdown: how */
	int expect, real;
	unsigned state;		/* afterwards; 0: not asked */
};

static int run_row(struct drive *d, const struct row *r)
{
	static const unsigned calls[] = {
		[BIND] = SNAG_CALL_bind, [LISTEN] = SNAG_CALL_listen, [CONNECT] = SNAG_CALL_connect,
		[ACCEPT] = SNAG_CALL_accept4, [SHUTDOWN] = SNAG_CALL_shutdown,
	};
	struct snag_call c;
	struct snag_outcome o;
	struct model_verdict v;
	int err;

	switch (r->op) {
	case TCP4:
	case TCP6:
		drive_socket(d, r->sock, SNAG_PROTO_TCP, r->op == TCP4 ? AF_INET : AF_INET6, SOCK_STREAM);
		return 0;
	case UDP4:
		drive_socket(d, r->sock, SNAG_PROTO_UDP, AF_INET, SOCK_DGRAM);
		return 0;
	case UNIX:
		drive_socket(d, r->sock, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
		return 0;
	case REUSEADDR:
	case REUSEPORT:
		drive_option(d, r->sock, SOL_SOCKET, r->op == REUSEADDR ? SO_REUSEADDR : SO_REUSEPORT, 1);
		return 0;
	case V6ONLY:
		drive_option(d, r->sock, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		return 0;
	case USER:
		d->uid = r->arg;
		return 0;
	case CLOSE:
		drive_close(d, r->sock);
		return 0;
	default:
		break;
	}
	if (d->proto[r->sock] == SNAG_PROTO_UNIX && r->addr)
		c = drive_path_call(d, calls[r->op], r->sock, r->addr[0] == '@' ? "\0name" : r->addr,
				    r->addr[0] == '@' ? 5 : (uint16_t)strlen(r->addr));
	else {
		c = drive_call(d, calls[r->op], r->sock);
		c.addr = drive_addr(r->addr, r->addr ? r->arg : 0);
		c.addr_len = r->op == CONNECT && !r->addr ? 16 : 0;	/* AF_UNSPEC */
	}
	c.arg[0] = (int)r->arg;
	v = drive_predict(d, &c);
	err = v.sure == SNAG_CERTAIN ? v.err : r->real;
	o = drive_outcome(d, err);
	if (r->op == ACCEPT && !err) {
		o.new_sock = o.new_serial = r->arg;
		o.peer = drive_addr("127.0.0.1", 40000);
		d->proto[r->arg] = d->proto[r->sock];
		d->domain[r->arg] = d->domain[r->sock];
	}
	drive_learn(d, &c, &o);
	return v.sure == SNAG_CERTAIN ? v.err : -(int)v.unsure;
}

static void run(const struct row *rows, size_t n)
{
	struct drive *d = drive_begin();
	struct model_sock s;

	for (size_t i = 0; i < n; i++) {
		int got = run_row(d, &rows[i]);
		if (got != rows[i].expect)
			fail_msg("row %zu: predicted %d, expected %d", i, got, rows[i].expect);
		if (rows[i].state && (!model_get(d->m, rows[i].sock, &s) || s.state != rows[i].state))
			fail_msg("row %zu: state", i);
	}
	drive_end(d);
}

#define RUN(...)                                                                                                       \
	do {                                                                                                           \
		static const struct row rows_[] = {__VA_ARGS__};                                                       \
		run(rows_, COUNT(rows_));                                                                              \
	} while (0)

static void test_bind(void **state)
{
	(void)state;
	RUN({TCP4, 1, NULL, 0, 0, 0, SNAG_STATE_CLOSED},
	    {BIND, 1, "127.0.0.1", 8080, 0, 0, SNAG_STATE_BOUND},
	    {BIND, 1, "127.0.0.1", 8081, EINVAL, 0, SNAG_STATE_BOUND},
	    {TCP4, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "127.0.0.1", 8080, EADDRINUSE, 0, SNAG_STATE_CLOSED},
	    {BIND, 2, "127.0.0.2", 8080, 0, 0, 0},
	    {TCP4, 3, NULL, 0, 0, 0, 0},
	    {BIND, 3, "0.0.0.0", 8080, EADDRINUSE, 0, 0},
	    {CLOSE, 1, NULL, 0, 0, 0, 0},
	    {BIND, 3, "0.0.0.0", 8080, EADDRINUSE, 0, 0},
	    {CLOSE, 2, NULL, 0, 0, 0, 0},
	    {BIND, 3, "0.0.0.0", 8080, 0, 0, 0});
	/* UDP and TCP never meet; nor do ports */
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 8080, 0, 0, 0},
	    {UDP4, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "0.0.0.0", 8080, 0, 0, 0},
	    {UDP4, 3, NULL, 0, 0, 0, 0},
	    {BIND, 3, "127.0.0.1", 8080, EADDRINUSE, 0, 0},
	    {BIND, 3, "127.0.0.1", 8081, 0, 0, 0});
	/* port 0 is never refused by another socket */
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "127.0.0.1", 0, 0, 0, SNAG_STATE_BOUND});
	/* what the machine decides */
	RUN({USER, 0, NULL, 1000, 0, 0, 0},
	    {TCP4, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 80, WITHHELD(MACHINE), EACCES, 0},
	    {BIND, 1, "10.1.2.3", 8080, WITHHELD(MACHINE), EADDRNOTAVAIL, SNAG_STATE_CLOSED},
	    {BIND, 1, "10.1.2.3", 8080, WITHHELD(MACHINE), 0, SNAG_STATE_BOUND},
	    {TCP4, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "10.1.2.3", 8080, EADDRINUSE, 0, 0},
	    {BIND, 2, "0.0.0.0", 8080, EADDRINUSE, 0, 0});
	/* families */
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "::1", 8080, EAFNOSUPPORT, 0, 0},
	    {TCP6, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "127.0.0.1", 8080, WITHHELD(UNMODELLED), EINVAL, 0},
	    {V6ONLY, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "::ffff:127.0.0.1", 8080, EINVAL, 0, 0},
	    {BIND, 2, "::", 8080, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 8080, 0, 0, 0});
	/* a specific IPv6 address makes the socket V6ONLY */
	RUN({TCP6, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "::1", 8080, 0, 0, 0},
	    {TCP4, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "0.0.0.0", 8080, 0, 0, 0});
}

static void test_listen(void **state)
{
	(void)state;
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 8080, 0, 0, 0},
	    {TCP4, 2, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "0.0.0.0", 8080, 0, 0, 0},
	    {LISTEN, 1, NULL, 5, 0, 0, SNAG_STATE_LISTEN},
	    {LISTEN, 1, NULL, 7, 0, 0, SNAG_STATE_LISTEN},
	    {LISTEN, 2, NULL, 5, EADDRINUSE, 0, SNAG_STATE_BOUND},
	    {SHUTDOWN, 1, NULL, SHUT_WR, 0, 0, SNAG_STATE_LISTEN},
	    {SHUTDOWN, 1, NULL, SHUT_RD, 0, 0, SNAG_STATE_BOUND},
	    {LISTEN, 2, NULL, 5, 0, 0, SNAG_STATE_LISTEN},
	    {TCP4, 3, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 3, NULL, 0, 0, 0, 0},
	    {BIND, 3, "0.0.0.0", 8080, EADDRINUSE, 0, 0});
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {LISTEN, 1, NULL, 5, 0, 0, SNAG_STATE_LISTEN},
	    {UDP4, 2, NULL, 0, 0, 0, 0},
	    {LISTEN, 2, NULL, 5, EOPNOTSUPP, 0, 0},
	    {UNIX, 3, NULL, 0, 0, 0, 0},
	    {LISTEN, 3, NULL, 5, EINVAL, 0, 0},
	    {TCP4, 4, NULL, 0, 0, 0, 0},
	    {CONNECT, 4, "127.0.0.1", 80, WITHHELD(PEER), 0, SNAG_STATE_ESTABLISHED},
	    {LISTEN, 4, NULL, 5, EINVAL, 0, 0});
}

static void test_connect(void **state)
{
	(void)state;
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), EINPROGRESS, SNAG_STATE_SYN_SENT},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), EALREADY, SNAG_STATE_SYN_SENT},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), 0, SNAG_STATE_ESTABLISHED},
	    {CONNECT, 1, "127.0.0.1", 80, EISCONN, 0, SNAG_STATE_ESTABLISHED},
	    {SHUTDOWN, 1, NULL, SHUT_WR, WITHHELD(PEER), 0, SNAG_STATE_FIN_WAIT},
	    {CONNECT, 1, NULL, 0, 0, 0, SNAG_STATE_CLOSED});
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), ECONNREFUSED, SNAG_STATE_CLOSED},
	    {BIND, 1, "127.0.0.1", 8080, 0, 0, SNAG_STATE_BOUND},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), ECONNREFUSED, SNAG_STATE_BOUND},
	    {BIND, 1, "127.0.0.1", 8081, EINVAL, 0, SNAG_STATE_BOUND},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), EINTR, SNAG_STATE_SYN_SENT},
	    {CONNECT, 1, "127.0.0.1", 80, WITHHELD(PEER), EISCONN, SNAG_STATE_ESTABLISHED});
	RUN({UDP4, 1, NULL, 0, 0, 0, 0},
	    {SHUTDOWN, 1, NULL, SHUT_WR, ENOTCONN, 0, 0},
	    {CONNECT, 1, "127.0.0.1", 80, 0, 0, 0},
	    {SHUTDOWN, 1, NULL, SHUT_WR, 0, 0, 0},
	    {CONNECT, 1, "10.9.9.9", 80, WITHHELD(MACHINE), ENETUNREACH, 0},
	    {SHUTDOWN, 1, NULL, 9, EINVAL, 0, 0});
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {SHUTDOWN, 1, NULL, SHUT_RDWR, ENOTCONN, 0, 0},
	    {ACCEPT, 1, NULL, 2, EINVAL, 0, 0},
	    {UDP4, 3, NULL, 0, 0, 0, 0},
	    {ACCEPT, 3, NULL, 4, EOPNOTSUPP, 0, 0});
}

/* A child keeps its listener's port. It may have been reset meanwhile, so the refusal is not certain. */
static void test_children(void **state)
{
	(void)state;
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 8080, 0, 0, 0},
	    {LISTEN, 1, NULL, 5, 0, 0, 0},
	    {ACCEPT, 1, NULL, 2, WITHHELD(PEER), 0, 0},
	    {ACCEPT, 1, NULL, 3, WITHHELD(PEER), EAGAIN, 0},
	    {CLOSE, 1, NULL, 0, 0, 0, 0},
	    {TCP4, 4, NULL, 0, 0, 0, 0},
	    {BIND, 4, "0.0.0.0", 8080, WITHHELD(PEER), EADDRINUSE, 0},
	    {CLOSE, 2, NULL, 0, 0, 0, 0},
	    {BIND, 4, "0.0.0.0", 8080, WITHHELD(PEER), EADDRINUSE, SNAG_STATE_CLOSED});
	/* both REUSEADDR: neither child nor what it leaves is in the way */
	RUN({TCP4, 1, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "0.0.0.0", 8080, 0, 0, 0},
	    {LISTEN, 1, NULL, 5, 0, 0, 0},
	    {ACCEPT, 1, NULL, 2, WITHHELD(PEER), 0, 0},
	    {CLOSE, 1, NULL, 0, 0, 0, 0},
	    {TCP4, 4, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 4, NULL, 0, 0, 0, 0},
	    {BIND, 4, "0.0.0.0", 8080, 0, 0, 0},
	    {CLOSE, 4, NULL, 0, 0, 0, 0},
	    {CLOSE, 2, NULL, 0, 0, 0, 0},
	    {TCP4, 5, NULL, 0, 0, 0, 0},
	    {REUSEADDR, 5, NULL, 0, 0, 0, 0},
	    {BIND, 5, "0.0.0.0", 8080, 0, 0, 0});
}

static void test_unix(void **state)
{
	(void)state;
	RUN({UNIX, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "@name", 0, 0, 0, SNAG_STATE_BOUND},
	    {UNIX, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "@name", 0, EADDRINUSE, 0, SNAG_STATE_CLOSED},
	    {BIND, 1, "@name", 0, EINVAL, 0, 0},
	    {LISTEN, 1, NULL, 5, 0, 0, SNAG_STATE_LISTEN},
	    {ACCEPT, 1, NULL, 3, WITHHELD(PEER), 0, 0},
	    {SHUTDOWN, 1, NULL, SHUT_RD, 0, 0, 0},
	    {CLOSE, 1, NULL, 0, 0, 0, 0},
	    {BIND, 2, "@name", 0, 0, 0, 0});
	RUN({UNIX, 1, NULL, 0, 0, 0, 0},
	    {BIND, 1, "/tmp/x", 0, WITHHELD(MACHINE), 0, SNAG_STATE_BOUND},
	    {UNIX, 2, NULL, 0, 0, 0, 0},
	    {BIND, 2, "/tmp/x", 0, WITHHELD(MACHINE), EADDRINUSE, SNAG_STATE_CLOSED});
}

/* bind to AF_UNSPEC: AF_INET sockets take it with 0.0.0.0, and are then bound as with AF_INET. */
/* What the caller may, not who he is; where nobody tells, root's port is free and another's a matter of the machine. */
static void test_low_port(void **state)
{
	static const struct {
		unsigned port, uid;
		bool told, capable;
		int expect;
	} rows[] = {
		{80, 1000, true, true, 0}, {80, 1000, true, false, EACCES}, {80, 0, true, false, EACCES},
		{80, 0, false, false, 0}, {80, 1000, false, false, -SNAG_UNSURE_MACHINE}, {1024, 1000, true, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct drive *d = drive_begin();
		struct snag_call c;
		struct model_verdict v;
		drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
		c = drive_call(d, SNAG_CALL_bind, 1);
		c.addr = drive_addr("127.0.0.1", rows[i].port);
		c.who.uid = rows[i].uid;
		c.facts = rows[i].told ? SNAG_FACT_PRIVILEGED : 0;
		c.privileged = rows[i].capable;
		v = drive_predict(d, &c);
		if ((v.sure == SNAG_WITHHELD ? -(int)v.unsure : v.err) != rows[i].expect)
			fail_msg("row %zu: %d", i, v.err);
		drive_end(d);
	}
}

static void test_unspec(void **state)
{
	static const struct {
		uint32_t sock;
		unsigned proto, domain, len;
		const char *addr;
		int err;
	} rows[] = {
		{1, SNAG_PROTO_TCP, AF_INET, 16, "127.0.0.1", EAFNOSUPPORT}, {1, SNAG_PROTO_TCP, AF_INET, 16, "0.0.0.0", 0},
		{2, SNAG_PROTO_TCP, AF_INET, 16, "0.0.0.0", EADDRINUSE},	 {3, SNAG_PROTO_UDP, AF_INET, 16, "0.0.0.0", 0},
		{4, SNAG_PROTO_TCP, AF_INET6, 16, NULL, EINVAL},		 {4, SNAG_PROTO_TCP, AF_INET6, 28, NULL, EAFNOSUPPORT},
	};
	struct drive *d = drive_begin();
	uint32_t made = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_outcome o = drive_outcome(d, rows[i].err);
		struct model_verdict v;
		struct snag_call c;
		if (rows[i].sock > made)
			drive_socket(d, made = rows[i].sock, rows[i].proto, rows[i].domain,
				     rows[i].proto == SNAG_PROTO_TCP ? SOCK_STREAM : SOCK_DGRAM);
		c = drive_bind_call(d, rows[i].sock, drive_addr(rows[i].addr, rows[i].addr ? 8080 : 0));
		c.addr_len = rows[i].len;
		v = drive_predict(d, &c);
		assert_int_equal(v.sure, SNAG_CERTAIN);
		assert_int_equal(v.err, rows[i].err);
		drive_learn(d, &c, &o);
	}
	drive_end(d);
}

/* An address that cannot be read: nobody tells of it. */
static void test_unread_address(void **state)
{
	static const unsigned calls[] = {SNAG_CALL_bind, SNAG_CALL_connect};
	struct drive *d = drive_begin();

	(void)state;
	for (uint32_t sock = 1; sock <= 4; sock++) {
		drive_socket(d, sock, sock % 2 ? SNAG_PROTO_TCP : SNAG_PROTO_UDP, sock < 3 ? AF_INET : AF_INET6,
			     sock % 2 ? SOCK_STREAM : SOCK_DGRAM);
		for (size_t i = 0; i < COUNT(calls); i++) {
			struct snag_call c = drive_call(d, calls[i], sock);
			assert_int_equal(drive_predict(d, &c).sure, SNAG_WITHHELD);
		}
	}
	drive_end(d);
}

static void test_unknown_socket(void **state)
{
	struct drive *d = drive_begin();
	struct snag_call c = drive_call(d, SNAG_CALL_listen, 5);

	(void)state;
	assert_int_equal(drive_predict(d, &c).unsure, SNAG_UNSURE_FOREIGN);
	drive_socket(d, 5, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_call(d, SNAG_CALL_listen, 5);
	assert_int_equal(drive_predict(d, &c).sure, SNAG_CERTAIN);
	c.serial = 99;	/* the slot has another socket by now */
	assert_int_equal(drive_predict(d, &c).unsure, SNAG_UNSURE_FOREIGN);
	c = drive_call(d, SNAG_CALL_fork, 0);
	assert_int_equal(drive_predict(d, &c).sure, SNAG_WITHHELD);
	assert_int_equal(drive_predict(d, &c).unsure, SNAG_UNSURE_NONE);
	drive_end(d);
}

static uint32_t holder(const struct drive *d, uint32_t sock, const char *addr, unsigned port, uint8_t proto)
{
	struct snag_addr a = drive_addr(addr, port);

	return model_holder(d->m, sock, &a, proto, d->now_ns);
}

static void bind_ok(struct drive *d, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c = drive_bind_call(d, sock, drive_addr(addr, port));
	struct snag_outcome o = drive_outcome(d, 0);

	drive_learn(d, &c, &o);
}

static void test_holder(void **state)
{
	struct drive *d = drive_begin();
	const struct row child[] = {{LISTEN, 1, NULL, 5, 0, 0, 0}, {ACCEPT, 1, NULL, 6, 0, 0, 0},
		{CLOSE, 1, NULL, 0, 0, 0, 0}};
	struct snag_call c;
	struct snag_outcome o;
	struct model_sock s;
	uint16_t len;

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		drive_socket(d, i, i == 3 ? SNAG_PROTO_UDP : SNAG_PROTO_TCP, AF_INET,
			i == 3 ? SOCK_DGRAM : SOCK_STREAM);
	bind_ok(d, 1, "127.0.0.1", 8080);
	bind_ok(d, 2, "127.0.0.2", 8080);
	bind_ok(d, 3, "0.0.0.0", 8080);
	assert_int_equal(holder(d, 4, "127.0.0.1", 8080, SNAG_PROTO_TCP), 1);
	assert_int_equal(holder(d, 4, "127.0.0.2", 8080, SNAG_PROTO_TCP), 2);
	assert_int_equal(holder(d, 4, "127.0.0.3", 8080, SNAG_PROTO_TCP), 0);
	assert_int_equal(holder(d, 4, "127.0.0.3", 8080, SNAG_PROTO_UDP), 3);
	assert_int_equal(holder(d, 4, "127.0.0.1", 8081, SNAG_PROTO_TCP), 0);
	assert_int_equal(holder(d, 1, "127.0.0.1", 8080, SNAG_PROTO_TCP), 0);	/* not oneself */
	assert_int_equal(holder(d, 77, "127.0.0.1", 8080, SNAG_PROTO_TCP), 1);	/* a socket the model does not know */
	for (size_t i = 0; i < COUNT(child); i++)
		run_row(d, &child[i]);
	assert_int_equal(holder(d, 4, "127.0.0.1", 8080, SNAG_PROTO_TCP), 6);	/* the listener's child */
	assert_true(model_get(d->m, 6, &s));
	assert_int_equal(s.role, SNAG_ROLE_ACCEPTED);
	assert_int_equal(s.on_port, 0);		/* it can be closed without the lock */
	drive_close(d, 6);
	assert_int_equal(holder(d, 4, "127.0.0.1", 8080, SNAG_PROTO_TCP), 0);

	drive_socket(d, 7, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
	c = drive_path_call(d, SNAG_CALL_bind, 7, "/run/x.sock", 11);
	o = drive_outcome(d, 0);
	drive_learn(d, &c, &o);
	assert_int_equal(model_holder(d->m, 8, &c.addr, SNAG_PROTO_UNIX, d->now_ns), 7);
	assert_memory_equal(model_path(d->m, 7, &len), "/run/x.sock", 11);
	assert_int_equal(len, 11);
	drive_close(d, 7);
	assert_null(model_path(d->m, 7, &len));
	drive_end(d);
}

/* SO_REUSEPORT is shared among the sockets of one user: of their makers, unless fchown() has given one away. */
static void test_owner(void **state)
{
	struct drive *d = drive_begin();
	const struct row rows[] = {{TCP4, 1, NULL, 0, 0, 0, 0}, {REUSEPORT, 1, NULL, 0, 0, 0, 0},
		{BIND, 1, "127.0.0.1", 8080, 0, 0, 0}, {TCP4, 2, NULL, 0, 0, 0, 0}, {REUSEPORT, 2, NULL, 0, 0, 0, 0}};
	struct snag_call c;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(run_row(d, &rows[i]), 0);
	c = drive_bind_call(d, 2, drive_addr("127.0.0.1", 8080));
	assert_int_equal(drive_predict(d, &c).err, 0);
	model_told_owner(d->m, 2, 9, 7);	/* the number of another socket */
	assert_int_equal(drive_predict(d, &c).err, 0);
	model_told_owner(d->m, 2, 2, 7);
	assert_int_equal(drive_predict(d, &c).err, EADDRINUSE);
	model_told_owner(d->m, 1, 1, 7);
	assert_int_equal(drive_predict(d, &c).err, 0);
	drive_end(d);
}

/* The list of the caller's network namespace names nobody who listens at the path: a socket of the session may do so in
 * another one. */
static void test_unix_elsewhere(void **state)
{
	struct drive *d = drive_begin();
	const struct row listener[] = {{UNIX, 1, NULL, 0, 0, 0, 0}, {BIND, 1, "/run/x.sock", 0, WITHHELD(MACHINE), 0, 0},
		{UNIX, 2, NULL, 0, 0, 0, 0}};
	const struct row listen = {LISTEN, 1, NULL, 5, 0, 0, 0};
	struct snag_call c;
	struct model_verdict v;

	(void)state;
	for (size_t i = 0; i < COUNT(listener); i++)
		assert_int_equal(run_row(d, &listener[i]), listener[i].expect);
	c = drive_path_call(d, SNAG_CALL_connect, 2, "/run/x.sock", 11);
	c.facts = SNAG_FACT_TARGET | SNAG_FACT_PATH | SNAG_FACT_BLOCKING;
	c.target = SNAG_TARGET_NOBODY;
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_CERTAIN);
	assert_int_equal(v.err, ECONNREFUSED);
	assert_int_equal(run_row(d, &listen), 0);
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_WITHHELD);
	assert_int_equal(v.unsure, SNAG_UNSURE_PEER);
	drive_close(d, 1);
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_CERTAIN);
	drive_end(d);
}

/* What a rule answered in the kernel's place, or nobody saw, has changed nothing. */
static void test_learns_from_the_real_call_only(void **state)
{
	struct drive *d = drive_begin();
	struct model *before = malloc(sizeof(*before));
	struct snag_call c;
	struct snag_outcome o;

	(void)state;
	drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	memcpy(before, d->m, sizeof(*before));
	c = drive_bind_call(d, 1, drive_addr("127.0.0.1", 8080));
	o = drive_outcome(d, EADDRINUSE);
	o.real_err = -1;
	drive_learn(d, &c, &o);
	assert_memory_equal(before, d->m, sizeof(*before));
	o = drive_outcome(d, 0);
	o.seen = SNAG_UNSEEN;
	drive_learn(d, &c, &o);
	assert_memory_equal(before, d->m, sizeof(*before));
	o = drive_outcome(d, EADDRINUSE);	/* the kernel's own */
	drive_learn(d, &c, &o);
	assert_memory_equal(before, d->m, sizeof(*before));
	free(before);
	drive_end(d);
}

/* Bound to port 0 and connected: a reset that nobody sees releases the port, so its refusal is not certain. */
static void test_released_unseen(void **state)
{
	struct drive *d = drive_begin();
	struct snag_call c;
	struct snag_outcome o;
	struct model_verdict v;

	(void)state;
	drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	drive_socket(d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_bind_call(d, 1, drive_addr("127.0.0.1", 0));
	o = drive_outcome(d, 0);
	o.local = drive_addr("127.0.0.1", 40000);
	drive_learn(d, &c, &o);
	c = drive_bind_call(d, 2, drive_addr("127.0.0.1", 40000));
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_CERTAIN);
	assert_int_equal(v.err, EADDRINUSE);
	c = drive_call(d, SNAG_CALL_connect, 1);
	c.addr = drive_addr("127.0.0.1", 80);
	o = drive_outcome(d, 0);
	drive_learn(d, &c, &o);
	c = drive_bind_call(d, 2, drive_addr("127.0.0.1", 40000));
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_WITHHELD);
	assert_int_equal(v.unsure, SNAG_UNSURE_PEER);
	assert_int_equal(v.holder, 1);
	drive_end(d);
}

static void test_raced(void **state)
{
	struct drive *d = drive_begin();
	struct model_verdict v;
	struct snag_call c;

	(void)state;
	drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	drive_socket(d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_bind_call(d, 1, drive_addr("127.0.0.1", 8080));
	v = drive_predict(d, &c);
	assert_int_not_equal(v.ticket, 0);
	bind_ok(d, 2, "127.0.0.1", 8081);
	assert_false(model_raced(d->m, &c, v.ticket));
	drive_close(d, 2);
	drive_socket(d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	bind_ok(d, 2, "127.0.0.2", 8080);
	assert_true(model_raced(d->m, &c, v.ticket));
	assert_false(model_raced(d->m, &c, 0));
	drive_end(d);
}

static void test_time_waits(void **state)
{
	struct drive *d = drive_begin();
	struct snag_addr port = drive_addr("127.0.0.1", 8080), other = drive_addr("127.0.0.1", 8081);
	const struct row rows[] = {
		{TCP4, 1, NULL, 0, 0, 0, 0}, {BIND, 1, "127.0.0.1", 8080, 0, 0, 0}, {LISTEN, 1, NULL, 5, 0, 0, 0},
		{ACCEPT, 1, NULL, 2, 0, 0, 0}, {ACCEPT, 1, NULL, 3, 0, 0, 0}, {ACCEPT, 1, NULL, 4, 0, 0, 0},
	};
	static const uint8_t closing[] = {[2] = TCP_ESTABLISHED, [3] = TCP_CLOSE_WAIT, [4] = TCP_ESTABLISHED};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		run_row(d, &rows[i]);
	for (uint32_t s = 2; s <= 4; s++) {	/* the peer closed 3 first: TIME_WAIT is on its side */
		struct snag_call c = drive_call(d, SNAG_CALL_close, s);
		struct snag_outcome o = drive_outcome(d, 0);
		c.facts = SNAG_FACT_TCP_STATE;
		c.tcp_state = closing[s];
		o.last = 1;
		drive_learn(d, &c, &o);
		d->now_ns += 10 * SEC;
	}
	assert_int_equal(model_time_waits(d->m, &port, d->now_ns), 2);
	assert_int_equal(model_time_waits(d->m, &other, d->now_ns), 0);
	d->now_ns += 35 * SEC;
	assert_int_equal(model_time_waits(d->m, &port, d->now_ns), 1);
	d->now_ns += 30 * SEC;
	assert_int_equal(model_time_waits(d->m, &port, d->now_ns), 0);
	drive_end(d);
}

/* How long what is left of a connection may refuse a bind hangs on how long its machine, or TCP_LINGER2, lets it wait for
 * the other end's FIN. */
static void test_lingers(void **state)
{
	static const struct {
		uint32_t fin_timeout_ms;	/* 0: nobody told */
		int linger2;
		unsigned still_s, over_s;	/* FIN_WAIT2 and TIME_WAIT; the same at their latest */
	} rows[] = {{0, 0, 119, 133}, {60000, 0, 119, 133}, {1000, 0, 60, 74}, {300000, 0, 539, 553}, {1000, 110, 159, 173}};
	const struct row begins[] = {{TCP4, 1, NULL, 0, 0, 0, 0}, {BIND, 1, "127.0.0.1", 8080, 0, 0, 0},
		{LISTEN, 1, NULL, 5, 0, 0, 0}, {ACCEPT, 1, NULL, 2, WITHHELD(PEER), 0, 0}, {CLOSE, 1, NULL, 0, 0, 0, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model_machine machine = {.fin_timeout_ms = rows[i].fin_timeout_ms, .unprivileged_port = 1024};
		struct drive *d = drive_begin();
		struct snag_call c;
		d->machine = rows[i].fin_timeout_ms ? &machine : NULL;
		for (size_t j = 0; j < COUNT(begins); j++)
			run_row(d, &begins[j]);
		if (rows[i].linger2)
			drive_option(d, 2, IPPROTO_TCP, TCP_LINGER2, rows[i].linger2);
		drive_close(d, 2);
		drive_socket(d, 3, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
		c = drive_bind_call(d, 3, drive_addr("127.0.0.1", 8080));
		d->now_ns += rows[i].still_s * SEC;
		assert_int_equal(drive_predict(d, &c).sure, SNAG_WITHHELD);
		d->now_ns += (rows[i].over_s - rows[i].still_s) * SEC;
		assert_int_equal(drive_predict(d, &c).sure, SNAG_CERTAIN);
		drive_end(d);
	}
}

static void test_adopt(void **state)
{
	struct drive *d = drive_begin();
	struct model_facts f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .role = SNAG_ROLE_LISTENER,
				.domain = AF_INET6, .type = SOCK_STREAM, .backlog = 7,
					.options = SNAG_OPTION_REUSEADDR};
	struct model_sock s;

	(void)state;
	f.local = drive_addr("::", 8080);
	model_adopt(d->m, 3, 33, &f, d->now_ns);
	assert_true(model_get(d->m, 3, &s));
	assert_int_equal(s.serial, 33);
	assert_int_equal(s.state, SNAG_STATE_LISTEN);
	assert_int_equal(s.backlog, 7);
	drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	assert_int_equal(holder(d, 1, "127.0.0.1", 8080, SNAG_PROTO_TCP), 3);
	model_forget(d->m, 3, d->now_ns);
	model_forget(d->m, 3, d->now_ns);
	assert_int_equal(holder(d, 1, "127.0.0.1", 8080, SNAG_PROTO_TCP), 0);
	assert_false(model_get(d->m, 3, &s));
	model_adopt(d->m, SNAG_SOCKS + 1, 1, &f, d->now_ns);	/* no such slot: nothing happens */
	model_forget(d->m, SNAG_SOCKS + 1, d->now_ns);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),	 cmocka_unit_test(test_listen),	 cmocka_unit_test(test_connect),
		cmocka_unit_test(test_children), cmocka_unit_test(test_unix),
		cmocka_unit_test(test_low_port),
		cmocka_unit_test(test_unspec),	 cmocka_unit_test(test_unread_address), cmocka_unit_test(test_unknown_socket),
		cmocka_unit_test(test_owner), cmocka_unit_test(test_unix_elsewhere), cmocka_unit_test(test_holder),	 cmocka_unit_test(test_raced),	 cmocka_unit_test(test_time_waits), cmocka_unit_test(test_lingers),
		cmocka_unit_test(test_adopt),	 cmocka_unit_test(test_released_unseen),
		cmocka_unit_test(test_learns_from_the_real_call_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
