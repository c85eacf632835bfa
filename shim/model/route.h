/* route.h - where a connection to an address of this machine goes, and from where. */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include "model.h"

/* What connect() to `to` means: a wildcard is the machine itself. */
struct snag_addr route_meant(const struct snag_addr *local, const struct snag_addr *to);
/* The source that the kernel takes for *local where that is none or a wildcard. False: it cannot be told. */
bool route_source(struct snag_addr *local, const struct snag_addr *to);
/* Do plain rules hold: no device but lo, no source address that no interface has? */
bool route_plain(const struct model_sock *r);
/* What is sent to an address of this machine arrives on lo: does a socket bound to this device get it? */
bool route_hears_loopback(uint32_t device);

/* A group of IPv4 by its number, whatever routes there are: 224/4, or 255.255.255.255. */
bool route_is_group4(const struct snag_addr *a);
/* Does it say where it comes from? Neither a wildcard nor a group does. */
bool route_is_source(const struct snag_addr *a);

#endif
