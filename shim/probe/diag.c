/* diag.c - what the kernel itself tells of its sockets. The forms of question and answer: linux/inet_diag.h,
 * linux/sock_diag.h, linux/netlink.h. */
#include "diag.h"

#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snag/call.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BUFFER (32u << 10)	/* no datagram of the kernel's is longer: netlink_dump() (net/netlink/af_netlink.c) */

/* ---- answers ---- */

static struct snag_addr address(unsigned family, const __be32 ip[4], __be16 port, uint32_t scope)
{
	struct snag_addr a = { .family = (uint16_t)family, .port = ntohs(port) };

	memcpy(a.ip, ip, family == AF_INET ? 4 : 16);
	if (family == AF_INET6 && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80)
		a.scope = scope;
	return a;
}

/* The attributes behind a message; the kernel tells of IPV6_V6ONLY for sockets that are bound or listen:
 * inet_diag_msg_attrs_fill() (net/ipv4/inet_diag.c). */
static void read_attributes(const char *at, size_t left, struct diag_sock *s)
{
	struct nlattr a;

	while (left >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return;
		if (a.nla_type == INET_DIAG_SKV6ONLY && a.nla_len > sizeof(a)) {
			s->v6only = at[sizeof(a)] != 0;
			s->v6only_known = true;
		}
		size_t step = NLA_ALIGN(a.nla_len);
		if (step > left)
			return;
		at += step;
		left -= step;
	}
}

static bool read_sock(const char *at, size_t len, uint8_t proto, struct diag_sock *s)
{
	struct inet_diag_msg m;

	if (len < sizeof(m))
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
	read_attributes(at + NLMSG_ALIGN(sizeof(m)), len - sizeof(m), s);
	return true;
}

int diag_parse(const void *buf, size_t len, uint8_t proto, diag_each_fn *each, void *arg)
{
	const char *at = buf;
	struct diag_sock s;
	struct nlmsghdr h;
	int err;

	while (len >= sizeof(h)) {
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EPROTO;
		const char *body = at + NLMSG_HDRLEN;
		size_t body_len = h.nlmsg_len - NLMSG_HDRLEN;
		switch (h.nlmsg_type) {
		case NLMSG_DONE:
			return 0;
		case NLMSG_ERROR:
			if (body_len < sizeof(err))
				return -EPROTO;
			memcpy(&err, body, sizeof(err));
			return err < 0 && err >= -4095 ? err : 0;
		case SOCK_DIAG_BY_FAMILY:
			if (!read_sock(body, body_len, proto, &s))
				return -EPROTO;
			if (!each(arg, &s))
				return 0;
		}
		size_t step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= len)
			return 1;
		at += step;
		len -= step;
	}
	return len ? -EPROTO : 1;
}

/* ---- questions ---- */

struct question {
	struct nlmsghdr h;
	struct inet_diag_req_v2 r;
};

static struct question question(unsigned family, uint8_t proto, uint32_t states, unsigned flags)
{
	return (struct question){
		.h = { .nlmsg_len = sizeof(struct question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
		.r = { .sdiag_family = (uint8_t)family, .sdiag_protocol = proto == SNAG_PROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
		       .idiag_states = states },
	};
}

/* Sends the question and hands over what comes. The kernel answers within the calls themselves, so nothing is waited
 * for. */
static int ask(int fd, const struct question *q, char *buf, uint8_t proto, diag_each_fn *each, void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long n = sys_call(SYS_sendto, fd, q, sizeof(*q), 0, &kernel, sizeof(kernel));
	int go = n < 0 ? (int)n : 1;

	while (go == 1) {
		struct sockaddr_nl from = { .nl_pid = 1 };
		socklen_t len = sizeof(from);
		n = sys_call(SYS_recvfrom, fd, buf, BUFFER, MSG_DONTWAIT | MSG_TRUNC, &from, &len);
		if (n == -EINTR)
			continue;
		if (n < 0 || (size_t)n > BUFFER)
			return n < 0 ? (int)n : -EMSGSIZE;
		if (from.nl_pid == 0)
			go = diag_parse(buf, (size_t)n, proto, each, arg);
	}
	return go;
}

static int open_netlink(void)
{
	return sys_high_fd((int)sys_call(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
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
	char *buf = sys_mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = sys_failed(buf);

	if (err)
		return err;
	for (unsigned i = 0; !err && i < ARRAY_LEN(families) && !w.enough; i++) {
		struct question ask_for = question(families[i], q->proto, q->states, NLM_F_DUMP);
		int fd = open_netlink();
		ask_for.r.id.idiag_sport = htons(q->port);
		err = fd < 0 ? fd : ask(fd, &ask_for, buf, q->proto, pick, &w);
		if (fd >= 0)
			sys_close(fd);
		if (i && (err == -ENOENT || err == -EAFNOSUPPORT))	/* a kernel without IPv6 */
			err = 0;
	}
	sys_munmap(buf, BUFFER);
	return err;
}

static bool take(void *arg, const struct diag_sock *s)
{
	*(struct diag_sock *)arg = *s;
	return false;
}

int diag_look(struct diag_sock *s)
{
	struct question q = question(s->domain, s->proto, DIAG_ALL, 0);
	size_t ip = s->domain == AF_INET ? 4 : 16;
	char *buf = sys_mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, err = sys_failed(buf);

	if (err)
		return err;
	q.r.id.idiag_sport = htons(s->local.port);
	q.r.id.idiag_dport = htons(s->peer.port);
	memcpy(q.r.id.idiag_src, s->local.ip, ip);
	memcpy(q.r.id.idiag_dst, s->peer.ip, ip);
	q.r.id.idiag_if = s->device;
	q.r.id.idiag_cookie[0] = (uint32_t)s->cookie;
	q.r.id.idiag_cookie[1] = (uint32_t)(s->cookie >> 32);
	fd = open_netlink();
	err = fd < 0 ? fd : ask(fd, &q, buf, s->proto, take, s);
	if (fd >= 0)
		sys_close(fd);
	sys_munmap(buf, BUFFER);
	return err == -ESTALE ? -ENOENT : err;
}
