/* addr.h - socket addresses: to and from the kernel's form and text. The two functions that convert byte order. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <snag/addr.h>
#include <snag/call.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* From what a program passed, reading at most len bytes of it. AF_UNIX: path and length into path/path_len (both may be
 * NULL), a hash of it into ip[]. An address too short for its family gives family AF_UNSPEC and false. */
bool addr_from_sockaddr(struct snag_addr *a, const struct sockaddr *sa, socklen_t len, char *path, uint16_t *path_len);
/* The same of AF_UNSPEC, which AF_INET sockets take in bind: what follows is read as an IPv4 address. */
bool addr_from_unspec(struct snag_addr *a, const struct sockaddr *sa, socklen_t len);
/* Back (IPv4 and IPv6 only); returns the length, 0 for other families. */
socklen_t addr_to_sockaddr(const struct snag_addr *a, struct sockaddr_storage *ss);

#define ADDR_TEXT_MAX 80
/* "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80", "" for none. Returns the length. No stdio. */
size_t addr_text(const struct snag_addr *a, char buf[ADDR_TEXT_MAX]);
/* "10.0.0.0/8", "::1", "0.0.0.0" -> address without port, prefix bits (32 or 128 when there is no slash). */
bool addr_parse(struct snag_addr *a, unsigned *prefix, const char *text, size_t len);

bool addr_is_any(const struct snag_addr *a);		/* 0.0.0.0, ::, ::ffff:0.0.0.0 */
bool addr_is_loopback(const struct snag_addr *a);	/* 127/8, ::1, ::ffff:127/104 */
bool addr_is_mapped(const struct snag_addr *a);		/* ::ffff:0:0/96 */
bool addr_equal_ip(const struct snag_addr *a, const struct snag_addr *b);	/* v4-mapped equals its IPv4 */
bool addr_in_net(const struct snag_addr *a, const struct snag_addr *net, unsigned prefix);

#endif
