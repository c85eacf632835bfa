/* occupants.c - the ports that a session's keeper keeps taken. */
#include "occupants.h"

#include <base/addr.h>
#include <base/base.h>
#include <base/names.h>
#include <effects/occupant.h>
#include <errno.h>
#include <probe/diag.h>
#include <probe/owner.h>
#include <session/session.h>
#include <snag/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

unsigned occupant_state(const struct occupant *o)
{
	static const uint8_t states[SNAG_OCCUPANTS] = {
		[SNAG_OCCUPANT_BOUND] = SNAG_STATE_BOUND, [SNAG_OCCUPANT_LISTENING] = SNAG_STATE_LISTEN,
		[SNAG_OCCUPANT_TIME_WAIT] = SNAG_STATE_TIME_WAIT,
	};

	return o->as < SNAG_OCCUPANTS ? states[o->as] : SNAG_STATE_NONE;
}

void occupant_name(struct buf *b, const struct occupant *o, const struct rules *rules)
{
	const struct rule *rule = o->rule ? rules_rule(rules, o->rule - 1u) : NULL;

	if (o->entry != OCCUPANT_NO_ENTRY) {
		buf_str(b, "occupy[");
		buf_int(b, o->entry);
		buf_char(b, ']');
	} else {
		buf_str(b, "rule ");
		buf_plain(b, text_of(rule ? rules_string(rules, rule->name) : "?"));
	}
}

void occupant_place(struct buf *b, const struct occupant *o, const struct rules *rules)
{
	for (uint32_t i = 0; i < rules->occupy.n; i++) {
		const struct rules_occupy *r = rules_occupy(rules, i);
		if (r->entry != o->entry)
			continue;
		buf_plain(b, text_of(rules_string(rules, r->place)));
		return;
	}
}

void occupant_holder(const struct occupant *o, struct text name, struct text place, struct record_holder *h)
{
	h->occupant = name;
	h->place = place.n ? place : (struct text){ 0 };
	h->state = text_of(state_name((uint8_t)occupant_state(o)));
	h->since = (int64_t)(o->begin_ns & INT64_MAX);
	if (o->until_ns != SNAG_OCCUPANT_FOREVER)
		h->until = (int64_t)(o->until_ns & INT64_MAX);
	record_options(h, o->options);
	h->options_known = true;
}

bool occupant_post(const struct occupant *o, struct occupant_post *p)
{
	*p = (struct occupant_post){
		.fd = o->fd,
		.entry = o->entry,
		.rule = o->rule,
		.as = o->as,
		.proto = o->proto,
		.options = o->options,
		.begin_ns = o->begin_ns,
		.until_ns = o->until_ns,
		.addr = o->addr,
	};
	return o->fd >= 0;
}

/* ---- who is in the way of one? ---- */

struct search {
	struct snag_addr addr;
	struct diag_sock found;
};

static bool meets(const struct snag_addr *a, const struct snag_addr *b)
{
	return a->port == b->port && (addr_is_any(a) || addr_is_any(b) || addr_equal_ip(a, b));
}

static bool look_at(void *arg, const struct diag_sock *s)
{
	struct search *search = arg;

	if (!meets(&s->local, &search->addr))
		return true;
	search->found = *s;
	return s->inode == 0;		/* go on: one that a process has says more */
}

static void complain(const struct occupant *o, const char *place, int err)
{
	struct diag_query q = { .proto = o->proto, .port = o->addr.port, .states = DIAG_ALL };
	struct search search = { .addr = o->addr };
	struct owner owner;
	char addr[ADDR_TEXT_MAX], held[ADDR_TEXT_MAX];

	addr_text(&o->addr, addr);
	fprintf(stderr, "%s: error: occupy[%u]: %s %s cannot be taken: %s", place, o->entry, proto_name(o->proto), addr,
		strerror(-err));
	if (err == -EADDRINUSE && diag_dump(&q, look_at, &search) == 0 && search.found.proto) {
		addr_text(&search.found.local, held);
		if (search.found.inode && owner_find(search.found.inode, &owner))
			fprintf(stderr, "; held by %s[%u] fd %d on %s", owner.comm, owner.pid, owner.fd, held);
		else if (search.found.inode)
			fprintf(stderr, "; held by a socket of user %u on %s", search.found.uid, held);
		else
			fprintf(stderr, "; held by what is left of a connection on %s", held);
	}
	fputc('\n', stderr);
}

