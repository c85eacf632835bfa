/* The lock: exclusion between processes, and every way in which its owner can be gone. */
#include "fixture.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <session/task.h>
#include <sys/syscall.h>
#include <base/sys.h>

static struct session_guard g;

static void taken_and_given_back(void **state)
{
	struct fixture *f = *state;

	assert_false(session_locked(&f->s));
	assert_int_equal(session_lock(&f->s, &g, 7), 0);
	assert_true(session_locked(&f->s));
	assert_int_equal(f->s.header->lock, gettid());
	assert_int_equal(f->s.header->lock_proc, 7);
	session_unlock(&f->s, &g);
	assert_int_equal(f->s.header->lock, 0);
	assert_int_equal(f->s.header->lock_proc, 0);
}

static void signals_wait_while_it_is_held(void **state)
{
	struct fixture *f = *state;
	sigset_t inside, after;

	assert_int_equal(session_lock(&f->s, &g, 0), 0);
	sigprocmask(SIG_BLOCK, NULL, &inside);
	session_unlock(&f->s, &g);
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < SIGRTMAX; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || (sig > SIGSYS && sig < SIGRTMIN))
			continue;
		assert_int_equal(sigismember(&inside, sig), 1);
		assert_int_equal(sigismember(&after, sig), 0);
	}
}

#define WORKERS 4
#define ROUNDS 2000

static void excludes_processes(void **state)
{
	struct fixture *f = *state;
	volatile uint64_t *count = f->s.model;
	pid_t pid[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		pid[i] = in_child(for (int n = 0; n < ROUNDS; n++) {
			struct session_guard mine;
			while (session_lock(&f->s, &mine, 0) < 0)
				continue; /* on a very busy machine */
			count[0]++;
			if (n % 64 == 0)
				sched_yield();
			count[1]++;
			child_assert(count[0] == count[1]);
			session_unlock(&f->s, &mine);
		});
	for (int i = 0; i < WORKERS; i++)
		child_ok(pid[i]);
	assert_int_equal(count[0], WORKERS * ROUNDS);
	assert_int_equal(f->s.header->lock, 0);
	assert_int_equal(f->s.header->repairs, 0);
}

/* Whoever comes next is told, until one has mended. */
static void expect_mending(struct fixture *f)
{
	assert_int_equal(session_lock(&f->s, &g, 0), 1);
	session_unlock(&f->s, &g);
	assert_int_equal(session_lock(&f->s, &g, 0), 0);
	session_unlock(&f->s, &g);
	assert_int_equal(f->s.header->lock, 0);
}

static void owner_died(void **state)
{
	struct fixture *f = *state;
	pid_t pid = in_child(session_lock(&f->s, &g, 0));

	child_ok(pid);
	assert_int_equal(f->s.header->lock, pid);
	expect_mending(f);
	assert_int_equal(f->s.header->repairs, 1);
}

static void owner_is_a_zombie(void **state)
{
	struct fixture *f = *state;
	pid_t pid = in_child(session_lock(&f->s, &g, 0));
	siginfo_t si;

	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	expect_mending(f);
	child_ok(pid);
}

static void owner_dies_while_we_wait(void **state)
{
	struct fixture *f = *state;
	pid_t owner = in_child(session_lock(&f->s, &g, 0); pause()), waiter;

	wait_until(load_acquire(&f->s.header->lock) == (uint32_t)owner);
	waiter = in_child(child_assert(session_lock(&f->s, &g, 0) == 1); session_unlock(&f->s, &g));
	wait_until(load_acquire(&f->s.header->lock) & FUTEX_WAITERS || kill(waiter, 0) < 0);
	kill(owner, SIGKILL);
	assert_true(WIFSIGNALED(child_status(owner)));
	child_ok(waiter);
	assert_int_equal(session_lock(&f->s, &g, 0), 0);
	session_unlock(&f->s, &g);
}

/* A child made by clone alone: no handler of the C library ran, its cached ids are the parent's. */
static void raw_clone_child_dies_inside(void **state)
{
	struct fixture *f = *state;
	long pid = sys_call(SYS_clone, SIGCHLD);

	if (pid == 0) {
		session_lock(&f->s, &g, 0);
		sys_kill(sys_getpid(), SIGKILL);
	}
	assert_true(pid > 0);
	assert_true(WIFSIGNALED(child_status((pid_t)pid)));
	assert_int_equal(f->s.header->lock, pid);
	expect_mending(f);
}

static void mender_dies_too(void **state)
{
	struct fixture *f = *state;

	child_ok(in_child(session_lock(&f->s, &g, 0)));
	child_ok(in_child(child_assert(session_lock(&f->s, &g, 0) == 1)));
	expect_mending(f);
	assert_int_equal(f->s.header->repairs, 2);
}

/* The session's own functions mend their tables at once; the model's turn stays with the next session_lock. */
static void tables_are_mended_the_model_is_left(void **state)
{
	struct fixture *f = *state;

	child_ok(in_child(session_lock(&f->s, &g, 0)));
	assert_int_equal(session_lock_tables(&f->s, &g, 0), 0);
	session_unlock(&f->s, &g);
	expect_mending(f);
}

static void a_stopped_owner_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	pid_t owner = in_child(session_lock(&f->s, &g, 0); pause());

	wait_until(load_acquire(&f->s.tables->lock_at) != LOCK_AT_UNKNOWN);
	kill(owner, SIGSTOP);
	assert_int_equal(session_lock(&f->s, &g, 0), -ETIMEDOUT);
	assert_int_equal(f->s.header->lost, 1);
	assert_true(f->s.header->flags & SNAG_SESSION_DEGRADED);
	assert_int_equal(f->s.header->lock & FUTEX_TID_MASK, owner);
	kill(owner, SIGKILL);
	child_status(owner);
	expect_mending(f);
}

