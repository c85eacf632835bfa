/* args.c - the arguments of calls in the words of a C program. */
#include "args.h"

#include <base/base.h>
#include <base/calls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snag/call.h>
#include <stdio.h>
#include <sys/socket.h>

struct word {
	int value;
	const char *name;
};

#define WORD(x) { x, #x }

static const struct word domains[] = {
	WORD(AF_UNSPEC), WORD(AF_UNIX), WORD(AF_INET), WORD(AF_INET6), WORD(AF_NETLINK), WORD(AF_PACKET),
	WORD(AF_VSOCK), { 0, NULL },
};
static const struct word types[] = {
	WORD(SOCK_STREAM), WORD(SOCK_DGRAM), WORD(SOCK_RAW), WORD(SOCK_SEQPACKET), { 0, NULL },
};
static const struct word protocols[] = {
	WORD(IPPROTO_TCP), WORD(IPPROTO_UDP), WORD(IPPROTO_ICMP), WORD(IPPROTO_ICMPV6), { 0, NULL },
};
static const struct word hows[] = { WORD(SHUT_RD), WORD(SHUT_WR), WORD(SHUT_RDWR), { 0, NULL } };
static const struct word levels[] = {
	WORD(SOL_SOCKET), WORD(IPPROTO_IP), WORD(IPPROTO_IPV6), WORD(IPPROTO_TCP), { 0, NULL },
};
static const struct word socket_options[] = {
	WORD(SO_REUSEADDR), WORD(SO_REUSEPORT), WORD(SO_LINGER), WORD(SO_BINDTODEVICE), WORD(SO_KEEPALIVE),
	WORD(SO_BROADCAST), WORD(SO_SNDBUF), WORD(SO_RCVBUF), WORD(SO_RCVTIMEO), WORD(SO_SNDTIMEO), { 0, NULL },
};
static const struct word tcp_options[] = {
	WORD(TCP_NODELAY), WORD(TCP_CORK), WORD(TCP_KEEPIDLE), WORD(TCP_KEEPINTVL), WORD(TCP_KEEPCNT), WORD(TCP_SYNCNT),
	WORD(TCP_LINGER2), WORD(TCP_DEFER_ACCEPT), WORD(TCP_QUICKACK), WORD(TCP_USER_TIMEOUT), WORD(TCP_FASTOPEN),
	{ 0, NULL },
};
static const struct word ipv6_options[] = { WORD(IPV6_V6ONLY), { 0, NULL } };

/* The word for v, or its digits. */
static struct text word(const struct word *table, int v, char space[ARGS_TEXT])
{
	for (; table->name; table++)
		if (table->value == v)
			return text_of(table->name);
	snprintf(space, ARGS_TEXT, "%d", v);
	return text_of(space);
}

static struct text socket_type(int v, char space[ARGS_TEXT])
{
	char digits[ARGS_TEXT];
	struct text base = word(types, v & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), digits);

	snprintf(space, ARGS_TEXT, "%.*s%s%s", (int)base.n, base.p, v & SOCK_NONBLOCK ? "|SOCK_NONBLOCK" : "",
		 v & SOCK_CLOEXEC ? "|SOCK_CLOEXEC" : "");
	return text_of(space);
}

static struct text option(int level, int v, char space[ARGS_TEXT])
{
	static const struct {
		int level;
		const struct word *options;
	} levels_options[] = {
		{ SOL_SOCKET, socket_options }, { IPPROTO_TCP, tcp_options }, { IPPROTO_IPV6, ipv6_options },
	};
	static const struct word none[] = { { 0, NULL } };
	const struct word *table = none;

	for (size_t i = 0; i < ARRAY_LEN(levels_options); i++)
		if (levels_options[i].level == level)
			table = levels_options[i].options;
	return word(table, v, space);
}

void args_fill(struct record *r, const struct snag_event_call *e, struct args_space *space)
{
	const int32_t *arg = e->arg;

	if (call_has(e->call, SNAG_TRAIT_STREAM))
		r->bytes = arg[0];
	switch (e->call) {
	case SNAG_CALL_socket:
	case SNAG_CALL_socketpair:
		r->domain = word(domains, arg[0], space->text[0]);
		r->type = socket_type(arg[1], space->text[1]);
		r->protocol = arg[2] ? word(protocols, arg[2], space->text[2]) : text_of("0");
		break;
	case SNAG_CALL_listen:
		r->backlog = arg[0];
		break;
	case SNAG_CALL_shutdown:
		r->how = word(hows, arg[0], space->text[0]);
		break;
	case SNAG_CALL_setsockopt:
		r->level = word(levels, arg[0], space->text[0]);
		r->option = option(arg[0], arg[1], space->text[1]);
		r->value = arg[2];
		break;
	case SNAG_CALL_dup2:
	case SNAG_CALL_dup3:
	case SNAG_CALL_fcntl:
		r->newfd = arg[0];
		break;
	case SNAG_CALL_close_range:
		r->last = (uint32_t)arg[1];
		r->first = (uint32_t)arg[0];
		break;
	case SNAG_CALL_closefrom:
		r->first = arg[0];
		break;
	}
}

const char *args_order(struct text call)
{
	static const struct {
		const char *call, *order;
	} rows[] = {
		{ "socket", "domain type protocol" },
		{ "socketpair", "domain type protocol" },
		{ "listen", "fd backlog" },
		{ "accept", "fd peer" },
		{ "accept4", "fd peer" },
		{ "shutdown", "fd how" },
		{ "setsockopt", "fd level option value" },
		{ "dup2", "fd newfd" },
		{ "dup3", "fd newfd" },
		{ "fcntl", "fd newfd" },
		{ "close_range", "first last" },
		{ "closefrom", "first" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (text_is(call, rows[i].call))
			return rows[i].order;
	return call_has(call_by_name(call.p, call.n), SNAG_TRAIT_STREAM) ? "fd bytes" : "fd addr";
}