/* ---- begin and end ---- */

/* 0 or -errno. */
static int begin(struct occupant *o, uint64_t now_ns)
{
	struct occupant_wish w = {
		.addr = o->addr,
		.domain = o->addr.family,
		.as = o->as,
		.proto = o->proto,
		.options = o->options,
		.for_ns = o->until_ns == SNAG_OCCUPANT_FOREVER ? o->until_ns : o->until_ns - o->begin_ns,
	};
	int fd = occupant_open(&w);

	o->waits = false;
	o->begin_ns = now_ns;
	o->fd = fd < 0 ? -1 : fd;
	o->err = fd < 0 ? -fd : 0;
	return fd < 0 ? fd : 0;
}

static void end(struct occupant *o, uint64_t now_ns)
{
	close(o->fd);
	o->fd = -1;
	o->until_ns = now_ns;
}

/* A free row, else that which has been over for longest; NULL: all stand. */
static struct occupant *row_new(struct occupants *l)
{
	struct occupant *oldest = NULL;

	if (l->high < OCCUPANTS)
		return &l->row[l->high++];
	for (unsigned i = 0; i < l->high; i++) {
		struct occupant *o = &l->row[i];
		if (o->fd < 0 && !o->waits && (!oldest || o->until_ns < oldest->until_ns))
			oldest = o;
	}
	return oldest;
}

static void add_entry(struct occupants *l, const struct rules_occupy *r)
{
	struct occupant *o = row_new(l);
	bool forever = r->for_ns > SNAG_OCCUPANT_FOREVER - r->from_ns;

	if (!o)
		return;
	*o = (struct occupant){
		.fd = -1,
		.as = r->as,
		.proto = r->proto,
		.options = r->as == SNAG_OCCUPANT_TIME_WAIT ? SNAG_OPTION_REUSEADDR : 0,
		.waits = true,
		.entry = r->entry,
		.begin_ns = r->from_ns,
		.until_ns = forever ? SNAG_OCCUPANT_FOREVER : r->from_ns + r->for_ns,
		.addr = r->as == SNAG_OCCUPANT_TIME_WAIT ? occupant_specific(&r->addr) : r->addr,
	};
}

/* ---- orders ---- */

static bool gives_orders(const struct rules *rules)
{
	for (uint32_t i = 0; i < rules->step.n; i++) {
		unsigned action = rules_step(rules, i)->action;
		if (action == SNAG_ACTION_time_wait || action == SNAG_ACTION_steal)
			return true;
	}
	return false;
}

static int open_orders(const char *session)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char folder[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (session_folder(folder, sizeof(folder), true) < 0 || !occupant_path(at.sun_path, folder, session))
		return fd;
	unlink(at.sun_path);		/* of a session that was not ended well: this one has the name now */
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		fprintf(stderr, "snag: %s: %s: what rules leave on ports is not carried out\n", at.sun_path,
			strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool order_ok(const struct snag_occupant_order *w)
{
	return w->magic == SNAG_OCCUPANT_MAGIC && w->as < SNAG_OCCUPANTS && w->rule &&
	       (w->proto == SNAG_PROTO_TCP || w->proto == SNAG_PROTO_UDP) &&
	       (w->addr.family == AF_INET || w->addr.family == AF_INET6);
}

/* The descriptor of one message, -1: none; more than one are closed. */
static int passed_fd(struct msghdr *m)
{
	int fd = -1, n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (int i = 0; i < n; i++) {
			if (fd >= 0)
				close(fd);
			memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof(int));
		}
	}
	return fd;
}

static struct occupant *row_ordered(struct occupants *l, const struct snag_occupant_order *w)
{
	struct occupant *o = order_ok(w) ? row_new(l) : NULL;

	if (o)
		*o = (struct occupant){
			.fd = -1,
			.as = w->as,
			.proto = w->proto,
			.options = w->options,
			.rule = w->rule,
			.entry = OCCUPANT_NO_ENTRY,
			.begin_ns = w->begin_ns,
			.until_ns = w->until_ns,
			.addr = w->addr,
		};
	return o;
}

