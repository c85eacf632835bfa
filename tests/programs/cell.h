/* cell.h - a table of cells: threads that wait for a socket in one way, and what happens to it meanwhile.
 *
 *   PROGRAM real|ruled SCENE FAMILY
 *
 * runs the scene for {block, poll, select, level, edge, oneshot, exclusive} x {1, 4} threads, each cell in a process of
 * its own, and says of each one, in this order:
 *   WAY THREADS view TEXT	readiness, results, and what both ends are asked afterwards
 *   WAY THREADS cost WAKES SWITCHES USEC	how often a wait returned, the waiters' voluntary switches, their CPU time
 *   WAY THREADS left TEXT	a line for all that can be asked of the sockets and the process (left.h)
 * real: the peer or the kernel does it; ruled: a rule of snag on the client's, or the listener's, calls. The rule is met
 * by the calls of `trigger` (recvmsg, sendmsg), or by the waiters' own. Nothing that is said depends on time. */
#ifndef CELL_H
#define CELL_H

#include "left.h"
#include "seen.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/un.h>
#include <time.h>

#define THREADS_MAX 4

struct scene {
	const char *name;
	int *subject;			/* whom the threads wait for */
	unsigned events;		/* POLLIN or POLLOUT */
	void (*before)(void);		/* what stands when they begin */
	void (*trigger)(void);		/* what happens while they wait; NULL: nothing */
	void (*between)(void);		/* behind each wake-up, in front of the call; NULL: nothing */
	bool (*act)(void);		/* the waiter's call; false: this thread has seen enough */
	bool (*enough)(void);		/* the story is over */
	void (*after)(void);		/* what is asked when the waiters are gone */
};

static const struct scene *scene;
static int listener = -1, a = -1, set = -1, stop = -1;	/* a: the client */
static struct sockaddr_storage at;
static socklen_t at_len;

/* ---- the waiting ---- */

static int wait_plain(unsigned *mask)
{
	int fd = *scene->subject;
	struct pollfd p[2] = { { .fd = fd, .events = (short)(scene->events | POLLRDHUP) }, { .fd = stop, .events = POLLIN } };
	fd_set r, w;
	if (is("poll")) {
		int n = poll(p, 2, -1);
		*mask = (unsigned)p[0].revents;
		return n;
	}
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(stop, &r);
	FD_SET(fd, scene->events & POLLIN ? &r : &w);
	int n = select((fd > stop ? fd : stop) + 1, &r, &w, NULL, NULL);
	*mask = n < 1 ? 0 : (scene->events & POLLIN && FD_ISSET(fd, &r) ? POLLIN : 0u) | (FD_ISSET(fd, &w) ? POLLOUT : 0u);
	return n;
}

static int wait_ready(unsigned *mask)
{
	struct epoll_event e = { 0 };
	*mask = 0;
	if (set < 0)
		return wait_plain(mask);
	int n = epoll_wait(set, &e, 1, -1);
	if (n > 0 && e.data.fd == *scene->subject)
		*mask = e.events;
	return n;
}

static struct epoll_event registration(void)
{
	unsigned way = is("edge") ? EPOLLET : is("oneshot") ? EPOLLONESHOT : is("exclusive") ? EPOLLEXCLUSIVE : 0u;
	unsigned hup = is("exclusive") ? 0u : EPOLLRDHUP;	/* it does not go with that */
	return (struct epoll_event){ .events = scene->events | hup | way, .data.fd = *scene->subject };
}

static void enter_set(void)
{
	struct epoll_event e = registration(), s = { .events = EPOLLIN, .data.fd = stop };
	if (is("block") || is("poll") || is("select"))
		return;
	set = (int)MUST(epoll_create1(0));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, *scene->subject, &e));
	MUST(epoll_ctl(set, EPOLL_CTL_ADD, stop, &s));
}

static bool turn(void)
{
	struct epoll_event again = registration();
	unsigned mask = 0;
	int r = is("block") ? 1 : wait_ready(&mask);
	if (over)
		return false;
	if (r < 0)
		note_result(-1);
	if (!is("block") && !mask)
		return true;
	if (mask)
		note_mask(mask);
	if (scene->between)
		scene->between();
	if (!scene->act())
		return false;
	if (is("oneshot"))
		MUST(epoll_ctl(set, EPOLL_CTL_MOD, *scene->subject, &again));
	return true;
}

static volatile pid_t tids[THREADS_MAX];

static void *waiter(void *arg)
{
	struct rusage u;
	*(volatile pid_t *)arg = gettid();
	while (turn())
		;
	getrusage(RUSAGE_THREAD, &u);
	pthread_mutex_lock(&lock);
	seen.live--;
	seen.switches += u.ru_nvcsw;
	seen.usec += (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&t, &t) < 0)
		;
}

/* It sleeps, or has ended. */
static bool is_parked(pid_t tid)
{
	char path[64], state = 'S';
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'S';
	if (f)
		fclose(f);
	return state == 'S';
}

static void wait_until_they_wait(void)
{
	for (int i = 0; i < threads; i++)
		for (int k = 0; k < 2000 && (!tids[i] || !is_parked(tids[i])); k++)
			pause_ms(2);
	pause_ms(10);
}

static void wait_enough(void)
{
	for (int k = 0; k < 5000 && scene->enough && !scene->enough(); k++)
		pause_ms(2);
	if (scene->enough && !scene->enough())
		say("NEVER ENDED: ");
	pause_ms(30);		/* for what should not come */
}

