#include "folder.h"

#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <session/session.h>
#include <string.h>

static const char *const folder_parent[FOLDERS] = {"/dev/shm", "/tmp"};

int folder_open(unsigned i, bool make, char *path)
{
	char buf[FOLDER_PATH_MAX];
	struct stat st;
	size_t len = 0;
	int fd, rc;

	if (!path)
		path = buf;
	sys_append(path, FOLDER_PATH_MAX, &len, folder_parent[i]);
	sys_append(path, FOLDER_PATH_MAX, &len, "/snag-");
	sys_append_number(path, FOLDER_PATH_MAX, &len, sys_geteuid());
	/* Who has just made it may set its mode: a umask can have cut it. */
	if (make && sys_call(SYS_mkdirat, AT_FDCWD, path, 0700) == 0)
		sys_call(SYS_fchmodat, AT_FDCWD, path, 0700);
	fd = sys_open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd == -ELOOP || fd == -ENOTDIR ? -EACCES : fd;
	rc = sys_fstat(fd, &st);
	if (rc == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != sys_geteuid() || (st.st_mode & 077)))
		rc = -EACCES;
	if (rc < 0) {
		sys_close(fd);
		return rc;
	}
	return fd;
}

int folder_each(int folder, void (*each)(int folder, const char *name, void *arg), void *arg)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;
	int fd = sys_openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while ((n = sys_getdents(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			struct sys_dirent *e = (struct sys_dirent *)(buf + at);

			if (strcmp(e->name, ".") && strcmp(e->name, ".."))
				each(folder, e->name, arg);
			at += e->size;
		}
	}
	sys_close(fd);
	return (int)n;
}

int session_folder(char *buf, size_t size, bool make)
{
	char path[FOLDER_PATH_MAX];
	int fd, rc = -ENOENT;

	for (unsigned i = 0; i < FOLDERS; i++) {
		fd = folder_open(i, make, path);
		if (fd < 0) {
			if (rc == -ENOENT)
				rc = fd;
			continue;
		}
		sys_close(fd);
		if (strlen(path) >= size)
			return -ENAMETOOLONG;
		memcpy(buf, path, strlen(path) + 1);
		return 0;
	}
	return rc;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

bool session_name_ok(const char *name)
{
	size_t n = 0;

	if (!name || *name == '.' || *name == '-')
		return false;
	for (; name[n]; n++)
		if (n + 1 >= SNAG_SESSION_NAME_MAX || !name_char(name[n]))
			return false;
	return n > 0;
}

static void remove_beside(int folder, const char *entry, void *arg)
{
	const char *name = arg;
	size_t n = strlen(name);
	struct stat st;

	/* Links, the socket that takes orders for its keeper, and the bell; a regular file NAME.x is another session's. */
	if (strncmp(entry, name, n) || entry[n] != '.' ||
	    sys_call(SYS_newfstatat, folder, entry, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return;
	sys_call(SYS_unlinkat, folder, entry, 0);
}

/* While it is, nobody makes another session of this name, unless somebody else removes it first. */
static bool is_file_of(int folder, const char *name, const struct session *s)
{
	struct stat st;

	return sys_call(SYS_newfstatat, folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == s->dev &&
	       st.st_ino == s->ino;
}

void session_remove(const char *name, const struct session *s)
{
	if (!session_name_ok(name))
		return;
	for (unsigned i = 0; i < FOLDERS; i++) {
		int folder = folder_open(i, false, NULL);

		if (folder < 0)
			continue;
		if (!s || is_file_of(folder, name, s)) {
			sys_call(SYS_unlinkat, folder, name, 0);
			folder_each(folder, remove_beside, (void *)name);
		}
		sys_close(folder);
	}
}
