/* inherit WAY - a listener handed to a child in each of the ways that there are. The child calls listen(fd, 77) on it, so
 * that the trace shows which socket the child took it for. `inherit child FD` is that child. */
#include "target.h"
#include <pty.h>
#include <spawn.h>
#include <sys/syscall.h>

extern char **environ;
static char *self;
static char number[16], command[4200];
static int fd;

static char **child_argv(void)
{
	static char *argv[] = { NULL, "child", number, NULL };
	argv[0] = self;
	return argv;
}

static void touch(void)
{
	MUST(listen(fd, 77));
}

static void by_fork(void)
{
	pid_t pid = (pid_t)MUST(fork());
	if (!pid) {
		touch();
		_exit(0);
	}
	exit(status_of(pid));
}

static void by_bare_fork(void)
{
	pid_t pid = (pid_t)MUST(_Fork());
	if (!pid) {
		touch();
		_exit(0);
	}
	exit(status_of(pid));
}

static void by_syscall_fork(void)
{
	pid_t pid = (pid_t)MUST(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (!pid) {
		touch();
		_exit(0);
	}
	exit(status_of(pid));
}

static void by_double_fork(void)
{
	int end[2];
	char c;
	MUST(pipe(end));
	pid_t pid = (pid_t)MUST(fork());
	if (!pid) {
		if (MUST(fork()) == 0) {
			touch();
			MUST(write(end[1], "x", 1));
		}
		_exit(0);
	}
	close(end[1]);
	status_of(pid);
	exit(read(end[0], &c, 1) == 1 ? 0 : 98);
}

static void by_fork_exec(void)
{
	pid_t pid = (pid_t)MUST(fork());
	if (!pid) {
		execv(self, child_argv());
		_exit(97);
	}
	exit(status_of(pid));
}

static void by_vfork(void)
{
	pid_t pid = vfork();
	if (!pid) {
		execv(self, child_argv());
		_exit(97);
	}
	exit(status_of(pid));
}

static void by_vfork_moved(void)
{
	int other = bound(), to = fd + 10;
	pid_t pid;
	snprintf(number, sizeof(number), "%d", to);
	pid = vfork();
	if (!pid) {	/* as libuv and Python do it: the child's descriptors are no longer its parent's */
		char *none[] = { NULL };
		dup2(fd, to);
		dup2(other, fd);
		execve(self, child_argv(), none);
		_exit(97);
	}
	exit(status_of(pid));
}

static void by_posix_spawn(void)
{
	pid_t pid;
	int err = posix_spawn(&pid, self, NULL, NULL, child_argv(), environ);
	exit(err ? err : status_of(pid));
}

static void by_posix_spawn_empty(void)
{
	pid_t pid;
	char *none[] = { NULL };
	int err = posix_spawnp(&pid, self, NULL, NULL, child_argv(), none);
	exit(err ? err : status_of(pid));
}

static void by_system(void)
{
	int status = system(command);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static void by_system_cleared(void)
{
	clearenv();
	by_system();
}

static void by_popen(void)
{
	FILE *f = popen(command, "r");
	if (!f)
		exit(98);
	while (fgetc(f) != EOF)
		;
	exit(pclose(f) ? 98 : 0);
}

static void by_forkpty(void)
{
	int end;
	char c;
	pid_t pid = (pid_t)MUST(forkpty(&end, NULL, NULL, NULL));
	if (!pid) {
		touch();
		_exit(0);
	}
	while (read(end, &c, 1) > 0)
		;
	exit(status_of(pid));
}

static void by_daemon(void)
{
	MUST(daemon(0, 0));
	touch();
	exit(0);
}

static void by_execve_empty(void)
{
	char *none[] = { NULL };
	execve(self, child_argv(), none);
	exit(97);
}

static void by_execl(void)
{
	execl(self, self, "child", number, (char *)NULL);
	exit(97);
}

static void by_execle(void)
{
	char *none[] = { NULL };
	execle(self, self, "child", number, (char *)NULL, none);
	exit(97);
}

static void by_execlp(void)
{
	execlp(self, self, "child", number, (char *)NULL);
	exit(97);
}

static void by_syscall_exec(void)
{
	char *none[] = { NULL };
	syscall(SYS_execve, self, child_argv(), none);
	exit(97);
}

static const struct {
	const char *name;
	void (*go)(void);
} ways[] = {
	{ "fork", by_fork },
	{ "_Fork", by_bare_fork },
	{ "syscall-fork", by_syscall_fork },
	{ "double-fork", by_double_fork },
	{ "fork-exec", by_fork_exec },
	{ "vfork", by_vfork },
	{ "vfork-moved", by_vfork_moved },
	{ "posix_spawn", by_posix_spawn },
	{ "posix_spawn-empty", by_posix_spawn_empty },
	{ "system", by_system },
	{ "system-cleared", by_system_cleared },
	{ "popen", by_popen },
	{ "forkpty", by_forkpty },
	{ "daemon", by_daemon },
	{ "execve-empty", by_execve_empty },
	{ "execl", by_execl },
	{ "execle", by_execle },
	{ "execlp", by_execlp },
	{ "syscall-exec", by_syscall_exec },
};

int main(int argc, char **argv)
{
	static char path[4096];
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		fd = atoi(argv[2]);
		touch();
		return 0;
	}
	self = path;
	MUST(readlink("/proc/self/exe", path, sizeof(path) - 1));
	fd = listening(5);
	snprintf(number, sizeof(number), "%d", fd);
	snprintf(command, sizeof(command), "exec '%s' child %d", path, fd);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (argc == 1)
			puts(ways[i].name);
		else if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].go();
	}
	return argc == 1 ? 0 : 96;
}
