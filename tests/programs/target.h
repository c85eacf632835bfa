/* target.h - what the programs under test share: they fail loudly, and say what they saw on stdout. */
#ifndef TARGET_H
#define TARGET_H

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(x)                                                                                                        \
	__extension__({                                                                                                \
		long must_ = (long)(x);                                                                                \
		if (must_ < 0) {                                                                                       \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #x, strerror(errno));                   \
			exit(99);                                                                                      \
		}                                                                                                      \
		must_;                                                                                                 \
	})

/* A TCP socket on 127.0.0.1 and a port that the kernel chose. */
static inline int bound(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

static inline int listening(int backlog)
{
	int fd = bound();
	MUST(listen(fd, backlog));
	return fd;
}

static inline struct sockaddr_in address_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	MUST(getsockname(fd, (struct sockaddr *)&a, &len));
	return a;
}

static inline int connected_to(int listener)
{
	struct sockaddr_in a = address_of(listener);
	int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	return fd;
}

static inline int status_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
