/* elf.h - what an executable's ELF headers say about whether a library can be loaded into it. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_facts {
	uint8_t bits;		/* 32, 64 */
	uint16_t machine;	/* EM_* */
	uint16_t type;		/* ET_* */
	bool big_endian;
	bool interpreter;	/* a dynamic loader starts it */
	bool dynamic;		/* it has a dynamic section */
	bool pie_flag;		/* DF_1_PIE: an executable, not a library or a loader */
	bool go;		/* made by the Go toolchain */
};

/* Reads the open file. 0; -ENOEXEC: no ELF file, or one cut short; -errno. Every offset and size is checked against the
 * file. */
int elf_read(int fd, struct elf_facts *f);

#endif
