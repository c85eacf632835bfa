/* family.h - the processes that descend from this one. */
#ifndef CLI_FAMILY_H
#define CLI_FAMILY_H

#include <stdint.h>

/* From now on a descendant whose parent ends stays one: it becomes this process's child, to be waited for. */
void family_keep(void);

/* Those that run now, whatever session they are in; zombies left out. `each` may be NULL. How many there are; 0 also
 * where /proc is not to be read. */
unsigned family_count(void (*each)(void *arg, uint32_t pid), void *arg);

#endif
