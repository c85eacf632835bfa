/* world.c - the machine of a seed: a wide or narrow range of ports, with and without the privilege to take low ones. */
#include "live.h"
#include "network.h"

#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

void note(struct world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (w->log_len < sizeof(board->log) - 300)
		w->log_len += (size_t)vsnprintf(board->log + w->log_len, 299, format, ap);
	va_end(ap);
}

void world_user(struct world *w, uint32_t uid)
{
	w->uid = uid;
	setfsuid(uid);
}

static void drop_privilege(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &head, data);
	data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
	syscall(SYS_capset, &head, data);
}

static void set_range(unsigned low, unsigned high)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w");

	if (f)
		fprintf(f, "%u %u", low, high);
	if (!f || fclose(f))
		perror("ip_local_port_range");
}

bool world_begin(struct world *w, unsigned seed)
{
	memset(w, 0, sizeof(*w));
	if (!network_begin())
		return false;
	w->machine = (struct model_machine){
		.port_low = 40000, .port_high = seed % 4 ? 60000 : 40011, .unprivileged_port = 1024,
		.privileged = seed % 3 != 0, .tw_reuse = (uint8_t)(seed % 5 % 3), .tw_reuse_delay_ms = 1000,
		.somaxconn = seed % 7 ? 4096 : 1, .fin_timeout_ms = 60000, .timestamps = 1,
	};
	set_range(w->machine.port_low, w->machine.port_high);
	network_sysctl("ipv4/tcp_tw_reuse", w->machine.tw_reuse);
	network_sysctl("core/somaxconn", w->machine.somaxconn);
	if (!w->machine.privileged)
		drop_privilege();
	w->d = drive_begin();
	w->d->machine = &w->machine;
	return true;
}
