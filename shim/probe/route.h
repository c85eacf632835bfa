/* route.h - where an address leads, by the routing tables of the caller's network namespace: rtnetlink(7). The same
 * promises as diag.h. */
#ifndef PROBE_ROUTE_H
#define PROBE_ROUTE_H

#include <snag/addr.h>
#include <stddef.h>

/* enum snag_reach of an IPv4 or IPv6 address; the wildcard leads to this machine itself. -errno: the kernel does not
 * tell. */
int route_reach(const struct snag_addr *a);

/* The kernel's answer, len bytes at buf; believes nothing of it. enum snag_reach, or -errno. */
int route_parse(const void *buf, size_t len);

#endif
