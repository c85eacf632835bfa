/* text.h - a record as people read it: one line a call, as strace users expect it, the reason below a refusal. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "buf.h"
#include "record.h"

/* Appends whole lines. */
void text_write(struct buf *b, const struct record *r, bool colour);

#endif