/* It keeps the lock for longer than one wait, and its processor all the time. */
static void an_owner_that_could_run_is_waited_for(void **state)
{
	struct fixture *f = *state;
	pid_t owner = in_child(session_lock(&f->s, &g, 0); uint64_t end = sys_clock_ns(CLOCK_BOOTTIME) + NSEC_PER_SEC / 2;
			       while (sys_clock_ns(CLOCK_BOOTTIME) < end) continue; session_unlock(&f->s, &g));

	wait_until(load_acquire(&f->s.tables->lock_at) != LOCK_AT_UNKNOWN);
	assert_int_equal(session_lock(&f->s, &g, 0), 0);
	session_unlock(&f->s, &g);
	child_ok(owner);
}

/* The owner is dead and its id was given to a living process that knows nothing of the session. */
static void id_of_a_dead_owner_lives_on(void **state)
{
	struct fixture *f = *state;
	pid_t other;
	struct task t;

	store_release(&f->s.tables->lock_at, sys_clock_ns(CLOCK_BOOTTIME));
	do {	/* /proc tells a birth to the tick: wait for one that is later by its clock too */
		other = in_child(pause());
		assert_int_equal(task_read((uint32_t)other, &t), 0);
		if (task_start_ns(&t) > f->s.tables->lock_at)
			break;
		kill(other, SIGKILL);
		child_status(other);
	} while (true);
	store_release(&f->s.header->lock, (uint32_t)other);
	expect_mending(f);
	kill(other, SIGKILL);
	child_status(other);
}

/* A waiter that hangs on such an id meanwhile does not stand in the way of those who have replaced it. */
static void waiters_behind_a_replaced_owner(void **state)
{
	struct fixture *f = *state;
	pid_t pid[3], other = in_child(pause());

	store_release(&f->s.tables->lock_at, 1);	/* long before that process was born */
	store_release(&f->s.header->lock, (uint32_t)other);
	for (int i = 0; i < 3; i++)
		pid[i] = in_child(
			for (int n = 0; n < 20 && session_lock(&f->s, &g, 0) < 0; n++)
				continue;
			child_assert(session_locked(&f->s));
			session_unlock(&f->s, &g));
	for (int i = 0; i < 3; i++)
		child_ok(pid[i]);
	assert_int_equal(load_acquire(&f->s.header->lock) & FUTEX_TID_MASK, 0);
	kill(other, SIGKILL);
	child_status(other);
}

static void our_own_id_in_the_word_is_a_dead_owners(void **state)
{
	struct fixture *f = *state;

	store_release(&f->s.header->lock, (uint32_t)gettid());
	expect_mending(f);
}

static void rubbish_in_the_word(void **state)
{
	struct fixture *f = *state;
	static const uint32_t word[] = {FUTEX_TID_MASK, FUTEX_WAITERS, FUTEX_OWNER_DIED, 0x3ffffff0, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		int rc;

		store_release(&f->s.header->lock, word[i]);
		rc = session_lock(&f->s, &g, 0);
		assert_true(rc == 0 || rc == 1);
		session_unlock(&f->s, &g);
		assert_int_equal(load_acquire(&f->s.header->lock) & FUTEX_TID_MASK, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(taken_and_given_back),
		with_session(signals_wait_while_it_is_held),
		with_session(excludes_processes),
		with_session(owner_died),
		with_session(owner_is_a_zombie),
		with_session(owner_dies_while_we_wait),
		with_session(raw_clone_child_dies_inside),
		with_session(mender_dies_too),
		with_session(tables_are_mended_the_model_is_left),
		with_session(a_stopped_owner_is_not_waited_for),
		with_session(an_owner_that_could_run_is_waited_for),
		with_session(id_of_a_dead_owner_lives_on),
		with_session(waiters_behind_a_replaced_owner),
		with_session(our_own_id_in_the_word_is_a_dead_owners),
		with_session(rubbish_in_the_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
