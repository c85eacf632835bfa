/* What a rule sees of a call's socket: its role, and the addresses of both sides. The rules are written as a user
 * writes them; the calls are driven through decide and learned as a kernel would have answered them. */
#include "drive.h"
#include <compile/compile.h>
#include <engine/engine.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LISTENS 40001	/* the port that the kernel gave to a bind to port 0 */
#define CALLS_FROM 50123 /* the peer of the accepted connection */
#define SERVES 5432	/* where the client connects to */
#define SENDS_FROM 41000 /* the client's own port, which only the kernel knows */

enum { LISTENER = 1, ACCEPTED, CLIENT, UNBOUND, OTHER };

struct view {
	struct drive *d;
	struct engine e;
	struct compiled policy;
};

static struct view *view_begin(const char *rule)
{
	struct view *v = calloc(1, sizeof(*v));
	struct compile_input in = {.rules = &rule, .n_rules = 1, .seed = "1"};

	v->d = drive_begin();
	if (compile_policy(&in, &v->policy, NULL))
		fail_msg("%s", rule);
	v->e = (struct engine){.model = v->d->m, .rules = v->policy.image, .mode = SNAG_MODE_INJECT};
	v->e.triggers = calloc(1, sizeof(*v->e.triggers));
	for (uint32_t sock = LISTENER; sock <= OTHER; sock++)
		if (sock != ACCEPTED)
			drive_socket(v->d, sock, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return v;
}

static void view_end(struct view *v)
{
	compile_free(&v->policy);
	free(v->e.triggers);
	drive_end(v->d);
	free(v);
}

/* Does the rule match this call? A fact that the engine asks for is filled in. */
static bool met(struct view *v, struct snag_call c)
{
	struct snag_plan p;

	if (engine_facts(&v->e, c.call) & SNAG_FACT_LOCAL) {
		c.facts |= SNAG_FACT_LOCAL;
		if (c.sock == LISTENER || c.sock == ACCEPTED)
			c.local = drive_addr("127.0.0.1", LISTENS);
		else if (c.sock == CLIENT)
			c.local = drive_addr("127.0.0.1", SENDS_FROM);
		else
			c.local = drive_addr("0.0.0.0", 0);
	}
	engine_decide(&v->e, &c, &p);
	return p.rule[0] == 1;
}

static bool met_on(struct view *v, unsigned call, uint32_t sock)
{
	return met(v, drive_call(v->d, call, sock));
}

static struct snag_call a_connect(const struct view *v, uint32_t sock)
{
	struct snag_call c = drive_call(v->d, SNAG_CALL_connect, sock);

