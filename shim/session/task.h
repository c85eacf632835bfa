/* task.h - what /proc tells of a process or thread. Without stdio; any bytes in its name. */
#ifndef SESSION_TASK_H
#define SESSION_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct task {
	uint64_t start;		/* field 22 of /proc/ID/stat: clock ticks since boot */
	uint32_t ppid;
	uint32_t threads;
	bool exiting;		/* on its way out */
	char state;		/* R S D T Z X ... */
	char comm[16];
};

/* 0; -ENOENT, -ESRCH: no such task, or hidden from us; -EPROTO: unreadable. */
int task_read(uint32_t id, struct task *t);
/* The same from the text of such a file. */
int task_parse(const char *text, struct task *t);
/* Start of a task on CLOCK_BOOTTIME, rounded down to the tick. */
uint64_t task_start_ns(const struct task *t);

/* Now, in the unit of task.start and rounded like it: whatever runs now started no later. Costs no system call, while
 * a look at /proc for one's own start is three. */
uint64_t task_clock(void);

/* Does process `pid` run, and is it the one that was there at `seen` (task_clock(); 0: whichever)? It is, unless it
 * started later. A zombie, or one on its way there, does not run, unless threads of it go on. Where /proc does not
 * tell, a process that can be signalled counts as running. */
bool task_runs(uint32_t pid, uint64_t seen);

/* Inode of this process's pid namespace; 0: unknown. */
uint64_t task_pid_ns(void);

#endif
