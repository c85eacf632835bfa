/* facts.h - what a system call or a search tells of a call: filled in only where a rule asks for it. */
#ifndef PRELOAD_FACTS_H
#define PRELOAD_FACTS_H

#include <snag/call.h>
#include <stdbool.h>

/* Fill in those of `facts` (enum snag_fact) that can be had; c->facts names them. */
void facts_fill(struct snag_call *c, unsigned facts, const void *caller);

/* tcpi_state of the call's socket; 0: none. */
uint8_t facts_tcp_state(const struct snag_call *c);

/* The address of a socket's own end, as getsockname() says; false: none to be had. */
bool facts_local(int fd, struct snag_addr *a);
/* The same of its peer, as getpeername() says. */
bool facts_peer(int fd, struct snag_addr *a);

#endif
