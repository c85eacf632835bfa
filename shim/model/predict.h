/* predict.h - what the predictions of the single calls have in common. */
#ifndef MODEL_PREDICT_H
#define MODEL_PREDICT_H

#include "bind.h"
#include "model.h"

struct question {
	const struct model *m;
	const struct model_machine *machine;	/* NULL: nothing known */
	const struct model_sock *r;		/* the socket of the call */
	const struct snag_call *c;
	uint64_t now_ns;
	struct model_verdict *v;		/* the answer */
};

typedef void predict_fn(const struct question *q);

void predict_allow(const struct question *q);
void predict_refuse(const struct question *q, int err, enum snag_why why);
void predict_withhold(const struct question *q, enum snag_unsure unsure);
/* A blocking call finds no answer; what SO_SNDTIMEO or SO_RCVTIMEO would make of it. */
void predict_wait(const struct question *q, int timeout_err, enum snag_why why);

static inline bool predict_knows(const struct question *q, unsigned fact)
{
	return (q->c->facts & fact) == fact;
}

/* What the kernel's own state of a TCP socket means for its calls. Told by the fact TCP_STATE, else by what the model
 * knows: MAYBE_CLOSED, the peer decides. */
enum predict_tcp { PREDICT_CLOSED, PREDICT_LISTENS, PREDICT_SYN_SENT, PREDICT_OPEN, PREDICT_MAYBE_CLOSED };
enum predict_tcp predict_tcp(const struct question *q);

/* May `self` (its claim, at a port or at port 0) have the port? q->v is the answer. */
void predict_port(const struct question *q, const struct bind_claim *self);
/* May something that closed be left on the TCP port of `new`, and refuse it? *options: what all of it has. */
bool predict_lingers(const struct model *m, const struct bind_claim *new, uint64_t now_ns, uint8_t *options);

predict_fn predict_bind, predict_bind_unix, predict_connect, predict_connect_udp, predict_connect_unix;

/* connect: does it dissolve? The errno that the address alone earns, tcp_v4_connect(), tcp_v6_connect(); 0: none; -1:
 * nobody told. From a mapped address to one that is none, ip6_dst_lookup_tail() (net/ipv6/ip6_output.c)? */
bool predict_dissolves(const struct snag_call *c);
int predict_refuse_address(const struct question *q);
bool predict_crosses(const struct question *q, const struct snag_addr *peer);

#endif
