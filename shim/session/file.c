/* file.c - the session's file. Its layout follows from the sizes alone, so a reader computes every place itself and
 * compares; nothing that the file says is used as an offset. The file is as long as it will ever get and has holes:
 * what the ready counts cover is allocated, and the rest is allocated before the counts grow. */
#include "file.h"

#include <base/sys.h>
#include <errno.h>
#include <session/task.h>
#include <string.h>
#include <sys/mman.h>
#include "folder.h"
#include "tables.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23	/* Linux 5.14 */
#endif

_Static_assert(sizeof(struct snag_header) <= FILE_ALIGN, "the header is smaller than the first section's place");
_Static_assert(SNAG_HOLDS == SNAG_SOCKS, "sockets and references grow together");

static uint64_t align_up(uint64_t n)
{
	return (n + FILE_ALIGN - 1) & ~(uint64_t)(FILE_ALIGN - 1);
}

/* Fills place[]; returns the length of the file. */
static uint64_t file_layout(const struct session_sizes *z, struct snag_section_place place[SNAG_SECTIONS])
{
	const uint64_t size[SNAG_SECTIONS] = {
		[SNAG_SECTION_SESSION] = sizeof(struct session_tables),
		[SNAG_SECTION_MODEL] = z->model_fixed + (uint64_t)z->model_per_sock * SNAG_SOCKS,
		[SNAG_SECTION_TRIGGERS] = z->triggers,
		[SNAG_SECTION_FAULTS] = z->faults_fixed + (uint64_t)z->faults_per_sock * SNAG_SOCKS,
		[SNAG_SECTION_RING] = z->ring_fixed + (uint64_t)z->ring_per_slot * SNAG_RING_SLOTS,
		[SNAG_SECTION_RULES] = z->rules,
	};
	uint64_t at = FILE_ALIGN;

	for (unsigned i = 0; i < SNAG_SECTIONS; i++) {
		place[i] = (struct snag_section_place){.offset = at, .size = size[i]};
		at = align_up(at + size[i]);
	}
	return at;
}

static int room_by_writing(int fd, uint64_t from, uint64_t to)
{
	static const char zeroes[4096];

	while (from < to) {
		ssize_t n = sys_pwrite(fd, zeroes, to - from < sizeof(zeroes) ? to - from : sizeof(zeroes), from);

		if (n <= 0)
			return n < 0 ? (int)n : -ENOSPC;
		from += (uint64_t)n;
	}
	return 0;
}

/* File space for a fresh file: what a new session needs, with fallocate. Where the file system has no such thing,
 * everything at once, by writing it: later growth could not tell holes from what others have written. */
static int room_at_first(int fd, struct snag_header *h, const struct session_sizes *z)
{
	const struct snag_section_place *p = h->section;
	uint64_t tables = p[SNAG_SECTION_SESSION].offset;
	const struct { uint64_t from, size; } part[] = {
		{0, tables + offsetof(struct session_tables, sock) + SESSION_SOCKS_FIRST * sizeof(struct sock)},
		{tables + offsetof(struct session_tables, hold), SESSION_SOCKS_FIRST * sizeof(struct sock_hold)},
		{p[SNAG_SECTION_MODEL].offset, z->model_fixed + SESSION_SOCKS_FIRST * (uint64_t)z->model_per_sock},
		{p[SNAG_SECTION_TRIGGERS].offset, z->triggers},
		{p[SNAG_SECTION_FAULTS].offset, z->faults_fixed + SESSION_SOCKS_FIRST * (uint64_t)z->faults_per_sock},
		{p[SNAG_SECTION_RING].offset, z->ring_fixed + SESSION_RING_FIRST * (uint64_t)z->ring_per_slot},
		{p[SNAG_SECTION_RULES].offset, z->rules},
	};
	int rc = 0;

	h->socks_ready = SESSION_SOCKS_FIRST;
	h->ring_ready = SESSION_RING_FIRST;
	for (unsigned i = 0; i < ARRAY_LEN(part) && rc == 0; i++)
		if (part[i].size)
			rc = (int)sys_call(SYS_fallocate, fd, 0, part[i].from, part[i].size);
	if (rc == -EOPNOTSUPP || rc == -ENOSYS) {
		h->socks_ready = SNAG_SOCKS;
		h->ring_ready = SNAG_RING_SLOTS;
		rc = room_by_writing(fd, 0, p[SNAG_SECTION_RULES].offset + z->rules);
	}
	return rc;
}

