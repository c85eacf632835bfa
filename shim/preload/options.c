/* options.c - setsockopt, getsockopt */
#include "hook.h"
#include "own.h"
#include "pending.h"
#include <base/hash.h>
#include <effects/tune.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>


/* The options that the model depends on, whoever asks it. */
static bool is_modelled(int level, int name)
{
	return (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT || name == SO_BINDTODEVICE ||
					name == SO_BINDTOIFINDEX)) ||
	       (level == IPPROTO_IPV6 && (name == IPV6_V6ONLY || name == IPV6_FREEBIND || name == IPV6_TRANSPARENT)) ||
	       (level == IPPROTO_IP && (name == IP_FREEBIND || name == IP_TRANSPARENT ||
					name == IP_BIND_ADDRESS_NO_PORT || name == 51 /* IP_LOCAL_PORT_RANGE */));
}

/* Those on which only an exact answer depends: what is left of a connection, and whether an answer reaches a socket. */
static bool is_exact(int level, int name)
{
	return (level == SOL_SOCKET && (name == SO_LINGER || name == SO_ATTACH_FILTER || name == SO_ATTACH_BPF ||
					name == SO_DETACH_FILTER)) ||
	       (level == IPPROTO_TCP && (name == TCP_LINGER2 || name == TCP_DEFER_ACCEPT)) ||
	       (level == IPPROTO_IP && name == IP_MINTTL) || (level == IPPROTO_IPV6 && name == IPV6_MINHOPCOUNT);
}

static int option_value(int level, int name, const void *value, socklen_t len)
{
	int v = 0;
	if (len > IFNAMSIZ)
		len = IFNAMSIZ;
	if (!hook_readable(value, len))
		return 0;
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE) {	/* a name; the model compares hashes of them */
		size_t n = strnlen(value, len);
		return n ? (int)(hash_bytes(value, n) | 1u << 31) : 0;
	}
	if (level == SOL_SOCKET && name == SO_LINGER) {
		struct linger l;
		if (len < sizeof(l))
			return 0;
		memcpy(&l, value, sizeof(l));
		return l.l_onoff ? (int)((unsigned)l.l_linger + 1) : 0;
	}
	if (len >= sizeof(v))
		memcpy(&v, value, sizeof(v));
	return v;
}

/* Does the socket really have SO_REUSEADDR, whatever the program says, for the sake of its TIME_WAIT? */
static bool keeps_reuse(struct sock_ref r)
{
	const struct model_sock *m = engine_keeps_waits(&engine) ? model_peek(engine.model, r.sock, r.serial) : NULL;
	return m && m->proto == SNAG_PROTO_TCP && m->state >= SNAG_STATE_LISTEN;
}

/* Where a fault has changed the option, the value is kept until that is over. */
static int set(int fd, int level, int name, const void *value, socklen_t len)
{
	int err = 0;
	if (likely(!own_keep(fd, level, name, value, len, &err)))
		return real.setsockopt(fd, level, name, value, len);
	return (int)real_edge(-err);
}

HOOK int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct hook h;
	bool needed = is_modelled(level, name) || hook_wanted(SNAG_CALL_setsockopt) ||
		      (engine_exact(&engine) && is_exact(level, name));
	if (!needed || !hook_enter(&h, SNAG_CALL_setsockopt, fd))
		return set(fd, level, name, value, len);
	h.call.arg[0] = level;
	h.call.arg[1] = name;
	h.call.arg[2] = option_value(level, name, value, len);
	if (hook_decide(&h)) {
		hook_done(&h, set(fd, level, name, value, len));
		if (level == SOL_SOCKET && name == SO_REUSEADDR && unlikely(keeps_reuse(h.ref)))
			tune_reuse(fd, true);
	}
	return (int)hook_leave(&h);
}

/* SO_REUSEADDR as the program has set it. */
static bool own_reuse(int fd, int level, int name, int *own)
{
	struct sock_ref r = fdtab_get(fd);
	if (level != SOL_SOCKET || name != SO_REUSEADDR || !self_active() || !keeps_reuse(r))
		return false;
	*own = (model_peek(engine.model, r.sock, r.serial)->options & SNAG_OPTION_REUSEADDR) != 0;
	return true;
}

/* It reads as empty, and nothing is written where the program wants it. */
static int get_empty(int fd, int level, int name, void *value, socklen_t *len)
{
	socklen_t none = 0;
	if (!hook_readable(len, sizeof(*len)) || *len > INT32_MAX)
		return real.getsockopt(fd, level, name, value, len);
	int r = real.getsockopt(fd, level, name, value, &none);
	if (r == 0)
		*len = 0;
	return r;
}

/* What the program itself has set. */
HOOK int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int own;
	if (level == SOL_SOCKET && name == SO_ERROR)
		pending_has(fdtab_get(fd));	/* an attempt that is to end by now */
	if (unlikely(own_nothing(fd, level, name)))
		return get_empty(fd, level, name, value, len);
	int r = real.getsockopt(fd, level, name, value, len);
	if (unlikely(r == 0 && (own_reuse(fd, level, name, &own) || own_value(fd, level, name, &own))))
		memcpy(value, &own, *len < sizeof(own) ? *len : sizeof(own));
	return r;
}
