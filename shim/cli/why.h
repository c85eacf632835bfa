/* why.h - a refusal in plain words, and what would make the call work: derived from the reason, the states and the
 * options, so that no program under test has to write words. */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "buf.h"
#include "record.h"

/* "redis[4100] fd 7: LISTEN on 127.0.0.1:8080 without SO_REUSEPORT (since 12.4 s)"; now_ns: session time. */
void why_holder(struct buf *b, const struct record_holder *h, int64_t now_ns);

/* `code` is an enum snag_why; r is the refused call, its holder filled in. Appends nothing where nothing is known. */
void why_text(struct buf *b, unsigned code, const struct record *r);
/* Of a port that snag itself keeps taken: the holder says on whose behalf, and until when. now_ns: session time. */
void why_occupied(struct buf *b, const struct record_holder *h, int64_t now_ns);
void why_occupied_fix(struct buf *b, const struct record_holder *h, int64_t now_ns);
/* Its end alone: after a wait, or without the entry or the rule. */
void why_occupied_end(struct buf *b, const struct record_holder *h, int64_t now_ns);
void why_fix(struct buf *b, unsigned code, const struct record *r);

#endif
