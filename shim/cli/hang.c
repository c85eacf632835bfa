/* hang.c - listeners whose queue is full. */
#include "hang.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool hang_wanted(const struct rules *r)
{
	for (uint32_t i = 0; i < r->rule.n; i++) {
		const struct rule *rule = rules_rule(r, i);
		if (!(rule->calls[SNAG_CALL_connect / 64] >> SNAG_CALL_connect % 64 & 1))
			continue;
		for (uint32_t k = 0; k < rule->n_steps; k++) {
			const struct rule_step *step = rules_step(r, rule->first_step + k);
			if (step && step->action == SNAG_ACTION_errno && step->err == ETIMEDOUT)
				return true;
		}
	}
	return false;
}

static socklen_t loopback(int family, struct sockaddr_storage *ss)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET)
		memcpy(ss, &in, sizeof(in));
	else
		memcpy(ss, &in6, sizeof(in6));
	return family == AF_INET ? sizeof(in) : sizeof(in6);
}

/* listen(fd, 0) admits one connection (sk_acceptq_is_full compares with >); with that one inside, SYNs are dropped. */
static uint16_t fill(int family, int fd[2])
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(family, &ss);

	fd[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd[1] = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd[0] < 0 || fd[1] < 0 || bind(fd[0], (struct sockaddr *)&ss, len) < 0 || listen(fd[0], 0) < 0 ||
	    getsockname(fd[0], (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (connect(fd[1], (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		return 0;
	struct pollfd established = { .fd = fd[1], .events = POLLOUT };
	if (poll(&established, 1, 1000) != 1 || established.revents & (POLLERR | POLLHUP))
		return 0;
	return ntohs(family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port :
					 ((struct sockaddr_in6 *)&ss)->sin6_port);
}

static void close_family(struct hang *h, int i)
{
	for (int k = 0; k < 2; k++) {
		if (h->fd[i][k] >= 0)
			close(h->fd[i][k]);
		h->fd[i][k] = -1;
	}
	h->port[i] = 0;
}

void hang_open(struct hang *h)
{
	static const int families[2] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		h->port[i] = fill(families[i], h->fd[i]);
		if (!h->port[i])
			close_family(h, i);
	}
}

void hang_close(struct hang *h)
{
	close_family(h, 0);
	close_family(h, 1);
}
