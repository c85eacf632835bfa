/* The model against the running kernel: random binds, listens and closes of TCP and UDP sockets on one port of the
 * loopback, all predicted first. In a network namespace of its own where that is allowed. */
#include "drive.h"
#include <base/names.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SOCKS 7

static void own_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	int fd;

	if (unshare(CLONE_NEWNET))
		return;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

/* A port that nobody uses, neither TCP nor UDP, and that the kernel gives nobody by itself. */
static unsigned free_port(void)
{
	static unsigned next;

	if (!next)
		next = 10000 + (unsigned)getpid() % 10000;
	for (;;) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)++next)};
		int tcp = socket(AF_INET6, SOCK_STREAM, 0), udp = socket(AF_INET6, SOCK_DGRAM, 0), taken;

		assert_true(tcp >= 0 && udp >= 0 && next < 32768);
		taken = bind(tcp, (struct sockaddr *)&a, sizeof(a)) || bind(udp, (struct sockaddr *)&a, sizeof(a));
		close(tcp);
		close(udp);
		if (!taken)
			return next;
	}
}

static const char *const ADDRS4[] = {"0.0.0.0", "127.0.0.1", "127.0.0.2"};
static const char *const ADDRS6[] = {"::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1"};

struct live {
	struct drive *d;
	unsigned seed, port;
	int type;
	int fd[SOCKS + 1];	/* by socket number; 0: none */
	unsigned asked, certain, log_len;
	char log[1 << 14];	/* what was done in this round, for the report */
};

static unsigned pick(struct live *l, unsigned n)
{
	return (unsigned)rand_r(&l->seed) % n;
}

static void note(struct live *l, const char *what, uint32_t s, const char *arg, int err)
{
	if (l->log_len < sizeof(l->log) - 200)
		l->log_len += (unsigned)sprintf(l->log + l->log_len, "  %s(%u, %s) = %s\n", what, s, arg,
						err ? errno_name(err) : "0");
}

static void compare(struct live *l, const struct model_verdict *v, int err)
{
	l->asked++;
	if (v->sure != SNAG_CERTAIN)
		return;
	l->certain++;
	if (v->err == err)
		return;
	fputs(l->log, stderr);
	fail_msg("predicted %s", v->err ? errno_name(v->err) : "0");
}

static void option(struct live *l, uint32_t s, int level, int name, const char *text)
{
	int one = 1;

	if (!pick(l, 2))
		return;
	assert_int_equal(setsockopt(l->fd[s], level, name, &one, sizeof(one)), 0);
	drive_option(l->d, s, level, name, 1);
	note(l, "setsockopt", s, text, 0);
}

