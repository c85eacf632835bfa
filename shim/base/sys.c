/* sys.c - the few system call sequences that are longer than one call, and paths without stdio. */
#include <base/sys.h>

#include <errno.h>

#define HIGH_FD 512
#define KEPT_MARK 63	/* a real-time signal that nobody asks for */

ssize_t sys_read_file(const char *path, char *buf, size_t size)
{
	ssize_t n;
	size_t got = 0;
	int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while (got + 1 < size) {
		n = sys_read(fd, buf + got, size - 1 - got);
		if (n == -EINTR)
			continue;
		if (n < 0) {
			sys_close(fd);
			return n;
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	sys_close(fd);
	buf[got] = '\0';
	return (ssize_t)got;
}

int sys_high_fd(int fd)
{
	int high = fd < 0 || fd >= HIGH_FD ? -EBADF : (int)sys_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

int sys_keep_fd(int fd)
{
	int high = sys_high_fd(fd), r = high < 0 ? high : (int)sys_call(SYS_fcntl, high, F_SETSIG, KEPT_MARK);

	if (r < 0 && high >= 0)
		sys_close(high);
	return r < 0 ? r : high;
}

bool sys_is_kept(int fd)
{
	return sys_call(SYS_fcntl, fd, F_GETSIG) == KEPT_MARK;
}

void sys_close_kept(int fd)
{
	if (sys_is_kept(fd))
		sys_close(fd);
}

void sys_append(char *buf, size_t size, size_t *len, const char *text)
{
	while (*text && *len + 1 < size)
		buf[(*len)++] = *text++;
	if (*len < size)
		buf[*len] = '\0';
}

void sys_append_number(char *buf, size_t size, size_t *len, uint64_t n)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	sys_append(buf, size, len, digits + at);
}
