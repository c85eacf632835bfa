/* The life of process slots over fork, spawn, exec and death. */
#include "fixture.h"

#include <base/hash.h>
#include <base/sys.h>
#include <session/task.h>

static struct proc at(struct session *s, uint32_t proc)
{
	struct proc p;

	assert_true(proc_get(s, proc, &p));
	return p;
}

static unsigned n_closed;
static void closed(void *arg, uint32_t proc, uint32_t sock)
{
	(void)arg;
	(void)proc;
	(void)sock;
	n_closed++;
}

static void joins_as_an_entry(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s);
	struct proc p = at(s, me);

	assert_int_equal(p.state, PROC_ALIVE);
	assert_int_equal(p.pid, getpid());
	assert_int_equal(p.ppid, getppid());
	assert_int_equal(p.entry, 1);
	assert_int_equal(p.parent, 0);
	assert_int_equal(p.generation, 0);
	assert_int_equal(p.key, hash_mix(0, 1));
	assert_true(p.seen > 0);
	assert_non_null(strstr(p.exe, "proc"));
	assert_true(proc_alive(&p));
	assert_int_equal(proc_next_thread(s, me), 1);
	assert_int_equal(proc_next_thread(s, me), 2);
	/* after exec: the same slot, another generation */
	assert_int_equal(proc_join(s), me);
	assert_int_equal(at(s, me).generation, 1);
	assert_int_equal(at(s, me).key, hash_mix(0, 1));
	proc_drop(s, me, NULL, NULL);
	assert_false(proc_get(s, me, &p));
	me = proc_join(s);
	assert_int_equal(at(s, me).key, hash_mix(0, 2));
	assert_int_equal(at(s, me).serial, 2);
}

static void out_of_range(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	static const uint32_t bad[] = {0, 5, SNAG_PROCS, SNAG_PROCS + 1, UINT32_MAX};
	struct proc p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(proc_get(s, bad[i], &p));
		assert_int_equal(proc_ticket(s, bad[i]), 0);
		assert_int_equal(proc_claim(s, bad[i]), 0);
		proc_ticket_is(s, bad[i], 1);
		proc_drop(s, bad[i], closed, NULL);
	}
	assert_int_equal(proc_next_thread(s, 0), 0);
}

static void a_fork_child_claims_its_ticket(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s), ticket;
	struct sock_ref r = sock_new(s, me, 3), shared = sock_new(s, me, 4);
	struct session_guard g;
	pid_t pid;

	assert_int_equal(session_lock(s, &g, me), 0);
	sock_hold(s, me, shared, 5);
	session_unlock(s, &g);
	ticket = proc_ticket(s, me);
	assert_int_not_equal(ticket, 0);
	assert_int_equal(at(s, ticket).state, PROC_TICKET);
	assert_int_equal(at(s, ticket).key, hash_mix(at(s, me).key, 1));
	/* nothing seems closed between the two */
	assert_false(sock_drop(s, me, r, false));
	pid = in_child(
		child_assert(proc_claim(s, ticket) == ticket);
		child_assert(proc_claim(s, ticket) == 0);
		child_assert(sock_drop(s, ticket, r, false));
		child_assert(!sock_drop(s, ticket, shared, false));
		child_assert(!sock_drop(s, ticket, shared, false)));
	proc_ticket_is(s, ticket, (uint32_t)pid);
	child_ok(pid);
	assert_int_equal(at(s, ticket).state, PROC_ALIVE);
	assert_int_equal(at(s, ticket).pid, pid);
	assert_int_equal(at(s, ticket).parent, me);
	assert_int_equal(at(s, ticket).entry, 0);
	assert_int_equal(proc_reap(s, NULL, NULL), 1);
	assert_true(sock_is(s, shared));
	assert_false(sock_drop(s, me, shared, false));
	assert_true(sock_drop(s, me, shared, false));
}

/* popen, posix_spawn: the child joins by itself, before or after its parent knows its pid. */
static void a_spawned_child_finds_its_ticket(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s), first = proc_ticket(s, me), second = proc_ticket(s, me);
	pid_t pid;

	child_ok(in_child(child_assert(proc_join(s) == first)));
	assert_int_equal(at(s, first).state, PROC_ALIVE);
	pid = in_child(
		for (unsigned n = 0; at(s, second).pid == 0 && n < 10000; n++)
			usleep(1000);
		child_assert(proc_join(s) == second));
	proc_ticket_is(s, second, (uint32_t)pid);
	child_ok(pid);
	assert_int_equal(at(s, second).key, hash_mix(at(s, me).key, 2));
}

/* Made by means that nobody saw (vfork, a raw clone): still a child of its parent. */
static void a_child_without_a_ticket(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s);
	pid_t pid = in_child(
		struct proc p;
		uint32_t mine = proc_join(s);
		child_assert(proc_get(s, mine, &p) && p.parent == me && !p.entry);
		child_assert(p.key == hash_mix(hash_mix(0, 1), 1)));

	child_ok(pid);
}

