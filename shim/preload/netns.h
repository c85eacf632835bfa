/* netns.h - in which network namespace this process makes its sockets. The model has the ports of one: that of the first
 * inet socket made in the session. Where the kernel does not tell (before Linux 5.14), all is taken to be one. */
#ifndef PRELOAD_NETNS_H
#define PRELOAD_NETNS_H

#include "self.h"

/* Is a new socket of this domain, made by this thread just now, elsewhere? One system call in a process's life; at every
 * socket where it is not at home for good. */
bool netns_ask(int fd, int domain);
static inline bool netns_made(int fd, int domain)
{
	return unlikely(load_relaxed(&self->netns) != SELF_NETNS_HOME) && netns_ask(fd, domain);
}

/* The same of any socket, wherever it came from. One system call. */
bool netns_has_elsewhere(int fd, int domain);

/* Is this thread in the session's? Then what the kernel lists, and what the machine has set (engine.machine is of this
 * namespace then), is true of the model. Three system calls where netns_made() has not told yet. */
bool netns_at_home(void);

/* The process has begun: what the machine has set, where predictions depend on it. */
void netns_start(void);

#endif
