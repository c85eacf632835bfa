/* endpoint.c - an address as people type it. */
#include "endpoint.h"

#include <base/addr.h>
#include <net/if.h>
#include <snag/call.h>
#include <stdbool.h>
#include <string.h>

/* "8080", "8080/udp". */
static bool parse_port(struct endpoint *e, const char *text)
{
	unsigned port = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && port < 65536; p++)
		port = port * 10 + (unsigned)(*p - '0');
	if (strcmp(p, "/udp") == 0)
		e->proto = SNAG_PROTO_UDP;
	else if (strcmp(p, "/tcp") == 0)
		e->proto = SNAG_PROTO_TCP;
	else if (*p)
		return false;
	e->addr.port = (uint16_t)port;
	return p > text && port < 65536;
}

/* "fe80::1%eth0": the interface by its name. */
static bool parse_scoped(struct snag_addr *a, const char *text, size_t len)
{
	const char *at = memchr(text, '%', len);
	size_t n = at ? (size_t)(text + len - at - 1) : 0;
	char name[IF_NAMESIZE];
	unsigned prefix;

	if (!at || n >= sizeof(name) || !addr_parse(a, &prefix, text, (size_t)(at - text)))
		return false;
	memcpy(name, at + 1, n);
	name[n] = 0;
	a->scope = if_nametoindex(name);
	return a->scope != 0;
}

static bool parse_host(struct snag_addr *a, const char *text, size_t len)
{
	unsigned prefix;

	if (len == 0 || (len == 1 && text[0] == '*'))
		return addr_parse(a, &prefix, "0.0.0.0", 7);
	if (len == 9 && strncmp(text, "localhost", 9) == 0)
		return addr_parse(a, &prefix, "127.0.0.1", 9);
	if (memchr(text, '/', len))
		return false;
	return addr_parse(a, &prefix, text, len) || parse_scoped(a, text, len);
}

const char *endpoint_parse(struct endpoint *e, const char *text)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	struct snag_addr a;

	memset(e, 0, sizeof(*e));
	if (text[0] == '[' && !strstr(text, "]:"))
		return "it lacks a port, as in [::1]:80";
	if (len >= 2 && text[0] == '[' && colon[-1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return "an IPv6 address stands in brackets, as in [::1]:80";
	}
	if (!parse_port(e, colon ? colon + 1 : text))
		return colon ? "the port is no number from 0 to 65535" :
			       "it is no ADDR:PORT, such as 127.0.0.1:8080, [::1]:80, localhost:80 or 8080";
	if (!parse_host(&a, host, len))
		return "its address is no number; write it as in 127.0.0.1:8080 or [::1]:80";
	a.port = e->addr.port;
	e->addr = a;
	return NULL;
}
