/* name.h - the paths of bound unix sockets. Changes under the lock. */
#ifndef MODEL_NAME_H
#define MODEL_NAME_H

#include "model.h"

/* Remembers the path of slot + 1; without room it goes without. */
void name_set(struct model *m, uint32_t sock, const char *path, uint16_t len);
void name_drop(struct model *m, uint32_t sock);

#endif