void occupants_order(struct occupants *l, const struct snag_occupant_order *w)
{
	struct occupant *o = l->row ? row_ordered(l, w) : NULL;

	if (!o)
		return;
	o->waits = true;
	if (o->as == SNAG_OCCUPANT_TIME_WAIT)
		o->addr = occupant_specific(&o->addr);
}

/* False: no more. */
static bool take_order(struct occupants *l, struct occupant **taken)
{
	struct snag_occupant_order w;
	char control[CMSG_SPACE(4 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec bytes = { &w, sizeof(w) };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(l->orders, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*taken = NULL;
	if (n < 0)
		return errno == EINTR;
	int fd = passed_fd(&m);
	struct occupant *o = n == sizeof(w) && fd >= 0 ? row_ordered(l, &w) : NULL;
	if (o)
		o->fd = fd;
	else if (fd >= 0)
		close(fd);
	*taken = o;
	return true;
}

/* ---- all of them ---- */

int occupants_open(struct occupants *l, const struct rules *rules, const char *session)
{
	int status = 0;

	*l = OCCUPANTS_NONE;
	if (!rules->occupy.n && !gives_orders(rules))
		return 0;
	l->row = calloc(OCCUPANTS, sizeof(*l->row));
	if (!l->row)
		return -1;
	for (uint32_t i = 0; i < rules->occupy.n; i++)
		add_entry(l, rules_occupy(rules, i));
	for (unsigned i = 0; i < l->high; i++) {
		struct occupant *o = &l->row[i];
		int err = o->begin_ns ? 0 : begin(o, 0);
		if (!err)
			continue;
		complain(o, rules_string(rules, rules_occupy(rules, i)->place), err);
		status = -1;
	}
	if (status == 0 && gives_orders(rules))
		l->orders = open_orders(session);
	return status;
}

void occupants_step(struct occupants *l, uint64_t now_ns, occupants_tell_fn *tell, void *arg)
{
	struct occupant *o;

	while (l->orders >= 0 && take_order(l, &o))
		if (o)
			tell(arg, o, "begin", now_ns);
	for (unsigned i = 0; i < l->high; i++) {
		o = &l->row[i];
		if (o->waits && o->begin_ns <= now_ns)
			tell(arg, o, begin(o, now_ns) ? "failed" : "begin", now_ns);
		if (o->fd >= 0 && o->until_ns <= now_ns) {
			end(o, now_ns);
			tell(arg, o, "end", now_ns);
		}
	}
}

void occupants_each(struct occupants *l, uint64_t now_ns, bool ends, occupants_tell_fn *tell, void *arg)
{
	for (unsigned i = 0; i < l->high; i++)
		if (l->row[i].fd >= 0)
			tell(arg, &l->row[i], ends ? "end" : "begin", now_ns);
}

uint64_t occupants_due(const struct occupants *l)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < l->high; i++) {
		const struct occupant *o = &l->row[i];
		uint64_t at = o->waits ? o->begin_ns : o->fd >= 0 ? o->until_ns : UINT64_MAX;
		if (at < due)
			due = at;
	}
	return due;
}

const struct occupant *occupants_find(const struct occupants *l, uint8_t proto, const struct snag_addr *addr,
				      uint64_t t_ns, uint64_t end_ns)
{
	for (unsigned i = 0; i < l->high; i++) {
		const struct occupant *o = &l->row[i];
		bool stood = !o->waits && !o->err && o->begin_ns <= end_ns && t_ns <= o->until_ns;
		if (stood && o->proto == proto && meets(&o->addr, addr))
			return o;
	}
	return NULL;
}

unsigned occupants_fds(const struct occupants *l, int *fds)
{
	unsigned n = 0;

	fds[n++] = l->orders;
	for (unsigned i = 0; i < l->high; i++)
		if (l->row[i].fd >= 0)
			fds[n++] = l->row[i].fd;
	return n;
}

void occupants_close(struct occupants *l)
{
	for (unsigned i = 0; i < l->high; i++)
		if (l->row[i].fd >= 0)
			close(l->row[i].fd);
	if (l->orders >= 0)
		close(l->orders);
	free(l->row);
	*l = OCCUPANTS_NONE;
}
