/* slow real|ruled WAIT FAMILY THREADS END - a non-blocking connect that ends late, seen by everything a program can ask.
 *   real     the real condition is made here: a listener whose queue is full, and then gets room, closes, or stays full
 *   ruled    an ordinary listener; a rule is to make the connect late
 *   WAIT     poll, select, level, edge, oneshot, exclusive (epoll); before: registered before connect
 *   FAMILY   4 or 6;  THREADS 1 or 4 that wait at once;  END ok, refused or timeout
 * Says the same lines in both, and how it went; nothing that depends on time. */
#include "target.h"
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

static const char *wait_by;
static int family, client, set, stop;
static int events_seen;
static unsigned mask_seen;

static socklen_t loopback(struct sockaddr_storage *ss)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET)
		memcpy(ss, &in, sizeof(in));
	else
		memcpy(ss, &in6, sizeof(in6));
	return family == AF_INET ? sizeof(in) : sizeof(in6);
}

static void say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static const char *words(unsigned m)
{
	static char buf[64];
	snprintf(buf, sizeof(buf), "%s%s%s%s", m & POLLIN ? "IN " : "", m & POLLOUT ? "OUT " : "", m & POLLERR ? "ERR " : "",
		 m & POLLHUP ? "HUP " : "");
	return buf;
}

/* What the wait reports: a mask as poll's; 0: nothing within ms. */
static unsigned wait_plain(int ms)
{
	struct pollfd p = { .fd = client, .events = POLLIN | POLLOUT };
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	fd_set r, w;
	if (strcmp(wait_by, "poll") == 0)
		return poll(&p, 1, ms) > 0 ? (unsigned)p.revents : 0;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(client, &r);
	FD_SET(client, &w);
	if (select(client + 1, &r, &w, NULL, &tv) <= 0)
		return 0;
	return (FD_ISSET(client, &r) ? POLLIN : 0u) | (FD_ISSET(client, &w) ? POLLOUT : 0u);
}

static void *waiter(void *arg)
{
	struct epoll_event e = { 0 };
	uint64_t one = 1;
	unsigned m = 0;
	if (set < 0)
		m = wait_plain(20000);
	else if (epoll_wait(set, &e, 1, 20000) == 1 && e.data.fd == client)
		m = e.events;
	if (m) {
		__atomic_fetch_or(&mask_seen, m, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&events_seen, 1, __ATOMIC_SEQ_CST);
		MUST(write(stop, &one, sizeof(one)));
	}
	return arg;
}

static void enter_set(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.fd = client };
	struct epoll_event s = { .events = EPOLLIN, .data.fd = stop };
	if (strcmp(wait_by, "edge") == 0)
		e.events |= EPOLLET;
	if (strcmp(wait_by, "oneshot") == 0)
		e.events |= EPOLLONESHOT;
	if (strcmp(wait_by, "exclusive") == 0)
		e.events |= EPOLLEXCLUSIVE;
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, client, &e));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, stop, &s));
}

/* The real condition's part of the story. */
struct scene {
	int listener, filler;
	const char *end;
};

static void *peer(void *arg)
{
	struct scene *s = arg;
	struct timespec t = { 0, 200000000 };	/* the client's first SYN is lost by then, its second is not due */
	nanosleep(&t, NULL);
	if (strcmp(s->end, "ok") == 0)
		MUST(accept(s->listener, NULL, NULL));
	if (strcmp(s->end, "refused") == 0)
		close(s->listener);
	return NULL;
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void ask_before(const struct sockaddr_storage *to, socklen_t len)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *local = (struct sockaddr_in *)&ss;
	socklen_t n = sizeof(ss);
	int err;
	say("connect again", connect(client, (const struct sockaddr *)to, len));
	say("send", send(client, "x", 1, MSG_NOSIGNAL));
	say("recv", recv(client, &err, 1, 0));
	say("getpeername", getpeername(client, (struct sockaddr *)&ss, &n));
	n = sizeof(ss);
	MUST(getsockname(client, (struct sockaddr *)&ss, &n));
	printf("local port: %s\n", local->sin_port ? "chosen" : "none");
	n = sizeof(err);
	MUST(getsockopt(client, SOL_SOCKET, SO_ERROR, &err, &n));
	printf("SO_ERROR: %d\n", err);
}

static void ask_after(const struct sockaddr_storage *to, socklen_t len, const char *end, unsigned timeout)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	unsigned now = 0;
	int err;
	MUST(getsockopt(client, SOL_SOCKET, SO_ERROR, &err, (n = sizeof(err), &n)));
	printf("SO_ERROR: %s\n", err ? strerrorname_np(err) : "0");
	n = sizeof(ss);
	say("getpeername", getpeername(client, (struct sockaddr *)&ss, &n));
	say("connect again", connect(client, (const struct sockaddr *)to, len));
	if (strcmp(end, "ok") == 0) {
		printf("peer: %s\n", memcmp(&ss, to, 8) == 0 ? "as asked for" : "another");
		say("connect again", connect(client, (const struct sockaddr *)to, len));
		say("send", send(client, "x", 1, MSG_NOSIGNAL));
	}
	MUST(getsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, &now, (n = sizeof(now), &n)));
	printf("TCP_USER_TIMEOUT: %s\n", now == timeout ? "the program's own" : "changed");
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int real = strcmp(argv[1], "real") == 0, threads = atoi(argv[4]);
	wait_by = argv[2];
	family = argv[3][0] == '6' ? AF_INET6 : AF_INET;
	struct scene s = { .end = argv[5] };
	struct sockaddr_storage to;
	socklen_t len = loopback(&to);
	unsigned timeout = 0;
	s.listener = (int)MUST(socket(family, SOCK_STREAM, 0));
	MUST(bind(s.listener, (struct sockaddr *)&to, len));
	MUST(listen(s.listener, real ? 0 : 5));
	MUST(getsockname(s.listener, (struct sockaddr *)&to, &len));
	client = (int)MUST(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
	stop = (int)MUST(eventfd(0, 0));
	set = strcmp(wait_by, "poll") == 0 || strcmp(wait_by, "select") == 0 ? -1 : (int)MUST(epoll_create1(0));
	pthread_t peer_thread, thread[4];
	if (real) {
		s.filler = (int)MUST(socket(family, SOCK_STREAM, 0));
		MUST(connect(s.filler, (struct sockaddr *)&to, len));
		if (strcmp(s.end, "timeout") == 0)
			timeout = 1000;
		MUST(setsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout)));
	}
	if (strcmp(wait_by, "before") == 0)
		enter_set();
	say("connect", connect(client, (struct sockaddr *)&to, len));
	if (real)
		MUST(pthread_create(&peer_thread, NULL, peer, &s));
	ask_before(&to, len);
	if (set >= 0 && strcmp(wait_by, "before") != 0)
		enter_set();
	if (set < 0) {
		printf("at first: %s\n", wait_plain(20) ? "ready" : "nothing");
	} else {
		struct epoll_event e;
		printf("at first: %s\n", epoll_wait(set, &e, 1, 20) ? "ready" : "nothing");
	}
	double before = cpu();
	for (int i = 0; i < threads; i++)
		MUST(pthread_create(&thread[i], NULL, waiter, NULL));
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("then: %s\n", words(mask_seen));
	if (strcmp(wait_by, "edge") == 0 || strcmp(wait_by, "oneshot") == 0)
		printf("events: %d\n", events_seen);
	printf("CPU while waiting: %s\n", cpu() - before < 0.1 ? "little" : "much");
	ask_after(&to, len, s.end, timeout);
	if (real)
		pthread_join(peer_thread, NULL);
	return 0;
}
