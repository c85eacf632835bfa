/* start.c - finding or starting the session of this process */
#include "start.h"
#include "env.h"
#include "self.h"
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <layout/sizes.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <snag/abi.h>
#include <string.h>
#include <sys/wait.h>

#define EXIT_TROUBLE 125	/* the keeper: the policy is bad; this process: it must not run */

static char library[PATH_MAX];
static const char *library_given = "";
static char name_of_session[SNAG_SESSION_NAME_MAX];

/* ---- this library ---- */

static int look_at_object(struct dl_phdr_info *o, size_t size, void *arg)
{
	uintptr_t here = (uintptr_t)&library;
	(void)size;
	for (unsigned i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &o->dlpi_phdr[i];
		if (ph->p_type != PT_LOAD || here - (o->dlpi_addr + ph->p_vaddr) >= ph->p_memsz)
			continue;
		*(const char **)arg = o->dlpi_name;
		return 1;
	}
	return 0;
}

const char *start_library(void)
{
	size_t len = 0;
	if (library[0] || !dl_iterate_phdr(look_at_object, &library_given) || !library_given)
		return library;
	if (library_given[0] != '/' && strchr(library_given, '/')) {	/* children may work in another folder */
		long n = sys_call(SYS_getcwd, library, sizeof(library) - 1);
		len = n > 0 ? (size_t)n - 1 : 0;
		sys_append(library, sizeof(library), &len, "/");
	}
	sys_append(library, sizeof(library), &len, library_given);
	return library;
}

const char *start_library_given(void)
{
	return library_given ? library_given : "";
}

/* ---- trouble ---- */

static bool is_mode(const char *mode)
{
	const char *v = env_get(SNAG_ENV_ON_ERROR);
	return v && strcmp(v, mode) == 0;
}

static void say(const char *what, const char *detail)
{
	char line[512];
	size_t len = 0;
	sys_append(line, sizeof(line) - 1, &len, "snag: ");
	sys_append(line, sizeof(line) - 1, &len, what);
	sys_append(line, sizeof(line) - 1, &len, detail);
	sys_append(line, sizeof(line) - 1, &len, "; the program ");
	sys_append(line, sizeof(line) - 1, &len, is_mode("strict") ? "does not start" : "runs without snag");
	line[len++] = '\n';
	sys_write(2, line, len);
}

/* The session is that of the program which started this one, and not its user's wish. */
static bool inherited(void)
{
	const char *given = env_get(SNAG_ENV_SESSION), *mark = env_get(SNAG_ENV_INHERITED);
	return given && mark && strcmp(given, mark) == 0;
}

/* One line for the program and all that it starts: those are told that they have inherited what does not exist. */
static bool trouble(const char *what, const char *detail)
{
	if (inherited())
		return false;
	say(what, detail);
	if (is_mode("strict"))
		sys_call(SYS_exit_group, EXIT_TROUBLE);
	env_keep(start_library(), start_library_given(), name_of_session);
	env_repair_own();
	return false;
}

/* ---- the keeper ---- */

/* The file that this library really is, then its folder's `snag`, or that of the installed tree. */
static bool find_snag(char *path, size_t size)
{
	static const char *const places[] = { "/snag", "/../../bin/snag" };
	char real_path[PATH_MAX], link[64];
	size_t len = 0;
	int fd = sys_open(start_library(), O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	sys_append(link, sizeof(link), &len, "/proc/self/fd/");
	sys_append_number(link, sizeof(link), &len, (uint64_t)fd);
	ssize_t n = sys_readlink(link, real_path, sizeof(real_path) - 1);
	sys_close(fd);
	while (n > 0 && real_path[n - 1] != '/')
		n--;
	if (n <= 0)
		return false;
	real_path[n - 1] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		len = 0;
		sys_append(path, size, &len, real_path);
		sys_append(path, size, &len, places[i]);
		if (sys_call(SYS_faccessat, AT_FDCWD, path, 1 /* X_OK */) == 0)
			return true;
	}
	return false;
}

