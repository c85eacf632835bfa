/* bindable.c - would a bind work on this machine now? */
#include "bindable.h"

#include <base/base.h>
#include <errno.h>
#include <model/profile.h>
#include <netinet/in.h>
#include <snag/call.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the kernel's own word ---- */

/* Binds for a moment; 0 or a positive errno. */
static int probe(uint8_t proto, const struct snag_addr *addr, uint8_t options)
{
	int type = proto == SNAG_PROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int one = 1, err = 0, fd = socket(addr->family, type | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, &ss);

	if (fd < 0)
		return errno;
	if (((options & SNAG_OPTION_REUSEADDR) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))) ||
	    ((options & SNAG_OPTION_REUSEPORT) && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))) ||
	    ((options & SNAG_OPTION_V6ONLY) && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, (struct sockaddr *)&ss, len))
		err = errno;
	close(fd);
	return err;
}

/* ---- the model's ---- */

/* On another system; where its answer depends on what is hidden of h, it is not sure. */
static enum bind_answer answer_elsewhere(uint8_t profile, const struct bind_claim *new, const struct holder *h)
{
	struct bind_claim old = holder_claim(h);
	unsigned state = holder_state(h);
	bool connected = state != SNAG_STATE_LISTEN && state != SNAG_STATE_BOUND;
	enum bind_answer without = profile_conflict(profile, new, &old, connected), with;

	old.options |= old.hidden;
	with = profile_conflict(profile, new, &old, connected);
	return with == without ? with : BIND_UNSURE;
}

/* Is h in the way of this claim? Where both are UDP with SO_REUSEPORT, the order in the kernel's chain may decide. */
static enum bind_answer answer(uint8_t profile, uint8_t proto, const struct bind_claim *new, const struct holder *h)
{
	struct bind_claim old = holder_claim(h);
	enum bind_answer a;

	if (profile != SNAG_PROFILE_LINUX)
		return answer_elsewhere(profile, new, h);
	a = bind_conflict(new, &old);
	if (a == BIND_CONFLICT && proto == SNAG_PROTO_UDP && (new->options & SNAG_OPTION_REUSEPORT))
		return BIND_UNSURE;
	return a;
}

static enum bind_answer answer_all(const struct bindable_ask *a, const struct holders *l, const struct snag_addr *addr,
				   uint8_t options)
{
	struct bind_claim new = { .addr = *addr, .domain = addr->family, .options = options, .uid = geteuid() };
	enum bind_answer worst = BIND_FREE;

	for (size_t i = 0; addr->port && i < l->n; i++) {
		l->at[i].answer = answer(a->profile, a->proto, &new, &l->at[i]);
		if (l->at[i].answer > worst)
			worst = l->at[i].answer;
	}
	return worst;
}

/* Who is named first: who certainly is in the way, then who listens, then whose process is known. */
static unsigned weight(const struct holder *h)
{
	return (unsigned)h->answer * 8 + (holder_state(h) == SNAG_STATE_LISTEN) * 4 + (h->owner.pid != 0) * 2 +
	       (h->sock.inode != 0);
}

/* The heaviest first, BINDABLE_SHOWN of them. */
static void choose(struct bindable *v, bool (*wanted)(const struct holder *h))
{
	for (size_t i = 0; i < v->all.n; i++) {
		const struct holder *h = &v->all.at[i];
		size_t at = v->n_way;
		if (!wanted(h))
			continue;
		while (at && weight(v->way[at - 1]) < weight(h))
			at--;
		if (v->n_way < BINDABLE_SHOWN)
			v->n_way++;
		else
			v->more++;
		for (size_t j = v->n_way - 1; j > at; j--)
			v->way[j] = v->way[j - 1];
		if (at < v->n_way)
			v->way[at] = h;
	}
}

static bool is_in_the_way(const struct holder *h)
{
	return h->answer != BIND_FREE;
}

/* By another system's rules no probe can settle it. Which addresses there are, this machine says. */
static void judge_elsewhere(const struct bindable_ask *a, struct bindable *v)
{
	enum bind_answer model = answer_all(a, &v->all, &a->addr, a->options);

	v->by_model = true;
	v->unsure = model == BIND_UNSURE;
	if (v->real_err == EACCES && profile_opens_low_ports(a->profile, &a->addr))
		v->err = 0;
	if (v->err == 0 || v->err == EADDRINUSE)
		v->err = model == BIND_FREE ? 0 : EADDRINUSE;
}

