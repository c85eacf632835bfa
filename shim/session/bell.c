#include <session/bell.h>

#include <base/sys.h>
#include <fcntl.h>
#include <sys/inotify.h>

static int watch(int bell, int file)
{
	char path[32];
	size_t len = 0;

	sys_append(path, sizeof(path), &len, "/proc/self/fd/");
	sys_append_number(path, sizeof(path), &len, (uint64_t)file);
	return (int)sys_call(SYS_inotify_add_watch, bell, path, IN_ATTRIB);
}

int bell_open(const struct session *s)
{
	int file = session_open_file(s), rc = file;
	int bell = file < 0 ? file : sys_high_fd((int)sys_call(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK));

	if (bell >= 0)
		rc = watch(bell, file);
	if (file >= 0)
		sys_close(file);
	if (bell >= 0 && rc < 0)
		sys_close(bell);
	return bell < 0 ? bell : rc < 0 ? rc : bell;
}

void bell_heard(int fd)
{
	_Alignas(struct inotify_event) char events[1024];

	while (sys_read(fd, events, sizeof(events)) > 0)
		continue;
}

void bell_ring(const struct session *s)
{
	int file = session_open_file(s);

	if (file < 0)
		return;
	sys_call(SYS_utimensat, file, NULL, NULL, 0);
	sys_close(file);
}
