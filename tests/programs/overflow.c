/* overflow real|ruled WAIT FAMILY - a client whose connection completes when the accept queue is full, and is reset.
 *   real     as under tcp_abort_on_overflow: the SYN-ACK reaches it late, and the queue has filled meanwhile; it looks
 *            when the RST has come, which most often is at once
 *   ruled    the queue is full before; a rule resets who finds it so
 *   WAIT     block (connect itself), poll, select, level, edge, oneshot, before (level, registered before connect)
 *   FAMILY   4 or 6
 * Says the same lines in both: what the client sees, and what the server has in its queue. */
#include "target.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static const char *wait_by;
static struct sockaddr_storage address;
static socklen_t address_len;
static int set = -1;

static int is(const char *how)
{
	return strcmp(wait_by, how) == 0;
}

static int new_socket(int flags)
{
	return (int)MUST(socket(address.ss_family, SOCK_STREAM | flags, 0));
}

static int listen_on(const char *family)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	address_len = family[0] == '4' ? sizeof(in) : sizeof(in6);
	memcpy(&address, family[0] == '4' ? (void *)&in : (void *)&in6, address_len);
	int fd = new_socket(SOCK_NONBLOCK);
	MUST(bind(fd, (struct sockaddr *)&address, address_len));
	MUST(listen(fd, 0));
	MUST(getsockname(fd, (struct sockaddr *)&address, &address_len));
	return fd;
}

static int try_connect(int fd)
{
	return connect(fd, (struct sockaddr *)&address, address_len);
}

static const char *word(int r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

static unsigned queue_of(int listener)
{
	return info_of(listener).tcpi_unacked;
}

/* One connection fills the queue. */
static int fill(int listener)
{
	int fd = new_socket(0);
	MUST(try_connect(fd));
	while (queue_of(listener) < 1)
		poll(NULL, 0, 1);
	return fd;
}

/* The attempt begins, its answer is lost, the queue fills; the answer that the listener sends a second later arrives. */
static int begin_late(int fd, int listener)
{
	struct sock_filter code = { .code = BPF_RET | BPF_K };
	struct sock_fprog drop = { .len = 1, .filter = &code };
	int none = 0;
	MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop)));
	int r = try_connect(fd), err = errno;
	int filler = fill(listener);
	MUST(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)));
	while (info_of(fd).tcpi_state != TCP_CLOSE)
		poll(NULL, 0, 1);
	errno = err;
	printf("connect: %s\n", word(r));
	return filler;
}

static void say_events(unsigned e)
{
	static const struct { unsigned bit; const char *name; } bits[] = {
		{ POLLIN, " IN" }, { POLLOUT, " OUT" }, { POLLERR, " ERR" }, { POLLHUP, " HUP" }, { POLLRDHUP, " RDHUP" },
	};
	printf("%s:", wait_by);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		printf("%s", e & bits[i].bit ? bits[i].name : "");
	puts("");
}

static unsigned ready(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	struct epoll_event e = { 0 };
	struct timeval tv = { ms / 1000, 0 };
	fd_set r, w;
	if (set >= 0)
		return epoll_wait(set, &e, 1, ms) == 1 ? e.events : 0;
	if (!is("select"))
		return poll(&p, 1, ms) == 1 ? (unsigned)p.revents : 0;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	if (select(fd + 1, &r, &w, NULL, &tv) < 1)
		return 0;
	return (FD_ISSET(fd, &r) ? POLLIN : 0) | (FD_ISSET(fd, &w) ? POLLOUT : 0);
}

static void enter_set(int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP };
	if (is("edge"))
		e.events |= EPOLLET;
	if (is("oneshot"))
		e.events |= EPOLLONESHOT;
	set = (int)MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
}

static void ask(int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);
	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	printf("SO_ERROR: %s\n", err ? strerrorname_np(err) : "0");
}

int main(int argc, char **argv)
{
	struct sockaddr_storage at;
	socklen_t at_len = sizeof(at);
	char c;
	if (argc != 4)
		return 2;
	int real = strcmp(argv[1], "real") == 0;
	wait_by = argv[2];
	int listener = listen_on(argv[3]), filler = real ? -1 : fill(listener), fd = new_socket(SOCK_NONBLOCK);
	if (is("before"))
		enter_set(fd);
	if (is("block") && !real)
		MUST(fcntl(fd, F_SETFL, 0));
	else if (real)
		filler = begin_late(fd, listener);
	else
		printf("connect: %s\n", word(try_connect(fd)));
	if (is("block")) {
		if (!real)		/* where the kernel does it, it has been begun already */
			puts("connect: EINPROGRESS");
		MUST(fcntl(fd, F_SETFL, 0));
		printf("connect: %s\n", word(try_connect(fd)));
		MUST(fcntl(fd, F_SETFL, O_NONBLOCK));
	} else {
		if (is("level") || is("edge") || is("oneshot"))
			enter_set(fd);
		say_events(ready(fd, 9000));
		say_events(ready(fd, 0));
		ask(fd);
		say_events(ready(fd, 0));
	}
	ask(fd);
	printf("getpeername: %s\n", word(getpeername(fd, (struct sockaddr *)&at, &at_len)));
	printf("recv: %s\n", word((int)recv(fd, &c, 1, 0)));
	printf("send: %s\n", word((int)send(fd, "x", 1, MSG_NOSIGNAL)));
	printf("queue: %u\n", queue_of(listener));
	printf("accept: %s\n", word(accept(listener, NULL, NULL)));
	printf("accept: %s\n", word(accept(listener, NULL, NULL)));
	close(filler);
	return 0;
}
