/* unix.c - paths and abstract names, and what a front end knows of them. */
#include "unix.h"

#include <errno.h>
#include <fcntl.h>
#include <probe/named.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const paths[] = {"p", "q", "none/p", "file"};

void unix_begin(struct world *w)
{
	strcpy(w->folder, "/tmp/snag-live.XXXXXX");
	if (!mkdtemp(w->folder) || chdir(w->folder))
		perror(w->folder);
	chmod(w->folder, 0777);
	close(open("file", O_CREAT | O_WRONLY, 0644));
}

void unix_end(struct world *w)
{
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		unlink(paths[i]);
	if (chdir("/") || rmdir(w->folder))
		perror(w->folder);
}

static socklen_t choose_name(struct world *w, const struct step *p, struct sockaddr_un *un)
{
	const char *path = paths[p->a % 31 == 30 ? 3 : p->a % 31 == 29 ? 2 : p->a % 2];
	size_t len = strlen(path);

	un->sun_family = AF_UNIX;
	if (p->a % 3) {
		strcpy(un->sun_path, path);
		len += p->b % 2;	/* with its NUL, or without */
	} else {
		len = (size_t)snprintf(un->sun_path + 1, 32, "live-%u-%u", w->base, p->a % 2) + 1;
		path = un->sun_path + 1;
	}
	note(w, "%s%s", un->sun_path[0] ? "" : "@", path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static socklen_t choose(struct world *w, const struct step *p, struct sockaddr_storage *ss)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;

	switch (p->b % 47) {
	case 46:
		note(w, "no name");
		un->sun_family = AF_UNIX;
		return sizeof(un->sun_family);
	case 45:
		note(w, "too long");
		un->sun_family = AF_UNIX;
		memset(un->sun_path, 'x', 112);
		return sizeof(*un) + 1;
	case 44:
		note(w, "AF_INET");
		un->sun_family = AF_INET;
		return 16;
	default:
		return choose_name(w, p, un);
	}
}

static void ask_path(struct snag_call *c)
{
	struct stat st;
	char path[SNAG_PATH_MAX + 1] = {0};
	bool none;

	memcpy(path, c->path, c->path_len);
	none = !strncmp(path, "none/", 5);
	c->path_err = (uint16_t)(lstat(path, &st) ? errno : 0);
	c->folder_err = (uint16_t)(faccessat(AT_FDCWD, none ? "none" : ".", W_OK | X_OK, AT_EACCESS) ? errno : 0);
	c->facts |= SNAG_FACT_PATH;
}

socklen_t unix_choose(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss)
{
	socklen_t len;
	int target;

	memset(ss, 0, sizeof(*ss));
	len = choose(w, p, ss);
	addr_from_sockaddr(&c->addr, (struct sockaddr *)ss, len, c->path, &c->path_len);
	c->addr_family = ss->ss_family;
	c->addr_len = len;
	if (c->addr.family != AF_UNIX || !c->path_len)
		return len;
	if (c->path[0])
		ask_path(c);
	target = named_find(c->path, c->path_len, c->type);
	c->target = target < 0 ? 0 : (uint8_t)target;
	if (target >= 0)
		c->facts |= SNAG_FACT_TARGET;
	return len;
}

void unix_queue(struct snag_call *c, int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	if (!named_queue(cookie, &c->queue, &c->queue_max))
		c->facts |= SNAG_FACT_QUEUE;
}

/* A file that a socket has left behind, or that one still has. */
OPERATION(unlink, 4, true)
{
	const char *path = paths[p->a % 2];

	if (w->names)
		note(w, "  unlink(%s) = %s\n", path, errno_text(unlink(path) ? errno : 0));
}
