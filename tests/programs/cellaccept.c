/* cellaccept real|ruled SCENE FAMILY - the table of cells (cell.h) for a listener whose accept the rules speak of, and for
 * a client whose connect they do. */
#include "cell.h"
#include <sys/resource.h>

#define CLIENTS 3

static int client[CLIENTS], taken[2 * CLIENTS], n_taken, n_clients, asked, signals;
static struct rlimit files;
static long began_ns, first_ns;

static long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- accept ---- */

static void serve(void)
{
	listen_somewhere(8);
	set_mode(listener);
	began_ns = now_ns();
}

static void come(void)
{
	client[n_clients++] = connect_one();
}

static void note_text(const char *text)
{
	pthread_mutex_lock(&lock);
	if (strcmp(text, "ok") == 0 || threads == 1 || !how_often(text))	/* how often is luck */
		note(text);
	pthread_mutex_unlock(&lock);
}

static bool note_accept(int fd)
{
	int saved = errno;
	if (over)
		return false;
	note_text(fd < 0 ? strerrorname_np(saved) : "ok");
	if (fd < 0)
		return true;
	if (!first_ns)
		first_ns = now_ns();
	taken[__atomic_fetch_add(&n_taken, 1, __ATOMIC_SEQ_CST)] = fd;
	return true;
}

/* Until there is nothing more: an edge tells of a change only. */
static bool act_accept(void)
{
	int fd;
	do {
		fd = accept(listener, NULL, NULL);
		if (!note_accept(fd))
			return false;
	} while (fd >= 0 && is("edge"));
	return true;
}

static bool one_taken(void)
{
	return n_taken >= 1;
}

static bool all_taken(void)
{
	return n_taken >= CLIENTS;
}

/* A queue that is empty, or so it is. */
static void say_queue(void)
{
	int flags = (int)MUST(fcntl(listener, F_GETFL));
	MUST(fcntl(listener, F_SETFL, flags | O_NONBLOCK));
	say_result("then accept", accept(listener, NULL, NULL));
	MUST(fcntl(listener, F_SETFL, flags));
	say_poll("the listener", listener);
}

static void after_accept(void)
{
	for (int i = 0; i < n_clients; i++)
		say_poll("a client", client[i]);
	say_queue();
}

/* Two failures, then there is room again. Where the kernel does it the limit is the process's own. */
static void without_room(void)
{
	serve();
	MUST(getrlimit(RLIMIT_NOFILE, &files));
	for (int i = 0; i < CLIENTS; i++)	/* they have their descriptors already */
		client[i] = (int)MUST(socket(family, SOCK_STREAM, 0));
}

static void take_room(void)
{
	int next = (int)MUST(dup(0));
	close(next);
	struct rlimit none = { (rlim_t)next, files.rlim_max };
	if (real)
		MUST(setrlimit(RLIMIT_NOFILE, &none));
}

static bool act_full(void)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int fd, saved;
	pthread_once(&once, take_room);
	do {
		if (!is("block"))
			pthread_mutex_lock(&turn);
		fd = accept(listener, NULL, NULL);
		saved = errno;
		if (fd < 0 && saved != EAGAIN && saved != EINTR && ++asked == 2 && real)
			setrlimit(RLIMIT_NOFILE, &files);
		if (!is("block"))
			pthread_mutex_unlock(&turn);
		errno = saved;
		if (!note_accept(fd))
			return false;
	} while (fd >= 0 && is("edge"));
	return true;
}

static bool was_refused_room(void)
{
	return asked >= 2 || (is("edge") && asked >= n_clients);
}

static void clients_meet_no_room(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		MUST(connect(client[n_clients++], (struct sockaddr *)&at, at_len));
		wait_until(was_refused_room);
	}
}

/* As the kernels do it that give such errnos: the connection is gone, and the peer hears of it. */
static bool act_dropping(void)
{
	static int drops;
	int fd;
	do {
		fd = accept(listener, NULL, NULL);
		if (over)
			return false;
		if (real && fd >= 0 && __atomic_fetch_add(&drops, 1, __ATOMIC_SEQ_CST) == 0) {
			reset_by(&fd);
			errno = ECONNABORTED;
		}
		if (fd < 0 && errno != EAGAIN)
			__atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
		note_accept(fd);
	} while (fd >= 0 && is("edge"));
	return true;
}

static bool dropped(void)
{
	return asked > 0;
}

static void two_come(void)
{
	come();
	wait_until(dropped);
	come();
}

static void after_drop(void)
{
	char c;
	wait_for_events(client[0], POLLIN);
	say_poll("the first client", client[0]);
	say_result("recv", recv(client[0], &c, 1, MSG_DONTWAIT));
	say_poll("the second", client[1]);
	say_queue();
}

static void reset_in_queue(void)
{
	serve();
	come();
	MUST(send(client[0], "abc", 3, 0));
	if (real)
		reset_by(&client[0]);
	n_clients = 0;
}

static void after_reset_in_queue(void)
{
	char buf[8];
	say_result("recv", recv(taken[0], buf, 8, MSG_DONTWAIT));
	say_result("recv", recv(taken[0], buf, 8, MSG_DONTWAIT));
	say_dead(taken[0]);
	say_queue();
}

