/* sink.c - where the trace goes. */
#include "sink.h"

#include "jsonl.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH (256u << 10)	/* bytes after which a batch is written even if more events wait */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

int sink_open(struct sink *s, const char *path, enum sink_format format)
{
	*s = (struct sink){ .fd = -1 };
	s->jsonl = format == SINK_JSONL || (format == SINK_AUTO && ends_in(path, ".jsonl"));
	if (strcmp(path, "-") == 0) {
		const char *no_color = getenv("NO_COLOR");
		s->fd = STDERR_FILENO;
		s->borrowed = true;
		s->colour = isatty(STDERR_FILENO) && !(no_color && no_color[0]);
		return 0;
	}
	/* O_APPEND: two sessions that were told to use one file still write whole lines. */
	s->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (s->fd < 0)
		return errno == ENXIO ? -EPIPE : -errno;	/* fifo(7): nobody reads it; a program is not to wait */
	return fcntl(s->fd, F_SETFL, O_APPEND) < 0 ? -errno : 0;
}

void sink_begin(struct sink *s)
{
	struct stat st;

	if (s->fd >= 0 && !s->borrowed && fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(s->fd, 0) < 0)
		fprintf(stderr, "snag: the trace's file keeps what was in it: %s\n", strerror(errno));
}

void sink_put(struct sink *s, const struct record *r)
{
	size_t before = s->buf.n;

	if (s->fd < 0)
		return;
	if (s->jsonl)
		jsonl_write(&s->buf, r);
	else
		text_write(&s->buf, r, s->colour);
	if (s->buf.failed) {	/* half a line is worse than none */
		s->buf.failed = false;
		s->buf.n = before;
	}
	if (s->buf.n >= BATCH)
		sink_flush(s);
}

static void give_up(struct sink *s, int err)
{
	if (!s->borrowed)
		fprintf(stderr, "snag: the trace ends here: %s\n", strerror(err));
	sink_close(s);
}

void sink_flush(struct sink *s)
{
	size_t done = 0;

	while (s->fd >= 0 && done < s->buf.n) {
		ssize_t n = write(s->fd, s->buf.p + done, s->buf.n - done);
		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {	/* a program made the shared stderr non-blocking */
			usleep(1000);
		} else if (errno != EINTR) {
			s->buf.n = 0;
			give_up(s, errno);
			return;
		}
	}
	s->buf.n = 0;
}

void sink_close(struct sink *s)
{
	sink_flush(s);
	if (s->fd >= 0 && !s->borrowed)
		close(s->fd);
	s->fd = -1;
	buf_free(&s->buf);
}

bool sink_outlives(const struct sink *s)
{
	struct stat mine, std;

	if (s->fd < 0)
		return true;
	if (s->borrowed || fstat(s->fd, &mine) < 0)
		return false;
	if (S_ISREG(mine.st_mode))
		return true;
	for (int fd = 0; fd <= 2; fd++)
		if (fstat(fd, &std) == 0 && std.st_dev == mine.st_dev && std.st_ino == mine.st_ino)
			return false;
	return true;
}
