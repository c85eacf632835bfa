/* raise.c - readiness, told once more: both options are set to what they are, which wakes the waiters */
#include "raise.h"
#include <base/sys.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* net/ipv4/tcp.c: tcp_set_rcvlowat() calls tcp_data_ready(); TCP_NOTSENT_LOWAT calls sk_write_space(). */
void raise_again(int fd, bool sends)
{
	int level = sends ? IPPROTO_TCP : SOL_SOCKET, name = sends ? TCP_NOTSENT_LOWAT : SO_RCVLOWAT, value = 0;
	socklen_t len = sizeof(value);
	if (sys_call(SYS_getsockopt, fd, level, name, &value, &len) == 0)
		sys_call(SYS_setsockopt, fd, level, name, &value, len);
}