static volatile bool stolen;

static void steal(void)
{
	pthread_mutex_lock(&lock);
	if (real && !stolen && !is("block"))
		stolen = accept(listener, NULL, NULL) >= 0;
	pthread_mutex_unlock(&lock);
}

static bool was_stolen(void)
{
	return stolen;
}

static void come_and_go(void)
{
	if (real && !is("block")) {
		connect_one();
		wait_until(was_stolen);
	}
	come();
}

static bool act_once(void)
{
	return note_accept(accept(listener, NULL, NULL));
}

static void come_later(void)
{
	if (real)
		pause_ms(300);
	come();
}

static void after_later(void)
{
	say("; %s", first_ns - began_ns >= 300000000 ? "not before its time" : "too early");
	after_accept();
}

static bool was_interrupted(void)
{
	return how_often("EINTR") > 0;
}

static void interrupt(void)
{
	if (real && is("block"))
		MUST(tgkill(getpid(), tids[0], SIGUSR2));
	if (is("block"))
		wait_until(was_interrupted);
	come();
}

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

static void signalled(void)
{
	struct sigaction sa = { .sa_handler = count_signal };
	sigaction(SIGUSR1, &sa, NULL);
	serve();
}

static bool act_signalled(void)
{
	static int calls;
	if (real && __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST) == 0)
		raise(SIGUSR1);
	return note_accept(accept(listener, NULL, NULL));
}

static void after_signal(void)
{
	say("; SIGUSR1 %d", signals);
	after_accept();
}

/* ---- connect ---- */

/* The client's own end of an attempt. */
static bool act_connected(void)
{
	int e = 0;
	socklen_t len = sizeof(e);
	if (is("block"))
		e = connect(a, (struct sockaddr *)&at, at_len) < 0 ? errno : 0;
	else
		MUST(getsockopt(a, SOL_SOCKET, SO_ERROR, &e, &len));
	if (over)
		return false;
	note_text(e ? strerrorname_np(e) : "ok");
	__atomic_add_fetch(&seen.ends, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void attempt(void)
{
	a = (int)MUST(socket(family, SOCK_STREAM, 0));
	set_mode(a);
	if (!is("block"))
		say_result("connect", connect(a, (struct sockaddr *)&at, at_len));
	say("; ");
}

static void to_closed(void)
{
	listen_somewhere(-1);
	if (!real)
		MUST(listen(listener, 8));
	attempt();
}

/* To a port that was handed out and given back: ruled: another has it since; real: one takes it now. */
static void to_stolen(void)
{
	int probe, thief;
	listen_somewhere(-1);
	probe = listener;
	listener = -1;
	MUST(close(probe));
	if (real) {
		thief = (int)MUST(socket(family, SOCK_STREAM, 0));
		MUST(bind(thief, (struct sockaddr *)&at, at_len));
	}
	listener = (int)MUST(socket(family, SOCK_STREAM, 0));
	say_result("bind", bind(listener, (struct sockaddr *)&at, at_len));
	attempt();
}

static void to_full(void)	/* both: by the backlog that listen was given */
{
	listen_somewhere(real ? 0 : 8);
	come();
	attempt();
}

static void to_slow(void)	/* real: a full queue; ruled: the attempt itself */
{
	listen_somewhere(real ? 0 : 8);
	if (real)
		come();
	attempt();
}

static void make_room(void)
{
	pause_ms(100);
	say("%s; ", ends() ? "at once" : "not yet");
	if (real || n_clients)
		MUST(accept(listener, NULL, NULL));
}

static void after_connect(void)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	say_poll("it", a);
	say_error("it", a);
	say_result("getpeername", getpeername(a, (struct sockaddr *)&ss, &len));
}

static const struct scene scenes[] = {
	{ "no-room", &listener, POLLIN, without_room, clients_meet_no_room, NULL, act_full, all_taken, after_accept },
	{ "dropped", &listener, POLLIN, serve, two_come, NULL, act_dropping, one_taken, after_drop },
	{ "reset-in-queue", &listener, POLLIN, reset_in_queue, NULL, NULL, act_accept, one_taken, after_reset_in_queue },
	{ "nothing-there", &listener, POLLIN, serve, come_and_go, steal, act_accept, one_taken, NULL },
	{ "later", &listener, POLLIN, serve, come_later, NULL, act_once, one_taken, after_later },
	{ "interrupted", &listener, POLLIN, serve, interrupt, NULL, act_accept, one_taken, after_accept },
	{ "signalled", &listener, POLLIN, signalled, come, NULL, act_signalled, one_taken, after_signal },
	{ "refused", &a, POLLOUT, to_closed, NULL, NULL, act_connected, all_ended, after_connect },
	{ "stolen", &a, POLLOUT, to_stolen, NULL, NULL, act_connected, all_ended, after_connect },
	{ "full", &a, POLLOUT, to_full, make_room, NULL, act_connected, all_ended, after_connect },
	{ "slow", &a, POLLOUT, to_slow, make_room, NULL, act_connected, all_ended, after_connect },
};

int main(int argc, char **argv)
{
	return play_all(argc, argv, scenes, sizeof(scenes) / sizeof(scenes[0]));
}
