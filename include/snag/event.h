/* event.h - one record of the trace ring. A call is one record, followed by as many extra records as it needs (who was
 * in the way, a path, texts): `extra` counts them, they stand directly behind it. Fixed width, no pointers: written in
 * hooks, signal handlers and dying processes, read by the keeper, which believes nothing of it. */
#ifndef SNAG_EVENT_H
#define SNAG_EVENT_H

#include <snag/addr.h>
#include <stdint.h>

#define SNAG_EVENT_SIZE 128
#define SNAG_EVENT_MAX 8	/* records of one event, extras included */

enum snag_event_kind {
	SNAG_EVENT_CALL = 1,	/* struct snag_event_call */
	SNAG_EVENT_PROCESS,	/* struct snag_event_process, then one EXTRA_TEXT with the executable's path */
	SNAG_EVENT_RULE,	/* struct snag_event_call: a rule acted without a result of its own (signal) */
	SNAG_EVENT_MARK,	/* a test program's own mark: then one EXTRA_TEXT */
	SNAG_EXTRA_WHY,		/* struct snag_event_why */
	SNAG_EXTRA_TEXT,	/* struct snag_event_text */
	SNAG_EXTRA_LOCAL,	/* struct snag_event_local */
	SNAG_EXTRA_QUEUE,	/* struct snag_event_queue */
};

/* Every record begins with these 16 bytes; the ring owns `stamp`. */
struct snag_event_head {
	uint64_t stamp;
	uint8_t kind;		/* enum snag_event_kind */
	uint8_t extra;		/* records that follow and belong to this one */
	uint16_t proc;		/* process slot + 1 */
	uint32_t pid;
};

struct snag_event_call {
	struct snag_event_head head;
	uint64_t t_ns;		/* session time at which the call began */
	uint64_t dur_ns;
	int64_t ret;
	uint32_t tid;
	int32_t fd;
	uint32_t sock;		/* serial of the socket that `sock` names; 0: none */
	uint32_t listener;	/* accept: serial of the listener */
	struct snag_addr addr;	/* the argument; accept: the peer */
	uint16_t call;		/* enum snag_call_id */
	uint16_t err;		/* positive errno as the program saw it, 0 on success */
	uint16_t model_err;	/* prediction, where `sure` */
	uint16_t rule[4];	/* struct snag_plan's */
	uint16_t log[4];
	uint8_t by;		/* enum snag_by */
	uint8_t state;		/* enum snag_state after the call */
	uint8_t proto;		/* enum snag_proto */
	uint8_t sure;		/* enum snag_sure */
	uint8_t model_why;	/* enum snag_unsure */
	uint8_t flags;		/* enum snag_event_flag */
	int32_t arg[3];		/* struct snag_call's */
	uint8_t spare[4];
};

enum snag_event_flag {
	SNAG_EVENT_UNSEEN = 1 << 0,	/* the result was never seen: `ret` means nothing */
	SNAG_EVENT_DIVERGED = 1 << 1,	/* the kernel contradicted a certain prediction */
	SNAG_EVENT_DRY = 1 << 2,	/* the rule would have fired */
	SNAG_EVENT_SIGNAL = 1 << 3,	/* arg[0] is the signal that the rule sends */
	SNAG_EVENT_AFTER = 1 << 4,	/* the prediction is what follows from a foreign socket that was found after the call */
	SNAG_EVENT_COUNTED = 1 << 5,	/* --audit: a call whose prediction counts, on inet, inet6 or unix */
};

enum snag_process_what { SNAG_PROCESS_START = 1, SNAG_PROCESS_EXEC, SNAG_PROCESS_END };

struct snag_event_process {
	struct snag_event_head head;
	uint64_t t_ns;
	uint32_t ppid;
	uint8_t what;		/* enum snag_process_what */
	uint8_t spare[3];
	uint64_t proc_key;
	char comm[16];
	uint8_t rest[72];
};

/* Who is in the way, under a refusal. */
struct snag_event_why {
	struct snag_event_head head;
	uint8_t code;		/* enum snag_why */
	uint8_t state;		/* enum snag_state of the holder */
	uint8_t options;	/* enum snag_option bits of the holder */
	uint8_t others;		/* processes that share it, at most 255 */
	uint32_t pid;		/* the holder; 0: unknown */
	int32_t fd;
	uint32_t sock;
	union {
		uint64_t since_ns;	/* session time; of a socket of the session */
		struct {
			uint32_t uid, inode;	/* of one outside it whose process is hidden from us; inode 0: not so */
		};
	};
	struct snag_addr local;
	char comm[16];
	char exe[48];		/* path, its end where it is longer */
};

/* bind, listen: the socket's own address, where the argument left a choice. */
struct snag_event_local {
	struct snag_event_head head;
	struct snag_addr local;
	uint8_t rest[88];
};

/* A listener's accept queue right before an accept, or right after listen. */
struct snag_event_queue {
	struct snag_event_head head;
	int32_t len, max, high;	/* what waits; the limit; the most that was seen */
	uint8_t rest[100];
};

enum snag_text_what {
	SNAG_TEXT_PATH = 1,	/* a unix socket path: the call's address */
	SNAG_TEXT_EXE,		/* an executable's path */
	SNAG_TEXT_MARK,
	SNAG_TEXT_NOTE,		/* why a rule was not carried out */
};

struct snag_event_text {
	struct snag_event_head head;
	uint8_t what;		/* enum snag_text_what */
	uint8_t len;		/* bytes used */
	char text[110];
};

union snag_event {
	struct snag_event_head head;
	struct snag_event_call call;
	struct snag_event_process process;
	struct snag_event_why why;
	struct snag_event_text text;
	struct snag_event_local local;
	struct snag_event_queue queue;
};

_Static_assert(sizeof(struct snag_event_call) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(struct snag_event_process) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(struct snag_event_why) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(struct snag_event_text) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(struct snag_event_local) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(struct snag_event_queue) == SNAG_EVENT_SIZE, "event size");
_Static_assert(sizeof(union snag_event) == SNAG_EVENT_SIZE, "event size");

#endif
