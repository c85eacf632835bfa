/* poll.c - poll, ppoll, select, pselect
 *
 * Each real wait ends no later than the next thing that is due, which is then done, and the wait goes on with the time
 * that is left. */
#include "arrivals.h"
#include "held.h"
#include "resets.h"
#include "wait.h"
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>

/* ---- poll ---- */

#define VEIL_STACK 64		/* descriptors whose copy stands on the stack */

/* A copy of what the program waits for. In place of listeners that are held stands what tells of newcomers, once. */
struct veil {
	struct pollfd *copy;	/* NULL: nothing is hidden; wait for the program's own */
	uint64_t due;		/* session time at which that may change */
	int arrivals;		/* descriptor; -1: there is none, or nothing is hidden */
	struct pollfd room[VEIL_STACK];
};

static bool asks_to_read(short events)
{
	return events & (POLLIN | POLLRDNORM);
}

static bool veil_copy(struct veil *v, const struct pollfd *fds, nfds_t n)
{
	v->copy = v->room;
	if (n > VEIL_STACK)
		v->copy = sys_mmap(NULL, n * sizeof(*fds), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(v->copy))
		v->copy = NULL;
	else
		memcpy(v->copy, fds, n * sizeof(*fds));
	return v->copy != NULL;
}

static void veil_drop(struct veil *v, nfds_t n)
{
	if (v->copy && v->copy != v->room)
		sys_munmap(v->copy, n * sizeof(*v->copy));
	v->copy = NULL;
}

static void veil_make(struct veil *v, const struct pollfd *fds, nfds_t n)
{
	uint64_t until;
	v->copy = NULL;
	v->due = READY_NEVER;
	v->arrivals = -1;
	if (!(load_relaxed(&ready_flags) & READY_HOLDS) || !n || n > INT32_MAX ||
	    !hook_readable(fds, n * sizeof(*fds)))
		return;
	for (nfds_t i = 0; i < n; i++) {
		if (!asks_to_read(fds[i].events) || !held_hides(fds[i].fd, &until))
			continue;
		if (!v->copy && !veil_copy(v, fds, n))
			return;
		v->copy[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		v->due = until < v->due ? until : v->due;
		int arrivals = arrivals_of(fds[i].fd);
		if (v->arrivals < 0)
			v->copy[i].fd = v->arrivals = arrivals;
	}
	if (!v->copy)
		arrivals_end();
}

/* What the wait has found goes to the program, but for listeners that came to be held meanwhile. */
static int veil_lift(const struct veil *v, struct pollfd *fds, nfds_t n, int found)
{
	uint64_t until;
	for (nfds_t i = 0; v->copy && i < n; i++) {
		bool hidden = v->copy[i].fd != fds[i].fd;
		fds[i].revents = hidden ? 0 : v->copy[i].revents;
		if (!hidden || !v->copy[i].revents)
			continue;
		found--;
		arrivals_seen();
	}
	for (nfds_t i = 0; (load_relaxed(&ready_flags) & READY_HOLDS) && found > 0 && i < n; i++) {
		if (!asks_to_read(fds[i].revents) || !held_hides(fds[i].fd, &until))
			continue;
		fds[i].revents &= (short)~(POLLIN | POLLRDNORM);
		found -= !fds[i].revents;
	}
	return found;
}

/* Has one that was found been in the middle of a reset? */
static bool poll_met_reset(const struct pollfd *fds, nfds_t n)
{
	bool met = false;
	for (nfds_t i = 0; (load_relaxed(&ready_flags) & READY_BREAKS) && i < n; i++)
		met |= fds[i].revents && resets_met(fds[i].fd);
	return met;
}

static int poll_watched(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left;
	struct veil v;
	uint64_t end;
	if (!self_active() || !wait_end(timeout, &end))
		return real.ppoll(fds, n, timeout, mask);
	for (;;) {
		uint32_t changes = load_acquire(&ready_changes);
		uint64_t due = ready_run();
		veil_make(&v, fds, n);
		if (v.due < due)
			due = v.due;
		int r = real.ppoll(v.copy ? v.copy : fds, n, wait_left(end, due, &left), mask);
		ready_run();
		if (r >= 0)
			r = veil_lift(&v, fds, n, r);
		veil_drop(&v, n);
		if (r < 0 || (r > 0 && !poll_met_reset(fds, n) && changes == load_acquire(&ready_changes)))
			return r;
		if (r == 0 && wait_is_over(end))
			return 0;
	}
}

/* What is there already comes first; 0: nothing to wake up for. */
static int poll_spurious(struct pollfd *fds, nfds_t n)
{
	static const struct timespec now = { 0, 0 };
	int r = poll_watched(fds, n, &now, NULL);
	for (nfds_t i = 0; !r && n <= INT32_MAX && i < n; i++)
		if (asks_to_read(fds[i].events) && spurious_fits(fds[i].fd)) {
			fds[i].revents = POLLIN;
			return 1;
		}
	return r;
}

static int poll_as(unsigned id, struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
		   const void *caller)
{
	struct hook h;
	bool go = true, ruled = !spurious_left(SPURIOUS_POLL) && wait_enter(&h, id, caller, &go);
	if (!go)
		return (int)hook_leave(&h);
	int r = wait_spurious(&h, ruled, SPURIOUS_POLL) ? poll_spurious(fds, n) : 0;
	if (!r)
		r = poll_watched(fds, n, timeout, mask);
	return ruled ? wait_leave(&h, r) : r;
}

HOOK int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec t;
	if (likely(!ready_needed()))
		return real.poll(fds, n, timeout);
	t = sys_timespec((uint64_t)(timeout < 0 ? 0 : timeout) * NSEC_PER_MSEC);
	return poll_as(SNAG_CALL_poll, fds, n, timeout < 0 ? NULL : &t, NULL, __builtin_return_address(0));
}

