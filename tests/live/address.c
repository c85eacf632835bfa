/* address.c - which address does a step name? */
#include "address.h"
#include "network.h"
#include "unix.h"

#include <probe/route.h>

/* Mostly one of the sequence's few ports; or none, or a privileged one. */
static unsigned choose_port(const struct world *w, const struct step *p)
{
	if (p->b % 8 < 6)
		return w->base + p->b % PORTS;
	if (p->b % 8 == 6)
		return 0;
	return p->b % 9 ? w->base : 80;
}

/* As preload/name.c tells of it. */
static void say_unspec(struct snag_call *c, struct sockaddr_storage *ss, socklen_t len)
{
	ss->ss_family = AF_UNSPEC;
	c->addr = (struct snag_addr){0};
	if (c->domain == AF_INET)
		addr_from_unspec(&c->addr, (struct sockaddr *)ss, len);
}

static socklen_t choose_inet(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss)
{
	bool v6 = c->domain == AF_INET6, other = p->b % 61 == 60;
	const char *text = network_addr(v6 != other, p->a);
	unsigned port = choose_port(w, p);
	socklen_t len;
	int reach;

	if (w->quiet && c->proto == SNAG_PROTO_TCP && c->call == SNAG_CALL_bind && (text[0] == '2'))
		text = v6 != other ? "::1" : "127.0.0.1";	/* which address it has after a connect nobody tells */
	c->addr = drive_addr(text, port);
	memset(ss, 0, sizeof(*ss));
	len = addr_to_sockaddr(&c->addr, ss);
	if (p->b % 67 == 66)
		len = p->b % 2 ? 1 : 10;
	if (c->call == SNAG_CALL_bind && p->a % 53 == 52)
		say_unspec(c, ss, len);
	c->addr_family = (uint16_t)(len > 1 ? ss->ss_family : 0);
	c->addr_len = len;
	reach = route_reach(&c->addr);
	c->reach = reach < 0 ? 0 : (uint8_t)reach;
	if (reach >= 0)
		c->facts |= SNAG_FACT_REACH;
	if (len < 16)
		c->addr = (struct snag_addr){0};
	note(w, "%s, %u%s%s", text, port, len < 16 ? ", cut" : "", len > 1 && !ss->ss_family ? ", AF_UNSPEC" : "");
	return len;
}

socklen_t address_choose(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss)
{
	return c->proto == SNAG_PROTO_UNIX ? unix_choose(w, c, p, ss) : choose_inet(w, c, p, ss);
}
