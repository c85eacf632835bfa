/* queue: the two queues of a listener, by the rule alone and by what the model counts itself. */
#include "queue.h"
#include <model/listener.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- the rule ---- */

static void test_rule(void **state)
{
	static const struct {
		uint8_t cookies, one_more;
		uint32_t max_syn_backlog;
		int32_t len, half_open, limit;
		enum listener_answer answer;
	} rows[] = {
		/* the accept queue: one more than the limit, whatever the cookies */
		{0, 1, 128, 2, 0, 2, LISTENER_ROOM},
		{0, 1, 128, 3, 0, 2, LISTENER_FULL},
		{1, 1, 128, 2, 0, 2, LISTENER_ROOM},
		{1, 1, 128, 3, 0, 2, LISTENER_FULL},
		{2, 1, 128, 2, 0, 2, LISTENER_ROOM},
		{2, 1, 128, 3, 0, 2, LISTENER_FULL},
		{1, 1, 128, 0, 0, 0, LISTENER_ROOM},
		{1, 1, 128, 1, 0, 0, LISTENER_FULL},
		/* the SYN queue has a limit of its own, of the same size, where there are no cookies */
		{0, 1, 128, 0, 2, 2, LISTENER_ROOM},
		{0, 1, 128, 0, 3, 2, LISTENER_SYN_FULL},
		{1, 1, 128, 0, 3, 2, LISTENER_ROOM},
		{2, 1, 128, 0, 3, 2, LISTENER_ROOM},
		/* both: the SYN queue is looked at first */
		{0, 1, 128, 3, 3, 2, LISTENER_SYN_FULL},
		{1, 1, 128, 3, 3, 2, LISTENER_FULL},
		/* a kernel that may let in one less */
		{0, 0, 128, 0, 2, 2, LISTENER_UNSURE},
		{1, 0, 128, 0, 2, 2, LISTENER_ROOM},
		{0, 0, 128, 0, 1, 2, LISTENER_ROOM},
		/* the last quarter of tcp_max_syn_backlog */
		{0, 1, 8, 0, 6, 100, LISTENER_ROOM},
		{0, 1, 8, 0, 7, 100, LISTENER_UNSURE},
		{1, 1, 8, 0, 7, 100, LISTENER_ROOM},
	};
	const struct model_sock listener = {.state = SNAG_STATE_LISTEN};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model_machine machine = {.syncookies = rows[i].cookies, .syn_one_more = rows[i].one_more,
						.max_syn_backlog = rows[i].max_syn_backlog};
		struct snag_call c = {.queue = rows[i].len, .syn_queue = rows[i].half_open, .queue_max = rows[i].limit};
		if (listener_told(&listener, &machine, &c) != rows[i].answer)
			fail_msg("row %zu", i);
	}
}

/* ---- what the model counts itself ---- */

static struct drive *begin(int backlog, bool defers)
{
	struct drive *d = drive_begin();
	struct snag_outcome o = drive_outcome(d, 0);
	struct snag_call c;

