/* proc.c - the life of a process slot: free -> ticket -> alive -> free, each step under the lock. The state is stored
 * last when a slot comes to life, and cleared last when all that it held is gone: so whoever dies in between has left
 * either a free slot or one that the reaper finds dead. */
#include <session/proc.h>

#include <base/hash.h>
#include <base/sys.h>
#include <errno.h>
#include <session/lock.h>
#include <session/task.h>
#include <string.h>
#include "hold.h"
#include "tables.h"

#define TICKET_NS (10 * NSEC_PER_SEC)	/* a child that nobody has told us of, or that runs but has not joined */

/* What a process says of itself when it joins. Small, as it may run on a signal handler's stack. */
struct self {
	uint32_t pid, ppid;
	uint64_t start;		/* as task_start */
	char comm[sizeof(((struct proc *)0)->comm)];
	char exe[sizeof(((struct proc *)0)->exe)];
};

/* Numbers of another pid namespace mean nothing here. The process that attached has compared it. */
static bool same_pid_ns(const struct session *s, uint32_t pid)
{
	uint64_t ns = pid == s->attached_by ? 0 : task_pid_ns();

	return !ns || !s->header->pid_ns || ns == s->header->pid_ns;
}

/* The end of a path that is longer; of one above 512 bytes, of what stands there. */
static void read_exe(char *exe, size_t size)
{
	char path[512];
	ssize_t n = sys_readlink("/proc/self/exe", path, sizeof(path));
	size_t skip = n < (ssize_t)size ? 0 : (size_t)n - (size - 1);

	memset(exe, 0, size);
	if (n > 0)
		memcpy(exe, path + skip, (size_t)n - skip);
}

/* Before the lock is taken. False: another pid namespace. */
static bool self_read(const struct session *s, struct self *me)
{
	struct task t;

	me->pid = sys_getpid();
	me->ppid = sys_getppid();
	if (!same_pid_ns(s, me->pid))
		return false;
	if (task_read(me->pid, &t) < 0)
		memset(&t, 0, sizeof(t));
	me->start = t.start;
	memcpy(me->comm, t.comm, sizeof(me->comm));
	read_exe(me->exe, sizeof(me->exe));
	return true;
}

/* A free slot, cleared: slot + 1, or 0. */
static uint32_t proc_free_slot(struct session *s)
{
	for (uint32_t i = 0; i < SNAG_PROCS; i++) {
		struct proc *p = &s->tables->proc[i];

		if (load_acquire(&p->state) != PROC_FREE)
			continue;
		if (i >= tables_procs(s))
			shared_store(&s->tables->procs_high, i + 1);
		memset(p, 0, sizeof(*p));
		p->serial = tables_serial(&s->header->next_proc);
		p->since_ns = session_now(s);
		/* Spread over the table, so that processes do not search each other's places. */
		p->sock_hint = (uint32_t)(hash_mix(0, i) % (tables_ready(s) + 1));
		return i + 1;
	}
	tables_lost(s);
	return 0;
}

static uint64_t child_key(struct session *s, uint32_t parent)
{
	struct proc *p = tables_proc(s, parent);

	if (p)
		return hash_mix(p->key, shared_add(&p->children, 1) + 1);
	return hash_mix(0, shared_add(&s->header->next_entry, 1) + 1);
}

/* The caller's slot is alive from here on. */
static void proc_settle(struct proc *p, uint32_t pid, uint32_t ppid)
{
	p->ppid = ppid;
	p->uid = sys_geteuid();
	p->seen = task_clock();
	shared_store(&p->pid, pid);
	shared_store(&p->state, PROC_ALIVE);
}

/* The slot of the calling process: its own from before exec, or a ticket for it; 0: none. A ticket that bears its pid
 * goes before one that bears none, and of those the oldest. */
static uint32_t proc_find_own(const struct session *s, const struct self *me)
{
	uint32_t found = 0, best = 0;
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < tables_procs(s); i++) {
		const struct proc *p = &s->tables->proc[i];
		uint32_t state = load_acquire(&p->state), rank = 0;

		if (state == PROC_ALIVE && p->pid == me->pid && me->start <= p->seen)
			rank = 3;
		else if (state == PROC_TICKET && p->pid == me->pid)
			rank = 2;
		else if (state == PROC_TICKET && p->pid == 0 && p->ppid == me->ppid)
			rank = 1;
		if (rank > best || (rank == 1 && best == 1 && p->since_ns < oldest)) {
			best = rank;
			found = i + 1;
			oldest = p->since_ns;
		}
	}
	return found;
}

