/* ops_stranger.c - a socket that the model has never seen, and knows of as a front end tells it: from sock_diag. */
#include "live.h"

#include <netinet/in.h>
#include <unistd.h>

void stranger_leaves(struct world *w)
{
	if (!w->stranger)
		return;
	note(w, "  the stranger leaves\n");
	close(w->stranger);
	model_foreign_clear(w->d->m, SNAG_PROTO_TCP, (uint16_t)w->base);
	model_foreign_clear(w->d->m, SNAG_PROTO_UDP, (uint16_t)w->base);
	w->stranger = 0;
}

/* Bound to the sequence's first port. The kernel does not tell its SO_REUSEADDR and SO_REUSEPORT. */
static bool comes(struct world *w, const struct step *p, struct model_foreign *f)
{
	static const char *const at[] = {"127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"};
	struct snag_addr a = drive_addr(at[p->a % 5], w->base);
	int type = p->b % 3 ? SOCK_STREAM : SOCK_DGRAM, addr = p->b & 4, port = p->b & 8, v6only = p->b & 16;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(a.family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &addr, sizeof(addr));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &port, sizeof(port));
	if (a.family == AF_INET6 && !addr_is_mapped(&a))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	len = bind(fd, (struct sockaddr *)&ss, len) ? 0 : sizeof(v6only);
	if (!len || (a.family == AF_INET6 && getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len))) {
		close(fd);
		return false;
	}
	*f = (struct model_foreign){
		.proto = type == SOCK_STREAM ? SNAG_PROTO_TCP : SNAG_PROTO_UDP, .state = SNAG_STATE_BOUND,
		.options = a.family == AF_INET6 && v6only ? SNAG_OPTION_V6ONLY : 0,
		.hidden = SNAG_OPTION_REUSEADDR | SNAG_OPTION_REUSEPORT, .domain = a.family, .uid = w->uid, .local = a,
	};
	w->stranger = fd;
	note(w, "  a stranger of user %u binds %s, %u%s%s%s\n", w->uid, at[p->a % 5], w->base,
	     type == SOCK_DGRAM ? ", UDP" : "", addr ? ", SO_REUSEADDR" : "", port ? ", SO_REUSEPORT" : "");
	return true;
}

OPERATION(stranger, 3, true)
{
	struct model_foreign f;

	if (w->names || w->quiet)	/* nobody asks the kernel */
		return;
	if (w->stranger)
		stranger_leaves(w);
	else if (comes(w, p, &f) && !model_foreign_add(w->d->m, &f))
		abort();
}
