/* bucket.c - what a TCP port remembers of the last SO_REUSEPORT socket that it let in. */
#include "bucket.h"

#include <base/addr.h>
#include <string.h>
#include <sys/socket.h>

static const struct model_bucket *bucket_of(const struct model *m, uint16_t port)
{
	static const struct model_bucket none = {.kind = BUCKET_NONE}, pushed_out = {.kind = BUCKET_UNSURE};
	const struct model_bucket *b = &m->bucket[port % MODEL_BUCKETS];

	if (!(m->reuseport[port / 64] >> port % 64 & 1))
		return &none;
	return b->port == port && b->kind <= BUCKET_UNSURE ? b : &pushed_out;
}

void bucket_forget(struct model *m, uint16_t port)
{
	m->reuseport[port / 64] &= ~(1ull << port % 64);
}

void bucket_doubt(struct model *m, uint16_t port)
{
	m->bucket[port % MODEL_BUCKETS] = (struct model_bucket){.port = port, .kind = BUCKET_UNSURE};
	m->reuseport[port / 64] |= 1ull << port % 64;
}

static bool is_v4(const struct snag_addr *a)
{
	return a->family == AF_INET || addr_is_mapped(a);
}

/* The IPv4 side of an address, sk_rcv_saddr: an IPv6 one that is none has 127.0.0.6 (LOOPBACK4_IPV6). */
static void v4_side(const struct snag_addr *a, uint8_t ip[4])
{
	static const uint8_t stand_in[4] = {127, 0, 0, 6}, any[4] = {0};

	memcpy(ip, addr_is_any(a) ? any : addr_is_mapped(a) ? a->ip + 12 : a->family == AF_INET ? a->ip : stand_in, 4);
}

/* ipv4_rcv_saddr_equal(), a wildcard of the remembered one counts. */
static bool covers_v4(const struct model_bucket *b, const struct bind_claim *new)
{
	uint8_t old_ip[4], new_ip[4];

	if (new->options & SNAG_OPTION_V6ONLY)
		return false;
	v4_side(&b->addr, old_ip);
	v4_side(&new->addr, new_ip);
	return !memcmp(old_ip, new_ip, 4) || !memcmp(old_ip, "\0\0\0\0", 4);
}

/* inet_rcv_saddr_equal() as sk_reuseport_match() calls it. */
static bool covers(const struct model_bucket *b, const struct bind_claim *new)
{
	if (b->domain != AF_INET6)
		return covers_v4(b, new);
	if (addr_is_mapped(&b->addr) && is_v4(&new->addr))
		return covers_v4(b, new);
	if (!addr_is_mapped(&b->addr) && addr_is_any(&b->addr))
		return !((b->options & SNAG_OPTION_V6ONLY) && is_v4(&new->addr));
	return new->domain == AF_INET6 && !memcmp(b->addr.ip, new->addr.ip, sizeof(b->addr.ip));
}

enum bind_answer bucket_asked(const struct model *m, const struct bind_claim *new)
{
	const struct model_bucket *b = bucket_of(m, new->addr.port);

	if (!(new->options & SNAG_OPTION_REUSEPORT) || b->kind == BUCKET_NONE)
		return BIND_CONFLICT;
	if (b->kind == BUCKET_UNSURE)
		return BIND_UNSURE;
	return b->uid == new->uid && covers(b, new) ? BIND_FREE : BIND_CONFLICT;
}

/* inet_csk_update_fastreuse(). */
void bucket_admitted(struct model *m, const struct bind_claim *new, enum bind_answer others)
{
	uint16_t port = new->addr.port;
	enum bind_answer match = others == BIND_FREE ? BIND_CONFLICT : bucket_asked(m, new);
	struct model_bucket *b = &m->bucket[port % MODEL_BUCKETS];

	if (!(new->options & SNAG_OPTION_REUSEPORT)) {
		bucket_forget(m, port);
		return;
	}
	if (others == BIND_CONFLICT && match == BIND_FREE)
		return;
	*b = (struct model_bucket){
		.port = port,
		.domain = new->domain,
		.kind = BUCKET_KEPT,
		.options = new->options,
		.uid = new->uid,
		.addr = new->addr,
	};
	if (others == BIND_UNSURE || match == BIND_UNSURE)
		b->kind = BUCKET_UNSURE;
	m->reuseport[port / 64] |= 1ull << port % 64;
}
