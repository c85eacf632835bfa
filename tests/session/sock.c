/* Identity and references: private, shared, in flight, confirmed; and what repair makes of a torn table. */
#include "fixture.h"

#include <base/hash.h>
#include <errno.h>

/* A slot as proc_join would leave it, for a process that need not exist. */
static uint32_t made_proc(struct session *s, uint32_t pid)
{
	for (uint32_t i = 0; i < SNAG_PROCS; i++) {
		struct proc *p = &s->tables->proc[i];

		if (p->state != PROC_FREE)
			continue;
		*p = (struct proc){.state = PROC_ALIVE, .pid = pid, .serial = i + 1, .key = 1000 + i};
		return i + 1;
	}
	return 0;
}

/* How many references there are in all; -1: chains and records disagree. */
static int references(struct session *s)
{
	int records = 0, chained = 0;

	for (uint32_t i = 0; i < tables_ready(s); i++) {
		uint32_t at = s->tables->sock[i].holds, steps = 0;

		records += s->tables->hold[i].sock != 0;
		if (word_state(s->tables->sock[i].word) != SOCK_SHARED)
			continue;
		for (; at && steps < SNAG_HOLDS; steps++) {
			if (s->tables->hold[at - 1].sock != i + 1)
				return -1;
			at = s->tables->hold[at - 1].next;
		}
		chained += (int)steps;
	}
	return records == chained ? records : -1;
}

static unsigned n_closed;
static uint32_t last_closed;
static void closed(void *arg, uint32_t proc, uint32_t sock)
{
	(void)arg;
	(void)proc;
	n_closed++;
	last_closed = sock;
}

static void private_ones(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, 1), b = made_proc(s, 1);
	struct sock_ref r = sock_new(s, a, 5), q;
	struct sock k;
	unsigned others;
	int fd;

	assert_int_equal(r.serial, 1);
	assert_true(sock_is(s, r));
	assert_false(sock_shared(s, r));
	assert_true(sock_get(s, r.sock, &k));
	assert_int_equal(k.fd, 5);
	assert_int_equal(k.key, hash_mix(1000, 1));
	assert_int_equal(sock_holder(s, r.sock, &fd, &others), a);
	assert_int_equal(fd, 5);
	assert_int_equal(s->tables->proc[a - 1].socks_held, 1);
	assert_false(sock_drop(s, b, r, false));	/* not its own */
	assert_true(sock_drop(s, a, r, false));
	assert_false(sock_is(s, r));
	assert_false(sock_drop(s, a, r, false));
	q = sock_new(s, a, 5);
	assert_int_equal(q.sock, r.sock);		/* the warm slot again */
	assert_int_equal(q.serial, 2);
	assert_false(sock_is(s, r));
	assert_int_equal(s->tables->sock[q.sock - 1].key, hash_mix(1000, 2));
	assert_true(sock_drop(s, a, q, true));
	assert_false(sock_is(s, q));
	assert_false(sock_drop(s, a, q, true));		/* only one caller is told */
	assert_int_equal(s->tables->proc[a - 1].socks_held, 1);
	sock_free(s, q);
	sock_free(s, q);
	assert_int_equal(s->tables->proc[a - 1].socks_held, 0);
	assert_int_equal(s->tables->sock[q.sock - 1].word, 0);
}

static void nonsense_is_refused(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	static const struct sock_ref bad[] = {{0, 0}, {0, 1}, {1, 0}, {1, 9}, {1024, 1}, {1025, 1}, {UINT32_MAX, 1}};
	struct sock k;
	unsigned others;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(sock_is(s, bad[i]));
		assert_false(sock_drop(s, 1, bad[i], false));
		assert_false(sock_get(s, bad[i].sock, &k));
		assert_int_equal(sock_hold(s, 1, bad[i], 3), -ENOENT);
		assert_int_equal(sock_holder(s, bad[i].sock, &fd, &others), 0);
		sock_free(s, bad[i]);
		sock_publish(s, bad[i], 5);
	}
	assert_int_equal(sock_new(s, 0, 3).sock, 0);
	assert_int_equal(sock_new(s, SNAG_PROCS + 1, 3).sock, 0);
	assert_int_equal(sock_new(s, 9, 3).sock, 0);	/* a free slot */
	assert_int_equal(sock_find(s, 0).sock, 0);
	assert_int_equal(sock_find(s, 5).sock, 0);
}