static uint32_t proc_find_alive(const struct session *s, uint32_t pid)
{
	for (uint32_t i = 0; i < tables_procs(s); i++) {
		const struct proc *p = &s->tables->proc[i];

		if (load_acquire(&p->state) == PROC_ALIVE && p->pid == pid)
			return i + 1;
	}
	return 0;
}

static uint32_t proc_enter(struct session *s, const struct self *me)
{
	uint32_t proc = proc_find_own(s, me);
	struct proc *p;

	if (proc) {
		p = tables_proc(s, proc);
		if (p->state == PROC_ALIVE)
			shared_add(&p->generation, 1);
	} else {
		proc = proc_free_slot(s);
		if (!proc)
			return 0;
		p = tables_proc(s, proc);
		p->parent = proc_find_alive(s, me->ppid);
		p->entry = p->parent == 0;
		p->key = child_key(s, p->parent);
	}
	memcpy(p->comm, me->comm, sizeof(p->comm));
	memcpy(p->exe, me->exe, sizeof(p->exe));
	proc_settle(p, me->pid, me->ppid);
	return proc;
}

uint32_t proc_join(struct session *s)
{
	struct session_guard g;
	struct self me;
	uint32_t proc = 0;

	if (!self_read(s, &me) || session_lock_tables(s, &g, 0) < 0)
		return 0;
	/* session_close decides under the lock too: either it sees this process, or this process sees the flag. */
	if (!(load_acquire(&s->header->flags) & SNAG_SESSION_CLOSED))
		proc = proc_enter(s, &me);
	session_unlock(s, &g);
	return proc;
}

/* References of its own for `child` to all that `parent` holds. */
static int proc_copy_refs(struct session *s, uint32_t parent, uint32_t child)
{
	struct session_tables *t = s->tables;
	uint32_t ready = tables_ready(s);
	int rc = 0, one;

	for (uint32_t i = 0, left = t->proc[parent - 1].refs; i < ready && left; i++) {
		struct sock_hold *h = &t->hold[i];

		if (!load_acquire(&h->sock) || h->proc != parent)
			continue;
		left--;
		one = hold_add(s, h->sock, child, h->fd, h->fds);
		rc = one < 0 ? one : rc;
	}
	for (uint32_t i = 0; i < ready && tables_has_socks(s, parent); i++) {
		uint64_t word = load_acquire(&t->sock[i].word);

		if (word_state(word) != SOCK_PRIVATE || word_owner(word) != parent)
			continue;
		one = sock_hold(s, child, (struct sock_ref){i + 1, word_serial(word)}, t->sock[i].fd);
		rc = one == -ENOSPC || one == -ENFILE ? one : rc;
	}
	return rc;
}

uint32_t proc_ticket(struct session *s, uint32_t parent)
{
	struct proc *up = tables_proc(s, parent), *p;
	struct session_guard g;
	uint32_t proc = 0;

	if (!up || session_lock_tables(s, &g, parent) < 0)
		return 0;
	if (load_acquire(&up->state) == PROC_ALIVE)
		proc = proc_free_slot(s);
	if (proc) {
		p = tables_proc(s, proc);
		p->parent = parent;
		p->ppid = sys_getpid();
		p->uid = up->uid;
		p->key = child_key(s, parent);
		memcpy(p->comm, up->comm, sizeof(p->comm));
		memcpy(p->exe, up->exe, sizeof(p->exe));
		shared_store(&p->state, PROC_TICKET);
		/* A death from here on leaves a ticket whose taker is dead. */
		if (proc_copy_refs(s, parent, proc) < 0)
			tables_lost(s);
	}
	session_unlock(s, &g);
	return proc;
}