/* The writable part and, apart from it, the rule image, which a program under test cannot write to. */
static int file_map(struct session *s, int fd, const struct snag_section_place *p, const struct session_sizes *sizes)
{
	size_t writable = p[SNAG_SECTION_RULES].offset, rules = p[SNAG_SECTION_RULES].size;
	void *image = NULL;
	struct stat st;
	int rc = sys_fstat(fd, &st);
	char *base;

	if (rc)
		return rc;
	base = sys_mmap(NULL, writable, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rc = sys_failed(base);
	if (rc)
		return rc;
	if (rules) {
		image = sys_mmap(NULL, rules, PROT_READ, MAP_SHARED, fd, writable);
		rc = sys_failed(image);
		if (rc) {
			sys_munmap(base, writable);
			return rc;
		}
	}
	sys_madvise(base, writable, MADV_DONTDUMP);
	*s = (struct session){
		.header = (struct snag_header *)base,
		.tables = (struct session_tables *)(base + p[SNAG_SECTION_SESSION].offset),
		.model = base + p[SNAG_SECTION_MODEL].offset,
		.triggers = base + p[SNAG_SECTION_TRIGGERS].offset,
		.faults = base + p[SNAG_SECTION_FAULTS].offset,
		.ring = base + p[SNAG_SECTION_RING].offset,
		.rules = image,
		.rules_size = rules,
		.mapped = writable,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.sizes = *sizes,
	};
	s->sizes.rules = rules;
	return 0;
}

void session_detach(struct session *s)
{
	if (s->header)
		sys_munmap(s->header, s->mapped);
	if (s->rules)
		sys_munmap((void *)s->rules, s->rules_size);
	*s = (struct session){0};
}

/* Everything that stands in a new file besides zeroes. */
static int file_fill(int fd, const char *name, const struct session_sizes *sizes, const struct session_terms *terms,
		     const void *rules, struct session *s)
{
	struct snag_header h = {.magic = SNAG_ABI_MAGIC, .version = SNAG_ABI_VERSION};
	uint64_t length = file_layout(sizes, h.section), lock_at = LOCK_AT_UNKNOWN;
	uint64_t at = h.section[SNAG_SECTION_SESSION].offset + offsetof(struct session_tables, lock_at);
	int rc = (int)sys_call(SYS_fchmod, fd, 0600);

	if (rc == 0)
		rc = (int)sys_call(SYS_ftruncate, fd, length);
	if (rc == 0)
		rc = room_at_first(fd, &h, sizes);
	if (rc < 0)
		return rc;
	h.start_ns = sys_clock_ns(CLOCK_MONOTONIC);
	h.start_real_s = sys_clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
	h.pid_ns = task_pid_ns();
	h.uid = sys_geteuid();
	memcpy(h.name, name, strlen(name) + 1);
	h.seed = terms->seed;
	h.mode = terms->mode;
	h.flags = terms->flags;
	h.keeper_pid = terms->keeper_pid;
	if (sys_pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    sys_pwrite(fd, &lock_at, sizeof(lock_at), at) != sizeof(lock_at))
		return -EIO;
	if (sizes->rules && sys_pwrite(fd, rules, sizes->rules, h.section[SNAG_SECTION_RULES].offset) !=
			    (ssize_t)sizes->rules)
		return -EIO;
	return file_map(s, fd, h.section, sizes);
}

/* ".NAME.PID": a name that no session has; who made it is told from it (session_each). */
static void temporary_name(char *buf, size_t size, const char *name)
{
	size_t len = 0;

	sys_append(buf, size, &len, ".");
	sys_append(buf, size, &len, name);
	sys_append(buf, size, &len, ".");
	sys_append_number(buf, size, &len, sys_gettid());
}

static int create_in(int folder, struct session *s, const char *name, const struct session_sizes *sizes,
		     const struct session_terms *terms, const void *rules)
{
	char temporary[SNAG_SESSION_NAME_MAX + 16];
	int fd, rc;

	temporary_name(temporary, sizeof(temporary), name);
	sys_call(SYS_unlinkat, folder, temporary, 0);
	fd = sys_openat(folder, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	rc = file_fill(fd, name, sizes, terms, rules, s);
	sys_close(fd);
	if (rc == 0) {
		rc = (int)sys_call(SYS_linkat, folder, temporary, folder, name, 0);
		if (rc < 0)
			session_detach(s);
	}
	sys_call(SYS_unlinkat, folder, temporary, 0);
	return rc;
}

static bool exists(const char *name)
{
	struct stat st;
	bool found = false;

	for (unsigned i = 0; i < FOLDERS && !found; i++) {
		int folder = folder_open(i, false, NULL);

		if (folder < 0)
			continue;
		found = sys_call(SYS_newfstatat, folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
		sys_close(folder);
	}
	return found;
}

int session_create(struct session *s, const char *name, const struct session_sizes *sizes,
		   const struct session_terms *terms, const void *rules)
{
	int first = 0, rc;

	if (!session_name_ok(name))
		return -EINVAL;
	if (exists(name))
		return -EEXIST;
	for (unsigned i = 0; i < FOLDERS; i++) {
		int folder = folder_open(i, true, NULL);

		rc = folder < 0 ? folder : create_in(folder, s, name, sizes, terms, rules);
		if (folder >= 0)
			sys_close(folder);
		if (rc == 0 || rc == -EEXIST)
			return rc;
		if (!first)
			first = rc;
	}
	return first;
}

/* A regular file of ours that nobody else may open. */
static int file_open(const char *name)
{
	int rc = -ENOENT;

	for (unsigned i = 0; i < FOLDERS; i++) {
		int folder = folder_open(i, false, NULL), fd;
		struct stat st;

		if (folder < 0) {
			if (folder != -ENOENT)
				rc = folder;
			continue;
		}
		fd = sys_openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
		sys_close(folder);
		if (fd >= 0) {
			if (sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == sys_geteuid() &&
			    !(st.st_mode & 077))
				return fd;
			sys_close(fd);
		}
		if (fd != -ENOENT)
			return -EACCES;
	}
	return rc;
}

/* Is this file one that we understand, laid out as we would? place[] and the size of the rule image come back. */
static int file_check(int fd, const char *name, const struct session_sizes *sizes, struct snag_section_place *place)
{
	struct session_sizes ours = *sizes;
	struct snag_header h;
	struct stat st;
	uint64_t ns;

	if (sys_fstat(fd, &st) < 0 || sys_pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.magic != SNAG_ABI_MAGIC ||
	    h.version != SNAG_ABI_VERSION || h.features != 0 || h.uid != st.st_uid ||
	    strncmp(h.name, name, sizeof(h.name)))
		return -EPROTO;
	ours.rules = h.section[SNAG_SECTION_RULES].size;
	if (ours.rules > (uint64_t)st.st_size)
		return -EPROTO;
	if (file_layout(&ours, place) != (uint64_t)st.st_size ||
	    memcmp(place, h.section, sizeof(h.section)))
		return -EPROTO;
	if (h.flags & SNAG_SESSION_CLOSED)
		return -ESHUTDOWN;
	ns = task_pid_ns();
	return ns && h.pid_ns && ns != h.pid_ns ? -EXDEV : 0;
}

int session_attach(struct session *s, const char *name, const struct session_sizes *sizes)
{
	struct snag_section_place place[SNAG_SECTIONS];
	int fd, rc;

	if (!session_name_ok(name))
		return -ENOENT;
	fd = file_open(name);
	if (fd < 0)
		return fd;
	rc = file_check(fd, name, sizes, place);
	if (rc == 0)
		rc = file_map(s, fd, place, sizes);
	if (rc == 0)
		s->attached_by = sys_getpid();
	sys_close(fd);
	return rc;
}

/* By path, for kernels without MADV_POPULATE_WRITE. */
static int room_by_path(struct session *s, uint64_t from, uint64_t n)
{
	char name[SNAG_SESSION_NAME_MAX];
	int fd, rc;

	memcpy(name, s->header->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	fd = session_name_ok(name) ? file_open(name) : -ENOENT;
	if (fd < 0)
		return fd;
	rc = (int)sys_call(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, from, n);
	sys_close(fd);
	return rc;
}

/* Through the mapping, so that a process that has changed its uid or root can do it too (nginx's workers). */
int file_room(struct session *s, void *p, size_t n)
{
	char *base = (char *)s->header;
	uint64_t from = (uint64_t)((char *)p - base) & ~(uint64_t)(FILE_ALIGN - 1);
	uint64_t to = align_up((uint64_t)((char *)p - base) + n);
	int rc;

	if (to > s->mapped || from >= to)
		return -EPROTO;
	do
		rc = sys_madvise(base + from, to - from, MADV_POPULATE_WRITE);
	while (rc == -EINTR);
	if (rc == -EINVAL)
		rc = room_by_path(s, from, to - from);
	/* EFAULT: a write there would have met SIGBUS */
	return rc == -EFAULT || rc == -ENOMEM ? -ENOSPC : rc;
}

/* ".NAME.ID" of a creator that is dead. */
static void temporary_clear(int folder, const char *entry)
{
	const char *id = strrchr(entry, '.') + 1;
	uint32_t n = 0;

	for (; *id >= '0' && *id <= '9' && n < 100000000; id++)
		n = n * 10 + (uint32_t)(*id - '0');
	if (*id == '\0' && n && sys_tkill(n, 0) == -ESRCH)
		sys_call(SYS_unlinkat, folder, entry, 0);
}

struct each_name {
	void (*each)(const char *name, void *arg);
	void *arg;
};

static void each_entry(int folder, const char *entry, void *arg)
{
	struct each_name *e = arg;
	struct stat st;

	if (entry[0] == '.')
		temporary_clear(folder, entry);
	else if (session_name_ok(entry) &&
		 sys_call(SYS_newfstatat, folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		e->each(entry, e->arg);
}

int session_each(void (*each)(const char *name, void *arg), void *arg)
{
	struct each_name e = {each, arg};
	int rc = 0;

	for (unsigned i = 0; i < FOLDERS; i++) {
		int folder = folder_open(i, false, NULL), one;

		if (folder < 0)
			continue;
		one = folder_each(folder, each_entry, &e);
		if (one < 0 && rc == 0)
			rc = one;
		sys_close(folder);
	}
	return rc;
}
