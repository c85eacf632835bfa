/* The seam: decide, act, commit, driven by a fake front end that replays recorded calls and makes up their outcomes,
 * such as that nobody saw any. Nothing here knows how a call was caught. */
#include "drive.h"
#include "image.h"
#include <base/names.h>
#include <engine/engine.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct front {
	struct drive *d;
	struct engine e;
	struct rules *rules;
	struct snag_plan plan;			/* of the last call */
	union snag_event ev[SNAG_EVENT_MAX];
	unsigned n;
};

static bool who_holds(void *arg, uint32_t sock, uint32_t serial, struct engine_holder *out)
{
	(void)arg;
	if (sock != serial)
		return false;
	*out = (struct engine_holder){.pid = 4000 + sock, .fd = 7, .comm = "redis", .exe = "/usr/bin/redis-server"};
	return true;
}

static struct front *front_begin(unsigned mode, struct image_builder *b)
{
	struct front *f = calloc(1, sizeof(*f));

	f->d = drive_begin();
	f->rules = image_end(b ? b : image_begin(mode, 1));
	assert_null(rules_check(f->rules, f->rules->size));
	f->e = (struct engine){.model = f->d->m, .rules = f->rules, .mode = (uint8_t)mode, .holder = who_holds};
	f->e.triggers = calloc(1, sizeof(*f->e.triggers));
	return f;
}

static void front_end(struct front *f)
{
	free(f->e.triggers);
	free(f->rules);
	drive_end(f->d);
	free(f);
}

/* decide, "the kernel says err" unless the plan fails the call, commit. */
static const struct snag_event_call *front_play(struct front *f, const struct snag_call *c, int kernel, int seen)
{
	struct snag_outcome o;
	bool fails;

	engine_decide(&f->e, c, &f->plan);
	fails = f->plan.err;
	f->d->now_ns += 500;
	o = drive_outcome(f->d, fails ? f->plan.err : kernel);
	o.real_err = fails ? -1 : kernel;
	o.seen = (uint8_t)seen;
	f->n = engine_commit(&f->e, c, &f->plan, &o, f->ev);
	assert_in_range(f->n, 1, SNAG_EVENT_MAX);
	assert_int_equal(f->ev[0].head.extra, f->n - 1);
	return &f->ev[0].call;
}

static const struct snag_event_call *front_call(struct front *f, const struct snag_call *c, int kernel)
{
	return front_play(f, c, kernel, SNAG_SEEN);
}

static void tcp(struct front *f, uint32_t sock)
{
	drive_socket(f->d, sock, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
}

static struct snag_call a_bind(struct front *f, uint32_t sock, unsigned port)
{
	return drive_bind_call(f->d, sock, drive_addr("127.0.0.1", port));
}

static const union snag_event *extra(const struct front *f, unsigned kind)
{
	for (unsigned i = 1; i < f->n; i++)
		if (f->ev[i].head.kind == kind)
			return &f->ev[i];
	return NULL;
}

/* ---- without rules ---- */

static void test_event_of_a_call(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;
	const struct snag_event_call *ev;

	(void)state;
	tcp(f, 3);
	c = a_bind(f, 3, 8080);
	c.who = (struct snag_who){.proc = 5, .pid = 42, .tid = 43};
	c.fd = 9;
	ev = front_call(f, &c, 0);
	assert_int_equal(ev->head.kind, SNAG_EVENT_CALL);
	assert_int_equal(ev->head.pid, 42);
	assert_int_equal(ev->head.proc, 5);
	assert_int_equal(ev->tid, 43);
	assert_int_equal(ev->fd, 9);
	assert_int_equal(ev->sock, 3);
	assert_int_equal(ev->call, SNAG_CALL_bind);
	assert_int_equal(ev->proto, SNAG_PROTO_TCP);
	assert_int_equal(ev->t_ns, c.start_ns);
	assert_int_equal(ev->dur_ns, 500);
	assert_int_equal(ev->err, 0);
	assert_int_equal(ev->by, SNAG_BY_KERNEL);
	assert_int_equal(ev->sure, SNAG_CERTAIN);
	assert_int_equal(ev->model_err, 0);
	assert_int_equal(ev->state, SNAG_STATE_BOUND);
	assert_memory_equal(&ev->addr, &c.addr, sizeof(c.addr));
	assert_int_equal(ev->flags, 0);
	assert_int_equal(f->n, 1);
	front_end(f);
}

static void test_accept_names_both(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;
	struct snag_outcome o;
	const struct snag_event_call *ev = &f->ev[0].call;

	(void)state;
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 1);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_accept4, 1);
	engine_decide(&f->e, &c, &f->plan);
	o = drive_outcome(f->d, 0);
	o.ret = o.new_fd = 11;
	o.new_sock = o.new_serial = 2;
	o.peer = drive_addr("127.0.0.1", 40000);
	engine_commit(&f->e, &c, &f->plan, &o, f->ev);
	assert_int_equal(ev->sock, 2);
	assert_int_equal(ev->listener, 1);
	assert_int_equal(ev->addr.port, 40000);
	assert_int_equal(ev->state, SNAG_STATE_ESTABLISHED);
	assert_int_equal(ev->model_why, SNAG_UNSURE_PEER);
	front_call(f, &c, EAGAIN);	/* a failed one names the listener */
	assert_int_equal(ev->sock, 1);
	assert_int_equal(ev->listener, 1);
	assert_int_equal(ev->state, SNAG_STATE_LISTEN);
	c = drive_call(f->d, SNAG_CALL_close, 2);
	o = drive_outcome(f->d, 0);
	o.last = 1;
	engine_commit(&f->e, &c, &f->plan, &o, f->ev);
	assert_int_equal(ev->sock, 2);
	assert_int_equal(ev->state, SNAG_STATE_CLOSED);
	front_end(f);
}

