/* match.h - does this call match this rule? Pure. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include <policy/rules.h>

/* What the model knows of the call's socket, as far as rules ask for it. */
struct match_view {
	struct snag_addr local, peer;
	uint8_t state;			/* enum snag_state */
	uint8_t role;			/* enum snag_role; the one that the call gives it where it had none */
	uint32_t time_waits;		/* TIME_WAIT entries on the local port */
	uint16_t path_len;		/* unix: the bound or connected path */
	const char *path;
};

bool match_rule(const struct rules *r, const struct rule *rule, const struct snag_call *c, const struct match_view *v);
/* Which addresses a rule's local and peer keys speak of: the call's argument where it carries one. */
const struct snag_addr *match_local(const struct snag_call *c, const struct match_view *v);
const struct snag_addr *match_peer(const struct snag_call *c, const struct match_view *v);
bool match_pattern(const char *pattern, const char *text, size_t len);	/* `*` stands for any bytes */

#endif
