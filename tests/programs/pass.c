/* pass WAY - a listener passed to a child over a unix socket, closed by its sender on the way. The child calls
 * listen(fd, 77) on what arrives. WAY: sendmsg, sendmmsg, peek, close (the receiver never reads). */
#include "target.h"

static int pair[2];
static union {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
} control;
static char byte = 'x';
static struct iovec iov = { &byte, 1 };

static struct msghdr message(void)
{
	return (struct msghdr){
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
}

static void put(struct msghdr *m, int fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

static int take(int flags)
{
	struct msghdr m = message();
	int fd = -1;
	MUST(recvmsg(pair[1], &m, flags));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int take_many(void)
{
	struct mmsghdr m = { .msg_hdr = message() };
	int fd = -1;
	MUST(recvmmsg(pair[1], &m, 1, 0, NULL));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m.msg_hdr)), sizeof(fd));
	return fd;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "sendmsg";
	int go[2];
	char c;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	MUST(pipe(go));
	pid_t pid = (pid_t)MUST(fork());
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)	/* the sender has sent, and closed its own */
			_exit(98);
		if (strcmp(way, "close") == 0)
			_exit(0);
		if (strcmp(way, "peek") == 0)
			MUST(listen(take(MSG_PEEK), 76));
		int fd = strcmp(way, "sendmmsg") == 0 ? take_many() : take(0);
		MUST(listen(fd, 77));
		close(fd);
		_exit(0);
	}
	close(pair[1]);
	int fd = listening(5);
	struct mmsghdr m = { .msg_hdr = message() };
	put(&m.msg_hdr, fd);
	if (strcmp(way, "sendmmsg") == 0)
		MUST(sendmmsg(pair[0], &m, 1, 0));
	else
		MUST(sendmsg(pair[0], &m.msg_hdr, 0));
	close(fd);
	close(go[1]);
	return status_of(pid);
}
