/* owner.c - which process has a socket */
#include "owner.h"

#include <base/sys.h>
#include <fcntl.h>
#include <string.h>

#define NO_NUMBER UINT32_MAX

/* Decimal digits up to `end` or a NUL; NO_NUMBER: something else. */
static uint32_t number(const char *text, const char *end)
{
	uint64_t n = 0;
	const char *p = text;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if ((n = n * 10 + (uint64_t)(*p - '0')) >= NO_NUMBER)
			return NO_NUMBER;
	return p == text || (p < end && *p) ? NO_NUMBER : (uint32_t)n;
}

uint32_t owner_inode(const char *link, size_t len)
{
	static const char head[] = "socket:[";
	size_t n = sizeof(head) - 1;
	uint32_t inode;

	if (len < n + 2 || memcmp(link, head, n) != 0 || link[len - 1] != ']')
		return 0;
	inode = number(link + n, link + len - 1);
	return inode == NO_NUMBER ? 0 : inode;
}

static void path_of(char *buf, size_t size, uint32_t pid, const char *rest)
{
	size_t len = 0;

	sys_append(buf, size, &len, "/proc/");
	sys_append_number(buf, size, &len, pid);
	sys_append(buf, size, &len, rest);
}

/* Calls back with each entry of a folder whose name is a number, until it says false. */
typedef bool each_number_fn(void *arg, int dir, uint32_t n);

static void each_number(const char *path, each_number_fn *each, void *arg)
{
	_Alignas(8) char buf[1024];
	int dir = sys_high_fd(sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
	bool more = dir >= 0;

	for (ssize_t n; more && (n = sys_getdents(dir, buf, sizeof(buf))) > 0;) {
		for (ssize_t at = 0; more && at < n;) {
			const struct sys_dirent *d = (const struct sys_dirent *)(buf + at);
			uint32_t value = number(d->name, buf + n);
			if (value != NO_NUMBER)
				more = each(arg, dir, value);
			at += d->size;
		}
	}
	if (dir >= 0)
		sys_close(dir);
}

static uint32_t inode_at(int dir, uint32_t fd)
{
	char name[16], link[32];
	size_t len = 0;

	sys_append_number(name, sizeof(name), &len, fd);
	long n = sys_call(SYS_readlinkat, dir, name, link, sizeof(link));
	return n > 0 && (size_t)n < sizeof(link) ? owner_inode(link, (size_t)n) : 0;
}

struct walk {
	owner_each_fn *each;
	void *arg;
	uint32_t pid;
	bool more;
};

static bool each_fd(void *arg, int dir, uint32_t fd)
{
	struct walk *w = arg;
	uint32_t inode = inode_at(dir, fd);

	if (inode)
		w->more = w->each(w->arg, w->pid, (int)fd, inode);
	return w->more;
}

static bool each_process(void *arg, int dir, uint32_t pid)
{
	struct walk *w = arg;
	char path[32];

	(void)dir;
	w->pid = pid;
	path_of(path, sizeof(path), pid, "/fd");
	each_number(path, each_fd, w);
	return w->more;
}

void owner_each(owner_each_fn *each, void *arg)
{
	struct walk w = { .each = each, .arg = arg, .more = true };

	each_number("/proc", each_process, &w);
}

struct search {
	uint32_t inode;
	struct owner *owner;
	uint32_t last;		/* the process that was counted last */
};

static bool look(void *arg, uint32_t pid, int fd, uint32_t inode)
{
	struct search *s = arg;

	if (inode != s->inode || pid == s->last)
		return true;
	if (!s->owner->pid) {
		s->owner->pid = pid;
		s->owner->fd = fd;
	} else {
		s->owner->others++;
	}
	s->last = pid;
	return true;
}

void owner_name(struct owner *o)
{
	char path[32], link[512];
	ssize_t n;

	path_of(path, sizeof(path), o->pid, "/comm");
	n = sys_read_file(path, o->comm, sizeof(o->comm));
	if (n > 0 && o->comm[n - 1] == '\n')
		o->comm[n - 1] = 0;
	else if (n <= 0)
		o->comm[0] = 0;
	path_of(path, sizeof(path), o->pid, "/exe");
	n = sys_readlink(path, link, sizeof(link));
	size_t len = n > 0 ? (size_t)n : 0, cut = len < sizeof(o->exe) ? 0 : len - sizeof(o->exe) + 1;
	memcpy(o->exe, link + cut, len - cut);
	o->exe[len - cut] = 0;
}

bool owner_find(uint32_t inode, struct owner *o)
{
	struct search s = { .inode = inode, .owner = o };

	memset(o, 0, sizeof(*o));
	o->fd = -1;
	if (!inode)
		return false;
	owner_each(look, &s);
	if (!o->pid)
		return false;
	owner_name(o);
	return true;
}

uint32_t owner_socket(uint32_t pid, int fd)
{
	char path[48], link[32];
	size_t len;

	if (fd < 0)
		return 0;
	path_of(path, sizeof(path), pid, "/fd/");
	len = strlen(path);
	sys_append_number(path, sizeof(path), &len, (uint64_t)fd);
	ssize_t n = sys_readlink(path, link, sizeof(link));
	return n > 0 && (size_t)n < sizeof(link) ? owner_inode(link, (size_t)n) : 0;
}

int owner_borrow(uint32_t pid, int fd)
{
	int by = sys_high_fd((int)sys_call(SYS_pidfd_open, pid, 0));
	if (by < 0)
		return by;
	int copy = sys_high_fd((int)sys_call(SYS_pidfd_getfd, by, fd, 0));
	sys_close(by);
	return copy;
}
