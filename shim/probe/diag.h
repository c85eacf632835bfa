/* diag.h - what the kernel itself tells of its sockets: sock_diag(7), asked over netlink. No privilege is needed, and
 * nothing changes by asking. Speaks of the network namespace of the caller. No allocation by malloc, errno untouched;
 * a descriptor is open during the call only, close-on-exec and numbered 512 or above where the limit allows. */
#ifndef PROBE_DIAG_H
#define PROBE_DIAG_H

#include <snag/addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TCP sockets that are bound and neither listen nor connect: include/net/tcp_states.h, since Linux 6.8. */
#define DIAG_BOUND 13

/* Sets of TCP states, as diag_query.states wants them: 1 << state of <netinet/tcp.h>. */
#define DIAG_ALL 0xffffffffu
#define DIAG_LISTENING (1u << 10)
#define DIAG_CLAIMS (DIAG_LISTENING | 1u << DIAG_BOUND)

struct diag_sock {
	uint64_t cookie;	/* SO_COOKIE */
	uint32_t inode;		/* 0: no descriptor means it: TIME_WAIT, not accepted yet, or closed and left to the kernel */
	uint32_t uid;
	uint32_t device;	/* SO_BINDTODEVICE, interface index; 0: none */
	uint32_t queue_len;	/* listeners: connections in the accept queue, and its limit */
	uint32_t queue_limit;
	uint32_t left_ms;	/* TIME_WAIT and orphaned FIN_WAIT2: until it ends */
	struct snag_addr local, peer;
	uint16_t domain;	/* AF_INET, AF_INET6 */
	uint8_t proto;		/* enum snag_proto: TCP or UDP */
	uint8_t state;		/* TCP state; DIAG_BOUND; of UDP: TCP_CLOSE, connected TCP_ESTABLISHED */
	bool v6only;		/* IPV6_V6ONLY, of sockets that are bound or listen; of others the kernel does not tell */
	bool v6only_known;
};

struct diag_query {
	uint8_t proto;		/* enum snag_proto: TCP or UDP */
	uint16_t port;		/* local port; 0: all */
	uint32_t states;
};

/* False: enough. */
typedef bool diag_each_fn(void *arg, const struct diag_sock *s);

/* Calls back with each socket of both families that the query asks for. 0, or -errno: no netlink here, or none of this
 * kind. */
int diag_dump(const struct diag_query *q, diag_each_fn *each, void *arg);

/* Is this socket (its cookie and addresses) still there? Fills in what it is now. 0; -ENOENT; other -errno: the kernel
 * does not tell. TCP only, and not those that are just bound: these are found by a dump. */
int diag_look(struct diag_sock *s);

/* Who would get a segment from s->peer to s->local, if it came over the loopback? Of sockets that share the port by
 * SO_REUSEPORT the one that the kernel's hash chooses. Fills in the rest of *s; answers as diag_look. */
int diag_receiver(struct diag_sock *s);

/* The messages of one datagram from the kernel, len bytes at buf; believes nothing of them. 1: go on with the next one,
 * 0: the answer is complete or `each` had enough, -errno: the kernel's refusal, or -EPROTO: no such messages. */
int diag_parse(const void *buf, size_t len, uint8_t proto, diag_each_fn *each, void *arg);

#endif
