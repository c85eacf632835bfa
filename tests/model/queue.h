/* queue.h - what the tests of a listener's queues have in common: sockets by number, calls with what --audit asks. */
#ifndef TESTS_MODEL_QUEUE_H
#define TESTS_MODEL_QUEUE_H

#include "drive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct model_machine MACHINE = {.port_low = 40000, .port_high = 40100, .somaxconn = 4096,
	.syncookies = 1, .syn_one_more = 1, .max_syn_backlog = 128, .timestamps = 1};

enum { LISTENER = 1, FIRST };

static inline struct snag_call with_facts(const struct drive *d, unsigned call, uint32_t sock, uint8_t tcp_state)
{
	struct snag_call c = drive_call(d, call, sock);

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_REACH | SNAG_FACT_WHOLE | SNAG_FACT_UNREAD;
	c.tcp_state = tcp_state;
	c.blocking = 1;
	c.reach = SNAG_REACH_LOCAL;
	return c;
}

static inline struct snag_call connect_call(const struct drive *d, uint32_t sock)
{
	struct snag_call c = with_facts(d, SNAG_CALL_connect, sock, TCP_CLOSE);

	c.addr = drive_addr("127.0.0.1", 80);
	c.addr_family = AF_INET;
	c.addr_len = sizeof(struct sockaddr_in);
	return c;
}

#endif
