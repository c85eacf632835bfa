/* ops_life.c - who has a socket and for how long: dup, fork and death, passing, close; users; time. */
#include "live.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void close_socket(struct world *w, uint8_t s)
{
	struct attempt t = attempt_begin(w, SNAG_CALL_close, s);

	attempt_foresee(w, &t);
	attempt_made(w, &t, close(w->fd[s]));
	t.o.last = !hold_is(w, s);
	note(w, "  close(%u)%s", s, t.o.last ? "" : ", not the last");
	attempt_judge(w, &t);
	w->fd[s] = w->others[s].copy;
	w->others[s].copy = 0;
}

OPERATION(close, 20, false)
{
	close_socket(w, s);
}

OPERATION(dup, 3, false)
{
	if (w->others[s].copy)
		return;
	w->others[s].copy = fcntl(w->fd[s], F_DUPFD_CLOEXEC, 0);
	note(w, "  dup(%u)\n", s);
}

/* ---- other holders ---- */

bool hold_is(const struct world *w, uint8_t s)
{
	return w->others[s].copy || w->others[s].child || w->others[s].passed;
}

/* It was the last one, perhaps: nobody made a call that would say so. */
static void hold_over(struct world *w, uint8_t s)
{
	if (!w->fd[s] && !hold_is(w, s))
		model_forget(w->d->m, w->id[s], now_of_world());
}

static void end_child(struct world *w, uint8_t s)
{
	note(w, "  the child with %u is killed\n", s);
	kill(w->others[s].child, SIGKILL);
	waitpid(w->others[s].child, NULL, 0);
	w->others[s].child = 0;
	hold_over(w, s);
}

static void give_up(struct world *w, uint8_t s)
{
	note(w, "  %u is never fetched\n", s);
	close(w->others[s].passed);
	w->others[s].passed = 0;
	hold_over(w, s);
}

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message(struct iovec *byte, union control *c)
{
	return (struct msghdr){.msg_iov = byte, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(*c)};
}

/* From the queue: it is the descriptor again, or one more, which is closed. */
static void fetch(struct world *w, uint8_t s)
{
	char x;
	struct iovec byte = {&x, 1};
	union control c;
	struct msghdr m = message(&byte, &c);
	int fd;

	if (recvmsg(w->others[s].passed, &m, MSG_CMSG_CLOEXEC) != 1)
		abort();
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	note(w, "  %u is fetched\n", s);
	close(w->others[s].passed);
	w->others[s].passed = 0;
	if (w->fd[s])
		close(fd);
	else
		w->fd[s] = fd;
}

void hold_end(struct world *w, uint8_t s)
{
	if (w->others[s].passed)
		fetch(w, s);
	else if (w->others[s].child)
		end_child(w, s);
}

static void close_all_but(const struct world *w, uint8_t s)
{
	if (w->stranger)
		close(w->stranger);
	for (uint8_t i = 1; i <= SOCKS; i++) {
		const struct holders *h = &w->others[i];
		if (w->fd[i] && i != s)
			close(w->fd[i]);
		if (h->copy)
			close(h->copy);
		if (h->passed)
			close(h->passed);
	}
}

/* A child inherits it, and no other socket. */
OPERATION(fork, 1, false)
{
	int ready[2];
	char x;
	pid_t child;

	if (w->others[s].child || pipe(ready))
		return;
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_all_but(w, s);
		close(ready[1]);
		close(ready[0]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &x, 1) < 0)
		abort();
	close(ready[0]);
	w->others[s].child = child;
	note(w, "  a child inherits %u\n", s);
}

/* SCM_RIGHTS: it lies in a queue. */
OPERATION(pass, 2, false)
{
	struct iovec byte = {"x", 1};
	union control c = {{0}};
	struct msghdr m = message(&byte, &c);
	int pair[2];

	if (w->others[s].passed || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	c.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&c.head), &w->fd[s], sizeof(int));
	if (sendmsg(pair[0], &m, 0) != 1)
		abort();
	close(pair[0]);
	w->others[s].passed = pair[1];
	note(w, "  %u is passed on\n", s);
}

/* Whoever else has one ends. */
OPERATION(lose, 3, true)
{
	for (uint8_t i = 1; i <= SOCKS; i++) {
		if (w->others[i].passed) {
			(p->a & 1 ? give_up : fetch)(w, i);
			return;
		}
		if (w->others[i].child) {
			end_child(w, i);
			return;
		}
	}
}

/* ---- users, time ---- */

OPERATION(user, 3, true)
{
	note(w, "  now user %u\n", p->a % 3 ? 1000 + p->a % 2 : 0);
	world_user(w, p->a % 3 ? 1000 + p->a % 2 : 0);
}

/* TIME_WAIT lasts 60 s, and up to 5.5 s more: only where somebody has the time, see sequence_make(). */
OPERATION(minute, 0, true)
{
	unsigned ms = 54000 + p->a % 14000;

	note(w, "  %u ms pass\n", ms);
	usleep(ms * 1000);
}

/* fchown() changes whose the socket is. A front end looks at it where it asks, fstat(). */
OPERATION(owner, 1, false)
{
	uid_t uid = p->a % 3 ? 1000 + p->a % 2 : 0;

	if (w->quiet || w->uid || fchown(w->fd[s], uid, (gid_t)-1))
		return;
	note(w, "  fchown(%u, %u)\n", s, uid);
	model_told_owner(w->d->m, w->id[s], w->id[s], uid);
}

OPERATION(wait, 1, true)
{
	unsigned ms = p->a % 40 == 39 ? 1100 : p->a % 40 > 36 ? 300 : 3;

	note(w, "  %u ms pass\n", ms);
	usleep(ms * 1000);
}
