/* cycle.c - the nanoseconds of one socket/connect/accept/close/close cycle over loopback: cycle [CYCLES]. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 20000;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	struct linger reset = { 1, 0 };		/* no TIME_WAIT, or the ports would run out */
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 128) || getsockname(l, (struct sockaddr *)&a, &len)) {
		perror("cycle");
		return 1;
	}
	double start = 0;
	for (int i = -n / 10; i < n; i++) {
		if (i == 0)
			start = now();
		int c = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		if (connect(c, (struct sockaddr *)&a, sizeof a)) {
			perror("connect");
			return 1;
		}
		int s = accept(l, NULL, NULL);
		if (s < 0) {
			perror("accept");
			return 1;
		}
		close(c);
		close(s);
	}
	printf("%.1f\n", (now() - start) / n);
	return 0;
}
