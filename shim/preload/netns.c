/* netns.c - in which network namespace this process makes its sockets; setns(), unshare()
 *
 * A socket stays in the namespace in which it was made, whoever has it. What is known of a process stands
 * on the page that a fork child finds blank, as clone() may have put that child elsewhere. */
#include "netns.h"
#include "hook.h"
#include "machine.h"
#include "real.h"
#include "self.h"
#include <base/sys.h>
#include <sched.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define UNTOLD UINT64_MAX	/* in place of every cookie, where the kernel does not tell them */

static uint64_t machine_netns;	/* where engine.machine was read; 0: nowhere */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	return sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0 ? cookie : UNTOLD;
}

static uint64_t home(void)
{
	return load_acquire(&session.header->netns);
}

/* The answer is that of the whole process, unless its threads move: a cas, as another one may begin to. */
static bool is_home(uint64_t cookie)
{
	uint32_t unasked = SELF_NETNS_UNASKED;
	bool at_home = !home() || home() == cookie;
	if (home())
		cas(&self->netns, &unasked, (uint32_t)(at_home ? SELF_NETNS_HOME : SELF_NETNS_ELSEWHERE));
	return at_home;
}

static bool is_inet(int domain)
{
	return domain == AF_INET || domain == AF_INET6;
}

/* The first inet socket settles where the session is. */
static void settle(uint64_t cookie, int domain)
{
	uint64_t none = 0;
	if (unlikely(!home()) && is_inet(domain))
		cas(&session.header->netns, &none, cookie);
}

bool netns_ask(int fd, int domain)
{
	if (!is_inet(domain) && (domain != AF_UNIX || !home()))
		return false;
	if (load_relaxed(&self->netns) == SELF_NETNS_ELSEWHERE)
		return true;
	uint64_t cookie = cookie_of(fd);
	settle(cookie, domain);
	return !is_home(cookie);
}

bool netns_has_elsewhere(int fd, int domain)
{
	uint64_t cookie = cookie_of(fd);
	settle(cookie, domain);
	return home() && home() != cookie;
}

/* By a socket made for the moment. 0: none can be made. */
static uint64_t ask_own(void)
{
	int fd = sys_high_fd((int)sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	uint64_t cookie = fd >= 0 ? cookie_of(fd) : 0;
	if (fd >= 0)
		sys_close(fd);
	return cookie;
}

static bool ask_at_home(void)
{
	uint64_t cookie = load_relaxed(&self->netns) == SELF_NETNS_ELSEWHERE ? 0 : ask_own();
	return cookie && is_home(cookie);
}

static void read_machine(uint64_t cookie)
{
	machine_netns = cookie;
	engine.machine = machine_read();
}

bool netns_at_home(void)
{
	if (unlikely(load_relaxed(&self->netns) != SELF_NETNS_HOME) && !ask_at_home())
		return false;
	if (unlikely(engine.machine && home() && machine_netns != home()))
		read_machine(home());
	return true;
}

void netns_start(void)
{
	if (engine_exact(&engine))
		read_machine(ask_own());
}

/* ---- the calls that move a thread ---- */

static void moves(void)
{
	if (self_active())
		store_release(&self->netns, (uint32_t)SELF_NETNS_MOVES);
}

HOOK int setns(int fd, int type)
{
	real_need();
	if (!type || (type & CLONE_NEWNET))	/* 0: whatever the descriptor is of */
		moves();
	return real.setns(fd, type);
}

HOOK int unshare(int flags)
{
	real_need();
	if (flags & CLONE_NEWNET)
		moves();
	return real.unshare(flags);
}