static void test_why(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;
	const struct snag_event_call *ev = &f->ev[0].call;
	const union snag_event *why;

	(void)state;
	tcp(f, 1);
	tcp(f, 2);
	drive_option(f->d, 1, SOL_SOCKET, SO_REUSEADDR, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 1);
	front_call(f, &c, 0);
	c = a_bind(f, 2, 8080);
	front_call(f, &c, EADDRINUSE);
	why = extra(f, SNAG_EXTRA_WHY);
	assert_non_null(why);
	assert_int_equal(ev->model_err, EADDRINUSE);
	assert_int_equal(ev->flags, 0);
	assert_int_equal(why->why.code, SNAG_WHY_HELD);
	assert_int_equal(why->why.pid, 4001);
	assert_int_equal(why->why.fd, 7);
	assert_string_equal(why->why.comm, "redis");
	assert_string_equal(why->why.exe, "/usr/bin/redis-server");
	assert_int_equal(why->why.sock, 1);
	assert_int_equal(why->why.state, SNAG_STATE_LISTEN);
	assert_int_equal(why->why.options, SNAG_OPTION_REUSEADDR);
	assert_int_equal(why->why.local.port, 8080);
	assert_true(why->why.since_ns > 0);

	c = a_bind(f, 2, 9090);		/* nobody of the session */
	front_call(f, &c, EADDRINUSE);
	why = extra(f, SNAG_EXTRA_WHY);
	assert_int_equal(why->why.code, SNAG_WHY_UNKNOWN_HOLDER);
	assert_int_equal(why->why.pid, 0);
	assert_int_equal(why->why.fd, -1);
	assert_int_equal(ev->sure, SNAG_WITHHELD);
	assert_int_equal(ev->model_why, SNAG_UNSURE_FOREIGN);
	assert_int_equal(ev->flags, 0);

	c = a_bind(f, 1, 9090);
	front_call(f, &c, EINVAL);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_ALREADY_BOUND);
	c = a_bind(f, 2, 80);
	c.who.uid = 1000;
	front_call(f, &c, EACCES);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_PRIVILEGED);
	c = drive_bind_call(f->d, 2, drive_addr("10.9.9.9", 8080));
	front_call(f, &c, EADDRNOTAVAIL);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_NOT_LOCAL);
	front_end(f);
}

/* A port in use by nobody that lives, on which a connection was closed just now: TIME_WAIT, not a stranger. */
static void test_why_remains(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;
	struct snag_outcome o;

	(void)state;
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 1);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_accept4, 1);
	o = drive_outcome(f->d, 0);
	o.new_sock = o.new_serial = 2;
	drive_learn(f->d, &c, &o);
	drive_close(f->d, 1);
	drive_close(f->d, 2);
	tcp(f, 3);
	c = a_bind(f, 3, 8080);
	front_call(f, &c, EADDRINUSE);
	assert_int_equal(f->ev[0].call.model_why, SNAG_UNSURE_PEER);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_HELD);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.state, SNAG_STATE_TIME_WAIT);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.local.port, 8080);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.pid, 0);
	f->d->now_ns += 200 * 1000000000ull;	/* long over */
	c = a_bind(f, 3, 8080);
	front_call(f, &c, EADDRINUSE);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_UNKNOWN_HOLDER);
	assert_int_equal(f->ev[0].call.model_why, SNAG_UNSURE_FOREIGN);
	front_end(f);
}

