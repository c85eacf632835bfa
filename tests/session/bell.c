/* The bell of a session: heard by all that watch it, each time, also over fork; and by nobody where the file is gone. */
#include "fixture.h"
#include <poll.h>
#include <session/bell.h>
#include <sys/epoll.h>

static int rings(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0);
}

static void heard_by_all_each_time(void **state)
{
	struct fixture *f = *state;
	int bell[2] = {bell_open(&f->s), bell_open(&f->s)};

	assert_true(bell[0] >= 0 && bell[1] >= 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rings(bell[0]) + rings(bell[1]), 0);
		bell_ring(&f->s);
		bell_ring(&f->s);
		assert_int_equal(rings(bell[0]) + rings(bell[1]), 2);
		bell_heard(bell[0]);
		bell_heard(bell[1]);
	}
	close(bell[0]);
	close(bell[1]);
}

/* An edge for each ring, in every set; heard in one process, it is heard in all that share it. */
static void edges(void **state)
{
	struct fixture *f = *state;
	int bell = bell_open(&f->s), set[2] = {epoll_create1(0), epoll_create1(0)};
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(epoll_ctl(set[i], EPOLL_CTL_ADD, bell, &e), 0);
	for (unsigned n = 0; n < 3; n++) {
		child_ok(in_child(bell_ring(&f->s)));
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(epoll_wait(set[i], &e, 1, 0), 1);
			assert_int_equal(epoll_wait(set[i], &e, 1, 0), 0);
		}
		child_ok(in_child(bell_heard(bell)));
	}
	close(bell);
	close(set[0]);
	close(set[1]);
}

static void nobody_there(void **state)
{
	struct fixture *f = *state;
	int before = dup(0);

	close(before);
	session_remove(f->name);
	assert_true(bell_open(&f->s) < 0);
	bell_ring(&f->s);
	assert_int_equal(dup(0), before);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(heard_by_all_each_time),
		with_session(edges),
		with_session(nobody_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
