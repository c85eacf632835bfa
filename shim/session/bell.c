#include <session/bell.h>

#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <session/folder.h>
#include <string.h>
#include <sys/stat.h>

/* NAME.bell; in the folder in which NAME stands. */
static int open_in(int folder, const char *name, int flags)
{
	char bell[SNAG_SESSION_NAME_MAX + 8];
	size_t len = 0;
	struct stat st;

	if (sys_call(SYS_newfstatat, folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	sys_append(bell, sizeof(bell), &len, name);
	sys_append(bell, sizeof(bell), &len, ".bell");
	if (flags == O_RDONLY)
		sys_call(SYS_mknodat, folder, bell, S_IFIFO | 0600, 0);
	int fd = sys_openat(folder, bell, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0 || (sys_fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)))
		return fd;
	sys_close(fd);
	return -EACCES;
}

static int open_bell(const struct session *s, int flags)
{
	char name[SNAG_SESSION_NAME_MAX];
	int fd = -ENOENT;

	memcpy(name, s->header->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < FOLDERS && fd < 0 && session_name_ok(name); i++) {
		int folder = folder_open(i, false, NULL);

		if (folder < 0)
			continue;
		fd = open_in(folder, name, flags);
		sys_close(folder);
	}
	return fd;
}

int bell_open(const struct session *s)
{
	return sys_keep_fd(open_bell(s, O_RDONLY));
}

void bell_ring(const struct session *s)
{
	int fd = open_bell(s, O_WRONLY);

	if (fd >= 0)
		sys_close(fd);
}
