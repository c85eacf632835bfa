/* self.h - this process in its session.
 *
 * Three levels: before the constructor every hook goes straight to a raw system call; after it, to the real function;
 * once the process has joined a session, hooks describe, decide, act and commit.
 *
 * What speaks of this very process stands on one page that the kernel blanks in a fork child (MADV_WIPEONFORK): a blank
 * page means "born just now, join". A child made by vfork, or by clone with shared memory, has another pid and finds
 * the page intact: the memory is its parent's, and it leaves everything alone. */
#ifndef PRELOAD_SELF_H
#define PRELOAD_SELF_H

#include <base/base.h>
#include <engine/engine.h>
#include <session/sock.h>
#include <snag/call.h>
#include <trace/ring.h>

enum self_state {
	SELF_BLANK,	/* a fork child that has not joined yet */
	SELF_JOINING,	/* on the way; a hook in between passes through */
	SELF_ALIVE,
	SELF_ENDED,	/* it has left, or could not join */
};

/* In which network namespace it makes sockets. */
enum self_netns {
	SELF_NETNS_UNASKED,
	SELF_NETNS_HOME,	/* that of the session */
	SELF_NETNS_ELSEWHERE,
	SELF_NETNS_MOVES,	/* it has called setns() or unshare(), which move one thread: each socket is asked */
};

struct self {
	uint32_t state;		/* enum self_state */
	uint32_t threads;	/* ordinals given to threads so far */
	uint32_t entry;		/* it joined without a parent inside */
	uint32_t netns;		/* enum self_netns */
	struct snag_who who;	/* the template of every call's `who`; tid and thread are 0 */
};

/* NULL: not attached to any session. */
extern struct self *self;
extern struct session session;
extern struct engine engine;
extern bool self_asks_user;	/* rules match the user: read the effective uid at every call */

/* One thread's own. A fork child finds its parent's copy: `pid` tells. */
struct self_thread {
	uint32_t pid, tid, ordinal;
	uint32_t ticket;	/* fork in progress: the process slot taken for the child */
	void *left;		/* mapped by a vfork child of this thread that then turned into another program */
	size_t left_size;
};
extern __thread struct self_thread self_thread;

/* After attach: map the page, join, write the record of the start. 0 or -errno. */
int self_start(void);
/* In a fork child: join with the ticket that its parent's thread noted, or without; all known descriptors are its
 * own. */
void self_born(void);
/* Is this process in the session, so that its calls are looked at? Joins where it was just born. */
static inline bool self_active(void)
{
	if (unlikely(!self))
		return false;
	if (unlikely(load_acquire(&self->state) != SELF_ALIVE)) {
		self_born();
		return load_acquire(&self->state) == SELF_ALIVE;
	}
	return true;
}
/* Is the caller a child that borrows its parent's memory? One system call. */
bool self_borrowed(void);
/* The end: a record, every reference dropped; an entry waits, at most a second, until its last event is written. */
void self_end(void);
/* The end before the process's own: it is about to forbid itself system calls that snag would make. From now on neither
 * it nor its fork children are in the session, and no hook makes a system call of its own. */
void self_leave(void);
/* Who calls, for this thread. */
void self_who(struct snag_who *who);

/* The session's lock, with repair of what a dead owner left. False: not to be had; that is counted. */
struct session_guard;
bool self_lock(struct session_guard *g);
void self_unlock(struct session_guard *g);
/* Something went unrecorded. */
void self_lost(void);

/* Session time, 0 where there is none yet. */
uint64_t self_now(void);
/* Write one event of n records. */
void self_event(union snag_event *ev, unsigned n);

/* The reference of this process to r at some descriptor is gone; the model forgets the socket with its last one. True:
 * it was the last. Called with `keep` set, the socket's slot stays until self_forget, so that the closing call's event
 * can still speak of it. */
bool self_drop(struct sock_ref r, bool keep);
void self_forget(struct sock_ref r);
/* proc_closed_fn: the session tells that a socket's last reference is gone. */
void self_closed(void *arg, uint32_t proc, uint32_t sock);
/* Is the socket linked to a port in the model, so that changing it needs the lock? */
bool self_on_port(uint32_t sock);
/* A new descriptor means r. What stood there before was closed unseen, and is dropped. */
void self_put(int fd, struct sock_ref r);

#endif
