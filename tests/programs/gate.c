/* gate - each hooked call through syscall(), good and bad; says every result and errno, to be compared with a run
 * without snag. */
#include "target.h"
#include <fcntl.h>
#include <sys/syscall.h>

static void say(const char *what, long r)
{
	printf("%s %s %s\n", what, r < 0 ? "-1" : "ok", r < 0 ? strerrorname_np(errno) : "");
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int pair[2], one = 1;
	long fd, client, got;
	say("socket", fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	say("socket?", syscall(SYS_socket, 12345, SOCK_STREAM, 0));
	say("setsockopt", syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	say("bind", syscall(SYS_bind, fd, &a, sizeof(a)));
	say("bind twice", syscall(SYS_bind, fd, &a, sizeof(a)));
	say("bind NULL", syscall(SYS_bind, fd, NULL, sizeof(a)));
	say("bind nowhere", syscall(SYS_bind, fd, (void *)-1l, sizeof(a)));
	say("bind -1", syscall(SYS_bind, -1, &a, sizeof(a)));
	say("bind file", syscall(SYS_bind, 0, &a, sizeof(a)));
	say("listen", syscall(SYS_listen, fd, 5));
	MUST(getsockname((int)fd, (struct sockaddr *)&a, &len));
	say("client", client = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	say("connect", syscall(SYS_connect, client, &a, sizeof(a)));
	say("connect twice", syscall(SYS_connect, client, &a, sizeof(a)));
	say("accept4", got = syscall(SYS_accept4, fd, NULL, NULL, SOCK_CLOEXEC));
	say("accept4 flags", syscall(SYS_accept4, fd, NULL, NULL, -1));
	say("accept file", syscall(SYS_accept, 0, NULL, NULL));
	say("shutdown", syscall(SYS_shutdown, got, SHUT_RDWR));
	say("dup", syscall(SYS_dup, got));
	say("dup3 same", syscall(SYS_dup3, got, got, 0));
	say("fcntl", syscall(SYS_fcntl, got, F_DUPFD, 100));
	say("fcntl file", syscall(SYS_fcntl, 0, F_GETFD));
	say("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	say("close", syscall(SYS_close, got));
	say("close twice", syscall(SYS_close, got));
	say("close_range", syscall(SYS_close_range, 3, 2, 0));
	say("close_range all", syscall(SYS_close_range, 3, ~0u, 0));
	say("getpid", syscall(SYS_getpid) == getpid() ? 0 : -1);
	say("unknown", syscall(99999, 1, 2, 3, 4, 5, 6));
	return 0;
}
