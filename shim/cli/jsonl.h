/* jsonl.h - a record as one line of JSON, and back. */
#ifndef CLI_JSONL_H
#define CLI_JSONL_H

#include "buf.h"
#include "record.h"

#include <jansson.h>

/* Appends the line, its newline included. */
void jsonl_write(struct buf *b, const struct record *r);

/* Any struct of a table of fields as an object, without a newline. */
void jsonl_object(struct buf *b, const struct record_field *f, const void *base);

/* One line, parsed. The record's texts live in *json: json_decref it when done. 0, or -1 where the line is no JSON
 * object; fields of unknown names or other types are passed over. */
int jsonl_read(const char *line, size_t len, struct record *r, json_t **json);

#endif