/* A refused connect: a session socket that is bound there and does not listen is named. */
static void test_why_refused(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;

	(void)state;
	tcp(f, 1);
	tcp(f, 2);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_connect, 2);
	c.addr = drive_addr("127.0.0.1", 8080);
	front_call(f, &c, ECONNREFUSED);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_NO_LISTENER);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.sock, 1);
	c.addr.port = 9090;
	front_call(f, &c, ECONNREFUSED);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.code, SNAG_WHY_NO_LISTENER);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.sock, 0);
	front_end(f);
}

static void test_unix_path(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;

	(void)state;
	drive_socket(f->d, 1, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
	drive_socket(f->d, 2, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
	c = drive_path_call(f->d, SNAG_CALL_bind, 1, "/run/x.sock", 11);
	front_call(f, &c, 0);
	assert_int_equal(extra(f, SNAG_EXTRA_TEXT)->text.what, SNAG_TEXT_PATH);
	assert_int_equal(extra(f, SNAG_EXTRA_TEXT)->text.len, 11);
	assert_memory_equal(extra(f, SNAG_EXTRA_TEXT)->text.text, "/run/x.sock", 11);
	c = drive_path_call(f->d, SNAG_CALL_bind, 2, "/run/x.sock", 11);
	front_call(f, &c, EADDRINUSE);
	assert_int_equal(f->n, 3);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.sock, 1);
	front_end(f);
}

static void test_verdicts(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	const struct snag_event_call *ev = &f->ev[0].call;
	struct snag_call c, other;
	struct snag_outcome o;

	(void)state;
	for (uint32_t s = 1; s <= 3; s++)
		tcp(f, s);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = a_bind(f, 2, 8080);
	front_call(f, &c, 0);			/* the kernel says otherwise */
	assert_int_equal(ev->flags, SNAG_EVENT_DIVERGED);
	assert_int_equal(ev->model_err, EADDRINUSE);
	c = a_bind(f, 3, 9090);
	front_call(f, &c, ENOMEM);		/* the machine's own matter */
	assert_int_equal(ev->flags, 0);
	assert_int_equal(ev->model_why, SNAG_UNSURE_MACHINE);

	c = a_bind(f, 3, 7070);			/* another process binds the port between decide and commit */
	engine_decide(&f->e, &c, &f->plan);
	tcp(f, 4);
	other = a_bind(f, 4, 7070);
	o = drive_outcome(f->d, 0);
	drive_learn(f->d, &other, &o);
	o = drive_outcome(f->d, EADDRINUSE);
	f->n = engine_commit(&f->e, &c, &f->plan, &o, f->ev);
	assert_int_equal(ev->flags, 0);
	assert_int_equal(ev->model_why, SNAG_UNSURE_RACED);
	assert_int_equal(extra(f, SNAG_EXTRA_WHY)->why.sock, 4);	/* and who it was is known all the same */

	for (uint32_t sock = 5; sock <= 6; sock++) {	/* the kernel draws the client's port: is it its own peer? */
		uint16_t drawn = sock == 5 ? 40004 : 40006;

		tcp(f, sock);
		c = a_bind(f, sock, 40004);
		c.call = SNAG_CALL_connect;
		engine_decide(&f->e, &c, &f->plan);
		f->plan.sure = SNAG_CERTAIN;
		f->plan.model_err = ECONNREFUSED;
		f->plan.model_why = SNAG_UNSURE_NONE;
		o = drive_outcome(f->d, 0);
		o.local = c.addr;
		o.local.port = drawn;
		f->n = engine_commit(&f->e, &c, &f->plan, &o, f->ev);
		assert_int_equal(ev->flags, drawn == 40004 ? 0 : SNAG_EVENT_DIVERGED);
		assert_int_equal(ev->model_why, drawn == 40004 ? SNAG_UNSURE_MACHINE : SNAG_UNSURE_NONE);
	}
	front_end(f);
}

/* A blocking connect that waits, as foretold: a timeout or a signal ends it, or what it meets a second later. */
static void test_waits(void **state)
{
	static const struct {
		int err;
		uint64_t after_ns;
		bool raced, wrong;
		uint8_t why;
	} rows[] = {
		{EINPROGRESS, 50000000, false, false, SNAG_WHY_QUEUE_FULL},
		{ETIMEDOUT, 130000000000, false, false, SNAG_WHY_QUEUE_FULL},
		{EINTR, 1000000, false, false, SNAG_WHY_NONE},
		{0, 1010000000, false, false, SNAG_WHY_NONE},
		{ECONNREFUSED, 1010000000, false, false, SNAG_WHY_NO_LISTENER},	/* the listener was closed meanwhile */
		{0, 1000000, false, true, SNAG_WHY_NONE},
		{ECONNREFUSED, 1000000, false, true, SNAG_WHY_NO_LISTENER},
		{0, 1000000, true, false, SNAG_WHY_NONE},
	};
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	const struct snag_event_call *ev = &f->ev[0].call;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t sock = 3 + (uint32_t)i;
		struct snag_outcome o = drive_outcome(f->d, rows[i].err);
		const union snag_event *why;
		struct snag_call c;
		tcp(f, sock);
		c = a_bind(f, sock, 8080);
		c.call = SNAG_CALL_connect;
		engine_decide(&f->e, &c, &f->plan);
		f->plan.sure = SNAG_WAITS;
		f->plan.model_err = EINPROGRESS;
		f->plan.why = SNAG_WHY_QUEUE_FULL;
		o.end_ns = c.start_ns + rows[i].after_ns;
		o.raced = rows[i].raced;
		f->n = engine_commit(&f->e, &c, &f->plan, &o, f->ev);
		why = extra(f, SNAG_EXTRA_WHY);
		if (!(ev->flags & SNAG_EVENT_DIVERGED) != !rows[i].wrong ||
		    ev->sure != (rows[i].raced ? SNAG_WITHHELD : SNAG_WAITS) ||
		    (why ? why->why.code : SNAG_WHY_NONE) != rows[i].why)
			fail_msg("row %zu", i);
	}
	front_end(f);
}

