/* waiting WHAT - how a delayed or failing call feels to the program; says what it got. The first accept or connect is
 * the one that rules are written for.
 *   accept            a connection waits in the queue; accept it
 *   accept-eintr      the same, while a handler without SA_RESTART runs
 *   accept-restart    the same, with SA_RESTART
 *   accept-timeout    the same, with SO_RCVTIMEO of 50 ms
 *   accept-cancel     the thread in accept is cancelled; then the connection is still there
 *   accept-fds        a thread waits in accept: its own descriptor is numbered high, and closed
 *   connect           blocking connect
 *   connect-eintr     interrupted; the attempt goes on
 *   connect-late      non-blocking: what connect, poll and SO_ERROR say
 *   connect-unix      to a unix socket */
#include "target.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/un.h>

static int listener;

static void say(const char *what, long r)
{
	printf("%s %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static void nothing(int sig)
{
	(void)sig;
}

static void interrupt_soon(int flags)
{
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = flags };
	struct itimerval soon = { .it_value = { 0, 50000 } };
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void *accepting(void *arg)
{
	say("accept", accept(listener, NULL, NULL));
	return arg;
}

static void do_accept(void)
{
	say("accept", accept(listener, NULL, NULL));
	fcntl(listener, F_SETFL, O_NONBLOCK);
	say("then", accept(listener, NULL, NULL));
}

static void do_cancel(void)
{
	pthread_t t;
	void *end;
	pthread_create(&t, NULL, accepting, NULL);
	pthread_cancel(t);
	pthread_join(t, &end);
	printf("%s\n", end == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
	fcntl(listener, F_SETFL, O_NONBLOCK);
	say("then", accept(listener, NULL, NULL));
}

static int low_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' && atoi(e->d_name) < 500;
	closedir(d);
	return n;
}

static int all_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void do_fds(void)
{
	pthread_t t;
	int before = low_fds(), all = all_fds(), waits = 0;
	pthread_create(&t, NULL, accepting, NULL);
	for (int i = 0; i < 100000 && !waits; i++)	/* until the wait's own descriptor is there, and only a high one */
		waits = all_fds() > all && low_fds() == before && all_fds() > all;
	printf("%s\n", waits ? "waits on a high descriptor" : "none seen");
	pthread_join(t, NULL);
	printf("%d left behind\n", all_fds() - all - 1);	/* the accepted connection stays */
}

static void do_connect(int flags)
{
	struct sockaddr_in a = address_of(listener);
	struct pollfd p = { .events = POLLIN | POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);
	p.fd = (int)MUST(socket(AF_INET, SOCK_STREAM | flags, 0));
	say("connect", connect(p.fd, (struct sockaddr *)&a, sizeof(a)));
	printf("poll %d", poll(&p, 1, 5000));
	printf(" %s%s%s%s\n", p.revents & POLLIN ? "IN " : "", p.revents & POLLOUT ? "OUT " : "",
	       p.revents & POLLERR ? "ERR " : "", p.revents & POLLHUP ? "HUP" : "");
	MUST(getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len));
	printf("SO_ERROR %s\n", err ? strerrorname_np(err) : "0");
}

static void do_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "snag-waiting-%d", (int)getpid());
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1));
	int s = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c = (int)MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	MUST(bind(s, (struct sockaddr *)&a, len));
	MUST(listen(s, 5));
	say("connect", connect(c, (struct sockaddr *)&a, len));
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct timeval tv = { 0, 50000 };
	setvbuf(stdout, NULL, _IOLBF, 0);
	listener = listening(5);
	if (strncmp(what, "accept", 6) == 0)
		connected_to(listener);
	if (strcmp(what, "accept-eintr") == 0)
		interrupt_soon(0);
	if (strcmp(what, "accept-restart") == 0)
		interrupt_soon(SA_RESTART);
	if (strcmp(what, "accept-timeout") == 0)
		MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	if (strcmp(what, "accept-cancel") == 0)
		do_cancel();
	else if (strcmp(what, "accept-fds") == 0)
		do_fds();
	else if (strncmp(what, "accept", 6) == 0)
		do_accept();
	if (strcmp(what, "connect-eintr") == 0)
		interrupt_soon(0);
	if (strcmp(what, "connect-unix") == 0)
		do_unix();
	else if (strncmp(what, "connect", 7) == 0)
		do_connect(strcmp(what, "connect-late") == 0 ? SOCK_NONBLOCK : 0);
	return 0;
}
