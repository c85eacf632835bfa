/* call.c - the nanoseconds of single calls: call NAME [N]. The descriptors are chosen so that the kernel's part is small. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int file, sock, pair[2];

static void close_bad(void) { close(-1); }
static void fcntl_file(void) { fcntl(file, F_GETFL); }
static void dup_close_file(void) { close(dup(file)); }
static void socket_close(void) { close(socket(AF_INET, SOCK_STREAM, 0)); }
static void setsockopt_socket(void)
{
	int on = 1;
	setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}
static void read_file(void)
{
	char c;
	if (read(file, &c, 1) < 0)
		exit(1);
}
static void send_recv(void)
{
	char c = 'x';
	send(pair[0], &c, 1, 0);
	recv(pair[1], &c, 1, 0);
}
static void bind_close(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	bind(s, (struct sockaddr *)&a, sizeof a);
	close(s);
}

static const struct {
	const char *name;
	void (*run)(void);
	int n;
} calls[] = {
	{ "close-bad", close_bad, 2000000 },	 { "fcntl-file", fcntl_file, 2000000 },
	{ "dup-close-file", dup_close_file, 500000 }, { "setsockopt", setsockopt_socket, 1000000 },
	{ "socket-close", socket_close, 200000 }, { "bind-close", bind_close, 100000 },
	{ "read-file", read_file, 2000000 },	 { "send-recv", send_recv, 500000 },
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	file = open("/dev/null", O_RDONLY);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	for (size_t i = 0; argc > 1 && i < sizeof calls / sizeof calls[0]; i++) {
		if (strcmp(calls[i].name, argv[1]))
			continue;
		int n = argc > 2 ? atoi(argv[2]) : calls[i].n;
		for (int k = 0; k < n / 10; k++)
			calls[i].run();
		double start = now();
		for (int k = 0; k < n; k++)
			calls[i].run();
		printf("%.1f\n", (now() - start) / n);
		return 0;
	}
	fprintf(stderr, "usage: call NAME [N]; names:");
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		fprintf(stderr, " %s", calls[i].name);
	fprintf(stderr, "\n");
	return 2;
}