static void shared_ones(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid()), b = made_proc(s, (uint32_t)getpid());
	struct sock_ref r = sock_new(s, a, 5);
	struct session_guard g;
	unsigned others;
	int fd;

	assert_int_equal(session_lock(s, &g, a), 0);
	assert_int_equal(sock_hold(s, a, r, 6), 0);		/* dup */
	assert_true(sock_shared(s, r));
	assert_false(sock_sole(s, r));				/* two descriptors */
	assert_int_equal(references(s), 1);
	assert_int_equal(sock_hold(s, b, r, 7), 0);
	assert_int_equal(sock_hold(s, SOCK_IN_FLIGHT, r, -1), 0);
	assert_int_equal(references(s), 3);
	assert_int_equal(sock_holder(s, r.sock, &fd, &others), a);	/* who has had it longest */
	assert_int_equal(others, 1);
	assert_false(sock_drop(s, a, r, false));
	assert_false(sock_drop(s, a, r, false));
	assert_false(sock_drop(s, a, r, false));		/* it has none left */
	assert_int_equal(references(s), 2);
	assert_int_equal(sock_holder(s, r.sock, &fd, &others), b);
	assert_int_equal(others, 0);
	assert_int_equal(fd, 7);
	assert_false(sock_sole(s, r));				/* one here, one on its way */
	session_unlock(s, &g);
	assert_false(sock_drop(s, b, r, false));		/* takes the lock itself */
	assert_int_equal(s->header->lock, 0);
	assert_true(sock_shared(s, r));				/* only on its way: nobody's own */
	assert_int_equal(sock_holder(s, r.sock, &fd, &others), 0);
	assert_int_equal(sock_hold(s, a, r, 9), 0);
	assert_false(sock_drop(s, SOCK_IN_FLIGHT, r, false));	/* it has arrived */
	assert_false(sock_shared(s, r));			/* one descriptor in one process */
	assert_true(sock_sole(s, r));
	assert_int_equal(sock_holder(s, r.sock, &fd, &others), a);
	assert_int_equal(fd, 9);
	assert_int_equal(references(s), 0);
	assert_int_equal(sock_hold(s, b, r, 3), 0);
	assert_false(sock_drop(s, a, r, true));
	assert_true(sock_drop(s, b, r, true));
	assert_false(sock_is(s, r));
	sock_free(s, r);
	assert_int_equal(s->tables->sock[r.sock - 1].word, 0);
	assert_int_equal(s->tables->proc[a - 1].socks_held, 0);
	assert_int_equal(s->tables->proc[b - 1].socks_held, 0);
	assert_int_equal(s->tables->proc[a - 1].refs, 0);
	assert_int_equal(s->tables->proc[b - 1].refs, 0);
}

static void found_by_cookie(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, 1);
	struct sock_ref r = sock_new(s, a, 5), q = sock_new(s, a, 6), found;

	sock_publish(s, r, 77);
	sock_publish(s, q, 78);
	found = sock_find(s, 78);
	assert_int_equal(found.sock, q.sock);
	assert_int_equal(found.serial, q.serial);
	sock_drop(s, a, q, false);
	assert_int_equal(sock_find(s, 78).sock, 0);
	sock_publish(s, q, 79);
	q = sock_new(s, a, 6);
	assert_int_equal(sock_find(s, 78).sock, 0);
	assert_int_equal(sock_find(s, 79).sock, 0);
	assert_int_equal(sock_find(s, 77).serial, r.serial);
}

