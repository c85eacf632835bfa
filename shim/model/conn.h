/* conn.h - both ends of a TCP connection inside the session, and what the one does to the other.
 *
 * An end is a socket of the session or a bare record. Followed are connections whose addresses were told (MODEL_EXACT);
 * the loopback delivers at once, so what one end sends has arrived at the other when the call returns:
 *
 *     this end            the other end
 *     FIN  established -> fin_wait        established -> close_wait
 *     FIN  close_wait  -> closed          fin_wait    -> time_wait, a bare record
 *     RST  any         -> closed          any         -> closed, its port released unless it was named
 *
 * The other end may still be a request in the listener's SYN queue, half-open: a FIN or data makes a connection of it,
 * a RST ends it, and when its listener ends, whatever is sent to it is answered by a RST.
 *
 * All under the session's lock. */
#ifndef MODEL_CONN_H
#define MODEL_CONN_H

#include "model.h"

/* The kernel's choice of addresses is known: the record stands in the chains of its port and 4-tuple. */
void conn_enter(struct model *m, uint32_t sock);
/* Out of both chains, and no end of anything: before its addresses change. */
void conn_leave(struct model *m, uint32_t sock);
/* Whatever was left of an earlier connection between these two gives way to a new one; there only if here the answers are
 * heard. */
void conn_sweep(struct model *m, const struct snag_addr *local, const struct snag_addr *peer, bool heard);
/* A client has reached a listener (0: one of several, not known which): its other end waits in the queue. */
void conn_reach(struct model *m, uint32_t client, uint32_t listener, uint64_t now_ns);
/* Socket `sock`, whose addresses stand in its record, came out of the listener's queue. False: it never was in it. */
bool conn_accept(struct model *m, uint32_t sock, uint32_t listener, uint64_t now_ns);
/* The other end of a connect from `local` to `peer` that began at since_ns, where accept was the first to be told of; it
 * may be closed already. 0: none. Then the two are joined. */
uint32_t conn_early(const struct model *m, const struct snag_addr *local, const struct snag_addr *peer,
		    uint64_t since_ns);
void conn_meet_early(struct model *m, uint32_t client, uint32_t early, uint64_t now_ns);

/* This end has sent its FIN; it has sent a RST; it was told that it is in `tcp_state`. */
void conn_fin(struct model *m, uint32_t sock, uint64_t now_ns);
/* The other end's FIN has come: tcp_fin() (net/ipv4/tcp_input.c). */
void conn_fin_arrives(struct model *m, uint32_t sock, uint64_t now_ns);
void conn_reset_other(struct model *m, uint32_t sock, uint64_t now_ns);
void conn_told(struct model *m, uint32_t sock, uint8_t tcp_state, uint64_t now_ns);
/* The last descriptor of this end is gone. unread: bytes that nobody read; -1: not known. */
void conn_close(struct model *m, uint32_t sock, int32_t unread, uint64_t now_ns);
/* A listener ends: all that wait in its accept queue are reset. Requests that are half-open just stay behind. */
void conn_deafen(struct model *m, uint32_t listener, uint64_t now_ns);
/* It is reset, if it has not ended before: what may stay of it then. */
void conn_remain(struct model *m, const struct model_sock *r, uint64_t now_ns);
/* It enters TCP_CLOSE: no connection any more, and no port that it did not name. */
void conn_done(struct model *m, uint32_t sock, uint64_t now_ns);

/* Nobody knows what has become of it. */
void conn_lose_sight(struct model *m, uint32_t sock);
/* A bare record with the addresses and claims of `r`; 0: no room, then the port says so. */
uint32_t conn_shadow(struct model *m, const struct model_sock *r, uint8_t state, uint64_t now_ns);
/* Is what it sends heard, and the acknowledgement too? */
bool conn_heard(const struct model *m, const struct model_sock *r);
/* The two are the ends of one connection. */
void conn_join(struct model *m, uint32_t a, uint32_t b);
/* The two ends know nothing of each other any more. */
void conn_part(struct model *m, uint32_t sock);

#endif