/* The program's environment without LD_PRELOAD: the keeper itself is not watched. */
static char **keepers_env(char **to, size_t max)
{
	size_t n = 0;
	for (char **e = environ; e && *e && n + 1 < max; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
			to[n++] = *e;
	to[n] = NULL;
	return to;
}

/* In the child: run the keeper and end with its answer. The second child is an ordinary one, whatever the program has
 * made of SIGCHLD; this one is no child that a program's wait() or SIGCHLD handler could see. */
static void run_keeper(char *const argv[], char *const envp[])
{
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } dfl = { 0 };
	int status = 0;
	sys_call(SYS_rt_sigaction, SIGCHLD, &dfl, NULL, sizeof(dfl.mask));
	long pid = sys_call(SYS_clone, SIGCHLD);
	if (pid == 0) {
		sys_call(SYS_execve, argv[0], argv, envp);
		sys_call(SYS_exit_group, 127);
	}
	while (pid > 0 && sys_call(SYS_wait4, pid, &status, 0, NULL) == -EINTR)
		;
	sys_call(SYS_exit_group, pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127);
}

/* The keeper's exit status; -errno. Answers when the session is ready: the keeper goes into the background by itself. */
static int start_keeper(char *snag, char *name)
{
	static char *envp[4096];
	char *argv[] = { snag, "keeper", "--session", name, NULL };
	int status = 0;
	long pid, r;
	keepers_env(envp, ARRAY_LEN(envp));
	pid = sys_call(SYS_clone, 0);	/* no signal at its end, and only __WALL sees it */
	if (pid == 0)
		run_keeper(argv, envp);
	if (pid < 0)
		return (int)pid;
	do
		r = sys_call(SYS_wait4, pid, &status, __WALL, NULL);
	while (r == -EINTR);
	return r == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* ---- the session ---- */

static int attach(const char *name)
{
	const struct session_sizes sizes = layout_sizes(0);
	return session_attach(&session, name, &sizes);
}

/* "s-PID-RANDOM" */
static void draw_name(char *name, size_t size)
{
	uint32_t draw = (uint32_t)sys_clock_ns(CLOCK_MONOTONIC);
	size_t len = 0;
	sys_call(SYS_getrandom, &draw, sizeof(draw), 1 /* GRND_NONBLOCK */);
	sys_append(name, size, &len, "s-");
	sys_append_number(name, size, &len, sys_getpid());
	sys_append(name, size, &len, "-");
	sys_append_number(name, size, &len, draw);
}

static const char *words_for(int r)
{
	switch (r) {
	case -EACCES: return ": it belongs to another user";
	case -EPROTO: return ": it was made by another version of snag, or is damaged";
	case -EXDEV: return ": it lives in another pid namespace";
	default: return ": it cannot be mapped";
	}
}

/* The session is not there: start it, unless its keeper is to be found nowhere. */
static bool create(char *name)
{
	char snag[PATH_MAX];
	if (!find_snag(snag, sizeof(snag)))
		return trouble("there is no `snag` beside ", start_library());
	int status = start_keeper(snag, name);
	if (status == 0)
		return true;
	if (status == EXIT_TROUBLE && !is_mode("passthrough"))
		sys_call(SYS_exit_group, EXIT_TROUBLE);	/* the keeper has said what is wrong with the policy */
	return trouble(status == EXIT_TROUBLE ? "the policy is not usable" : "cannot start a session by ",
		       status == EXIT_TROUBLE ? "" : snag);
}

bool start_session(const char **name)
{
	const char *given = env_get(SNAG_ENV_SESSION);
	int r = -ENOENT;
	size_t len = 0;
	if (given && *given) {
		if (!session_name_ok(given))
			return trouble("not a session's name: ", given);
		sys_append(name_of_session, sizeof(name_of_session), &len, given);
		r = attach(name_of_session);
	} else {
		draw_name(name_of_session, sizeof(name_of_session));
	}
	if ((r == -ENOENT || r == -ESHUTDOWN) && !inherited()) {
		if (!create(name_of_session))
			return false;
		r = attach(name_of_session);
	}
	if (r < 0) {
		char what[128];
		len = 0;
		sys_append(what, sizeof(what), &len, "no session ");
		sys_append(what, sizeof(what), &len, name_of_session);
		return trouble(what, words_for(r));
	}
	*name = name_of_session;
	return true;
}