/* ---- outcomes that nobody saw ---- */

static void test_unseen(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct model *before = malloc(sizeof(*before));
	struct snag_call calls[6];
	const struct snag_event_call *ev;

	(void)state;
	tcp(f, 1);
	tcp(f, 2);
	calls[0] = a_bind(f, 1, 8080);
	calls[1] = drive_call(f->d, SNAG_CALL_listen, 1);
	calls[2] = drive_call(f->d, SNAG_CALL_accept, 1);
	calls[3] = drive_call(f->d, SNAG_CALL_connect, 2);
	calls[3].addr = drive_addr("127.0.0.1", 8080);
	calls[4] = drive_call(f->d, SNAG_CALL_close, 1);
	calls[5] = drive_call(f->d, SNAG_CALL_setsockopt, 1);
	calls[5].arg[0] = SOL_SOCKET;
	calls[5].arg[1] = SO_REUSEADDR;
	calls[5].arg[2] = 1;
	memcpy(before, f->d->m, sizeof(*before));
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(calls); i++) {
			ev = front_play(f, &calls[i], round ? EADDRINUSE : 0, SNAG_UNSEEN);
			assert_int_equal(ev->flags, SNAG_EVENT_UNSEEN);
			assert_null(extra(f, SNAG_EXTRA_WHY));
			assert_memory_equal(before, f->d->m, sizeof(*before));
		}
	}
	/* the promise of an unseen bind binds nobody: the next one is predicted as if it had not been asked */
	ev = front_call(f, &calls[0], 0);
	assert_int_equal(ev->sure, SNAG_CERTAIN);
	assert_int_equal(ev->flags, 0);
	free(before);
	front_end(f);
}

/* Without a trace there is no event, and the model learns the same. */
static void test_no_trace(void **state)
{
	struct front *f = front_begin(SNAG_MODE_LOG, NULL);
	struct snag_call c;
	struct snag_outcome o;
	struct model_sock s;

	(void)state;
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	engine_decide(&f->e, &c, &f->plan);
	o = drive_outcome(f->d, 0);
	assert_int_equal(engine_commit(&f->e, &c, &f->plan, &o, NULL), 0);
	assert_true(model_get(f->d->m, 1, &s));
	assert_int_equal(s.state, SNAG_STATE_BOUND);
	front_end(f);
}

/* ---- with rules ---- */

static struct image_builder *policy(void)
{
	return image_begin(SNAG_MODE_INJECT, 42);
}

static void rule(struct image_builder *b, const char *name, unsigned call, struct rule_step step)
{
	image_rule(b, name, (unsigned[]){call, 0});
	*image_step(b) = step;
}

static const struct rule_step IN_USE = {.action = SNAG_ACTION_errno, .err = EADDRINUSE, .after_ns = 77};

