/* netlink.h - a question to the kernel over netlink, and what it answers. The kernel answers within the calls themselves,
 * so nothing is waited for. Nothing is allocated but a mapping for the moment, and no descriptor is left. */
#ifndef PROBE_NETLINK_H
#define PROBE_NETLINK_H

#include <stddef.h>

/* One message: `len` bytes behind its header. 1: go on, 0: enough, -errno: stop with it. */
typedef int netlink_message_fn(void *arg, const char *body, size_t len);

/* Sends the question to the netlink family `protocol` (NETLINK_*) and hands over the messages of this type. 0: the answer
 * is complete, or `each` had enough; -errno. */
int netlink_ask(int protocol, const void *question, size_t size, unsigned type, netlink_message_fn *each, void *arg);

/* The messages of one datagram, len bytes at buf; believes nothing of them. 1: go on with the next one, 0: the answer is
 * complete or `each` had enough, -errno: the kernel's refusal, or -EPROTO: no such messages. */
int netlink_parse(const void *buf, size_t len, unsigned type, netlink_message_fn *each, void *arg);

/* The attributes in `left` bytes; the value has `len` bytes, aligned to 4. */
typedef void netlink_attribute_fn(void *arg, unsigned type, const char *value, size_t len);
void netlink_attributes(const char *at, size_t left, netlink_attribute_fn *each, void *arg);

#endif
