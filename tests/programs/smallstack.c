/* smallstack.c - processes made in a signal handler on a small stack of its own, with a guard page below: smallstack
 *
 * Prints the wait status of a child that ends at once, and of one that turns into true(1). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 65536	/* of any machine */
#define ROOM 8192	/* SIGSTKSZ, as long as that was a number */

static int child(int other)
{
	char *argv[] = { "true", NULL };
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (other)
			execv("/bin/true", argv);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void handler(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%x %x\n", child(0), child(1));

	(void)sig;
	_exit(write(1, line, (size_t)n) != n);
}

int main(void)
{
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = map + PAGE, .ss_size = ROOM };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	if (map == MAP_FAILED || mprotect(map, PAGE, PROT_NONE) || sigaltstack(&stack, NULL) ||
	    sigaction(SIGUSR1, &action, NULL))
		return 2;
	raise(SIGUSR1);
	return 1;
}
