/* addr.c - socket addresses. Text form of IPv6: RFC 5952. */
#include "addr.h"
#include "hash.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool from_unix(struct snag_addr *a, const struct sockaddr *sa, socklen_t len, char *path, uint16_t *path_len)
{
	const char *name = (const char *)sa + offsetof(struct sockaddr_un, sun_path);
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	if (n > SNAG_PATH_MAX)
		n = SNAG_PATH_MAX;
	if (n && name[0])	/* unix(7): a path ends at its NUL, an abstract name at the length given */
		n = strnlen(name, n);
	a->family = AF_UNIX;
	if (n) {
		uint64_t h = hash_bytes(name, n);
		memcpy(a->ip, &h, sizeof(h));
	}
	if (path)
		memcpy(path, name, n);
	if (path_len)
		*path_len = (uint16_t)n;
	return true;
}

static void from_inet(struct snag_addr *a, const struct sockaddr *sa)
{
	struct sockaddr_in in;

	memcpy(&in, sa, sizeof(in));
	a->family = AF_INET;
	a->port = ntohs(in.sin_port);
	memcpy(a->ip, &in.sin_addr, 4);
}

bool addr_from_unspec(struct snag_addr *a, const struct sockaddr *sa, socklen_t len)
{
	*a = (struct snag_addr){0};
	if (len < sizeof(struct sockaddr_in) || len > sizeof(struct sockaddr_storage))
		return false;
	from_inet(a, sa);
	return true;
}

bool addr_from_sockaddr(struct snag_addr *a, const struct sockaddr *sa, socklen_t len, char *path, uint16_t *path_len)
{
	sa_family_t family;

	*a = (struct snag_addr){0};
	if (path_len)
		*path_len = 0;
	if (!sa || len < sizeof(family) || len > INT32_MAX)
		return false;
	memcpy(&family, sa, sizeof(family));
	if (family == AF_UNSPEC)
		return true;
	if (family == AF_UNIX)
		return from_unix(a, sa, len, path, path_len);
	if (family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		from_inet(a, sa);
		return true;
	}
	/* the kernel takes 24 bytes too (SIN6_LEN_RFC2133): the scope is then 0 */
	if (family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		struct sockaddr_in6 in = {0};
		memcpy(&in, sa, len < sizeof(in) ? len : sizeof(in));
		a->family = AF_INET6;
		a->port = ntohs(in.sin6_port);
		a->scope = in.sin6_scope_id;
		memcpy(a->ip, &in.sin6_addr, 16);
		return true;
	}
	return false;
}

socklen_t addr_to_sockaddr(const struct snag_addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == AF_INET) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ss, &in, sizeof(in));
		return sizeof(in);
	}
	if (a->family == AF_INET6) {
		struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
		in.sin6_scope_id = a->scope;
		memcpy(&in.sin6_addr, a->ip, 16);
		memcpy(ss, &in, sizeof(in));
		return sizeof(in);
	}
	return 0;
}

/* ---- to text ---- */

static char *put_number(char *p, uint32_t n, uint32_t base)
{
	char digits[10];
	int i = 0;

	do
		digits[i++] = "0123456789abcdef"[n % base];
	while (n /= base);
	while (i)
		*p++ = digits[--i];
	return p;
}

static char *put_ip4(char *p, const uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_number(p, ip[i], 10);
	}
	return p;
}

