/* proc.h - the processes of a session. A slot is a ticket before it is a process: the parent takes it before fork,
 * spawn or exec with copies of all its references, so that no socket seems closed between the two; the child claims
 * it. */
#ifndef SESSION_PROC_H
#define SESSION_PROC_H

#include <session/session.h>
#include <snag/call.h>
#include <stdbool.h>
#include <stdint.h>

enum proc_state { PROC_FREE, PROC_TICKET, PROC_ALIVE };

struct proc {
	uint32_t state;		/* enum proc_state */
	uint32_t pid;		/* of a ticket: 0 until the child is known */
	uint32_t ppid;		/* of a ticket: who took it */
	uint32_t parent;	/* slot + 1 of the parent; 0: an entry */
	uint32_t serial;	/* never reused */
	uint32_t uid;
	uint64_t seen;		/* task_clock() when it came: a process of this pid that started later is another one */
	uint64_t key;		/* hash of the path in the fork tree: the same in every run */
	uint64_t since_ns;	/* session time of the start or ticket */
	uint32_t children;	/* ordinals given to children so far */
	uint32_t threads;	/* ordinals given to threads so far */
	uint32_t socks_made;	/* ordinals given to sockets so far */
	uint32_t socks_held;	/* its private sockets, never too few: 0 lets all who look for them skip the scan */
	uint32_t refs;		/* its reference records, likewise */
	uint32_t sock_hint;	/* where its search for a free socket slot begins */
	uint32_t generation;	/* bumped by exec */
	uint32_t entry;		/* 1: it joined without a parent inside */
	char comm[16];
	char exe[96];		/* path of the executable, its end where longer */
};

/* All of these take the lock themselves (signals blocked meanwhile) and answer slot + 1, or 0 where there is no room or
 * the lock could not be had: then the child goes unrecorded until it joins by itself. */

/* The calling process joins: takes its own slot again (after exec, generation bumped), or claims the ticket that bears
 * its pid, or one that its parent took for a child not known yet, or takes a free slot: as a child where its parent is
 * of the session, else as an entry. 0 also in a session that is closed, and in another pid namespace. */
uint32_t proc_join(struct session *s);
/* Before fork or spawn: a slot for the child with references of its own to all that `parent` holds. */
uint32_t proc_ticket(struct session *s, uint32_t parent);
/* The parent, when it knows the child's pid; or pid 0: there was no child, the ticket is dropped. */
void proc_ticket_is(struct session *s, uint32_t ticket, uint32_t pid);
/* A fork child claims its ticket: the references became its own. Returns the ticket, or 0: the ticket was dropped
 * meanwhile (the child was stopped for long), or this is another pid namespace, where it must leave the session. */
uint32_t proc_claim(struct session *s, uint32_t ticket);
/* The process ends, or is found dead: drops all its references. `closed` (may be NULL) hears of each socket (slot + 1)
 * whose last reference this process had, under the lock, before the slot is free. */
typedef void proc_closed_fn(void *arg, uint32_t proc, uint32_t sock);
void proc_drop(struct session *s, uint32_t proc, proc_closed_fn *closed, void *arg);
/* Drops every process that is dead, and every ticket that nobody will claim: its child is dead; or, while the child is
 * not known, the taker is dead or a second has passed; or the child is known and has not joined for ten seconds.
 * Returns how many are left. */
unsigned proc_reap(struct session *s, proc_closed_fn *closed, void *arg);
/* Does the process of this slot still run? A zombie does not. Of a ticket: its child, or its taker while there is
 * none. */
bool proc_alive(const struct proc *p);
/* An ordinal for a new thread of the process, from 1. 0: no such process. */
uint32_t proc_next_thread(struct session *s, uint32_t proc);

/* Who it is, as stands in every call of its own but for tid and thread. */
void proc_who(const struct proc *p, uint32_t proc, struct snag_who *who);
/* The close that the kernel makes of a socket for a process that has ended: call, who, sock and sock_key. */
void proc_closing(const struct session *s, uint32_t proc, uint32_t sock, struct snag_call *c);

/* The slot + 1 -> a copy, bounds-checked; false: free or out of range. */
bool proc_get(const struct session *s, uint32_t proc, struct proc *out);

#endif
