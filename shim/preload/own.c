/* own.c - socket options that a fault has changed for as long as it is in force */
#include "own.h"
#include "hook.h"
#include <base/sys.h>
#include <effects/state.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static struct fault_state *state_of(int fd)
{
	if (!self_active())
		return NULL;
	struct sock_ref r = fdtab_get(fd);
	return fault_find(session.faults, load_acquire(&session.header->socks_ready), r.sock, r.serial);
}

/* ---- a stall: SO_RCVLOWAT ---- */

static int lowat_of(const struct fault_state *f)
{
	uint32_t was = load_acquire(&f->lowat);
	return was ? (int)was : -1;
}

/* net/core/sock.c, sk_setsockopt() */
static int lowat_keep(struct fault_state *f, int value)
{
	uint32_t was = load_acquire(&f->lowat), own = value < 0 ? INT32_MAX : value ? (uint32_t)value : 1;
	while (was && !cas(&f->lowat, &was, own))
		;
	return 0;
}

/* ---- a connect that times out: TCP_USER_TIMEOUT ---- */

static int timeout_of(const struct fault_state *f)
{
	return load_acquire(&f->late) && f->attempt.ours ? (int)load_relaxed(&f->attempt.count) : -1;
}

/* net/ipv4/tcp.c, do_tcp_setsockopt() */
static int timeout_keep(struct fault_state *f, int value)
{
	if (value < 0)
		return EINVAL;
	store_relaxed(&f->attempt.count, (uint32_t)value);
	return 0;
}

/* ---- blackhole, self: IP_MINTTL, IPV6_MINHOPCOUNT ---- */

#define TTL_MAX 255
#define HOPS_SHIFT 8

static bool is_deaf(const struct fault_state *f)
{
	return (load_acquire(&f->spent) & (SNAG_SPENT_DEAF | SNAG_SPENT_RESET)) == SNAG_SPENT_DEAF;
}

static int ttl_of(const struct fault_state *f)
{
	return is_deaf(f) ? (int)(load_relaxed(&f->least) & TTL_MAX) : -1;
}

static int hops_of(const struct fault_state *f)
{
	return is_deaf(f) ? (int)(load_relaxed(&f->least) >> HOPS_SHIFT & TTL_MAX) : -1;
}

/* net/ipv4/ip_sockglue.c, net/ipv6/ipv6_sockglue.c */
static int least_keep(struct fault_state *f, int value, unsigned shift)
{
	uint32_t least = load_relaxed(&f->least) & ~((uint32_t)TTL_MAX << shift);
	if (value < 0 || value > TTL_MAX)
		return EINVAL;
	store_relaxed(&f->least, least | (uint32_t)value << shift);
	return 0;
}

static int ttl_keep(struct fault_state *f, int value)
{
	return least_keep(f, value, 0);
}

static int hops_keep(struct fault_state *f, int value)
{
	return least_keep(f, value, HOPS_SHIFT);
}

/* ---- all of them ---- */

static const struct {
	int level, name;
	int (*value)(const struct fault_state *f);	/* below 0: as the kernel says */
	int (*keep)(struct fault_state *f, int value);	/* 0 or a positive errno */
} rows[] = {
	{ SOL_SOCKET, SO_RCVLOWAT, lowat_of, lowat_keep },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_of, timeout_keep },
	{ IPPROTO_IP, IP_MINTTL, ttl_of, ttl_keep },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT, hops_of, hops_keep },
};

static const struct {
	int level, name;
	uint32_t spent;
} empty[] = {
	{ SOL_SOCKET, SO_GET_FILTER, SNAG_SPENT_EOF },
	{ IPPROTO_IP, IP_OPTIONS, SNAG_SPENT_MUTE },
	{ IPPROTO_IPV6, IPV6_RTHDR, SNAG_SPENT_MUTE },
};

/* The row of an option that a fault of the socket has changed, with that socket; -1: none. */
static int row_of(int fd, int level, int name, struct fault_state **f)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].level != level || rows[i].name != name)
			continue;
		*f = state_of(fd);
		return *f && rows[i].value(*f) >= 0 ? (int)i : -1;
	}
	return -1;
}

bool own_value(int fd, int level, int name, int *own)
{
	struct fault_state *f;
	int row = row_of(fd, level, name, &f);
	if (row >= 0)
		*own = rows[row].value(f);
	return row >= 0;
}

bool own_nothing(int fd, int level, int name)
{
	for (unsigned i = 0; i < ARRAY_LEN(empty); i++) {
		if (empty[i].level != level || empty[i].name != name)
			continue;
		const struct fault_state *f = state_of(fd);
		return f && (load_acquire(&f->spent) & empty[i].spent);
	}
	return false;
}

/* As the kernel reads it: no negative length (net/socket.c, do_sock_setsockopt()); of IP a single byte is enough
 * (net/ipv4/ip_sockglue.c, do_ip_setsockopt()). */
static int read_value(int level, const void *value, socklen_t len, int *v)
{
	uint8_t byte;
	bool is_byte = level == IPPROTO_IP && len > 0 && len < sizeof(*v);
	if (len > INT32_MAX || (len < sizeof(*v) && !is_byte))
		return EINVAL;
	if (!hook_readable(value, is_byte ? sizeof(byte) : sizeof(*v)))
		return EFAULT;
	*v = is_byte ? *(uint8_t *)memcpy(&byte, value, sizeof(byte)) : *(int *)memcpy(v, value, sizeof(*v));
	return 0;
}

/* Not each family has each of them. */
static bool has_option(int fd, int level, int name)
{
	int value;
	socklen_t len = sizeof(value);
	return sys_call(SYS_getsockopt, fd, level, name, &value, &len) == 0;
}

bool own_keep(int fd, int level, int name, const void *value, socklen_t len, int *err)
{
	struct fault_state *f;
	int row = row_of(fd, level, name, &f), v = 0;
	if (likely(row < 0) || !has_option(fd, level, name))
		return false;
	*err = read_value(level, value, len, &v);
	if (!*err)
		*err = rows[row].keep(f, v);
	return true;
}
