/* state.h - the states, roles and options of a socket as the model sees it and the trace prints it. */
#ifndef SNAG_STATE_H
#define SNAG_STATE_H

/* In lower case they stand in the trace's `state` and in `match: {state: ...}`. */
enum snag_state {
	SNAG_STATE_NONE,	/* the model knows nothing of it */
	SNAG_STATE_CLOSED,
	SNAG_STATE_BOUND,
	SNAG_STATE_LISTEN,
	SNAG_STATE_SYN_SENT,
	SNAG_STATE_SYN_RECV,	/* half-open: a request in a listener's SYN queue, no socket yet */
	SNAG_STATE_ESTABLISHED,
	SNAG_STATE_CLOSE_WAIT,
	SNAG_STATE_FIN_WAIT,
	SNAG_STATE_TIME_WAIT,
	SNAG_STATES
};

enum snag_role { SNAG_ROLE_NONE, SNAG_ROLE_LISTENER, SNAG_ROLE_ACCEPTED, SNAG_ROLE_CLIENT, SNAG_ROLES };

enum snag_option {		/* bits */
	SNAG_OPTION_REUSEADDR = 1 << 0,
	SNAG_OPTION_REUSEPORT = 1 << 1,
	SNAG_OPTION_V6ONLY = 1 << 2,
};

#endif
