/* kind.h - the kinds of sockets that a rule speaks of: what its match keys leave of them. */
#ifndef COMPILE_KIND_H
#define COMPILE_KIND_H

#include "policy.h"

enum kind {
	KIND_TCP4 = 1,
	KIND_TCP6 = 2,
	KIND_UDP4 = 4,
	KIND_UDP6 = 8,
	KIND_UNIX = 16,
	KIND_TCP = KIND_TCP4 | KIND_TCP6,
	KIND_UDP = KIND_UDP4 | KIND_UDP6,
	KIND_INET = KIND_TCP | KIND_UDP,
	KIND_ALL = KIND_INET | KIND_UNIX,
};

/* The kinds that can meet a predicate. */
unsigned kind_of(const struct predicate *m);
/* Those that can meet the rule by its k-th alternative (0: what stands beside all of them). */
unsigned kind_of_alternative(const struct policy_rule *r, unsigned k);
/* Those that can meet the rule at all. */
unsigned kind_of_rule(const struct policy_rule *r);
/* A set of 1 << enum snag_proto as kinds. */
unsigned kind_of_protos(unsigned protos);

#endif
