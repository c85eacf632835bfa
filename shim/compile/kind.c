/* kind.c - the kinds of sockets that a rule speaks of. */
#include "kind.h"

#include <sys/socket.h>

unsigned kind_of_protos(unsigned protos)
{
	return (protos >> SNAG_PROTO_TCP & 1 ? KIND_TCP : 0) | (protos >> SNAG_PROTO_UDP & 1 ? KIND_UDP : 0) |
	       (protos >> SNAG_PROTO_UNIX & 1 ? KIND_UNIX : 0);
}

static unsigned kind_of_value(unsigned key, const struct value *v)
{
	switch (key) {
	case RULE_KEY_PROTO:
		return kind_of_protos(1u << v->lo);
	case RULE_KEY_FAMILY:
		return v->lo == AF_INET	   ? KIND_TCP4 | KIND_UDP4
		       : v->lo == AF_INET6 ? KIND_TCP6 | KIND_UDP6
					   : KIND_UNIX;
	case RULE_KEY_PATH:
		return KIND_UNIX;
	case RULE_KEY_LOCAL_ADDR:
	case RULE_KEY_PEER_ADDR:
	case RULE_KEY_OWN_ADDR: /* an IPv4 address may be a mapped one of an IPv6 socket */
		return !v->any && v->net.family == AF_INET6 ? KIND_TCP6 | KIND_UDP6 : KIND_INET;
	case RULE_KEY_LOCAL_PORT:
	case RULE_KEY_PEER_PORT:
	case RULE_KEY_OWN_PORT:
		return KIND_INET;
	case RULE_KEY_QUEUE: /* the depth of a Unix listener's queue is nowhere to be read */
	case RULE_KEY_TIME_WAIT:
		return KIND_TCP;
	default:
		return KIND_ALL;
	}
}

unsigned kind_of(const struct predicate *m)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < m->n; i++)
		kinds |= kind_of_value(m->key, &m->values[i]);
	return kinds;
}

unsigned kind_of_alternative(const struct policy_rule *r, unsigned k)
{
	unsigned kinds = KIND_ALL;

	for (unsigned i = 0; i < r->n_match; i++)
		if (policy_counts(&r->match[i], k))
			kinds &= kind_of(&r->match[i]);
	return kinds;
}

unsigned kind_of_rule(const struct policy_rule *r)
{
	unsigned n = policy_alternatives(r), kinds = 0;

	for (unsigned k = n > 0; k <= n; k++)
		kinds |= kind_of_alternative(r, k);
	return kinds;
}
