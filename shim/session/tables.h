/* tables.h - the session's own section: processes, sockets, references. Known to this folder only.
 *
 * Everything here can be scribbled on by a program under test, so indices come out of the accessors below, which check
 * them. Slot numbers are index + 1 and 0 means none, so that zeroed memory is a valid empty table. */
#ifndef SESSION_TABLES_H
#define SESSION_TABLES_H

#include <base/shared.h>
#include <session/proc.h>
#include <session/sock.h>

#define SESSION_SOCKS_FIRST 1024	/* sockets and references with file space from the start */
#define SESSION_RING_FIRST 8192		/* ring slots likewise */
#define SESSION_INDEX (2 * SNAG_SOCKS)	/* entries of the cookies' index: half full with all sockets there can be */
#define LOCK_AT_UNKNOWN UINT64_MAX

struct session_tables {
	uint64_t lock_at;	/* CLOCK_BOOTTIME ns at which the lock's holder took it; LOCK_AT_UNKNOWN */
	uint32_t mend;		/* 1: somebody died inside the lock, and the model has not been checked since */
	uint32_t hold_hint;	/* where the search for a free reference begins */
	uint32_t procs_high;	/* process slots used so far: searches go no further */
	uint32_t index_used;	/* entries of the index that are not 0 */
	struct proc proc[SNAG_PROCS];
	uint32_t index[SESSION_INDEX];	/* see index.h: slot + 1; 0: free */
	struct sock sock[SNAG_SOCKS];
	struct sock_hold hold[SNAG_HOLDS];
};

/* Sockets (and, as there are as many, references) whose file space is there. */
static inline uint32_t tables_ready(const struct session *s)
{
	uint32_t n = load_acquire(&s->header->socks_ready);
	return n < SNAG_SOCKS ? n : SNAG_SOCKS;
}

static inline uint32_t tables_procs(const struct session *s)
{
	uint32_t n = load_acquire(&s->tables->procs_high);
	return n < SNAG_PROCS ? n : SNAG_PROCS;
}

static inline struct proc *tables_proc(const struct session *s, uint32_t proc)
{
	return proc - 1 < SNAG_PROCS ? &s->tables->proc[proc - 1] : NULL;
}

static inline struct sock *tables_sock(const struct session *s, uint32_t sock)
{
	return sock - 1 < tables_ready(s) ? &s->tables->sock[sock - 1] : NULL;
}

static inline struct sock_hold *tables_hold(const struct session *s, uint32_t hold)
{
	return hold - 1 < tables_ready(s) ? &s->tables->hold[hold - 1] : NULL;
}

/* May this process have private sockets, or reference records? */
static inline bool tables_has_socks(const struct session *s, uint32_t proc)
{
	const struct proc *p = tables_proc(s, proc);
	return !p || load_acquire(&p->socks_held) != 0;
}

static inline bool tables_has_refs(const struct session *s, uint32_t proc)
{
	const struct proc *p = tables_proc(s, proc);
	return !p || load_acquire(&p->refs) != 0;
}

/* Something went unrecorded: counted, and the session says that it no longer knows everything. */
static inline void tables_lost(struct session *s)
{
	shared_add(&s->header->lost, 1);
	shared_or(&s->header->flags, SNAG_SESSION_DEGRADED);
}

/* The next number of a counter that is never to answer 0. */
static inline uint32_t tables_serial(uint32_t *counter)
{
	uint32_t n;

	do
		n = shared_add(counter, 1) + 1;
	while (n == 0);
	return n;
}

/* struct sock's word. */
#define SOCK_WORD(serial, owner, state) ((uint64_t)(serial) << 32 | (uint64_t)(owner) << 8 | (uint64_t)(state))
static inline uint32_t word_serial(uint64_t w) { return (uint32_t)(w >> 32); }
static inline uint32_t word_owner(uint64_t w) { return (uint32_t)(w >> 8) & 0xffffff; }
static inline uint32_t word_state(uint64_t w) { return (uint32_t)w & 0xff; }
static inline bool word_lives(uint64_t w) { return word_state(w) == SOCK_PRIVATE || word_state(w) == SOCK_SHARED; }

#endif