void bindable_find(const struct bindable_ask *a, struct bindable *v)
{
	for (unsigned round = 0; round < 3; round++) {
		int err = holders_find(&v->all, a->proto, a->addr.port, DIAG_ALL);
		enum bind_answer model = answer_all(a, &v->all, &a->addr, a->options);
		v->err = probe(a->proto, &a->addr, a->options);
		v->by_model = !err && ((model == BIND_CONFLICT && v->err == EADDRINUSE) ||
				       (model == BIND_FREE && v->err != EADDRINUSE));
		if (err && err != -ENOENT && err != -EAFNOSUPPORT && err != -EPROTONOSUPPORT)
			fprintf(stderr, "snag why: the kernel does not list its sockets: %s\n", strerror(-err));
		if (err || model == BIND_UNSURE || v->by_model)
			break;		/* else somebody came or went in between */
		if (round < 2)
			holders_free(&v->all);
	}
	v->real_err = v->err;
	if (a->profile != SNAG_PROFILE_LINUX)
		judge_elsewhere(a, v);
	if (v->err == 0 || v->err == EADDRINUSE)
		choose(v, is_in_the_way);
}

void bindable_free(struct bindable *v)
{
	holders_free(&v->all);
}

/* ---- the rule ---- */

/* net/ipv6/af_inet6.c, __inet6_bind(): what a fresh socket is refused for with EINVAL. */
static const char *invalid_address(const struct snag_addr *a, bool v6only)
{
	if (a->family != AF_INET6)
		return "";
	if (a->ip[0] == 0xff)
		return "a TCP socket is never bound to a multicast address";
	if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80 && !a->scope)
		return "a link-local address is bound together with its interface, as in [fe80::1%eth0]:80";
	return v6only && addr_is_mapped(a) ? "a socket with IPV6_V6ONLY takes no IPv4 address" : "";
}

void bindable_rule(struct buf *b, const struct bindable_ask *a, const struct bindable *v)
{
	const struct holder *h = v->n_way ? v->way[0] : NULL;
	const struct snag_addr *old = h ? &h->sock.local : NULL;
	unsigned state = h ? holder_state(h) : SNAG_STATE_NONE;

	if (v->err == EACCES)
		buf_str(b, "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE");
	else if (v->err == EADDRNOTAVAIL)
		buf_str(b, "an address is bound where an interface has it, unless IP_FREEBIND or ip_nonlocal_bind is set");
	else if (v->err == EINVAL)
		buf_str(b, invalid_address(&a->addr, a->options & SNAG_OPTION_V6ONLY));
	if (v->err != EADDRINUSE || !h)
		return;
	if (addr_is_any(old) && !addr_is_any(&a->addr))
		buf_str(b, old->family == a->addr.family || !(h->options & SNAG_OPTION_V6ONLY) ?
			"the wildcard address covers this one; " : "");
	else if (addr_is_any(&a->addr) && !addr_is_any(old))
		buf_str(b, "the wildcard address covers the one that is taken; ");
	if (old->family != a->addr.family && (addr_is_any(old) || addr_is_any(&a->addr)))
		buf_str(b, "[::] without IPV6_V6ONLY takes IPv4 too; ");
	if (a->profile != SNAG_PROFILE_LINUX)
		buf_str(b, "there only the new socket's options count: with SO_REUSEADDR or SO_REUSEPORT only an unconnected "
			   "socket of exactly this address is in its way, unless both have SO_REUSEPORT");
	else if (a->proto == SNAG_PROTO_UDP)
		buf_str(b, "two UDP sockets share a port only if both have SO_REUSEADDR, or both SO_REUSEPORT and one user");
	else if (state == SNAG_STATE_LISTEN)
		buf_str(b, "a port where somebody listens is shared only if both have SO_REUSEPORT and one user");
	else if (state == SNAG_STATE_TIME_WAIT)
		buf_str(b, "TIME_WAIT holds a port unless both have SO_REUSEADDR, or both SO_REUSEPORT; the closed socket's "
			   "options count too");
	else
		buf_str(b, "a port is shared only if both have SO_REUSEADDR, or both SO_REUSEPORT and one user");
}

