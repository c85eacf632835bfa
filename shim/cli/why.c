/* why.c - a refusal in plain words, and what would make the call work. */
#include "why.h"

#include <base/addr.h>
#include <base/base.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <snag/plan.h>

static bool has_option(const struct record_holder *h, const char *name)
{
	for (size_t i = 0; i < h->options.n; i++)
		if (text_is(h->options.item[i], name))
			return true;
	return false;
}

static bool holder_listens(const struct record_holder *h)
{
	return text_is(h->state, "listen");
}

/* Of a socket outside the session the kernel does not tell them: an empty list then says nothing. */
static bool options_are_hidden(const struct record_holder *h)
{
	return h->sock == RECORD_NONE && !h->options_known && h->options.n == 0;
}

static void upper(struct buf *b, struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		buf_char(b, (char)toupper((unsigned char)t.p[i]));
}

static void process_name(struct buf *b, const struct record_holder *h)
{
	if (h->comm.p)
		buf_plain(b, h->comm);
	else
		buf_str(b, "process ");
	buf_char(b, '[');
	buf_int(b, h->pid);
	buf_char(b, ']');
}

/* A process whose descriptors we may not look into. */
static void hidden_name(struct buf *b, const struct record_holder *h)
{
	buf_str(b, "a process of uid ");
	buf_int(b, h->uid == RECORD_NONE ? 0 : h->uid);
	buf_str(b, " (socket inode ");
	buf_int(b, h->inode);
	buf_char(b, ')');
}

/* What is left of a connection that both sides have closed. */
static bool holder_remains(const struct record_holder *h)
{
	return h->pid == RECORD_NONE && text_is(h->state, "time_wait");
}

/* "redis[4100] fd 7: LISTEN on 127.0.0.1:8080 without SO_REUSEPORT (since 12.4 s)" */
void why_holder(struct buf *b, const struct record_holder *h, int64_t now_ns)
{
	if (h->pid != RECORD_NONE)
		process_name(b, h);
	else if (h->inode != RECORD_NONE)
		hidden_name(b, h);
	else if (holder_remains(h))
		buf_str(b, "a closed connection in TIME_WAIT");
	else
		buf_str(b, "a socket that no process holds any more");
	if (h->fd != RECORD_NONE) {
		buf_str(b, " fd ");
		buf_int(b, h->fd);
	}
	if (h->others != RECORD_NONE) {
		buf_str(b, " and ");
		buf_int(b, h->others);
		buf_str(b, h->others == 1 ? " more process" : " more processes");
	}
	if (h->state.p && !holder_remains(h)) {
		buf_str(b, ": ");
		upper(b, h->state);
	}
	if (h->local.p) {
		buf_str(b, " on ");
		buf_plain(b, h->local);
	}
	if (options_are_hidden(h))
		;
	else if (holder_listens(h))
		buf_str(b, has_option(h, "SO_REUSEPORT") ? " with SO_REUSEPORT" : " without SO_REUSEPORT");
	else if (text_is(h->state, "bound"))
		buf_str(b, has_option(h, "SO_REUSEADDR") ? " with SO_REUSEADDR" : " without SO_REUSEADDR");
	if (h->since != RECORD_NONE && now_ns >= h->since) {
		buf_str(b, " (since ");
		buf_seconds(b, now_ns - h->since, 1);
		buf_str(b, " s)");
	}
}

/* "the accept queue of 127.0.0.1:8080 is full; server[4100] fd 3 listens there" */
static void why_full(struct buf *b, const char *queue, const struct record *r)
{
	const struct record_holder *h = &r->why.holder;

	buf_str(b, queue);
	buf_str(b, " of ");
	buf_plain(b, r->addr);
	buf_str(b, " is full");
	if (h->pid == RECORD_NONE)
		return;
	buf_str(b, "; ");
	process_name(b, h);
	if (h->fd != RECORD_NONE) {
		buf_str(b, " fd ");
		buf_int(b, h->fd);
	}
	buf_str(b, " listens there");
}

