/* network.h - a network namespace to try the model in: loopback, a second device, a few addresses. */
#ifndef TESTS_LIVE_NETWORK_H
#define TESTS_LIVE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

/* 127/8, ::1, 10.9.0.1 and fd09::1 on lo; the device d0, up and without an address. False: not allowed here. */
bool network_begin(void);
/* Writes a file below /proc/sys/net. */
void network_sysctl(const char *name, const char *value);

/* Waits until all that was sent here has been heard: on a loaded machine a packet may lie in a queue of its processor. */
void network_settle(void);

/* An address to name, those more often that matter more often. */
const char *network_addr(bool v6, unsigned pick);

#endif
