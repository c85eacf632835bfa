/* fd.c - descriptors: what closes them and what copies them
 *
 * A descriptor leaves the table right before the real close, since another thread may get the same number right after
 * it. A call on a descriptor that is no known socket goes straight to the real function. */
#include "hook.h"
#include "ports.h"
#include <base/sys.h>
#include <effects/spare.h>
#include <limits.h>
#include <session/lock.h>
#include <stdarg.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1u << 1)
#endif

/* ---- one descriptor ---- */

/* The real close has been made, of the descriptor that meant r right before it. */
static void closed(struct hook *h, struct sock_ref r)
{
	if (r.sock == h->ref.sock && r.serial == h->ref.serial)
		h->out.last = self_drop(r, true);
	else if (r.sock)	/* another thread was faster: this was its socket */
		self_drop(r, false);
}

HOOK int close(int fd)
{
	struct hook h;
	if (likely(!fdtab_knows(fd)) || !hook_enter(&h, SNAG_CALL_close, fd))
		return real.close(fd);
	if (hook_decide(&h)) {
		struct sock_ref r = fdtab_take(fd);
		hook_done(&h, real.close(fd));
		closed(&h, r);
		ports_closed(&h);
	}
	return (int)hook_leave(&h);
}

HOOK_ALIAS(__close, close);

/* A stream without a descriptor (open_memstream) gives -1. */
static int fd_of(FILE *f)
{
	int saved = errno, fd = real.fileno(f);
	errno = saved;
	return fd;
}

HOOK int fclose(FILE *f)
{
	struct hook h;
	real_need();
	int fd = fdtab_high && f ? fd_of(f) : -1;
	if (likely(!fdtab_knows(fd)) || !hook_enter(&h, SNAG_CALL_fclose, fd))
		return real.fclose(f);
	if (hook_decide(&h)) {
		struct sock_ref r = fdtab_take(fd);
		hook_done(&h, real.fclose(f));
		closed(&h, r);
		ports_closed(&h);
	}
	return (int)hook_leave(&h);
}

HOOK_ALIAS(_IO_fclose, fclose);

/* ---- many descriptors ---- */

#define BATCH 32

struct batch {
	unsigned n;
	int fd[BATCH];
	struct sock_ref ref[BATCH];
};

/* Take the known sockets of [first, last] out of the table, at most so many; answers the last descriptor that is then
 * free of them. */
static unsigned take_batch(struct batch *b, unsigned most, unsigned first, unsigned last)
{
	unsigned end = last < FDTAB_MAX ? last + 1 : FDTAB_MAX;
	b->n = 0;
	if (first >= end)
		return last;
	for (int fd = fdtab_next((int)first, end); fd >= 0; fd = fdtab_next(fd + 1, end)) {
		b->fd[b->n] = fd;
		b->ref[b->n] = fdtab_take(fd);
		if (b->ref[b->n].sock && ++b->n == most)
			return (unsigned)fd;
	}
	return last;
}

/* One by one where a rule may take the port of one. */
static unsigned batch_size(unsigned call)
{
	return engine_leaves(&engine, call) ? 1 : BATCH;
}

static bool batch_leaves(const struct batch *b, unsigned call, struct hook *one)
{
	return b->n == 1 && ports_leaving(one, call, b->fd[0], b->ref[0]);
}

static int close_batches(struct hook *h, unsigned first, unsigned last, int flags)
{
	struct hook one;
	struct batch b;
	for (;;) {
		unsigned end = take_batch(&b, batch_size(h->call.call), first, last);
		bool leaves = !(flags & ~CLOSE_RANGE_UNSHARE) && batch_leaves(&b, h->call.call, &one);
		int r = real.close_range(first, end, flags);
		for (unsigned i = 0; i < b.n; i++) {
			if (r < 0)
				self_put(b.fd[i], b.ref[i]);
			else
				hook_gone(h, b.fd[i], b.ref[i]);
		}
		if (leaves)
			ports_settle(&one);
		if (r < 0 || end == last)
			return r;
		first = end + 1;
	}
}

static bool any_known(unsigned first, unsigned last)
{
	return first <= last && first < FDTAB_MAX &&
	       fdtab_next((int)first, last < FDTAB_MAX ? last + 1 : FDTAB_MAX) >= 0;
}

HOOK int close_range(unsigned first, unsigned last, int flags)
{
	struct hook h;
	if ((flags & CLOSE_RANGE_CLOEXEC) || !any_known(first, last) || !hook_enter(&h, SNAG_CALL_close_range, -1))
		return real.close_range(first, last, flags);
	h.call.arg[0] = (int32_t)first;
	h.call.arg[1] = (int32_t)last;
	if (hook_decide(&h)) {
		hook_done(&h, close_batches(&h, first, last, flags));
		h.silent = h.out.ret == 0;	/* each socket has had its own event */
	}
	return (int)hook_leave(&h);
}

