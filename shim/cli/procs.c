/* procs.c - the processes of a session as its keeper sees them. */
#include "procs.h"

#include <errno.h>
#include <session/proc.h>
#include <session/task.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int procs_open(struct procs *p)
{
	*p = (struct procs){ .epoll = -1 };
	p->row = calloc(SNAG_PROCS + 1, sizeof(*p->row));
	if (!p->row)
		return -ENOMEM;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	return 0;
}

static void row_clear(struct procs_row *row)
{
	if (row->pid && row->pidfd >= 0)
		close(row->pidfd);
	memset(row, 0, sizeof(*row));
}

void procs_close(struct procs *p)
{
	for (uint32_t i = 0; i < p->high; i++)
		row_clear(&p->row[i]);
	free(p->row);
	if (p->epoll >= 0)
		close(p->epoll);
	*p = (struct procs){ .epoll = -1 };
}

void procs_reopen(struct procs *p)
{
	for (uint32_t i = 0; i < p->high; i++) {
		if (p->row[i].pid && p->row[i].pidfd >= 0)
			close(p->row[i].pidfd);
		p->row[i].pidfd = -1;
	}
	if (p->epoll >= 0)
		close(p->epoll);
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
}

bool procs_any(const struct procs *p)
{
	for (uint32_t i = 0; i < p->high; i++)
		if (p->row[i].pid)
			return true;
	return false;
}

/* The slots stand in memory that others can scribble on: a copied text ends where its array does. */
static void copy_text(char *to, size_t size, const char *from, size_t len)
{
	size_t n = strnlen(from, len < size - 1 ? len : size - 1);

	memcpy(to, from, n);
	to[n] = 0;
}

static struct procs_row *row_begin(struct procs *p, uint32_t proc, uint32_t pid)
{
	struct procs_row *row = &p->row[proc];

	row_clear(row);
	row->pid = pid;
	row->pidfd = -1;
	if (proc >= p->high)
		p->high = proc + 1;
	return row;
}

void procs_note(struct procs *p, const struct snag_event_process *e, struct procs_row *replaced)
{
	const union snag_event *ev = (const void *)e;
	uint32_t proc = e->head.proc;
	struct procs_row *row;

	replaced->pid = 0;
	if (!proc || proc > SNAG_PROCS || !e->head.pid)
		return;
	row = &p->row[proc];
	if (row->pid != e->head.pid) {
		if (row->pid && !row->ended)
			*replaced = *row;
		row = row_begin(p, proc, e->head.pid);
	}
	if (e->what == SNAG_PROCESS_END)
		row->ended = true;
	copy_text(row->comm, sizeof(row->comm), e->comm, sizeof(e->comm));
	if (e->head.extra && ev[1].head.kind == SNAG_EXTRA_TEXT && ev[1].text.what == SNAG_TEXT_EXE)
		copy_text(row->exe, sizeof(row->exe), ev[1].text.text, ev[1].text.len);
}

static void row_fill(struct procs_row *row, const struct proc *from)
{
	copy_text(row->comm, sizeof(row->comm), from->comm, sizeof(from->comm));
	copy_text(row->exe, sizeof(row->exe), from->exe, sizeof(from->exe));
}

const struct procs_row *procs_find(struct procs *p, const struct session *s, uint32_t proc, uint32_t pid)
{
	struct proc now;

	if (!proc || proc > SNAG_PROCS)
		return NULL;
	if (p->row[proc].pid == pid)
		return &p->row[proc];
	/* Its start never came by: lost, or from before this keeper. */
	if (!proc_get(s, proc, &now) || now.pid != pid)
		return NULL;
	struct procs_row *row = row_begin(p, proc, pid);
	row_fill(row, &now);
	return row;
}

static void row_watch(struct procs *p, struct procs_row *row, const struct proc *now)
{
	struct epoll_event want = { .events = EPOLLIN };

	if (p->epoll < 0 || row->pidfd >= 0)
		return;
	row->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)row->pid, 0);
	if (row->pidfd < 0)
		return;
	/* Between the look and the open the pid may have become another process. */
	if (!proc_alive(now) || epoll_ctl(p->epoll, EPOLL_CTL_ADD, row->pidfd, &want) < 0) {
		close(row->pidfd);
		row->pidfd = -1;
	}
}

void procs_scan(struct procs *p, const struct session *s, void (*gone)(void *arg, uint32_t proc, struct procs_row *row),
		void *arg)
{
	for (uint32_t i = 1; i <= SNAG_PROCS; i++) {
		struct procs_row *row = &p->row[i];
		struct proc now;
		bool here = proc_get(s, i, &now) && now.state == PROC_ALIVE;

		if (row->pid && (!here || now.pid != row->pid)) {
			if (!row->ended)
				gone(arg, i, row);
			row_clear(row);
		}
		if (!here)
			continue;
		if (!row->pid) {
			row = row_begin(p, i, now.pid);
			row_fill(row, &now);
		}
		if (!row->ended)
			row_watch(p, row, &now);
	}
}

bool procs_died(const struct procs *p)
{
	struct epoll_event one;

	return p->epoll >= 0 && epoll_wait(p->epoll, &one, 1, 0) > 0;
}

unsigned procs_count(const struct session *s, void (*each)(void *arg, uint32_t pid), void *arg)
{
	struct proc now;
	unsigned n = 0;

	for (uint32_t i = 1; i <= SNAG_PROCS; i++) {
		if (!proc_get(s, i, &now) || now.state != PROC_ALIVE || !proc_alive(&now))
			continue;
		n++;
		if (each)
			each(arg, now.pid);
	}
	return n;
}

bool procs_pid_runs(uint32_t pid)
{
	return task_runs(pid, 0);
}
