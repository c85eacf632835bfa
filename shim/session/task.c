#include <session/task.h>

#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <string.h>

#define EXITING 0x4		/* PF_EXITING, include/linux/sched.h: its descriptors are closed, or are about to be */
#define TICK_NS 10000000u	/* /proc counts in USER_HZ, 100 a second on every machine snag knows */

/* The number at *text, which moves behind it and the blank. False: there is none. */
static bool task_number(const char **text, uint64_t *n)
{
	const char *p = *text;

	if (*p == '-')		/* tty_nr, tpgid, priority: nothing that is looked at */
		p++;
	if (*p < '0' || *p > '9')
		return false;
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	if (*p == ' ')
		p++;
	*text = p;
	return true;
}

/* proc(5): pid (comm) state ppid ... num_threads is field 20, starttime field 22. A comm may hold blanks and brackets,
 * but nothing behind it does: so the last bracket ends it. */
int task_parse(const char *text, struct task *t)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t n;
	size_t len;

	memset(t, 0, sizeof(*t));
	if (!open || !close || close < open || close[1] != ' ' || !close[2] || close[3] != ' ')
		return -EPROTO;
	len = (size_t)(close - open - 1);
	if (len >= sizeof(t->comm))
		len = sizeof(t->comm) - 1;
	memcpy(t->comm, open + 1, len);
	t->state = close[2];
	text = close + 4;
	for (int field = 4; field <= 22; field++) {
		if (!task_number(&text, &n))
			return -EPROTO;
		if (field == 4)
			t->ppid = (uint32_t)n;
		else if (field == 9)
			t->exiting = (n & EXITING) != 0;
		else if (field == 20)
			t->threads = (uint32_t)n;
		else if (field == 22)
			t->start = n;
	}
	return 0;
}

int task_read(uint32_t id, struct task *t)
{
	char path[32], text[512];	/* whatever the numbers, field 22 ends before that */
	size_t len = 0;
	ssize_t n;

	sys_append(path, sizeof(path), &len, "/proc/");
	sys_append_number(path, sizeof(path), &len, id);
	sys_append(path, sizeof(path), &len, "/stat");
	n = sys_read_file(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return task_parse(text, t);
}

uint64_t task_start_ns(const struct task *t)
{
	return t->start * TICK_NS;
}

uint64_t task_clock(void)
{
	return sys_clock_ns(CLOCK_BOOTTIME) / TICK_NS;
}

bool task_runs(uint32_t pid, uint64_t seen)
{
	struct task t;

	/* pid 0 and those above INT_MAX mean groups to kill(2) */
	if (pid - 1 >= INT32_MAX || sys_kill(pid, 0) == -ESRCH)
		return false;
	if (task_read(pid, &t) < 0)
		return true;
	if (seen && t.start > seen)
		return false;
	return (t.state != 'Z' && t.state != 'X' && !t.exiting) || t.threads > 1;
}

uint64_t task_pid_ns(void)
{
	struct stat st;

	return sys_stat("/proc/self/ns/pid", &st) < 0 ? 0 : (uint64_t)st.st_ino;
}
