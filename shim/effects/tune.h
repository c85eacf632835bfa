/* tune.h - the virtual kernel's standing values, set on real sockets, so that the real kernel keeps them by itself. */
#ifndef EFFECTS_TUNE_H
#define EFFECTS_TUNE_H

#include <snag/call.h>
#include <snag/kernel.h>
#include <stdbool.h>

/* A socket has just been made: the options that stand for bindv6only, tcp_syn_retries, tcp_fin_timeout and
 * ip_local_port_range. Accepted
 * connections inherit them. */
void tune_socket(int fd, const struct snag_call *c, const struct snag_kernel *k);

/* SO_REUSEADDR, really. Where the virtual kernel keeps the TIME_WAIT, sockets that listen or are connected have it, so
 * that the machine's own TIME_WAIT never refuses anybody who asks with it. */
void tune_reuse(int fd, bool on);

/* The machine chooses among these ports only: IP_LOCAL_PORT_RANGE. Outside its own range it takes no notice. */
void tune_range(int fd, uint16_t lo, uint16_t hi);

/* Around a bind: ip_nonlocal_bind by IP_FREEBIND, for the moment of the call. True: tune_bound takes it back. */
bool tune_bind(int fd, const struct snag_call *c, const struct snag_kernel *k);
void tune_bound(int fd);

#endif