HOOK_ALIAS(__poll, poll);

HOOK int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t;
	if (likely(!ready_needed()) || (timeout && !hook_readable(timeout, sizeof(*timeout))))
		return real.ppoll(fds, n, timeout, mask);
	if (timeout)
		t = *timeout;
	return poll_as(SNAG_CALL_ppoll, fds, n, timeout ? &t : NULL, mask, __builtin_return_address(0));
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t room);

/* The fortified ones compare the room behind fds, and end the program where it is too small: that is the C library's. */
HOOK int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	if (room / sizeof(*fds) < n)
		return real.poll_chk(fds, n, timeout, room);
	return poll(fds, n, timeout);
}

HOOK int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
	if (room / sizeof(*fds) < n)
		return real.ppoll_chk(fds, n, timeout, mask, room);
	return ppoll(fds, n, timeout, mask);
}

/* ---- select ---- */

#define SELECT_MAX 4096		/* descriptors; with more the real call is on its own */

struct fd_sets {
	unsigned long word[3][SELECT_MAX / 8 / sizeof(long)];	/* read, write, except */
};

static size_t set_bytes(int n)
{
	return ((size_t)n + 8 * sizeof(long) - 1) / (8 * sizeof(long)) * sizeof(long);
}

static void copy_sets(fd_set *const set[3], struct fd_sets *copy, int n, bool save)
{
	for (int i = 0; i < 3; i++)
		if (set[i])
			memcpy(save ? (void *)copy->word[i] : (void *)set[i],
			       save ? (void *)set[i] : (void *)copy->word[i], set_bytes(n));
}

static bool sets_readable(fd_set *const set[3], int n)
{
	for (int i = 0; i < 3; i++)
		if (set[i] && !hook_readable(set[i], set_bytes(n)))
			return false;
	return true;
}

static unsigned long *word_of(unsigned long *set, int fd, unsigned long *bit)
{
	*bit = 1ul << fd % (8 * (int)sizeof(long));
	return &set[fd / (8 * (int)sizeof(long))];
}

/* Takes the listeners that are held out of the set to read; answers how many. *arrivals: what to wait for in their place;
 * -1: nothing. */
static int veil_set(struct fd_sets *s, int n, uint64_t *due, int *arrivals)
{
	uint64_t until;
	unsigned long bit;
	int hidden = 0;
	*arrivals = -1;
	for (int fd = 0; (load_relaxed(&ready_flags) & READY_HOLDS) && fd < n; fd++) {
		unsigned long *word = word_of(s->word[0], fd, &bit);
		if (!(*word & bit) || !held_hides(fd, &until))
			continue;
		*word &= ~bit;
		*due = until < *due ? until : *due;
		*arrivals = arrivals_of(fd);
		hidden++;
	}
	if (!hidden)
		arrivals_end();
	return hidden;
}

/* One real wait, for arrivals as well. */
static int select_once(int n, fd_set *const set[3], struct fd_sets *s, int arrivals, const struct timespec *timeout,
		       const sigset_t *mask)
{
	fd_set *use[3];
	unsigned long bit = 0, *word = NULL;
	for (int i = 0; i < 3; i++)
		use[i] = set[i] ? (fd_set *)s->word[i] : NULL;
	if (arrivals >= 0 && arrivals < SELECT_MAX) {
		word = word_of(s->word[0], arrivals, &bit);
		*word |= bit;
		n = arrivals < n ? n : arrivals + 1;
	}
	int r = real.pselect(n, use[0], use[1], use[2], timeout, mask);
	if (r > 0 && word && (*word & bit)) {
		arrivals_seen();
		r--;
	}
	if (word)
		*word &= ~bit;
	return r;
}

