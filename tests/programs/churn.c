/* churn.c - processes that live on sockets, to be killed at any moment: churn SECONDS PORT
 *
 * Eight workers bind, listen, connect to themselves, accept, duplicate, fork and close, without end. The parent kills
 * one of them with SIGKILL again and again, at whatever it is doing, and starts another in its place. After SECONDS, or a
 * thousand kills if those take longer, it kills the rest and binds PORT, which every worker had bound with SO_REUSEADDR now and then, and says how
 * that went: "KILLS kills, bind: 0". */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 8
#define KILLS 1000

static int port;

static struct sockaddr_in at(int p)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(p), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int bound(int p)
{
	struct sockaddr_in a = at(p);
	int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s, (struct sockaddr *)&a, sizeof a) == 0)
		return s;
	int err = errno;
	close(s);
	errno = err;
	return -1;
}

static void work(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct linger reset = { 1, 0 };
		struct sockaddr_in a;
		socklen_t len = sizeof a;
		int fixed = bound(port), l = bound(0);

		if (listen(l, 4) || getsockname(l, (struct sockaddr *)&a, &len))
			_exit(1);
		for (int i = 0; i < 5; i++) {
			int c = socket(AF_INET, SOCK_STREAM, 0);
			setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
			connect(c, (struct sockaddr *)&a, sizeof a);
			int s = accept(l, NULL, NULL), d = dup(s);
			close(s);
			close(d);
			close(c);
		}
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(l);
			_exit(0);
		}
		close(l);
		if (fixed >= 0)
			close(fixed);
		waitpid(child, NULL, 0);
	}
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid == 0)
		work();
	return pid;
}

int main(int argc, char **argv)
{
	pid_t worker[WORKERS];
	int kills = 0, status;

	if (argc != 3)
		return 2;
	port = atoi(argv[2]);
	srandom((unsigned)getpid());
	for (int i = 0; i < WORKERS; i++)
		worker[i] = start();
	for (time_t end = time(NULL) + atoi(argv[1]); kills < KILLS || time(NULL) < end; kills++) {
		struct timespec t = { 0, random() % 3000000 };
		int i = (int)(random() % WORKERS);

		nanosleep(&t, NULL);
		kill(worker[i], SIGKILL);
		waitpid(worker[i], &status, 0);
		if (WIFEXITED(status)) {
			printf("a worker ended with %d\n", WEXITSTATUS(status));
			return 1;
		}
		worker[i] = start();
	}
	for (int i = 0; i < WORKERS; i++) {
		kill(worker[i], SIGKILL);
		waitpid(worker[i], NULL, 0);
	}
	/* Children of killed workers die by themselves, a moment later. */
	for (int tries = 0; tries < 1000 && (status = bound(port)) < 0; tries++)
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
	printf("%d kills, bind: %d\n", kills, status < 0 ? errno : 0);
	return 0;
}
