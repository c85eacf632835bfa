/* image.c - any bytes as a rule image: refused, or safe to match, trigger and index whatever it says. */
#include <base/base.h>
#include <policy/match.h>
#include <policy/rules.h>
#include <policy/trigger.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct rules *r, struct trigger_table *t, unsigned call)
{
	struct snag_call c = { .call = (uint16_t)call, .facts = 0xffff, .fd = 3, .sock = 1, .serial = 1,
			       .proto = SNAG_PROTO_TCP, .domain = AF_INET,
			       .addr = { .family = AF_INET, .port = 80, .ip = { 127, 0, 0, 1 } },
			       .who = { .pid = 7, .tid = 7, .proc_key = 11, .comm = "comm", .exe = "exe" }, .path = "/tmp/x",
			       .path_len = 6, .caller = "libc" };
	struct match_view v = { .local = c.addr, .peer = c.addr, .path = c.path, .path_len = c.path_len };
	uint64_t draw;

	for (uint32_t i = 0; i < r->rule.n; i++)
		if (match_rule(r, rules_rule(r, i), &c, &v))
			trigger_fire(t, r, i, &c, 5 * NSEC_PER_SEC, &draw);
}

/* The header is right, so that the rest is met: magic, version, size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trigger_table table;
	struct rules *r = size < sizeof(*r) ? NULL : malloc(size + RULES_INDEX_ROOM);

	if (!r)
		return 0;
	memcpy(r, data, size);
	r->magic = RULES_MAGIC;
	r->version = RULES_VERSION;
	r->size = (uint32_t)size;
	if (!rules_check(r, size)) {
		memset(&table, 0, sizeof(table));
		ask(r, &table, SNAG_CALL_bind);
		ask(r, &table, SNAG_CALL_connect);
		uint32_t indexed = rules_index(r, size + RULES_INDEX_ROOM);
		if (indexed > size + RULES_INDEX_ROOM || rules_check(r, indexed))
			abort();
	}
	free(r);
	return 0;
}
