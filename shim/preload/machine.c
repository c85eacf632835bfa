/* machine.c - what the machine has set for the network namespace of this process */
#include "machine.h"
#include <base/base.h>
#include <base/sys.h>
#include <string.h>

static struct model_machine machine;

/* The n-th number (from 0) in a file. */
static uint32_t number_in(const char *path, unsigned n, uint32_t otherwise)
{
	char text[64];
	uint64_t value = 0;
	const char *p = sys_read_file(path, text, sizeof(text)) > 0 ? text : "";
	for (unsigned i = 0; i < n; i++) {
		while (*p >= '0' && *p <= '9')
			p++;
		while (*p == ' ' || *p == '\t' || *p == '.')
			p++;
	}
	if (*p < '0' || *p > '9')
		return otherwise;
	for (; *p >= '0' && *p <= '9' && value < UINT32_MAX; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* ip_local_reserved_ports: numbers and ranges, "8080,9148-9150". What does not fit is not known of. */
static const uint8_t *reserved_ports(void)
{
	static uint8_t reserved[MODEL_PORTS / 8];
	char text[1024];
	uint32_t at[2] = { 0, 0 };
	unsigned bound = 0;
	if (sys_read_file("/proc/sys/net/ipv4/ip_local_reserved_ports", text, sizeof(text)) <= 0 || text[0] == '\n')
		return NULL;
	memset(reserved, 0, sizeof(reserved));
	for (const char *p = text; *p; p++) {
		if (*p >= '0' && *p <= '9') {
			at[bound] = at[bound] * 10 + (uint32_t)(*p - '0');
			continue;
		}
		if (*p == '-') {
			bound = 1;
			continue;
		}
		for (uint32_t port = at[0]; port <= (bound ? at[1] : at[0]) && port < MODEL_PORTS; port++)
			reserved[port / 8] |= (uint8_t)(1 << port % 8);
		at[0] = at[1] = bound = 0;
	}
	return reserved;
}

/* The same in a file of /proc/sys/net. */
static uint32_t setting(const char *name, unsigned n, uint32_t otherwise)
{
	char path[96];
	size_t len = 0;
	sys_append(path, sizeof(path), &len, "/proc/sys/net/");
	sys_append(path, sizeof(path), &len, name);
	return number_in(path, n, otherwise);
}

/* Is this Linux major.minor, or later? */
static bool release_is(unsigned major, unsigned minor)
{
	uint32_t is_major = number_in("/proc/sys/kernel/osrelease", 0, 0);
	return is_major > major || (is_major == major && number_in("/proc/sys/kernel/osrelease", 1, 0) >= minor);
}

static uint8_t most_hops(void)
{
	uint32_t v4 = setting("ipv4/ip_default_ttl", 0, 64), v6 = setting("ipv6/conf/lo/hop_limit", 0, 64);
	return (uint8_t)(v4 > v6 ? v4 : v6);
}

const struct model_machine *machine_read(void)
{
	machine = (struct model_machine){
		.port_low = (uint16_t)setting("ipv4/ip_local_port_range", 0, 32768),
		.port_high = (uint16_t)setting("ipv4/ip_local_port_range", 1, 60999),
		.unprivileged_port = (uint16_t)setting("ipv4/ip_unprivileged_port_start", 0, 1024),
		.tw_reuse = (uint8_t)setting("ipv4/tcp_tw_reuse", 0, 2),
		.tw_reuse_delay_ms = setting("ipv4/tcp_tw_reuse_delay", 0, 1000),
		.somaxconn = setting("core/somaxconn", 0, 4096),
		.max_syn_backlog = setting("ipv4/tcp_max_syn_backlog", 0, 128),
		.syncookies = (uint8_t)setting("ipv4/tcp_syncookies", 0, 1),
		.syn_one_more = release_is(6, 14),
		.fin_timeout_ms = setting("ipv4/tcp_fin_timeout", 0, 60) * 1000,
		.nonlocal_bind = setting("ipv4/ip_nonlocal_bind", 0, 0) != 0,
		.nonlocal_bind6 = setting("ipv6/ip_nonlocal_bind", 0, 0) != 0,
		.bindv6only = setting("ipv6/bindv6only", 0, 0) != 0,
		.autobind_reuse = setting("ipv4/ip_autobind_reuse", 0, 0) != 0,
		.timestamps = setting("ipv4/tcp_timestamps", 0, 1) != 0,
		.no_time_wait = setting("ipv4/tcp_max_tw_buckets", 0, 1) == 0,
		.ttl = most_hops(),
		.reserved = reserved_ports(),
	};
	return &machine;
}