static char *put_ip6(char *p, const uint8_t *ip)
{
	int zero = -1, zeroes = 1;	/* the longest run of two or more zero groups */

	if (!memcmp(ip, mapped_prefix, 12)) {
		memcpy(p, "::ffff:", 7);
		return put_ip4(p + 7, ip + 12);
	}
	for (int i = 0; i < 8; i++) {
		int n = 0;
		while (i + n < 8 && !ip[2 * (i + n)] && !ip[2 * (i + n) + 1])
			n++;
		if (n > zeroes) {
			zero = i;
			zeroes = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == zero) {
			*p++ = ':';
			i += zeroes - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		p = put_number(p, (uint32_t)ip[2 * i] << 8 | ip[2 * i + 1], 16);
	}
	return p;
}

size_t addr_text(const struct snag_addr *a, char buf[ADDR_TEXT_MAX])
{
	char *p = buf;

	if (a->family == AF_INET) {
		p = put_ip4(p, a->ip);
	} else if (a->family == AF_INET6) {
		*p++ = '[';
		p = put_ip6(p, a->ip);
		if (a->scope) {
			*p++ = '%';
			p = put_number(p, a->scope, 10);
		}
		*p++ = ']';
	}
	if (p != buf) {
		*p++ = ':';
		p = put_number(p, a->port, 10);
	}
	*p = '\0';
	return (size_t)(p - buf);
}

/* ---- from text ---- */

/* A number of `base` at *p, before end, at most max, without leading zeroes in base 10. */
static bool get_number(const char **p, const char *end, unsigned base, uint32_t max, uint32_t *out)
{
	const char *start = *p;
	uint64_t n = 0;

	for (; *p < end; (*p)++) {
		char c = **p;
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
			   : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
			   : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
						  : 16;
		if (d >= base)
			break;
		n = n * base + d;
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return *p > start && !(base == 10 && *p - start > 1 && *start == '0');
}

static bool get_ip4(const char **p, const char *end, uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		uint32_t n;
		if (i && (*p >= end || *(*p)++ != '.'))
			return false;
		if (!get_number(p, end, 10, 255, &n))
			return false;
		ip[i] = (uint8_t)n;
	}
	return true;
}

static bool get_ip6(const char **p, const char *end, uint8_t *ip)
{
	int n = 0, gap = -1;	/* groups so far; where `::` stands */

	if (end - *p >= 2 && (*p)[0] == ':' && (*p)[1] == ':') {
		gap = 0;
		*p += 2;
	}
	while (*p < end && n < 8) {
		const char *group = *p;
		uint32_t v;

		if (!get_number(p, end, 16, 0xffff, &v)) {
			if (gap == n && group == *p)
				break;	/* `::` was the last */
			return false;
		}
		if (*p - group > 4)
			return false;
		if (*p < end && **p == '.' && n <= 6) {
			*p = group;
			if (!get_ip4(p, end, ip + 2 * n))
				return false;
			n += 2;
			break;
		}
		ip[2 * n] = (uint8_t)(v >> 8);
		ip[2 * n + 1] = (uint8_t)v;
		n++;
		if (*p >= end || **p != ':')
			break;
		if (end - *p >= 2 && (*p)[1] == ':') {
			if (gap >= 0)
				return false;
			gap = n;
			*p += 2;
		} else if (n < 8) {
			(*p)++;
			if (*p >= end)
				return false;
		}
	}
	if (gap < 0)
		return n == 8;
	if (n > 7)
		return false;
	memmove(ip + 16 - 2 * (n - gap), ip + 2 * gap, (size_t)(2 * (n - gap)));
	memset(ip + 2 * gap, 0, (size_t)(2 * (8 - n)));
	return true;
}

bool addr_parse(struct snag_addr *a, unsigned *prefix, const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	uint32_t bits;

	memset(a, 0, sizeof(*a));
	if (len && memchr(text, ':', len)) {
		a->family = AF_INET6;
		if (!get_ip6(&p, end, a->ip))
			return false;
		if (p < end && *p == '%') {
			p++;
			if (!get_number(&p, end, 10, UINT32_MAX, &a->scope))
				return false;
		}
	} else {
		a->family = AF_INET;
		if (!get_ip4(&p, end, a->ip))
			return false;
	}
	bits = a->family == AF_INET ? 32 : 128;
	if (p < end && *p == '/') {
		p++;
		if (!get_number(&p, end, 10, bits, &bits))
			return false;
	}
	if (prefix)
		*prefix = bits;
	return p == end;
}

/* ---- questions ---- */

/* The IPv4 bytes of an IPv4 or v4-mapped address; NULL: it is neither. */
static const uint8_t *ip4_of(const struct snag_addr *a)
{
	if (a->family == AF_INET)
		return a->ip;
	if (a->family == AF_INET6 && !memcmp(a->ip, mapped_prefix, 12))
		return a->ip + 12;
	return NULL;
}

bool addr_is_any(const struct snag_addr *a)
{
	static const uint8_t zero[16];
	const uint8_t *ip = ip4_of(a);

	if (ip)
		return !memcmp(ip, zero, 4);
	return a->family == AF_INET6 && !memcmp(a->ip, zero, 16);
}

bool addr_is_loopback(const struct snag_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};
	const uint8_t *ip = ip4_of(a);

	if (ip)
		return ip[0] == 127;
	return a->family == AF_INET6 && !memcmp(a->ip, one, 16);
}

bool addr_is_mapped(const struct snag_addr *a)
{
	return a->family == AF_INET6 && ip4_of(a);
}

bool addr_equal_ip(const struct snag_addr *a, const struct snag_addr *b)
{
	const uint8_t *a4 = ip4_of(a), *b4 = ip4_of(b);

	if (a4 || b4)
		return a4 && b4 && !memcmp(a4, b4, 4);
	return a->family == AF_INET6 && b->family == AF_INET6 && !memcmp(a->ip, b->ip, 16) &&
	       (a->scope == b->scope || !a->scope || !b->scope);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8))
		return false;
	return !rest || !((a[bits / 8] ^ b[bits / 8]) >> (8 - rest));
}

bool addr_in_net(const struct snag_addr *a, const struct snag_addr *net, unsigned prefix)
{
	const uint8_t *a4 = ip4_of(a), *net4 = ip4_of(net);

	if (net->family == AF_INET)
		return a4 && prefix <= 32 && same_bits(a4, net->ip, prefix);
	if (net->family != AF_INET6 || prefix > 128)
		return false;
	if (a4 && net4 && prefix >= 96)		/* ::ffff:10.0.0.0/104 speaks of IPv4 */
		return same_bits(a4, net4, prefix - 96);
	return a->family == AF_INET6 && same_bits(a->ip, net->ip, prefix);
}
