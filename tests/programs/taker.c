/* taker: a child of this process is killed at the moment at which its accept enters the kernel; the connection that it was
 * about to take is then this process's. Says what accept says. A rule is to hold the connection before. */
#include "target.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>

static bool enters_accept(pid_t pid)
{
	struct __ptrace_syscall_info i;
	MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(i), &i));
#ifdef SYS_accept
	if (i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_accept)
		return true;
#endif
	return i.op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr == SYS_accept4;
}

static void step(pid_t pid)
{
	int status;
	MUST(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	MUST(waitpid(pid, &status, 0));
	if (!WIFSTOPPED(status))
		exit(99);
}

int main(void)
{
	struct timeval bound = { 5, 0 };
	int listener = listening(8), client = connected_to(listener), status;
	pid_t child = (pid_t)MUST(fork());
	if (child == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		accept(listener, NULL, NULL);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0));
	MUST(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD));
	do
		step(child);
	while (!enters_accept(child));
	MUST(kill(child, SIGKILL));
	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound)));
	printf("accept: %s\n", accept(listener, NULL, NULL) < 0 ? strerrorname_np(errno) : "ok");
	close(client);
	return 0;
}
