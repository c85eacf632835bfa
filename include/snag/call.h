/* call.h - one intercepted call as a value: what, which socket, which address. No pointers, so that whoever caught
 * it (a preload hook, later a supervisor) can hand it to the engine, record it and replay it. */
#ifndef SNAG_CALL_H
#define SNAG_CALL_H

#include <snag/addr.h>
#include <stdint.h>

enum snag_call_id {
	SNAG_CALL_NONE,
#define SNAG_CALL(name, group, traits, errnos) SNAG_CALL_##name,
#include <snag/calls.def>
	SNAG_CALLS
};

enum snag_trait {
	SNAG_TRAIT_FD = 1 << 0,
	SNAG_TRAIT_NEW = 1 << 1,
	SNAG_TRAIT_ADDR = 1 << 2,
	SNAG_TRAIT_PORT = 1 << 3,
	SNAG_TRAIT_PROC = 1 << 4,
	SNAG_TRAIT_DUP = 1 << 5,
	SNAG_TRAIT_BLOCK = 1 << 6,
	SNAG_TRAIT_STREAM = 1 << 7,
	SNAG_TRAIT_WAIT = 1 << 8,
	SNAG_TRAIT_SENDS = 1 << 9,
};

/* A set of calls: one bit for each snag_call_id. */
#define SNAG_CALL_WORDS 2
_Static_assert(SNAG_CALLS <= 64 * SNAG_CALL_WORDS, "snag_call_id must fit the call sets of the rule image");

/* Facts that cost a system call or a search: filled in by the front end only where a rule for this call needs them. */
enum snag_fact {
	SNAG_FACT_BLOCKING = 1 << 0,	/* `blocking` */
	SNAG_FACT_QUEUE = 1 << 1,	/* `queue`, `queue_max` */
	SNAG_FACT_TCP_STATE = 1 << 2,	/* `tcp_state` */
	SNAG_FACT_CALLER = 1 << 3,	/* `caller` */
	SNAG_FACT_LOCAL = 1 << 4,	/* `local` */
	SNAG_FACT_ERROR = 1 << 5,	/* `pending` */
	SNAG_FACT_UNREAD = 1 << 6,	/* `unread` */
	SNAG_FACT_REACH = 1 << 7,	/* `reach` */
	SNAG_FACT_PATH = 1 << 8,	/* `path_err`, `folder_err` */
	SNAG_FACT_WHOLE = 1 << 9,	/* the model holds every socket of the machine that stands on a port of this call:
					 * those of the session, and the foreign ones, adopted and known to be still there */
	SNAG_FACT_NEXT_FD = 1 << 10,	/* `next_fd` */
	SNAG_FACT_PRIVILEGED = 1 << 11,	/* `privileged` */
	SNAG_FACT_LINGER = 1 << 12,	/* `linger` */
	SNAG_FACT_TARGET = 1 << 13,	/* `target` */
	SNAG_FACT_LAST = 1 << 14,	/* `last` */
	SNAG_FACT_OWNER = 1 << 15,	/* `owner` */
};

/* Where an address leads, for bind and connect. */
enum snag_reach {
	SNAG_REACH_NOWHERE,	/* no route */
	SNAG_REACH_LOCAL,	/* an interface of this machine has it */
	SNAG_REACH_GROUP,	/* broadcast or multicast */
	SNAG_REACH_AWAY,	/* another machine's */
};

/* Whom a connect to a unix path or name finds there. */
enum snag_target {
	SNAG_TARGET_NOBODY,	/* no socket that listens */
	SNAG_TARGET_ROOM,	/* one that listens, with room in its queue */
	SNAG_TARGET_FULL,
	SNAG_TARGET_OTHER,	/* one of another type */
	SNAG_TARGET_UNSURE,	/* one of another type, or one that nobody can reach, accepted from a listener that is gone */
	SNAG_TARGET_DENIED,	/* a file that the caller may not write to */
};

/* Who calls. Ordinals are keyed to the place in the fork tree, so that they are the same in every run. */
struct snag_who {
	uint32_t proc;		/* the session's process slot + 1; 0: unknown */
	uint32_t pid, tid;
	uint32_t uid;		/* effective */
	uint64_t proc_key;	/* hash of the path in the fork tree */
	uint32_t proc_serial;	/* never reused within the session */
	uint32_t thread;	/* ordinal of the thread in its process, from 1 */
	char comm[16];		/* NUL terminated */
	char exe[32];		/* base name, cut, NUL terminated */
};

