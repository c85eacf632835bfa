/* reset, silence, raise: on real connections, without a program around them. */
#include <effects/raise.h>
#include <effects/reset.h>
#include <effects/silence.h>
#include <snag/plan.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct sockaddr_in at;
static bool strayed;

static int a_listener(void)
{
	socklen_t len = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(l, (struct sockaddr *)&at, len) | listen(l, 4) |
				 getsockname(l, (struct sockaddr *)&at, &len), 0);
	return l;
}

static void a_pair(int fd[2])
{
	int l = a_listener();

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof(at)), 0);
	fd[1] = accept(l, NULL, NULL);
	close(l);
}

static void drop(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static void test_what_is_no_connection(void **state)
{
	int fds[] = {socket(AF_INET, SOCK_STREAM, 0), a_listener(), socket(AF_INET, SOCK_DGRAM, 0),
		     socket(AF_UNIX, SOCK_STREAM, 0), -1};

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		assert_false(reset_connected(fds[i]));
		assert_int_equal(reset_connection(fds[i], SNAG_END_BOTH, &strayed), -ENOTCONN);
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* Half a MiB that was never read comes whole, in front of the error; no descriptor is left behind. */
static void test_much_data(void **state)
{
	enum { ALL = 512 << 10 };
	char *out = malloc(ALL), *in = malloc(ALL);
	size_t sent = 0, got = 0;
	int fd[2], before;
	ssize_t r;

	(void)state;
	a_pair(fd);
	for (size_t i = 0; i < ALL; i++)
		out[i] = (char)(i * 7 + i / 251);
	while (sent < ALL && (r = send(fd[1], out + sent, ALL - sent, MSG_DONTWAIT)) > 0)
		sent += (size_t)r;
	while (recv(fd[0], in, ALL, MSG_PEEK | MSG_DONTWAIT) < (ssize_t)(sent < 60000 ? sent : 60000))
		poll(NULL, 0, 1);
	got = (size_t)recv(fd[0], in, ALL, MSG_PEEK | MSG_DONTWAIT);
	before = dup(0);
	close(before);
	assert_int_equal(reset_connection(fd[0], SNAG_END_SELF, &strayed), 0);
	assert_int_equal(dup(0), before);
	close(before);
	memset(in, 0, ALL);
	for (sent = 0; (r = recv(fd[0], in + sent, ALL - sent, 0)) > 0;)
		sent += (size_t)r;
	assert_int_equal(r, -1);
	assert_int_equal(errno, ECONNRESET);
	assert_true(sent >= got);
	assert_memory_equal(in, out, sent);
	drop(fd);
	free(out);
	free(in);
}

/* The bytes that the program has sent are there before the RST. */
static void test_after_what_was_sent(void **state)
{
	char buf[8];
	int fd[2];

	(void)state;
	a_pair(fd);
	assert_int_equal(send(fd[0], "abcd", 4, 0), 4);
	assert_int_equal(reset_connection(fd[0], SNAG_END_BOTH, &strayed), 0);
	assert_int_equal(recv(fd[1], buf, sizeof(buf), 0), 4);
	assert_int_equal(recv(fd[1], buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(reset_connection(fd[0], SNAG_END_BOTH, &strayed), -ENOTCONN);
	drop(fd);
}

/* What comes of an attempt that was answered and reset: readiness, the error once; a port that was bound stays. */
static void test_attempt(void **state)
{
	struct sockaddr_in full, own;
	socklen_t len = sizeof(own);
	int l = a_listener(), filler = socket(AF_INET, SOCK_STREAM, 0), err = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct snag_addr to = {AF_INET, ntohs(at.sin_port), 0, {127, 0, 0, 1}};
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	(void)state;
	full = at;
	close(a_listener());
	own = at;	/* was free a moment ago */
	assert_int_equal(listen(l, 0) | connect(filler, (struct sockaddr *)&full, len), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&full, len), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(reset_attempt(fd, &to), 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(p.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(at.sin_port, own.sin_port);
	len = sizeof(err);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, ECONNRESET);
	close(fd);
	close(filler);
	close(l);
}

static int events(int set)
{
	struct epoll_event e = {.events = 0};

	return epoll_wait(set, &e, 1, 0) ? (int)e.events : 0;
}

static void test_edges_again(void **state)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	int fd[2], set = epoll_create1(0);

	(void)state;
	a_pair(fd);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd[0], &e), 0);
	assert_int_equal(events(set), EPOLLOUT);
	assert_int_equal(events(set), 0);
	raise_again(fd[0], true);
	assert_int_equal(events(set), EPOLLOUT);
	raise_again(fd[0], false);	/* there is nothing to read */
	assert_int_equal(events(set), 0);
	assert_int_equal(send(fd[1], "x", 1, 0), 1);
	assert_int_equal(events(set), EPOLLIN | EPOLLOUT);
	assert_int_equal(events(set), 0);
	raise_again(fd[0], false);
	assert_int_equal(events(set), EPOLLIN | EPOLLOUT);
	close(set);
	drop(fd);
}

/* Both ways of muting end with silence_speak: what was lost comes then. */
static void test_mute_and_speak(void **state)
{
	struct silence_mute m;
	struct pollfd p;
	int fd[2];

	(void)state;
	a_pair(fd);
	assert_int_equal(silence_mute(fd[0], &m), 0);
	assert_int_not_equal(m.way, 0);
	assert_int_equal(send(fd[0], "x", 1, 0), 1);
	p = (struct pollfd){.fd = fd[1], .events = POLLIN};
	assert_int_equal(poll(&p, 1, 100), 0);
	silence_speak(fd[0], &m);
	assert_int_equal(poll(&p, 1, 10000), 1);
	drop(fd);
}

/* A connection within this machine, of IPv4, of IPv6, or of IPv4 by IPv6 sockets. */
static void a_pair_of(const char *host, int fd[2])
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	socklen_t len = sizeof(in6);
	int l = socket(AF_INET6, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
	assert_int_equal(bind(l, (struct sockaddr *)&in6, len) | listen(l, 1) |
				 getsockname(l, (struct sockaddr *)&in6, &len), 0);
	fd[0] = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&in6, sizeof(in6)), 0);
	fd[1] = accept(l, NULL, NULL);
	close(l);
}

