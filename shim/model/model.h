/* model.h - the shadow model: what a kernel would answer, and why.
 *
 * Pure: no system call, no clock, no allocation; the state is the struct model passed in, time is an argument. Fixed
 * size and 32-bit indices, so it lives on a heap in a test and in shared memory alike; everything read from it is
 * bounds-checked. Socket numbers are slots + 1, the session's. Whoever changes who owns a port holds the session's
 * lock; records of connections are written by their own process without it. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <snag/abi.h>
#include <snag/addr.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <stdbool.h>
#include <stdint.h>

struct model_sock {
	uint32_t serial;	/* of the socket it speaks of; else the record is stale */
	uint8_t state;		/* enum snag_state */
	uint8_t proto;		/* enum snag_proto */
	uint8_t role;		/* enum snag_role */
	uint8_t options;	/* enum snag_option bits */
	uint16_t domain;
	uint16_t on_port;	/* 1: linked in the port table */
	uint32_t uid;
	int32_t backlog;
	uint32_t device;	/* SO_BINDTODEVICE: a hash of the name; 0: none */
	uint32_t next;		/* slot + 1: the next one on the same port */
	uint32_t name;		/* unix: index + 1 of its path */
	uint64_t since_ns;	/* session time of the last change of state */
	struct snag_addr local, peer;
};

#define MODEL_NAMES 4096
struct model_name {
	uint32_t sock;
	uint16_t len;
	char path[SNAG_PATH_MAX];
};

#define MODEL_TIME_WAITS 16384
struct model_time_wait {
	uint64_t until_ns;	/* 0: free */
	struct snag_addr local, peer;
	uint8_t options, spare[7];
};

struct model {
	uint32_t port[3][65536];		/* tcp, udp (by port), unix (by hash): slot + 1 of the newest */
	uint32_t high;				/* socket slots used so far: no scan goes further */
	uint32_t time_wait_high;
	uint32_t names_high;
	struct model_time_wait time_wait[MODEL_TIME_WAITS];
	struct model_name name[MODEL_NAMES];
	struct model_sock sock[SNAG_SOCKS];	/* last: its file space is allocated as it grows */
};

/* A prediction. Filled for every call that the model knows; `err` counts only where sure is SNAG_CERTAIN. */
struct model_verdict {
	int err;		/* 0 or a positive errno */
	uint8_t sure;		/* enum snag_sure */
	uint8_t unsure;		/* enum snag_unsure */
	uint8_t why;		/* enum snag_why, where err is not 0 */
	uint32_t holder;	/* slot + 1; 0: none */
};

void model_predict(const struct model *m, const struct snag_call *c, uint64_t now_ns, struct model_verdict *v);
/* What really happened; an outcome that is UNSEEN teaches nothing. */
void model_learn(struct model *m, const struct snag_call *c, const struct snag_outcome *o, uint64_t now_ns);

/* A socket that the session meets without having seen it made (inherited, passed, or made before): what the kernel says
 * of it. */
struct model_facts {
	uint8_t proto, state, options, role;
	uint16_t domain;
	uint32_t uid;
	int32_t backlog;
	struct snag_addr local, peer;
	uint16_t path_len;
	char path[SNAG_PATH_MAX];
};
void model_adopt(struct model *m, uint32_t sock, uint32_t serial, const struct model_facts *f, uint64_t now_ns);
/* The last reference is gone. */
void model_forget(struct model *m, uint32_t sock, uint64_t now_ns);

/* After a kill: who is in the way of `addr`, were it bound now by `sock`? For `why` when the kernel refused. */
uint32_t model_holder(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint8_t proto);
/* A checked copy; false: nothing known. */
bool model_get(const struct model *m, uint32_t sock, struct model_sock *out);
unsigned model_time_waits(const struct model *m, const struct snag_addr *local, uint64_t now_ns);

/* Rebuild the port table from the socket records, after an owner died inside the lock: `alive` tells which sockets
 * still are. Returns what it mended. */
unsigned model_check(struct model *m, bool (*alive)(void *arg, uint32_t sock, uint32_t serial), void *arg);

#endif
