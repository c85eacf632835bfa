/* The bell of a session: an edge for all that have it open, each time; gone with the session. */
#include "fixture.h"
#include <session/bell.h>
#include <sys/epoll.h>

static int rings(int set)
{
	struct epoll_event e;

	return epoll_wait(set, &e, 1, 0);
}

static void an_edge_each_time(void **state)
{
	struct fixture *f = *state;
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	int bell[2] = {bell_open(&f->s), bell_open(&f->s)}, set[3];

	for (unsigned i = 0; i < 3; i++) {	/* two sets share one of them, as after fork */
		set[i] = epoll_create1(0);
		assert_int_equal(epoll_ctl(set[i], EPOLL_CTL_ADD, bell[i / 2], &e), 0);
		assert_int_equal(rings(set[i]), 0);
	}
	for (unsigned n = 0; n < 3; n++) {
		child_ok(in_child(bell_ring(&f->s)));
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(rings(set[i]), 1);
			assert_int_equal(rings(set[i]), 0);
		}
	}
	for (unsigned i = 0; i < 3; i++)
		close(set[i]);
	close(bell[0]);
	close(bell[1]);
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;
	int before = dup(0);

	close(before);
	bell_ring(&f->s);
	close(bell_open(&f->s));
	bell_ring(&f->s);
	session_remove(f->name, NULL);
	bell_ring(&f->s);
	assert_true(bell_open(&f->s) < 0);
	assert_int_equal(dup(0), before);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(an_edge_each_time),
		with_session(nobody_listens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
