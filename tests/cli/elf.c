/* elf.c - reading executables: what they are, and that no byte of them is believed unchecked. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <cli/elf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory. */
static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	return fd;
}

struct image {
	ElfW(Ehdr) eh;
	ElfW(Phdr) ph[2];
	char data[64];
};

static struct image image_of(uint32_t type0, uint32_t type1)
{
	struct image m = { .eh = { .e_type = ET_DYN, .e_machine = EM_X86_64, .e_phoff = offsetof(struct image, ph),
				   .e_phentsize = sizeof(ElfW(Phdr)), .e_phnum = 2 } };

	memcpy(m.eh.e_ident, ELFMAG, SELFMAG);
	m.eh.e_ident[EI_CLASS] = __ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32;
	m.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	m.ph[0] = (ElfW(Phdr)){ .p_type = type0, .p_offset = offsetof(struct image, data), .p_filesz = sizeof(m.data) };
	m.ph[1] = m.ph[0];
	m.ph[1].p_type = type1;
	return m;
}

static int read_image(const struct image *m, size_t n, struct elf_facts *f)
{
	int fd = file_of(m, n), err = elf_read(fd, f);

	close(fd);
	return err;
}

static void test_facts(void **state)
{
	struct elf_facts f;
	struct image m = image_of(PT_INTERP, PT_NULL);
	ElfW(Dyn) pie[2] = { { .d_tag = DT_FLAGS_1, .d_un.d_val = DF_1_PIE }, { .d_tag = DT_NULL } };
	static const unsigned char go_note[] = { 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 'G', 'o', 0, 0, 'i', 'd', '!', '!' };

	(void)state;
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	assert_true(f.interpreter && !f.go && !f.dynamic && f.machine == EM_X86_64);

	m = image_of(PT_NOTE, PT_DYNAMIC);
	m.ph[1].p_offset = offsetof(struct image, data) + 32;
	m.ph[1].p_filesz = sizeof(pie);
	memcpy(m.data, go_note, sizeof(go_note));
	memcpy(m.data + 32, pie, sizeof(pie));
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	assert_true(f.go && f.dynamic && f.pie_flag && !f.interpreter);
}

static void test_foreign_machines(void **state)
{
	struct elf_facts f;
	struct image m = image_of(PT_INTERP, PT_NULL);

	(void)state;
	m.eh.e_ident[EI_CLASS] = ELFCLASS32;
	m.eh.e_machine = EM_386;
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	assert_int_equal(f.bits, 32);
	assert_int_equal(f.machine, EM_386);
	m.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	assert_true(f.big_endian);
}

static void test_cut_short(void **state)
{
	struct elf_facts f;
	struct image m = image_of(PT_NOTE, PT_DYNAMIC);

	(void)state;
	for (size_t n = 0; n < offsetof(struct image, data); n++)
		assert_int_equal(read_image(&m, n, &f), -ENOEXEC);
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	m.ph[0].p_offset = UINT64_MAX - 3;
	assert_int_equal(read_image(&m, sizeof(m), &f), -ENOEXEC);
	m = image_of(PT_NOTE, PT_NULL);
	m.eh.e_phoff = UINT64_MAX - 8;
	assert_int_equal(read_image(&m, sizeof(m), &f), -ENOEXEC);
	m = image_of(PT_NOTE, PT_NULL);
	m.eh.e_phentsize = 1;
	assert_int_equal(read_image(&m, sizeof(m), &f), -ENOEXEC);
	m = image_of(PT_NOTE, PT_NULL);		/* a note larger than its segment */
	memset(m.data, 0xff, sizeof(m.data));
	assert_int_equal(read_image(&m, sizeof(m), &f), 0);
	assert_false(f.go);
}

/* This very program with bytes turned over: any answer, no crash. */
static void test_random_flips(void **state)
{
	static char own[8192], flipped[8192];
	unsigned seed = 3;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, own, sizeof(own));
	struct elf_facts f;

	(void)state;
	assert_true(n == (ssize_t)sizeof(own));
	assert_int_equal(elf_read(fd, &f), 0);
	assert_true(f.interpreter && f.dynamic && !f.go);
	close(fd);
	int file = memfd_create("flipped", MFD_CLOEXEC);
	for (int round = 0; round < 5000; round++) {
		memcpy(flipped, own, sizeof(own));
		for (int i = 0; i < 8; i++)
			flipped[rand_r(&seed) % 1024] = (char)rand_r(&seed);
		assert_int_equal(pwrite(file, flipped, sizeof(flipped), 0), (ssize_t)sizeof(flipped));
		int err = elf_read(file, &f);
		assert_true(err == 0 || err == -ENOEXEC);
	}
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_foreign_machines),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_random_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
