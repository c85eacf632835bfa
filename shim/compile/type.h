/* type.h - the kinds of scalars of the language. */
#ifndef COMPILE_TYPE_H
#define COMPILE_TYPE_H

#include "field.h"

#define FOREVER INT64_MAX
#define YEAR (365ll * 24 * 3600 * 1000000000)	/* the longest duration, ns */
#define CHANCE_ONE (1ll << 32)			/* chance: lo is of this */

/* lo: the number; duration: ns; chance: of CHANCE_ONE; errno_name, signal: the number; call: lo and hi are the two
 * words of a call set. span, port, count: lo..hi. nth: lo..hi+step. addr: net, prefix, any. */
extern const struct type type_version, type_number, type_duration, type_hold, type_drops, type_size, type_boolean,
	type_true, type_word, type_text, type_pattern, type_errno_name, type_signal, type_chance, type_nth, type_span,
	type_port, type_count, type_addr, type_user, type_call;

/* Blanks apart, does the text hold only characters that it may? For arguments, which no YAML reader has seen. */
bool text_is_utf8(const char *text);

#endif
