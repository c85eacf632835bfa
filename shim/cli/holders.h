/* holders.h - the sockets that stand on a port of this machine, whoever made them: what the kernel tells of each, whose
 * it is, and its options where we may look. */
#ifndef CLI_HOLDERS_H
#define CLI_HOLDERS_H

#include "record.h"

#include <base/addr.h>
#include <model/bind.h>
#include <probe/diag.h>
#include <probe/owner.h>

struct holder {
	struct diag_sock sock;
	struct owner owner;	/* pid 0: hidden from us, or nobody's */
	uint32_t last_pid;	/* the process that was counted last */
	uint8_t options, hidden;	/* enum snag_option bits: set; not known */
	enum bind_answer answer;	/* for whoever asks who is in the way */
};

struct holders {
	struct holder *at;
	size_t n, size;
};

/* All sockets of the protocol (enum snag_proto TCP or UDP) with this local port, 0: all. 0 or -errno. */
int holders_find(struct holders *l, uint8_t proto, uint16_t port, uint32_t states);
void holders_free(struct holders *l);
/* The socket with this inode, NULL: not there. */
const struct holder *holders_by_inode(const struct holders *l, uint32_t inode);

/* As the bind rule sees it. */
struct bind_claim holder_claim(const struct holder *h);
/* As the trace tells it; its texts stand in h, and its address in `space`. */
void holder_record(const struct holder *h, struct record_holder *r, char space[ADDR_TEXT_MAX]);
/* enum snag_state. */
unsigned holder_state(const struct holder *h);

#endif
