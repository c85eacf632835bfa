/* language.c - the tables of language.def and faults.def. */
#include "language.h"
#include "type.h"

#include <base/base.h>
#include <policy/rules.h>
#include <snag/kernel.h>
#include <snag/occupant.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <string.h>
#include <sys/socket.h>

/* ---- words ---- */

enum { ORACLE_LEAKED_SOCKET, ORACLE_ACCEPT_SPIN, ORACLE_DOUBLE_CLOSE };

#define WORDS(name, ...) static const struct word words_##name[] = { __VA_ARGS__, { NULL, 0, false } }

WORDS(profiles, { "linux", SNAG_PROFILE_LINUX, false },
      { "freebsd", SNAG_PROFILE_FREEBSD, false }, { "macos", SNAG_PROFILE_MACOS, false }, { "textbook", SNAG_PROFILE_TEXTBOOK, false });
WORDS(ip_protos, { "tcp", SNAG_PROTO_TCP, false }, { "udp", SNAG_PROTO_UDP, false });
WORDS(occupants, { "bound", SNAG_OCCUPANT_BOUND, false }, { "listening", SNAG_OCCUPANT_LISTENING, false },
      { "time_wait", SNAG_OCCUPANT_TIME_WAIT, false });
WORDS(oracles, { "leaked_socket", ORACLE_LEAKED_SOCKET, false }, { "accept_spin", ORACLE_ACCEPT_SPIN, false },
      { "double_close", ORACLE_DOUBLE_CLOSE, false });
WORDS(sides, { "local", SIDE_LOCAL, false }, { "peer", SIDE_PEER, false });
WORDS(protos, { "tcp", SNAG_PROTO_TCP, false }, { "udp", SNAG_PROTO_UDP, false }, { "unix", SNAG_PROTO_UNIX, false });
WORDS(families, { "inet", AF_INET, false }, { "inet6", AF_INET6, false }, { "unix", AF_UNIX, false });
WORDS(roles, { "listener", SNAG_ROLE_LISTENER, false }, { "accepted", SNAG_ROLE_ACCEPTED, false },
      { "client", SNAG_ROLE_CLIENT, false });
WORDS(states, { "closed", SNAG_STATE_CLOSED, false }, { "bound", SNAG_STATE_BOUND, false },
      { "listen", SNAG_STATE_LISTEN, false }, { "syn_sent", SNAG_STATE_SYN_SENT, false },
      { "established", SNAG_STATE_ESTABLISHED, false }, { "close_wait", SNAG_STATE_CLOSE_WAIT, false },
      { "fin_wait", SNAG_STATE_FIN_WAIT, false }, { "time_wait", SNAG_STATE_TIME_WAIT, false });
WORDS(pers, { "rule", RULE_PER_RULE, false }, { "process", RULE_PER_PROCESS, false },
      { "thread", RULE_PER_THREAD, false }, { "socket", RULE_PER_SOCKET, false },
      { "listener", RULE_PER_LISTENER, false });
WORDS(modes, { "log", SNAG_MODE_LOG, false }, { "enforce", SNAG_MODE_ENFORCE, false },
      { "inject", SNAG_MODE_INJECT, false }, { "disabled", SNAG_MODE_DISABLED, false });
WORDS(overflows, { "drop", OVERFLOW_DROP, false }, { "reset", OVERFLOW_RESET, false });
WORDS(ends, { "self", SNAG_END_SELF, false }, { "peer", SNAG_END_PEER, false }, { "both", SNAG_END_BOTH, false });
WORDS(ends_one, { "self", SNAG_END_SELF, false }, { "peer", SNAG_END_PEER, false });

/* ---- sections ---- */

