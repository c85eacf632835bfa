/* recv.c - read, readv, recv, recvfrom, recvmsg, recvmmsg */
#include "pass.h"
#include "stream.h"

static SLOW ssize_t recv_from(unsigned id, int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len,
			 const void *caller)
{
	struct stream s;
	ssize_t r;
	if (!stream_enter_from(&s, id, fd, n, flags, caller))
		return id == SNAG_CALL_read ? real.read(fd, buf, n) : real.recvfrom(fd, buf, n, flags, sa, len);
	if (stream_go(&s))
		do
			r = id == SNAG_CALL_read ? real.read(fd, buf, s.most)
						 : real.recvfrom(fd, buf, s.most, flags, sa, len);
		while (stream_again(&s, r, r));
	return stream_leave(&s);
}

HOOK ssize_t read(int fd, void *buf, size_t n)
{
	if (likely(!stream_asked(STREAM_RECV)))
		return real.read(fd, buf, n);
	return recv_from(SNAG_CALL_read, fd, buf, n, 0, NULL, NULL, __builtin_return_address(0));
}

HOOK_ALIAS(__read, read);

HOOK ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	if (likely(!stream_asked(STREAM_RECV)))
		return real.recv(fd, buf, n, flags);
	return recv_from(SNAG_CALL_recv, fd, buf, n, flags, NULL, NULL, __builtin_return_address(0));
}

HOOK_ALIAS(__recv, recv);

HOOK ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len)
{
	if (likely(!stream_asked(STREAM_RECV)))
		return real.recvfrom(fd, buf, n, flags, sa, len);
	return recv_from(SNAG_CALL_recvfrom, fd, buf, n, flags, sa, len, __builtin_return_address(0));
}

/* The fortified ones: the C library ends a program that asks for more than its buffer holds. */
HOOK ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
ssize_t __read_chk(int fd, void *buf, size_t n, size_t size)
{
	if (likely(!stream_asked(STREAM_RECV)) || n > size) {
		real_need();
		return real.read_chk ? real.read_chk(fd, buf, n, size) : real.read(fd, buf, n);
	}
	return recv_from(SNAG_CALL_read, fd, buf, n, 0, NULL, NULL, __builtin_return_address(0));
}

HOOK ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
	if (likely(!stream_asked(STREAM_RECV)) || n > size) {
		real_need();
		return real.recv_chk ? real.recv_chk(fd, buf, n, size, flags) : real.recv(fd, buf, n, flags);
	}
	return recv_from(SNAG_CALL_recv, fd, buf, n, flags, NULL, NULL, __builtin_return_address(0));
}

HOOK ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *sa, socklen_t *len);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *sa, socklen_t *len)
{
	if (likely(!stream_asked(STREAM_RECV)) || n > size) {
		real_need();
		return real.recvfrom_chk ? real.recvfrom_chk(fd, buf, n, size, flags, sa, len)
					 : real.recvfrom(fd, buf, n, flags, sa, len);
	}
	return recv_from(SNAG_CALL_recvfrom, fd, buf, n, flags, sa, len, __builtin_return_address(0));
}

static SLOW ssize_t readv_watched(int fd, const struct iovec *iov, int n, const void *caller)
{
	struct iovec cut[STREAM_BUFFERS];
	struct stream s;
	size_t want;
	ssize_t r;
	if (n < 0 || !stream_sum(iov, (size_t)n, &want) ||
	    !stream_enter_from(&s, SNAG_CALL_readv, fd, want, 0, caller))
		return real.readv(fd, iov, n);
	if (stream_go(&s)) {
		bool whole = s.most == want;
		int k = whole ? n : stream_cut(cut, iov, (size_t)n, s.most);
		do
			r = real.readv(fd, whole ? iov : cut, k);
		while (stream_again(&s, r, r));
	}
	return stream_leave(&s);
}

HOOK ssize_t readv(int fd, const struct iovec *iov, int n)
{
	if (likely(!stream_asked(STREAM_RECV)))
		return real.readv(fd, iov, n);
	return readv_watched(fd, iov, n, __builtin_return_address(0));
}

