/* image.c - a rule image with any bytes overwritten: refused, or safe to match, trigger and index whatever it says. */
#include <base/base.h>
#include <compile/compile.h>
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
	struct snag_call c = {.call = (uint16_t)call,
			      .facts = 0xffff,
			      .fd = 3,
			      .sock = 1,
			      .serial = 1,
			      .proto = SNAG_PROTO_TCP,
			      .domain = AF_INET,
			      .addr = {.family = AF_INET, .port = 80, .ip = {127, 0, 0, 1}},
			      .who = {.pid = 7, .tid = 7, .proc_key = 11, .comm = "comm", .exe = "exe"},
			      .path = "/tmp/x",
			      .path_len = 6,
			      .caller = "libc"};
	struct match_view v = {.local = c.addr, .peer = c.addr, .path = c.path, .path_len = c.path_len};
	uint64_t draw;

	for (uint32_t i = 0; i < r->rule.n; i++)
		if (match_rule(r, rules_rule(r, i), &c, &v))
			trigger_fire(t, r, i, &c, 5 * NSEC_PER_SEC, &draw);
}

/* A good image with something of everything in it. */
static const struct compiled *base_image(void)
{
	static const char *const rules[] = {
		"bind port=80,8000..8099 addr=127.0.0.0/8,any,::1 first=3: EADDRINUSE after=1s",
		"connect exe=exe comm=comm user=0 pid=7 chance=50% count_per=process: delay=1ms jitter=1ms",
		"* caller=libc queue=>=0 time_wait=<9 blocking=true pulse=1s/1s nth=1..9+2: log=text",
		"bind,listen path=/tmp/* state=closed role=listener family=inet limit=3 every=2 count_per=socket: "
		"signal=SIGUSR1",
		"bind,connect endpoint=a,b port=80: log=own",
	};
	static const char *const sets[] = {"endpoints.a.port=80", "endpoints.a.addr=127.0.0.0/8",
					   "endpoints.b.path=/tmp/*"};
	static struct compiled base;
	const struct compile_input in = {
		.rules = rules, .n_rules = 5, .sets = sets, .n_sets = 3, .seed = "1"};

	if (!base.image && compile_policy(&in, &base, NULL))
		abort();
	return &base;
}

/* Three bytes of input are a place and what is written there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trigger_table table;
	const struct compiled *base = base_image();
	struct rules *r = malloc(base->size + RULES_INDEX_ROOM);

	if (!r)
		return 0;
	memcpy(r, base->image, base->size);
	for (; size >= 3; size -= 3, data += 3)
		((uint8_t *)r)[(size_t)(data[0] << 8 | data[1]) % base->size] = data[2];
	if (!rules_check(r, base->size)) {
		memset(&table, 0, sizeof(table));
		ask(r, &table, SNAG_CALL_bind);
		ask(r, &table, SNAG_CALL_connect);
		uint32_t indexed = rules_index(r, base->size + RULES_INDEX_ROOM);
		if (indexed > base->size + RULES_INDEX_ROOM || rules_check(r, indexed))
			abort();
	}
	free(r);
	return 0;
}