static void test_inject(void **state)
{
	struct image_builder *b = policy();
	struct front *f;
	struct snag_call c;
	struct model_sock s;
	const struct snag_event_call *ev;

	(void)state;
	rule(b, "twice", SNAG_CALL_bind, IN_USE);
	image_range(b, RULE_KEY_LOCAL_PORT, 8080, 8080);
	image_when(b)->nth_lo = 1;
	image_when(b)->nth_hi = 2;
	f = front_begin(SNAG_MODE_INJECT, b);
	assert_true(engine_wants(&f->e, SNAG_CALL_bind));
	assert_false(engine_wants(&f->e, SNAG_CALL_listen));
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	for (int i = 0; i < 2; i++) {
		ev = front_call(f, &c, 0);
		assert_int_equal(f->plan.action, SNAG_ACTION_errno);
		assert_int_equal(f->plan.after_ns, 77);
		assert_int_equal(ev->err, EADDRINUSE);
		assert_int_equal(ev->by, SNAG_BY_RULE);
		assert_int_equal(ev->rule[0], 1);
		assert_int_equal(ev->flags, 0);		/* the kernel was not asked: nothing to diverge from */
		assert_int_equal(ev->sure, SNAG_CERTAIN);
		assert_int_equal(ev->model_err, 0);
		assert_null(extra(f, SNAG_EXTRA_WHY));
		assert_true(model_get(f->d->m, 1, &s) && s.state == SNAG_STATE_CLOSED);
	}
	ev = front_call(f, &c, 0);
	assert_int_equal(ev->err, 0);
	assert_int_equal(ev->by, SNAG_BY_KERNEL);
	assert_int_equal(ev->rule[0], 0);
	assert_true(model_get(f->d->m, 1, &s) && s.state == SNAG_STATE_BOUND);
	front_end(f);
}

static void test_modes(void **state)
{
	static const uint8_t modes[] = {SNAG_MODE_DISABLED, SNAG_MODE_LOG, SNAG_MODE_ENFORCE};

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct image_builder *b = policy();
		struct front *f;
		struct snag_call c;

		rule(b, "r", SNAG_CALL_bind, IN_USE);
		image_range(b, RULE_KEY_BLOCKING, 1, 1);
		f = front_begin(modes[i], b);
		tcp(f, 1);
		c = a_bind(f, 1, 8080);
		c.facts = SNAG_FACT_BLOCKING;
		c.blocking = 1;
		front_call(f, &c, 0);
		assert_int_equal(f->plan.by, SNAG_BY_KERNEL);
		assert_int_equal(engine_facts(&f->e, SNAG_CALL_bind), 0);
		assert_false(engine_wants(&f->e, SNAG_CALL_bind));
		assert_int_equal(f->e.triggers->rule[0].matched, 0);
		f->e.mode = SNAG_MODE_INJECT;
		assert_int_equal(engine_facts(&f->e, SNAG_CALL_bind), SNAG_FACT_BLOCKING);
		front_call(f, &c, 0);
		front_end(f);
	}
}

static void test_dry(void **state)
{
	struct image_builder *b = policy();
	struct front *f;
	struct snag_call c;
	const struct snag_event_call *ev;

	(void)state;
	rule(b, "r", SNAG_CALL_bind, (struct rule_step){.action = SNAG_ACTION_errno, .err = EACCES, .delay_ns = 5,
							.signal = SIGKILL});
	f = front_begin(SNAG_MODE_INJECT, b);
	f->e.dry = 1;
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	ev = front_call(f, &c, 0);
	assert_int_equal(ev->rule[0], 1);
	assert_int_equal(ev->flags, SNAG_EVENT_DRY);
	assert_int_equal(ev->by, SNAG_BY_KERNEL);
	assert_int_equal(ev->err, 0);
	assert_int_equal(f->plan.action, SNAG_ACTION_NONE);
	assert_int_equal(f->plan.delay_ns + (uint64_t)f->plan.err + (uint64_t)f->plan.signal, 0);
	assert_int_equal(f->e.triggers->rule[0].fired, 1);
	front_end(f);
}

