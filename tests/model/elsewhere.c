/* elsewhere: sockets of another network namespace stand on no port of the session's, and nothing is foretold of them. */
#include "drive.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { HOME = 1, AWAY, OTHER, CHILD };

static void make(struct drive *d, uint32_t sock, unsigned domain, bool elsewhere)
{
	struct snag_call c;
	struct snag_outcome o = drive_outcome(d, 0);

	d->proto[sock] = domain == AF_UNIX ? SNAG_PROTO_UNIX : SNAG_PROTO_TCP;
	d->domain[sock] = (uint16_t)domain;
	c = drive_call(d, SNAG_CALL_socket, sock);
	c.sock = c.serial = 0;
	c.arg[0] = (int)domain;
	c.arg[1] = SOCK_STREAM;
	o.new_sock = o.new_serial = sock;
	o.elsewhere = elsewhere;
	drive_learn(d, &c, &o);
}

/* What is foretold: 0 or an errno; withheld: minus the reason. Then the kernel answers `real`. */
static int call(struct drive *d, struct snag_call c, int real)
{
	struct model_verdict v = drive_predict(d, &c);
	struct snag_outcome o = drive_outcome(d, real);

	if (c.call == SNAG_CALL_accept && !real) {
		o.new_sock = o.new_serial = CHILD;
		o.peer = drive_addr("127.0.0.1", 40000);
		d->proto[CHILD] = d->proto[c.sock];
		d->domain[CHILD] = d->domain[c.sock];
	}
	drive_learn(d, &c, &o);
	return v.sure == SNAG_CERTAIN ? v.err : -(int)v.unsure;
}

static int bind_to(struct drive *d, uint32_t sock, unsigned port, int real)
{
	return call(d, drive_bind_call(d, sock, drive_addr("127.0.0.1", port)), real);
}

static int bind_name(struct drive *d, uint32_t sock, const char *name, int real)
{
	return call(d, drive_path_call(d, SNAG_CALL_bind, sock, name, 5), real);
}

static uint32_t holder(const struct drive *d, uint32_t sock, unsigned port)
{
	struct snag_addr a = drive_addr("127.0.0.1", port);

	return model_holder(d->m, sock, &a, SNAG_PROTO_TCP, d->now_ns);
}

static uint32_t holder_of_name(const struct drive *d, uint32_t sock, const char *name)
{
	struct snag_call c = drive_path_call(d, SNAG_CALL_bind, sock, name, 5);

	return model_holder(d->m, sock, &c.addr, SNAG_PROTO_UNIX, d->now_ns);
}

static unsigned state_of(const struct drive *d, uint32_t sock)
{
	struct model_sock s;

	return model_get(d->m, sock, &s) ? s.state : SNAG_STATE_NONE;
}

static bool all_live(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg;
	(void)sock;
	(void)serial;
	return true;
}

