/* epset.c - the epoll sets of this process */
#include "epset.h"
#include "fdtab.h"
#include "news.h"
#include "ready.h"
#include "self.h"
#include <base/sys.h>
#include <effects/wait.h>
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#define SETS_MAX 128

struct set {
	int epfd, timer;	/* timer + 1; 0: none */
	uint64_t due;		/* session time at which it goes off; READY_NEVER: it does not */
};

static struct set sets[SETS_MAX];
static unsigned n_sets;
static char mark;		/* its address is the data of timers: no program registers that */

/* ---- which there are ---- */

bool epset_known(int epfd)
{
	for (unsigned i = 0; i < load_acquire(&n_sets) && i < SETS_MAX; i++)
		if (load_relaxed(&sets[i].epfd) == epfd)
			return true;
	return false;
}

void epset_note(int epfd)
{
	if (epfd < 0 || epset_known(epfd) || n_sets == SETS_MAX)
		return;
	sets[n_sets] = (struct set){ .epfd = epfd, .due = READY_NEVER };
	store_release(&n_sets, n_sets + 1);
}

static void forget(struct set *s)
{
	if (s->timer)
		sys_close_kept(s->timer - 1);
	*s = sets[--n_sets];
}

/* ---- where a socket is registered ---- */

/* A file of /proc, line by line. */
struct lines {
	int fd;
	size_t at, have;
	char buf[1024];
};

/* The next line, without its end; NULL: there is none. One that does not fit is passed over. */
static char *next_line(struct lines *l)
{
	for (;;) {
		char *start = l->buf + l->at, *stop = memchr(start, '\n', l->have - l->at);
		if (stop) {
			*stop = 0;
			l->at = (size_t)(stop - l->buf) + 1;
			return start;
		}
		memmove(l->buf, start, l->have - l->at);
		l->have -= l->at;
		l->at = 0;
		if (l->have == sizeof(l->buf))
			l->have = 0;
		ssize_t n = sys_read(l->fd, l->buf + l->have, sizeof(l->buf) - l->have);
		if (n <= 0)
			return NULL;
		l->have += (size_t)n;
	}
}

/* The number behind `key` in a line, in this base. */
static bool field(const char *line, const char *key, unsigned base, uint64_t *n)
{
	size_t len = strlen(key), end = strlen(line), i = 0;
	bool any = false;
	for (; i + len <= end && memcmp(line + i, key, len) != 0; i++)
		;
	if (i + len > end)
		return false;
	for (i += len; line[i] == ' ' || line[i] == '\t'; i++)
		;
	for (*n = 0;; i++, any = true) {
		unsigned c = (unsigned char)line[i], d = c - '0';
		if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10;
		if (d >= base)
			return any;
		*n = *n * base + d;
	}
}

static int open_info(int epfd)
{
	char path[48];
	size_t len = 0;
	sys_append(path, sizeof(path), &len, "/proc/self/fdinfo/");
	sys_append_number(path, sizeof(path), &len, (uint64_t)epfd);
	return sys_open(path, O_RDONLY | O_CLOEXEC, 0);
}

static bool next_place(struct lines *l, struct epset_place *p)
{
	uint64_t fd, events;
	for (char *line; (line = next_line(l));)
		if (field(line, "tfd:", 10, &fd) && field(line, "events:", 16, &events) &&
		    field(line, "data:", 16, &p->data)) {
			p->fd = (int)fd;
			p->events = (uint32_t)events;
			return true;
		}
	return false;
}

static void find_in(struct epset_places *p, int epfd, struct sock_ref r)
{
	struct epset_place at = { .epfd = epfd };
	struct lines l = { .fd = open_info(epfd) };
	if (l.fd < 0)
		return;
	while (p->n < EPSET_PLACES && next_place(&l, &at)) {
		struct sock_ref there = fdtab_get(at.fd);
		if (there.sock == r.sock && there.serial == r.serial)
			p->place[p->n++] = at;
	}
	sys_close(l.fd);
}

