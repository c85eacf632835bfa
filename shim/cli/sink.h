/* sink.h - where the trace goes: a file or stderr, as text or JSONL. Written in batches of whole lines by one write, so
 * that a line on a shared stderr is never torn. */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "buf.h"
#include "record.h"

enum sink_format { SINK_AUTO, SINK_TEXT, SINK_JSONL };

struct sink {
	int fd;			/* -1: none: records are dropped */
	bool jsonl, colour;
	bool borrowed;		/* stderr: not ours to close */
	struct buf buf;
};

/* path "-" is stderr; AUTO: JSONL where the path ends in .jsonl. What is in a file stays there until
 * sink_begin. 0 or -errno; -EPIPE: a FIFO that nobody reads. */
int sink_open(struct sink *s, const char *path, enum sink_format format);
/* There is going to be a trace: empties the file. */
void sink_begin(struct sink *s);
void sink_put(struct sink *s, const struct record *r);
/* A sink that cannot be written any more (full disk) says so once on stderr and is closed. */
void sink_flush(struct sink *s);
void sink_close(struct sink *s);

/* May it outlive the command that started it? Not if it is stderr, or the same pipe or terminal as stdin, stdout or
 * stderr: whoever reads that waits for its end. */
bool sink_outlives(const struct sink *s);

#endif
