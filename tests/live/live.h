/* live.h - the model against the running kernel: what all parts of it share.
 *
 *     main.c      seeds, worlds, reports          sequence.c  steps made, played, shrunk
 *     world.c     the machine of a seed           attempt.c   one call: predicted, made, judged, learned
 *     network.c   its network namespace           address.c, unix.c   the addresses that a step may name
 *     ops_*.c     the operations, each in one place
 */
#ifndef TESTS_LIVE_LIVE_H
#define TESTS_LIVE_LIVE_H

#include "drive.h"

#include <stdbool.h>

#define SOCKS 8
#define STEPS 70		/* of one sequence */
#define SEQUENCES 40		/* in one world */
#define PORTS 3			/* for one sequence */

/* ---- what parent and worlds share ---- */

struct totals {
	unsigned long steps, late, quiet_asked, quiet_certain, asked, certain, unknown[SNAG_UNSURES], by_call[SNAG_CALLS];
};

struct board {
	struct totals totals;
	int failed;		/* the sequence that failed + 1 */
	char log[1 << 15];	/* the calls of the last sequence */
};
extern struct board *board;	/* this process's own */

/* ---- a world ---- */

/* Who has the socket too; 0: nobody. */
struct holders {
	int copy;		/* a descriptor */
	pid_t child;		/* a process that has it, and waits to be killed */
	int passed;		/* a socket in whose queue it lies */
};

struct world {
	struct drive *d;
	struct model_machine machine;
	bool privileged;	/* CAP_NET_BIND_SERVICE */
	bool quiet;		/* the model is told no more than in a session without --audit */
	uint8_t reserved[MODEL_PORTS / 8];	/* machine.reserved */
	char folder[32];	/* the current one, for unix paths */
	unsigned base;		/* first of this sequence's ports */
	bool names;		/* this sequence's sockets are unix ones */
	uint32_t uid;
	int fd[SOCKS + 1];			/* by place; 0: none */
	struct holders others[SOCKS + 1];
	uint32_t id[SOCKS + 1];			/* its number for the model */
	uint32_t next_id;
	int stranger;		/* a socket that the model was not told of; 0: none */
	size_t log_len;
	bool failed;
};

/* The machine of a seed: its network and settings. False: not allowed here. */
bool world_begin(struct world *w, unsigned seed);
void world_end(struct world *w);
/* Writes down what is set there. */
void world_describe(struct world *w);
void world_user(struct world *w, uint32_t uid);
void __attribute__((format(printf, 2, 3))) note(struct world *w, const char *format, ...);

/* ---- operations ---- */

/* One step: which operation, on which socket, with what. A socket that is not there is made first, by `make`. */
struct step {
	uint8_t op, sock, make, block;
	uint32_t a, b;
};

struct operation {
	const char *name;
	unsigned weight;	/* how often, among all */
	bool no_socket;		/* of none in particular: none is made for it */
	void (*run)(struct world *w, uint8_t s, const struct step *p);
};

/* OPERATION(name, weight, no_socket) { body }: that is all it takes to add one. */
#define OPERATION(name_, weight_, no_socket_)								\
	static void op_##name_(struct world *w, uint8_t s, const struct step *p);			\
	static const struct operation operation_##name_ = {#name_, weight_, no_socket_, op_##name_};	\
	static const struct operation *entry_##name_							\
		__attribute__((section("operations"), used)) = &operation_##name_;			\
	static void op_##name_(struct world *w __attribute__((unused)), uint8_t s __attribute__((unused)),	\
			       const struct step *p __attribute__((unused)))

/* ---- one call ---- */

struct attempt {
	struct snag_call c;
	struct model_verdict v;
	struct snag_outcome o;
};

/* Describe the call, with the facts that --audit would ask for; the arguments are the operation's to fill in. */
struct attempt attempt_begin(struct world *w, unsigned call, uint8_t s);
/* What does the model say? */
void attempt_foresee(struct world *w, struct attempt *t);
/* It was made: `ret` below 0 means errno. Gives the errno. */
int attempt_made(struct world *w, struct attempt *t, long ret);
/* Compare, and let the model learn. */
void attempt_judge(struct world *w, struct attempt *t);

/* A listener's own queue; connect: the queues of the listener that it meets, and the state that the call has left the socket in. */
void queue_own(const struct world *w, uint8_t s, struct snag_call *c);
void queue_ask(const struct world *w, struct snag_call *c);
uint8_t queue_state(const struct world *w, uint8_t s);

/* A call that nobody predicts: it is only learned. */
void attempt_learn(struct world *w, struct attempt *t);

uint64_t now_of_world(void);
const char *errno_text(int err);
void local_of(int fd, struct snag_addr *a);
void set_blocking(struct world *w, uint8_t s, bool block);

void stranger_leaves(struct world *w);
void set_linger(struct world *w, uint8_t s, int seconds);
void accept_one(struct world *w, uint8_t s, bool block);
/* Operations that others use too. hold_end: whoever else has the socket gives it up, or back. */
bool hold_is(const struct world *w, uint8_t s);
void hold_end(struct world *w, uint8_t s);
void make_socket(struct world *w, uint8_t s, unsigned make);
void close_socket(struct world *w, uint8_t s);
/* told: the value as a front end tells it. */
void set_option(struct world *w, uint8_t s, int level, int name, const void *value, socklen_t len, int told,
		const char *text);

/* ---- sequences ---- */

struct sequence {
	unsigned seed, n;	/* of the world; steps */
	bool names;
	struct step steps[STEPS];
};

void sequence_make(struct sequence *q, unsigned seed, unsigned number);
void sequence_wait(struct sequence *q);	/* a minute passes in its middle */
bool sequence_play(struct world *w, const struct sequence *q, unsigned base);
/* In a world of its own; the exit status: 0 all agreed, 1 a failure, 2 no network, 3 it hung. */
int sequence_alone(const struct sequence *q);
/* Leaves out whatever is not needed to fail. */
void sequence_shrink(struct sequence *q);
/* In a process of its own, which takes the network with it; after so long it hangs, and is killed. */
#define PATIENCE_S 600
pid_t child_start(int (*run)(void *arg), void *arg);
int child_status(int status);	/* of waitpid() -> exit status */

#endif
