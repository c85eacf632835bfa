/* bind.c - may two sockets share a port? */
#include "bind.h"
#include "model.h"

#include <base/addr.h>
#include <sys/socket.h>

/* The address speaks of IPv4: of the family itself or mapped into IPv6. */
static bool is_v4(const struct snag_addr *a)
{
	return a->family == AF_INET || addr_is_mapped(a);
}

/* [::] that takes IPv4 too. */
static bool is_dual_any(const struct bind_claim *c)
{
	return !is_v4(&c->addr) && addr_is_any(&c->addr) && !(c->options & SNAG_OPTION_V6ONLY);
}

bool bind_addresses_meet(const struct bind_claim *new, const struct bind_claim *old)
{
	bool new4 = is_v4(&new->addr), old4 = is_v4(&old->addr);

	if (new4 == old4)
		return addr_is_any(&new->addr) || addr_is_any(&old->addr) || addr_equal_ip(&new->addr, &old->addr);
	if (is_dual_any(new) || is_dual_any(old))
		return true;
	/* ipv6_rcv_saddr_equal() hands an AF_INET wildcard on to the IPv4 comparison, where any AF_INET6 socket that is
	 * not V6ONLY counts, even one on a specific IPv6 address. The reverse does not hold. */
	return new->domain == AF_INET && addr_is_any(&new->addr) && old->domain == AF_INET6 &&
	       !(old->options & SNAG_OPTION_V6ONLY);
}

static enum bind_answer devices_meet(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return BIND_CONFLICT;
	if (a == MODEL_DEVICE_UNKNOWN || b == MODEL_DEVICE_UNKNOWN || ((a ^ b) & MODEL_DEVICE_NAME))
		return BIND_UNSURE;	/* a name here, an index there */
	return a == b ? BIND_CONFLICT : BIND_FREE;
}

/* The old one has one address out of its wildcard, which is not known: does the new one meet it whichever it is? */
static bool meets_all_of(const struct bind_claim *new, const struct bind_claim *old)
{
	if (!addr_is_any(&new->addr))
		return false;
	return is_v4(&old->addr) || new->domain == AF_INET || is_dual_any(new);
}

enum bind_answer bind_overlap(const struct bind_claim *new, const struct bind_claim *old)
{
	enum bind_answer devices = devices_meet(new->device, old->device);

	if (devices == BIND_FREE || !bind_addresses_meet(new, old))
		return BIND_FREE;
	if (old->vague && !meets_all_of(new, old))
		return BIND_UNSURE;
	return devices;
}

bool bind_reuses_addr(const struct bind_claim *new, const struct bind_claim *old)
{
	return (new->options & old->options & SNAG_OPTION_REUSEADDR) && !old->listening;
}

bool bind_reuses_port(const struct bind_claim *new, const struct bind_claim *old)
{
	return (new->options & old->options & SNAG_OPTION_REUSEPORT) && (old->time_wait || new->uid == old->uid);
}

/* inet_bind_conflict() with relax and without reuseport_ok. */
enum bind_answer bind_relaxed(const struct bind_claim *new, const struct bind_claim *old)
{
	return bind_reuses_addr(new, old) && !bind_reuses_port(new, old) ? BIND_FREE : bind_overlap(new, old);
}

enum bind_answer bind_conflict(const struct bind_claim *new, const struct bind_claim *old)
{
	struct bind_claim other = *old;
	enum bind_answer answer;

	if (bind_reuses_addr(new, old) || bind_reuses_port(new, old))
		return BIND_FREE;
	answer = bind_overlap(new, old);
	if (answer == BIND_CONFLICT && old->closing && (new->options & old->options & SNAG_OPTION_REUSEPORT))
		return BIND_UNSURE;
	if (answer != BIND_CONFLICT || !old->hidden)
		return answer;
	other.options |= old->hidden;	/* had it all that is hidden, would it still be in the way? */
	other.hidden = 0;
	return bind_conflict(new, &other) == BIND_CONFLICT ? BIND_CONFLICT : BIND_UNSURE;
}

bool bind_same(const struct bind_claim *a, const struct bind_claim *b)
{
	return a->addr.port == b->addr.port && a->addr.family == b->addr.family && a->domain == b->domain &&
	       a->options == b->options && a->listening == b->listening && a->time_wait == b->time_wait &&
	       a->vague == b->vague && a->device == b->device && a->uid == b->uid &&
	       addr_equal_ip(&a->addr, &b->addr);
}
