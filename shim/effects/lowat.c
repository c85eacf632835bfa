/* lowat.c - data that has arrived, hidden by SO_RCVLOWAT
 *
 * net/ipv4/tcp.c, tcp_set_rcvlowat() makes the receive buffer larger where the window for so many bytes needs it, and
 * nothing makes it smaller again: a quarter of the buffer never needs it. It wakes the waiters when it is lowered. */
#include "lowat.h"
#include <base/base.h>
#include <base/sys.h>
#include <poll.h>
#include <sys/socket.h>

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return sys_call(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &len) < 0 ? 0 : value;
}

int lowat_raise(int fd)
{
	int was = option(fd, SO_RCVLOWAT), high = option(fd, SO_RCVBUF) / 4;
	if (was <= 0 || high <= was || sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, &high, sizeof(high)) < 0)
		return 0;
	return was;
}

void lowat_restore(int fd, int was)
{
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, &was, sizeof(was));
}

void lowat_show(int fd, uint32_t *was)
{
	uint32_t value = load_acquire(was);
	if (value && cas(was, &value, 0))
		lowat_restore(fd, (int)value);
}

bool lowat_is_ready(int fd, bool sends)
{
	struct pollfd p = { .fd = fd, .events = sends ? POLLOUT : POLLIN };
	struct timespec none = { 0, 0 };
	return sys_call(SYS_ppoll, &p, 1, &none, NULL, 0) != 0;
}
