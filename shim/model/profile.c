/* profile.c - whose rules hold. */
#include "profile.h"

#include <base/addr.h>
#include <errno.h>

/* When may another user not come near a socket that is there? */
enum others { OTHERS_FREELY, OTHERS_NOT_UNCONNECTED, OTHERS_NOT_UNLESS_BOTH_ANY };

/* How many connections does listen(N) let queue? */
enum queue { QUEUE_AND_ONE, QUEUE_HALF_MORE, QUEUE_EXACTLY };

static const struct profile {
	bool bsd;		/* only the new socket's SO_REUSEADDR counts, and nobody shares one exact address by it */
	enum others others;	/* for users other than root */
	bool low_ports_any;
	int exhausted, port_zero;
	enum queue queue;
	bool resets;		/* who finds the queue full */
	int32_t somaxconn;	/* a limit of its own, which N below 1 stands for; 0: the machine's */
} profiles[SNAG_PROFILES] = {
	[SNAG_PROFILE_LINUX] = {.exhausted = EADDRINUSE},
	/* FreeBSD 13: in_pcbbind_setup(), in_pcb_lport_dest(), in_pcbconnect_setup() (sys/netinet/in_pcb.c); sonewconn()
	 * (sys/kern/uipc_socket.c), net.inet.tcp.syncache.rst_on_sock_fail (sys/netinet/tcp_syncache.c) */
	[SNAG_PROFILE_FREEBSD] = {.bsd = true, .others = OTHERS_NOT_UNCONNECTED, .exhausted = EADDRNOTAVAIL,
				  .port_zero = EADDRNOTAVAIL, .queue = QUEUE_HALF_MORE, .resets = true},
	/* xnu: in_pcbbind(), in_pcbladdr() (bsd/netinet/in_pcb.c); solisten() (bsd/kern/uipc_socket.c),
	 * sonewconn_internal() (bsd/kern/uipc_socket2.c) */
	[SNAG_PROFILE_MACOS] = {.bsd = true, .others = OTHERS_NOT_UNLESS_BOTH_ANY, .low_ports_any = true,
				.exhausted = EADDRNOTAVAIL, .port_zero = EADDRNOTAVAIL, .queue = QUEUE_EXACTLY,
				.somaxconn = 128},
	/* Stevens, UNIX Network Programming, volume 1, 7.5: SO_REUSEADDR and SO_REUSEPORT */
	[SNAG_PROFILE_TEXTBOOK] = {.bsd = true, .exhausted = EADDRNOTAVAIL, .queue = QUEUE_EXACTLY},
};

static const struct profile *profile_of(unsigned profile)
{
	return &profiles[profile < SNAG_PROFILES ? profile : SNAG_PROFILE_LINUX];
}

#define REUSES (SNAG_OPTION_REUSEADDR | SNAG_OPTION_REUSEPORT)

static bool same_address(const struct bind_claim *new, const struct bind_claim *old)
{
	return addr_is_any(&new->addr) == addr_is_any(&old->addr) &&
	       (addr_is_any(&new->addr) || addr_equal_ip(&new->addr, &old->addr));
}

static bool keeps_off(enum others others, const struct bind_claim *new, const struct bind_claim *old, bool connected)
{
	if (!new->uid || new->uid == old->uid || others == OTHERS_FREELY || old->time_wait)
		return false;
	if (others == OTHERS_NOT_UNCONNECTED)
		return !connected;
	return !(addr_is_any(&new->addr) && addr_is_any(&old->addr));
}

/* in_pcblookup_local(): without either option whoever overlaps is in the way; with one of them only an unconnected
 * socket of exactly the same address is, unless both have SO_REUSEPORT. */
static bool bsd_allows(const struct bind_claim *new, const struct bind_claim *old, bool connected)
{
	if (!(new->options & REUSES))
		return false;
	return connected || !same_address(new, old) || (new->options & old->options & SNAG_OPTION_REUSEPORT);
}

enum bind_answer profile_conflict(unsigned profile, const struct bind_claim *new, const struct bind_claim *old,
				  bool connected)
{
	const struct profile *p = profile_of(profile);

	if (!p->bsd)
		return bind_conflict(new, old);
	if (bsd_allows(new, old, connected) && !keeps_off(p->others, new, old, connected))
		return BIND_FREE;
	if (bind_overlap(new, old) == BIND_CONFLICT && (new->options & old->hidden & SNAG_OPTION_REUSEPORT))
		return BIND_UNSURE;
	return bind_overlap(new, old);
}

bool profile_listen_checks(unsigned profile)
{
	return !profile_of(profile)->bsd;
}

int profile_exhausted(unsigned profile)
{
	return profile_of(profile)->exhausted;
}

int profile_port_zero(unsigned profile)
{
	return profile_of(profile)->port_zero;
}

bool profile_opens_low_ports(unsigned profile, const struct snag_addr *a)
{
	return profile_of(profile)->low_ports_any && addr_is_any(a);
}

int32_t profile_backlog(unsigned profile, int32_t backlog, int32_t somaxconn)
{
	const struct profile *p = profile_of(profile);
	int32_t most = somaxconn < 0 ? p->somaxconn : somaxconn;

	if (p->somaxconn && (backlog <= 0 || backlog > most))
		backlog = most;
	if (p->queue == QUEUE_HALF_MORE && backlog > 0 && backlog < INT32_MAX / 2)
		return backlog + backlog / 2;
	return p->queue == QUEUE_EXACTLY && backlog > 0 ? backlog - 1 : backlog;
}

bool profile_resets(unsigned profile)
{
	return profile_of(profile)->resets;
}
