/* diag.c - answers of a kernel that is not one: any bytes in place of netlink messages. */
#include <probe/diag.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0;
	int r = diag_parse(data, size, SNAG_PROTO_TCP, each, &n);

	if (r > 1 || r < -4095)
		abort();
	return 0;
}
