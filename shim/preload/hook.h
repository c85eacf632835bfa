/* hook.h - the way of every hooked call: enter, describe, decide, act, commit.
 *
 *     if (!hook_enter(&h, SNAG_CALL_x, fd))		nothing of ours: straight to the real function
 *             return real.x(...);
 *     h.call.arg[0] = ...;				describe
 *     if (hook_decide(&h))				false: a rule answered in the kernel's place
 *             hook_done(&h, real.x(...));
 *     return hook_leave(&h);				commit, errno
 *
 * Nothing is held over the real call: it may wait for ever, be cancelled, or be left by a longjmp; the call is then
 * simply never committed. */
#ifndef PRELOAD_HOOK_H
#define PRELOAD_HOOK_H

#include "fdtab.h"
#include "real.h"
#include "self.h"
#include <base/addr.h>
#include <effects/occupant.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <unistd.h>

/* Exported; calls from inside the library reach this one, whatever the program defines under the same name (-Bsymbolic).
 * Protected visibility would do so too, but the loader warns of it where an executable at a fixed address takes the address
 * of a hook (glibc, elf/dl-protected.h). */
#define HOOK __attribute__((visibility("default")))
/* One more exported name of a hook in the same file. */
#define HOOK_ALIAS(alias, hook)                                                                                        \
	__asm__(".globl " #alias "\n.type " #alias ", %function\n.set " #alias ", " #hook)

struct hook {
	struct snag_call call;
	struct snag_plan plan;
	struct snag_outcome out;
	struct sock_ref ref;	/* the socket at call.fd */
	const void *caller;	/* return address of the hook */
	unsigned traits;
	int saved;		/* errno to leave behind on success */
	uint64_t stood;		/* who stood on the call's port when it was predicted, see outside.h; 0: not asked */
	uint32_t stood_version;	/* and that port's version */
	int after;		/* errno to answer once the real call is made: closing calls, consumed connections */
	bool traced, locked;
	bool asked;		/* by the trace, the lock or a rule; else only the model hears of it */
	uint16_t local_port, peer_port;	/* as the model knows them; 0: it does not */
	bool borrowed;		/* a vfork child in front of exec: nothing of this process is written */
	bool silent;		/* the result is not committed */
	bool turn;		/* accept: a connection that was held is this call's to take */
	bool claimed;		/* closing calls: `claim` is to be settled */
	struct occupant_claim claim;
	const char *note;	/* why a rule's action was not carried out; NULL */
	bool begun;		/* the connection attempt is under way; the real call waits for it */
	uint64_t since;		/* see hook_since; 0: it has not waited yet */
};

/* True: the call concerns the session; h is filled in for it. A call on a descriptor (trait FD) concerns it when that
 * is a socket; one not known yet is adopted, except by calls that only close or copy it. errno untouched. */
#define hook_enter(h, id, fd) hook_enter_from(h, id, fd, __builtin_return_address(0))
bool hook_enter_from(struct hook *h, unsigned id, int fd, const void *caller);

/* The value of a call on socket r at fd that nobody makes now, with all that rules on it may ask. False: not in the
 * session. */
bool hook_describe(struct hook *h, unsigned id, int fd, struct sock_ref r);

/* When the call first waited for anything here, CLOCK_MONOTONIC ns: from then on counts what the socket's own timeouts
 * let it wait in all. */
uint64_t hook_since(struct hook *h);

/* Does it take the meaning of descriptors away? */
bool hook_ends(unsigned id);

/* Does anybody ask about such calls: the trace, or a rule? */
bool hook_wanted(unsigned id);

/* Right above the frame of the hook: the program's own local variables, or on a new stack what was put under its first
 * function. They can be read. */
static inline __attribute__((always_inline)) bool hook_near(const void *p, size_t len)
{
	uintptr_t at = (uintptr_t)p, frame = (uintptr_t)__builtin_frame_address(0);
	return at - frame < 1024 && len <= 1024 - (at - frame);
}
/* Can len bytes of the program's memory be read at p? Where they cannot, the kernel answers EFAULT, so nobody here may
 * look. Asks the kernel, except where they are near. */
bool hook_ask_readable(uintptr_t at, size_t len);
static inline __attribute__((always_inline)) bool hook_readable(const void *p, size_t len)
{
	return likely(hook_near(p, len)) || hook_ask_readable((uintptr_t)p, len);
}
/* The address argument of bind and connect; where it cannot be read nothing is told of it. */
static inline __attribute__((always_inline)) void hook_addr(struct hook *h, const struct sockaddr *sa, socklen_t len)
{
	bool too_long = len > sizeof(struct sockaddr_storage);	/* the kernel does not read it */
	if (!too_long && !hook_readable(sa, len))
		return;
	h->call.addr_len = (uint32_t)len;
	if (too_long)
		return;
	if (len >= sizeof(sa->sa_family))
		h->call.addr_family = sa->sa_family;
	addr_from_sockaddr(&h->call.addr, sa, len, h->call.path, &h->call.path_len);
}

/* Has the program set SO_REUSEADDR on the socket, whatever has really been set? */
bool hook_reuses(const struct hook *h);

/* Facts, decision, and what comes before the call: its delay, its signal, its failure. True: make the real call. */
bool hook_decide(struct hook *h);

/* What the real call answered (-1: errno). */
void hook_done(struct hook *h, long ret);
/* The call failed with this errno, without the real one. */
void hook_fail(struct hook *h, int err);
/* The call made a new descriptor with a new socket: enter it; h->out names it. */
void hook_made(struct hook *h, int fd);

/* A call on many descriptors (h) has closed this one: its own event, and the end of this reference. */
void hook_gone(const struct hook *h, int fd, struct sock_ref r);

/* Commit and the event; the result for the program, errno set on failure and else as the real call left it. */
long hook_leave(struct hook *h);

#endif
