/* ops_hearing.c - sockets that do not hear everything, and two that connect to each other while one is deaf; how long a
 * closed one waits. */
#include "live.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>


static void set_deaf(struct world *w, uint8_t s, int hops)
{
	bool v6 = w->d->domain[w->id[s]] == AF_INET6;

	set_option(w, s, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MINHOPCOUNT : IP_MINTTL, &hops, sizeof(hops), hops,
		   v6 ? "IPV6_MINHOPCOUNT" : "IP_MINTTL");
}

OPERATION(hops, 1, false)
{
	set_deaf(w, s, (int[]){0, 1, 64, 65, 255}[p->a % 5]);
}

OPERATION(filter, 1, false)
{
	struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = p->b & 1 ? 0 : 0xffff};
	struct sock_fprog program = {.len = 1, .filter = &nothing};
	int none = 0;

	if (p->a % 3)
		set_option(w, s, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none), 0, "SO_DETACH_FILTER");
	else
		set_option(w, s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program), 0, "SO_ATTACH_FILTER");
}

OPERATION(linger2, 2, false)
{
	int value = (int[]){0, 1, 1, 100, 200, -1}[p->a % 6];

	if (w->d->proto[w->id[s]] == SNAG_PROTO_TCP)
		set_option(w, s, IPPROTO_TCP, TCP_LINGER2, &value, sizeof(value), value, "TCP_LINGER2");
}

/* From one port of the loopback to another: bound, then connecting. */
static void connect_between(struct world *w, uint8_t s, unsigned from, unsigned to, bool block)
{
	const char *text = w->d->domain[w->id[s]] == AF_INET6 ? "::1" : "127.0.0.1";
	struct sockaddr_storage ss;
	struct attempt t;
	socklen_t len;

	for (int connects = 0; connects < 2; connects++) {
		set_blocking(w, s, block);
		t = attempt_begin(w, connects ? SNAG_CALL_connect : SNAG_CALL_bind, s);
		t.c.addr = drive_addr(text, w->base + (connects ? to : from));
		t.c.reach = SNAG_REACH_LOCAL;
		t.c.facts |= SNAG_FACT_REACH;
		len = addr_to_sockaddr(&t.c.addr, &ss);
		t.c.addr_family = ss.ss_family;
		t.c.addr_len = len;
		note(w, "  %s(%u, %s, %u%s)", connects ? "connect" : "bind", s, text, t.c.addr.port,
		     block ? "" : ", not waiting");
		attempt_foresee(w, &t);
		attempt_made(w, &t, (connects ? connect : bind)(w->fd[s], (struct sockaddr *)&ss, len));
		if (connects)
			local_of(w->fd[s], &t.o.local);
		attempt_judge(w, &t);
	}
}

/* The first SYN of two is lost. */
OPERATION(cross, 3, false)
{
	uint8_t other = (uint8_t)(s % SOCKS + 1);

	if (hold_is(w, s) || hold_is(w, other))
		return;
	if (w->fd[other])
		close_socket(w, other);
	make_socket(w, other, p->make & 1);
	set_deaf(w, s, 255);
	connect_between(w, s, p->a % 2, 2, false);
	if (p->b % 16)
		set_deaf(w, s, 0);
	if (!w->failed)
		connect_between(w, other, 2, p->a % 2, p->block);
}