static void make(struct live *l, uint32_t s)
{
	unsigned domain = pick(l, 2) ? AF_INET : AF_INET6;
	struct linger hard = {.l_onoff = 1};

	l->fd[s] = socket((int)domain, l->type | SOCK_CLOEXEC, 0);
	assert_true(l->fd[s] > 0);
	drive_socket(l->d, s, l->type == SOCK_STREAM ? SNAG_PROTO_TCP : SNAG_PROTO_UDP, domain, (unsigned)l->type);
	note(l, "socket", s, domain == AF_INET ? "AF_INET" : "AF_INET6", 0);
	setsockopt(l->fd[s], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));	/* leaves no TIME_WAIT */
	option(l, s, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
	option(l, s, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT");
	if (domain == AF_INET6)
		option(l, s, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
}

static void do_bind(struct live *l, uint32_t s)
{
	bool v6 = l->d->domain[s] == AF_INET6;
	const char *text = v6 ? ADDRS6[pick(l, COUNT(ADDRS6))] : ADDRS4[pick(l, COUNT(ADDRS4))];
	struct snag_call c = drive_bind_call(l->d, s, drive_addr(text, l->port));
	struct model_verdict v = drive_predict(l->d, &c);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&c.addr, &ss);
	int err = bind(l->fd[s], (struct sockaddr *)&ss, len) ? errno : 0;
	struct snag_outcome o = drive_outcome(l->d, err);

	note(l, "bind", s, text, err);
	compare(l, &v, err);
	drive_learn(l->d, &c, &o);
}

static void do_listen(struct live *l, uint32_t s)
{
	struct snag_call c = drive_call(l->d, SNAG_CALL_listen, s);
	struct model_verdict v = drive_predict(l->d, &c);
	int err = listen(l->fd[s], 5) ? errno : 0;
	struct snag_outcome o = drive_outcome(l->d, err);
	struct model_sock r;

	note(l, "listen", s, "5", err);
	compare(l, &v, err);
	if (!err && model_get(l->d->m, s, &r) && !r.local.port) {	/* bound by listen: tell where */
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		getsockname(l->fd[s], (struct sockaddr *)&ss, &len);
		addr_from_sockaddr(&o.local, (struct sockaddr *)&ss, len, NULL, NULL);
	}
	drive_learn(l->d, &c, &o);
}

static void do_shutdown(struct live *l, uint32_t s)
{
	struct snag_call c = drive_call(l->d, SNAG_CALL_shutdown, s);
	struct model_verdict v;
	struct snag_outcome o;
	int err;

	c.arg[0] = (int)pick(l, 4);
	v = drive_predict(l->d, &c);
	err = shutdown(l->fd[s], c.arg[0]) ? errno : 0;
	o = drive_outcome(l->d, err);
	note(l, "shutdown", s, (const char *[]){"RD", "WR", "RDWR", "3"}[c.arg[0]], err);
	compare(l, &v, err);
	drive_learn(l->d, &c, &o);
}

static void do_accept(struct live *l, uint32_t s)
{
	struct snag_call c = drive_call(l->d, SNAG_CALL_accept4, s);
	struct model_verdict v = drive_predict(l->d, &c);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct snag_outcome o;
	uint32_t n = 1;
	int fd, err;

	while (n <= SOCKS && l->fd[n])
		n++;
	if (n > SOCKS)
		return;
	fcntl(l->fd[s], F_SETFL, O_NONBLOCK);
	fd = accept4(l->fd[s], (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	err = fd < 0 ? errno : 0;
	fcntl(l->fd[s], F_SETFL, 0);
	o = drive_outcome(l->d, err);
	note(l, "accept", s, "", err);
	compare(l, &v, err);
	if (!err) {
		l->fd[n] = fd;
		l->d->proto[n] = l->d->proto[s];
		l->d->domain[n] = l->d->domain[s];
		o.new_sock = o.new_serial = n;
		addr_from_sockaddr(&o.peer, (struct sockaddr *)&ss, len, NULL, NULL);
	}
	drive_learn(l->d, &c, &o);
}

/* To the port itself: a listener, nobody, or the very same socket. */
static void do_connect(struct live *l, uint32_t s)
{
	const char *text = l->d->domain[s] == AF_INET ? "127.0.0.1" : "::1";
	struct snag_call c = drive_call(l->d, SNAG_CALL_connect, s);
	struct model_verdict v;
	struct sockaddr_storage ss;
	struct snag_outcome o;
	socklen_t len;
	int err;

	c.addr = drive_addr(pick(l, 6) ? text : NULL, l->port);
	if (!c.addr.family)
		c.addr.port = 0;
	v = drive_predict(l->d, &c);
	len = addr_to_sockaddr(&c.addr, &ss);
	err = connect(l->fd[s], (struct sockaddr *)&ss, len ? len : sizeof(ss)) ? errno : 0;
	o = drive_outcome(l->d, err);
	note(l, "connect", s, len ? text : "AF_UNSPEC", err);
	compare(l, &v, err);
	drive_learn(l->d, &c, &o);
}

static void do_close(struct live *l, uint32_t s)
{
	close(l->fd[s]);
	l->fd[s] = 0;
	drive_close(l->d, s);
	note(l, "close", s, "", 0);
}

static void step(struct live *l)
{
	uint32_t s = 1 + pick(l, SOCKS);

	if (!l->fd[s])
		make(l, s);
	switch (pick(l, 10)) {
	case 0:
	case 1:
		do_close(l, s);
		break;
	case 2:
		do_listen(l, s);
		break;
	case 3:
		do_shutdown(l, s);
		break;
	case 4:
		do_accept(l, s);
		break;
	case 5:
		do_connect(l, s);
		break;
	default:
		do_bind(l, s);
	}
}

static bool everybody_lives(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg;
	return sock == serial;
}

static void play(int type)
{
	struct live l = {.seed = 11, .type = type, .d = drive_begin()};

	for (int round = 0; round < 400; round++) {
		l.log_len = 0;
		l.port = free_port();	/* a new one: the last round may have left a TIME_WAIT */
		for (int i = 0; i < 40; i++)
			step(&l);
		assert_int_equal(model_check(l.d->m, everybody_lives, NULL), 0);
		for (uint32_t s = 1; s <= SOCKS; s++)
			if (l.fd[s])
				do_close(&l, s);
	}
	assert_true(l.certain > l.asked / 2);
	drive_end(l.d);
}

static void test_tcp(void **state)
{
	(void)state;
	play(SOCK_STREAM);
}

static void test_udp(void **state)
{
	(void)state;
	play(SOCK_DGRAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tcp), cmocka_unit_test(test_udp)};

	own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
