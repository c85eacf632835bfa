/* epset.h - the epoll sets of this process: which there are, where a socket is registered in them, and a timer in each
 * that wakes whoever waits there. Everything under ready_lock. What the kernel says in /proc/self/fdinfo counts, so
 * registrations that were made unseen (before snag, by a parent) are found too. */
#ifndef PRELOAD_EPSET_H
#define PRELOAD_EPSET_H

#include <session/sock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct epset_place {		/* one registration */
	int epfd, fd;
	uint32_t events;
	uint64_t data;
};

/* More registrations of one socket than these are left alone. */
#define EPSET_PLACES 32
struct epset_places {
	unsigned n;
	struct epset_place place[EPSET_PLACES];
};

/* This descriptor is an epoll set: the program waits on it, or registers something. */
void epset_note(int epfd);
/* Was that said before? Without the lock. */
bool epset_known(int epfd);

/* Where the socket is registered. */
void epset_find(struct epset_places *p, struct sock_ref r);
/* The first registration in a set that waits for something to read, and whose descriptor `fits`. */
bool epset_first(struct epset_place *p, int epfd, bool (*fits)(int fd));
/* An EPOLLONESHOT registration, as after its event. */
void epset_use_up(const struct epset_place *p);
/* Is another descriptor registered in the same set with the same data? */
bool epset_has_twin(const struct epset_place *p);
/* Takes it out of all its sets, and puts it back: readiness is then looked at afresh. A used-up EPOLLONESHOT stays
 * used up. */
void epset_take(struct epset_places *p, struct sock_ref r);
void epset_put(const struct epset_places *p);

/* Wake whoever waits in any set (or in one, and then in what it is nested in) at this session time at the latest. */
void epset_wake_at(uint64_t due);
/* Is this event's data that of such a timer, or of news.h? */
bool epset_is_timer(uint64_t data);
/* Nothing more to wake for: the timers are closed. */
void epset_rest(void);

#endif
