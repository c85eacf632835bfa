/* addr.h - a socket address as a value: ports in host order, no pointers, the same in every process. */
#ifndef SNAG_ADDR_H
#define SNAG_ADDR_H

#include <stdint.h>

#define SNAG_PATH_MAX 108	/* sun_path; an abstract name begins with a NUL byte */

struct snag_addr {
	uint16_t family;	/* AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC; 0 with all else 0: no address */
	uint16_t port;		/* host order; 0 for AF_UNIX */
	uint32_t scope;		/* IPv6 scope id */
	uint8_t ip[16];		/* AF_INET: the first 4 bytes, network order; AF_UNIX: the first 8 are a hash of the path */
};

_Static_assert(sizeof(struct snag_addr) == 24, "snag_addr stands in shared memory");

#endif
