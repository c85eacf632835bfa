/* exec.c - other program images: the exec family and posix_spawn
 *
 * What exec would lose is put back: the library and the session's name into the environment; the cookies of all known
 * sockets into the session, where the new image finds them. A process keeps its slot over exec. */
#include "env.h"
#include "hook.h"
#include "identity.h"
#include <alloca.h>
#include <base/sys.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>

/* ---- the environment of the new image ---- */

/* `page` is the one last found readable. */
static bool can_read(uintptr_t *page, const void *p)
{
	uintptr_t here = (uintptr_t)p / 4096;
	if (here != *page && !hook_readable(p, 1))
		return false;
	*page = here;
	return true;
}

static bool can_read_text(uintptr_t *page, const char *text)
{
	do {
		if (!can_read(page, text))
			return false;
	} while (*text++);
	return true;
}

/* The program's own environment is in constant use; any other may be nonsense, which the kernel answers with EFAULT. */
static bool can_read_env(char *const *envp)
{
	uintptr_t entries = 0, texts = 0;
	if (envp == environ || !envp)
		return true;
	for (; can_read(&entries, envp) && can_read(&entries, (const char *)(envp + 1) - 1); envp++)
		if (!*envp || !can_read_text(&texts, *envp))
			return !*envp;
	return false;
}

#define ON_STACK 1024		/* larger ones are mapped; exec makes the mapping vanish */

struct new_env {
	char **vec;
	void *map;
	size_t size;
};

/* A vfork child works in its parent's memory and cannot unmap what its exec reads: the thread that waited for it does. */
static void drop_left(void)
{
	struct self_thread *t = &self_thread;
	if (t->left)
		sys_munmap(t->left, t->left_size);
	t->left = NULL;
}

static void leave(const struct new_env *e)
{
	self_thread.left_size = e->size;
	self_thread.left = e->map;
}

/* `mem` is the caller's stack, or NULL where there is too little of it. */
static void make_env(struct new_env *e, void *mem, char *const *envp)
{
	e->vec = (char **)envp;
	e->map = NULL;
	drop_left();
	if (!e->size)
		return;
	if (!mem) {
		mem = sys_mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (sys_failed(mem))
			return;		/* the child goes without */
		e->map = mem;
	}
	e->vec = env_build(mem, e->size, envp);
}

static void drop_env(struct new_env *e)
{
	if (e->map)
		sys_munmap(e->map, e->size);
	self_thread.left = NULL;
}

/* ---- exec ---- */

/* What one of the exec functions was asked for. */
struct image {
	unsigned call;			/* enum snag_call_id */
	const char *path;
	int fd, flags;			/* fexecve: fd; execveat: both */
	char *const *argv, *const *envp;
};

static int replace(const struct image *i, char *const *envp)
{
	switch (i->call) {
	case SNAG_CALL_execvp:
	case SNAG_CALL_execvpe:
	case SNAG_CALL_execlp:
		return real.execvpe(i->path, i->argv, envp);
	case SNAG_CALL_fexecve:
		return real.fexecve(i->fd, i->argv, envp);
	case SNAG_CALL_execveat:
		return real.execveat(i->fd, i->path, i->argv, envp, i->flags);
	default:
		return real.execve(i->path, i->argv, envp);
	}
}

/* A vfork child gets a slot of its own right before it turns into another program. */
static uint32_t ticket_of_borrower(const struct hook *h)
{
	uint32_t ticket = h->borrowed ? proc_ticket(&session, self->who.proc) : 0;
	if (ticket)
		proc_ticket_is(&session, ticket, h->call.who.pid);
	return ticket;
}

static int exec_image(const struct image *i, const void *caller)
{
	struct hook h;
	struct new_env e;
	real_need();
	if (!hook_enter_from(&h, i->call, -1, caller))
		return replace(i, i->envp);
	if (hook_decide(&h)) {
		identity_publish_all(h.borrowed);
		uint32_t ticket = ticket_of_borrower(&h);
		e.size = can_read_env(i->envp) ? env_need(i->envp) : 0;
		make_env(&e, e.size <= ON_STACK ? alloca(e.size) : NULL, i->envp);
		if (h.borrowed)
			leave(&e);
		hook_done(&h, replace(i, e.vec));
		drop_env(&e);
		if (ticket)
			proc_ticket_is(&session, ticket, 0);
	}
	return (int)hook_leave(&h);
}

