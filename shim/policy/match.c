/* match.c - does this call match this rule? All keys must hold, or of alternatives all of one; of a key, any value. */
#include "match.h"

#include <base/addr.h>
#include <base/base.h>
#include <string.h>
#include <sys/socket.h>

bool match_pattern(const char *pattern, const char *text, size_t len)
{
	const char *star = NULL;	/* the last `*` met, and where the text stood then */
	size_t i = 0, retry = 0;

	while (i < len) {
		if (*pattern == '*') {
			star = pattern++;
			retry = i;
		} else if (*pattern && *pattern == text[i]) {
			pattern++;
			i++;
		} else if (star) {
			pattern = star + 1;
			i = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

const struct snag_addr *match_local(const struct snag_call *c, const struct match_view *v)
{
	if (c->call == SNAG_CALL_bind)
		return &c->addr;
	return c->facts & SNAG_FACT_LOCAL ? &c->local : &v->local;
}

const struct snag_addr *match_peer(const struct snag_call *c, const struct match_view *v)
{
	return c->call == SNAG_CALL_connect ? &c->addr : &v->peer;
}

/* ---- one value ---- */

static bool in_range(const struct rule_value *value, int64_t n)
{
	return value->lo <= n && n <= value->hi;
}

static bool is_inet(const struct snag_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static bool match_addr(const struct rule_value *value, const struct snag_addr *a)
{
	if (!is_inet(a))
		return false;
	if (value->any_only)
		return addr_is_any(a);
	return addr_in_net(a, &value->net, value->prefix);
}

static bool match_port(const struct rule_value *value, const struct snag_addr *a)
{
	return is_inet(a) && in_range(value, a->port);
}

/* An abstract name is written with an @ for its first byte. */
static bool match_path(const char *pattern, const struct snag_call *c, const struct match_view *v)
{
	bool named = c->call == SNAG_CALL_bind || c->call == SNAG_CALL_connect;
	const char *path = named ? c->path : v->path;
	size_t len = named ? c->path_len : v->path_len;
	char buf[SNAG_PATH_MAX];

	if (!path || !len || len > sizeof(buf))
		return false;
	memcpy(buf, path, len);
	if (!buf[0])
		buf[0] = '@';
	return match_pattern(pattern, buf, len);
}

/* `have` was cut to fit its array: so is what it is compared with. */
static bool same_name(const char *want, const char *have, size_t size)
{
	size_t n = strnlen(have, size);

	return n && !strncmp(want, have, size - 1) && (n == size - 1 || !want[n]);
}

static bool contains(const char *have, size_t size, const char *part)
{
	size_t n = strnlen(have, size), m = strlen(part);

	for (size_t i = 0; i + m <= n; i++)
		if (!memcmp(have + i, part, m))
			return true;
	return false;
}

static bool match_value(const struct rules *r, unsigned key, const struct rule_value *value, const struct snag_call *c,
			const struct match_view *v)
{
	const char *text = rules_string(r, value->string);

	switch (key) {
	case RULE_KEY_LOCAL_ADDR:
		return match_addr(value, match_local(c, v));
	case RULE_KEY_PEER_ADDR:
		return match_addr(value, match_peer(c, v));
	case RULE_KEY_LOCAL_PORT:
		return match_port(value, match_local(c, v));
	case RULE_KEY_PEER_PORT:
		return match_port(value, match_peer(c, v));
	case RULE_KEY_PROTO:
		return in_range(value, c->proto);
	case RULE_KEY_FAMILY:
		return in_range(value, c->domain);
	case RULE_KEY_PATH:
		return match_path(text, c, v);
	case RULE_KEY_EXE:
		return same_name(text, c->who.exe, sizeof(c->who.exe));
	case RULE_KEY_COMM:
		return same_name(text, c->who.comm, sizeof(c->who.comm));
	case RULE_KEY_PID:
		return in_range(value, c->who.pid);
	case RULE_KEY_USER:
		return in_range(value, c->who.uid);
	case RULE_KEY_ROLE:
		return in_range(value, v->role);
	case RULE_KEY_STATE:
		return in_range(value, v->state);
	case RULE_KEY_QUEUE:
		return (c->facts & SNAG_FACT_QUEUE) && in_range(value, c->queue);
	case RULE_KEY_TIME_WAIT:
		return in_range(value, v->time_waits);
	case RULE_KEY_BLOCKING:
		return (c->facts & SNAG_FACT_BLOCKING) && in_range(value, c->blocking);
	case RULE_KEY_CALLER:
		return (c->facts & SNAG_FACT_CALLER) && contains(c->caller, sizeof(c->caller), text);
	default:
		return false;
	}
}

static bool match_any(const struct rules *r, const struct rule_match *match, const struct snag_call *c,
		      const struct match_view *v)
{
	unsigned key = rules_key_at(match->key, c->call);

	for (uint32_t i = 0; i < match->n_values; i++)
		if (match_value(r, key, rules_value(r, match->first_value + i), c, v))
			return true;
	return false;
}

bool match_rule(const struct rules *r, const struct rule *rule, const struct snag_call *c, const struct match_view *v)
{
	unsigned alternative = 0;
	bool holds = true;	/* all matches of this alternative so far */

	for (uint32_t i = 0; i < rule->n_matches; i++) {
		const struct rule_match *match = rules_match(r, rule->first_match + i);
		if (match->alternative != alternative) {
			if (alternative && holds)
				return true;
			alternative = match->alternative;
			holds = true;
		}
		holds = holds && match_any(r, match, c, v);
		if (!holds && !alternative)
			return false;
	}
	return holds;
}
