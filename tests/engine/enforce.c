/* The virtual kernel through decide and commit, driven by a fake front end: what is refused, what the event says, and
 * what becomes of a refusal that the machine has to prove. The policies are written as a user writes them. */
#include "drive.h"
#include <compile/compile.h>
#include <engine/engine.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PORT 8080

struct front {
	struct drive *d;
	struct engine e;
	struct compiled policy;
	struct snag_plan plan;
	union snag_event ev[SNAG_EVENT_MAX];
};

static struct front *front_begin(const char *const *sets, unsigned n, const char *mode)
{
	struct front *f = calloc(1, sizeof(*f));
	struct compile_input in = {.sets = sets, .n_sets = n, .mode = mode, .seed = "1"};

	f->d = drive_begin();
	assert_int_equal(compile_policy(&in, &f->policy, NULL), 0);
	f->e = (struct engine){.model = f->d->m, .rules = f->policy.image, .mode = (uint8_t)f->policy.mode};
	f->e.triggers = calloc(1, sizeof(*f->e.triggers));
	return f;
}

static void front_end(struct front *f)
{
	compile_free(&f->policy);
	free(f->e.triggers);
	drive_end(f->d);
	free(f);
}

/* Decide; unless the plan fails the call, `err` is what the machine says: -1, nothing, as it was not asked. */
static const struct snag_event_call *play(struct front *f, const struct snag_call *c, int err, int seen_by_program)
{
	struct snag_outcome o;

	engine_decide(&f->e, c, &f->plan);
	f->d->now_ns += 500;
	o = drive_outcome(f->d, f->plan.err ? f->plan.err : seen_by_program);
	o.real_err = f->plan.err ? -1 : err;
	o.last = c->call == SNAG_CALL_close;
	engine_commit(&f->e, c, &f->plan, &o, f->ev);
	return &f->ev[0].call;
}

