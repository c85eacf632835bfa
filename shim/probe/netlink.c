/* netlink.c - a question to the kernel over netlink. The forms: linux/netlink.h. */
#include "netlink.h"

#include <base/sys.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BUFFER (32u << 10)	/* no datagram of the kernel's is longer: netlink_dump() (net/netlink/af_netlink.c) */

void netlink_attributes(const char *at, size_t left, netlink_attribute_fn *each, void *arg)
{
	struct nlattr a;

	while (left >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > left)
			return;
		each(arg, a.nla_type, at + sizeof(a), a.nla_len - sizeof(a));
		size_t step = NLA_ALIGN(a.nla_len);
		if (step > left)
			return;
		at += step;
		left -= step;
	}
}

static int refusal(const char *body, size_t len)
{
	int err;

	if (len < sizeof(err))
		return -EPROTO;
	memcpy(&err, body, sizeof(err));
	return err < 0 && err >= -4095 ? err : 0;
}

int netlink_parse(const void *buf, size_t len, unsigned type, netlink_message_fn *each, void *arg)
{
	const char *at = buf;
	struct nlmsghdr h;

	while (len >= sizeof(h)) {
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EPROTO;
		const char *body = at + NLMSG_HDRLEN;
		size_t body_len = h.nlmsg_len - NLMSG_HDRLEN, step = NLMSG_ALIGN(h.nlmsg_len);
		int go = h.nlmsg_type == type ? each(arg, body, body_len) : 1;
		if (h.nlmsg_type == NLMSG_DONE)
			return 0;
		if (h.nlmsg_type == NLMSG_ERROR)
			return refusal(body, body_len);
		if (go != 1 || step >= len)
			return go;
		at += step;
		len -= step;
	}
	return len ? -EPROTO : 1;
}

static int ask(int fd, const void *question, size_t size, char *buf, unsigned type, netlink_message_fn *each, void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long n = sys_call(SYS_sendto, fd, question, size, 0, &kernel, sizeof(kernel));
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
			go = netlink_parse(buf, (size_t)n, type, each, arg);
	}
	return go;
}

int netlink_ask(int protocol, const void *question, size_t size, unsigned type, netlink_message_fn *each, void *arg)
{
	char *buf = sys_mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = sys_failed(buf), fd;

	if (err)
		return err;
	fd = sys_high_fd((int)sys_call(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, protocol));
	err = fd < 0 ? fd : ask(fd, question, size, buf, type, each, arg);
	if (fd >= 0)
		sys_close(fd);
	sys_munmap(buf, BUFFER);
	return err;
}
