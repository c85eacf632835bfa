/* selfconn.c - a socket that connects to itself: `selfconn rule IP PORT` leaves that to a rule, `selfconn real IP PORT` does
 * it by hand. For each way to wait, what connect, the waiting call and the socket say; both must print the same. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_storage target;
static socklen_t target_len;

static void parse(const char *ip, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port };

	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1) {
		memcpy(&target, &in, sizeof(in));
		target_len = sizeof(in);
	} else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1) {
		memcpy(&target, &in6, sizeof(in6));
		target_len = sizeof(in6);
	}
}

static const char *name(int err)
{
	return err ? strerrorname_np(err) : "ok";
}

/* Waits for it to be writable; prints what the call says. */
static void wait_by(const char *how, int fd)
{
	if (strcmp(how, "poll") == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
		int n = poll(&p, 1, 5000);
		printf(" poll=%d/%x", n, p.revents);
	} else if (strcmp(how, "select") == 0) {
		fd_set r, w;
		struct timeval tv = { 5, 0 };
		FD_ZERO(&r);
		FD_ZERO(&w);
		FD_SET(fd, &r);
		FD_SET(fd, &w);
		int n = select(fd + 1, &r, &w, NULL, &tv);
		printf(" select=%d/%d%d", n, FD_ISSET(fd, &r), FD_ISSET(fd, &w));
	} else {
		int set = epoll_create1(EPOLL_CLOEXEC);
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (how[5] == 'e' ? EPOLLET : 0) };
		epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
		e.events = 0;
		int n = epoll_wait(set, &e, 1, 5000);
		printf(" epoll=%d/%x", n, e.events);
		close(set);
	}
}

static int same_ends(int fd)
{
	struct sockaddr_storage a, b;
	socklen_t la = sizeof(a), lb = sizeof(b);

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	return getsockname(fd, (struct sockaddr *)&a, &la) == 0 && getpeername(fd, (struct sockaddr *)&b, &lb) == 0 &&
	       la == target_len && lb == la && memcmp(&a, &target, la) == 0 && memcmp(&b, &target, lb) == 0;
}

static void play(const char *how, int by_hand)
{
	int fd = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0, one = 1;
	socklen_t len = sizeof(err);
	char buf[8] = "";

	if (strcmp(how, "blocking") != 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));	/* against what the one before left */
	if (by_hand && bind(fd, (struct sockaddr *)&target, target_len) < 0)
		perror("bind");
	int r = connect(fd, (struct sockaddr *)&target, target_len);
	printf("%s: connect=%s", how, name(r < 0 ? errno : 0));
	if (strcmp(how, "blocking") != 0)
		wait_by(how, fd);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	printf(" error=%s ends=%d", name(err), same_ends(fd));
	r = connect(fd, (struct sockaddr *)&target, target_len);
	printf(" again=%s", name(r < 0 ? errno : 0));
	r = connect(fd, (struct sockaddr *)&target, target_len);
	printf("/%s", name(r < 0 ? errno : 0));
	printf(" sent=%zd", send(fd, "hello", 5, MSG_NOSIGNAL));
	printf(" got=%zd", recv(fd, buf, sizeof(buf), 0));
	printf(" %s", buf);
	shutdown(fd, SHUT_WR);
	printf(" end=%zd\n", recv(fd, buf, sizeof(buf), 0));
	close(fd);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "blocking", "poll", "select", "epoll", "epolledge" };

	if (argc < 4)
		return 2;
	parse(argv[2], argv[3]);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		play(ways[i], strcmp(argv[1], "real") == 0);
	return 0;
}
