/* moves recv|send [tcp|unix] - ten bytes over one connection for each call that moves bytes: what each call answered,
 * and what came out. After a failed call it tries again, a thousand times at most. */
#include "target.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

extern ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
extern ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
extern ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *sa, socklen_t *len);
extern ssize_t __send(int fd, const void *buf, size_t n, int flags);
extern ssize_t __read(int fd, void *buf, size_t n);
extern ssize_t __write(int fd, const void *buf, size_t n);

static const char TEXT[] = "abcdefghij";
#define ALL 10

/* Two buffers, of 2 bytes and the rest. */
static unsigned halve(struct iovec v[2], char *p, size_t n)
{
	v[0] = (struct iovec){ p, n < 2 ? n : 2 };
	v[1] = (struct iovec){ p + v[0].iov_len, n - v[0].iov_len };
	return 2;
}

typedef ssize_t move(int fd, char *p, size_t n);

static ssize_t do_read(int fd, char *p, size_t n) { return read(fd, p, n); }
static ssize_t do_read2(int fd, char *p, size_t n) { return __read(fd, p, n); }
static ssize_t do_read_chk(int fd, char *p, size_t n) { return __read_chk(fd, p, n, n); }
static ssize_t do_recv(int fd, char *p, size_t n) { return recv(fd, p, n, 0); }
static ssize_t do_recv_chk(int fd, char *p, size_t n) { return __recv_chk(fd, p, n, n, 0); }
static ssize_t do_recvfrom(int fd, char *p, size_t n) { return recvfrom(fd, p, n, 0, NULL, NULL); }
static ssize_t do_recvfrom_chk(int fd, char *p, size_t n) { return __recvfrom_chk(fd, p, n, n, 0, NULL, NULL); }
static ssize_t do_sys_read(int fd, char *p, size_t n) { return syscall(SYS_read, fd, p, n); }
static ssize_t do_sys_recvfrom(int fd, char *p, size_t n) { return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL); }
static ssize_t do_write(int fd, char *p, size_t n) { return write(fd, p, n); }
static ssize_t do_write2(int fd, char *p, size_t n) { return __write(fd, p, n); }
static ssize_t do_send(int fd, char *p, size_t n) { return send(fd, p, n, 0); }
static ssize_t do_send2(int fd, char *p, size_t n) { return __send(fd, p, n, 0); }
static ssize_t do_sendto(int fd, char *p, size_t n) { return sendto(fd, p, n, 0, NULL, 0); }
static ssize_t do_sys_write(int fd, char *p, size_t n) { return syscall(SYS_write, fd, p, n); }
static ssize_t do_sys_sendto(int fd, char *p, size_t n) { return syscall(SYS_sendto, fd, p, n, 0, NULL, 0); }

static ssize_t do_readv(int fd, char *p, size_t n)
{
	struct iovec v[2];
	return readv(fd, v, (int)halve(v, p, n));
}

static ssize_t do_writev(int fd, char *p, size_t n)
{
	struct iovec v[2];
	return writev(fd, v, (int)halve(v, p, n));
}

static ssize_t do_recvmsg(int fd, char *p, size_t n)
{
	struct iovec v[2];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = halve(v, p, n) };
	ssize_t r = recvmsg(fd, &m, 0);
	if (m.msg_iov != v || m.msg_iovlen != 2)
		printf("changed ");
	return r;
}

static ssize_t do_sendmsg(int fd, char *p, size_t n)
{
	struct iovec v[2];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = halve(v, p, n) };
	return sendmsg(fd, &m, 0);
}

static ssize_t sum(const struct mmsghdr *m, int n)
{
	ssize_t all = n < 0 ? -1 : 0;
	for (int i = 0; i < n; i++)
		all += m[i].msg_len;
	return all;
}

