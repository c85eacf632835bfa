/* diag.c - what the kernel itself tells of its sockets. The forms of question and answer: linux/inet_diag.h,
 * linux/sock_diag.h. */
#include "diag.h"
#include "netlink.h"

#include <base/base.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snag/call.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK_INDEX 1	/* include/net/flow.h: LOOPBACK_IFINDEX */

/* ---- answers ---- */

static struct snag_addr address(unsigned family, const __be32 ip[4], __be16 port, uint32_t scope)
{
	struct snag_addr a = { .family = (uint16_t)family, .port = ntohs(port) };

	memcpy(a.ip, ip, family == AF_INET ? 4 : 16);
	if (family == AF_INET6 && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80)
		a.scope = scope;
	return a;
}

/* The kernel tells of IPV6_V6ONLY for sockets that are bound or listen: inet_diag_msg_attrs_fill()
 * (net/ipv4/inet_diag.c). */
static void read_attribute(void *arg, unsigned type, const char *value, size_t len)
{
	struct diag_sock *s = arg;

	if (type != INET_DIAG_SKV6ONLY || !len)
		return;
	s->v6only = value[0] != 0;
	s->v6only_known = true;
}

static bool read_sock(const char *at, size_t len, uint8_t proto, struct diag_sock *s)
{
	struct inet_diag_msg m;

	if (len < NLMSG_ALIGN(sizeof(m)))
		return false;
	memcpy(&m, at, sizeof(m));
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return false;
	*s = (struct diag_sock){
		.cookie = (uint64_t)m.id.idiag_cookie[1] << 32 | m.id.idiag_cookie[0],
		.inode = m.idiag_inode,
		.uid = m.idiag_uid,
		.device = m.id.idiag_if,
		.local = address(m.idiag_family, m.id.idiag_src, m.id.idiag_sport, m.id.idiag_if),
		.peer = address(m.idiag_family, m.id.idiag_dst, m.id.idiag_dport, m.id.idiag_if),
		.domain = m.idiag_family,
		.proto = proto,
		.state = m.idiag_state,
	};
	if (proto == SNAG_PROTO_TCP && m.idiag_state == TCP_CLOSE)	/* asked for as 13, told as 7 */
		s->state = DIAG_BOUND;
	if (m.idiag_state == TCP_LISTEN) {
		s->queue_len = m.idiag_rqueue;
		s->queue_limit = m.idiag_wqueue;
	}
	if (!m.idiag_inode && m.idiag_timer == 3)	/* inet_twsk_diag_fill() */
		s->left_ms = m.idiag_expires;
	if (!s->peer.port)
		s->peer = (struct snag_addr){ 0 };
	netlink_attributes(at + NLMSG_ALIGN(sizeof(m)), len - NLMSG_ALIGN(sizeof(m)), read_attribute, s);
	return true;
}

struct reader {
	uint8_t proto;
	diag_each_fn *each;
	void *arg;
};

static int read_message(void *arg, const char *body, size_t len)
{
	const struct reader *r = arg;
	struct diag_sock s;

	if (!read_sock(body, len, r->proto, &s))
		return -EPROTO;
	return r->each(r->arg, &s);
}

int diag_parse(const void *buf, size_t len, uint8_t proto, diag_each_fn *each, void *arg)
{
	struct reader r = { proto, each, arg };

	return netlink_parse(buf, len, SOCK_DIAG_BY_FAMILY, read_message, &r);
}

/* ---- questions ---- */

struct question {
	struct nlmsghdr h;
	struct inet_diag_req_v2 r;
};

static uint8_t protocol_of(uint8_t proto)
{
	return proto == SNAG_PROTO_UDP ? IPPROTO_UDP : proto == SNAG_PROTO_UDPLITE ? IPPROTO_UDPLITE : IPPROTO_TCP;
}

static struct question question(unsigned family, uint8_t proto, uint32_t states, unsigned flags)
{
	return (struct question){
		.h = { .nlmsg_len = sizeof(struct question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
		.r = { .sdiag_family = (uint8_t)family, .sdiag_protocol = protocol_of(proto),
		       .idiag_states = states },
	};
}

static int ask(const struct question *q, uint8_t proto, diag_each_fn *each, void *arg)
{
	struct reader r = { proto, each, arg };

	return netlink_ask(NETLINK_SOCK_DIAG, q, sizeof(*q), SOCK_DIAG_BY_FAMILY, read_message, &r);
}

struct wanted {
	uint16_t port;
	diag_each_fn *each;
	void *arg;
	bool enough;
};

/* Not every walk of the kernel's looks at the port. */
static bool pick(void *arg, const struct diag_sock *s)
{
	struct wanted *w = arg;

	if (w->port && s->local.port != w->port)
		return true;
	w->enough = !w->each(w->arg, s);
	return !w->enough;
}

int diag_dump(const struct diag_query *q, diag_each_fn *each, void *arg)
{
	static const uint16_t families[] = { AF_INET, AF_INET6 };
	struct wanted w = { .port = q->port, .each = each, .arg = arg };
	int err = 0;

	for (unsigned i = 0; !err && i < ARRAY_LEN(families) && !w.enough; i++) {
		struct question ask_for = question(families[i], q->proto, q->states, NLM_F_DUMP);

		ask_for.r.id.idiag_sport = htons(q->port);
		err = ask(&ask_for, q->proto, pick, &w);
		if (i && (err == -ENOENT || err == -EAFNOSUPPORT))	/* a kernel without IPv6 */
			err = 0;
	}
	return err;
}

static bool take(void *arg, const struct diag_sock *s)
{
	*(struct diag_sock *)arg = *s;
	return false;
}

int diag_receiver(struct diag_sock *s)
{
	s->cookie = UINT64_MAX;		/* INET_DIAG_NOCOOKIE: any */
	s->device = LOOPBACK_INDEX;
	return diag_look(s);
}

int diag_look(struct diag_sock *s)
{
	struct question q = question(s->domain, s->proto, DIAG_ALL, 0);
	size_t ip = s->domain == AF_INET ? 4 : 16;
	int err;

	q.r.id.idiag_sport = htons(s->local.port);
	q.r.id.idiag_dport = htons(s->peer.port);
	memcpy(q.r.id.idiag_src, s->local.ip, ip);
	memcpy(q.r.id.idiag_dst, s->peer.ip, ip);
	q.r.id.idiag_if = s->device;
	q.r.id.idiag_cookie[0] = (uint32_t)s->cookie;
	q.r.id.idiag_cookie[1] = (uint32_t)(s->cookie >> 32);
	err = ask(&q, s->proto, take, s);
	return err == -ESTALE ? -ENOENT : err;
}
