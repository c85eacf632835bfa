/* fixture.h - a session of its own for each test, and children that report by their exit status. */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <session/lock.h>
#include <session/proc.h>
#include <session/session.h>
#include <session/sock.h>
#include <session/tables.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <trace/ring.h>
#include <unistd.h>

static const char rules_text[] = "an image";

static const struct session_sizes sizes = {
	.model_fixed = 10000,
	.model_per_sock = 72,
	.faults_fixed = 64,
	.faults_per_sock = 64,
	.triggers = 5000,
	.ring_fixed = offsetof(struct ring, slot),
	.ring_per_slot = sizeof(union snag_event),
	.rules = sizeof(rules_text),
};

struct fixture {
	struct session s;
	char name[SNAG_SESSION_NAME_MAX];
};

static inline void fresh_name(char *name, size_t size)
{
	static unsigned n;

	snprintf(name, size, "test-%d-%u", (int)getpid(), ++n);
}

static const struct session_terms terms = {.mode = 1};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fresh_name(f->name, sizeof(f->name));
	assert_int_equal(session_create(&f->s, f->name, &sizes, &terms, rules_text), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	session_remove(f->name, NULL);
	session_detach(&f->s);
	free(f);
	return 0;
}

#define with_session(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Waits until the condition holds, ten seconds at most. */
#define wait_until(condition)                                      \
	do {                                                       \
		unsigned tries_ = 0;                               \
		while (!(condition) && tries_++ < 10000)           \
			usleep(1000);                              \
		assert_true(condition);                            \
	} while (0)

static inline int child_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void child_ok(pid_t pid)
{
	assert_int_equal(child_status(pid), 0);
}

/* Runs the statements in a child, which ends with their value of `ok`. */
#define in_child(...)                          \
	({                                     \
		pid_t pid_ = fork();           \
		if (pid_ == 0) {               \
			__VA_ARGS__;           \
			_exit(0);              \
		}                              \
		assert_true(pid_ > 0);         \
		pid_;                          \
	})
#define child_assert(c) ((c) ? (void)0 : _exit(100))

#endif