/* More cookies than the index has entries: the closed ones make room, what lives is found all the time. */
static void cookies_without_end(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, 1);
	struct sock_ref first = sock_new(s, a, 5);

	sock_publish(s, first, 1);
	for (uint64_t cookie = 2; cookie < SESSION_INDEX + SESSION_INDEX / 8; cookie++) {
		struct sock_ref r = sock_new(s, a, 6);

		sock_publish(s, r, cookie);
		if (sock_find(s, cookie).serial != r.serial || sock_find(s, 1).serial != first.serial)
			fail_msg("cookie %d is not found", (int)cookie);
		sock_drop(s, a, r, false);
		if (sock_find(s, cookie).sock)
			fail_msg("cookie %d is found", (int)cookie);
	}
	assert_in_range(s->tables->index_used, 1, SESSION_INDEX / 4 * 3);
	memset(s->tables->index, 0xff, sizeof(s->tables->index));
	assert_int_equal(sock_find(s, 1).sock, 0);
	session_repair(s);
	assert_int_equal(sock_find(s, 1).serial, first.serial);
}

static void grows(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid());
	struct sock_ref r[3000];

	for (unsigned i = 0; i < ARRAY_LEN(r); i++) {
		r[i] = sock_new(s, a, (int)i);
		assert_int_equal(r[i].serial, i + 1);
		assert_int_equal(sock_hold(s, a, r[i], 1), 0);
	}
	assert_int_equal(s->header->socks_ready, 4096);
	assert_int_equal(references(s), ARRAY_LEN(r));
	memset((char *)s->model + sizes.model_fixed, 1, 4096 * sizes.model_per_sock);
	n_closed = 0;
	proc_drop(s, a, closed, NULL);
	assert_int_equal(n_closed, ARRAY_LEN(r));
	assert_int_equal(references(s), 0);
	assert_false(sock_is(s, r[0]));
}

static void room_ends(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid()), n = 0;

	while (sock_new(s, a, 3).sock)
		n++;
	assert_int_equal(n, SNAG_SOCKS);
	assert_int_equal(s->header->lost, 1);
	assert_int_equal(session_grow_socks(s), -ENFILE);
	assert_int_equal(s->tables->proc[a - 1].socks_held, SNAG_SOCKS);
}

static void confirmation(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid()), b = made_proc(s, (uint32_t)getpid());
	struct sock_ref gone = sock_new(s, a, 3), kept = sock_new(s, a, 4), doubled = sock_new(s, a, 5),
			shared_gone = sock_new(s, a, 6), shared_kept = sock_new(s, a, 7),
			others = sock_new(s, b, 8), made;
	struct session_guard g;

	n_closed = 0;
	assert_int_equal(session_lock(s, &g, a), 0);
	assert_int_equal(sock_hold(s, b, shared_gone, 6), 0);
	assert_int_equal(sock_hold(s, b, shared_kept, 7), 0);
	sock_confirm_begin(s, a);
	sock_confirm(s, a, kept, 14);
	sock_confirm(s, a, doubled, 15);
	sock_confirm(s, a, doubled, 16);
	sock_confirm(s, a, shared_kept, 17);
	sock_confirm(s, a, others, 18);
	made = sock_new(s, a, 19);
	sock_confirm(s, a, made, 19);
	sock_confirm_end(s, a, closed, NULL);
	session_unlock(s, &g);
	assert_int_equal(n_closed, 1);
	assert_int_equal(last_closed, gone.sock);
	assert_false(sock_is(s, gone));
	assert_true(sock_is(s, kept) && !sock_shared(s, kept));
	assert_true(sock_is(s, made) && !sock_shared(s, made));
	assert_int_equal(s->tables->sock[kept.sock - 1].fd, 14);
	assert_true(sock_shared(s, doubled));
	assert_false(sock_drop(s, a, doubled, false));
	assert_true(sock_drop(s, a, doubled, false));
	assert_false(sock_shared(s, shared_gone));		/* b's alone */
	assert_true(sock_drop(s, b, shared_gone, false));
	assert_false(sock_drop(s, a, shared_kept, false));
	assert_true(sock_drop(s, b, shared_kept, false));
	assert_true(sock_shared(s, others));
	assert_int_equal(references(s), 2);
	proc_drop(s, b, closed, NULL);
	assert_true(sock_is(s, others));
	proc_drop(s, a, closed, NULL);
	assert_int_equal(n_closed, 4);
	assert_int_equal(references(s), 0);
}

