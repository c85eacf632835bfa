/* send.c - write, writev, send, sendto, sendmsg, sendmmsg, sendfile */
#include "pass.h"
#include "stream.h"
#include <sys/sendfile.h>

static SLOW ssize_t send_to(unsigned id, int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
		       socklen_t len, const void *caller)
{
	struct stream s;
	ssize_t r;
	if (!stream_enter_from(&s, id, fd, n, flags, caller))
		return id == SNAG_CALL_write ? real.write(fd, buf, n) : real.sendto(fd, buf, n, flags, sa, len);
	if (stream_go(&s))
		do
			r = id == SNAG_CALL_write ? real.write(fd, buf, s.most)
						  : real.sendto(fd, buf, s.most, flags, sa, len);
		while (stream_again(&s, r, r));
	return stream_leave(&s);
}

HOOK ssize_t write(int fd, const void *buf, size_t n)
{
	if (likely(!stream_asked(STREAM_SEND)))
		return real.write(fd, buf, n);
	return send_to(SNAG_CALL_write, fd, buf, n, 0, NULL, 0, __builtin_return_address(0));
}

HOOK_ALIAS(__write, write);

HOOK ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	if (likely(!stream_asked(STREAM_SEND)))
		return real.send(fd, buf, n, flags);
	return send_to(SNAG_CALL_send, fd, buf, n, flags, NULL, 0, __builtin_return_address(0));
}

HOOK_ALIAS(__send, send);

HOOK ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa, socklen_t len)
{
	if (likely(!stream_asked(STREAM_SEND)))
		return real.sendto(fd, buf, n, flags, sa, len);
	return send_to(SNAG_CALL_sendto, fd, buf, n, flags, sa, len, __builtin_return_address(0));
}

static SLOW ssize_t writev_watched(int fd, const struct iovec *iov, int n, const void *caller)
{
	struct iovec cut[STREAM_BUFFERS];
	struct stream s;
	size_t want;
	ssize_t r;
	if (n < 0 || !stream_sum(iov, (size_t)n, &want) ||
	    !stream_enter_from(&s, SNAG_CALL_writev, fd, want, 0, caller))
		return real.writev(fd, iov, n);
	if (stream_go(&s)) {
		bool whole = s.most == want;
		int k = whole ? n : stream_cut(cut, iov, (size_t)n, s.most);
		do
			r = real.writev(fd, whole ? iov : cut, k);
		while (stream_again(&s, r, r));
	}
	return stream_leave(&s);
}

HOOK ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (likely(!stream_asked(STREAM_SEND)))
		return real.writev(fd, iov, n);
	return writev_watched(fd, iov, n, __builtin_return_address(0));
}

/* The descriptor that reads is a file's: the call is the socket's that is written to. */
static SLOW ssize_t sendfile_watched(int out, int in, off_t *offset, size_t n, const void *caller)
{
	struct stream s;
	ssize_t r;
	if (!stream_enter_from(&s, SNAG_CALL_sendfile, out, n, 0, caller))
		return real.sendfile(out, in, offset, n);
	if (stream_go(&s))
		do
			r = real.sendfile(out, in, offset, s.most);
		while (stream_again(&s, r, r));
	return stream_leave(&s);
}

HOOK ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	if (likely(!stream_asked(STREAM_SEND)))
		return real.sendfile(out, in, offset, n);
	return sendfile_watched(out, in, offset, n, __builtin_return_address(0));
}

HOOK_ALIAS(sendfile64, sendfile);

/* ---- messages ---- */

/* Of the message what fits in s->most bytes. Control messages go with the first byte: they are whole. */
static ssize_t send_message(const struct stream *s, int fd, const struct msghdr *m, int flags)
{
	struct iovec cut[STREAM_BUFFERS];
	struct msghdr part = *m;
	if (s->most >= s->want)
		return real.sendmsg(fd, m, flags);
	part.msg_iovlen = (size_t)stream_cut(cut, m->msg_iov, m->msg_iovlen, s->most);
	part.msg_iov = cut;
	return real.sendmsg(fd, &part, flags);
}

