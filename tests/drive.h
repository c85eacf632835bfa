/* drive.h - drives the model as a front end would: one call at a time, predict, then learn what "the kernel" said.
 * Sockets are small numbers; slot + 1 and serial are both that number. */
#ifndef TESTS_DRIVE_H
#define TESTS_DRIVE_H

#include <base/addr.h>
#include <model/model.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct drive {
	struct model *m;
	const struct model_machine *machine;
	uint64_t now_ns;
	uint32_t uid;
	uint8_t proto[SNAG_SOCKS / 64];
	uint16_t domain[SNAG_SOCKS / 64];
};

static inline struct drive *drive_begin(void)
{
	struct drive *d = calloc(1, sizeof(*d));

	d->m = calloc(1, sizeof(*d->m));
	d->now_ns = 1000000000;
	return d;
}

static inline void drive_end(struct drive *d)
{
	free(d->m);
	free(d);
}

static inline struct snag_addr drive_addr(const char *text, unsigned port)
{
	struct snag_addr a = {0};
	unsigned prefix;

	if (text && !addr_parse(&a, &prefix, text, strlen(text)))
		abort();
	a.port = (uint16_t)port;
	return a;
}

static inline struct snag_call drive_call(const struct drive *d, unsigned call, uint32_t sock)
{
	struct snag_call c = {.call = (uint16_t)call, .fd = (int)sock, .sock = sock, .serial = sock,
		.start_ns = d->now_ns};

	c.proto = d->proto[sock];
	c.domain = (uint8_t)d->domain[sock];
	c.who.uid = d->uid;
	return c;
}

static inline struct snag_outcome drive_outcome(const struct drive *d, int err)
{
	return (struct snag_outcome){
		.seen = SNAG_SEEN, .err = err, .real_err = err, .ret = err ? -1 : 0, .new_fd = -1, .end_ns = d->now_ns,
	};
}

static inline struct model_verdict drive_predict(const struct drive *d, const struct snag_call *c)
{
	struct model_verdict v;

	model_predict(d->m, d->machine, c, d->now_ns, &v);
	return v;
}

static inline void drive_learn(struct drive *d, const struct snag_call *c, const struct snag_outcome *o)
{
	d->now_ns += 1000;
	model_learn(d->m, d->machine, c, o, d->now_ns);
}

static inline void drive_socket(struct drive *d, uint32_t sock, unsigned proto, unsigned domain, unsigned type)
{
	struct snag_call c;
	struct snag_outcome o = drive_outcome(d, 0);

	d->proto[sock] = (uint8_t)proto;
	d->domain[sock] = (uint16_t)domain;
	c = drive_call(d, SNAG_CALL_socket, sock);
	c.sock = c.serial = 0;
	c.arg[0] = (int)domain;
	c.arg[1] = (int)type | SOCK_CLOEXEC;
	o.new_sock = o.new_serial = sock;
	drive_learn(d, &c, &o);
}

static inline void drive_option(struct drive *d, uint32_t sock, int level, int name, int value)
{
	struct snag_call c = drive_call(d, SNAG_CALL_setsockopt, sock);
	struct snag_outcome o = drive_outcome(d, 0);

	c.arg[0] = level;
	c.arg[1] = name;
	c.arg[2] = value;
	drive_learn(d, &c, &o);
}

static inline struct snag_call drive_bind_call(const struct drive *d, uint32_t sock, struct snag_addr a)
{
	struct snag_call c = drive_call(d, SNAG_CALL_bind, sock);

	c.addr = a;
	return c;
}

static inline struct snag_call drive_path_call(const struct drive *d, unsigned call, uint32_t sock, const char *path,
					       uint16_t len)
{
	struct snag_call c = drive_call(d, call, sock);
	struct {
		sa_family_t family;
		char path[SNAG_PATH_MAX];
	} un = {.family = AF_UNIX};

	memcpy(un.path, path, len);
	addr_from_sockaddr(&c.addr, (struct sockaddr *)&un, (socklen_t)(sizeof(un.family) + len), c.path, &c.path_len);
	return c;
}

static inline void drive_close(struct drive *d, uint32_t sock)
{
	struct snag_call c = drive_call(d, SNAG_CALL_close, sock);
	struct snag_outcome o = drive_outcome(d, 0);

	o.last = 1;
	drive_learn(d, &c, &o);
}

#endif