/* Top-down: what does not end the search adds up; the first terminal action decides; rules after it are not asked. */
static void test_order(void **state)
{
	struct image_builder *b = policy();
	struct front *f;
	struct snag_call c;

	(void)state;
	rule(b, "slow", SNAG_CALL_bind, (struct rule_step){.delay_ns = 5, .has_log = 1});
	rule(b, "slower", SNAG_CALL_bind, (struct rule_step){.delay_ns = 7, .jitter_ns = 3});
	rule(b, "not-this", SNAG_CALL_bind, (struct rule_step){.action = SNAG_ACTION_deny});
	image_range(b, RULE_KEY_LOCAL_PORT, 1, 1);
	rule(b, "term", SNAG_CALL_bind, (struct rule_step){.signal = SIGTERM, .after_call = 1});
	rule(b, "ends", SNAG_CALL_bind, (struct rule_step){.action = SNAG_ACTION_deny, .delay_ns = 100, .has_log = 1,
							   .signal = SIGKILL});
	rule(b, "never", SNAG_CALL_bind, IN_USE);
	f = front_begin(SNAG_MODE_INJECT, b);
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	assert_int_equal(f->plan.err, EACCES);
	assert_in_range(f->plan.delay_ns, 112, 115);
	assert_int_equal(f->plan.signal, SIGTERM);
	assert_int_equal(f->plan.after_call, 1);
	assert_int_equal(f->plan.rule[0], 5);
	assert_int_equal(f->plan.rule[1], 1);
	assert_int_equal(f->plan.rule[2], 2);
	assert_int_equal(f->plan.rule[3], 4);
	assert_int_equal(f->plan.log[0], 1);
	assert_int_equal(f->plan.log[1], 5);
	assert_int_equal(f->e.triggers->rule[2].matched, 0);
	assert_int_equal(f->e.triggers->rule[5].matched, 0);
	front_end(f);
}

/* A rule that does not fit this very call does not match it: it is not counted and does not fire. */
static void test_fits(void **state)
{
	static const struct {
		unsigned call, proto;
		struct rule_step step;
		int blocking;
		bool fits;
		int err;
	} rows[] = {
		{SNAG_CALL_connect, SNAG_PROTO_TCP, {.action = SNAG_ACTION_errno, .err = ETIMEDOUT},
		1, true, ETIMEDOUT},
		{SNAG_CALL_connect, SNAG_PROTO_UDP, {.action = SNAG_ACTION_errno, .err = ETIMEDOUT}, 1, false, 0},
		{SNAG_CALL_connect, SNAG_PROTO_UNIX, {.action = SNAG_ACTION_errno, .err = ETIMEDOUT}, 1, false, 0},
		{SNAG_CALL_connect, SNAG_PROTO_UNIX, {.action = SNAG_ACTION_errno, .err = ECONNREFUSED},
		1, true, ECONNREFUSED},
		{SNAG_CALL_connect, SNAG_PROTO_UDP, {.action = SNAG_ACTION_deny}, 1, false, 0},
		{SNAG_CALL_connect, SNAG_PROTO_TCP, {.action = SNAG_ACTION_deny}, 1, true, ECONNREFUSED},
		{SNAG_CALL_connect, SNAG_PROTO_UDP, {.action = SNAG_ACTION_errno, .err = ENETUNREACH},
		1, true, ENETUNREACH},
		{SNAG_CALL_accept, SNAG_PROTO_TCP, {.action = SNAG_ACTION_errno, .err = EINTR}, 1, true, EINTR},
		{SNAG_CALL_accept, SNAG_PROTO_TCP, {.action = SNAG_ACTION_errno, .err = EINTR}, 0, false, 0},
		{SNAG_CALL_accept, SNAG_PROTO_TCP, {.action = SNAG_ACTION_errno, .err = EMFILE}, 0, true, EMFILE},
		{SNAG_CALL_bind, SNAG_PROTO_UDP, {.action = SNAG_ACTION_deny}, 1, true, EACCES},
		{SNAG_CALL_bind, SNAG_PROTO_TCP, {.action = SNAG_ACTION_backlog, .backlog = 1}, 1, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct image_builder *b = policy();
		struct front *f;
		struct snag_call c;

		rule(b, "r", rows[i].call, rows[i].step);
		f = front_begin(SNAG_MODE_INJECT, b);
		drive_socket(f->d, 1, rows[i].proto, AF_INET, SOCK_STREAM);
		c = drive_call(f->d, rows[i].call, 1);
		c.addr = drive_addr("127.0.0.1", 8080);
		c.facts = (uint16_t)engine_facts(&f->e, rows[i].call);
		c.blocking = (uint8_t)rows[i].blocking;
		engine_decide(&f->e, &c, &f->plan);
		assert_int_equal(f->plan.err, rows[i].err);
		assert_int_equal(f->plan.by == SNAG_BY_RULE, rows[i].fits);
		assert_int_equal(f->e.triggers->rule[0].matched, rows[i].fits);
		front_end(f);
	}
}

/* A refusal that consumes a connection makes the real call first; where that finds none, the kernel has answered. */
static void test_nothing_to_consume(void **state)
{
	struct image_builder *b = policy();
	struct snag_outcome o;
	struct snag_call c;
	struct front *f;

	(void)state;
	rule(b, "aborted", SNAG_CALL_accept, (struct rule_step){.action = SNAG_ACTION_errno, .err = ECONNABORTED});
	f = front_begin(SNAG_MODE_INJECT, b);
	tcp(f, 1);
	c = drive_call(f->d, SNAG_CALL_accept, 1);
	engine_decide(&f->e, &c, &f->plan);
	o = drive_outcome(f->d, EAGAIN);
	o.real_err = EAGAIN;
	engine_commit(&f->e, &c, &f->plan, &o, f->ev);
	assert_int_equal(f->ev[0].call.by, SNAG_BY_KERNEL);
	assert_int_equal(f->ev[0].call.rule[0], 1);
	o = drive_outcome(f->d, ECONNABORTED);
	o.real_err = 0;
	engine_commit(&f->e, &c, &f->plan, &o, f->ev);
	assert_int_equal(f->ev[0].call.by, SNAG_BY_RULE);
	front_end(f);
}

static void test_backlog(void **state)
{
	struct image_builder *b = policy();
	struct front *f;
	struct snag_call c;
	struct model_sock s;
	const struct snag_event_call *ev;

	(void)state;
	rule(b, "one", SNAG_CALL_listen, (struct rule_step){.action = SNAG_ACTION_backlog, .backlog = 1, .resets = 1});
	f = front_begin(SNAG_MODE_INJECT, b);
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 1);
	c.arg[0] = 128;
	ev = front_call(f, &c, 0);
	assert_int_equal(f->plan.backlog, 1);
	assert_int_equal(f->plan.changes, SNAG_CHANGE_BACKLOG | SNAG_CHANGE_OVERFLOW);
	assert_int_equal(ev->arg[0], 128);	/* what the program asked for */
	assert_int_equal(ev->by, SNAG_BY_RULE);
	assert_true(model_get(f->d->m, 1, &s));
	assert_int_equal(s.backlog, 1);		/* what the kernel was asked */
	assert_int_equal(s.state, SNAG_STATE_LISTEN);
	front_end(f);
}

