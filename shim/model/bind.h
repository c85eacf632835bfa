/* bind.h - may two sockets share a port? Arithmetic on values, no tables.
 *
 * Linux inet_csk_bind_conflict() and inet_rcv_saddr_equal() (net/ipv4/inet_connection_sock.c); for UDP
 * inet_rcv_saddr_equal() in udp_lib_lport_inuse() (net/ipv4/udp.c). */
#ifndef MODEL_BIND_H
#define MODEL_BIND_H

#include <snag/addr.h>
#include <snag/state.h>
#include <stdbool.h>
#include <stdint.h>

/* What the rule looks at, of the new socket and of one that stands on the port. */
struct bind_claim {
	struct snag_addr addr;
	uint16_t domain;	/* of the socket, not of the address */
	uint8_t options;	/* enum snag_option bits, as they are now */
	uint8_t hidden;		/* of the old one: those of them that are not known; they are not set in `options` */
	bool listening, time_wait;
	bool closing;		/* closed, and in TIME_WAIT as soon as its FIN is acknowledged: perhaps already */
	bool vague;		/* addr is a wildcard that stands for one address which is not known */
	uint32_t device;	/* 0: none; MODEL_DEVICE_UNKNOWN */
	uint32_t uid;
};

enum bind_answer { BIND_FREE, BIND_UNSURE, BIND_CONFLICT };

/* Do the addresses of the new socket and the old one meet? Not symmetric. */
bool bind_addresses_meet(const struct bind_claim *new, const struct bind_claim *old);
/* Are these two the same claim? Then one answer serves for both. */
bool bind_same(const struct bind_claim *a, const struct bind_claim *b);
/* Devices and addresses: can the two be in each other's way at all? */
enum bind_answer bind_overlap(const struct bind_claim *new, const struct bind_claim *old);
/* REUSEADDR of both, and the old one does not listen. */
bool bind_reuses_addr(const struct bind_claim *new, const struct bind_claim *old);
/* REUSEPORT of both, and the same user or an old one in TIME_WAIT. */
bool bind_reuses_port(const struct bind_claim *new, const struct bind_claim *old);
/* The same where the kernel chooses the port and ip_autobind_reuse lets it share one. */
enum bind_answer bind_relaxed(const struct bind_claim *new, const struct bind_claim *old);
/* All of it, for TCP: is the old one in the new one's way? */
enum bind_answer bind_conflict(const struct bind_claim *new, const struct bind_claim *old);

#endif
