/* reset.c - a real RST, whatever copies of the descriptor exist */
#include "reset.h"
#include "silence.h"
#include <base/addr.h>
#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <snag/plan.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#define FLUSH_NS (100 * NSEC_PER_MSEC)	/* for what is on its way, in each direction */
#define STEP_NS (NSEC_PER_MSEC / 2)
#define QUEUE_MAX (64u << 20)		/* more than any socket queues: tcp_rmem */

struct reset {
	int fd;
	unsigned end;			/* enum snag_end */
	uint8_t state;			/* tcpi_state before it */
	struct sockaddr_storage local;
	socklen_t local_len;
	char *data;			/* received and not read */
	size_t n, room;
};

static int tcp_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	memset(&info, 0, sizeof(info));
	int r = (int)sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return r < 0 ? r : info.tcpi_state;
}

/* Those in which disconnecting sends a RST: net/ipv4/tcp.c, tcp_need_reset(). */
int reset_connected(int fd)
{
	int state = tcp_state(fd);
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;
}

/* The kernel encrypts it (TCP_ULP): it refuses to disconnect. */
static bool has_layer(int fd)
{
	char name[16] = "";
	socklen_t len = sizeof(name);
	return sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_ULP, name, &len) == 0 && len && name[0];
}

/* tcp(7): TCP_NODELAY sends what is held back, by MSG_MORE and TCP_CORK too. The value before. */
static int set_nodelay(int fd, int on)
{
	int was = on;
	socklen_t len = sizeof(was);
	sys_call(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &was, &len);
	if (was != on)
		sys_call(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return was;
}

static bool is_flushed(int fd)
{
	int left = 0;
	return sys_call(SYS_ioctl, fd, SIOCOUTQ, &left) < 0 || !left;
}

/* Wait until all that was sent is acknowledged. */
static void flush(int fd)
{
	struct timespec step = sys_timespec(STEP_NS);
	uint64_t end = sys_clock_ns(CLOCK_MONOTONIC) + FLUSH_NS;
	if (is_flushed(fd))
		return;
	int was = set_nodelay(fd, 1);
	while (!is_flushed(fd) && sys_clock_ns(CLOCK_MONOTONIC) < end)
		sys_call(SYS_nanosleep, &step, NULL);
	set_nodelay(fd, was);
}

/* ---- what was received and not read ---- */

static int take_data(struct reset *s)
{
	int n = 0;
	if (sys_call(SYS_ioctl, s->fd, SIOCINQ, &n) < 0 || n <= 0)
		return 0;
	s->room = (size_t)n < QUEUE_MAX ? (size_t)n : QUEUE_MAX;
	s->data = sys_mmap(NULL, s->room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(s->data)) {
		int r = sys_failed(s->data);
		s->data = NULL;
		return r;
	}
	while (s->n < s->room) {
		ssize_t got = sys_call(SYS_recvfrom, s->fd, s->data + s->n, s->room - s->n, MSG_DONTWAIT);
		if (got <= 0)
			break;
		s->n += (size_t)got;
	}
	return 0;
}

/* Through the other end once more; what the window does not take in time is lost, as behind a RST on a wire. */
static void give_data(const struct reset *s, int other)
{
	struct pollfd p = { .fd = other, .events = POLLOUT };
	struct timespec step = sys_timespec(FLUSH_NS);
	size_t done = 0;
	while (done < s->n) {
		ssize_t r = sys_call(SYS_sendto, other, s->data + done, s->n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r > 0)
			done += (size_t)r;
		else if (r != -EAGAIN || sys_call(SYS_ppoll, &p, 1, &step, NULL, 0) <= 0)
			return;
	}
}

/* Room for all of it at once: net/ipv4/tcp.c, tcp_set_rcvlowat(), widens the window. Answers what it was. */
static int widen(const struct reset *s)
{
	int was = 1, all = s->n < INT32_MAX ? (int)s->n : INT32_MAX;
	socklen_t len = sizeof(was);
	sys_call(SYS_getsockopt, s->fd, SOL_SOCKET, SO_RCVLOWAT, &was, &len);
	if (s->n)
		sys_call(SYS_setsockopt, s->fd, SOL_SOCKET, SO_RCVLOWAT, &all, sizeof(all));
	return was;
}

/* ---- the other end ---- */

static void clear_port(struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = 0;
	else
		((struct sockaddr_in *)a)->sin_port = 0;
}

/* A listener on the socket's own address and a port of its own; its address into *at. */
static int listen_beside(const struct reset *s, struct sockaddr_storage *at)
{
	socklen_t len = s->local_len;
	int fd = sys_high_fd((int)sys_call(SYS_socket, s->local.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int r = fd;
	*at = s->local;
	clear_port(at);
	if (r >= 0)
		r = (int)sys_call(SYS_bind, fd, at, len);
	if (r >= 0)
		r = (int)sys_call(SYS_listen, fd, 0);
	if (r >= 0)
		r = (int)sys_call(SYS_getsockname, fd, at, &len);
	if (r < 0 && fd >= 0)
		sys_close(fd);
	return r < 0 ? r : fd;
}

/* Connect the socket to it, also a blocking one in bounded time; answers the other end. */
static int meet(const struct reset *s, int listener, const struct sockaddr_storage *at)
{
	struct timeval was = { 0, 0 }, bound = { .tv_usec = FLUSH_NS / 1000 };
	struct timespec step = sys_timespec(FLUSH_NS);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	socklen_t len = sizeof(was);
	sys_call(SYS_getsockopt, s->fd, SOL_SOCKET, SO_SNDTIMEO, &was, &len);
	sys_call(SYS_setsockopt, s->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
	int r = (int)sys_call(SYS_connect, s->fd, at, s->local_len);
	sys_call(SYS_setsockopt, s->fd, SOL_SOCKET, SO_SNDTIMEO, &was, sizeof(was));
	if (r < 0 && r != -EINPROGRESS)
		return r;
	if (sys_call(SYS_ppoll, &p, 1, &step, NULL, 0) <= 0)
		return -ETIMEDOUT;
	return sys_high_fd((int)sys_call(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC));
}

static void close_by_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };
	sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sys_close(fd);
}

/* The socket is not connected any more: make it one that has received a RST, or (PEER) one whose peer is gone, and
 * which has not heard of it. */
static int reconnect(const struct reset *s)
{
	struct sockaddr_storage at;
	int listener = listen_beside(s, &at), lowat, other;
	if (listener < 0)
		return listener;
	lowat = widen(s);
	other = meet(s, listener, &at);
	sys_close(listener);
	if (other >= 0) {
		give_data(s, other);
		if (s->end == SNAG_END_PEER && (s->state == TCP_FIN_WAIT1 || s->state == TCP_FIN_WAIT2))
			sys_call(SYS_shutdown, s->fd, SHUT_WR);
		if (s->state == TCP_CLOSE_WAIT)
			sys_call(SYS_shutdown, other, SHUT_WR);
		flush(other);
		int least = s->end == SNAG_END_PEER ? silence_deafen(s->fd) : -1;
		close_by_reset(other);
		if (least >= 0)
			silence_hear(s->fd, least);
	}
	if (s->n)
		sys_call(SYS_setsockopt, s->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
	return other < 0 ? other : 0;
}

/* The kernel leaves an error of its own (tcp_disconnect()), for whoever asks first. */
static int disconnect(const struct reset *s, bool *strayed)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct silence_mute mute = { .way = 0 };
	int err = 0;
	socklen_t len = sizeof(err);
	if (s->end == SNAG_END_SELF)
		silence_mute(s->fd, &mute);	/* where that fails the peer hears of it at once */
	int r = (int)sys_call(SYS_connect, s->fd, &none, sizeof(none));
	silence_speak(s->fd, &mute);
	if (r == 0)
		sys_call(SYS_getsockopt, s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	*strayed = r == 0 && !err;
	return r;
}

int reset_attempt(int fd, const struct snag_addr *to)
{
	struct reset s = { .fd = fd, .end = SNAG_END_BOTH };
	struct sockaddr_storage at;
	s.local_len = addr_to_sockaddr(to, &s.local);
	int listener = s.local_len ? listen_beside(&s, &at) : -EAFNOSUPPORT;
	bool strayed;
	int r = listener < 0 ? listener : disconnect(&s, &strayed);
	int other = r < 0 ? r : meet(&s, listener, &at);
	if (listener >= 0)
		sys_close(listener);
	if (other >= 0)
		close_by_reset(other);
	return other < 0 ? other : 0;
}

int reset_connection(int fd, unsigned end, bool *strayed)
{
	struct reset s = { .fd = fd, .end = end, .local_len = sizeof(s.local) };
	int r, state = tcp_state(fd);
	if (!reset_connected(fd))
		return -ENOTCONN;
	if (has_layer(fd))
		return -EOPNOTSUPP;
	s.state = (uint8_t)state;
	r = (int)sys_call(SYS_getsockname, fd, &s.local, &s.local_len);
	if (r < 0)
		return r;
	flush(fd);
	r = take_data(&s);
	if (r == 0)
		r = disconnect(&s, strayed);
	if (r == 0)
		r = reconnect(&s);
	if (s.data)
		sys_munmap(s.data, s.room);
	return r;
}
