/* seen.h - what the threads of a cell were told and got, and how it is said: text that depends on nobody's luck. */
#ifndef SEEN_H
#define SEEN_H

#include "target.h"
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

#define SAY_MAX 65536

static bool real;
static int family, threads;
static const char *how;

/* ---- what is said ---- */

static char *said;	/* shared with the parent */
static size_t said_len;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	said_len += (size_t)vsnprintf(said + said_len, SAY_MAX - said_len, format, ap);
	va_end(ap);
	if (said_len >= SAY_MAX)
		exit(98);
}

static const char *mask_text(char *buf, size_t n, unsigned e)
{
	snprintf(buf, n, "%s%s%s%s%s", e & POLLIN ? "+IN" : "", e & POLLOUT ? "+OUT" : "", e & POLLERR ? "+ERR" : "",
		 e & POLLHUP ? "+HUP" : "", e & POLLRDHUP ? "+RDHUP" : "");
	return e ? buf + 1 : "nothing";
}

static void say_result(const char *what, long r)
{
	if (r < 0)
		say("; %s %s", what, strerrorname_np(errno));
	else
		say("; %s %ld", what, r);
}

static void say_poll(const char *who, int fd)
{
	char buf[40];
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	MUST(poll(&p, 1, 0));
	say("; %s is %s", who, mask_text(buf, sizeof(buf), (unsigned)p.revents));
}

static void say_error(const char *who, int fd)
{
	int e = 0;
	socklen_t len = sizeof(e);
	MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len));
	say("; %s SO_ERROR %s", who, e ? strerrorname_np(e) : "0");
}

/* ---- what the threads have seen ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	unsigned mask[8];
	char result[16][24];
	int times[16], n_masks, n_results;
	long bytes;
	int wakes, live, ends, good;	/* waits that returned; threads that wait; last results; results >= 0 */
	long switches, usec;
} seen;
static volatile int over;

static bool is(const char *name)
{
	return strcmp(how, name) == 0;
}

/* Is each thread told of a lasting state, or only one of a change? */
static bool all_are_told(void)
{
	return !is("edge") && !is("oneshot");
}

/* Which of several threads was told of an error, before one took it, is a matter of luck. */
static void note_mask(unsigned m)
{
	pthread_mutex_lock(&lock);
	if (m & POLLHUP)
		m &= ~(unsigned)POLLERR;
	int i = 0;
	while (i < seen.n_masks && seen.mask[i] != m)
		i++;
	if (i == seen.n_masks && i < 8)
		seen.mask[seen.n_masks++] = m;
	seen.wakes++;
	pthread_mutex_unlock(&lock);
}

/* That one of several was too late depends on who was faster. */
static void note(const char *text)
{
	if (threads > 1 && strcmp(text, "EAGAIN") == 0)
		return;
	int i = 0;
	while (i < seen.n_results && strcmp(seen.result[i], text) != 0)
		i++;
	if (i == 16)
		exit(97);
	if (i == seen.n_results)
		snprintf(seen.result[seen.n_results++], sizeof(seen.result[0]), "%s", text);
	seen.times[i]++;
}

/* Keeps errno. */
static void note_result(long r)
{
	char text[24];
	int saved = errno;
	pthread_mutex_lock(&lock);
	if (r < 0)
		note(strerrorname_np(errno));
	else
		snprintf(text, sizeof(text), "%ld", r), note(text);
	seen.bytes += r > 0 ? r : 0;
	seen.good += r >= 0;
	pthread_mutex_unlock(&lock);
	errno = saved;
}

static int how_often(const char *text)
{
	for (int i = 0; i < seen.n_results; i++)
		if (strcmp(seen.result[i], text) == 0)
			return seen.times[i];
	return 0;
}

static void say_seen(void)
{
	char buf[40];
	say("%s", seen.n_masks || is("block") ? "" : "not told");
	for (unsigned m = 0; m < 64; m++)	/* POLLRDHUP is 0x2000: sorted by what they say */
		for (int i = 0; i < seen.n_masks; i++)
			if (((seen.mask[i] & 31) | (seen.mask[i] & POLLRDHUP ? 32u : 0)) == m)
				say("told %s ", mask_text(buf, sizeof(buf), seen.mask[i]));
	say("got");
	for (bool any = true; any;) {		/* in the order of their names */
		int least = -1;
		for (int i = 0; i < seen.n_results; i++)
			if (seen.times[i] && (least < 0 || strcmp(seen.result[i], seen.result[least]) < 0))
				least = i;
		any = least >= 0;
		if (!any)
			break;
		/* How many were told of a change, one or two, is a matter of luck; and what is left behind it is 0. */
		if (all_are_told() || threads == 1)
			say(" %dx %s", seen.times[least], seen.result[least]);
		else if (strcmp(seen.result[least], "0") != 0 || seen.n_results == 1)
			say(" %s", seen.result[least]);
		seen.times[least] = 0;
	}
}

#endif
