/* machine.c - what the machine has set for the network namespace of this process */
#include "machine.h"
#include <base/base.h>
#include <base/sys.h>

static struct model_machine machine;

/* The n-th number (from 0) in a file of /proc/sys/net. */
static uint32_t setting(const char *name, unsigned n, uint32_t otherwise)
{
	char path[96], text[64];
	size_t len = 0;
	uint64_t value = 0;
	sys_append(path, sizeof(path), &len, "/proc/sys/net/");
	sys_append(path, sizeof(path), &len, name);
	const char *p = sys_read_file(path, text, sizeof(text)) > 0 ? text : "";
	for (unsigned i = 0; i < n; i++) {
		while (*p >= '0' && *p <= '9')
			p++;
		while (*p == ' ' || *p == '\t')
			p++;
	}
	if (*p < '0' || *p > '9')
		return otherwise;
	for (; *p >= '0' && *p <= '9' && value < UINT32_MAX; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
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
		.fin_timeout_ms = setting("ipv4/tcp_fin_timeout", 0, 60) * 1000,
		.nonlocal_bind = setting("ipv4/ip_nonlocal_bind", 0, 0) != 0,
		.autobind_reuse = setting("ipv4/ip_autobind_reuse", 0, 0) != 0,
		.timestamps = setting("ipv4/tcp_timestamps", 0, 1) != 0,
		.no_time_wait = setting("ipv4/tcp_max_tw_buckets", 0, 1) == 0,
		.privileged = sys_geteuid() == 0,
	};
	return &machine;
}
