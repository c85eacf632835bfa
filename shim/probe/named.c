/* named.c - unix sockets as the kernel lists them. The forms of question and answer: linux/unix_diag.h. */
#include "named.h"
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

struct question {
	struct nlmsghdr h;
	struct unix_diag_req r;
};

uint32_t named_dev(const struct stat *st)
{
	return (uint32_t)(major(st->st_dev) << 20 | minor(st->st_dev));	/* MKDEV() (include/linux/kdev_t.h) */
}

static void read_attribute(void *arg, unsigned type, const char *value, size_t len)
{
	struct named_sock *s = arg;
	uint32_t pair[2] = { 0, 0 };

	if (len >= sizeof(pair))
		memcpy(pair, value, sizeof(pair));
	if (type == UNIX_DIAG_NAME) {
		s->name = value;
		s->name_len = len;
	} else if (type == UNIX_DIAG_VFS && len >= sizeof(pair)) {
		s->has_file = true;
		s->file_inode = pair[0];
		s->file_dev = pair[1];
	} else if (type == UNIX_DIAG_RQLEN && len >= sizeof(pair)) {
		s->queue_len = pair[0];
		s->queue_limit = pair[1];
	}
}

struct reader {
	named_each_fn *each;
	void *arg;
};

static int read_message(void *arg, const char *body, size_t len)
{
	const struct reader *r = arg;
	struct unix_diag_msg m;

	if (len < NLMSG_ALIGN(sizeof(m)))
		return -EPROTO;
	memcpy(&m, body, sizeof(m));
	struct named_sock s = {
		.cookie = (uint64_t)m.udiag_cookie[1] << 32 | m.udiag_cookie[0],
		.inode = m.udiag_ino,
		.state = m.udiag_state,
		.type = m.udiag_type,
	};
	netlink_attributes(body + NLMSG_ALIGN(sizeof(m)), len - NLMSG_ALIGN(sizeof(m)), read_attribute, &s);
	return r->each(r->arg, &s);
}

int named_parse(const void *buf, size_t len, named_each_fn *each, void *arg)
{
	struct reader r = { each, arg };

	return netlink_parse(buf, len, SOCK_DIAG_BY_FAMILY, read_message, &r);
}

int named_dump(bool all, named_each_fn *each, void *arg)
{
	const struct question q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = AF_UNIX, .udiag_states = all ? 0xffffffffu : 1u << TCP_LISTEN,
		       .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN },
	};
	struct reader r = { each, arg };

	return netlink_ask(NETLINK_SOCK_DIAG, &q, sizeof(q), SOCK_DIAG_BY_FAMILY, read_message, &r);
}
