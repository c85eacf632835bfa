/* background.c - a keeper on its own: apart from whoever started it, until the session's last process is gone. */
#include "keeper.h"
#include "signals.h"

#include <base/base.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define YOUNG_NS (2 * NSEC_PER_SEC)

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all from 3 on but these. */
static void close_others(int *keep, size_t n)
{
	unsigned next = 3;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)next)
			continue;
		if ((unsigned)keep[i] > next)
			close_range(next, (unsigned)keep[i] - 1, 0);
		next = (unsigned)keep[i] + 1;
	}
	close_range(next, ~0u, 0);
}

void keeper_detach(struct keeper *k)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool to_stderr = k->sink.borrowed && k->sink.fd >= 0;

	setsid();
	if (chdir("/") < 0)
		errno = 0;	/* then it stays where it is, which hurts nobody but umount */
	for (int fd = 0; fd <= 2; fd++)
		if (null >= 0 && !(fd == 2 && to_stderr))
			dup2(null, fd);
	procs_reopen(&k->procs);
	int keep[2 + 1 + OCCUPANTS] = { k->sink.fd, k->procs.epoll };
	close_others(keep, 2 + occupants_fds(&k->occupants, keep + 2));
	signals_background();
	store_release(&k->session.header->keeper_pid, (uint32_t)getpid());
}

/* Nobody has joined yet, but a program that was just started, or is slow to get here, will. */
static bool somebody_comes(const struct keeper *k, uint32_t starter)
{
	return load_acquire(&k->session.header->next_proc) == 0 &&
	       (session_now(&k->session) < YOUNG_NS || procs_pid_runs(starter));
}

void keeper_run(struct keeper *k, uint32_t starter)
{
	for (;;) {
		bool more = keeper_step(k);
		/* Asked for by a signal, or nobody is seen alive: then it is counted exactly. */
		bool ask = signals_term() || !procs_any(&k->procs);
		if (ask && !somebody_comes(k, starter) && keeper_reap(k) == 0 && keeper_end(k))
			return;
		if (!more)
			keeper_wait(k);
	}
}
