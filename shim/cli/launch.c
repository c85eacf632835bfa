/* launch.c - starts the command with the library preloaded into it. */
#include "launch.h"

#include "cmd.h"
#include "place.h"
#include "signals.h"

#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <session/session.h>
#include <snag/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ld.so(8): LD_PRELOAD is divided at blanks and colons, and $ORIGIN and the like are replaced. */
static const char not_in_preload[] = " \t:$";

int launch_library(struct launch *l)
{
	char real[PATH_MAX], folder[PATH_MAX];
	int n;

	if (place_library(real, sizeof(real)) < 0) {
		fprintf(stderr, "snag: libsnag.so is neither beside snag nor in ../lib/snag; build or install it there\n");
		return CMD_FAILED;
	}
	if (!strpbrk(real, not_in_preload)) {
		strcpy(l->library, real);
		return 0;
	}
	if (session_folder(folder, sizeof(folder), true) < 0)
		folder[0] = 0;
	n = snprintf(l->library, sizeof(l->library), "%s/%s.so", folder, l->session);
	if (!folder[0] || n < 0 || (size_t)n >= sizeof(l->library) ||
	    (symlink(real, l->library) < 0 && errno != EEXIST)) {
		fprintf(stderr, "snag: %s: LD_PRELOAD cannot carry this path; install snag elsewhere\n", real);
		return CMD_FAILED;
	}
	return 0;
}

/* NAME=first:second, without the colon where one is empty. */
static int set_joined(const char *name, const char *first, const char *second)
{
	char *value;

	if (asprintf(&value, "%s%s%s", first, first[0] && second[0] ? ":" : "", second) < 0)
		return -1;
	int err = setenv(name, value, 1);
	free(value);
	return err;
}

static const char *own(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static int set_environment(const struct launch *l)
{
	/* A program that starts snag in its turn shall not write this trace or load this policy. */
	unsetenv(SNAG_ENV_TRACE);
	unsetenv(SNAG_ENV_POLICY);
	/* ASan's runtime works behind another library, but refuses to start there unless it is told so. */
	return set_joined("LD_PRELOAD", l->library, own("LD_PRELOAD")) ||
			       set_joined("ASAN_OPTIONS", own("ASAN_OPTIONS"), "verify_asan_link_order=0") ||
			       setenv(SNAG_ENV_SESSION, l->session, 1)
		       ? -1
		       : 0;
}

/* Past the C library: where snag itself runs inside a session, its own exec would be given that session. Answers an
 * errno. */
static int execute(const char *path, char **argv)
{
	long err = -sys_call(SYS_execve, path, argv, environ);
	size_t n = 0;

	if (err != ENOEXEC)
		return (int)err;
	while (argv[n])		/* a script without #!: the shell's, as execvp(3) does it */
		n++;
	char **shell = calloc(n + 3, sizeof(*shell));
	if (!shell)
		return ENOMEM;
	shell[0] = (char *)"/bin/sh";
	shell[1] = (char *)path;
	for (size_t i = 1; i < n; i++)
		shell[i + 1] = argv[i];
	return (int)-sys_call(SYS_execve, shell[0], shell, environ);
}

static void child(const struct launch *l, int report)
{
	int err = ENOMEM;

	signals_restore();
	if (set_environment(l) == 0)
		err = execute(l->program->path, l->argv);
	while (write(report, &err, sizeof(err)) < 0 && errno == EINTR)
		continue;
	_exit(CMD_REFUSED);
}

pid_t launch_start(const struct launch *l)
{
	int report[2], err = 0;
	ssize_t n;

	fflush(NULL);
	if (pipe2(report, O_CLOEXEC) < 0) {
		fprintf(stderr, "snag: no pipe: %s\n", strerror(errno));
		return -CMD_FAILED;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(report[0]);
		child(l, report[1]);
	}
	close(report[1]);
	if (pid < 0) {
		fprintf(stderr, "snag: no process for the command: %s\n", strerror(errno));
		close(report[0]);
		return -CMD_FAILED;
	}
	do
		n = read(report[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n != sizeof(err))
		return pid;
	waitpid(pid, NULL, 0);
	fprintf(stderr, "snag: %s: cannot be executed: %s%s\n", l->program->path, strerror(err),
		err == ENOENT ? " (its interpreter is missing)" : "");
	return err == ENOENT ? -CMD_NOT_FOUND : -CMD_REFUSED;
}

int launch_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
