/* held real|ruled WAIT FAMILY THREADS - three connections to a listener, seen by whoever waits for them.
 *   real     they come one by one, a moment after the waiting began
 *   ruled    they are in the queue before it; a rule is to hold them
 *   WAIT     block (accept itself), poll, select, level, edge, oneshot, exclusive (epoll)
 *   FAMILY   4, 6 or unix;  THREADS 1 or 4 that wait at once
 * Says the same lines in both, and how it went; nothing that depends on time. */
#include "target.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/un.h>
#include <time.h>

#define CLIENTS 3

static const char *wait_by;
static int listener, set = -1, stop, accepted, client[CLIENTS];
static struct sockaddr_storage address;
static socklen_t address_len = sizeof(address);

static int is(const char *how)
{
	return strcmp(wait_by, how) == 0;
}

static int listen_on(const char *family)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct sockaddr *a = family[0] == '4' ? (void *)&in : family[0] == '6' ? (void *)&in6 : (void *)&un;
	socklen_t len = family[0] == '4' ? sizeof(in) : family[0] == '6' ? sizeof(in6) : sizeof(sa_family_t);
	int fd = (int)MUST(socket(a->sa_family, SOCK_STREAM | (is("block") ? 0 : SOCK_NONBLOCK), 0));
	MUST(bind(fd, a, len));		/* a unix name is chosen by the kernel */
	MUST(listen(fd, 8));
	MUST(getsockname(fd, (struct sockaddr *)&address, &address_len));
	return fd;
}

static void pause_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000 };
	nanosleep(&t, NULL);
}

static void arrive(int i)
{
	client[i] = (int)MUST(socket(address.ss_family, SOCK_STREAM, 0));
	MUST(connect(client[i], (struct sockaddr *)&address, address_len));
}

static void *arriving(void *arg)
{
	for (int i = 0; i < CLIENTS; i++) {
		pause_ms(100);
		arrive(i);
	}
	return arg;
}

static int wait_ready(int ms)
{
	struct pollfd p[2] = { { .fd = listener, .events = POLLIN }, { .fd = stop, .events = POLLIN } };
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct epoll_event e;
	fd_set r;
	if (set >= 0)
		return epoll_wait(set, &e, 1, ms);
	if (!is("select"))
		return poll(p, 2, ms);
	FD_ZERO(&r);
	FD_SET(listener, &r);
	FD_SET(stop, &r);
	return select((listener > stop ? listener : stop) + 1, &r, NULL, NULL, &tv);
}

static void take(int fd)
{
	uint64_t one = 1;
	char c;
	MUST(read(fd, &c, 1));		/* the client has sent it meanwhile: nothing is lost in the queue */
	if (__atomic_add_fetch(&accepted, 1, __ATOMIC_SEQ_CST) == CLIENTS)
		MUST(write(stop, &one, sizeof(one)));
}

static int done(void)
{
	return __atomic_load_n(&accepted, __ATOMIC_SEQ_CST) >= CLIENTS;
}

static void *waiter(void *arg)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT, .data.fd = listener };
	for (int fd; !done();) {
		if (wait_ready(20000) < 1)
			continue;
		while ((fd = accept(listener, NULL, NULL)) >= 0)
			take(fd);
		if (errno != EAGAIN)
			printf("accept: %s\n", strerrorname_np(errno));
		if (is("oneshot"))
			MUST(epoll_ctl(set, EPOLL_CTL_MOD, listener, &again));
	}
	return arg;
}

/* One of them takes the last; the others are let go by shutting the listener down. */
static void *acceptor(void *arg)
{
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
		take(fd);
		if (done())
			shutdown(listener, SHUT_RD);
	}
	return arg;
}

static void enter_set(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, s = { .events = EPOLLIN, .data.fd = stop };
	if (is("block") || is("poll") || is("select"))
		return;
	set = (int)MUST(epoll_create1(0));
	if (is("edge"))
		e.events |= EPOLLET;
	if (is("oneshot"))
		e.events |= EPOLLONESHOT;
	if (is("exclusive"))
		e.events |= EPOLLEXCLUSIVE;
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, listener, &e));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, stop, &s));
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int real = strcmp(argv[1], "real") == 0, threads = atoi(argv[4]);
	pthread_t thread[4], other;
	wait_by = argv[2];
	stop = (int)MUST(eventfd(0, 0));
	listener = listen_on(argv[3]);
	enter_set();
	for (int i = 0; i < CLIENTS && !real; i++)
		arrive(i);
	if (!is("block")) {
		printf("at first: %s\n", wait_ready(20) == 0 ? "nothing" : "ready");
		printf("accept: %s\n", accept(listener, NULL, NULL) < 0 ? strerrorname_np(errno) : "ok");
	}
	if (real)
		MUST(pthread_create(&other, NULL, arriving, NULL));
	double before = cpu();
	for (int i = 0; i < threads; i++)
		MUST(pthread_create(&thread[i], NULL, is("block") ? acceptor : waiter, NULL));
	for (int i = 0; i < CLIENTS; i++) {
		while (real && !__atomic_load_n(&client[i], __ATOMIC_SEQ_CST))
			pause_ms(1);
		while (send(client[i], "x", 1, MSG_NOSIGNAL) < 0)
			pause_ms(1);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("accepted: %d\n", accepted);
	printf("CPU while waiting: %s\n", cpu() - before < 0.1 ? "little" : "much");
	if (!is("block"))
		printf("then: %s\n", accept(listener, NULL, NULL) < 0 ? strerrorname_np(errno) : "ok");
	if (real)
		pthread_join(other, NULL);
	return 0;
}