static void test_one_port_twice(void **state)
{
	struct drive *d = drive_begin();

	(void)state;
	make(d, HOME, AF_INET, false);
	make(d, AWAY, AF_INET, true);
	make(d, OTHER, AF_INET, false);
	assert_int_equal(bind_to(d, AWAY, 8080, 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(state_of(d, AWAY), SNAG_STATE_BOUND);
	assert_int_equal(holder(d, OTHER, 8080), 0);
	assert_int_equal(bind_to(d, HOME, 8080, 0), 0);
	assert_int_equal(bind_to(d, OTHER, 8080, EADDRINUSE), EADDRINUSE);
	assert_int_equal(holder(d, OTHER, 8080), HOME);
	assert_int_equal(holder(d, AWAY, 8080), 0);
	assert_int_equal(model_check(d->m, all_live, NULL), 0);
	drive_close(d, HOME);
	assert_int_equal(bind_to(d, OTHER, 8080, 0), 0);
	drive_close(d, AWAY);
	assert_int_equal(state_of(d, AWAY), SNAG_STATE_NONE);
	assert_int_equal(holder(d, AWAY, 8080), OTHER);
	drive_end(d);
}

/* Connections too, and what is left of them; rules still find state, role and addresses. */
static void test_connections(void **state)
{
	struct drive *d = drive_begin();
	struct snag_call c;
	struct model_sock s;

	(void)state;
	make(d, AWAY, AF_INET, true);
	make(d, HOME, AF_INET, false);
	bind_to(d, AWAY, 8080, 0);
	assert_int_equal(call(d, drive_call(d, SNAG_CALL_listen, AWAY), 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(call(d, drive_call(d, SNAG_CALL_accept, AWAY), 0), -SNAG_UNSURE_NETNS);
	assert_true(model_get(d->m, CHILD, &s));
	assert_int_equal(s.elsewhere, 1);
	assert_int_equal(s.role, SNAG_ROLE_ACCEPTED);
	assert_int_equal(s.local.port, 8080);
	assert_int_equal(s.peer.port, 40000);
	c = drive_call(d, SNAG_CALL_shutdown, CHILD);
	c.arg[0] = SHUT_WR;
	assert_int_equal(call(d, c, 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(state_of(d, CHILD), SNAG_STATE_FIN_WAIT);
	drive_close(d, CHILD);
	assert_int_equal(d->m->traffic[8080].open, 0);
	assert_int_equal(d->m->traffic[8080].trail, 0);
	make(d, OTHER, AF_INET, true);
	c = drive_call(d, SNAG_CALL_connect, OTHER);
	c.addr = drive_addr("127.0.0.1", 8080);
	assert_int_equal(call(d, c, EINPROGRESS), -SNAG_UNSURE_NETNS);
	assert_true(model_get(d->m, OTHER, &s));
	assert_int_equal(s.state, SNAG_STATE_SYN_SENT);
	assert_int_equal(s.role, SNAG_ROLE_CLIENT);
	assert_int_equal(s.peer.port, 8080);
	drive_close(d, AWAY);
	drive_close(d, OTHER);
	assert_int_equal(bind_to(d, HOME, 8080, 0), 0);
	drive_end(d);
}

/* Abstract names are a namespace's own, paths are not. */
static void test_unix(void **state)
{
	struct drive *d = drive_begin();

	(void)state;
	make(d, HOME, AF_UNIX, false);
	make(d, AWAY, AF_UNIX, true);
	make(d, OTHER, AF_UNIX, true);
	assert_int_equal(bind_name(d, AWAY, "\0name", 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(holder_of_name(d, HOME, "\0name"), 0);
	assert_int_equal(bind_name(d, HOME, "\0name", 0), 0);
	assert_int_equal(bind_name(d, OTHER, "/name", 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(holder_of_name(d, HOME, "/name"), OTHER);
	assert_int_equal(model_check(d->m, all_live, NULL), 0);
	drive_end(d);
}

static void test_adopted(void **state)
{
	struct drive *d = drive_begin();
	struct model_facts f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .role = SNAG_ROLE_LISTENER,
				.domain = AF_INET, .type = SOCK_STREAM, .elsewhere = true};

	(void)state;
	f.local = drive_addr("127.0.0.1", 8080);
	model_adopt(d->m, AWAY, AWAY, &f, d->now_ns);
	f.role = SNAG_ROLE_ACCEPTED;
	f.state = SNAG_STATE_ESTABLISHED;
	model_adopt(d->m, CHILD, CHILD, &f, d->now_ns);
	make(d, HOME, AF_INET, false);
	assert_int_equal(holder(d, HOME, 8080), 0);
	model_forget(d->m, CHILD, d->now_ns);
	assert_int_equal(bind_to(d, HOME, 8080, 0), 0);
	drive_end(d);
}

/* The socket is the session's, the caller is elsewhere: its machine is another. */
static void test_caller_elsewhere(void **state)
{
	struct drive *d = drive_begin();
	struct snag_call c;

	(void)state;
	make(d, HOME, AF_INET, false);
	make(d, OTHER, AF_INET, false);
	c = drive_bind_call(d, HOME, drive_addr("127.0.0.1", 8080));
	c.elsewhere = 1;
	assert_int_equal(call(d, c, 0), -SNAG_UNSURE_NETNS);
	assert_int_equal(bind_to(d, OTHER, 8080, EADDRINUSE), EADDRINUSE);
	drive_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_port_twice), cmocka_unit_test(test_connections), cmocka_unit_test(test_unix),
		cmocka_unit_test(test_adopted), cmocka_unit_test(test_caller_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