struct snag_call {
	uint16_t call;		/* enum snag_call_id */
	uint16_t facts;		/* enum snag_fact bits that are filled in below */
	int32_t fd;		/* -1: none */
	uint32_t sock;		/* the session's socket slot + 1; 0: no socket known */
	uint32_t serial;	/* that socket's number in the trace; 0: none */
	uint64_t sock_key;	/* the socket's place in its creator: the same in every run */
	uint8_t proto;		/* enum snag_proto */
	uint8_t blocking;	/* fact: 1 blocking, 0 O_NONBLOCK */
	uint8_t tcp_state;	/* fact: tcpi_state before the call */
	uint8_t domain;		/* AF_INET, AF_INET6, AF_UNIX of the socket, or asked of socket() */
	int32_t queue;		/* fact QUEUE: connections in the listener's accept queue; connect: of the one listener
				 * that gets the SYN */
	int32_t queue_max;	/* fact QUEUE: its limit; one more than that is let in */
	int32_t syn_queue;	/* fact QUEUE, connect: half-open requests at that listener */
	int32_t unread;		/* fact: bytes that have arrived and were not read (SIOCINQ) */
	uint8_t pending;	/* fact: an error waits to be read: poll() says POLLERR */
	uint8_t reach;		/* fact: enum snag_reach of addr */
	uint8_t target;		/* fact: enum snag_target */
	uint8_t type;		/* SOCK_STREAM, SOCK_DGRAM; 0: unknown */
	uint8_t spent;		/* enum snag_spent: what faults have done to the socket for good */
	uint16_t path_err;	/* fact: what lstat() says of a unix path; 0: something stands there */
	uint16_t folder_err;	/* fact: what a new file in its folder would meet: 0, EACCES, ENOENT, ENOTDIR, EROFS ... */
	uint16_t addr_family;	/* bind, connect: the family as the program passed it; addr may say AF_UNSPEC for it */
	uint32_t addr_len;	/* bind, connect: the length as passed; 0 also where nobody tells */
	uint64_t sent, received;	/* bytes that the socket has moved before the call, where a rule counts them */
	int32_t arg[3];		/* listen: backlog; shutdown: how; socket: domain, type, protocol; setsockopt: level, name,
				 * value (an int; SO_LINGER: 0 off, else seconds + 1; SO_BINDTODEVICE: a hash of the
				 * name, 0 none; else 0); dup2, dup3, fcntl: the wanted descriptor; close_range: first, last; recv,
				 * send and their variants: bytes asked for, at most INT32_MAX */
	int32_t next_fd;	/* fact: the descriptor that the call would make; socketpair: the higher one */
	int32_t linger;		/* fact: SO_LINGER: 0 off, else seconds + 1 */
	uint8_t privileged;	/* fact: the caller has CAP_NET_BIND_SERVICE */
	uint8_t last;		/* fact: closing calls: this is the socket's only descriptor, in all processes */
	uint8_t elsewhere;	/* the caller is in another network namespace than the session: no fact about the machine holds */
	uint32_t owner;		/* fact: the user whose socket it is: of its maker, or by fchown() */
	struct snag_addr addr;	/* bind, connect: the argument */
	struct snag_addr local;	/* fact: what getsockname() says */
	uint64_t start_ns;	/* session time at which it began */
	struct snag_who who;
	uint16_t path_len;	/* AF_UNIX: bytes used in path */
	char path[SNAG_PATH_MAX];
	char caller[32];	/* fact: base name of the object that made the call, cut */
};

/* What a fault can do to a connection once only. */
enum snag_spent {
	SNAG_SPENT_RESET = 1 << 0,
	SNAG_SPENT_EOF = 1 << 1,
	SNAG_SPENT_DEAF = 1 << 2,	/* blackhole: self */
	SNAG_SPENT_MUTE = 1 << 3,	/* blackhole: peer */
};

enum snag_proto {
	SNAG_PROTO_NONE, SNAG_PROTO_TCP, SNAG_PROTO_UDP, SNAG_PROTO_UNIX,
	SNAG_PROTO_UDPLITE,	/* UDP's rules, on ports of its own */
	SNAG_PROTO_OTHER,
};

static inline int snag_is_udp(unsigned proto)
{
	return proto == SNAG_PROTO_UDP || proto == SNAG_PROTO_UDPLITE;
}

/* What became of a call. UNSEEN: nobody saw its result (the process was killed inside it, or the call was caught by
 * somebody who cannot look at results); the model then knows nothing about it but that it may have happened. */
enum snag_seen { SNAG_UNSEEN, SNAG_SEEN };

struct snag_outcome {
	uint8_t seen;		/* enum snag_seen */
	uint8_t last;		/* closing calls: this was the last reference to the socket */
	uint8_t raced;		/* --audit: others changed what the prediction stood on before the result came */
	uint8_t tcp_state;	/* connect, --audit: tcpi_state after the call; 0: nobody asked */
	uint8_t elsewhere;	/* socket, socketpair: made in another network namespace than the session's */
	int32_t err;		/* 0 or a positive errno, as the program saw it */
	int64_t ret;		/* what the program got */
	int32_t real_err;	/* what the real call answered, 0 or a positive errno; -1: it was not made */
	int32_t new_fd;		/* -1: none */
	uint32_t new_sock;	/* slot + 1 of the socket that the call made; 0: none */
	uint32_t new_serial;
	uint64_t end_ns;
	struct snag_addr local;	/* bind, listen: the address really taken, where the argument left a choice; --audit:
				 * connect and accept too, of the socket that is connected */
	struct snag_addr peer;	/* accept: the peer's address, where the call told it */
};

#endif
