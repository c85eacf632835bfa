/* shield.h - a TCP connection attempt that the peer does not hear of: its SYNs are lost, by the real kernel. */
#ifndef EFFECTS_SHIELD_H
#define EFFECTS_SHIELD_H

#include <snag/addr.h>
#include <stdbool.h>
#include <stdint.h>

enum shield { SHIELD_NONE, SHIELD_KEY, SHIELD_DEAF };

/* From now on the socket's SYNs to this address get no answer. SHIELD_NONE: it could not be done. */
enum shield shield_raise(int fd, const struct snag_addr *to);
/* From its next SYN on the peer hears it again. */
void shield_lower(int fd, const struct snag_addr *to, enum shield kind);

/* A real connect; 0 or the positive errno. */
int shield_connect(int fd, const struct snag_addr *to);
/* The same on a blocking socket, hardly waiting: EINPROGRESS where the attempt goes on. */
int shield_connect_briefly(int fd, const struct snag_addr *to);
/* A fresh attempt in place of the one that goes on; whatever comes of it comes late. The port that the kernel chose for
 * the first one may change. */
void shield_connect_again(int fd, const struct snag_addr *to);

/* Is the socket still waiting for its peer (SYN_SENT)? How many SYNs has this attempt sent? */
bool shield_waits(int fd, unsigned *syns);

/* An address of the same family as `like` at which every connection is refused. */
struct snag_addr shield_nobody(const struct snag_addr *like);

/* TCP_USER_TIMEOUT in milliseconds: read it, set it. */
unsigned shield_timeout(int fd);
void shield_set_timeout(int fd, unsigned ms);

#endif
