/* machine.h - what the machine has set for the network namespace of this process. */
#ifndef PRELOAD_MACHINE_H
#define PRELOAD_MACHINE_H

#include <model/model.h>

/* From /proc/sys/net, once in each process; what cannot be read has the kernel's default. */
const struct model_machine *machine_read(void);

#endif
