/* endpoint.h - an address as people type it: 8080, :8080, *:8080, 127.0.0.1:80, [::1]:80, localhost:80, 53/udp. */
#ifndef CLI_ENDPOINT_H
#define CLI_ENDPOINT_H

#include <snag/addr.h>
#include <stdint.h>

struct endpoint {
	uint8_t proto;		/* enum snag_proto: TCP or UDP; NONE: the text does not say */
	struct snag_addr addr;	/* a port alone, :PORT and *:PORT mean 0.0.0.0 */
};

/* NULL: *e is filled in; else what is wrong with the text. */
const char *endpoint_parse(struct endpoint *e, const char *text);

#endif
