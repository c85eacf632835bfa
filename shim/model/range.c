/* range.c - the ports among which the kernel chooses for a socket without one. */
#include "range.h"
#include "port.h"

#include <base/base.h>

/* inet_sk_get_local_port_range() (net/ipv4/inet_connection_sock.c): a bound of the socket's own counts where it lies
 * within the machine's range. */
struct port_range range_of(const struct model *m, const struct model_machine *machine, const struct model_sock *r)
{
	struct port_range range = {machine->port_low, machine->port_high, r->range != 0, machine->reserved,
				   port_used(m, r->proto)};
	uint16_t low = (uint16_t)r->range, high = (uint16_t)(r->range >> 16);

	if (range.low <= low && low <= range.high)
		range.low = low;
	if (range.low <= high && high <= range.high)
		range.high = high;
	return range;
}

static enum bind_answer ask_at(const struct port_range *range, uint32_t port, range_fn *ask, void *arg)
{
	/* inet_is_local_reserved_port() (include/net/ip.h) */
	if (range->reserved && range->reserved[port / 8] >> port % 8 & 1)
		return BIND_CONFLICT;
	return ask(arg, (uint16_t)port);
}

/* The first from `port` on that is used, or is not; beyond `high`: none. */
static uint32_t next_port(const struct port_range *range, uint32_t port, uint32_t high, bool used)
{
	while (port <= high) {
		uint64_t word = range->used ? load_relaxed(&range->used[port / 64]) : 0;
		uint64_t bits = (used ? word : ~word) >> port % 64;
		if (bits)
			return port + (uint32_t)__builtin_ctzll(bits);
		port = (port | 63) + 1;
	}
	return port;
}

/* The best answer between the two. */
static enum bind_answer ask_between(const struct port_range *range, uint32_t low, uint32_t high, range_fn *ask, void *arg)
{
	enum bind_answer best = BIND_CONFLICT, a;

	for (int used = 0; used < 2; used++) {
		uint32_t port = low;
		while (best != BIND_FREE && port && (port = next_port(range, port, high, used)) <= high) {
			a = ask_at(range, port++, ask, arg);
			best = a < best ? a : best;
		}
	}
	return best;
}

enum bind_answer range_all(const struct port_range *range, range_fn *ask, void *arg)
{
	return ask_between(range, range->low, range->high, ask, arg);
}

/* inet_csk_find_open_port(), __inet_hash_connect(): where their number is odd, one of them is never tried, the last one
 * or the first one, as the start is drawn: of three always the last. */
enum bind_answer range_in_twos(const struct port_range *range, range_fn *ask, void *arg)
{
	uint32_t n = (uint32_t)(range->high - range->low) + 1;
	enum bind_answer best, first, last;

	if (range->high < range->low)
		return BIND_CONFLICT;
	if (n == 1 || n % 2 == 0)
		return range_all(range, ask, arg);
	if (n == 3)
		return ask_between(range, range->low, range->high - 1u, ask, arg);
	best = ask_between(range, range->low + 1u, range->high - 1u, ask, arg);
	if (best == BIND_FREE)
		return best;
	first = ask_at(range, range->low, ask, arg);
	last = ask_at(range, range->high, ask, arg);
	if (first == BIND_FREE && last == BIND_FREE)
		return BIND_FREE;
	return first != BIND_CONFLICT || last != BIND_CONFLICT ? BIND_UNSURE : best;
}

enum bind_answer range_in_halves(const struct port_range *range, range_fn *ask, void *arg)
{
	struct port_range lower = *range, upper = *range;
	uint32_t n = (uint32_t)(range->high - range->low) + 1;
	enum bind_answer a, b;

	if (range->high < range->low || n < 4)
		return range_in_twos(range, ask, arg);
	upper.low = (uint16_t)(range->low + (n / 4) * 2);
	lower.high = (uint16_t)(upper.low - 1);
	a = range_in_twos(&lower, ask, arg);
	if (a == BIND_FREE)
		return a;
	b = range_in_twos(&upper, ask, arg);
	return a < b ? a : b;
}
