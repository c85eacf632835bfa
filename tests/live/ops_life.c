/* ops_life.c - who has a socket and for how long: dup, close, fork and death; users; time. */
#include "live.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void close_socket(struct world *w, uint8_t s)
{
	struct attempt t = attempt_begin(w, SNAG_CALL_close, s);

	attempt_foresee(w, &t);
	attempt_made(w, &t, close(w->fd[s]));
	t.o.last = !w->copy[s];
	note(w, "  close(%u)%s", s, t.o.last ? "" : ", a copy");
	attempt_judge(w, &t);
	w->fd[s] = w->copy[s];
	w->copy[s] = 0;
}

OPERATION(close, 20, false)
{
	close_socket(w, s);
}

OPERATION(dup, 3, false)
{
	if (w->copy[s])
		return;
	w->copy[s] = fcntl(w->fd[s], F_DUPFD_CLOEXEC, 0);
	note(w, "  dup(%u)\n", s);
}

/* The last descriptor is another process's, and that is killed. */
OPERATION(kill, 1, false)
{
	pid_t child;

	if (w->copy[s])
		return;
	child = fork();
	if (!child)
		for (;;)
			pause();
	note(w, "  fork, close(%u), kill the child\n", s);
	close(w->fd[s]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	model_forget(w->d->m, w->id[s], now_of_world());
	w->fd[s] = 0;
}

OPERATION(user, 3, true)
{
	note(w, "  now user %u\n", p->a % 3 ? 1000 + p->a % 2 : 0);
	world_user(w, p->a % 3 ? 1000 + p->a % 2 : 0);
}

OPERATION(wait, 1, true)
{
	unsigned ms = p->a % 40 == 39 ? 1100 : p->a % 40 > 36 ? 300 : 3;

	note(w, "  %u ms pass\n", ms);
	usleep(ms * 1000);
}
