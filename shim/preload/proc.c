/* proc.c - processes: what makes and ends them without another program image
 *
 * vfork is not wrapped: no C function can return twice. Its child is recognised by its pid at its first hooked call. */
#include "env.h"
#include "hook.h"
#include "identity.h"
#include <base/sys.h>
#include <sys/stat.h>

/* A process slot for the child, noted where the child finds it, whoever of its hooks runs first. */
static uint32_t expect_child(void)
{
	uint32_t ticket = proc_ticket(&session, self->who.proc);
	self_thread.ticket = ticket;
	return ticket;
}

/* The parent again. The child has a copy of this thread's memory, and joins with its own. */
static void child_is(uint32_t ticket, pid_t pid)
{
	self_thread.ticket = 0;
	if (ticket)
		proc_ticket_is(&session, ticket, pid > 0 ? (uint32_t)pid : 0);
}

typedef pid_t fork_fn(void);

/* Behind a real fork, in both. */
static pid_t forked(struct hook *h, uint32_t ticket, pid_t pid)
{
	if (pid == 0) {
		self_born();
		return 0;
	}
	hook_done(h, pid);
	child_is(ticket, pid);
	return (pid_t)hook_leave(h);
}

static pid_t fork_by(unsigned id, fork_fn *make, const void *caller)
{
	struct hook h;
	if (!hook_enter_from(&h, id, -1, caller) || h.borrowed)
		return make();
	if (!hook_decide(&h))
		return (pid_t)hook_leave(&h);
	uint32_t ticket = expect_child();
	return forked(&h, ticket, make());
}

HOOK pid_t fork(void)
{
	real_need();
	return fork_by(SNAG_CALL_fork, real.fork, __builtin_return_address(0));
}

HOOK_ALIAS(__fork, fork);

HOOK pid_t _Fork(void)
{
	real_need();
	return fork_by(SNAG_CALL__Fork, real.fork_bare ? real.fork_bare : real.fork, __builtin_return_address(0));
}

HOOK pid_t forkpty(int *main, char *name, const struct termios *t, const struct winsize *w)
{
	struct hook h;
	real_need();
	if (!hook_enter(&h, SNAG_CALL_forkpty, -1) || h.borrowed)
		return real.forkpty(main, name, t, w);
	if (!hook_decide(&h))
		return (pid_t)hook_leave(&h);
	uint32_t ticket = expect_child();
	return forked(&h, ticket, real.forkpty(main, name, t, w));
}

/* Standard input and outputs to nowhere, as daemon(3) leaves them. */
static int silence(void)
{
	struct stat st;
	int fd = (int)real_edge(sys_open("/dev/null", O_RDWR, 0));
	if (fd < 0)
		return -1;
	if (sys_fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode)) {
		sys_close(fd);
		return (int)real_edge(-ENODEV);
	}
	for (int to = 0; to <= 2; to++)
		dup2(fd, to);
	if (fd > 2)
		sys_close(fd);
	return 0;
}

/* Made of its parts: inside the C library the parent would end before the session can know the child's pid, and the
 * session with it. */
HOOK int daemon(int nochdir, int noclose)
{
	real_need();
	if (!self_active() || self_borrowed())
		return real.daemon(nochdir, noclose);
	pid_t pid = fork_by(SNAG_CALL_daemon, real.fork, __builtin_return_address(0));
	if (pid < 0)
		return -1;
	if (pid > 0)
		_exit(0);
	if (real_edge(sys_call(SYS_setsid)) < 0)
		return -1;
	if (!nochdir)
		sys_call(SYS_chdir, "/");
	return noclose ? 0 : silence();
}

/* ---- a shell ---- */

/* Its pid stays inside the C library: the child claims the ticket as its parent's. */
static uint32_t expect_shell(void)
{
	identity_publish_all(false);
	env_repair_own();
	return proc_ticket(&session, self->who.proc);
}

/* The shell has ended: a ticket that it never claimed (a static shell) is dropped. */
static void shell_ended(uint32_t ticket)
{
	struct proc p;
	if (ticket && proc_get(&session, ticket, &p) && p.state == PROC_TICKET && p.ppid == self->who.pid)
		proc_ticket_is(&session, ticket, 0);
}

HOOK int system(const char *command)
{
	struct hook h;
	real_need();
	if (!command || !hook_enter(&h, SNAG_CALL_system, -1) || h.borrowed)
		return real.system(command);
	if (hook_decide(&h)) {
		uint32_t ticket = expect_shell();
		hook_done(&h, real.system(command));
		shell_ended(ticket);
	}
	return (int)hook_leave(&h);
}

HOOK FILE *popen(const char *command, const char *mode)
{
	struct hook h;
	FILE *f = NULL;
	real_need();
	if (!hook_enter(&h, SNAG_CALL_popen, -1) || h.borrowed)
		return real.popen(command, mode);
	if (hook_decide(&h)) {
		uint32_t ticket = expect_shell();
		f = real.popen(command, mode);
		hook_done(&h, f ? 0 : -1);
		if (!f)
			shell_ended(ticket);
	}
	hook_leave(&h);
	return f;
}

HOOK_ALIAS(_IO_popen, popen);

/* ---- the end ---- */

HOOK void _exit(int status)
{
	struct hook h;
	if (self && hook_enter(&h, SNAG_CALL__exit, -1) && !h.borrowed) {
		h.call.arg[0] = status;
		hook_decide(&h);
		self_end();
	}
	for (;;)
		real.exit_now(status);
}

HOOK_ALIAS(_Exit, _exit);
