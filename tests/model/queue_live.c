/* queue_live: a table of cells {SYN cookies, tcp_abort_on_overflow, TCP_DEFER_ACCEPT, blocking or not, below the limit, at
 * it and above}, each played in a network namespace with those settings, predicted first and compared. */
#include "queue.h"
#include <probe/diag.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define CLIENTS 6
#define LIMIT 1			/* each queue takes two: below it, at it, above it */

struct setting {
	unsigned cookies, abort;
};

struct play {
	const struct setting *set;
	bool defers, block;
	struct drive *d;
	int fd[FIRST + CLIENTS];
	struct snag_addr at;
	unsigned wrong;
};

static bool set(const char *name, unsigned value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	f = fopen(path, "w");
	return f && fprintf(f, "%u", value) > 0 && !fclose(f);
}

static bool network(const struct setting *s)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	int fd, err;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return !err && set("tcp_syncookies", s->cookies) && set("tcp_abort_on_overflow", s->abort);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

static void local_of(int fd, struct snag_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (!getsockname(fd, (struct sockaddr *)&ss, &len))
		addr_from_sockaddr(a, (struct sockaddr *)&ss, len, NULL, NULL);
}

static void judge(struct play *p, const char *what, const struct model_verdict *v, int err)
{
	bool right = v->sure == SNAG_WAITS ? err == EINPROGRESS : v->sure == SNAG_CERTAIN && v->err == err;

	if (right)
		return;
	p->wrong++;
	fprintf(stderr, "cookies %u, abort %u, %s, %s: %s: foretold %s %d, was %d\n", p->set->cookies, p->set->abort,
		p->defers ? "deferring" : "plain", p->block ? "blocking" : "not blocking", what,
		v->sure == SNAG_WAITS ? "wait" : v->sure == SNAG_CERTAIN ? "" : "nothing,", v->err, err);
}

static bool count_request(void *arg, const struct diag_sock *s)
{
	struct snag_call *c = arg;

	if (s->state == TCP_LISTEN) {
		c->queue = (int32_t)s->queue_len;
		c->queue_max = (int32_t)s->queue_limit;
		c->facts |= SNAG_FACT_QUEUE;
	}
	c->syn_queue += s->state == TCP_SYN_RECV;
	return true;
}

/* As --audit asks for it. */
static void ask_queues(const struct play *p, struct snag_call *c)
{
	struct diag_query q = {.proto = SNAG_PROTO_TCP, .port = p->at.port, .states = DIAG_ALL};

	assert_int_equal(diag_dump(&q, count_request, c), 0);
}

static void listens(struct play *p)
{
	int *fd = &p->fd[LISTENER], on = 5;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct snag_outcome o = drive_outcome(p->d, 0);
	struct snag_call c;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&in, sizeof(in)), 0);
	local_of(*fd, &p->at);
	drive_socket(p->d, LISTENER, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = drive_bind_call(p->d, LISTENER, p->at);
	drive_learn(p->d, &c, &o);
	if (p->defers) {
		assert_int_equal(setsockopt(*fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)), 0);
		drive_option(p->d, LISTENER, IPPROTO_TCP, TCP_DEFER_ACCEPT, on);
	}
	assert_int_equal(listen(*fd, LIMIT), 0);
	c = drive_call(p->d, SNAG_CALL_listen, LISTENER);
	c.arg[0] = LIMIT;
	drive_learn(p->d, &c, &o);
}

