/* env.h - the environment: what snag reads of it, and what a child gets back when it was cleared. */
#ifndef PRELOAD_ENV_H
#define PRELOAD_ENV_H

#include <stdbool.h>
#include <stddef.h>

extern char **environ;

/* The value of a variable at the start of the program, or NULL. Only the constructor asks. */
const char *env_get(const char *name);

/* What children get: this library first in LD_PRELOAD, the session's name, and the same name as a mark that they have it
 * from us and not from their user. `given` is the name under which the
 * library was loaded, which may mean nothing in another folder: it is left out. The texts must stay. */
void env_keep(const char *library, const char *given, const char *session);

/* Bytes that env_build needs for this environment (NULL: an empty one); 0: it has what a child needs, or there is no
 * session: use it as it is. */
size_t env_need(char *const *envp);
/* The environment with what a child needs, in mem; the other entries are shared with envp. Nothing is allocated. */
char **env_build(void *mem, size_t size, char *const *envp);

/* The program's own environment, for what reads it inside the C library (system, popen). */
void env_repair_own(void);

#endif
