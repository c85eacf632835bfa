/* kernel.c - `kernel:` of a policy to the virtual kernel of the image. */
#include "kernel.h"
#include "language.h"

#include <base/base.h>
#include <stdio.h>

/* TCP_LINGER2, by which tcp_fin_timeout is carried out, holds whole seconds and at most TCP_FIN_TIMEOUT_MAX
 * (include/net/tcp.h). */
#define FIN_TIMEOUT_MAX_NS (120 * (int64_t)NSEC_PER_SEC)

static const struct object *kernel_of(const struct policy *p)
{
	return object_sub(p->top, KEY_policy_kernel);
}

void kernel_check(const struct policy *p)
{
	const struct object *o = kernel_of(p);
	int64_t ns = o ? object_num(o, KEY_kernel_tcp_fin_timeout, (int64_t)NSEC_PER_SEC) : (int64_t)NSEC_PER_SEC;

	if (ns < (int64_t)NSEC_PER_SEC || ns > FIN_TIMEOUT_MAX_NS || ns % (int64_t)NSEC_PER_SEC)
		diag_error(p->diags, object_at(o, KEY_kernel_tcp_fin_timeout),
			   "wants whole seconds from 1s to 120s: the kernel keeps it so (TCP_LINGER2)");
}

/* Up to two numbers of a file of /proc/sys/net/ipv4; where it is not to be read, they stay as they are. */
static void read_sysctl(const char *name, long *first, long *second)
{
	char path[96];
	long a, b;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	int n = fscanf(f, "%ld %ld", &a, &b);
	fclose(f);
	if (n >= 1)
		*first = a;
	if (n == 2 && second)
		*second = b;
}

static uint16_t port_of(long n)
{
	return n < 1 ? 1 : n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

/* The defaults of Linux stand in where there is no such file. */
static void put_machine(struct snag_kernel *k)
{
	long lo = 32768, hi = 60999, start = 1024, reuse = 2, delay = 1000, fin = 60;

	read_sysctl("ip_local_port_range", &lo, &hi);
	read_sysctl("ip_unprivileged_port_start", &start, NULL);
	read_sysctl("tcp_tw_reuse", &reuse, NULL);
	read_sysctl("tcp_tw_reuse_delay", &delay, NULL);
	read_sysctl("tcp_fin_timeout", &fin, NULL);
	k->machine_lo = k->port_lo = port_of(lo);
	k->machine_hi = k->port_hi = hi < lo ? k->machine_lo : port_of(hi);
	k->unprivileged_start = start ? port_of(start) : 0;
	k->tw_reuse = reuse < 0 || reuse > 2 ? 2 : (uint8_t)reuse;
	k->tw_reuse_delay_ms = delay < 0 ? 0 : (uint32_t)delay;
	k->fin_timeout_ns = (uint64_t)(fin < 0 ? 0 : fin) * NSEC_PER_SEC;
}

/* TIME_WAIT of each profile: see policies/kernels.md. */
static uint64_t time_wait_of(unsigned profile)
{
	static const uint64_t seconds[SNAG_PROFILES] = {
		[SNAG_PROFILE_LINUX] = 60, [SNAG_PROFILE_FREEBSD] = 60, [SNAG_PROFILE_MACOS] = 30,
		[SNAG_PROFILE_TEXTBOOK] = 240,
	};

	return seconds[profile] * NSEC_PER_SEC;
}

static void put_given(struct snag_kernel *k, const struct object *o)
{
	static const struct {
		unsigned key, bit;
	} rows[] = {
		{KEY_kernel_rules, SNAG_KERNEL_RULES},
		{KEY_kernel_clock, SNAG_KERNEL_CLOCK},
		{KEY_kernel_time_wait, SNAG_KERNEL_TIME_WAIT},
		{KEY_kernel_open_files, SNAG_KERNEL_OPEN_FILES},
		{KEY_kernel_open_sockets, SNAG_KERNEL_OPEN_SOCKETS},
		{KEY_kernel_privileged, SNAG_KERNEL_PRIVILEGED},
		{KEY_kernel_somaxconn, SNAG_KERNEL_SOMAXCONN},
		{KEY_kernel_tcp_tw_reuse, SNAG_KERNEL_TW_REUSE},
		{KEY_kernel_tcp_max_tw_buckets, SNAG_KERNEL_TW_BUCKETS},
		{KEY_kernel_ip_local_port_range, SNAG_KERNEL_PORT_RANGE},
		{KEY_kernel_ip_unprivileged_port_start, SNAG_KERNEL_UNPRIVILEGED_START},
		{KEY_kernel_ip_nonlocal_bind, SNAG_KERNEL_NONLOCAL_BIND},
		{KEY_kernel_bindv6only, SNAG_KERNEL_BINDV6ONLY},
		{KEY_kernel_tcp_syn_retries, SNAG_KERNEL_SYN_RETRIES},
		{KEY_kernel_tcp_fin_timeout, SNAG_KERNEL_FIN_TIMEOUT},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (object_has(o, rows[i].key))
			k->given |= rows[i].bit;
}

static void put_ports(struct snag_kernel *k, const struct object *o)
{
	const struct slot *range = &o->slots[KEY_kernel_ip_local_port_range];

	if (!range->n)
		return;
	k->port_lo = (uint16_t)range->values[0].lo;
	k->port_hi = (uint16_t)range->values[0].hi;
	if (k->port_lo < k->machine_lo || k->port_hi > k->machine_hi)
		k->given |= SNAG_KERNEL_OUTSIDE;
}

void kernel_make(const struct policy *p, struct snag_kernel *k)
{
	const struct object *o = kernel_of(p);

	if (!o)
		return;
	put_machine(k);
	put_given(k, o);
	put_ports(k, o);
	k->profile = (uint8_t)object_num(o, KEY_kernel_rules, SNAG_PROFILE_LINUX);
	k->clock = (uint32_t)object_num(o, KEY_kernel_clock, 1);
	k->time_wait_ns = (uint64_t)object_num(o, KEY_kernel_time_wait, (int64_t)time_wait_of(k->profile));
	k->fin_timeout_ns = (uint64_t)object_num(o, KEY_kernel_tcp_fin_timeout, (int64_t)k->fin_timeout_ns);
	k->open_files = (int32_t)object_num(o, KEY_kernel_open_files, 0);
	k->open_sockets = (int32_t)object_num(o, KEY_kernel_open_sockets, 0);
	k->somaxconn = (int32_t)object_num(o, KEY_kernel_somaxconn, 0);
	k->tw_buckets = (int32_t)object_num(o, KEY_kernel_tcp_max_tw_buckets, 0);
	k->unprivileged_start = (uint16_t)object_num(o, KEY_kernel_ip_unprivileged_port_start, k->unprivileged_start);
	k->privileged = object_num(o, KEY_kernel_privileged, 1) != 0;
	k->tw_reuse = (uint8_t)object_num(o, KEY_kernel_tcp_tw_reuse, k->tw_reuse);
	k->syn_retries = (uint8_t)object_num(o, KEY_kernel_tcp_syn_retries, 0);
	k->bindv6only = object_num(o, KEY_kernel_bindv6only, k->profile == SNAG_PROFILE_FREEBSD) != 0;
	if (k->profile == SNAG_PROFILE_FREEBSD)		/* V_ip6_v6only (sys/netinet6/in6_proto.c) */
		k->given |= SNAG_KERNEL_BINDV6ONLY;
}
