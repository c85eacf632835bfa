/* What a rule on recv and send makes of a call: bounds on bytes, what fits which socket, what is done once only. The
 * rules are written as a user writes them. */
#include "drive.h"
#include <compile/compile.h>
#include <engine/engine.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct front {
	struct drive *d;
	struct engine e;
	struct compiled policy;
};

static struct front *front_begin(const char *rule)
{
	struct front *f = calloc(1, sizeof(*f));
	struct compile_input in = {.rules = &rule, .n_rules = 1, .seed = "1"};

	f->d = drive_begin();
	if (compile_policy(&in, &f->policy, NULL))
		fail_msg("%s", rule);
	f->e = (struct engine){.model = f->d->m, .rules = f->policy.image, .mode = SNAG_MODE_INJECT};
	f->e.triggers = calloc(1, sizeof(*f->e.triggers));
	drive_socket(f->d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	drive_socket(f->d, 2, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return f;
}

static void front_end(struct front *f)
{
	compile_free(&f->policy);
	free(f->e.triggers);
	drive_end(f->d);
	free(f);
}

static struct snag_call a_call(struct front *f, unsigned call, uint32_t sock, int bytes)
{
	struct snag_call c = drive_call(f->d, call, sock);

	c.type = SOCK_STREAM;
	c.arg[0] = bytes;
	c.facts = SNAG_FACT_BLOCKING;
	return c;
}

static struct snag_plan decided(struct front *f, const struct snag_call *c)
{
	struct snag_plan p;

	engine_decide(&f->e, c, &p);
	return p;
}

static void test_clamp(void **state)
{
	struct front *f = front_begin("send: clamp=7");
	struct snag_call c = a_call(f, SNAG_CALL_writev, 1, 100);
	struct snag_plan p = decided(f, &c);

	(void)state;
	assert_int_equal(p.action, SNAG_ACTION_clamp);
	assert_int_equal(p.most, 7);
	c = a_call(f, SNAG_CALL_recv, 1, 100);
	p = decided(f, &c);
	assert_int_equal(p.most, 0);
	assert_int_equal(p.by, SNAG_BY_KERNEL);
	front_end(f);
}

/* A call that would cross the border is cut there, one that ends before it is not, and the next one meets the rule. */
static void test_border(void **state)
{
	static const struct {
		uint64_t sent;
		int bytes;
		uint64_t most;
		bool fires;
	} rows[] = {
		{0, 100, 0, false}, {0, 4096, 0, false}, {0, 4097, 4096, false}, {4000, 97, 96, false},
		{4000, 96, 0, false}, {4096, 1, 0, true}, {5000, 1, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct front *f = front_begin("send bytes_sent=4KiB: EPIPE");
		struct snag_call c = a_call(f, SNAG_CALL_send, 1, rows[i].bytes);
		struct snag_plan p;

		c.sent = rows[i].sent;
		p = decided(f, &c);
		assert_int_equal(p.most, rows[i].most);
		assert_int_equal(p.err == EPIPE, rows[i].fires);
		assert_int_equal(p.rule[0] != 0, rows[i].fires);
		front_end(f);
	}
}

/* Bytes that go the other way make no border, but count. */
static void test_other_way(void **state)
{
	struct front *f = front_begin("recv bytes_sent=10 bytes_received=20: ECONNRESET");
	struct snag_call c = a_call(f, SNAG_CALL_read, 1, 100);

	(void)state;
	assert_int_equal(decided(f, &c).most, 20);
	c.received = 20;
	assert_int_equal(decided(f, &c).most, 0);
	assert_int_equal(decided(f, &c).err, 0);
	c.sent = 10;
	assert_int_equal(decided(f, &c).err, ECONNRESET);
	front_end(f);
}

/* A rule that will never fire again cuts nothing any more: of this socket, of any. */
static void test_over(void **state)
{
	static const struct {
		const char *rule;
		uint64_t other;		/* bound on the other socket, when the rule has fired on the first */
	} rows[] = {
		{"send bytes_sent=10 limit=1: EPIPE", 0},
		{"send bytes_sent=10 limit=1 count_per=socket: EPIPE", 10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct front *f = front_begin(rows[i].rule);
		struct snag_call c = a_call(f, SNAG_CALL_send, 1, 100), other = a_call(f, SNAG_CALL_send, 2, 100);

		assert_int_equal(decided(f, &other).most, 10);
		c.sent = 10;
		assert_int_equal(decided(f, &c).err, EPIPE);
		assert_int_equal(decided(f, &c).err, 0);
		assert_int_equal(decided(f, &other).most, rows[i].other);
		front_end(f);
	}
}

static void test_fits(void **state)
{
	static const struct {
		const char *rule;
		unsigned call, proto, type;
		bool blocking;
		unsigned spent;
		bool fits;
	} rows[] = {
		{"recv: clamp=3", SNAG_CALL_recv, SNAG_PROTO_TCP, SOCK_STREAM, true, 0, true},
		{"recv: clamp=3", SNAG_CALL_recv, SNAG_PROTO_UNIX, SOCK_STREAM, true, 0, true},
		{"recv: clamp=3", SNAG_CALL_recv, SNAG_PROTO_UNIX, SOCK_DGRAM, true, 0, false},
		{"recv: clamp=3", SNAG_CALL_recv, SNAG_PROTO_UDP, SOCK_DGRAM, true, 0, false},
		{"recv: EAGAIN", SNAG_CALL_readv, SNAG_PROTO_TCP, SOCK_STREAM, false, 0, true},
		{"recv: EAGAIN", SNAG_CALL_readv, SNAG_PROTO_TCP, SOCK_STREAM, true, 0, false},
		{"recv: EAGAIN", SNAG_CALL_readv, SNAG_PROTO_UNIX, SOCK_STREAM, false, 0, true},
		{"recv: EAGAIN", SNAG_CALL_readv, SNAG_PROTO_UNIX, SOCK_DGRAM, false, 0, false},
		{"recv: spurious=1", SNAG_CALL_recv, SNAG_PROTO_UNIX, SOCK_STREAM, false, 0, true},
		{"send: EINTR", SNAG_CALL_sendmsg, SNAG_PROTO_TCP, SOCK_STREAM, true, 0, true},
		{"send: EINTR", SNAG_CALL_sendmsg, SNAG_PROTO_TCP, SOCK_STREAM, false, 0, false},
		{"send: reset=both", SNAG_CALL_send, SNAG_PROTO_TCP, SOCK_STREAM, true, 0, true},
		{"send: reset=both", SNAG_CALL_send, SNAG_PROTO_UNIX, SOCK_STREAM, true, 0, false},
		{"send: reset=both", SNAG_CALL_send, SNAG_PROTO_TCP, SOCK_STREAM, true, SNAG_SPENT_RESET, false},
		{"recv: eof", SNAG_CALL_recv, SNAG_PROTO_UNIX, SOCK_STREAM, true, 0, true},
		{"recv: eof", SNAG_CALL_recv, SNAG_PROTO_TCP, SOCK_STREAM, true, SNAG_SPENT_EOF, false},
		{"recv: blackhole=peer", SNAG_CALL_recv, SNAG_PROTO_TCP, SOCK_STREAM, true, SNAG_SPENT_DEAF, true},
		{"recv: blackhole=peer", SNAG_CALL_recv, SNAG_PROTO_TCP, SOCK_STREAM, true, SNAG_SPENT_MUTE, false},
		{"recv: blackhole=self", SNAG_CALL_recv, SNAG_PROTO_TCP, SOCK_STREAM, true, SNAG_SPENT_MUTE, true},
		{"recv: stall=1s", SNAG_CALL_recv, SNAG_PROTO_UDP, SOCK_DGRAM, true, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct front *f = front_begin(rows[i].rule);
		struct snag_call c = a_call(f, rows[i].call, 1, 100);

		c.proto = (uint8_t)rows[i].proto;
		c.type = (uint8_t)rows[i].type;
		c.blocking = rows[i].blocking;
		c.spent = (uint8_t)rows[i].spent;
		if ((decided(f, &c).by == SNAG_BY_RULE) != rows[i].fits)
			fail_msg("row %zu: %s", i, rows[i].rule);
		assert_int_equal(f->e.triggers->rule[0].matched, rows[i].fits);
		front_end(f);
	}
}

/* A dry run moves all. */
static void test_dry(void **state)
{
	struct front *f = front_begin("send: clamp=7");
	struct snag_call c = a_call(f, SNAG_CALL_send, 1, 100);
	struct snag_plan p;

	(void)state;
	f->e.dry = 1;
	p = decided(f, &c);
	assert_int_equal(p.rule[0], 1);
	assert_int_equal(p.most, 0);
	front_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clamp), cmocka_unit_test(test_border), cmocka_unit_test(test_other_way),
		cmocka_unit_test(test_over),  cmocka_unit_test(test_fits),   cmocka_unit_test(test_dry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