static void nothing(int sig)
{
	(void)sig;
}

static void stop_waiting(pthread_t thread[])
{
	uint64_t one = 1;
	over = 1;
	MUST(write(stop, &one, sizeof(one)));
	for (int i = 0; i < threads; i++)
		while (pthread_tryjoin_np(thread[i], NULL) != 0) {
			if (is("block"))
				pthread_kill(thread[i], SIGUSR2);
			pause_ms(1);
		}
}

/* ---- the end of a story, as most have it ---- */

static int ends(void)
{
	return __atomic_load_n(&seen.ends, __ATOMIC_SEQ_CST);
}

/* As many threads as will be have come to an end. */
static bool all_ended(void)
{
	return ends() >= (all_are_told() ? threads : 1);
}

/* ---- sockets ---- */

static void listen_somewhere(int backlog)
{
	static const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f };
	static const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	static const struct sockaddr_un un = { .sun_family = AF_UNIX };
	const void *from = family == AF_INET ? (const void *)&in : family == AF_INET6 ? (const void *)&in6 : &un;
	at_len = family == AF_INET ? sizeof(in) : family == AF_INET6 ? sizeof(in6) : sizeof(sa_family_t);
	listener = (int)MUST(socket(family, SOCK_STREAM, 0));
	MUST(bind(listener, from, at_len));	/* a unix name is chosen by the kernel */
	at_len = sizeof(at);
	MUST(getsockname(listener, (struct sockaddr *)&at, &at_len));
	if (backlog >= 0)
		MUST(listen(listener, backlog));
}

/* As the way needs it. */
static void set_mode(int fd)
{
	if (!is("block"))
		MUST(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK));
}

static int connect_one(void)
{
	int fd = (int)MUST(socket(family, SOCK_STREAM, 0));
	MUST(connect(fd, (struct sockaddr *)&at, at_len));
	return fd;
}

static void reset_by(int *fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	MUST(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	MUST(close(*fd));
	*fd = -1;
}

/* For a second at most; the waiters, whom it concerns too, are not asked. */
static void wait_for_events(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	MUST(poll(&p, 1, 1000));
}

static void wait_until(bool (*yes)(void))
{
	for (int k = 0; k < 2500 && !yes(); k++)
		pause_ms(2);
}

/* What comes behind a reset, whoever asks first. */
static void say_dead(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char c;
	say_poll("it", fd);
	say_result("recv", recv(fd, &c, 1, MSG_DONTWAIT));
	say_result("send", send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	say_error("it", fd);
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&ss, &len));
}

/* ---- cells ---- */

static void play(void)
{
	static struct left_start start;
	struct sigaction quiet = { .sa_handler = nothing };
	pthread_t thread[THREADS_MAX];
	alarm(60);
	sigaction(SIGUSR2, &quiet, NULL);
	signal(SIGPIPE, SIG_IGN);
	stop = (int)MUST(eventfd(0, 0));
	say("%s %d view ", how, threads);
	scene->before();
	int fds[] = { listener, a };
	left_begin(&start);
	enter_set();
	seen.live = threads;
	for (int i = 0; i < threads; i++)
		MUST(pthread_create(&thread[i], NULL, waiter, (void *)&tids[i]));
	wait_until_they_wait();
	if (scene->trigger)
		scene->trigger();
	wait_enough();
	stop_waiting(thread);
	say_seen();
	if (scene->after)
		scene->after();
	say("\n%s %d cost %d %ld %ld\n", how, threads, seen.wakes, seen.switches, seen.usec);
	char head[40];
	snprintf(head, sizeof(head), "%s %d left ", how, threads);
	said_len += left_text(said + said_len, SAY_MAX - said_len, head, &start, fds, 2);
}

static const char *const ways[] = { "block", "poll", "select", "level", "edge", "oneshot", "exclusive" };

static int play_all(int argc, char **argv, const struct scene *scenes, size_t n)
{
	enum { CELLS = 14, AT_ONCE = 5 };
	pid_t pid[CELLS];
	int status[CELLS];
	if (argc != 4)
		return 2;
	real = strcmp(argv[1], "real") == 0;
	family = strcmp(argv[3], "tcp4") == 0 ? AF_INET : strcmp(argv[3], "tcp6") == 0 ? AF_INET6 : AF_UNIX;
	for (size_t i = 0; i < n; i++)
		if (strcmp(scenes[i].name, argv[2]) == 0)
			scene = &scenes[i];
	char *text = mmap(NULL, CELLS * SAY_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!scene || text == MAP_FAILED)
		return 2;
	for (int i = 0; i < CELLS; i++) {
		if (i >= AT_ONCE)
			status[i - AT_ONCE] = status_of(pid[i - AT_ONCE]);
		pid[i] = (pid_t)MUST(fork());
		if (pid[i])
			continue;
		how = ways[i / 2];
		threads = i % 2 ? 4 : 1;
		said = text + i * SAY_MAX;
		play();
		_exit(0);
	}
	for (int i = 0; i < CELLS; i++) {
		if (i >= CELLS - AT_ONCE)
			status[i] = status_of(pid[i]);
		printf("%s", text + i * SAY_MAX);
		if (status[i])
			printf("\n%s %d view ended with %d\n", ways[i / 2], i % 2 ? 4 : 1, status[i]);
	}
	return 0;
}

#endif