/* As two messages, of 2 bytes and the rest. */
static ssize_t do_recvmmsg(int fd, char *p, size_t n)
{
	struct iovec v[2];
	halve(v, p, n);
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } } };
	return sum(m, recvmmsg(fd, m, v[1].iov_len ? 2 : 1, MSG_DONTWAIT, NULL));
}

static ssize_t do_sendmmsg(int fd, char *p, size_t n)
{
	struct iovec v[2];
	halve(v, p, n);
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } } };
	return sum(m, sendmmsg(fd, m, v[1].iov_len ? 2 : 1, 0));
}

static ssize_t do_sendfile(int fd, char *p, size_t n)
{
	int file = (int)MUST(memfd_create("moves", 0));
	off_t from = 0;
	MUST(write(file, p, n));
	ssize_t r = sendfile(fd, file, &from, n);
	int saved = errno;
	if (r >= 0 && from != r)
		printf("offset %ld ", (long)from);
	MUST(close(file));
	errno = saved;
	return r;
}

static const struct call {
	const char *name;
	move *move;
} recvs[] = {
	{ "read", do_read }, { "__read", do_read2 }, { "__read_chk", do_read_chk }, { "readv", do_readv },
	{ "recv", do_recv }, { "__recv_chk", do_recv_chk }, { "recvfrom", do_recvfrom },
	{ "__recvfrom_chk", do_recvfrom_chk }, { "recvmsg", do_recvmsg }, { "recvmmsg", do_recvmmsg },
	{ "SYS_read", do_sys_read }, { "SYS_recvfrom", do_sys_recvfrom }, { NULL, NULL },
}, sends[] = {
	{ "write", do_write }, { "__write", do_write2 }, { "writev", do_writev }, { "send", do_send }, { "__send", do_send2 },
	{ "sendto", do_sendto }, { "sendmsg", do_sendmsg }, { "sendmmsg", do_sendmmsg }, { "sendfile", do_sendfile },
	{ "SYS_write", do_sys_write }, { "SYS_sendto", do_sys_sendto }, { NULL, NULL },
};

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void connect_two(int fd[2], int unix_too)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	if (unix_too) {
		MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		return;
	}
	int l = bound();
	MUST(listen(l, 1));
	MUST(getsockname(l, (struct sockaddr *)&at, &len));
	fd[0] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd[0], (struct sockaddr *)&at, len));
	fd[1] = (int)MUST(accept(l, NULL, NULL));
	MUST(close(l));
}

/* All of it by one call, again and again. */
static void run(const struct call *c, int sending, int unix_too)
{
	char buf[ALL + 1] = "", in[ALL + 1] = "";
	size_t done = 0, got = 0;
	int fd[2], tries = 0;
	connect_two(fd, unix_too);
	pipes = 0;
	printf("%s", c->name);
	if (sending)
		memcpy(buf, TEXT, ALL);
	else
		MUST(send(fd[1], TEXT, ALL, 0));
	while (done < ALL && tries++ < 1000) {
		struct pollfd p = { .fd = fd[0], .events = POLLIN };
		if (!sending)
			MUST(poll(&p, 1, 5000));
		ssize_t r = c->move(fd[0], buf + done, ALL - done);
		if (r > 0)
			done += (size_t)r;
		if (r >= 0)
			printf(" %zd", r);
		else
			printf(" %s%s", strerrorname_np(errno), pipes ? "+SIGPIPE" : "");
		pipes = 0;
		if (r == 0)
			break;
	}
	while (sending && got < done)
		got += (size_t)MUST(recv(fd[1], in + got, done - got, 0));
	printf(" %s\n", sending ? in : buf);
	MUST(close(fd[0]));
	MUST(close(fd[1]));
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	int sending = strcmp(argv[1], "send") == 0, unix_too = argc > 2 && strcmp(argv[2], "unix") == 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, on_pipe);
	for (const struct call *c = sending ? sends : recvs; c->name; c++)
		run(c, sending, unix_too);
	return 0;
}