static SLOW ssize_t send_watched(int fd, const struct msghdr *m, int flags, const void *caller)
{
	struct stream s;
	size_t want;
	ssize_t r;
	if (!hook_readable(m, sizeof(*m)) || !stream_sum(m->msg_iov, m->msg_iovlen, &want) ||
	    !stream_enter_from(&s, SNAG_CALL_sendmsg, fd, want, flags, caller))
		return real.sendmsg(fd, m, flags);
	if (stream_go(&s))
		do
			r = send_message(&s, fd, m, flags);
		while (stream_again(&s, r, r));
	return stream_leave(&s);
}

/* Descriptors are on their way meanwhile. */
static SLOW ssize_t send_passing(int fd, const struct msghdr *m, int flags, const void *caller)
{
	int saved = errno;
	bool passes = hook_readable(m, sizeof(*m)) && pass_looks(m);
	if (passes)
		pass_hold(m);
	errno = saved;
	ssize_t n = stream_asked(STREAM_SEND) ? send_watched(fd, m, flags, caller) : real.sendmsg(fd, m, flags);
	if (n < 0 && passes)
		pass_release(m);
	return n;
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (unlikely(hook_near(m, sizeof(*m)) ? m->msg_controllen : pass_may(fd)))
		return send_passing(fd, m, flags, __builtin_return_address(0));
	if (likely(!stream_asked(STREAM_SEND)))
		return real.sendmsg(fd, m, flags);
	return send_watched(fd, m, flags, __builtin_return_address(0));
}

/* A bound on the bytes lets as many whole messages go as it holds; where that is none, a part of the first. */
static int send_messages(struct stream *s, int fd, struct mmsghdr *m, unsigned n, int flags)
{
	size_t sum = 0, one;
	unsigned whole = 0;
	if (s->most >= s->want)
		return real.sendmmsg(fd, m, n, flags);
	for (; whole < n && stream_sum(m[whole].msg_hdr.msg_iov, m[whole].msg_hdr.msg_iovlen, &one); whole++) {
		if (sum + one > s->most)
			break;
		sum += one;
	}
	if (whole)
		return real.sendmmsg(fd, m, whole, flags);
	ssize_t r = send_message(s, fd, &m->msg_hdr, flags);
	if (r < 0)
		return -1;
	m->msg_len = (unsigned)r;
	return 1;
}

static SLOW int send_many(int fd, struct mmsghdr *m, unsigned n, int flags, const void *caller)
{
	struct stream s;
	size_t want = 0, one;
	ssize_t bytes;
	int sent;
	for (unsigned i = 0; i < n; i++, want += one)
		if (!stream_sum(m[i].msg_hdr.msg_iov, m[i].msg_hdr.msg_iovlen, &one))
			return real.sendmmsg(fd, m, n, flags);
	if (!n || !stream_enter_from(&s, SNAG_CALL_sendmmsg, fd, want, flags, caller))
		return real.sendmmsg(fd, m, n, flags);
	if (stream_go(&s))
		do {
			sent = send_messages(&s, fd, m, n, flags);
			bytes = 0;
			for (int i = 0; i < sent; i++)
				bytes += m[i].msg_len;
		} while (stream_again(&s, sent, bytes));
	return (int)stream_leave(&s);
}

HOOK int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	unsigned most = n < PASS_MESSAGES_MAX ? n : PASS_MESSAGES_MAX;
	bool passes = pass_may(fd), any = false;
	bool readable = (passes || stream_asked(STREAM_SEND)) && self_active() && hook_readable(m, most * sizeof(*m));
	for (unsigned i = 0; passes && readable && i < most && !any; i++)
		any = pass_looks(&m[i].msg_hdr);
	for (unsigned i = 0; any && i < most; i++)
		pass_hold(&m[i].msg_hdr);
	int sent = stream_asked(STREAM_SEND) && readable ? send_many(fd, m, most, flags, __builtin_return_address(0))
							 : real.sendmmsg(fd, m, n, flags);
	for (unsigned i = sent < 0 ? 0 : (unsigned)sent; any && i < most; i++)
		pass_release(&m[i].msg_hdr);
	return sent;
}

HOOK_ALIAS(__sendmmsg, sendmmsg);