static void proc_release(struct session *s, uint32_t proc, proc_closed_fn *closed, void *arg)
{
	struct proc *p = tables_proc(s, proc);
	uint32_t ready = tables_ready(s);

	hold_drop_all(s, proc, false, closed, arg);
	for (uint32_t i = 0; i < ready && tables_has_socks(s, proc); i++) {
		uint64_t word = load_acquire(&s->tables->sock[i].word);
		struct sock_ref r = {i + 1, word_serial(word)};

		if (word_owner(word) != proc || (word_state(word) != SOCK_CLOSING && !sock_drop(s, proc, r, true)))
			continue;
		if (closed)
			closed(arg, proc, r.sock);
		sock_free(s, r);
	}
	shared_store(&p->state, PROC_FREE);
}

void proc_ticket_is(struct session *s, uint32_t ticket, uint32_t pid)
{
	struct proc *p = tables_proc(s, ticket);
	struct session_guard g;

	if (!p || session_lock_tables(s, &g, p->parent) < 0)
		return;
	/* It may have been claimed meanwhile, and even been given up and taken again by somebody else. */
	if (load_acquire(&p->state) == PROC_TICKET && p->pid == 0 && p->ppid == sys_getpid()) {
		if (pid)
			shared_store(&p->pid, pid);
		else
			proc_release(s, ticket, NULL, NULL);
	}
	session_unlock(s, &g);
}

/* Nothing is read from /proc: the ticket has the program of its taker, which is this child's too. */
uint32_t proc_claim(struct session *s, uint32_t ticket)
{
	struct proc *p = tables_proc(s, ticket);
	uint32_t pid = sys_getpid(), ppid = sys_getppid();
	struct session_guard g;
	bool mine;

	/* getppid(2): 0 where the parent is in another pid namespace, so this child was born into one of its own. */
	if (!p || !ppid || session_lock_tables(s, &g, ticket) < 0)
		return 0;
	/* Its taker may be dead, and this process somebody else's child now. */
	mine = load_acquire(&p->state) == PROC_TICKET &&
	       (p->pid == pid || (p->pid == 0 && (p->ppid == ppid || !task_runs(p->ppid, 0))));
	if (mine)
		proc_settle(p, pid, ppid);
	session_unlock(s, &g);
	return mine ? ticket : 0;
}

void proc_drop(struct session *s, uint32_t proc, proc_closed_fn *closed, void *arg)
{
	struct proc *p = tables_proc(s, proc);
	struct session_guard g;

	if (!p || session_lock_tables(s, &g, proc) < 0)
		return;
	if (load_acquire(&p->state) != PROC_FREE)
		proc_release(s, proc, closed, arg);
	session_unlock(s, &g);
}

bool proc_alive(const struct proc *p)
{
	if (p->state == PROC_TICKET)
		return task_runs(p->pid ? p->pid : p->ppid, 0);
	return p->state == PROC_ALIVE && task_runs(p->pid, p->seen);
}

static bool proc_over(const struct proc *p, uint64_t now_ns)
{
	return !proc_alive(p) || (p->state == PROC_TICKET && now_ns > p->since_ns + TICKET_NS);
}

/* Looks at each without the lock, as that reads /proc; what is found dead is dropped under it, if it is still the same
 * process. */
unsigned proc_reap(struct session *s, proc_closed_fn *closed, void *arg)
{
	unsigned left = 0;

	for (uint32_t i = 1; i <= tables_procs(s); i++) {
		struct session_guard g;
		struct proc was, now;

		if (!proc_get(s, i, &was))
			continue;
		left++;
		if (!proc_over(&was, session_now(s)) || session_lock_tables(s, &g, 0) < 0)
			continue;
		if (proc_get(s, i, &now) && now.serial == was.serial && now.state == was.state && now.pid == was.pid &&
		    now.generation == was.generation) {
			proc_release(s, i, closed, arg);
			left--;
		}
		session_unlock(s, &g);
	}
	return left;
}

uint32_t proc_next_thread(struct session *s, uint32_t proc)
{
	struct proc *p = tables_proc(s, proc);

	return p ? shared_add(&p->threads, 1) + 1 : 0;
}

bool proc_get(const struct session *s, uint32_t proc, struct proc *out)
{
	const struct proc *p = tables_proc(s, proc);
	uint32_t state = p ? load_acquire(&p->state) : PROC_FREE;

	if (state != PROC_TICKET && state != PROC_ALIVE)
		return false;
	memcpy(out, p, sizeof(*out));
	out->state = state;
	out->comm[sizeof(out->comm) - 1] = '\0';
	out->exe[sizeof(out->exe) - 1] = '\0';
	return true;
}