static int least_ttl(int fd)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, IPPROTO_IP, IP_MINTTL, &value, &len);
	return value;
}

/* Nothing arrives and everything is sent; then what was lost comes, and the socket has its own least TTL again. */
static void test_deaf_and_hearing(void **state)
{
	static const char *const hosts[] = {NULL, "::1", "::ffff:127.0.0.1"};
	int own = 7, fd[2], least;
	char c;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		hosts[i] ? a_pair_of(hosts[i], fd) : a_pair(fd);
		struct pollfd p = {.fd = fd[0], .events = POLLIN};
		assert_int_equal(setsockopt(fd[0], IPPROTO_IP, IP_MINTTL, &own, sizeof(own)), 0);
		least = silence_deafen(fd[0]);
		assert_true(least >= 0);
		assert_int_equal(least_ttl(fd[0]), 255);
		assert_int_equal(send(fd[1], "x", 1, 0), 1);
		assert_int_equal(send(fd[0], "y", 1, 0), 1);
		assert_int_equal(recv(fd[1], &c, 1, 0), 1);
		assert_int_equal(poll(&p, 1, 100), 0);
		silence_hear(fd[0], least);
		assert_int_equal(least_ttl(fd[0]), own);
		assert_int_equal(poll(&p, 1, 10000), 1);
		drop(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_connection), cmocka_unit_test(test_much_data),
		cmocka_unit_test(test_after_what_was_sent),   cmocka_unit_test(test_edges_again),
		cmocka_unit_test(test_mute_and_speak),	      cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_deaf_and_hearing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