/* Into `m` what fits in s->most bytes; control messages and the sender's address come whole. */
static ssize_t recv_message(const struct stream *s, int fd, struct msghdr *m, int flags)
{
	struct iovec cut[STREAM_BUFFERS];
	struct msghdr part = *m;
	if (s->most >= s->want)
		return real.recvmsg(fd, m, flags);
	part.msg_iovlen = (size_t)stream_cut(cut, m->msg_iov, m->msg_iovlen, s->most);
	part.msg_iov = cut;
	ssize_t r = real.recvmsg(fd, &part, flags);
	if (r < 0)
		return r;
	m->msg_namelen = part.msg_namelen;
	m->msg_controllen = part.msg_controllen;
	m->msg_flags = part.msg_flags;
	return r;
}

static SLOW ssize_t recv_watched(int fd, struct msghdr *m, int flags, const void *caller)
{
	struct stream s;
	size_t want;
	ssize_t r;
	if (!hook_readable(m, sizeof(*m)) || !stream_sum(m->msg_iov, m->msg_iovlen, &want) ||
	    !stream_enter_from(&s, SNAG_CALL_recvmsg, fd, want, flags, caller))
		return real.recvmsg(fd, m, flags);
	if (stream_go(&s))
		do
			r = recv_message(&s, fd, m, flags);
		while (stream_again(&s, r, r));
	return stream_leave(&s);
}

HOOK ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = unlikely(stream_asked(STREAM_RECV)) ? recv_watched(fd, m, flags, __builtin_return_address(0))
							: real.recvmsg(fd, m, flags);
	if (n >= 0 && unlikely(m->msg_controllen))
		pass_receive(m, flags);
	return n;
}

/* ---- many messages ---- */

static bool sum_messages(const struct mmsghdr *m, unsigned n, size_t *sum)
{
	size_t one;
	*sum = 0;
	if (n > PASS_MESSAGES_MAX || !hook_readable(m, n * sizeof(*m)))
		return false;
	for (unsigned i = 0; i < n; i++, *sum += one)
		if (!stream_sum(m[i].msg_hdr.msg_iov, m[i].msg_hdr.msg_iovlen, &one))
			return false;
	return true;
}

/* A bound on the bytes lets one message come, cut: what would have been the next ones is left where it is. */
static int recv_messages(struct stream *s, int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	if (s->most >= s->want)
		return real.recvmmsg(fd, m, n, flags, timeout);
	stream_sum(m->msg_hdr.msg_iov, m->msg_hdr.msg_iovlen, &s->want);
	ssize_t r = recv_message(s, fd, &m->msg_hdr, flags & ~MSG_WAITFORONE);
	if (r < 0)
		return -1;
	m->msg_len = (unsigned)r;
	return 1;
}

static SLOW int recv_many(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout,
			  const void *caller)
{
	struct stream s;
	size_t want, bytes;
	int got;
	if (!n || !sum_messages(m, n, &want) || !stream_enter_from(&s, SNAG_CALL_recvmmsg, fd, want, flags, caller))
		return real.recvmmsg(fd, m, n, flags, timeout);
	if (stream_go(&s))
		do {
			got = recv_messages(&s, fd, m, n, flags, timeout);
			bytes = 0;
			for (int i = 0; i < got; i++)
				bytes += m[i].msg_len;
		} while (stream_again(&s, got, (ssize_t)bytes));
	return (int)stream_leave(&s);
}

HOOK int recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	int got = unlikely(stream_asked(STREAM_RECV))
			  ? recv_many(fd, m, n, flags, timeout, __builtin_return_address(0))
			  : real.recvmmsg(fd, m, n, flags, timeout);
	for (int i = 0; i < got; i++)
		if (unlikely(m[i].msg_hdr.msg_controllen))
			pass_receive(&m[i].msg_hdr, flags);
	return got;
}