	c.addr = drive_addr("10.1.1.1", SERVES);
	return c;
}

/* bind to port 0, listen, accept */
static void serve(struct view *v)
{
	struct snag_call c = drive_bind_call(v->d, LISTENER, drive_addr("127.0.0.1", 0));
	struct snag_outcome o = drive_outcome(v->d, 0);

	o.local = drive_addr("127.0.0.1", LISTENS);
	drive_learn(v->d, &c, &o);
	c = drive_call(v->d, SNAG_CALL_listen, LISTENER);
	drive_learn(v->d, &c, &o);
	c = drive_call(v->d, SNAG_CALL_accept, LISTENER);
	o = drive_outcome(v->d, 0);
	o.new_sock = o.new_serial = ACCEPTED;
	o.peer = drive_addr("192.168.7.7", CALLS_FROM);
	v->d->proto[ACCEPTED] = SNAG_PROTO_TCP;
	v->d->domain[ACCEPTED] = AF_INET;
	drive_learn(v->d, &c, &o);
}

static void connects(struct view *v, int err)
{
	struct snag_call c = a_connect(v, CLIENT);
	struct snag_outcome o = drive_outcome(v->d, err);

	drive_learn(v->d, &c, &o);
}

/* ---- role ---- */

/* A fresh socket has none yet: connect and listen make it what it is, and are calls of that role. */
static void test_role_of_a_fresh_socket(void **state)
{
	struct view *v = view_begin("connect,bind,shutdown role=client: delay=1ms");
	struct snag_call unknown;

	(void)state;
	assert_true(met(v, a_connect(v, CLIENT)));
	assert_false(met_on(v, SNAG_CALL_bind, CLIENT));
	assert_false(met_on(v, SNAG_CALL_shutdown, CLIENT));
	unknown = a_connect(v, CLIENT);
	unknown.sock = unknown.serial = 0;
	assert_true(met(v, unknown));
	connects(v, 0);
	assert_true(met(v, a_connect(v, CLIENT)));
	assert_true(met_on(v, SNAG_CALL_shutdown, CLIENT));
	view_end(v);

	v = view_begin("listen,bind,shutdown role=listener: delay=1ms");
	assert_true(met_on(v, SNAG_CALL_listen, LISTENER));
	assert_false(met_on(v, SNAG_CALL_bind, LISTENER));
	assert_false(met_on(v, SNAG_CALL_shutdown, LISTENER));
	serve(v);
	assert_true(met_on(v, SNAG_CALL_listen, LISTENER));
	assert_true(met_on(v, SNAG_CALL_shutdown, LISTENER));
	view_end(v);
}

/* A socket that has a role keeps it, whatever is called on it. */
static void test_role_that_stands(void **state)
{
	struct view *v = view_begin("connect,listen role=accepted: delay=1ms");

	(void)state;
	serve(v);
	assert_true(met(v, a_connect(v, ACCEPTED)));
	assert_true(met_on(v, SNAG_CALL_listen, ACCEPTED));
	assert_false(met(v, a_connect(v, CLIENT)));
	view_end(v);
}

/* ---- addresses ---- */

/* After a server has bound to port 0, listened and accepted, and a client has connected. */
static void test_sides(void **state)
{
	static const struct {
		const char *rule;
		unsigned call;
		uint32_t sock;
		bool met;
	} rows[] = {
		/* the listener: the port that the kernel chose */
		{"accept port=40001: delay=1ms", SNAG_CALL_accept, LISTENER, true},
		{"accept port=40001: delay=1ms", SNAG_CALL_accept4, LISTENER, true},
		{"accept port=0: delay=1ms", SNAG_CALL_accept, LISTENER, false},
		{"listen port=40001: delay=1ms", SNAG_CALL_listen, LISTENER, true},
		{"close port=40001: delay=1ms", SNAG_CALL_close, LISTENER, true},
		{"shutdown port=40001: delay=1ms", SNAG_CALL_shutdown, LISTENER, true},
		{"close side=peer port=40001: delay=1ms", SNAG_CALL_close, LISTENER, false},
		/* an accepted one: its own is the listener's, its peer is whom accept told of */
		{"close port=40001: delay=1ms", SNAG_CALL_close, ACCEPTED, true},
		{"shutdown port=40001: delay=1ms", SNAG_CALL_shutdown, ACCEPTED, true},
		{"dup port=40001: delay=1ms", SNAG_CALL_dup, ACCEPTED, true},
		{"close port=50123: delay=1ms", SNAG_CALL_close, ACCEPTED, false},
		{"close side=peer port=50123: delay=1ms", SNAG_CALL_close, ACCEPTED, true},
		{"shutdown side=peer port=50123: delay=1ms", SNAG_CALL_shutdown, ACCEPTED, true},
		{"close side=peer addr=192.168.0.0/16: delay=1ms", SNAG_CALL_close, ACCEPTED, true},
		{"close side=peer addr=127.0.0.0/8: delay=1ms", SNAG_CALL_close, ACCEPTED, false},
		{"close side=peer port=40001: delay=1ms", SNAG_CALL_close, ACCEPTED, false},
		{"close role=accepted port=40001: delay=1ms", SNAG_CALL_close, ACCEPTED, true},
		{"close role=accepted port=40001: delay=1ms", SNAG_CALL_close, LISTENER, false},
		/* the client: its own port is the kernel's choice, its peer is where it went */
		{"close port=41000: delay=1ms", SNAG_CALL_close, CLIENT, true},
		{"close port=5432: delay=1ms", SNAG_CALL_close, CLIENT, false},
		{"close side=peer port=5432: delay=1ms", SNAG_CALL_close, CLIENT, true},
		{"shutdown side=peer port=5432 addr=10.0.0.0/8: delay=1ms", SNAG_CALL_shutdown, CLIENT, true},
		{"close side=peer port=5432: delay=1ms", SNAG_CALL_close, ACCEPTED, false},
		/* without a call every call has the side of its own */
		{"* port=40001: delay=1ms", SNAG_CALL_accept, LISTENER, true},
		{"* port=40001: delay=1ms", SNAG_CALL_close, ACCEPTED, true},
		{"* port=41000: delay=1ms", SNAG_CALL_close, CLIENT, true},
		{"* port=5432: delay=1ms", SNAG_CALL_close, CLIENT, false},
		/* a socket without a name */
		{"close port=1..65535: delay=1ms", SNAG_CALL_close, UNBOUND, false},
		{"close side=peer port=0..65535: delay=1ms", SNAG_CALL_close, UNBOUND, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view *v = view_begin(rows[i].rule);
		serve(v);
		connects(v, 0);
		if (met_on(v, rows[i].call, rows[i].sock) != rows[i].met)
			fail_msg("row %zu: %s", i, rows[i].rule);
		view_end(v);
	}
}

/* A rule on bind and connect at once: the address that the program names in the call. */
static void test_arguments(void **state)
{
	static const struct {
		const char *rule;
		bool bind, connect;
	} rows[] = {
		{"bind,connect port=5432: delay=1ms", false, true},
		{"bind,connect port=8080: delay=1ms", true, false},
		{"* port=5432,8080: delay=1ms", true, true},
		{"* addr=10.0.0.0/8: delay=1ms", false, true},
		{"bind,connect side=local port=8080: delay=1ms", true, false},
		{"bind,connect side=local port=5432: delay=1ms", false, false},
		{"bind port=0: delay=1ms", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view *v = view_begin(rows[i].rule);
		assert_int_equal(met(v, drive_bind_call(v->d, OTHER, drive_addr("127.0.0.1", 8080))), rows[i].bind);
		assert_int_equal(met(v, a_connect(v, CLIENT)), rows[i].connect);
		view_end(v);
	}
}

/* The kernel chooses in bind: beforehand there is only the 0 that the program asked for. */
static void test_bind_to_port_0(void **state)
{
	struct view *v = view_begin("bind port=0: delay=1ms");
	struct snag_addr any = drive_addr("127.0.0.1", 0);

	(void)state;
	assert_true(met(v, drive_bind_call(v->d, OTHER, any)));
	view_end(v);
	v = view_begin("bind port=1..65535: delay=1ms");
	assert_false(met(v, drive_bind_call(v->d, OTHER, any)));
	view_end(v);
}

/* What a process that has ended leaves on its ports: rules that take ports are asked, and no others. */
static void test_ends_without_a_call(void **state)
{
	static const struct {
		const char *rule;
		uint32_t sock;
		bool leaves;
		uint8_t as;
	} rows[] = {
		{"close: time_wait=5s", LISTENER, true, SNAG_OCCUPANT_TIME_WAIT},
		{"close role=listener port=40001 comm=server: time_wait=5s", LISTENER, true, SNAG_OCCUPANT_TIME_WAIT},
		{"close: steal=5s", LISTENER, true, SNAG_OCCUPANT_BOUND},
		{"close comm=client: time_wait=5s", LISTENER, false, 0},
		{"close role=accepted: time_wait=5s", LISTENER, false, 0},
		{"close first=1: time_wait=5s", UNBOUND, false, 0},
		{"=fclose: time_wait=5s", LISTENER, false, 0},
		{"close: EIO", LISTENER, false, 0},
		{"bind: time_wait=5s", LISTENER, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view *v = view_begin(rows[i].rule);
		struct snag_call c = {.call = SNAG_CALL_close, .sock = rows[i].sock, .start_ns = 1000, .who.comm = "server"};
		struct snag_occupant_order o;

		serve(v);
		assert_int_equal(engine_ended(&v->e, &c, &o), rows[i].leaves);
		if (rows[i].leaves) {
			assert_int_equal(o.as, rows[i].as);
			assert_int_equal(o.addr.port, LISTENS);
			assert_int_equal(o.until_ns - o.begin_ns, 5000000000);
		}
		view_end(v);
	}
}

/* Only the last descriptor's end can leave something: others are no match. */
static void test_last_descriptor(void **state)
{
	struct view *v = view_begin("close first=1: time_wait=5s");
	struct snag_call c;

	(void)state;
	serve(v);
	assert_true(engine_facts(&v->e, SNAG_CALL_close) & SNAG_FACT_LAST);
	c = drive_call(v->d, SNAG_CALL_close, LISTENER);
	c.facts |= SNAG_FACT_LAST;
	assert_false(met(v, c));
	c.last = 1;
	assert_true(met(v, c));
	view_end(v);
}

/* A peer while a connect is under way, and none after it was refused, or where nobody told of it. */
static void test_peer_comes_and_goes(void **state)
{
	static const struct {
		int err;
		bool met;
	} rows[] = {{0, true}, {EINPROGRESS, true}, {EINTR, true}, {ECONNREFUSED, false}, {ETIMEDOUT, false}};
	struct view *v;
	struct snag_call c;
	struct snag_outcome o;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		v = view_begin("close side=peer port=5432: delay=1ms");
		connects(v, rows[i].err);
		assert_int_equal(met_on(v, SNAG_CALL_close, CLIENT), rows[i].met);
		view_end(v);
	}
	v = view_begin("close side=peer port=0..65535: delay=1ms");
	serve(v);
	assert_true(met_on(v, SNAG_CALL_close, ACCEPTED));
	c = drive_call(v->d, SNAG_CALL_accept, LISTENER);
	o = drive_outcome(v->d, 0);
	o.new_sock = o.new_serial = OTHER;
	drive_learn(v->d, &c, &o);
	assert_false(met_on(v, SNAG_CALL_close, OTHER));
	view_end(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_role_of_a_fresh_socket), cmocka_unit_test(test_role_that_stands),
		cmocka_unit_test(test_sides),		       cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_bind_to_port_0),	       cmocka_unit_test(test_peer_comes_and_goes),
		cmocka_unit_test(test_ends_without_a_call),    cmocka_unit_test(test_last_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
