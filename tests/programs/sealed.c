/* sealed prctl|seccomp|strict return|exit - binds a socket, forbids itself what snag would call, and works on */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned forbidden[] = { SYS_getpid, SYS_getppid, SYS_gettid, SYS_geteuid, SYS_getsockopt, SYS_openat,
				      SYS_getdents64, SYS_madvise, SYS_kill, SYS_tkill,
#ifdef SYS_poll
				      SYS_ppoll, SYS_epoll_pwait,
#endif
};
#define N (sizeof(forbidden) / sizeof(forbidden[0]))

static int seal(const char *way)
{
	struct sock_filter f[2 + 2 * N];
	struct sock_fprog p = { .filter = f };
	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < N; i++) {
		f[p.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], 0, 1);
		f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return strcmp(way, "prctl") == 0 ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)
					 : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
}

/* Waits that find nothing end in time, by the system call that the C library makes of them. */
static int wait_for_nothing(void)
{
	struct timeval t = { 0, 1000 };
	struct epoll_event ev;
	int set = epoll_create1(0);
	return set < 0 || poll(NULL, 0, 1) || select(0, NULL, NULL, NULL, &t) || epoll_wait(set, &ev, 1, 1) || close(set);
}

/* Read, write and exit of a thread are all that is left. */
static void be_strict(void)
{
	static const char text[] = "strict, done\n";
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0 && write(1, text, sizeof(text) - 1) > 0)
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), status = -1;
	if (argc < 3 || bind(s, (void *)&a, len))
		return 2;
	if (strcmp(argv[1], "strict") == 0)
		be_strict();
	if (seal(argv[1]))
		return 3;
	if (listen(s, 3) || getsockname(s, (void *)&a, &len) || connect(c, (void *)&a, len))
		return 4;
	int n = accept(s, NULL, NULL), copy = dup(n);
	if (n < 0 || copy < 0 || shutdown(n, SHUT_RDWR) || close(copy) || close(n))
		return 5;
	if (wait_for_nothing())
		return 8;
	pid_t pid = fork();
	if (pid == 0)
		_exit(wait_for_nothing() || close(c) || socket(AF_INET, SOCK_STREAM, 0) < 0 ? 6 : 3);
	if (waitpid(pid, &status, 0) != pid || close(s))
		return 7;
	printf("child %d, done\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	fflush(stdout);
	if (strcmp(argv[2], "exit") == 0)
		_exit(0);
	return 0;
}
