/* named.h - unix sockets as the kernel lists them: sock_diag(7) for AF_UNIX. The same promises as diag.h. */
#ifndef PROBE_NAMED_H
#define PROBE_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct named_sock {
	uint64_t cookie;
	uint32_t inode;
	uint8_t state;		/* TCP_LISTEN: it listens */
	uint8_t type;		/* SOCK_STREAM, ... */
	bool has_file;
	uint8_t shut;		/* RCV_SHUTDOWN (1): it lets nobody in any more; SEND_SHUTDOWN (2) */
	uint32_t file_inode, file_dev;	/* of the path that it is bound to, see named_dev */
	uint32_t queue_len, queue_limit;	/* listeners: what waits to be accepted, and the limit */
	const char *name;	/* as bound: an abstract one begins with a NUL; valid in the callback only */
	size_t name_len;
};

typedef bool named_each_fn(void *arg, const struct named_sock *s);	/* false: enough */

/* Calls back with each unix socket of this network namespace that listens, or also with all others. 0 or -errno. */
int named_dump(bool all, named_each_fn *each, void *arg);
/* The messages of one datagram from the kernel, len bytes at buf. As diag_parse. */
int named_parse(const void *buf, size_t len, named_each_fn *each, void *arg);
/* What waits in the accept queue of the listener with this cookie, and its limit. 0 or -errno. */
int named_queue(uint64_t cookie, int32_t *len, int32_t *limit);
/* Whom does a connect to this path or abstract name find, from a socket of this type? enum snag_target, or -errno. */
int named_find(const char *path, uint16_t len, int type);
/* How the kernel names the device of a file here. */
uint32_t named_dev(const struct stat *st);

#endif
