/* profile.h - whose rules hold: may two sockets share a port on another system than Linux? Arithmetic on values, as in
 * bind.h. policies/kernels.md says what each profile is made of, row by row, and where it comes from. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "bind.h"

#include <snag/kernel.h>

/* Is the old one in the new one's way? `connected`: the old one has a peer, or is what is left of a connection. For
 * SNAG_PROFILE_LINUX this is bind_conflict(), for TCP. */
enum bind_answer profile_conflict(unsigned profile, const struct bind_claim *new, const struct bind_claim *old,
				  bool connected);
/* Does listen() look for conflicts once more? */
bool profile_listen_checks(unsigned profile);
/* What bind and listen answer when no ephemeral port is left: a positive errno. */
int profile_exhausted(unsigned profile);
/* What a TCP connect to port 0 answers at once: a positive errno; 0: it sends a SYN. */
int profile_port_zero(unsigned profile);
/* May anybody bind this address to a privileged port? */
bool profile_opens_low_ports(unsigned profile, const struct snag_addr *a);
/* The argument of Linux's listen() over TCP that lets as many connections queue. Its least admits one. somaxconn: in place
 * of the profile's own; below 0: none. */
int32_t profile_backlog(unsigned profile, int32_t backlog, int32_t somaxconn);
/* Is a client that finds the accept queue full reset? Else its SYN is dropped. */
bool profile_resets(unsigned profile);

#endif
