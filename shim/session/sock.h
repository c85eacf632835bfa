/* sock.h - identity of and references to the sockets of a session.
 *
 * A socket is a slot; its serial number is never reused and is what the trace calls `sock`. Most sockets are private:
 * one descriptor in one process; making and closing those takes no lock, only compare-and-swap on one word that
 * holds serial, owner and state together, so that a process can die between any two instructions. A socket becomes
 * shared when it is duplicated, inherited or passed on; then references are records (process, socket, descriptors),
 * changed under the lock. The kernel's cookie is read when identity is in doubt, and kept. */
#ifndef SESSION_SOCK_H
#define SESSION_SOCK_H

#include <session/proc.h>
#include <session/session.h>
#include <stdbool.h>
#include <stdint.h>

enum sock_state {
	SOCK_FREE,
	SOCK_PRIVATE,		/* one descriptor in the owner's process */
	SOCK_SHARED,		/* the reference records tell who has it */
	SOCK_CLOSING,		/* nobody has it any more; the owner frees it when the model has forgotten it */
};

enum sock_flag {		/* of private ones, from sock_confirm_begin on */
	SOCK_DOUBTED = 1 << 0,
	SOCK_CONFIRMED = 1 << 1,
};

struct sock {
	uint64_t word;		/* serial << 32 | owner slot + 1 << 8 | enum sock_state */
	uint64_t cookie;	/* SO_COOKIE; 0: not read yet */
	uint64_t key;		/* (creator's key, ordinal): the same in every run */
	int32_t fd;		/* the owner's descriptor, for people */
	uint32_t holds;		/* shared: index + 1 of the first reference record */
	uint32_t made_by;	/* serial of the process that made it */
	uint32_t flags;		/* enum sock_flag bits */
};

struct sock_hold {
	uint32_t sock;		/* slot + 1; 0: free */
	uint32_t proc;		/* slot + 1; SOCK_IN_FLIGHT: in a unix socket's queue */
	int32_t fd;		/* one of the descriptors, for people */
	uint32_t fds;		/* how many */
	uint32_t next;		/* index + 1 of the socket's next record */
};

#define SOCK_IN_FLIGHT 0xffffffffu

/* What a descriptor means; kept per process in its own memory, packed into one 64-bit word by the front end. */
struct sock_ref {
	uint32_t sock;		/* slot + 1; 0: none */
	uint32_t serial;
};

/* A new private socket of `proc` at descriptor fd. {0,0}: no room, counted. Lock-free. */
struct sock_ref sock_new(struct session *s, uint32_t proc, int fd);

/* Is this reference still the living socket that it was? Lock-free. */
bool sock_is(const struct session *s, struct sock_ref r);
bool sock_get(const struct session *s, uint32_t sock, struct sock *out);

/* The process closed one descriptor of it. True: that was the last reference anywhere; the slot is then free, unless
 * `keep` is set: then the caller frees it by sock_free when the model has forgotten it. Of several callers at once one
 * is told so. Private: lock-free; shared: under the lock, which is taken here if the caller does not hold it. */
bool sock_drop(struct session *s, uint32_t proc, struct sock_ref r, bool keep);
void sock_free(struct session *s, struct sock_ref r);
bool sock_shared(const struct session *s, struct sock_ref r);
/* Under the lock where it is shared: is there but one descriptor of it, in one process? */
bool sock_sole(const struct session *s, struct sock_ref r);

/* Under the lock: one more descriptor of it in `proc` (dup, adoption, arrival); SOCK_IN_FLIGHT for one on its way.
 * 0; -ENOENT: it is no longer there; -ENOSPC, -ENFILE: no room for the reference. */
int sock_hold(struct session *s, uint32_t proc, struct sock_ref r, int fd);

/* Under the lock: remember the kernel's cookie; find by it ({0,0}: never seen). */
void sock_publish(struct session *s, struct sock_ref r, uint64_t cookie);
struct sock_ref sock_find(const struct session *s, uint64_t cookie);

/* Under the lock from begin to end, after exec or fork or at joining: drops every reference of `proc` that is not
 * confirmed. sock_confirm is told of each descriptor found: one for a socket that others hold adds a reference; one for
 * a socket just made by sock_new confirms it. */
void sock_confirm_begin(struct session *s, uint32_t proc);
void sock_confirm(struct session *s, uint32_t proc, struct sock_ref r, int fd);
void sock_confirm_end(struct session *s, uint32_t proc, proc_closed_fn *closed, void *arg);

/* Who holds it, for people: the owner, or the living process that has had it longest; `others` counts those that share
 * it. 0: nobody. */
uint32_t sock_holder(const struct session *s, uint32_t sock, int *fd, unsigned *others);

/* Calls back with each living process that holds it, and one of its descriptors there. */
void sock_each_holder(const struct session *s, uint32_t sock, void (*each)(void *arg, const struct proc *p, int fd),
		      void *arg);

/* Under the lock, after its owner died inside: makes references and words agree again. Words tell what is private,
 * records who has what is shared; chains are made anew from the records. Returns what it mended. */
unsigned session_repair(struct session *s);

#endif
