/* named.c - unix sockets as the kernel lists them. The forms of question and answer: linux/unix_diag.h. */
#include "named.h"
#include "netlink.h"

#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <snag/call.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct question {
	struct nlmsghdr h;
	struct unix_diag_req r;
};

uint32_t named_dev(const struct stat *st)
{
	return (uint32_t)(major(st->st_dev) << 20 | minor(st->st_dev));	/* MKDEV() (include/linux/kdev_t.h) */
}

static void read_attribute(void *arg, unsigned type, const char *value, size_t len)
{
	struct named_sock *s = arg;
	uint32_t pair[2] = { 0, 0 };

	if (len >= sizeof(pair))
		memcpy(pair, value, sizeof(pair));
	if (type == UNIX_DIAG_NAME) {
		s->name = value;
		s->name_len = len;
	} else if (type == UNIX_DIAG_VFS && len >= sizeof(pair)) {
		s->has_file = true;
		s->file_inode = pair[0];
		s->file_dev = pair[1];
	} else if (type == UNIX_DIAG_SHUTDOWN && len >= 1) {
		s->shut = (uint8_t)value[0];
	} else if (type == UNIX_DIAG_RQLEN && len >= sizeof(pair)) {
		s->queue_len = pair[0];
		s->queue_limit = pair[1];
	}
}

struct reader {
	named_each_fn *each;
	void *arg;
};

static int read_message(void *arg, const char *body, size_t len)
{
	const struct reader *r = arg;
	struct unix_diag_msg m;

	if (len < NLMSG_ALIGN(sizeof(m)))
		return -EPROTO;
	memcpy(&m, body, sizeof(m));
	struct named_sock s = {
		.cookie = (uint64_t)m.udiag_cookie[1] << 32 | m.udiag_cookie[0],
		.inode = m.udiag_ino,
		.state = m.udiag_state,
		.type = m.udiag_type,
	};
	netlink_attributes(body + NLMSG_ALIGN(sizeof(m)), len - NLMSG_ALIGN(sizeof(m)), read_attribute, &s);
	return r->each(r->arg, &s);
}

int named_parse(const void *buf, size_t len, named_each_fn *each, void *arg)
{
	struct reader r = { each, arg };

	return netlink_parse(buf, len, SOCK_DIAG_BY_FAMILY, read_message, &r);
}

int named_dump(bool all, named_each_fn *each, void *arg)
{
	const struct question q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = AF_UNIX, .udiag_states = all ? 0xffffffffu : 1u << TCP_LISTEN,
		       .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN },
	};
	struct reader r = { each, arg };

	return netlink_ask(NETLINK_SOCK_DIAG, &q, sizeof(q), SOCK_DIAG_BY_FAMILY, read_message, &r);
}

struct queue_search {
	uint64_t cookie;
	int32_t *len, *limit;
	bool found;
};

static bool is_queue(void *arg, const struct named_sock *s)
{
	struct queue_search *q = arg;

	q->found = s->cookie == q->cookie;
	if (q->found) {
		*q->len = (int32_t)s->queue_len;
		*q->limit = (int32_t)s->queue_limit;
	}
	return !q->found;
}

int named_queue(uint64_t cookie, int32_t *len, int32_t *limit)
{
	struct queue_search q = { .cookie = cookie, .len = len, .limit = limit };
	int err = named_dump(false, is_queue, &q);

	return err ? err : q.found ? 0 : -ENOENT;
}

struct target_search {
	const char *path;
	uint16_t len;
	int type;
	struct stat st;
	uint8_t answer;		/* enum snag_target */
};

/* unix_stream_connect(), unix_dgram_connect() (net/unix/af_unix.c). */
static uint8_t target_of(const struct named_sock *s, int type)
{
	if (s->type != type)
		return s->type != SOCK_DGRAM && s->state == TCP_ESTABLISHED ? SNAG_TARGET_UNSURE : SNAG_TARGET_OTHER;
	if (type == SOCK_DGRAM)
		return SNAG_TARGET_ROOM;
	if (s->state != TCP_LISTEN || (s->shut & 1))
		return SNAG_TARGET_NOBODY;	/* or one that it has accepted */
	return s->queue_len > s->queue_limit ? SNAG_TARGET_FULL : SNAG_TARGET_ROOM;
}

/* A path leads to its file; each type of socket has abstract names of its own: unix_find_other(), unix_abstract_hash(). */
static bool is_target(void *arg, const struct named_sock *s)
{
	struct target_search *t = arg;
	bool here = t->path[0] ? s->has_file && s->file_inode == (uint32_t)t->st.st_ino && s->file_dev == named_dev(&t->st)
			       : s->type == t->type && s->name_len == t->len && !memcmp(s->name, t->path, t->len);

	if (here)
		t->answer = target_of(s, t->type);
	return t->answer == SNAG_TARGET_NOBODY || t->answer == SNAG_TARGET_UNSURE;
}

int named_find(const char *path, uint16_t len, int type)
{
	char file[SNAG_PATH_MAX + 1] = { 0 };
	struct target_search t = { .path = path, .len = len, .type = type, .answer = SNAG_TARGET_NOBODY };
	int err;

	if (!len || len > SNAG_PATH_MAX)
		return -EINVAL;
	memcpy(file, path, len);
	if (file[0] && sys_stat(file, &t.st) < 0)
		return SNAG_TARGET_NOBODY;
	if (file[0] && sys_call(SYS_faccessat2, AT_FDCWD, file, W_OK, AT_EACCESS) == -EACCES)
		return SNAG_TARGET_DENIED;
	err = named_dump(file[0] || type == SOCK_DGRAM, is_target, &t);
	return err ? err : t.answer;
}