bool epset_has_twin(const struct epset_place *p)
{
	struct epset_place at;
	struct lines l = { .fd = open_info(p->epfd) };
	bool found = false;
	if (l.fd < 0)
		return false;
	while (!found && next_place(&l, &at))
		found = at.data == p->data && at.fd != p->fd;
	sys_close(l.fd);
	return found;
}

void epset_find(struct epset_places *p, struct sock_ref r)
{
	p->n = 0;
	for (unsigned i = 0; i < n_sets; i++)
		find_in(p, sets[i].epfd, r);
}

static long control(int op, int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };
	return sys_call(SYS_epoll_ctl, epfd, op, fd, &e);
}

/* Of a used-up one the kernel reports nothing, but would report EPOLLERR and EPOLLHUP of it once it is put back. */
static bool used_up(const struct epset_place *p)
{
	return !(p->events & ~(uint32_t)(EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE));
}

void epset_take(struct epset_places *p, struct sock_ref r)
{
	unsigned n = 0;
	epset_find(p, r);
	for (unsigned i = 0; i < p->n; i++)
		if (!used_up(&p->place[i]) && control(EPOLL_CTL_DEL, p->place[i].epfd, p->place[i].fd, 0, 0) == 0)
			p->place[n++] = p->place[i];
	p->n = n;
}

void epset_put(const struct epset_places *p)
{
	for (unsigned i = 0; i < p->n; i++)
		control(EPOLL_CTL_ADD, p->place[i].epfd, p->place[i].fd, p->place[i].events, p->place[i].data);
}

bool epset_first(struct epset_place *p, int epfd, bool (*fits)(int fd))
{
	struct lines l = { .fd = open_info(epfd) };
	bool found = false;
	p->epfd = epfd;
	if (l.fd < 0)
		return false;
	while (!found && next_place(&l, p))
		found = (p->events & EPOLLIN) && !epset_is_timer(p->data) && fits(p->fd);
	sys_close(l.fd);
	return found;
}

void epset_use_up(const struct epset_place *p)
{
	control(EPOLL_CTL_MOD, p->epfd, p->fd, p->events & (EPOLLONESHOT | EPOLLET | EPOLLWAKEUP), p->data);
}

/* ---- waking ---- */

static bool open_timer(struct set *s)
{
	int fd = s->timer && sys_is_kept(s->timer - 1) ? s->timer - 1 : wait_timer();
	if (fd < 0)
		return false;
	s->timer = fd + 1;
	long r = control(EPOLL_CTL_ADD, s->epfd, fd, EPOLLIN | EPOLLET, (uintptr_t)&mark);
	news_enter(s->epfd, (uintptr_t)&mark);
	return r == 0 || r == -EEXIST;
}

/* False: this is no epoll set any more. */
static bool set_timer(struct set *s, uint64_t due)
{
	struct itimerspec t = { .it_value = sys_timespec(session.header->start_ns + due) };
	if (!open_timer(s))
		return false;
	sys_call(SYS_timerfd_settime, s->timer - 1, TFD_TIMER_ABSTIME, &t, NULL);
	s->due = due;
	return true;
}

void epset_wake_at(uint64_t due)
{
	uint64_t now = self_now();
	for (unsigned i = n_sets; due != READY_NEVER && i-- > 0;)
		if ((due < sets[i].due || sets[i].due <= now) && !set_timer(&sets[i], due))
			forget(&sets[i]);
}

bool epset_is_timer(uint64_t data)
{
	return data == (uintptr_t)&mark;
}

void epset_rest(void)
{
	bool any = false;
	for (unsigned i = 0; i < n_sets; i++) {
		if (sets[i].timer)
			sys_close_kept(sets[i].timer - 1);
		any |= sets[i].timer != 0;
		sets[i].timer = 0;
		sets[i].due = READY_NEVER;
	}
	if (any)
		news_end();
}
