/* world.c - the machine of a seed: what it has set, as drawn. */
#include "live.h"
#include "network.h"
#include "unix.h"

#include <base/base.h>
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

static unsigned draw(unsigned *random, unsigned n)
{
	return (unsigned)rand_r(random) / 7 % n;
}

/* A range of one port, of a few, or of many. */
static void draw_ports(struct world *w, unsigned *random)
{
	static const uint16_t spans[] = {19999, 19999, 11, 11, 0, 1, 2, 4, 7, 24};

	w->machine.port_low = (uint16_t)(40000 + draw(random, 2));
	w->machine.port_high = (uint16_t)(w->machine.port_low + spans[draw(random, ARRAY_LEN(spans))]);
	if (draw(random, 4))
		return;
	w->machine.reserved = w->reserved;
	for (unsigned i = draw(random, 4); i < 12; i += 1 + draw(random, 3)) {
		unsigned port = w->machine.port_low + i;
		w->reserved[port / 8] |= (uint8_t)(1 << port % 8);
	}
}

static void draw_machine(struct world *w, unsigned seed)
{
	static const uint16_t first_open[] = {1024, 1024, 0, 81, 2030}, delays[] = {1000, 1000, 100, 1};
	static const uint32_t lengths[] = {4096, 4096, 4096, 4096, 4096, 4096, 1};
	struct model_machine *k = &w->machine;
	unsigned random = seed * 2654435761u;

	draw_ports(w, &random);
	w->privileged = draw(&random, 3) != 0;
	k->unprivileged_port = first_open[draw(&random, ARRAY_LEN(first_open))];
	k->tw_reuse = (uint8_t)draw(&random, 3);
	k->tw_reuse_delay_ms = delays[draw(&random, ARRAY_LEN(delays))];
	k->timestamps = draw(&random, 4) != 0;
	k->somaxconn = lengths[draw(&random, ARRAY_LEN(lengths))];
	k->max_syn_backlog = 128;
	k->syncookies = (uint8_t)draw(&random, 3);
	k->syn_one_more = 1;
	k->fin_timeout_ms = draw(&random, 4) ? 60000 : 1000;
	k->no_time_wait = draw(&random, 10) == 0;
	k->ttl = 64;
	k->nonlocal_bind = draw(&random, 8) == 0;
	k->nonlocal_bind6 = draw(&random, 8) == 0;
	k->autobind_reuse = draw(&random, 4) == 0;
	k->bindv6only = draw(&random, 6) == 0;
}

static void set(const char *name, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	network_sysctl(name, text);
}

static void set_ports(const struct model_machine *k)
{
	char text[256];
	size_t len = 0;

	snprintf(text, sizeof(text), "%u %u", k->port_low, k->port_high);
	network_sysctl("ipv4/ip_local_port_range", text);
	for (unsigned port = k->port_low; k->reserved && port < k->port_low + 12u; port++)
		if (k->reserved[port / 8] >> port % 8 & 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", len ? "," : "", port);
	if (len)
		network_sysctl("ipv4/ip_local_reserved_ports", text);
}

static void set_machine(const struct model_machine *k)
{
	set("ipv4/ip_unprivileged_port_start", k->unprivileged_port);
	set_ports(k);
	set("ipv4/tcp_tw_reuse", k->tw_reuse);
	set("ipv4/tcp_tw_reuse_delay", k->tw_reuse_delay_ms);
	set("ipv4/tcp_timestamps", k->timestamps);
	set("core/somaxconn", k->somaxconn);
	set("ipv4/tcp_max_syn_backlog", k->max_syn_backlog);
	set("ipv4/tcp_syncookies", k->syncookies);
	set("ipv4/tcp_fin_timeout", k->fin_timeout_ms / 1000);
	if (k->no_time_wait)
		set("ipv4/tcp_max_tw_buckets", 0);
	set("ipv4/ip_nonlocal_bind", k->nonlocal_bind);
	set("ipv6/ip_nonlocal_bind", k->nonlocal_bind6);
	set("ipv4/ip_autobind_reuse", k->autobind_reuse);
	set("ipv6/bindv6only", k->bindv6only);
}

void world_describe(struct world *w)
{
	const struct model_machine *k = &w->machine;

	if (w->quiet)
		note(w, "  nothing is asked, as without --audit\n");
	note(w, "  machine: ports %u-%u%s, privileged %u below %u, tw_reuse %u after %u ms, timestamps %u,\n"
		"           somaxconn %u, syncookies %u, nonlocal_bind %u (IPv6 %u), autobind_reuse %u, bindv6only %u,\n"
		"           fin_timeout %u ms, no TIME_WAIT %u\n",
	     k->port_low, k->port_high, k->reserved ? " but some" : "", w->privileged, k->unprivileged_port, k->tw_reuse,
	     k->tw_reuse_delay_ms, k->timestamps, k->somaxconn, k->syncookies, k->nonlocal_bind, k->nonlocal_bind6,
	     k->autobind_reuse, k->bindv6only, k->fin_timeout_ms, k->no_time_wait);
}

bool world_begin(struct world *w, unsigned seed)
{
	memset(w, 0, sizeof(*w));
	if (!network_begin())
		return false;
	draw_machine(w, seed);
	set_machine(&w->machine);
	set("ipv4/tcp_abort_on_overflow", seed % 2);	/* of which the model knows nothing */
	if (!w->privileged)
		drop_privilege();
	unix_begin(w);
	w->d = drive_begin();
	w->quiet = seed % 5 == 4;
	w->d->machine = w->quiet ? NULL : &w->machine;
	return true;
}

void world_end(struct world *w)
{
	unix_end(w);
	drive_end(w->d);
}
