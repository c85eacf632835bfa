/* named.c - unix sockets as the kernel lists them. The forms of question and answer: linux/unix_diag.h. */
#include "named.h"

#include <base/sys.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#define BUFFER (32u << 10)

struct question {
	struct nlmsghdr h;
	struct unix_diag_req r;
};

uint32_t named_dev(const struct stat *st)
{
	return (uint32_t)(major(st->st_dev) << 20 | minor(st->st_dev));	/* MKDEV() (include/linux/kdev_t.h) */
}

static void read_attributes(const char *at, size_t left, struct named_sock *s)
{
	struct nlattr a;
	uint32_t pair[2];

	while (left >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return;
		const char *value = at + sizeof(a);
		size_t len = a.nla_len - sizeof(a);
		if (len >= sizeof(pair))
			memcpy(pair, value, sizeof(pair));
		if (a.nla_type == UNIX_DIAG_NAME) {
			s->name = value;
			s->name_len = len;
		} else if (a.nla_type == UNIX_DIAG_VFS && len >= sizeof(pair)) {
			s->has_file = true;
			s->file_inode = pair[0];
			s->file_dev = pair[1];
		} else if (a.nla_type == UNIX_DIAG_RQLEN && len >= sizeof(pair)) {
			s->queue_len = pair[0];
			s->queue_limit = pair[1];
		}
		size_t step = NLA_ALIGN(a.nla_len);
		if (step > left)
			return;
		at += step;
		left -= step;
	}
}

int named_parse(const void *buf, size_t len, named_each_fn *each, void *arg)
{
	const char *at = buf;
	struct unix_diag_msg m;
	struct nlmsghdr h;
	int err;

	while (len >= sizeof(h)) {
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EPROTO;
		if (h.nlmsg_type == NLMSG_DONE)
			return 0;
		if (h.nlmsg_type == NLMSG_ERROR) {
			if (h.nlmsg_len < NLMSG_HDRLEN + sizeof(err))
				return -EPROTO;
			memcpy(&err, at + NLMSG_HDRLEN, sizeof(err));
			return err < 0 && err >= -4095 ? err : 0;
		}
		if (h.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
			if (h.nlmsg_len < NLMSG_HDRLEN + sizeof(m))
				return -EPROTO;
			memcpy(&m, at + NLMSG_HDRLEN, sizeof(m));
			struct named_sock s = {
				.cookie = (uint64_t)m.udiag_cookie[1] << 32 | m.udiag_cookie[0],
				.inode = m.udiag_ino,
				.state = m.udiag_state,
				.type = m.udiag_type,
			};
			size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(m));
			if (h.nlmsg_len > head)
				read_attributes(at + head, h.nlmsg_len - head, &s);
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

static int ask(int fd, const struct question *q, char *buf, named_each_fn *each, void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long n = sys_call(SYS_sendto, fd, q, sizeof(*q), 0, &kernel, sizeof(kernel));
	int go = n < 0 ? (int)n : 1;

	while (go == 1) {
		struct sockaddr_nl from = { .nl_pid = 1 };
		socklen_t len = sizeof(from);
		n = sys_call(SYS_recvfrom, fd, buf, BUFFER, MSG_DONTWAIT | MSG_TRUNC, &from, &len);
		if (n < 0 || (size_t)n > BUFFER)
			return n < 0 ? (int)n : -EMSGSIZE;
		if (from.nl_pid == 0)
			go = named_parse(buf, (size_t)n, each, arg);
	}
	return go;
}

int named_dump(bool all, named_each_fn *each, void *arg)
{
	const struct question q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = AF_UNIX, .udiag_states = all ? 0xffffffffu : 1u << TCP_LISTEN,
		       .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN },
	};
	char *buf = sys_mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = sys_failed(buf), fd;

	if (err)
		return err;
	fd = sys_high_fd((int)sys_call(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	err = fd < 0 ? fd : ask(fd, &q, buf, each, arg);
	if (fd >= 0)
		sys_close(fd);
	sys_munmap(buf, BUFFER);
	return err;
}
