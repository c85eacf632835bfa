/* stream CASE FAMILY MODE HOW - one connection, one condition, and what both ends see of it, a line each.
 *
 * FAMILY: tcp4, tcp6, unix; MODE: blocking, nonblocking. HOW: `real`: the peer, or the kernel, really does it; `rule`:
 * nobody does, and a rule of snag on the client's calls brings it about. Both must say the same. */
#include "target.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/un.h>

static bool real;
static int family, listener, a, b, sets[4];	/* a: the client, whom the rules speak of; b: its peer */
static struct sockaddr_storage at;
static socklen_t at_len;
static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void listen_somewhere(void)
{
	static const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	static const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	static const struct sockaddr_un un = { .sun_family = AF_UNIX };
	const void *from = family == AF_INET ? (const void *)&in : family == AF_INET6 ? (const void *)&in6 : &un;
	at_len = family == AF_INET ? sizeof(in) : family == AF_INET6 ? sizeof(in6) : sizeof(sa_family_t);
	memcpy(&at, from, at_len);
	listener = (int)MUST(socket(family, SOCK_STREAM, 0));
	MUST(bind(listener, (struct sockaddr *)&at, at_len));
	MUST(listen(listener, 8));
	at_len = sizeof(at);
	MUST(getsockname(listener, (struct sockaddr *)&at, &at_len));
}

/* ---- what is seen ---- */

static void say_events(const char *what, unsigned e)
{
	printf("%s%s%s%s%s%s\n", what, e & POLLIN ? " IN" : "", e & POLLOUT ? " OUT" : "", e & POLLERR ? " ERR" : "",
	       e & POLLHUP ? " HUP" : "", e & POLLRDHUP ? " RDHUP" : "");
}

static void say(const char *what, long r)
{
	if (r < 0)
		printf("%s %s\n", what, strerrorname_np(errno));
	else
		printf("%s %ld\n", what, r);
}

static void see_poll(const char *who, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	MUST(poll(&p, 1, 0));
	say_events(who, (unsigned)p.revents);
}

static void see_select(int fd)
{
	struct timeval none = { 0, 0 };
	fd_set r, w;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	MUST(select(fd + 1, &r, &w, NULL, &none));
	printf("a select%s%s\n", FD_ISSET(fd, &r) ? " r" : "", FD_ISSET(fd, &w) ? " w" : "");
}

static const struct {
	const char *name;
	unsigned flag;
} kinds[] = {
	{ "a level", 0 }, { "a edge", EPOLLET }, { "a oneshot", EPOLLONESHOT }, { "a exclusive", EPOLLEXCLUSIVE },
};

static void watch(void)
{
	struct epoll_event e;
	for (unsigned i = 0; i < 4; i++) {
		unsigned hup = kinds[i].flag == EPOLLEXCLUSIVE ? 0 : EPOLLRDHUP;	/* it does not go with that */
		e = (struct epoll_event){ .events = EPOLLIN | EPOLLOUT | hup | kinds[i].flag };
		sets[i] = (int)MUST(epoll_create1(0));
		MUST(epoll_ctl(sets[i], EPOLL_CTL_ADD, a, &e));
		epoll_wait(sets[i], &e, 1, 0);
		e = (struct epoll_event){ .events = EPOLLIN | EPOLLOUT | hup | kinds[i].flag };
		if (kinds[i].flag == EPOLLONESHOT)
			MUST(epoll_ctl(sets[i], EPOLL_CTL_MOD, a, &e));
	}
}

static void see_a(void)
{
	struct epoll_event e;
	see_poll("a poll", a);
	see_select(a);
	for (unsigned i = 0; i < 4; i++) {
		int n = (int)MUST(epoll_wait(sets[i], &e, 1, 0));
		say_events(kinds[i].name, n ? e.events : 0);
	}
}

static void a_recv(size_t n)
{
	char buf[64];
	say("a recv", recv(a, buf, n, 0));
}

static void a_send(void)
{
	pipes = 0;
	say("a send", send(a, "xyz", 3, 0));
	printf("a SIGPIPE %d\n", pipes);
}

static void b_recv(void)
{
	char buf[64];
	struct pollfd p = { .fd = b, .events = POLLIN };
	if (poll(&p, 1, 1000) < 0)
		exit(98);
	say("b recv", recv(b, buf, sizeof(buf), MSG_DONTWAIT));
}

static void say_error(void)
{
	int e = 0;
	socklen_t len = sizeof(e);
	MUST(getsockopt(a, SOL_SOCKET, SO_ERROR, &e, &len));
	printf("a SO_ERROR %s\n", e ? strerrorname_np(e) : "0");
}

static void say_peer(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	say("a getpeername", getpeername(a, (struct sockaddr *)&ss, &len));
}

/* ---- what is done ---- */

