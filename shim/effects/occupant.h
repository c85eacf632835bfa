/* occupant.h - sockets that stand on a port to be in the way. Every descriptor that is answered is close-on-exec and
 * numbered 512 or above where the limit allows; as long as it is open, and no longer, the port is taken.
 *
 * In TIME_WAIT means: by what the kernel leaves of a connection over loopback whose end on this port closed first. The
 * descriptor is then the other end, which resets it when it is closed. The kernel keeps such a remainder for at most
 * OCCUPANT_LEFT_MAX_NS; where it must be longer, a bound socket with the same options stands in its place: bind() tells
 * the two apart only by SO_REUSEPORT of another user. */
#ifndef EFFECTS_OCCUPANT_H
#define EFFECTS_OCCUPANT_H

#include <snag/addr.h>
#include <snag/occupant.h>
#include <stdbool.h>
#include <stdint.h>

#define OCCUPANT_LEFT_MAX_NS (60 * 1000000000ull)

struct occupant_wish {
	struct snag_addr addr;	/* IPv4 or IPv6, with a port; in TIME_WAIT no wildcard: occupant_specific */
	uint16_t domain;	/* of the socket: AF_INET, AF_INET6 */
	uint8_t as;		/* enum snag_occupant_as */
	uint8_t proto;		/* enum snag_proto: TCP or UDP */
	uint8_t options;	/* enum snag_option bits that it shall have */
	uint32_t device;	/* interface index; 0: none */
	uint64_t for_ns;	/* real time */
};

/* The address itself; of a wildcard that of loopback, since what is left of a connection has one address. */
struct snag_addr occupant_specific(const struct snag_addr *a);

/* Enum snag_option bits of a socket, as they are now. */
uint8_t occupant_options(int fd);

/* A descriptor that takes the port; what bind() and listen() answer, -errno, where they refuse. */
int occupant_open(const struct occupant_wish *w);

/* The same, as ordered; in TIME_WAIT on the address of the order, or that of loopback where it is a wildcard. */
int occupant_obey(struct snag_occupant_order *o);

/* The same beside a socket that has the port, and whose last descriptor is about to be closed: at no moment in
 * between is the port free. occupant_claim: before the close of `fd`, a socket of no use from then on; fills in w's
 * addr, domain, proto and options from it. occupant_settle: after it; answers what occupant_open does, c is spent.
 * -EOPNOTSUPP: the program has bound it to a device. */
struct occupant_claim {
	struct occupant_wish wish;
	int fd;			/* bound beside the other; -errno */
};
void occupant_claim(struct occupant_claim *c, int fd);
int occupant_settle(struct occupant_claim *c);

/* Passes the descriptor on to the keeper, who closes it at o->until_ns, and closes it here. From then on the kernel
 * holds it whatever happens to either process. 0; -errno: nobody takes it, the port is free. */
int occupant_hand(const char *path, int fd, const struct snag_occupant_order *o);

/* "FOLDER/SESSION.occupy" into path, where the keeper takes orders. False: too long. */
#define OCCUPANT_PATH_MAX 108
bool occupant_path(char path[OCCUPANT_PATH_MAX], const char *folder, const char *session);

#endif
