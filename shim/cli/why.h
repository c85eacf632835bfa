/* why.h - a refusal in plain words, and what would make the call work: derived from the reason, the states and the
 * options, so that no program under test has to write words. */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "buf.h"
#include "record.h"

/* `code` is an enum snag_why; r is the refused call, its holder filled in. Appends nothing where nothing is known. */
void why_text(struct buf *b, unsigned code, const struct record *r);
void why_fix(struct buf *b, unsigned code, const struct record *r);

#endif
