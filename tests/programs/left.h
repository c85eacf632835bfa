/* left.h - all that a program can ask of its sockets and of itself, as lines of text: two that were treated alike say
 * the same. */
#ifndef LEFT_H
#define LEFT_H

#include "target.h"
#include <stdarg.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/time.h>

struct left_start {
	long anonymous, files;	/* bytes mapped */
};

struct left {
	char *text;
	size_t len, room;
	const char *head;
};

__attribute__((format(printf, 2, 3))) static inline void left_say(struct left *l, const char *format, ...)
{
	va_list ap;
	l->len += (size_t)snprintf(l->text + l->len, l->room - l->len, "%s", l->head);
	va_start(ap, format);
	l->len += (size_t)vsnprintf(l->text + l->len, l->room - l->len, format, ap);
	va_end(ap);
	if (l->len + 1 >= l->room)
		exit(96);
	l->text[l->len++] = '\n';
	l->text[l->len] = 0;
}

/* What differs between any two sockets, or is made by the asking. */
static inline bool left_is_own(int level, int name)
{
	static const int own[] = { SO_ERROR, SO_PEERCRED, 49 /* INCOMING_CPU */, 55 /* MEMINFO */, 56 /* NAPI_ID */,
				   57 /* COOKIE */, 77 /* PEERPIDFD */, SO_PEERSEC };
	static const int tcp[] = { TCP_MAXSEG /* learned */, TCP_INFO, TCP_CC_INFO, TCP_TIMESTAMP, TCP_ZEROCOPY_RECEIVE };
	if (level == IPPROTO_IP && name == 52 /* IP_PROTOCOL: its port */)
		return true;
	for (size_t i = 0; level == SOL_SOCKET && i < sizeof(own) / sizeof(own[0]); i++)
		if (name == own[i])
			return true;
	for (size_t i = 0; level == IPPROTO_TCP && i < sizeof(tcp) / sizeof(tcp[0]); i++)
		if (name == tcp[i])
			return true;
	return false;
}

static inline void left_options(struct left *l, int who, int fd)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP };
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		for (int name = 0; name < 96; name++) {
			unsigned char value[64] = { 0 };
			char hex[2 * sizeof(value) + 1] = "";
			socklen_t len = sizeof(value);
			if (left_is_own(levels[i], name) || getsockopt(fd, levels[i], name, value, &len) < 0)
				continue;
			for (socklen_t k = 0; k < len && k < sizeof(value); k++)
				sprintf(hex + 2 * k, "%02x", value[k]);
			left_say(l, "socket %d option %d/%d %s", who, levels[i], name, hex);
		}
}

static inline void left_socket(struct left *l, int who, int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	if (fd < 0 || fcntl(fd, F_GETFD) < 0) {
		left_say(l, "socket %d closed", who);
		return;
	}
	left_say(l, "socket %d flags %x %x owner %d signal %d", who, (unsigned)fcntl(fd, F_GETFL),
		 (unsigned)fcntl(fd, F_GETFD), fcntl(fd, F_GETOWN), fcntl(fd, F_GETSIG));
	left_options(l, who, fd);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		left_say(l, "socket %d tcp state %d options %d scales %d %d", who, info.tcpi_state, info.tcpi_options,
			 info.tcpi_snd_wscale, info.tcpi_rcv_wscale);
}

/* The lines of a file of /proc/self that begin so. */
static inline void left_file(struct left *l, const char *what, const char *path, const char *begin)
{
	char line[512];
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, begin, strlen(begin)) == 0)
			left_say(l, "%s %s", what, line);
	}
	if (f)
		fclose(f);
}

/* Where the registrations of an epoll set stand, but for the numbers of descriptors. */
static inline void left_set(struct left *l, int fd)
{
	char path[64], line[256];
	unsigned events;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "tfd: %*d events: %x", &events) == 1)
			left_say(l, "epoll set: a descriptor for %x", events);
	if (f)
		fclose(f);
}

/* Those that are no sockets: how many of these there are is the story's; but none stands where snag has its own. */
static inline void left_descriptors(struct left *l)
{
	for (int fd = 3; fd < 4096; fd++) {
		char path[64], to[128];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, to, sizeof(to) - 1);
		if (n < 0)
			continue;
		to[n] = 0;
		if (to[0] != '/')
			to[strcspn(to, "0123456789")] = 0;
		if (fd >= 500)
			left_say(l, "descriptor %d %s", fd, to);
		else if (strncmp(to, "socket", 6) != 0)
			left_say(l, "descriptor %s", to);
		if (strstr(to, "eventpoll"))
			left_set(l, fd);
	}
}

static inline void left_begin(struct left_start *s)
{
	unsigned long from, to, inode;
	memset(s, 0, sizeof(*s));
	FILE *f = fopen("/proc/self/maps", "r");
	for (char line[512]; f && fgets(line, sizeof(line), f);)
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3)
			*(inode ? &s->files : &s->anonymous) += (long)(to - from);
	if (f)
		fclose(f);
}

static inline size_t left_text(char *text, size_t room, const char *head, const struct left_start *start,
			       const int fds[], int n)
{
	static const char *const lines[] = { "Threads:", "SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "ShdPnd:" };
	struct left l = { .text = text, .room = room, .head = head };
	struct left_start now;
	struct itimerval t;
	for (int i = 0; i < n; i++)
		left_socket(&l, i, fds[i]);
	left_descriptors(&l);
	left_file(&l, "timer", "/proc/self/timers", "ID");
	for (int which = 0; which < 3; which++) {
		getitimer(which, &t);
		left_say(&l, "itimer %d %s", which, t.it_value.tv_sec || t.it_value.tv_usec ? "set" : "none");
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		left_file(&l, "process", "/proc/self/status", lines[i]);
	left_begin(&now);
	left_say(&l, "mapped since: anonymous %ld, files %ld", now.anonymous - start->anonymous, now.files - start->files);
	return l.len;
}

#endif
