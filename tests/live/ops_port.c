/* ops_port.c - sockets, their options, and what takes a port: bind, listen. */
#include "live.h"
#include "address.h"

#include <base/base.h>
#include <base/hash.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/time.h>

struct kind {
	const char *name;
	int domain, type;
	uint8_t proto;
	int protocol;
};

/* Three of four are TCP's. */
static const struct kind *choose_kind(const struct world *w, unsigned make)
{
	static const struct kind kinds[] = {
		{"AF_INET, TCP", AF_INET, SOCK_STREAM, SNAG_PROTO_TCP, 0},
		{"AF_INET6, TCP", AF_INET6, SOCK_STREAM, SNAG_PROTO_TCP, 0},
		{"AF_INET, UDP", AF_INET, SOCK_DGRAM, SNAG_PROTO_UDP, 0},
		{"AF_INET6, UDP", AF_INET6, SOCK_DGRAM, SNAG_PROTO_UDP, 0},
		{"AF_INET, UDP-Lite", AF_INET, SOCK_DGRAM, SNAG_PROTO_UDPLITE, IPPROTO_UDPLITE},
		{"AF_INET6, UDP-Lite", AF_INET6, SOCK_DGRAM, SNAG_PROTO_UDPLITE, IPPROTO_UDPLITE},
	}, names[] = {
		{"AF_UNIX, SOCK_STREAM", AF_UNIX, SOCK_STREAM, SNAG_PROTO_UNIX, 0},
		{"AF_UNIX, SOCK_DGRAM", AF_UNIX, SOCK_DGRAM, SNAG_PROTO_UNIX, 0},
	};

	return w->names ? &names[make % 4 == 3] : &kinds[(make & 1) + (make % 8 < 6 ? 0 : make & 16 ? 4 : 2)];
}

void make_socket(struct world *w, uint8_t s, unsigned make)
{
	const struct kind *k = choose_kind(w, make);
	struct timeval patience = {.tv_usec = 100000};

	w->fd[s] = socket(k->domain, k->type | SOCK_CLOEXEC, k->protocol);
	w->id[s] = ++w->next_id;
	w->d->now_ns = now_of_world();
	w->d->uid = w->uid;
	drive_socket(w->d, w->id[s], k->proto, (unsigned)k->domain, (unsigned)k->type);
	if (k->domain == AF_INET6 && w->machine.bindv6only)
		drive_option(w->d, w->id[s], IPPROTO_IPV6, IPV6_V6ONLY, 1);
	setsockopt(w->fd[s], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	note(w, "  socket(%s) is %u, by user %u\n", k->name, s, w->uid);
}

/* ---- options ---- */

void set_option(struct world *w, uint8_t s, int level, int name, const void *value, socklen_t len, int told,
		const char *text)
{
	struct attempt t = attempt_begin(w, SNAG_CALL_setsockopt, s);
	int err = attempt_made(w, &t, setsockopt(w->fd[s], level, name, value, len));

	note(w, "  setsockopt(%u, %s, %d) = %s\n", s, text, told, errno_text(err));
	t.c.arg[0] = level;
	t.c.arg[1] = name;
	t.c.arg[2] = told;
	attempt_learn(w, &t);
}

static void set_switch(struct world *w, uint8_t s, const struct step *p, int level, int name, const char *text)
{
	int on = p->b % 4 != 0;

	set_option(w, s, level, name, &on, sizeof(on), on, text);
}

OPERATION(reuseaddr, 14, false)
{
	set_switch(w, s, p, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
}

OPERATION(reuseport, 11, false)
{
	set_switch(w, s, p, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT");
}

OPERATION(v6only, 3, false)
{
	if (w->d->domain[w->id[s]] == AF_INET6)
		set_switch(w, s, p, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
}

OPERATION(device, 2, false)
{
	static const char *const devices[] = {"lo", "d0", ""};
	const char *device = devices[p->b % 3];
	int index = *device ? (int)if_nametoindex(device) : 0;
	int hash = *device ? (int)(hash_bytes(device, strlen(device)) | MODEL_DEVICE_NAME) : 0;

	if (p->b & 1)
		set_option(w, s, SOL_SOCKET, 62 /* SO_BINDTOIFINDEX */, &index, sizeof(index), index, device);
	else
		set_option(w, s, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device), hash, device);
}

OPERATION(freebind, 1, false)
{
	set_switch(w, s, p, IPPROTO_IP, IP_FREEBIND, "IP_FREEBIND");
}

OPERATION(broadcast, 1, false)
{
	set_switch(w, s, p, SOL_SOCKET, SO_BROADCAST, "SO_BROADCAST");
}

OPERATION(multicast_if, 1, false)
{
	struct in_addr any = {0};

	if (w->d->domain[w->id[s]] == AF_INET)
		set_option(w, s, IPPROTO_IP, IP_MULTICAST_IF, &any, sizeof(any), 0, "IP_MULTICAST_IF");
}

OPERATION(no_port, 3, false)
{
	set_switch(w, s, p, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT");
}

OPERATION(port_range, 3, false)
{
	uint32_t low = p->a % 5 ? w->machine.port_low + p->a % 7 - 1 : 0, high = p->b % 5 ? low + p->b % 9 : 0;
	uint32_t range = high << 16 | low;

	set_option(w, s, IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof(range), (int)range, "IP_LOCAL_PORT_RANGE");
}

/* seconds below 0: off */
void set_linger(struct world *w, uint8_t s, int seconds)
{
	struct linger l = {.l_onoff = seconds >= 0, .l_linger = seconds > 0 ? seconds : 0};

	set_option(w, s, SOL_SOCKET, SO_LINGER, &l, sizeof(l), seconds + 1 > 0 ? seconds + 1 : 0, "SO_LINGER");
}

OPERATION(linger, 3, false)
{
	set_linger(w, s, p->b % 4 == 0 ? -1 : p->b % 8 == 7);
}

/* ---- bind, listen ---- */

OPERATION(bind, 62, false)
{
	struct attempt t = attempt_begin(w, SNAG_CALL_bind, s);
	struct sockaddr_storage ss;
	socklen_t len;

	note(w, "  bind(%u, ", s);
	len = address_choose(w, &t.c, p, &ss);
	note(w, ")");
	attempt_foresee(w, &t);
	if (!attempt_made(w, &t, bind(w->fd[s], (struct sockaddr *)&ss, len)) && !t.c.addr.port && !t.c.path_len)
		local_of(w->fd[s], &t.o.local);
	attempt_judge(w, &t);
}

OPERATION(listen, 26, false)
{
	static const int backlogs[] = {0, 1, 2, 5, 100, -1};
	struct attempt t = attempt_begin(w, SNAG_CALL_listen, s);

	t.c.arg[0] = backlogs[p->a % ARRAY_LEN(backlogs)];
	note(w, "  listen(%u, %d)", s, t.c.arg[0]);
	attempt_foresee(w, &t);
	if (!attempt_made(w, &t, listen(w->fd[s], t.c.arg[0]))) {
		local_of(w->fd[s], &t.o.local);
		queue_own(w, s, &t.c);
	}
	attempt_judge(w, &t);
}