/* daemon(): the parent is gone before the child claims. */
static void an_orphan_claims_its_ticket(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	volatile uint32_t *done = s->model;
	pid_t pid = in_child(
		uint32_t mine = proc_join(s), ticket = proc_ticket(s, mine);
		pid_t parent = getpid();
		if (fork() == 0) {
			for (unsigned n = 0; kill(parent, 0) == 0 && n < 10000; n++)
				usleep(1000);
			*done = proc_claim(s, ticket) == ticket ? 1 : 2;
			_exit(0);
		});

	child_ok(pid);
	wait_until(*done != 0);
	assert_int_equal(*done, 1);
}

static void a_ticket_without_a_child(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s), ticket;
	struct sock_ref r = sock_new(s, me, 3);
	struct proc p;

	ticket = proc_ticket(s, me);
	assert_true(sock_shared(s, r));
	proc_ticket_is(s, ticket, 0);
	assert_false(proc_get(s, ticket, &p));
	assert_false(sock_shared(s, r));
	assert_true(sock_drop(s, me, r, false));
}

static void the_dead_are_reaped(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	volatile struct sock_ref *left = s->model;
	pid_t pid = in_child(
		struct session_guard g;
		uint32_t mine = proc_join(s);
		for (int i = 0; i < 4; i++) {
			struct sock_ref r = sock_new(s, mine, i);
			left[i] = r;
		}
		session_lock(s, &g, mine);
		sock_hold(s, mine, (struct sock_ref){left[0].sock, left[0].serial}, 9);
		session_unlock(s, &g);
		proc_ticket(s, mine);
		sock_drop(s, mine, (struct sock_ref){left[1].sock, left[1].serial}, true);
		raise(SIGKILL));

	n_closed = 0;
	assert_true(WIFSIGNALED(child_status(pid)));
	assert_int_equal(proc_reap(s, closed, NULL), 0);
	assert_int_equal(n_closed, 4);
	for (int i = 0; i < 4; i++)
		assert_false(sock_is(s, (struct sock_ref){left[i].sock, left[i].serial}));
	for (uint32_t i = 0; i < tables_ready(s); i++) {
		assert_int_equal(s->tables->sock[i].word, 0);
		assert_int_equal(s->tables->hold[i].sock, 0);
	}
}

/* The pid of a dead process belongs to a living one: it started later than the dead one was seen. */
static void a_pid_used_again(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s);

	struct task t;

	assert_int_equal(proc_reap(s, closed, NULL), 1);
	assert_int_equal(task_read((uint32_t)getpid(), &t), 0);
	s->tables->proc[me - 1].seen = t.start - 1;
	assert_int_equal(proc_reap(s, closed, NULL), 0);
}

static void tickets_grow_old(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s), ticket = proc_ticket(s, me);
	pid_t pid;

	assert_int_equal(proc_reap(s, closed, NULL), 2);
	s->header->start_ns -= 9 * NSEC_PER_SEC;	/* nine seconds pass, on a machine short of processors */
	assert_int_equal(proc_reap(s, closed, NULL), 2);
	s->header->start_ns -= 2 * NSEC_PER_SEC;
	assert_int_equal(proc_reap(s, closed, NULL), 1);
	pid = in_child(pause());
	ticket = proc_ticket(s, me);
	proc_ticket_is(s, ticket, (uint32_t)pid);
	kill(pid, SIGKILL);
	child_status(pid);
	assert_int_equal(proc_reap(s, closed, NULL), 1);
}

static void nobody_joins_what_is_closed(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s);

	assert_false(session_close(s));
	assert_false(s->header->flags & SNAG_SESSION_CLOSED);
	proc_drop(s, me, NULL, NULL);
	assert_true(session_close(s));
	assert_true(session_close(s));
	assert_int_equal(proc_join(s), 0);
}

/* What nobody takes for a process keeps no session, and no keeper. */
static void rubbish_is_no_process(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;

	proc_drop(s, proc_join(s), NULL, NULL);
	s->tables->proc[0].state = 0x5a5a5a5a;
	s->tables->proc[SNAG_PROCS - 1].state = PROC_ALIVE;
	assert_int_equal(proc_reap(s, closed, NULL), 0);
	assert_true(session_close(s));
}

static void another_pid_namespace_stays_out(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s), ticket = proc_ticket(s, me);

	s->header->pid_ns++;
	assert_int_equal(proc_join(s), 0);
	assert_int_equal(proc_claim(s, ticket), 0);
	assert_int_equal(at(s, ticket).state, PROC_TICKET);
}

static void no_room(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	uint32_t me = proc_join(s);

	for (uint32_t i = 0; i < SNAG_PROCS; i++)
		if (s->tables->proc[i].state == PROC_FREE)
			s->tables->proc[i].state = PROC_ALIVE;
	assert_int_equal(proc_ticket(s, me), 0);
	assert_int_equal(s->header->lost, 1);
	assert_int_equal(s->header->lock, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(joins_as_an_entry),
		with_session(out_of_range),
		with_session(a_fork_child_claims_its_ticket),
		with_session(a_spawned_child_finds_its_ticket),
		with_session(a_child_without_a_ticket),
		with_session(an_orphan_claims_its_ticket),
		with_session(a_ticket_without_a_child),
		with_session(the_dead_are_reaped),
		with_session(a_pid_used_again),
		with_session(tickets_grow_old),
		with_session(nobody_joins_what_is_closed),
		with_session(rubbish_is_no_process),
		with_session(another_pid_namespace_stays_out),
		with_session(no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
