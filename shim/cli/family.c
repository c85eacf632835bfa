/* family.c - the processes that descend from this one, by their parents in /proc. */
#include "family.h"

#include <ctype.h>
#include <dirent.h>
#include <session/task.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct member {
	uint32_t pid, ppid;
	bool ours, runs;
};

struct all {
	struct member *member;
	size_t n, size;
};

void family_keep(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void add(struct all *a, uint32_t pid)
{
	struct task t;

	if (task_read(pid, &t) < 0)
		return;
	if (a->n == a->size) {
		size_t size = a->size ? 2 * a->size : 256;
		struct member *more = reallocarray(a->member, size, sizeof(*more));
		if (!more)
			return;
		a->member = more;
		a->size = size;
	}
	a->member[a->n++] = (struct member){ .pid = pid, .ppid = t.ppid, .runs = t.state != 'Z' && t.state != 'X' };
}

static void read_all(struct all *a)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			add(a, (uint32_t)strtoul(e->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

static bool is_ours(const struct all *a, uint32_t pid)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->member[i].pid == pid)
			return a->member[i].ours;
	return false;
}

/* One generation more; false: there is none. */
static bool mark(struct all *a, uint32_t self)
{
	bool more = false;

	for (size_t i = 0; i < a->n; i++) {
		struct member *m = &a->member[i];
		if (m->ours || (m->ppid != self && !is_ours(a, m->ppid)))
			continue;
		m->ours = more = true;
	}
	return more;
}

unsigned family_count(void (*each)(void *arg, uint32_t pid), void *arg)
{
	struct all a = { 0 };
	unsigned n = 0;

	read_all(&a);
	while (mark(&a, (uint32_t)getpid()))
		continue;
	for (size_t i = 0; i < a.n; i++) {
		if (!a.member[i].ours || !a.member[i].runs)
			continue;
		n++;
		if (each)
			each(arg, a.member[i].pid);
	}
	free(a.member);
	return n;
}