static struct snag_call binding(struct front *f, uint32_t sock, unsigned port)
{
	drive_socket(f->d, sock, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	return drive_bind_call(f->d, sock, drive_addr("127.0.0.1", port));
}

static void test_refusal(void **state)
{
	const char *const sets[] = {"kernel.privileged=false", "kernel.ip_unprivileged_port_start=9000"};
	struct front *f = front_begin(sets, COUNT(sets), NULL);
	struct snag_call c = binding(f, 1, PORT);
	const struct snag_event_call *ev;

	(void)state;
	assert_int_equal(f->e.mode, SNAG_MODE_ENFORCE);
	assert_true(engine_wants(&f->e, SNAG_CALL_bind));
	assert_true(engine_facts(&f->e, SNAG_CALL_bind) & SNAG_FACT_PRIVILEGED);
	assert_false(engine_wants(&f->e, SNAG_CALL_accept));
	ev = play(f, &c, 0, 0);
	assert_int_equal(ev->err, EACCES);
	assert_int_equal(ev->by, SNAG_BY_MODEL);
	assert_int_equal(ev->head.extra, 1);
	assert_int_equal(f->ev[1].why.code, SNAG_WHY_PRIVILEGED);
	c.addr.port = 9000;
	ev = play(f, &c, 0, 0);
	assert_int_equal(ev->err, 0);
	assert_int_equal(ev->by, SNAG_BY_KERNEL);
	front_end(f);
}

/* Dry runs and mode log carry nothing out. */
static void test_not_in_force(void **state)
{
	const char *const sets[] = {"kernel.open_sockets=0"};
	struct front *f = front_begin(sets, COUNT(sets), "log");

	(void)state;
	assert_null(engine_kernel(&f->e));
	front_end(f);
	f = front_begin(sets, COUNT(sets), NULL);
	assert_non_null(engine_kernel(&f->e));
	f->e.dry = 1;
	assert_null(engine_kernel(&f->e));
	front_end(f);
}

/* An accepted connection on PORT is socket 1; its end as told, or its process killed. */
static void ends(struct front *f, bool killed)
{
	struct model_facts facts = {
		.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_ESTABLISHED, .domain = AF_INET, .type = SOCK_STREAM,
		.local = drive_addr("127.0.0.1", PORT), .peer = drive_addr("127.0.0.1", 40000),
	};
	struct snag_call c;

	f->d->proto[1] = SNAG_PROTO_TCP;
	f->d->domain[1] = AF_INET;
	model_adopt(f->d->m, 1, 1, &facts, f->d->now_ns);
	if (killed) {
		engine_forget(&f->e, 1, f->d->now_ns);
		return;
	}
	c = drive_call(f->d, SNAG_CALL_close, 1);
	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_LOCAL;
	c.tcp_state = TCP_ESTABLISHED;
	c.local = facts.local;
	play(f, &c, 0, 0);
}

static void test_time_wait(void **state)
{
	const char *const sets[] = {"kernel.clock=100"};
	struct front *f = front_begin(sets, COUNT(sets), NULL);
	struct snag_call c;
	const struct snag_event_call *ev;

	(void)state;
	ends(f, false);
	c = binding(f, 2, PORT);
	ev = play(f, &c, 0, 0);
	assert_int_equal(ev->err, EADDRINUSE);
	assert_int_equal(ev->by, SNAG_BY_MODEL);
	assert_int_equal(f->ev[1].why.code, SNAG_WHY_HELD);
	assert_int_equal(f->ev[1].why.state, SNAG_STATE_TIME_WAIT);
	f->d->now_ns += 600000000;
	c = drive_bind_call(f->d, 2, drive_addr("127.0.0.1", PORT));
	ev = play(f, &c, 0, 0);
	assert_int_equal(f->plan.bind, SNAG_BIND_LIFTED);
	assert_int_equal(ev->err, 0);
	assert_false(ev->flags & SNAG_EVENT_DIVERGED);
	front_end(f);
}

/* Nobody saw who closed first: the machine, asked without SO_REUSEADDR, has the word. */
static void test_proof(void **state)
{
	const char *const sets[] = {"kernel.time_wait=1h"};
	const struct snag_event_call *ev;

	(void)state;
	for (int held = 0; held < 2; held++) {
		struct front *f = front_begin(sets, COUNT(sets), NULL);
		struct snag_call c;
		ends(f, true);
		c = binding(f, 2, PORT);
		ev = play(f, &c, held ? -1 : 0, held ? EADDRINUSE : 0);
		assert_int_equal(f->plan.bind, SNAG_BIND_PROVEN);
		assert_int_equal(ev->err, held ? EADDRINUSE : 0);
		assert_int_equal(ev->by, held ? SNAG_BY_MODEL : SNAG_BY_KERNEL);
		if (held)
			assert_int_equal(f->ev[1].why.state, SNAG_STATE_TIME_WAIT);
		front_end(f);
	}
}

/* Other rules: refused though Linux admits, and admitted though Linux refuses. */
static void test_profile(void **state)
{
	const char *const sets[] = {"kernel.rules=freebsd"};
	struct front *f = front_begin(sets, COUNT(sets), NULL);
	struct snag_call c = binding(f, 1, PORT);
	const struct snag_event_call *ev;

	(void)state;
	drive_option(f->d, 1, SOL_SOCKET, SO_REUSEADDR, 1);
	play(f, &c, 0, 0);
	c = binding(f, 2, PORT);
	drive_option(f->d, 2, SOL_SOCKET, SO_REUSEADDR, 1);
	ev = play(f, &c, 0, 0);
	assert_int_equal(ev->err, EADDRINUSE);
	assert_int_equal(ev->by, SNAG_BY_MODEL);
	assert_int_equal(f->ev[1].why.code, SNAG_WHY_HELD);
	c = binding(f, 3, PORT + 1);
	play(f, &c, 0, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 3);
	play(f, &c, 0, 0);
	c = binding(f, 4, PORT + 1);
	drive_option(f->d, 4, SOL_SOCKET, SO_REUSEADDR, 1);
	c.addr = drive_addr("0.0.0.0", PORT + 1);
	ev = play(f, &c, EADDRINUSE, EADDRINUSE);
	assert_int_equal(ev->by, SNAG_BY_KERNEL);
	assert_int_equal(f->ev[1].why.code, SNAG_WHY_STRICTER);
	front_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusal), cmocka_unit_test(test_not_in_force), cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_proof),	cmocka_unit_test(test_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
