/* rules.h - the rule image: a policy, compiled. Flat, read-only, offsets instead of pointers; one maker (compile), many
 * readers (match, trigger, print, the tests). rules_check() is called once where an image is met; after it, every index
 * and offset in the image is in bounds and every string ends. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include <snag/abi.h>
#include <snag/addr.h>
#include <snag/call.h>
#include <snag/kernel.h>
#include <snag/plan.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_MAGIC 0x736c7572u		/* "ruls" */
#define RULES_VERSION 5

/* A table inside the image: `offset` bytes from its start, `n` entries. */
struct rules_table {
	uint32_t offset, n;
};

struct rules {
	uint32_t magic, version;
	uint32_t size;			/* of the whole image, bytes */
	uint32_t mode;			/* enum snag_mode */
	uint64_t seed;
	struct snag_kernel kernel;	/* `given` is 0 where there is none, and in modes that ignore it */
	struct rules_table rule;	/* struct rule, in the order of the policy */
	struct rules_table match;	/* struct rule_match */
	struct rules_table value;	/* struct rule_value */
	struct rules_table step;	/* struct rule_step */
	struct rules_table by_call;	/* uint16_t rule indices, grouped by call: see call[] */
	struct rules_table strings;	/* NUL-terminated, `n` bytes */
	struct rules_table ports;	/* struct rules_ports: made by rules_index */
	struct rules_table occupy;	/* struct rules_occupy */
	struct {
		uint32_t first;		/* in by_call */
		uint16_t n;
		uint16_t facts;		/* enum snag_fact bits that these rules need */
		uint16_t ports;		/* index + 1 of the ports that they speak of; 0: not indexed */
		uint16_t spare[3];
	} call[64 * SNAG_CALL_WORDS];
};

/* The ports that any rule of a call can match; one bit each. A call on another port asks no rule at all. */
struct rules_ports {
	uint64_t peer;			/* 1: the peer's port, 0: the local one */
	uint64_t bit[65536 / 64];
};

/* One port of `occupy:`. */
#define RULES_OCCUPY_MAX 256
struct rules_occupy {
	struct snag_addr addr;
	uint64_t from_ns;		/* session time; 0: before the program starts */
	uint64_t for_ns;		/* SNAG_OCCUPANT_FOREVER: until the session ends */
	uint32_t entry;			/* index in the policy's list */
	uint32_t place;			/* string: where it was written */
	uint8_t proto;			/* enum snag_proto: TCP or UDP */
	uint8_t as;			/* enum snag_occupant_as */
	uint8_t spare[6];
};

enum rule_key {		/* the match keys; `endpoint` and `side` are resolved by the compiler */
	RULE_KEY_LOCAL_ADDR, RULE_KEY_PEER_ADDR, RULE_KEY_LOCAL_PORT, RULE_KEY_PEER_PORT,
	RULE_KEY_OWN_ADDR, RULE_KEY_OWN_PORT,	/* of the side that the call acts on: see rules_key_at */
	RULE_KEY_PROTO, RULE_KEY_FAMILY, RULE_KEY_PATH, RULE_KEY_EXE, RULE_KEY_COMM, RULE_KEY_PID, RULE_KEY_USER,
	RULE_KEY_ROLE, RULE_KEY_STATE, RULE_KEY_QUEUE, RULE_KEY_TIME_WAIT, RULE_KEY_BLOCKING, RULE_KEY_CALLER,
	RULE_KEYS
};

/* One value that a key may have. Numbers, ports, enums: lo <= x <= hi. Addresses: net and prefix bits (an `any` is a
 * full-length prefix of zeroes with any_only set). Texts: a string offset (PATH: a pattern with `*`). */
struct rule_value {
	int64_t lo, hi;
	struct snag_addr net;
	uint32_t string;
	uint8_t prefix, any_only, spare[2];
};

/* Any of the values. A rule matches where all its matches with alternative 0 hold, and, if it has alternatives, all
 * matches of at least one of them. Those with 0 stand first, then those of 1, 2, ... without a gap. */
struct rule_match {
	uint32_t first_value;
	uint16_t n_values;
	uint16_t key;		/* enum rule_key */
	uint16_t alternative, spare;
};

enum rule_per { RULE_PER_RULE, RULE_PER_PROCESS, RULE_PER_THREAD, RULE_PER_SOCKET, RULE_PER_LISTENER };

