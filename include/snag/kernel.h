/* kernel.h - a virtual kernel: the standing limits under which a program is made to live, as `kernel:` of a policy says.
 * Made by the compiler, read by the model (what is refused) and the effects (what is set on real sockets). */
#ifndef SNAG_KERNEL_H
#define SNAG_KERNEL_H

#include <stdint.h>

/* Whose bind and TIME_WAIT rules hold. */
enum snag_profile { SNAG_PROFILE_LINUX, SNAG_PROFILE_FREEBSD, SNAG_PROFILE_MACOS, SNAG_PROFILE_TEXTBOOK, SNAG_PROFILES };

enum snag_kernel_key {		/* bits */
	SNAG_KERNEL_RULES = 1 << 0,
	SNAG_KERNEL_CLOCK = 1 << 1,
	SNAG_KERNEL_TIME_WAIT = 1 << 2,
	SNAG_KERNEL_OPEN_FILES = 1 << 3,
	SNAG_KERNEL_OPEN_SOCKETS = 1 << 4,
	SNAG_KERNEL_PRIVILEGED = 1 << 5,
	SNAG_KERNEL_SOMAXCONN = 1 << 6,
	SNAG_KERNEL_TW_REUSE = 1 << 7,
	SNAG_KERNEL_TW_BUCKETS = 1 << 8,
	SNAG_KERNEL_PORT_RANGE = 1 << 9,
	SNAG_KERNEL_UNPRIVILEGED_START = 1 << 10,
	SNAG_KERNEL_NONLOCAL_BIND = 1 << 11,
	SNAG_KERNEL_BINDV6ONLY = 1 << 12,
	SNAG_KERNEL_SYN_RETRIES = 1 << 13,
	SNAG_KERNEL_FIN_TIMEOUT = 1 << 14,
	SNAG_KERNEL_OUTSIDE = 1 << 15,	/* said by no key: port_lo..port_hi is not within the machine's own range */
};

/* Those whose answers depend on who holds which port. */
#define SNAG_KERNEL_PORTS (SNAG_KERNEL_RULES | SNAG_KERNEL_CLOCK | SNAG_KERNEL_TIME_WAIT | SNAG_KERNEL_PRIVILEGED | \
			   SNAG_KERNEL_TW_REUSE | SNAG_KERNEL_TW_BUCKETS | SNAG_KERNEL_PORT_RANGE | \
			   SNAG_KERNEL_UNPRIVILEGED_START | SNAG_KERNEL_OUTSIDE)

/* Each field is in force where its key is in `given`; what the machine's own value decides with, stands there too. */
struct snag_kernel {
	uint32_t given;			/* enum snag_kernel_key bits; 0: there is no virtual kernel */
	uint32_t clock;			/* model time runs this many times faster; at least 1 */
	uint64_t time_wait_ns;		/* model time; or the profile's */
	uint64_t fin_timeout_ns;	/* model time; or the machine's */
	int32_t open_files, open_sockets, somaxconn, tw_buckets;
	uint32_t tw_reuse_delay_ms;	/* the machine's */
	uint16_t port_lo, port_hi;	/* ephemeral ports; or the machine's */
	uint16_t machine_lo, machine_hi;	/* the machine's own */
	uint16_t unprivileged_start;	/* or the machine's */
	uint8_t profile;		/* enum snag_profile */
	uint8_t privileged;		/* 0: root too needs a port at or above unprivileged_start */
	uint8_t tw_reuse;		/* 0, 1, 2: only where one end is in 127/8; or the machine's */
	uint8_t syn_retries;
	uint8_t bindv6only;
	uint8_t spare[5];
};

#endif
