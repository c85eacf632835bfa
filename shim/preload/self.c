/* self.c - this process in its session: joining, leaving, and what every hook asks of it */
#include "self.h"
#include "fdtab.h"
#include "stall.h"
#include <base/sys.h>
#include <errno.h>
#include <session/lock.h>
#include <string.h>
#include <sys/mman.h>

struct self *self;
struct session session;
struct engine engine;
bool self_asks_user;
__thread struct self_thread self_thread;
static bool left;	/* by self_leave; fork children have a copy */

#define PAGE 4096
_Static_assert(sizeof(struct self) <= PAGE, "one page");

void self_closed(void *arg, uint32_t proc, uint32_t sock)
{
	(void)arg;
	(void)proc;
	engine_forget(&engine, sock, self_now());
}

/* ---- the lock ---- */

static bool sock_lives(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg;
	return sock_is(&session, (struct sock_ref){ .sock = sock, .serial = serial });
}

bool self_lock(struct session_guard *g)
{
	int r = session_lock(&session, g, self->who.proc);
	if (r < 0)
		return false;
	if (r > 0) {
		session_repair(&session);
		model_check(engine.model, sock_lives, NULL);
	}
	return true;
}

void self_unlock(struct session_guard *g)
{
	session_unlock(&session, g);
}

void self_lost(void)
{
	fetch_add(&session.header->lost, 1);
	__atomic_fetch_or(&session.header->flags, SNAG_SESSION_DEGRADED, __ATOMIC_RELAXED);
}

/* ---- time and events ---- */

uint64_t self_now(void)
{
	return session_now(&session);
}

void self_event(union snag_event *ev, unsigned n)
{
	if (n)
		ring_put(session.ring, load_acquire(&session.header->ring_ready), ev, n, self->who.pid);
}

static void process_event(enum snag_process_what what, const struct proc *p)
{
	union snag_event ev[2];
	if (!session_tracing(&session))
		return;
	memset(ev, 0, sizeof(ev));
	struct snag_event_process *e = &ev[0].process;
	e->head.kind = SNAG_EVENT_PROCESS;
	e->head.proc = (uint16_t)self->who.proc;
	e->head.pid = self->who.pid;
	e->t_ns = self_now();
	e->ppid = sys_getppid();
	e->what = (uint8_t)what;
	e->proc_key = p->key;
	memcpy(e->comm, self->who.comm, sizeof(e->comm));
	struct snag_event_text *t = &ev[1].text;
	t->head.kind = SNAG_EXTRA_TEXT;
	t->head.proc = (uint16_t)self->who.proc;
	t->head.pid = self->who.pid;
	t->what = SNAG_TEXT_EXE;
	t->len = (uint8_t)strnlen(p->exe, sizeof(p->exe));
	memcpy(t->text, p->exe, t->len);
	self_event(ev, 2);
}

/* ---- joining ---- */

/* Answers the slot + 1 with a copy of it in *p; 0: no room, or no lock. */
static uint32_t take_slot(uint32_t ticket, struct proc *p)
{
	if (ticket) {
		proc_claim(&session, ticket);
		if (proc_get(&session, ticket, p) && p->state == PROC_ALIVE && p->pid == sys_getpid())
			return ticket;
	}
	uint32_t proc = proc_join(&session);
	return proc && proc_get(&session, proc, p) ? proc : 0;
}

static bool join(uint32_t ticket, struct proc *p)
{
	uint32_t proc = take_slot(ticket, p);
	if (!proc) {
		self_lost();
		store_release(&self->state, SELF_ENDED);
		return false;
	}
	proc_who(p, proc, &self->who);
	self->entry = p->entry;
	store_release(&self->state, SELF_ALIVE);
	return true;
}

int self_start(void)
{
	struct proc p;
	void *page = sys_mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(page))
		return sys_failed(page);
	int r = sys_madvise(page, PAGE, MADV_WIPEONFORK);
	if (r < 0) {
		sys_munmap(page, PAGE);
		return r;
	}
	store_release(&self, page);
	self->state = SELF_JOINING;
	if (!join(0, &p))
		return -EAGAIN;
	process_event(p.generation ? SNAG_PROCESS_EXEC : SNAG_PROCESS_START, &p);
	return 0;
}

/* The ticket carries copies of the parent's references; what other threads of the parent opened and closed between
 * ticket and fork is set right by the descriptors that were really copied. */
static void confirm_all(void)
{
	struct session_guard g;
	int fd = fdtab_next(0, FDTAB_MAX);
	if (!self_lock(&g))
		return;
	sock_confirm_begin(&session, self->who.proc);
	for (; fd >= 0; fd = fdtab_next(fd + 1, FDTAB_MAX))
		sock_confirm(&session, self->who.proc, fdtab_get(fd), fd);
	sock_confirm_end(&session, self->who.proc, self_closed, NULL);
	self_unlock(&g);
}

void self_born(void)
{
	uint32_t blank = SELF_BLANK;
	struct proc p;
	if (!self || left || !cas(&self->state, &blank, SELF_JOINING))
		return;
	if (!join(self_thread.ticket, &p))
		return;
	confirm_all();
	process_event(SNAG_PROCESS_START, &p);
}

bool self_borrowed(void)
{
	return sys_getpid() != self->who.pid;
}

#define FLUSH_NS NSEC_PER_SEC

void self_end(void)
{
	uint32_t alive = SELF_ALIVE;
	struct proc p;
	if (!self || load_acquire(&self->state) != SELF_ALIVE || self_borrowed())
		return;
	if (!proc_get(&session, self->who.proc, &p) || !cas(&self->state, &alive, SELF_ENDED))
		return;
	stall_end();
	process_event(SNAG_PROCESS_END, &p);
	if (self->entry && !(load_relaxed(&session.header->flags) & SNAG_SESSION_FOREGROUND))
		session_flush(&session, FLUSH_NS);
	if (!engine_leaves(&engine, SNAG_CALL_close) || left)	/* else whoever finds it dead, when its sockets are closed */
		proc_drop(&session, self->who.proc, self_closed, NULL);
}

void self_leave(void)
{
	if (!self_active() || self_borrowed())
		return;
	left = true;
	self_end();
}

void self_who(struct snag_who *who)
{
	struct self_thread *t = &self_thread;
	*who = self->who;
	if (unlikely(t->pid != who->pid)) {
		t->tid = sys_gettid();
		t->ordinal = fetch_add(&self->threads, 1) + 1;
		t->ticket = 0;
		t->pid = who->pid;
	}
	who->tid = t->tid;
	who->thread = t->ordinal;
	if (unlikely(self_asks_user))
		who->uid = sys_geteuid();
}

/* ---- references ---- */

bool self_on_port(uint32_t sock)
{
	struct model_sock m;
	return model_get(engine.model, sock, &m) && m.on_port;
}

void self_forget(struct sock_ref r)
{
	struct session_guard g;
	bool locked = self_on_port(r.sock) || engine_keeps_waits(&engine);
	if (locked && !self_lock(&g))
		return;		/* the slot stays taken; whoever reaps this process frees it */
	engine_forget(&engine, r.sock, self_now());
	if (locked)
		self_unlock(&g);
	sock_free(&session, r);
}

bool self_drop(struct sock_ref r, bool keep)
{
	bool last = sock_drop(&session, self->who.proc, r, true);
	if (last && !keep)
		self_forget(r);
	return last;
}

void self_put(int fd, struct sock_ref r)
{
	struct sock_ref stale = fdtab_put(fd, r);
	if (stale.sock && sock_is(&session, stale))
		self_drop(stale, false);
}