/* Where the C library has none, close_range is the same. */
static void real_closefrom(int low)
{
	if (real.closefrom)
		real.closefrom(low);
	else
		real.close_range((unsigned)low, UINT_MAX, 0);
}

HOOK void closefrom(int low)
{
	struct hook h, one;
	struct batch b;
	int saved = errno;
	unsigned from = low < 0 ? 0 : (unsigned)low, end;
	real_need();
	if (!any_known(from, UINT_MAX) || !hook_enter(&h, SNAG_CALL_closefrom, -1)) {
		real_closefrom((int)from);
		return;
	}
	h.call.arg[0] = low;
	hook_decide(&h);	/* it cannot fail */
	do {
		end = take_batch(&b, batch_size(h.call.call), from, UINT_MAX);
		bool leaves = batch_leaves(&b, h.call.call, &one);
		for (unsigned i = 0; i < b.n; i++) {
			real.close(b.fd[i]);
			hook_gone(&h, b.fd[i], b.ref[i]);
		}
		if (leaves)
			ports_settle(&one);
	} while (end != UINT_MAX);
	real_closefrom((int)from);
	errno = saved;
}

/* ---- copies ---- */

/* `fd` is one more name of the hook's socket. */
static void share(struct hook *h, int fd)
{
	struct session_guard g;
	h->out.new_fd = fd;
	if (!self_lock(&g))
		return;
	int r = sock_hold(&session, h->call.who.proc, h->ref, fd);
	self_unlock(&g);
	self_put(fd, r < 0 ? (struct sock_ref){ 0 } : h->ref);
	if (!h->note)
		spare_forget();
}

HOOK int dup(int fd)
{
	struct hook h;
	if (likely(!fdtab_knows(fd)) || !hook_enter(&h, SNAG_CALL_dup, fd))
		return real.dup(fd);
	if (hook_decide(&h)) {
		int new = real.dup(fd);
		hook_done(&h, new);
		if (new >= 0)
			share(&h, new);
	}
	return (int)hook_leave(&h);
}

static bool is_open(int fd)
{
	return sys_call(SYS_fcntl, fd, F_GETFD) >= 0;
}

/* dup2 and dup3: `to` may be a known socket too, which is closed by the way. */
static int dup_onto(unsigned id, int fd, int to, int flags, const void *caller)
{
	struct hook h, over;
	bool ours = fd != to && (fdtab_knows(fd) || fdtab_knows(to)) && self_active() && !self_borrowed();
	bool known = ours && fdtab_knows(fd) && hook_enter_from(&h, id, fd, caller);
	if (known) {
		h.call.arg[0] = to;
		if (!hook_decide(&h))
			return (int)hook_leave(&h);
	}
	struct sock_ref was = ours ? fdtab_take(to) : (struct sock_ref){ 0 };
	bool leaves = was.sock && is_open(fd) && !(flags & ~O_CLOEXEC) && ports_leaving(&over, SNAG_CALL_close, to, was);
	int r = id == SNAG_CALL_dup2 ? real.dup2(fd, to) : real.dup3(fd, to, flags);
	if (known)
		hook_done(&h, r);
	if (r < 0 && was.sock)
		self_put(to, was);
	if (r >= 0 && known)
		share(&h, to);
	if (r >= 0 && was.sock)
		self_drop(was, false);
	if (leaves)
		ports_settle(&over);
	return known ? (int)hook_leave(&h) : r;
}

HOOK int dup2(int fd, int to)
{
	return dup_onto(SNAG_CALL_dup2, fd, to, 0, __builtin_return_address(0));
}

HOOK_ALIAS(__dup2, dup2);

HOOK int dup3(int fd, int to, int flags)
{
	return dup_onto(SNAG_CALL_dup3, fd, to, flags, __builtin_return_address(0));
}

/* The third argument is always read as a long: what stands there when the program passed none is nobody's business. */
HOOK int fcntl(int fd, int cmd, ...)
{
	struct hook h;
	va_list ap;
	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	if (likely(cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC) || !fdtab_knows(fd) ||
	    !hook_enter(&h, SNAG_CALL_fcntl, fd))
		return real.fcntl(fd, cmd, arg);
	h.call.arg[0] = (int32_t)arg;
	if (hook_decide(&h)) {
		int new = real.fcntl(fd, cmd, arg);
		hook_done(&h, new);
		if (new >= 0)
			share(&h, new);
	}
	return (int)hook_leave(&h);
}

HOOK_ALIAS(fcntl64, fcntl);
HOOK_ALIAS(__fcntl, fcntl);