static void reset_by(int *fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	MUST(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	MUST(close(*fd));
	*fd = -1;
}

/* As if its machine had lost it: no segment tells of its end. As root. */
static void vanish(int *fd)
{
	int on = 1;
	MUST(setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
	MUST(close(*fd));
	*fd = -1;
}

static void b_send(const char *text)
{
	struct pollfd p = { .fd = a, .events = POLLIN };
	MUST(send(b, text, strlen(text), 0));
	MUST(poll(&p, 1, 5000));
}

/* Until the local side has got it. */
static void wait_hup(void)
{
	struct pollfd p = { .fd = a, .events = POLLRDHUP };
	MUST(poll(&p, 1, 5000));
}

/* What comes behind a reset, whoever asks first. */
static void aftermath(void)
{
	see_a();
	a_recv(10);
	see_a();
	a_recv(10);
	a_send();
	say_error();
	say_peer();
}

static void reset_queued(void)	/* rule: recv nth=2 */
{
	b_send("abcde");
	a_recv(2);
	if (real)
		reset_by(&b), wait_hup();
	a_recv(2);
	see_a();
	a_recv(10);
	aftermath();
}

static void reset_empty(void)	/* rule: recv first=1 */
{
	if (real)
		reset_by(&b), wait_hup();
	a_recv(2);
	aftermath();
}

static void reset_send(void)	/* rule: send nth=2 */
{
	a_send();
	b_recv();
	if (real)
		reset_by(&b), wait_hup();
	a_send();
	see_a();
	a_send();
	aftermath();
}

static void reset_behind_fin(void)	/* rule: recv nth=2 */
{
	b_send("abcde");
	MUST(shutdown(b, SHUT_WR));
	wait_hup();
	a_recv(2);
	if (real)
		reset_by(&b);
	a_recv(2);
	see_a();
	a_recv(10);
	a_recv(10);
	aftermath();
}

/* Copies of the descriptor, here and in a child, change nothing. */
static void reset_copied(void)	/* rule: recv nth=2 */
{
	int ends[2];
	char c;
	MUST(pipe(ends));
	MUST(dup(a));
	pid_t child = (pid_t)MUST(fork());
	if (child == 0) {
		close(b);	/* the peer's own copy is no copy of ours */
		MUST(close(ends[1]));
		_exit(read(ends[0], &c, 1) != 0);
	}
	MUST(close(ends[0]));
	reset_queued();
	MUST(close(ends[1]));
	MUST(waitpid(child, NULL, 0));
}

/* What the peer sees, when our side goes by a reset. rule: recv nth=1 */
static void reset_peer_sees(void)
{
	char c;
	MUST(send(a, "xyz", 3, 0));
	if (real)
		reset_by(&a);
	else
		recv(a, &c, 1, MSG_DONTWAIT);
	see_poll("b poll", b);
	b_recv();
	b_recv();
	see_poll("b poll", b);
	b_recv();
	say("b send", send(b, "x", 1, MSG_NOSIGNAL));
}

static void *in_recv(void *arg)
{
	char c;
	ssize_t r = recv(a, &c, 1, 0);
	*(int *)arg = r < 0 ? errno : 0;
	return NULL;
}

static bool is_waiting(const char *task)
{
	char state = 0;
	FILE *f = fopen(task, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state == 'S';
}

static void wait_until_it_waits(pid_t tid)
{
	char task[64];
	snprintf(task, sizeof(task), "/proc/self/task/%d/stat", (int)tid);
	for (int i = 0; i < 1000 && !is_waiting(task); i++)
		usleep(5000);
}

static volatile pid_t waiter;

static void *waits(void *arg)
{
	waiter = gettid();
	return in_recv(arg);
}

/* A thread that waits in recv while another one's send meets the reset: one of them is told. rule: send nth=1 */
static void reset_elsewhere(void)
{
	pthread_t t;
	int told = -1;
	pthread_create(&t, NULL, waits, &told);
	while (!waiter)
		usleep(1000);
	wait_until_it_waits(waiter);
	if (real)
		reset_by(&b);
	ssize_t r = send(a, "x", 1, MSG_NOSIGNAL);
	int sent = r < 0 ? errno : 0;
	pthread_join(t, NULL);
	if (told == ECONNRESET || (told == 0 && sent == ECONNRESET))
		puts("one was told");
	else
		printf("recv %s, send %s\n", strerrorname_np(told), strerrorname_np(sent));
	aftermath();
}

/* A reset that only we have got: the peer hears of it when it sends. */
static void reset_self(void)	/* rule: recv nth=2: reset=self */
{
	b_send("abcde");
	a_recv(2);
	a_recv(10);
	see_a();
	a_recv(10);
	a_recv(10);
	see_poll("b poll", b);
	say("b send", send(b, "x", 1, MSG_NOSIGNAL));
	b_recv();
	say("b send", send(b, "x", 1, MSG_NOSIGNAL));
}

/* The peer is gone without a word to us: we hear of it when we send. rule: recv nth=2: reset=peer */
static void gone(void)
{
	b_send("abcde");
	a_recv(2);
	if (real)
		vanish(&b);
	a_recv(10);
	see_a();
	a_send();
	wait_hup();
	see_a();
	a_recv(10);
	a_recv(10);
	a_send();
	say_peer();
}

static void at_accept(void)	/* rule: accept on the listener */
{
	int c = (int)MUST(socket(family, SOCK_STREAM, 0));
	struct pollfd p = { .fd = listener, .events = POLLIN };
	MUST(connect(c, (struct sockaddr *)&at, at_len));
	MUST(send(c, "abc", 3, 0));
	if (real)
		reset_by(&c);
	MUST(poll(&p, 1, 5000));
	close(a);
	a = accept(listener, NULL, NULL);
	say("accept", a < 0 ? -1 : 0);
	say_peer();
	watch();
	see_poll("a poll", a);
	a_recv(10);
	aftermath();
}

/* The peer resets what it has just accepted. rule: connect */
static void at_connect(void)
{
	int saved, flags;
	close(a);
	a = (int)MUST(socket(family, SOCK_STREAM, 0));
	flags = (int)MUST(fcntl(a, F_GETFL));
	if (fcntl(listener, F_GETFL) & O_NONBLOCK)
		MUST(fcntl(a, F_SETFL, flags | O_NONBLOCK));
	int r = connect(a, (struct sockaddr *)&at, at_len);
	saved = errno;
	b = (int)MUST(accept(listener, NULL, NULL));
	if (real)
		reset_by(&b);
	wait_hup();
	watch();
	errno = saved;
	say("connect", r);
	see_a();
	a_recv(10);
	aftermath();
}

/* The peer writes no more, and reads on. rule: recv nth=2 */
static void eof(void)
{
	b_send("ab");
	a_recv(2);
	if (real)
		MUST(shutdown(b, SHUT_WR)), wait_hup();
	else
		b_send("what will not have come");
	a_recv(2);
	see_a();
	a_recv(10);
	a_recv(10);
	a_send();
	b_recv();
	say_error();
	say_peer();
	MUST(shutdown(a, SHUT_WR));
	b_recv();
}

/* Whatever the peer sends, nothing arrives; ours does. rule: recv first=1: blackhole=self */
static void deaf(void)
{
	char buf[8];
	say("a recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	if (!real) {
		MUST(send(b, "abc", 3, 0));
		MUST(shutdown(b, SHUT_WR));
	}
	see_a();
	say("a recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	a_send();
	b_recv();
	say_error();
	say_peer();
}

/* What we send does not arrive. rule: send first=1: blackhole=peer */
static void mute(void)
{
	char buf[8];
	int left = 0;
	if (!real)
		a_send();
	else
		printf("a send 3\na SIGPIPE 0\n");
	see_a();
	for (int i = 0; i < 20; i++) {
		struct pollfd p = { .fd = b, .events = POLLIN };
		MUST(poll(&p, 1, 10));
	}
	say("b recv", recv(b, buf, sizeof(buf), MSG_DONTWAIT));
	see_poll("b poll", b);
	MUST(ioctl(a, TIOCOUTQ, &left));
	printf("unacknowledged %d\n", real ? 3 : left);
	say_error();
	say_peer();
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "reset-queued", reset_queued },   { "reset-empty", reset_empty },   { "reset-send", reset_send },
	{ "reset-behind-fin", reset_behind_fin }, { "reset-copied", reset_copied },
	{ "reset-peer-sees", reset_peer_sees }, { "reset-elsewhere", reset_elsewhere }, { "reset-self", reset_self },
	{ "gone", gone },
	{ "at-accept", at_accept }, { "at-connect", at_connect }, { "eof", eof }, { "deaf", deaf }, { "mute", mute },
};

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	family = strcmp(argv[2], "tcp4") == 0 ? AF_INET : strcmp(argv[2], "tcp6") == 0 ? AF_INET6 : AF_UNIX;
	real = strcmp(argv[4], "real") == 0;
	signal(SIGPIPE, on_pipe);
	setvbuf(stdout, NULL, _IOLBF, 0);
	listen_somewhere();
	a = (int)MUST(socket(family, SOCK_STREAM, 0));
	if (strncmp(argv[1], "at-", 3) != 0) {
		MUST(connect(a, (struct sockaddr *)&at, at_len));
		b = (int)MUST(accept(listener, NULL, NULL));
		watch();
	}
	if (strcmp(argv[3], "nonblocking") == 0) {
		MUST(fcntl(a, F_SETFL, O_RDWR | O_NONBLOCK));
		MUST(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK));
	}
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
