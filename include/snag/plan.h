/* plan.h - what the engine decided about a call, before it is made: carried out by the effects, handed back to commit. */
#ifndef SNAG_PLAN_H
#define SNAG_PLAN_H

#include <stdint.h>

enum snag_by { SNAG_BY_KERNEL, SNAG_BY_MODEL, SNAG_BY_RULE };

enum snag_action {
	SNAG_ACTION_NONE,
#define SNAG_FAULT(name, terminal, built, calls, value, help) SNAG_ACTION_##name,
#include <snag/faults.def>
	SNAG_ACTIONS
};

#define SNAG_PLAN_RULES 4	/* rules that one event can name: the deciding one first, then those that logged */

enum snag_end { SNAG_END_SELF, SNAG_END_PEER, SNAG_END_BOTH };

/* How sure a prediction is. */
enum snag_sure {
	SNAG_WITHHELD,
	SNAG_CERTAIN,
	SNAG_WAITS,	/* certain that a blocking call finds no answer: a timeout or a signal ends it, or what it meets at
			 * a second try */
};

struct snag_plan {
	uint8_t by;		/* enum snag_by: who decides the result */
	uint8_t action;		/* enum snag_action: the terminal one, or NONE: make the real call */
	uint8_t dry;		/* --dry-run: the rules fired on paper only; carry nothing out */
	uint8_t after_call;	/* the signal goes out after the call */
	int32_t err;		/* errno, deny: fail with this positive errno */
	int32_t signal;		/* 0: none */
	int32_t backlog;	/* of the real listen, where SNAG_CHANGE_BACKLOG says so */
	uint64_t most;		/* recv, send: move no more bytes than these; 0: no bound */
	uint64_t delay_ns;	/* before the call */
	uint64_t after_ns;	/* errno: this long until the failure */
	uint64_t value;		/* what the action takes: struct rule_step's */
	uint16_t rule[SNAG_PLAN_RULES];	/* rule index + 1; [0] is the one that `rule` in the trace names */
	uint16_t log[SNAG_PLAN_RULES];	/* step index + 1 of each text to log */
	/* the model's prediction of the real kernel */
	uint8_t sure;		/* enum snag_sure */
	uint8_t model_why;	/* enum snag_unsure: why it is withheld */
	uint8_t why;		/* enum snag_why: why the model expects a refusal */
	uint8_t mode;
	int32_t model_err;	/* 0: ok, or a positive errno */
	uint32_t holder;	/* the socket in the way: slot + 1; 0: none */
	uint32_t holder_serial;
	uint32_t ticket;	/* what commit spends or returns; 0: none */
	/* the virtual kernel */
	uint8_t refusal;	/* enum snag_why: by the model, why it refuses */
	uint8_t changes;	/* enum snag_change bits: what is different about the real call */
	uint8_t bind;		/* enum snag_bind */
	uint8_t spare;
	uint16_t port;
	uint32_t port_at;	/* where to go on if the machine refuses that port */
	uint32_t wait;		/* the entry of its TIME_WAIT that is in the way: index + 1; 0: none */
};

/* How the real bind is made, where the virtual kernel keeps the TIME_WAIT. */
enum snag_bind {
	SNAG_BIND_AS_IS,
	SNAG_BIND_LIFTED,	/* if somebody is in the way, again with SO_REUSEADDR: it can only be a TIME_WAIT that is over */
	SNAG_BIND_PROVEN,	/* without SO_REUSEADDR: whoever is in the way then, is so in the virtual kernel too */
};

enum snag_change {
	SNAG_CHANGE_BACKLOG = 1 << 0,	/* listen: another argument, by a rule or by somaxconn */
	SNAG_CHANGE_RANGE = 1 << 1,	/* the port comes out of the virtual kernel's ip_local_port_range */
	SNAG_CHANGE_PORT = 1 << 2,	/* and is `port`, where the machine's own choice will not do */
	SNAG_CHANGE_ADMIT = 1 << 3,	/* nothing: the virtual kernel would admit it, whatever the machine says */
	SNAG_CHANGE_OVERFLOW = 1 << 4,	/* listen: clients that find the queue full are reset */
};

enum snag_mode { SNAG_MODE_DISABLED, SNAG_MODE_LOG, SNAG_MODE_ENFORCE, SNAG_MODE_INJECT };

/* Why no prediction was made; the names stand in the trace's model_why. */
enum snag_unsure {
	SNAG_UNSURE_NONE,
	SNAG_UNSURE_PEER,	/* it depends on a peer outside the session */
	SNAG_UNSURE_RACED,	/* another process changed the same port meanwhile */
	SNAG_UNSURE_FOREIGN,	/* it depends on a socket that the session never saw */
	SNAG_UNSURE_MACHINE,	/* it depends on the machine: limits, addresses, routes */
	SNAG_UNSURE_VIRTUAL,	/* the virtual kernel has changed what the real one sees */
	SNAG_UNSURE_UNMODELLED,	/* no rule for this yet */
	SNAG_UNSURE_NETNS,	/* the socket, or who asks, is in another network namespace than the session */
	SNAG_UNSURES
};

/* Why a call is refused; the names stand in the trace's why.code. */
enum snag_why {
	SNAG_WHY_NONE,
	SNAG_WHY_HELD,		/* another socket holds the address */
	SNAG_WHY_ALREADY_BOUND,	/* this socket has a local address already */
	SNAG_WHY_PRIVILEGED,	/* a port below ip_unprivileged_port_start */
	SNAG_WHY_NOT_LOCAL,	/* no interface has this address */
	SNAG_WHY_NO_LISTENER,	/* nobody listens there */
	SNAG_WHY_WRONG_STATE,	/* the socket's state does not allow the call */
	SNAG_WHY_WRONG_TYPE,	/* the socket's type does not allow the call */
	SNAG_WHY_UNKNOWN_HOLDER,/* in use by a socket outside the session */
	SNAG_WHY_PROFILE,	/* the kernel whose rules hold refuses it, and Linux does not */
	SNAG_WHY_STRICTER,	/* the kernel whose rules hold would admit it, and the real one does not */
	SNAG_WHY_NO_PORT,	/* all ports of ip_local_port_range are taken: the machine's, or the virtual kernel's */
	SNAG_WHY_SAME_TUPLE,	/* the socket's own address and port are connected to that peer already */
	SNAG_WHY_OPEN_FILES,	/* a descriptor at or above open_files of the virtual kernel */
	SNAG_WHY_OPEN_SOCKETS,	/* as many sockets in the session as open_sockets of the virtual kernel */
	SNAG_WHY_QUEUE_FULL,	/* the listener's accept queue is full: the SYN is dropped, the client tries again */
	SNAG_WHY_SYN_QUEUE_FULL,/* its SYN queue is, and tcp_syncookies is 0: the same */
	SNAG_WHY_NETNS,		/* in use in another network namespace than the session's */
	SNAG_WHYS
};

#endif