struct rule_when {		/* all must hold */
	uint64_t nth_lo, nth_hi, nth_step;	/* nth: lo..hi+step; lo 0: not asked. first: N is 1..N+1 */
	uint64_t every;				/* 0: not asked */
	uint64_t limit;				/* fires at most; 0: not asked */
	uint64_t chance;			/* of 2^32: a draw below it fires; `has_chance` */
	uint64_t after_ns, until_ns;		/* session time; until 0: not asked */
	uint64_t active_ns, idle_ns;		/* pulse; 0, 0: not asked */
	uint64_t bytes_sent, bytes_received;	/* of the call's socket; 0: not asked */
	uint64_t event;				/* hash_bytes of its name; 0: not asked */
	uint8_t has_chance, per, spare[6];	/* per: enum rule_per */
};

#define RULE_FOREVER UINT64_MAX

struct rule_step {		/* one `do` */
	uint64_t times;		/* fires of this step; 0: without end (a rule with `do` has one such step) */
	uint64_t delay_ns, jitter_ns;
	uint64_t after_ns;	/* errno: after */
	uint64_t value;		/* of the terminal action: a time in ns, a count, bytes, a word's number; RULE_FOREVER */
	int32_t err;		/* errno, deny: positive; deny: 0, see the call */
	int32_t signal;
	int32_t backlog;
	uint8_t action;		/* enum snag_action: the terminal one, or NONE */
	uint8_t after_call;	/* signal: after_call */
	uint8_t has_log;
	uint8_t resets;		/* backlog: overflow: reset */
	uint32_t log;		/* string offset */
	uint32_t spare2;
};

struct rule {
	uint64_t calls[SNAG_CALL_WORDS];
	uint64_t name_hash;	/* hash_bytes of the name: keys its draws */
	uint32_t name;		/* string offset */
	uint32_t first_match, n_matches;
	uint32_t first_step, n_steps;
	uint32_t spare;
	struct rule_when when;
};

/* Is this an image that readers may trust? NULL, or in words what is wrong with it. */
const char *rules_check(const void *image, size_t size);

/* The last step of making an image, when all else stands in it: fills in call[].facts, and port sets behind the
 * image where many rules of a call each name a port. `room` is what the buffer holds: RULES_INDEX_ROOM more than
 * image->size is always enough, with less there are fewer sets. Returns the image's new size. An image without it
 * is valid, but slower. */
#define RULES_PORTS_MAX 16
#define RULES_INDEX_ROOM (RULES_PORTS_MAX * sizeof(struct rules_ports) + 8)
uint32_t rules_index(struct rules *image, size_t room);

/* What a key speaks of on this call: without a side, connect is about the peer, everything else about the local one. */
static inline unsigned rules_key_at(unsigned key, unsigned call)
{
	if (key == RULE_KEY_OWN_ADDR)
		return call == SNAG_CALL_connect ? RULE_KEY_PEER_ADDR : RULE_KEY_LOCAL_ADDR;
	if (key == RULE_KEY_OWN_PORT)
		return call == SNAG_CALL_connect ? RULE_KEY_PEER_PORT : RULE_KEY_LOCAL_PORT;
	return key;
}

/* Reads of a checked image. */
static inline const struct rule *rules_rule(const struct rules *r, uint32_t i)
{
	return i < r->rule.n ? (const struct rule *)((const char *)r + r->rule.offset) + i : NULL;
}
static inline const struct rule_match *rules_match(const struct rules *r, uint32_t i)
{
	return (const struct rule_match *)((const char *)r + r->match.offset) + i;
}
static inline const struct rule_value *rules_value(const struct rules *r, uint32_t i)
{
	return (const struct rule_value *)((const char *)r + r->value.offset) + i;
}
static inline const struct rule_step *rules_step(const struct rules *r, uint32_t i)
{
	return i < r->step.n ? (const struct rule_step *)((const char *)r + r->step.offset) + i : NULL;
}
static inline const struct rules_occupy *rules_occupy(const struct rules *r, uint32_t i)
{
	return i < r->occupy.n ? (const struct rules_occupy *)((const char *)r + r->occupy.offset) + i : NULL;
}
/* The i-th rule of a call, an index; i below call[call].n. */
static inline uint32_t rules_by_call(const struct rules *r, unsigned call, uint32_t i)
{
	return ((const uint16_t *)((const char *)r + r->by_call.offset))[r->call[call].first + i];
}
/* Can any rule of the call match, given its ports? */
static inline bool rules_speak_of(const struct rules *r, unsigned call, uint16_t local, uint16_t peer)
{
	const struct rules_ports *set;
	uint16_t port;

	if (!r->call[call].n || !r->call[call].ports)
		return r->call[call].n;
	set = (const struct rules_ports *)((const char *)r + r->ports.offset) + r->call[call].ports - 1;
	port = set->peer ? peer : local;
	return set->bit[port / 64] >> port % 64 & 1;
}
static inline const char *rules_string(const struct rules *r, uint32_t offset)
{
	return offset < r->strings.n ? (const char *)r + r->strings.offset + offset : "";
}

#endif