	d->machine = &MACHINE;
	for (uint32_t s = LISTENER; s < FIRST + 8; s++)
		drive_socket(d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_bind_call(d, LISTENER, drive_addr("127.0.0.1", 80));
	drive_learn(d, &c, &o);
	if (defers)
		drive_option(d, LISTENER, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	c = drive_call(d, SNAG_CALL_listen, LISTENER);
	c.arg[0] = backlog;
	drive_learn(d, &c, &o);
	return d;
}

static struct model_sock get(const struct drive *d, uint32_t sock)
{
	struct model_sock r = {0};

	model_get(d->m, sock, &r);
	return r;
}

/* From port 40000 + its number. */
static struct model_verdict connects(struct drive *d, uint32_t sock, uint8_t becomes)
{
	struct snag_call c = connect_call(d, sock);
	struct model_verdict v = drive_predict(d, &c);
	struct snag_outcome o = drive_outcome(d, becomes == TCP_SYN_SENT ? EINPROGRESS : 0);

	o.local = drive_addr("127.0.0.1", 40000 + sock);
	o.tcp_state = becomes;
	drive_learn(d, &c, &o);
	return v;
}

static void ends(struct drive *d, unsigned call, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = with_facts(d, call, sock, tcp_state);
	struct snag_outcome o = drive_outcome(d, 0);

	c.arg[0] = call == SNAG_CALL_shutdown ? SHUT_WR : 0;
	o.last = call == SNAG_CALL_close;
	drive_learn(d, &c, &o);
}

static void lengths(const struct drive *d, unsigned accept_queue, unsigned syn_queue)
{
	assert_int_equal(get(d, LISTENER).queue_len, accept_queue);
	assert_int_equal(get(d, LISTENER).syn_len, syn_queue);
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

/* A full accept queue: a blocking connect waits, one that does not is told why nothing comes of it. */
static void test_full(void **state)
{
	struct drive *d = begin(0, false);
	struct model_verdict v;
	struct snag_call c;

	(void)state;
	assert_int_equal(connects(d, FIRST, TCP_ESTABLISHED).sure, SNAG_CERTAIN);
	lengths(d, 1, 0);
	v = connects(d, FIRST + 1, TCP_SYN_SENT);
	assert_int_equal(v.sure, SNAG_WAITS);
	assert_int_equal(v.why, SNAG_WHY_QUEUE_FULL);
	assert_int_equal(v.holder, LISTENER);
	lengths(d, 1, 0);
	c = connect_call(d, FIRST + 2);	/* the one before tries again, who knows when */
	assert_int_equal(drive_predict(d, &c).sure, SNAG_WITHHELD);
	c.facts |= SNAG_FACT_QUEUE;
	c.queue = 1;
	assert_int_equal(drive_predict(d, &c).sure, SNAG_WAITS);
	c.blocking = 0;
	v = drive_predict(d, &c);
	assert_int_equal(v.sure, SNAG_CERTAIN);
	assert_int_equal(v.err, EINPROGRESS);
	assert_int_equal(v.why, SNAG_WHY_QUEUE_FULL);
	assert_int_equal(v.holder, LISTENER);
	c.queue = 0;
	v = drive_predict(d, &c);
	assert_int_equal(v.err, EINPROGRESS);
	assert_int_equal(v.why, SNAG_WHY_NONE);
	assert_int_equal(v.holder, 0);
	end(d);
}

/* Half-open until its client says something: a FIN is enough, a RST ends it. */
static void test_half_open(void **state)
{
	static const struct {
		unsigned call;
		bool hard;
		unsigned queued;
		uint8_t becomes;	/* the client */
	} rows[] = {
		{SNAG_CALL_shutdown, false, 1, SNAG_STATE_FIN_WAIT},
		{SNAG_CALL_close, false, 1, SNAG_STATE_NONE},
		{SNAG_CALL_close, true, 0, SNAG_STATE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin(2, true);
		connects(d, FIRST, TCP_ESTABLISHED);
		lengths(d, 0, 1);
		assert_int_equal(get(d, FIRST).state, SNAG_STATE_ESTABLISHED);
		if (rows[i].hard)
			drive_option(d, FIRST, SOL_SOCKET, SO_LINGER, 1);
		ends(d, rows[i].call, FIRST, TCP_ESTABLISHED);
		lengths(d, rows[i].queued, 0);
		assert_int_equal(get(d, FIRST).state, rows[i].becomes);
		end(d);
	}
}

/* The listener is gone: what the client says then is answered by a RST, and its port is free. */
static void test_left_behind(void **state)
{
	struct drive *d = begin(2, true);

	(void)state;
	connects(d, FIRST, TCP_ESTABLISHED);
	connects(d, FIRST + 1, TCP_ESTABLISHED);
	ends(d, SNAG_CALL_close, LISTENER, TCP_LISTEN);
	assert_int_equal(get(d, FIRST).state, SNAG_STATE_ESTABLISHED);
	ends(d, SNAG_CALL_shutdown, FIRST, TCP_ESTABLISHED);
	assert_int_equal(get(d, FIRST).state, SNAG_STATE_CLOSED);
	assert_int_equal(get(d, FIRST).pending, ECONNRESET);
	assert_int_equal(get(d, FIRST).on_port, 0);
	ends(d, SNAG_CALL_close, FIRST + 1, TCP_ESTABLISHED);
	assert_int_equal(model_holder(d->m, FIRST + 2, &(struct snag_addr){.family = AF_INET, .port = 40000 + FIRST + 1},
				      SNAG_PROTO_TCP, d->now_ns), 0);
	end(d);
}

/* Data that nobody saw has moved it: the kernel's list says so, or accept takes it. */
static void test_moved_unseen(void **state)
{
	struct snag_addr server = drive_addr("127.0.0.1", 80), client = drive_addr("127.0.0.1", 40000 + FIRST);
	struct drive *d = begin(2, true);
	struct snag_outcome o = drive_outcome(d, 0);
	struct snag_call c;

	(void)state;
	connects(d, FIRST, TCP_ESTABLISHED);
	connects(d, FIRST + 1, TCP_ESTABLISHED);
	assert_true(model_told_bare(d->m, &server, &client, TCP_SYN_RECV, 0, d->now_ns));
	lengths(d, 0, 2);
	assert_true(model_told_bare(d->m, &server, &client, TCP_ESTABLISHED, 0, d->now_ns));
	lengths(d, 1, 1);
	c = with_facts(d, SNAG_CALL_accept4, LISTENER, TCP_LISTEN);
	d->proto[20] = SNAG_PROTO_TCP;
	d->domain[20] = AF_INET;
	o.new_sock = o.new_serial = 20;
	o.local = server;
	o.peer = drive_addr("127.0.0.1", 40000 + FIRST + 1);
	drive_learn(d, &c, &o);
	lengths(d, 1, 0);
	assert_int_equal(get(d, 20).state, SNAG_STATE_ESTABLISHED);
	assert_int_equal(get(d, 20).other, FIRST + 1);
	assert_int_equal(get(d, FIRST + 1).flags & MODEL_DOUBT, 0);
	end(d);
}

/* As many as the limit can be half-open or not: as long as it makes no difference the answer is certain. */
static void test_own_count(void **state)
{
	struct drive *d = begin(1, true);

	(void)state;
	assert_int_equal(connects(d, FIRST, TCP_ESTABLISHED).sure, SNAG_CERTAIN);
	assert_int_equal(connects(d, FIRST + 1, TCP_ESTABLISHED).sure, SNAG_CERTAIN);
	assert_int_equal(connects(d, FIRST + 2, TCP_ESTABLISHED).sure, SNAG_WITHHELD);
	end(d);
}

/* A listener outside the session: foretold where its queue is told, it is alone, and no port of the client's own may
 * have a past there. */
static void test_stranger(void **state)
{
	static const struct {
		bool whole, told, other, bound;
		int32_t len;
		uint8_t sure;
		int err;
	} rows[] = {
		{true, true, false, false, 1, SNAG_CERTAIN, 0},
		{true, true, false, false, 2, SNAG_WAITS, EINPROGRESS},
		{true, false, false, false, 0, SNAG_WITHHELD, 0},
		{false, true, false, false, 0, SNAG_WITHHELD, 0},
		{true, true, true, false, 0, SNAG_WITHHELD, 0},
		{true, true, false, true, 0, SNAG_WITHHELD, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = begin(1, false);
		struct model_foreign f = {.proto = SNAG_PROTO_TCP, .state = SNAG_STATE_LISTEN, .domain = AF_INET,
					  .local = drive_addr("127.0.0.1", 81)};
		struct snag_call c = drive_bind_call(d, FIRST, drive_addr("127.0.0.1", 4000));
		struct snag_outcome o = drive_outcome(d, 0);
		struct model_verdict v;

		if (rows[i].bound)
			drive_learn(d, &c, &o);
		assert_true(model_foreign_add(d->m, &f));
		f.local = drive_addr("0.0.0.0", 81);
		assert_true(!rows[i].other || model_foreign_add(d->m, &f));
		c = connect_call(d, FIRST);
		c.addr.port = 81;
		c.facts &= rows[i].whole ? UINT16_MAX : (uint16_t)~SNAG_FACT_WHOLE;
		c.facts |= rows[i].told ? SNAG_FACT_QUEUE : 0;
		c.queue = rows[i].len;
		c.queue_max = 1;
		v = drive_predict(d, &c);
		if (v.sure != rows[i].sure || (v.sure != SNAG_WITHHELD && v.err != rows[i].err))
			fail_msg("row %zu: %u, %d", i, v.sure, v.err);
		end(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),	     cmocka_unit_test(test_full),	 cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_left_behind), cmocka_unit_test(test_moved_unseen), cmocka_unit_test(test_own_count),
		cmocka_unit_test(test_stranger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
