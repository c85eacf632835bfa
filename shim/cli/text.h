/* text.h - a record as people read it: one line a call, as strace users expect it, the reason below a refusal. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "buf.h"
#include "record.h"

/* Appends whole lines. */
void text_write(struct buf *b, const struct record *r, bool colour);

/* Its first line without the newline, what was called and what it gave: "0.1 nginx[7] bind(6, 0.0.0.0:80) = 0". */
void text_call(struct buf *b, const struct record *r);

/* What the model expected, as the object of a sentence. */
struct text text_expected(const struct record *r);

#endif
