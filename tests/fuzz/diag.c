/* diag.c - answers of a kernel that is not one: any bytes in place of netlink messages. */
#include <probe/diag.h>
#include <probe/named.h>
#include <probe/route.h>
#include <snag/call.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool each(void *arg, const struct diag_sock *s)
{
	unsigned *n = arg;

	if (s->domain != 2 && s->domain != 10)
		abort();
	return ++*n < 64;
}

/* Every byte of its name can be read. */
static bool each_named(void *arg, const struct named_sock *s)
{
	volatile char c = 0;
	for (size_t i = 0; i < s->name_len; i++)
		c = (char)(c + s->name[i]);
	return ++*(unsigned *)arg < 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0, m = 0;
	int named = named_parse(data, size, each_named, &m), route = route_parse(data, size);
	int r = diag_parse(data, size, SNAG_PROTO_TCP, each, &n);

	if (r > 1 || r < -4095 || named > 1 || named < -4095 || route > SNAG_REACH_AWAY || route < -4095)
		abort();
	return 0;
}