/* Has one that was found been in the middle of a reset? */
static bool select_met_reset(struct fd_sets *s, int n)
{
	bool met = false;
	for (int fd = 0; (load_relaxed(&ready_flags) & READY_BREAKS) && fd < n; fd++) {
		unsigned long bit;
		for (size_t i = 0; i < ARRAY_LEN(s->word); i++)
			met |= (*word_of(s->word[i], fd, &bit) & bit) && resets_met(fd);
	}
	return met;
}

static int select_watched(int n, fd_set *const set[3], const struct timespec *timeout, const sigset_t *mask)
{
	struct fd_sets asked, seen;
	struct timespec left;
	uint64_t end;
	int arrivals;
	if (!self_active() || n < 0 || n > SELECT_MAX || !wait_end(timeout, &end) || !sets_readable(set, n))
		return real.pselect(n, set[0], set[1], set[2], timeout, mask);
	memset(&asked, 0, sizeof(asked));
	copy_sets(set, &asked, n, true);
	for (;;) {
		uint32_t changes = load_acquire(&ready_changes);
		uint64_t due = ready_run();
		seen = asked;
		veil_set(&seen, n, &due, &arrivals);
		int r = select_once(n, set, &seen, arrivals, wait_left(end, due, &left), mask);
		ready_run();
		if (r > 0)
			r -= veil_set(&seen, n, &due, &arrivals);
		if (r < 0)
			return r;
		if (r > 0 ? !select_met_reset(&seen, n) && changes == load_acquire(&ready_changes) : wait_is_over(end)) {
			copy_sets(set, &seen, n, false);
			return r;
		}
	}
}

static int select_spurious(int n, fd_set *const set[3])
{
	static const struct timespec now = { 0, 0 };
	struct fd_sets asked;
	if (n < 0 || n > SELECT_MAX || !sets_readable(set, n))
		return 0;
	copy_sets(set, &asked, n, true);
	int r = select_watched(n, set, &now, NULL);
	for (int fd = 0; !r && set[0] && fd < n; fd++) {
		unsigned long bit;
		if (!(*word_of(asked.word[0], fd, &bit) & bit) || !spurious_fits(fd))
			continue;
		*word_of((unsigned long *)set[0], fd, &bit) |= bit;
		return 1;
	}
	if (!r)
		copy_sets(set, &asked, n, false);
	return r;
}

static int select_as(unsigned id, int n, fd_set *const set[3], const struct timespec *timeout, const sigset_t *mask,
		     const void *caller)
{
	struct hook h;
	bool go = true, ruled = !spurious_left(SPURIOUS_SELECT) && wait_enter(&h, id, caller, &go);
	if (!go)
		return (int)hook_leave(&h);
	int r = wait_spurious(&h, ruled, SPURIOUS_SELECT) ? select_spurious(n, set) : 0;
	if (!r)
		r = select_watched(n, set, timeout, mask);
	return ruled ? wait_leave(&h, r) : r;
}

/* As on Linux, *timeout is left with what remains. */
HOOK int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	fd_set *const set[3] = { r, w, e };
	struct timespec t, left;
	uint64_t end;
	if (likely(!ready_needed()) || (timeout && (!hook_readable(timeout, sizeof(*timeout)) || timeout->tv_sec < 0 ||
						    timeout->tv_usec < 0 || timeout->tv_usec >= 1000000)))
		return real.select(n, r, w, e, timeout);
	if (timeout)
		t = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000 };
	wait_end(timeout ? &t : NULL, &end);
	int ret = select_as(SNAG_CALL_select, n, set, timeout ? &t : NULL, NULL, __builtin_return_address(0));
	if (timeout && wait_left(end, READY_NEVER, &left)) {
		timeout->tv_sec = left.tv_sec;
		timeout->tv_usec = left.tv_nsec / 1000;
	}
	return ret;
}

HOOK_ALIAS(__select, select);

HOOK int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask)
{
	fd_set *const set[3] = { r, w, e };
	struct timespec t;
	if (likely(!ready_needed()) || (timeout && !hook_readable(timeout, sizeof(*timeout))))
		return real.pselect(n, r, w, e, timeout, mask);
	if (timeout)
		t = *timeout;
	return select_as(SNAG_CALL_pselect, n, set, timeout ? &t : NULL, mask, __builtin_return_address(0));
}