/* ---- what would make it work ---- */

/* Would it work so? By the model where it is certain; a UDP bind for real could take a server's datagrams. */
static bool would_work(const struct bindable_ask *a, struct bindable *v, const struct snag_addr *addr, uint8_t options)
{
	enum bind_answer model = addr->port == a->addr.port ? answer_all(a, &v->all, addr, options) : BIND_FREE;

	if (model == BIND_CONFLICT)
		return false;
	if (model == BIND_UNSURE && (a->proto == SNAG_PROTO_UDP || a->profile != SNAG_PROFILE_LINUX))
		return false;
	if (a->profile != SNAG_PROFILE_LINUX && addr->port == a->addr.port)
		return true;
	return probe(a->proto, addr, options) == 0;
}

static void add(struct buf *b, const char *before, const char *what, const char *after)
{
	if (b->n)
		buf_str(b, "; ");
	buf_str(b, before);
	buf_str(b, what);
	buf_str(b, after);
}

static void fix_options(struct buf *b, const struct bindable_ask *a, struct bindable *v)
{
	static const struct {
		uint8_t options;
		const char *what;
	} ways[] = {
		{ SNAG_OPTION_REUSEADDR, "SO_REUSEADDR" },
		{ SNAG_OPTION_REUSEPORT, "SO_REUSEPORT" },
		{ SNAG_OPTION_V6ONLY, "IPV6_V6ONLY" },
	};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		uint8_t options = a->options | ways[i].options;
		if (options == a->options || (ways[i].options == SNAG_OPTION_V6ONLY && a->addr.family != AF_INET6))
			continue;
		if (would_work(a, v, &a->addr, options))
			add(b, ways[i].what, " on this socket", "");
	}
}

static void fix_elsewhere(struct buf *b, const struct bindable_ask *a, struct bindable *v)
{
	struct snag_addr other = a->addr;
	char text[ADDR_TEXT_MAX];

	for (unsigned step = 1; step <= 100 && a->addr.port + step < 65536; step++) {
		other.port = (uint16_t)(a->addr.port + step);
		if (would_work(a, v, &other, a->options)) {
			snprintf(text, sizeof(text), "%u", other.port);
			add(b, "another port, such as ", text, "");
			break;
		}
	}
	other = a->addr;
	if (other.family != AF_INET || !addr_is_loopback(&other))
		return;
	for (unsigned last = 2; last < 10; last++) {
		other.ip[3] = (uint8_t)last;
		if (other.ip[3] != a->addr.ip[3] && would_work(a, v, &other, a->options)) {
			addr_text(&other, text);
			add(b, text, "", "");
			return;
		}
	}
}

void bindable_fix(struct buf *b, const struct bindable_ask *a, struct bindable *v)
{
	if (v->err == EACCES)
		add(b, "a port at or above ip_unprivileged_port_start; or CAP_NET_BIND_SERVICE", "", "");
	if (v->err == EADDRNOTAVAIL)
		add(b, "an address of this machine; or IP_FREEBIND", "", "");
	if (v->err != EADDRINUSE)
		return;
	fix_options(b, a, v);
	fix_elsewhere(b, a, v);
	answer_all(a, &v->all, &a->addr, a->options);
}

void bindable_end(struct buf *b, const struct bindable *v)
{
	char number[24];

	if (v->err != EADDRINUSE)
		return;
	if (v->n_way == 1 && v->way[0]->owner.pid) {
		snprintf(number, sizeof(number), "%u", v->way[0]->owner.pid);
		add(b, "or the end of pid ", number, v->way[0]->owner.others ? " and those that share it" : "");
	} else if (v->n_way == 1 && v->way[0]->sock.left_ms) {
		snprintf(number, sizeof(number), "%u", v->way[0]->sock.left_ms / 1000 + 1);
		add(b, "or a wait of ", number, " s");
	} else if (v->n_way) {
		add(b, "or the end of all that hold it", "", "");
	}
}
