/* storm THREADS ROUNDS - threads that make, bind, copy and close sockets all at once, while a signal handler does the
 * same in between, and children are forked. Every call must do what it does alone. */
#include "target.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static int rounds;
static volatile sig_atomic_t handled;

static void one_round(void)
{
	int fd = bound();
	int copy = (int)MUST(dup(fd));
	MUST(close(fd));
	MUST(listen(copy, 1));
	MUST(close(copy));
}

static void handler(int sig)
{
	int saved = errno, fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)sig;
	if (fd >= 0 && close(fd) == 0)
		handled++;
	errno = saved;
}

static void *thread(void *arg)
{
	for (int i = 0; i < rounds; i++) {
		one_round();
		if (i % 50 == 0) {
			pid_t pid = (pid_t)MUST(fork());
			if (!pid) {
				one_round();
				_exit(0);
			}
			if (status_of(pid) != 0)
				exit(98);
		}
	}
	return arg;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t t[16];
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	rounds = argc > 2 ? atoi(argv[2]) : 200;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (int i = 0; i < n && i < 16; i++)
		pthread_create(&t[i], NULL, thread, NULL);
	for (int i = 0; i < n && i < 16; i++)
		pthread_join(t[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%s\n", handled > 0 ? "done" : "no signal came");
	return 0;
}