/* A rule that holds speaks of connections that arrive, all others of calls; one that is switched off of nothing. */
static void test_arrivals(void **state)
{
	struct image_builder *b = policy();
	struct snag_plan p;
	struct snag_call c;
	struct front *f;

	(void)state;
	rule(b, "held", SNAG_CALL_accept, (struct rule_step){.action = SNAG_ACTION_hold, .value = 250});
	rule(b, "full", SNAG_CALL_accept, (struct rule_step){.action = SNAG_ACTION_errno, .err = EMFILE});
	f = front_begin(SNAG_MODE_INJECT, b);
	tcp(f, 1);
	c = drive_call(f->d, SNAG_CALL_accept, 1);
	engine_decide(&f->e, &c, &p);
	assert_int_equal(p.action, SNAG_ACTION_errno);
	assert_int_equal(f->e.triggers->rule[0].matched, 0);
	assert_true(engine_may_hold(&f->e, &c));
	engine_arrive(&f->e, &c, &p);
	assert_int_equal(p.action, SNAG_ACTION_hold);
	assert_int_equal(p.value, 250);
	assert_int_equal(p.rule[0], 1);
	assert_int_equal(f->e.triggers->rule[1].matched, 1);
	trigger_switch(f->e.triggers, 0, false);
	trigger_switch(f->e.triggers, 1, false);
	engine_arrive(&f->e, &c, &p);
	assert_int_equal(p.action, SNAG_ACTION_NONE);
	engine_decide(&f->e, &c, &p);
	assert_int_equal(p.action, SNAG_ACTION_NONE);
	trigger_switch(f->e.triggers, 0, true);
	f->e.dry = 1;
	engine_arrive(&f->e, &c, &p);
	assert_int_equal(p.action, SNAG_ACTION_NONE);
	assert_int_equal(p.rule[0], 1);
	c = drive_call(f->d, SNAG_CALL_connect, 1);
	assert_false(engine_may_hold(&f->e, &c));
	front_end(f);
}