static void connects_for_real(struct play *p, uint32_t s)
{
	struct timeval patience = {.tv_usec = 30000};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&p->at, &ss);
	struct snag_outcome o;
	struct snag_call c;
	struct model_verdict v;
	char what[32];

	p->fd[s] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (p->block ? 0 : SOCK_NONBLOCK), 0);
	setsockopt(p->fd[s], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	drive_socket(p->d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	c = connect_call(p->d, s);
	c.addr = p->at;
	c.blocking = p->block;
	ask_queues(p, &c);
	v = drive_predict(p->d, &c);
	o = drive_outcome(p->d, connect(p->fd[s], (struct sockaddr *)&ss, len) ? errno : 0);
	local_of(p->fd[s], &o.local);
	o.tcp_state = info_of(p->fd[s]).tcpi_state;
	snprintf(what, sizeof(what), "connect %u", s - FIRST + 1);
	judge(p, what, &v, o.real_err);
	if ((o.tcp_state == TCP_SYN_SENT) != (v.why == SNAG_WHY_QUEUE_FULL || v.why == SNAG_WHY_SYN_QUEUE_FULL))
		judge(p, "the reason", &(struct model_verdict){.sure = SNAG_WITHHELD}, o.tcp_state);
	drive_learn(p->d, &c, &o);
}

/* Takes all there is, and one more than that. */
static void accepts_for_real(struct play *p, const char *when)
{
	struct snag_outcome o;
	struct snag_call c;
	struct model_verdict v;
	int fd;

	do {
		struct tcp_info info = info_of(p->fd[LISTENER]);
		c = with_facts(p->d, SNAG_CALL_accept4, LISTENER, info.tcpi_state);
		c.facts |= SNAG_FACT_QUEUE;
		c.queue = (int32_t)info.tcpi_unacked;
		c.blocking = 0;
		v = drive_predict(p->d, &c);
		fd = accept4(p->fd[LISTENER], NULL, NULL, SOCK_CLOEXEC);
		o = drive_outcome(p->d, fd < 0 ? errno : 0);
		judge(p, when, &v, o.real_err);
		if (fd >= 0)
			close(fd);
	} while (fd >= 0);
}

/* What the settings alone say: of SYNs that follow each other, how many connect? */
static unsigned admitted(const struct play *p)
{
	if (!p->defers || p->set->cookies == 2)
		return LIMIT + 1;
	return p->set->cookies ? 2 * (LIMIT + 1) : LIMIT + 1;
}

/* A byte makes a connection of a request. Where cookies have filled the accept queue meanwhile there is no room for it:
 * dropped, it comes again, or reset where the machine aborts on overflow. */
static void sends_for_real(struct play *p)
{
	bool reset = p->set->abort && p->defers && p->set->cookies == 1;

	for (uint32_t s = FIRST; s < FIRST + LIMIT + 1; s++) {
		assert_int_equal(send(p->fd[s], "x", 1, MSG_NOSIGNAL), 1);
		if ((info_of(p->fd[s]).tcpi_state == TCP_ESTABLISHED) == reset)
			judge(p, "a byte sent", &(struct model_verdict){.sure = SNAG_WITHHELD}, (int)s);
	}
}

static void play(const struct setting *set_to, bool defers, bool block, unsigned *wrong)
{
	struct play p = {.set = set_to, .defers = defers, .block = block, .d = drive_begin()};
	struct model_machine machine = MACHINE;
	unsigned connected = 0;

	machine.syncookies = (uint8_t)set_to->cookies;
	p.d->machine = &machine;
	listens(&p);
	if (defers && set_to->cookies != 2)
		accepts_for_real(&p, "accept before anybody came");
	for (uint32_t s = FIRST; s < FIRST + CLIENTS; s++) {
		connects_for_real(&p, s);
		connected += info_of(p.fd[s]).tcpi_state == TCP_ESTABLISHED;
	}
	if (connected != admitted(&p))
		judge(&p, "how many connected", &(struct model_verdict){.err = (int)admitted(&p)}, (int)connected);
	sends_for_real(&p);
	accepts_for_real(&p, "accept");
	for (uint32_t s = LISTENER; s < FIRST + CLIENTS; s++)
		close(p.fd[s]);
	*wrong += p.wrong;
	drive_end(p.d);
}

/* In a process and a network of its own: 0 all as foretold, 1 not, 2 no network. */
static int in_child(const struct setting *s)
{
	unsigned wrong = 0;
	pid_t child = fork();
	int status;

	if (!child) {
		if (!network(s))
			_exit(2);
		for (unsigned i = 0; i < 4; i++)
			play(s, i & 1, i & 2, &wrong);
		_exit(wrong != 0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_live(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct setting s = {.cookies = i % 3, .abort = i / 3};
		int status = in_child(&s);
		if (status == 2)
			skip();
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_live)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