void why_text(struct buf *b, unsigned code, const struct record *r)
{
	static const char *const words[SNAG_WHYS] = {
		[SNAG_WHY_ALREADY_BOUND] = "this socket has a local address already",
		[SNAG_WHY_PRIVILEGED] = "the port is below ip_unprivileged_port_start",
		[SNAG_WHY_NOT_LOCAL] = "no interface has this address",
		[SNAG_WHY_NO_LISTENER] = "nobody listens there",
		[SNAG_WHY_WRONG_STATE] = "the socket's state does not allow the call",
		[SNAG_WHY_WRONG_TYPE] = "the socket's type does not allow the call",
		[SNAG_WHY_UNKNOWN_HOLDER] = "held by a socket outside the session, or by the TIME_WAIT of one",
		[SNAG_WHY_PROFILE] = "the kernel whose rules hold refuses port 0",
		[SNAG_WHY_STRICTER] = "the machine's own kernel refuses what the one whose rules hold would admit",
		[SNAG_WHY_NO_PORT] = "every port of ip_local_port_range is taken",
		[SNAG_WHY_SAME_TUPLE] = "this address and port are connected to that peer already, or in TIME_WAIT",
		[SNAG_WHY_OPEN_FILES] = "no descriptor below open_files is free",
		[SNAG_WHY_NETNS] = "held in another network namespace than the session's, which snag does not follow",
		[SNAG_WHY_OPEN_SOCKETS] = "the session has as many sockets as open_sockets allows",
	};
	const struct record_holder *h = &r->why.holder;

	if (code == SNAG_WHY_QUEUE_FULL || code == SNAG_WHY_SYN_QUEUE_FULL) {
		why_full(b, code == SNAG_WHY_QUEUE_FULL ? "the accept queue" : "the SYN queue", r);
		return;
	}
	if (code == SNAG_WHY_STRICTER && h->sock != RECORD_NONE) {
		buf_str(b, words[code]);
		buf_str(b, ": ");
	}
	if (h->pid != RECORD_NONE || h->sock != RECORD_NONE || h->inode != RECORD_NONE || holder_remains(h)) {
		buf_str(b, "held by ");
		why_holder(b, h, r->t);
	} else if (code == SNAG_WHY_HELD) {
		buf_str(b, "held by another socket of the session");
	} else if (code < SNAG_WHYS && words[code]) {
		buf_str(b, words[code]);
	}
}

/* The wanted address as numbers, port in host order; AF_UNSPEC in family: it has none. */
static struct snag_addr wanted_addr(const struct record *r)
{
	struct snag_addr a = { 0 };
	const char *p = r->addr.p, *colon;
	unsigned prefix, port = 0;

	if (!p || !(colon = memrchr(p, ':', r->addr.n)))
		return a;
	for (const char *d = colon + 1; d < p + r->addr.n && isdigit((unsigned char)*d) && port < 65536; d++)
		port = port * 10 + (unsigned)(*d - '0');
	size_t n = (size_t)(colon - p);
	if (n > 2 && p[0] == '[') {
		p++;
		n -= 2;
	}
	if (!addr_parse(&a, &prefix, p, n))
		return (struct snag_addr){ 0 };
	a.port = (uint16_t)port;
	return a;
}

/* Another loopback address on the same port, where the holder has one address only. */
static bool other_loopback(const struct record *r, const struct snag_addr *want, char text[ADDR_TEXT_MAX])
{
	struct record as_holder = { .addr = r->why.holder.local };
	struct snag_addr held = wanted_addr(&as_holder), other = *want;

	if (want->family != AF_INET || held.family != AF_INET || !addr_is_loopback(want) || !addr_is_loopback(&held))
		return false;
	other.ip[3] = (uint8_t)(want->ip[3] < 254 ? want->ip[3] + 1 : 1);
	if (addr_equal_ip(&other, &held))
		other.ip[3]++;
	addr_text(&other, text);
	return true;
}

static void add(struct buf *b, const char *s)
{
	if (b->n)
		buf_str(b, "; ");
	buf_str(b, s);
}

static void fix_time_wait(struct buf *b, const struct record *r)
{
	int64_t until = r->why.holder.until;

	add(b, "SO_REUSEADDR on both sockets; or a wait of ");
	if (until == RECORD_NONE) {
		buf_str(b, "at most 60 s");
	} else {
		buf_seconds(b, until > r->t ? until - r->t : 0, 3);
		buf_str(b, " s");
	}
}