static void several_close_one(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid());
	struct sock_ref r[200];
	volatile uint32_t *told = s->model;
	pid_t pid[3];

	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		r[i] = sock_new(s, a, 3);
	for (int n = 0; n < 3; n++)
		pid[n] = in_child(for (unsigned i = 0; i < ARRAY_LEN(r); i++) if (sock_drop(s, a, r[i], i % 2)) {
			__atomic_fetch_add(&told[i], 1, __ATOMIC_RELAXED);
			sock_free(s, r[i]);
		});
	for (int n = 0; n < 3; n++)
		child_ok(pid[n]);
	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		assert_int_equal(told[i], 1);
	assert_int_equal(s->tables->proc[a - 1].socks_held, 0);
}

static void repair(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t a = made_proc(s, (uint32_t)getpid()), b = made_proc(s, (uint32_t)getpid());
	struct sock_ref whole = sock_new(s, a, 3), lone = sock_new(s, a, 4), leftover = sock_new(s, a, 5);
	struct session_guard g;

	assert_int_equal(session_lock(s, &g, a), 0);
	assert_int_equal(session_repair(s), 0);
	sock_hold(s, b, whole, 3);
	sock_hold(s, b, lone, 4);
	assert_int_equal(session_repair(s), 0);
	assert_int_equal(references(s), 4);
	/* a record beside a private word; chains torn; a shared socket whose records went; a word of nobody */
	s->tables->hold[900] = (struct sock_hold){.sock = leftover.sock, .proc = b, .fds = 1};
	s->tables->sock[whole.sock - 1].holds = 77777;
	for (uint32_t i = 0; i < tables_ready(s); i++)
		if (s->tables->hold[i].sock == lone.sock)
			s->tables->hold[i].proc = 4000;
	s->tables->sock[1000].word = SOCK_WORD(99, 4001, SOCK_PRIVATE);
	s->tables->sock[1001].word = SOCK_WORD(99, 0, SOCK_CLOSING);
	s->tables->sock[1002].word = SOCK_WORD(99, a, 200);
	s->tables->proc[3999].state = 5;
	/* one record, two of 4000 and their socket, three words, one process */
	assert_int_equal(session_repair(s), 8);
	assert_int_equal(references(s), 2);
	assert_true(sock_shared(s, whole));
	assert_false(sock_is(s, lone));
	assert_true(sock_is(s, leftover));
	assert_int_equal(session_repair(s), 0);
	session_unlock(s, &g);
}

/* Whatever a program writes over the tables: no crash, no endless loop. */
static void scribbled_on(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	struct session_guard g;
	uint32_t seed = 12345;

	for (int round = 0; round < 20; round++) {
		uint32_t *word = (uint32_t *)s->tables->proc;

		for (size_t i = 0; i < 64 * sizeof(struct proc) / 4; i++)
			word[i] = seed = seed * 1664525 + 1013904223;
		for (size_t i = 0; i < 1024; i++) {
			seed = seed * 1664525 + 1013904223;
			s->tables->sock[i].word = (uint64_t)seed << 32 | (seed >> 20);
			s->tables->sock[i].holds = seed % 1100;
			s->tables->hold[i].sock = (seed >> 8) % 1100;
			s->tables->hold[i].proc = (seed >> 5) % 70;
			s->tables->hold[i].next = (seed >> 3) % 1100;
		}
		for (uint32_t i = 0; i < 1100; i++) {
			struct sock_ref r = {i, i ? word_serial(s->tables->sock[(i - 1) % 1024].word) : 1};
			unsigned others;
			int fd;

			sock_holder(s, i, &fd, &others);
			sock_drop(s, i % 70, r, i % 2);
			sock_hold(s, i % 70, r, 3);
		}
		sock_confirm_begin(s, 7);
		sock_confirm_end(s, 7, closed, NULL);
		proc_ticket(s, 5);
		proc_join(s);
		proc_reap(s, closed, NULL);
		if (session_lock(s, &g, 0) >= 0) {
			session_repair(s);
			assert_int_equal(session_repair(s), 0);
			session_unlock(s, &g);
		}
		assert_true(references(s) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(private_ones),
		with_session(nonsense_is_refused),
		with_session(shared_ones),
		with_session(found_by_cookie),
		with_session(cookies_without_end),
		with_session(grows),
		with_session(room_ends),
		with_session(confirmation),
		with_session(several_close_one),
		with_session(repair),
		with_session(scribbled_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
