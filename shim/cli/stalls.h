/* stalls.h - what a stall hides is shown again when nobody else does: its process was killed, or has closed the socket,
 * and those that share it know nothing of it. */
#ifndef CLI_STALLS_H
#define CLI_STALLS_H

#include <policy/rules.h>
#include <session/session.h>

bool stalls_possible(const struct rules *rules);
/* Through a copy of a holder's descriptor (pidfd_getfd(2), for whom ptrace would be allowed). */
void stalls_step(struct session *s);

#endif