#define words_NULL NULL
#define LANG_BEGIN(section, heading, one_of, block, help) static const struct field fields_##section[] = {
#define LANG_VALUE(section, key, shape, type, words, min, max, flags, help) \
	{ #key, FIELD_##shape, flags, &type_##type, NULL, words_##words, min, max, help, NULL },
#define LANG_PART(section, key, shape, part, flags, help) \
	{ #key, FIELD_##shape, flags, NULL, &table_##part, NULL, 0, 0, help, NULL },
#define LANG_END(section) };
#include "language.def"

/* The values of faults.def: type, words, least, most. */
#define VALUE_ERRNO	&type_errno_name, NULL, NULL, 0, 0
#define VALUE_DURATION	&type_duration, NULL, NULL, 0, YEAR
#define VALUE_HOLD	&type_hold, NULL, NULL, 0, YEAR
#define VALUE_COUNT	&type_number, NULL, NULL, 0, INT32_MAX
#define VALUE_BYTES	&type_size, NULL, NULL, 1, INT32_MAX
#define VALUE_DROPS	&type_drops, NULL, NULL, 0, INT32_MAX
#define VALUE_END	&type_word, NULL, words_ends, 0, 0
#define VALUE_SIDE	&type_word, NULL, words_ends_one, 0, 0
#define VALUE_OVERFLOW	&type_word, NULL, words_overflows, 0, 0
#define VALUE_TRUE	&type_true, NULL, NULL, 0, 0
#define VALUE_BOOL	&type_boolean, NULL, NULL, 0, 0
#define VALUE_SIGNAL	&type_signal, NULL, NULL, 0, 0
#define VALUE_TEXT	&type_text, NULL, NULL, 1, 200

static const struct field fields_do[] = {
#define SNAG_FAULT(name, terminal, built, calls, value, help) \
	{ #name, FIELD_ONE, (built) ? 0 : FIELD_LATER, VALUE_##value, help, calls },
#define SNAG_FAULT_PARAM(fault, name, value, built, help) \
	{ #name, FIELD_ONE, FIELD_PARAM | ((built) ? 0 : FIELD_LATER), VALUE_##value, help, #fault },
#include <snag/faults.def>
};

/* ---- tables ---- */

/* Sysctls that act on packets: nothing that a program's calls could show. */
static const char *refuse_sysctl(const char *key)
{
	static const char *const packets[] = { "tcp_max_syn_backlog", "tcp_syncookies", "tcp_abort_on_overflow" };

	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		if (strcmp(key, packets[i]) == 0)
			return "acts on packets, so from inside a program it has no honest effect; a network namespace has "
			       "a sysctl of its own";
	return NULL;
}

#define refuse_kernel refuse_sysctl
#define refuse_occupy NULL
#define refuse_rate NULL
#define refuse_expect NULL
#define refuse_endpoint NULL
#define refuse_match NULL
#define refuse_pulse NULL
#define refuse_when NULL
#define refuse_step NULL
#define refuse_rule NULL
#define refuse_policy NULL

#define LANG_BEGIN(section, heading, one_of, block, help) \
	const struct table table_##section = { heading, help, ARRAY_LEN(fields_##section), fields_##section, \
					       one_of, block, false, refuse_##section };
#define LANG_VALUE(section, key, shape, type, words, min, max, flags, help)
#define LANG_PART(section, key, shape, part, flags, help)
#define LANG_END(section)
#include "language.def"

const struct table table_do = {
	"do", "at most one terminal action, plus any of delay, log and signal; at least one of them all",
	ARRAY_LEN(fields_do), fields_do, NULL, false, true, NULL,
};

static const struct {
	uint8_t action, terminal;
} places[] = {
#define SNAG_FAULT(name, is_terminal, built, calls, value, help) { SNAG_ACTION_##name, is_terminal },
#define SNAG_FAULT_PARAM(fault, name, value, built, help) { SNAG_ACTION_##fault, 0 },
#include <snag/faults.def>
};

unsigned language_action(unsigned key)
{
	return key < ARRAY_LEN(places) ? places[key].action : SNAG_ACTION_NONE;
}

bool language_terminal(unsigned action)
{
	for (unsigned key = 0; key < ARRAY_LEN(places); key++)
		if (places[key].action == action && places[key].terminal)
			return true;
	return false;
}
