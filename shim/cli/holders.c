/* holders.c - the sockets that stand on a port of this machine. */
#include "holders.h"

#include <base/base.h>
#include <base/names.h>
#include <errno.h>
#include <model/model.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snag/state.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_OPTIONS (SNAG_OPTION_REUSEADDR | SNAG_OPTION_REUSEPORT | SNAG_OPTION_V6ONLY)

static bool keep(void *arg, const struct diag_sock *s)
{
	struct holders *l = arg;

	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 64;
		struct holder *more = reallocarray(l->at, size, sizeof(*more));
		if (!more)
			return false;
		l->at = more;
		l->size = size;
	}
	struct holder *h = &l->at[l->n++];
	memset(h, 0, sizeof(*h));
	h->sock = *s;
	h->owner.fd = -1;
	h->hidden = ALL_OPTIONS;
	if (s->v6only_known || s->domain == AF_INET)
		h->hidden &= (uint8_t)~SNAG_OPTION_V6ONLY;
	if (s->v6only)
		h->options |= SNAG_OPTION_V6ONLY;
	return true;
}

static int by_inode(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	return (x->sock.inode > y->sock.inode) - (x->sock.inode < y->sock.inode);
}

const struct holder *holders_by_inode(const struct holders *l, uint32_t inode)
{
	const struct holder key = { .sock.inode = inode };

	return l->n && inode ? bsearch(&key, l->at, l->n, sizeof(*l->at), by_inode) : NULL;
}

/* The first process by number that has it; further ones are counted. */
static bool own(void *arg, uint32_t pid, int fd, uint32_t inode)
{
	struct holder *h = (struct holder *)holders_by_inode(arg, inode);

	if (!h)
		return true;
	if (!h->owner.pid) {
		h->owner.pid = pid;
		h->owner.fd = fd;
	} else if (h->last_pid != pid) {
		h->owner.others++;
	}
	h->last_pid = pid;
	return true;
}

static bool option(int fd, int level, int name)
{
	int v = 0;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, name, &v, &len) == 0 && v;
}

/* Through a copy of the owner's descriptor. */
static void read_options(struct holder *h)
{
	int fd = owner_borrow(h->owner.pid, h->owner.fd);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == h->sock.inode) {
		h->hidden = h->options = 0;
		if (option(fd, SOL_SOCKET, SO_REUSEADDR))
			h->options |= SNAG_OPTION_REUSEADDR;
		if (option(fd, SOL_SOCKET, SO_REUSEPORT))
			h->options |= SNAG_OPTION_REUSEPORT;
		if (h->sock.domain == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
			h->options |= SNAG_OPTION_V6ONLY;
	}
	if (fd >= 0)
		close(fd);
}

int holders_find(struct holders *l, uint8_t proto, uint16_t port, uint32_t states)
{
	const struct diag_query q = { .proto = proto, .port = port, .states = states };
	int err;

	*l = (struct holders){ 0 };
	err = diag_dump(&q, keep, l);
	if (err || !l->n)
		return err;
	qsort(l->at, l->n, sizeof(*l->at), by_inode);
	owner_each(own, l);
	for (size_t i = 0; i < l->n; i++) {
		if (!l->at[i].owner.pid)
			continue;
		owner_name(&l->at[i].owner);
		read_options(&l->at[i]);
	}
	return 0;
}

void holders_free(struct holders *l)
{
	free(l->at);
	*l = (struct holders){ 0 };
}

unsigned holder_state(const struct holder *h)
{
	const struct model_sock bound = { .state = SNAG_STATE_BOUND };

	/* FIN_WAIT2 without a socket is a mini socket, as TIME_WAIT is: tcp_time_wait() (net/ipv4/tcp_minisocks.c). */
	if (h->sock.state == TCP_FIN_WAIT2 && !h->sock.inode)
		return SNAG_STATE_TIME_WAIT;
	if (h->sock.state == DIAG_BOUND)
		return SNAG_STATE_BOUND;
	return model_state_of(h->sock.state, &bound);
}

struct bind_claim holder_claim(const struct holder *h)
{
	unsigned state = holder_state(h);

	return (struct bind_claim){
		.addr = h->sock.local,
		.domain = h->sock.domain,
		.options = h->options,
		.hidden = h->hidden,
		.listening = state == SNAG_STATE_LISTEN,
		.time_wait = state == SNAG_STATE_TIME_WAIT,
		.device = h->sock.device ? MODEL_DEVICE_UNKNOWN : 0,
		.uid = h->sock.uid,
	};
}

void holder_record(const struct holder *h, struct record_holder *r, char space[ADDR_TEXT_MAX])
{
	memset(r, 0, sizeof(*r));
	r->pid = r->fd = r->sock = r->others = r->uid = r->inode = r->since = r->until = RECORD_NONE;
	if (h->owner.pid) {
		r->pid = h->owner.pid;
		r->fd = h->owner.fd;
		r->comm = text_of(h->owner.comm);
		if (h->owner.exe[0])
			r->exe = text_of(h->owner.exe);
		if (h->owner.others)
			r->others = h->owner.others;
	} else if (h->sock.inode) {
		r->uid = h->sock.uid;
		r->inode = h->sock.inode;
	}
	r->local = (struct text){ space, addr_text(&h->sock.local, space) };
	r->state = text_of(state_name(holder_state(h)));
	r->options_known = !h->hidden;
	record_options(r, h->options);
}
