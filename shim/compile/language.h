/* language.h - the tables of language.def and faults.def, and their keys' places: KEY_match_port, KEY_do_errno. */
#ifndef COMPILE_LANGUAGE_H
#define COMPILE_LANGUAGE_H

#include "field.h"

#define LANG_BEGIN(section, heading, one_of, block, help) enum key_##section {
#define LANG_VALUE(section, key, shape, type, words, min, max, flags, help) KEY_##section##_##key,
#define LANG_PART(section, key, shape, part, flags, help) KEY_##section##_##key,
#define LANG_END(section) KEYS_##section };
#include "language.def"

enum key_do {
#define SNAG_FAULT(name, terminal, built, calls, value, help) KEY_do_##name,
#define SNAG_FAULT_PARAM(fault, name, value, built, help) KEY_do_##name,
#include <snag/faults.def>
	KEYS_do
};

extern const struct table table_policy, table_endpoint, table_kernel, table_occupy, table_rule, table_match, table_when,
	table_pulse, table_step, table_do, table_expect, table_rate;

enum language_side { SIDE_LOCAL, SIDE_PEER, SIDE_OWN };	/* OWN, said by no word: of the call */

/* The enum snag_action whose key or parameter stands at that place of table_do. */
unsigned language_action(unsigned key);
bool language_terminal(unsigned action);

enum { OVERFLOW_DROP, OVERFLOW_RESET };	/* values of do.overflow */

#endif
