/* abi.h - the session file: what libsnag.so and snag find in it. A program under test can scribble on all of it, so
 * every reader checks bounds; nobody follows an offset that it has not checked at attach. */
#ifndef SNAG_ABI_H
#define SNAG_ABI_H

#include <stdint.h>

#define SNAG_ABI_MAGIC 0x0a67616e73ull		/* "snag\n" */
#define SNAG_ABI_VERSION 1
#define SNAG_VERSION "0.1.0"

#define SNAG_SESSION_NAME_MAX 64		/* with the NUL */
#define SNAG_PROCS 4096				/* processes alive at once */
#define SNAG_SOCKS (1u << 17)			/* sockets alive at once */
#define SNAG_HOLDS (1u << 17)			/* shared references: one for each process and shared socket */
#define SNAG_RING_SLOTS (1u << 17)		/* records in the trace ring: 16 MiB */
#define SNAG_COUNTERS (1u << 15)		/* keyed counters of rules */
#define SNAG_RULES_MAX 1024			/* rules in a policy */

/* The environment contract. A child gets the first two back when execve cleared them. */
#define SNAG_ENV_SESSION "SNAG_SESSION"		/* a session's name: join it */
#define SNAG_ENV_INHERITED "SNAG_INHERITED"	/* the same name again, where snag itself passed it on to a child */
#define SNAG_ENV_POLICY "SNAG_POLICY"		/* policy files, separated by ':' */
#define SNAG_ENV_TRACE "SNAG_TRACE"		/* trace file of a session started by a preloaded program */
#define SNAG_ENV_ON_ERROR "SNAG_ON_ERROR"	/* passthrough | strict */

/* The sections of the file, each page-aligned, in this order behind the header. */
enum snag_section {
	SNAG_SECTION_SESSION,	/* processes, sockets, references: struct session_tables */
	SNAG_SECTION_MODEL,	/* struct model */
	SNAG_SECTION_TRIGGERS,	/* struct trigger_table */
	SNAG_SECTION_FAULTS,	/* struct fault_table */
	SNAG_SECTION_RING,	/* struct ring */
	SNAG_SECTION_RULES,	/* the rule image: mapped read-only by programs under test */
	SNAG_SECTIONS
};

struct snag_section_place {
	uint64_t offset;	/* bytes from the start of the file */
	uint64_t size;
};

enum snag_session_flag {
	SNAG_SESSION_TRACING = 1 << 0,	/* somebody wants events */
	SNAG_SESSION_DEGRADED = 1 << 1,	/* something was lost from the model; the trace says what */
	SNAG_SESSION_CLOSED = 1 << 2,	/* ended: nobody joins any more */
	SNAG_SESSION_FOREGROUND = 1 << 3, /* a `snag run` waits for the trace itself */
	SNAG_SESSION_DRY = 1 << 4,	/* --dry-run: rules count and are told, nothing is carried out */
	SNAG_SESSION_AUDIT = 1 << 5,	/* --audit: all facts are asked for before each call that is counted */
};

struct snag_header {
	uint64_t magic;
	uint32_t version;	/* SNAG_ABI_VERSION */
	uint32_t features;	/* 0; a reader refuses bits that it does not know */
	struct snag_section_place section[SNAG_SECTIONS];
	uint64_t start_ns;	/* CLOCK_MONOTONIC at session time 0 */
	uint64_t start_real_s;	/* the same moment, CLOCK_REALTIME, for people */
	uint64_t seed;
	uint64_t pid_ns;	/* inode of the pid namespace; a process in another one does not join */
	uint32_t uid;
	uint32_t mode;		/* enum snag_mode */
	char name[SNAG_SESSION_NAME_MAX];
	/* below: written while the session lives, by atomic operations */
	uint32_t lock __attribute__((aligned(64)));	/* thread id of the holder, see session/lock.h */
	uint32_t lock_proc;	/* process slot + 1 of the holder */
	uint32_t repairs;	/* times the lock was taken over from the dead */
	uint32_t flags __attribute__((aligned(64)));	/* enum snag_session_flag */
	uint32_t keeper_pid;	/* 0: none */
	uint32_t spare;
	uint32_t keeper_wake;	/* futex: bumped by whoever wants the keeper to look now */
	uint32_t drained;	/* futex: bumped by the keeper when all that was in the ring is written */
	uint32_t socks_ready;	/* socket slots whose file space is allocated */
	uint32_t ring_ready;	/* ring slots likewise; the first lap stops there */
	uint32_t lost;		/* things that went unrecorded other than trace events */
	uint32_t next_sock;	/* serial numbers, from 1 */
	uint32_t next_proc;
	uint32_t next_entry;	/* ordinals of processes that joined without a parent inside */
	uint64_t netns;		/* SO_NETNS_COOKIE of the first inet socket: whose ports the model has; 0: none yet */
};

_Static_assert(__builtin_offsetof(struct snag_header, keeper_pid) == 324, "tests/helper.bash reads it there");

#endif
