/* elf.c - what an executable's ELF headers say. The file is somebody else's: nothing in it is believed unchecked.
 * Only what is of this machine's word size is read beyond the first 20 bytes: another size cannot be loaded anyway. */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 256			/* program headers looked at; real files have a dozen */
#define SEGMENT_MAX (256u << 10)	/* bytes of a note or dynamic segment looked at */

typedef int segment_fn(struct elf_facts *f, const char *p, size_t n);

/* All n bytes at `at`, else -ENOEXEC. */
static int read_at(int fd, void *to, size_t n, uint64_t at)
{
	size_t done = 0;

	if (at > INT64_MAX - n)
		return -ENOEXEC;
	while (done < n) {
		ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENOEXEC;
		done += (size_t)got;
	}
	return 0;
}

static int with_segment(int fd, const ElfW(Phdr) *ph, segment_fn *look, struct elf_facts *f)
{
	size_t n = ph->p_filesz < SEGMENT_MAX ? ph->p_filesz : SEGMENT_MAX;
	char *p = malloc(n ? n : 1);
	int err = p ? read_at(fd, p, n, ph->p_offset) : -ENOMEM;

	if (!err)
		err = look(f, p, n);
	free(p);
	return err;
}

/* Notes are (name size, value size, type), then both, each padded to four bytes. */
static int look_notes(struct elf_facts *f, const char *p, size_t n)
{
	size_t at = 0;
	ElfW(Nhdr) note;

	while (n - at >= sizeof(note)) {
		memcpy(&note, p + at, sizeof(note));
		at += sizeof(note);
		uint64_t size = ((uint64_t)note.n_namesz + 3) / 4 * 4 + ((uint64_t)note.n_descsz + 3) / 4 * 4;
		if (size > n - at)
			break;
		if (note.n_namesz == 4 && memcmp(p + at, "Go\0", 4) == 0)
			f->go = true;
		at += size;
	}
	return 0;
}

static int look_dynamic(struct elf_facts *f, const char *p, size_t n)
{
	ElfW(Dyn) d;

	f->dynamic = true;
	for (size_t at = 0; n - at >= sizeof(d); at += sizeof(d)) {
		memcpy(&d, p + at, sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_FLAGS_1 && d.d_un.d_val & DF_1_PIE)
			f->pie_flag = true;
	}
	return 0;
}

static int look_headers(int fd, const ElfW(Ehdr) *eh, struct elf_facts *f)
{
	ElfW(Phdr) ph;
	int err = 0;

	if (eh->e_phentsize != sizeof(ph))
		return -ENOEXEC;
	for (unsigned i = 0; !err && i < eh->e_phnum && i < HEADERS_MAX; i++) {
		if (eh->e_phoff > INT64_MAX - HEADERS_MAX * sizeof(ph))
			return -ENOEXEC;
		err = read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph));
		if (err)
			break;
		if (ph.p_type == PT_INTERP)
			f->interpreter = true;
		else if (ph.p_type == PT_DYNAMIC)
			err = with_segment(fd, &ph, look_dynamic, f);
		else if (ph.p_type == PT_NOTE)
			err = with_segment(fd, &ph, look_notes, f);
	}
	return err;
}

int elf_read(int fd, struct elf_facts *f)
{
	unsigned char ident[EI_NIDENT + 4];	/* up to e_machine, the same in all classes */
	ElfW(Ehdr) eh;
	int err = read_at(fd, ident, sizeof(ident), 0);

	memset(f, 0, sizeof(*f));
	if (err)
		return err;
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	f->big_endian = ident[EI_DATA] == ELFDATA2MSB;
	f->bits = ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	f->machine = (uint16_t)(f->big_endian ? ident[18] << 8 | ident[19] : ident[19] << 8 | ident[18]);
	f->type = (uint16_t)(f->big_endian ? ident[16] << 8 | ident[17] : ident[17] << 8 | ident[16]);
	if (f->big_endian || f->bits != __ELF_NATIVE_CLASS)
		return 0;
	err = read_at(fd, &eh, sizeof(eh), 0);
	return err ? err : look_headers(fd, &eh, f);
}
