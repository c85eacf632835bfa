/* wild - calls with pointers that cannot be read, or only half; prints what each answered */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define SHOW(call)                                                                                                     \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		long ret = (long)(call);                                                                               \
		printf("%s: %ld %d\n", #call, ret, errno);                                                             \
		fflush(stdout);                                                                                        \
	} while (0)

static void *bad;
static char *half;	/* the 4096 bytes after it cannot be read */

static void addresses(int s)
{
	struct sockaddr_in *heap = calloc(1, sizeof(*heap)), *cut = (void *)(half - 8), local = { 0 };
	heap->sin_family = local.sin_family = cut->sin_family = AF_INET;
	heap->sin_addr.s_addr = local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SHOW(bind(s, bad, 16));
	SHOW(bind(s, (void *)3, 16));
	SHOW(bind(s, (void *)-1, 16));
	SHOW(bind(s, (void *)cut, 16));
	SHOW(bind(s, (void *)cut, 8));
	SHOW(bind(s, bad, 0));
	SHOW(bind(s, bad, -1));
	SHOW(connect(s, bad, 16));
	SHOW(connect(s, bad, 100000));
	SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, bad, 4));
	SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, bad, 0));
	SHOW(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, bad, 4));
	SHOW(bind(s, heap, 16));
	s = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(bind(s, (void *)&local, 16));
	free(heap);
}

static void connections(int s)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	listen(s, 5);
	if (getsockname(s, (void *)&at, &len))
		return;
	for (int i = 0; i < 3; i++)
		connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&at, sizeof(at));
	SHOW(accept(s, bad, bad));
	SHOW(accept4(s, bad, &len, 0));
	SHOW(accept(s, NULL, bad) >= 0);
}

static void messages(void)
{
	int p[2];
	struct msghdr m = { .msg_control = bad, .msg_controllen = 64 };
	struct mmsghdr many[2] = { { .msg_hdr = m } };
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	SHOW(sendmsg(p[0], bad, 0));
	SHOW(sendmsg(p[0], &m, 0));
	SHOW(sendmmsg(p[0], bad, 1, 0));
	SHOW(sendmmsg(p[0], many, 2, 0));
	SHOW(recvmsg(p[0], bad, MSG_DONTWAIT));
	SHOW(recvmmsg(p[0], bad, 1, MSG_DONTWAIT, NULL));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
}

static void images(void)
{
	char *argv[] = { "x", NULL }, *env[] = { bad, NULL }, **cut = (void *)(half - sizeof(char *));
	strcpy(half - 16, "A=1");
	*cut = half - 16;
	SHOW(execve("/nonexistent", argv, bad));
	SHOW(execve("/nonexistent", argv, NULL));
	SHOW(execve("/bin/true", argv, bad));
	SHOW(execve("/bin/true", argv, env));
	SHOW(execve("/bin/true", argv, cut));
	SHOW(execve(bad, argv, environ));
	SHOW(execve("/bin/true", bad, environ));
	SHOW(posix_spawn(NULL, "/bin/true", NULL, NULL, argv, env) == EFAULT && !(errno = 0));
}

int main(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	half = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	half += 4096;
	bad = half;
	mprotect(half, 4096, PROT_NONE);
	addresses(s);
	connections(s);
	messages();
	images();
	return 0;
}