/* What rules ask of the model: state, role, path, TIME_WAIT. */
static void test_view(void **state)
{
	struct image_builder *b = policy();
	struct front *f;
	struct snag_call c;

	(void)state;
	rule(b, "bound", SNAG_CALL_listen, (struct rule_step){.delay_ns = 1});
	image_range(b, RULE_KEY_STATE, SNAG_STATE_BOUND, SNAG_STATE_BOUND);
	image_range(b, RULE_KEY_LOCAL_PORT, 8080, 8080);
	rule(b, "listener", SNAG_CALL_accept, (struct rule_step){.delay_ns = 1});
	image_range(b, RULE_KEY_ROLE, SNAG_ROLE_LISTENER, SNAG_ROLE_LISTENER);
	rule(b, "path", SNAG_CALL_listen, (struct rule_step){.delay_ns = 1});
	image_text(b, RULE_KEY_PATH, "/run/*");
	f = front_begin(SNAG_MODE_INJECT, b);
	tcp(f, 1);
	c = a_bind(f, 1, 8080);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 1);
	front_call(f, &c, 0);
	assert_int_equal(f->plan.rule[0], 1);
	front_call(f, &c, 0);		/* now it listens */
	assert_int_equal(f->plan.rule[0], 0);
	c = drive_call(f->d, SNAG_CALL_accept, 1);
	front_call(f, &c, EAGAIN);
	assert_int_equal(f->plan.rule[0], 2);
	drive_socket(f->d, 2, SNAG_PROTO_UNIX, AF_UNIX, SOCK_STREAM);
	c = drive_path_call(f->d, SNAG_CALL_bind, 2, "/run/x", 6);
	front_call(f, &c, 0);
	c = drive_call(f->d, SNAG_CALL_listen, 2);
	front_call(f, &c, 0);
	assert_int_equal(f->plan.rule[0], 3);
	front_end(f);
}

/* ---- the same seed, the same decisions ---- */

#define PROCS 4
#define CONNECTS 50

/* Four processes that connect, in an order that `order` shuffles; what each of them met, in its own order. */
static void play_four(unsigned order, uint64_t out[PROCS][CONNECTS])
{
	struct image_builder *b = policy();
	struct front *f;
	unsigned done[PROCS] = {0}, left = PROCS * CONNECTS;

	rule(b, "jitter", SNAG_CALL_connect, (struct rule_step){.jitter_ns = 1000000});
	rule(b, "flaky", SNAG_CALL_connect, (struct rule_step){.action = SNAG_ACTION_errno, .err = ETIMEDOUT});
	image_when(b)->has_chance = 1;
	image_when(b)->chance = 3ull << 30;
	f = front_begin(SNAG_MODE_INJECT, b);
	while (left) {
		unsigned p = (unsigned)rand_r(&order) % PROCS;
		struct snag_call c;
		if (done[p] == CONNECTS)
			continue;
		tcp(f, p + 1);
		c = drive_call(f->d, SNAG_CALL_connect, p + 1);
		c.addr = drive_addr("127.0.0.1", 8080);
		c.who.proc_key = 100 + p;
		c.who.pid = (uint32_t)rand_r(&order);
		c.who.proc_serial = (uint32_t)rand_r(&order);
		c.sock_key = 1 + done[p] / 2;
		front_call(f, &c, 0);
		out[p][done[p]++] = f->plan.delay_ns << 16 | (unsigned)f->plan.err;
		left--;
	}
	front_end(f);
}

static void test_same_seed(void **state)
{
	static uint64_t a[PROCS][CONNECTS], b[PROCS][CONNECTS];
	unsigned failed = 0;

	(void)state;
	play_four(1, a);
	for (unsigned order = 2; order < 12; order++) {
		play_four(order, b);
		assert_memory_equal(a, b, sizeof(a));
	}
	for (unsigned i = 0; i < PROCS * CONNECTS; i++)
		failed += (uint16_t)a[i / CONNECTS][i % CONNECTS] == ETIMEDOUT;
	assert_in_range(failed, PROCS * CONNECTS / 2, PROCS * CONNECTS - 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_of_a_call), cmocka_unit_test(test_accept_names_both),
		cmocka_unit_test(test_why),		cmocka_unit_test(test_why_refused),
		cmocka_unit_test(test_why_remains),
		cmocka_unit_test(test_unix_path),	cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_unseen),		cmocka_unit_test(test_no_trace),
		cmocka_unit_test(test_inject),		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_dry),		cmocka_unit_test(test_order),
		cmocka_unit_test(test_fits),		cmocka_unit_test(test_arrivals),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_nothing_to_consume), cmocka_unit_test(test_view),		cmocka_unit_test(test_same_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