static void fix_held(struct buf *b, const struct record *r)
{
	const struct record_holder *h = &r->why.holder;
	struct snag_addr want = wanted_addr(r);
	char text[ADDR_TEXT_MAX];

	if (text_is(r->proto, "unix")) {
		add(b, "another path");
	} else {
		add(b, "another port");
		if (other_loopback(r, &want, text))
			add(b, text);
		if (has_option(h, "SO_REUSEPORT"))
			add(b, "SO_REUSEPORT on this socket too, as the same user");
		else if (text_is(h->state, "time_wait"))
			fix_time_wait(b, r);
		else if (text_is(h->state, "bound") && text_is(r->by, "model"))	/* by rules that know no such sharing */
			add(b, "SO_REUSEPORT on both sockets");
		else if (text_is(h->state, "bound") && has_option(h, "SO_REUSEADDR"))
			add(b, "SO_REUSEADDR on this socket too");
	}
	if (h->pid != RECORD_NONE && h->pid == r->pid) {
		add(b, "or close the other socket first");
	} else if (h->pid != RECORD_NONE) {
		add(b, "or stop pid ");
		buf_int(b, h->pid);
		if (h->others != RECORD_NONE)
			buf_str(b, " and those that share it");
	}
}

void why_fix(struct buf *b, unsigned code, const struct record *r)
{
	static const char *const fixes[SNAG_WHYS] = {
		[SNAG_WHY_ALREADY_BOUND] = "a new socket",
		[SNAG_WHY_PRIVILEGED] = "a port at or above ip_unprivileged_port_start; or CAP_NET_BIND_SERVICE",
		[SNAG_WHY_NOT_LOCAL] = "an address of this machine; or IP_FREEBIND",
		[SNAG_WHY_NO_LISTENER] = "a server that listens there first",
		[SNAG_WHY_UNKNOWN_HOLDER] = "another port; SO_REUSEADDR, against a TIME_WAIT; or the end of the program that holds it",
		[SNAG_WHY_NO_PORT] = "fewer connections to this peer; the end of a TIME_WAIT; or a wider ip_local_port_range",
		[SNAG_WHY_SAME_TUPLE] = "another port of its own, or none before connect; or another peer",
		[SNAG_WHY_OPEN_FILES] = "fewer open descriptors; or a higher open_files",
		[SNAG_WHY_NETNS] = "a session of its own for each network namespace names the holder",
		[SNAG_WHY_OPEN_SOCKETS] = "fewer open sockets; or a higher open_sockets",
		[SNAG_WHY_QUEUE_FULL] = "an accept() there; or a longer backlog, and somaxconn",
		[SNAG_WHY_SYN_QUEUE_FULL] = "tcp_syncookies 1; or a longer backlog, and somaxconn",
	};

	if (code == SNAG_WHY_HELD || (code == SNAG_WHY_STRICTER && r->why.holder.sock != RECORD_NONE))
		fix_held(b, r);
	else if (code < SNAG_WHYS && fixes[code])
		buf_str(b, fixes[code]);
}

void why_occupied(struct buf *b, const struct record_holder *h, int64_t now_ns)
{
	buf_str(b, "snag itself, ");
	if (h->session.p) {
		buf_str(b, "session ");
		buf_plain(b, h->session);
		buf_str(b, ", ");
	}
	buf_plain(b, h->occupant);
	if (h->place.p) {
		buf_str(b, " (");
		buf_plain(b, h->place);
		buf_char(b, ')');
	}
	buf_str(b, ": ");
	upper(b, h->state);
	buf_str(b, " on ");
	buf_plain(b, h->local);
	buf_str(b, has_option(h, "SO_REUSEADDR") ? " with SO_REUSEADDR" : " without SO_REUSEADDR");
	if (h->until == RECORD_NONE) {
		buf_str(b, " (until the session ends)");
	} else if (h->until > now_ns) {
		buf_str(b, " (for ");
		buf_seconds(b, h->until - now_ns, 1);
		buf_str(b, " s more)");
	}
}

void why_occupied_end(struct buf *b, const struct record_holder *h, int64_t now_ns)
{
	if (h->until != RECORD_NONE && h->until > now_ns) {
		add(b, "a new attempt after ");
		buf_seconds(b, h->until - now_ns, 1);
		buf_str(b, " s");
	}
	add(b, "or the policy without ");
	buf_plain(b, h->occupant);
}

void why_occupied_fix(struct buf *b, const struct record_holder *h, int64_t now_ns)
{
	add(b, "another port");
	if (has_option(h, "SO_REUSEADDR"))
		add(b, "SO_REUSEADDR on this socket too");
	why_occupied_end(b, h, now_ns);
}
