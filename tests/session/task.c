/* What /proc tells, whatever a process calls itself. */
#include "fixture.h"

#include <session/task.h>
#include <errno.h>
#include <sys/prctl.h>

static void parses_any_name(void **state)
{
	static const struct { const char *text, *comm; uint64_t start; char st; } row[] = {
		{"7 (cat) R 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9", "cat", 12345, 'R'},
		{"7 (a) b (c) Z 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 9 9", "a) b (c", 99, 'Z'},
		{"7 () S 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 -5 1 0 1 9", "", 1, 'S'},
		{"7 (0123456789abcdefX) S 3 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1 9", "0123456789abcde", 1, 'S'},
	};
	struct task t;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(task_parse(row[i].text, &t), 0);
		assert_string_equal(t.comm, row[i].comm);
		assert_int_equal(t.start, row[i].start);
		assert_int_equal(t.state, row[i].st);
		assert_int_equal(t.ppid, 3);
		assert_int_equal(t.threads, 1);
	}
}

static void refuses_rubbish(void **state)
{
	static const char *const text[] = {"", "7", "7 (", "7 (a", "7 (a)", "7 (a) ", "7 (a) R", "7 (a) R 1 2 3",
					   ")(", "7 (a)R 1",
					   "7 (a) R 3 7 7 0 x 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9"};
	struct task t;

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		assert_int_equal(task_parse(text[i], &t), -EPROTO);
}

static void reads_itself(void **state)
{
	struct task t;
	char before[16];

	(void)state;
	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, "x) R 1 (y");
	assert_int_equal(task_read((uint32_t)getpid(), &t), 0);
	prctl(PR_SET_NAME, before);
	assert_string_equal(t.comm, "x) R 1 (y");
	assert_int_equal(t.ppid, getppid());
	assert_true(t.start > 0);
	assert_in_range(task_clock(), t.start, UINT64_MAX);
	assert_true(task_runs((uint32_t)getpid(), t.start));
	assert_true(task_runs((uint32_t)getpid(), task_clock()));
	assert_true(task_runs((uint32_t)getpid(), 0));
	assert_false(task_runs((uint32_t)getpid(), t.start - 1));
	assert_false(task_runs(0, 0));
	assert_false(task_runs((uint32_t)-1, 0));
}

static void a_zombie_does_not_run(void **state)
{
	pid_t pid = in_child(_exit(0));
	siginfo_t si;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(kill(pid, 0), 0);
	assert_false(task_runs((uint32_t)pid, 0));
	child_ok(pid);
	assert_false(task_runs((uint32_t)pid, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_any_name),
		cmocka_unit_test(refuses_rubbish),
		cmocka_unit_test(reads_itself),
		cmocka_unit_test(a_zombie_does_not_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
