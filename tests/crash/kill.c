/* A thousand processes at work on one session, killed at random moments, some of them inside the lock. */
#include "check.h"

#include <sched.h>
#include <sys/prctl.h>

#define KILLS 1000
#define AT_ONCE 4

static uint32_t random_state;
static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

#define SOCKS 16
struct worker {
	struct session *s;
	uint32_t proc;
	struct sock_ref ref[SOCKS];
};

static void work_sock(struct worker *w, struct sock_ref *r)
{
	if (!sock_is(w->s, *r))
		*r = sock_new(w->s, w->proc, 3);
	else if (sock_drop(w->s, w->proc, *r, draw(2)))
		sock_free(w->s, *r);
}

static void work_share(struct worker *w, struct sock_ref *r)
{
	struct session_guard g;
	int rc = session_lock(w->s, &g, w->proc);

	if (rc < 0)
		return;
	if (rc == 1)
		session_repair(w->s);
	sock_hold(w->s, w->proc, *r, 4);
	sock_publish(w->s, *r, 1 + draw(100000));
	session_unlock(w->s, &g);
}

static void work_ring(struct worker *w, struct sock_ref *r)
{
	(void)r;
	for (unsigned n = 1; n <= SNAG_EVENT_MAX; n++)
		check_put(w->s, n);
}

static void work_fork(struct worker *w, struct sock_ref *r)
{
	uint32_t ticket = proc_ticket(w->s, w->proc);
	pid_t pid = fork();

	if (pid == 0) {
		if (proc_claim(w->s, ticket) == ticket && ticket) {
			w->proc = ticket;
			for (unsigned i = 0; i < SOCKS; i++)
				work_sock(w, r);
			proc_drop(w->s, ticket, NULL, NULL);
		}
		_exit(0);
	}
	if (ticket)
		proc_ticket_is(w->s, ticket, pid > 0 ? (uint32_t)pid : 0);
	if (draw(2))
		waitpid(pid, NULL, 0);
}

/* A child made by clone alone dies inside the lock. */
static void work_clone(struct worker *w, struct sock_ref *r)
{
	struct session_guard g;
	long pid;

	(void)r;
	if (draw(20))
		return;
	pid = sys_call(SYS_clone, SIGCHLD);
	if (pid == 0) {
		session_lock(w->s, &g, w->proc);
		sys_kill(sys_getpid(), SIGKILL);
	}
	sys_call(SYS_wait4, pid, 0, 0, 0);
}

static void work_confirm(struct worker *w, struct sock_ref *r)
{
	struct session_guard g;

	if (session_lock_tables(w->s, &g, w->proc) < 0)
		return;
	sock_confirm_begin(w->s, w->proc);
	sock_confirm(w->s, w->proc, *r, 5);
	sock_confirm_end(w->s, w->proc, NULL, NULL);
	session_unlock(w->s, &g);
}

static void work(struct session *s, uint32_t seed)
{
	static void (*const job[])(struct worker *w, struct sock_ref *r) = {
		work_sock, work_sock, work_sock, work_share, work_share, work_ring, work_fork, work_clone, work_confirm,
	};
	struct worker w = {.s = s};

	setpgid(0, 0);
	random_state = seed;
	w.proc = proc_join(s);
	while (w.proc)
		job[draw(ARRAY_LEN(job))](&w, &w.ref[draw(SOCKS)]);
	_exit(0);
}

static pid_t start(struct session *s, uint32_t seed)
{
	pid_t pid = fork();

	if (pid == 0)
		work(s, seed);
	assert_true(pid > 0);
	setpgid(pid, pid);
	return pid;
}

/* A random moment within the first two milliseconds or so of its life. */
static void let_live(void)
{
	uint64_t until = sys_clock_ns(CLOCK_MONOTONIC) + draw(2000) * 1000;

	while (sys_clock_ns(CLOCK_MONOTONIC) < until)
		sched_yield();
}

static void a_thousand_kills(void **state)
{
	struct session *s = &((struct fixture *)*state)->s;
	unsigned events = 0, lost = 0;
	pid_t pid[AT_ONCE];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (session_grow_ring(s) == 0)
		continue;
	for (unsigned i = 0; i < AT_ONCE; i++)
		pid[i] = start(s, i);
	for (unsigned n = 0; n < KILLS; n++) {
		unsigned i = draw(AT_ONCE);

		random_state += (uint32_t)sys_clock_ns(CLOCK_MONOTONIC);
		let_live();
		kill(-pid[i], SIGKILL);
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
		pid[i] = start(s, n + AT_ONCE);
		check_drain(s, &events, &lost);
		if (n % 16 == 0)
			proc_reap(s, NULL, NULL);
	}
	for (unsigned i = 0; i < AT_ONCE; i++)
		kill(-pid[i], SIGKILL);
	while (wait(NULL) > 0)
		continue;
	check_mend(s);
	assert_int_equal(proc_reap(s, NULL, NULL), 0);
	for (uint32_t i = 0; i < tables_ready(s); i++) {
		assert_int_equal(s->tables->sock[i].word, 0);
		assert_int_equal(s->tables->hold[i].sock, 0);
	}
	check_drain(s, &events, &lost);
	assert_true(events > 0);
	print_message("events %u, lost %u; lock taken over %u times; sockets %u; processes %u; not recorded %u\n",
		      events, lost, s->header->repairs, s->header->next_sock, s->header->next_proc, s->header->lost);
	assert_true(session_close(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(a_thousand_kills),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