HOOK int execve(const char *path, char *const argv[], char *const envp[])
{
	struct image i = { .call = SNAG_CALL_execve, .path = path, .argv = argv, .envp = envp };
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execv(const char *path, char *const argv[])
{
	struct image i = { .call = SNAG_CALL_execv, .path = path, .argv = argv, .envp = environ };
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execvp(const char *file, char *const argv[])
{
	struct image i = { .call = SNAG_CALL_execvp, .path = file, .argv = argv, .envp = environ };
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct image i = { .call = SNAG_CALL_execvpe, .path = file, .argv = argv, .envp = envp };
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	struct image i = {
		.call = SNAG_CALL_execveat, .path = path, .fd = dir, .flags = flags, .argv = argv, .envp = envp
	};
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int fexecve(int fd, char *const argv[], char *const envp[])
{
	struct image i = { .call = SNAG_CALL_fexecve, .fd = fd, .argv = argv, .envp = envp };
	return exec_image(&i, __builtin_return_address(0));
}

/* The variadic ones: how many arguments stand in front of the NULL, and then all of them as an array. */
static size_t count_args(va_list ap)
{
	size_t n = 0;
	while (va_arg(ap, char *))
		n++;
	return n;
}

static char **collect_args(char **argv, const char *first, size_t n, va_list *ap)
{
	argv[0] = (char *)first;
	for (size_t i = 1; i <= n + 1; i++)	/* with the NULL */
		argv[i] = va_arg(*ap, char *);
	return argv;
}

HOOK int execl(const char *path, const char *arg, ...)
{
	struct image i = { .call = SNAG_CALL_execl, .path = path, .envp = environ };
	va_list ap;
	va_start(ap, arg);
	size_t n = count_args(ap);
	va_end(ap);
	va_start(ap, arg);
	i.argv = collect_args(alloca((n + 2) * sizeof(char *)), arg, n, &ap);
	va_end(ap);
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execlp(const char *file, const char *arg, ...)
{
	struct image i = { .call = SNAG_CALL_execlp, .path = file, .envp = environ };
	va_list ap;
	va_start(ap, arg);
	size_t n = count_args(ap);
	va_end(ap);
	va_start(ap, arg);
	i.argv = collect_args(alloca((n + 2) * sizeof(char *)), arg, n, &ap);
	va_end(ap);
	return exec_image(&i, __builtin_return_address(0));
}

HOOK int execle(const char *path, const char *arg, ...)
{
	struct image i = { .call = SNAG_CALL_execle, .path = path };
	va_list ap;
	va_start(ap, arg);
	size_t n = count_args(ap);
	va_end(ap);
	va_start(ap, arg);
	i.argv = collect_args(alloca((n + 2) * sizeof(char *)), arg, n, &ap);
	i.envp = va_arg(ap, char **);
	va_end(ap);
	return exec_image(&i, __builtin_return_address(0));
}

/* ---- posix_spawn: answers the error number, and leaves errno alone ---- */

typedef int spawn_fn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr,
		     char *const argv[], char *const envp[]);

static int spawn(unsigned id, spawn_fn *make, pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
		 const posix_spawnattr_t *attr, char *const argv[], char *const envp[], const void *caller)
{
	struct hook h;
	struct new_env e;
	pid_t child = 0;
	int saved = errno;
	if (!hook_enter_from(&h, id, -1, caller))
		return make(pid, path, fa, attr, argv, envp);
	if (hook_decide(&h)) {
		identity_publish_all(h.borrowed);
		uint32_t ticket = proc_ticket(&session, self->who.proc);
		e.size = can_read_env(envp) ? env_need(envp) : 0;
		make_env(&e, e.size <= ON_STACK ? alloca(e.size) : NULL, envp);
		int err = make(&child, path, fa, attr, argv, e.vec);
		drop_env(&e);
		if (err == 0 && pid)
			*pid = child;
		if (ticket)
			proc_ticket_is(&session, ticket, err ? 0 : (uint32_t)child);
		errno = err;
		hook_done(&h, err ? -1 : 0);
	}
	int err = hook_leave(&h) == 0 ? 0 : h.out.err;
	errno = saved;
	return err;
}

HOOK int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr,
		     char *const argv[], char *const envp[])
{
	real_need();
	return spawn(SNAG_CALL_posix_spawn, real.posix_spawn, pid, path, fa, attr, argv, envp,
		     __builtin_return_address(0));
}

HOOK int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr,
		      char *const argv[], char *const envp[])
{
	real_need();
	return spawn(SNAG_CALL_posix_spawnp, real.posix_spawnp, pid, file, fa, attr, argv, envp,
		     __builtin_return_address(0));
}
