/* The file: made whole or not at all, ours only, checked by who maps it, with room for what its counts promise. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <linux/futex.h>
#include <base/sys.h>

static char folder[128];

static const char *path_of(const char *name)
{
	static char path[256];

	assert_int_equal(session_folder(folder, sizeof(folder), true), 0);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void names(void **state)
{
	char long_one[SNAG_SESSION_NAME_MAX + 1];

	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	long_one[SNAG_SESSION_NAME_MAX] = 0;
	assert_false(session_name_ok(long_one));
	long_one[SNAG_SESSION_NAME_MAX - 1] = 0;
	assert_true(session_name_ok(long_one));
	assert_true(session_name_ok("a"));
	assert_true(session_name_ok("A.b_c-9"));
	static const char *const bad[] = {NULL, "", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa9"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(session_name_ok(bad[i]));
}

static void made_and_mapped(void **state)
{
	struct fixture *f = *state;
	struct session two;
	struct stat st;

	assert_int_equal(stat(path_of(f->name), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_string_equal(f->s.header->name, f->name);
	assert_int_equal(f->s.header->magic, SNAG_ABI_MAGIC);
	assert_string_equal(f->s.rules, rules_text);
	assert_int_equal(f->s.rules_size, sizeof(rules_text));
	assert_int_equal(session_attach(&two, f->name, &sizes), 0);
	assert_ptr_not_equal(two.header, f->s.header);
	strcpy(two.model, "seen by both");
	assert_string_equal(f->s.model, "seen by both");
	assert_string_equal(two.rules, rules_text);
	assert_true(session_now(&two) < 60 * NSEC_PER_SEC);
	session_detach(&two);
	session_detach(&two);
	assert_null(two.header);
	assert_int_equal(session_create(&two, f->name, &sizes, &terms, rules_text), -EEXIST);
}

/* Everything that the counts promise can be written to. */
static void room_is_there(void **state)
{
	struct fixture *f = *state;
	struct session *s = &f->s;

	memset(s->tables->proc, 0, sizeof(s->tables->proc));
	memset(s->tables->sock, 0, 1024 * sizeof(struct sock));
	memset(s->tables->hold, 0, 1024 * sizeof(struct sock_hold));
	memset(s->model, 1, sizes.model_fixed + 1024 * sizes.model_per_sock);
	memset(s->triggers, 1, sizes.triggers);
	memset(s->ring, 0, sizes.ring_fixed + s->header->ring_ready * sizes.ring_per_slot);
	assert_int_equal(s->header->socks_ready, 1024);
	assert_int_equal(s->header->ring_ready, 8192);
	assert_int_equal(session_grow_socks(s), 0);
	assert_int_equal(s->header->socks_ready, 2048);
	assert_int_equal(session_grow_ring(s), 0);
	assert_int_equal(s->header->ring_ready, 16384);
	while (session_grow_ring(s) == 0)
		continue;
	assert_int_equal(s->header->ring_ready, SNAG_RING_SLOTS);
	assert_int_equal(session_grow_ring(s), 1);
}

static int attach_after(struct fixture *f, void (*spoil)(const char *path, void *arg), void *arg)
{
	struct session two;
	int rc;

	spoil(path_of(f->name), arg);
	rc = session_attach(&two, f->name, &sizes);
	if (rc == 0)
		session_detach(&two);
	return rc;
}

static void spoil_mode(const char *path, void *arg)
{
	chmod(path, *(mode_t *)arg);
}
static void spoil_size(const char *path, void *arg)
{
	assert_int_equal(truncate(path, *(off_t *)arg), 0);
}
static void spoil_link(const char *path, void *arg)
{
	unlink(path);
	assert_int_equal(symlink(arg, path), 0);
}
static void spoil_fifo(const char *path, void *arg)
{
	(void)arg;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
}
static void spoil_owner(const char *path, void *arg)
{
	assert_int_equal(chown(path, *(uid_t *)arg, (gid_t)-1), 0);
}

static void what_is_not_ours_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	mode_t open_mode = 0640, shut = 0600;
	uid_t other = 12345, me = geteuid();

	assert_int_equal(attach_after(f, spoil_mode, &open_mode), -EACCES);
	assert_int_equal(attach_after(f, spoil_mode, &shut), 0);
	if (me == 0) {
		assert_int_equal(attach_after(f, spoil_owner, &other), -EACCES);
		assert_int_equal(attach_after(f, spoil_owner, &me), 0);
	}
	assert_int_equal(attach_after(f, spoil_link, "/etc/passwd"), -EACCES);
	assert_int_equal(attach_after(f, spoil_fifo, NULL), -EACCES);
	session_remove(f->name, NULL);
	assert_int_equal(session_attach(&(struct session){0}, f->name, &sizes), -ENOENT);
	assert_int_equal(session_attach(&(struct session){0}, "../passwd", &sizes), -ENOENT);
}

static void what_is_damaged_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	struct snag_header *h = f->s.header, good = *h;
	struct session_sizes other = sizes;
	struct session two;
	struct stat st;
	off_t size;

#define expect_spoiled(field, value, rc)                                              \
	do {                                                                          \
		h->field = value;                                                     \
		assert_int_equal(session_attach(&two, f->name, &sizes), rc);          \
		h->field = good.field;                                                \
	} while (0)
	expect_spoiled(magic, 1, -EPROTO);
	expect_spoiled(version, 2, -EPROTO);
	expect_spoiled(features, 4, -EPROTO);
	expect_spoiled(uid, 77777, -EPROTO);
	expect_spoiled(name[0], 'X', -EPROTO);
	expect_spoiled(section[SNAG_SECTION_RING].offset, 8, -EPROTO);
	expect_spoiled(section[SNAG_SECTION_MODEL].size, UINT64_MAX, -EPROTO);
	expect_spoiled(section[SNAG_SECTION_RULES].size, UINT64_MAX, -EPROTO);
	expect_spoiled(section[SNAG_SECTION_RULES].size, 1u << 20, -EPROTO);
	expect_spoiled(pid_ns, 1, -EXDEV);
	expect_spoiled(flags, SNAG_SESSION_CLOSED, -ESHUTDOWN);
	other.triggers++;
	assert_int_equal(session_attach(&two, f->name, &other), -EPROTO);
	assert_int_equal(session_attach(&two, f->name, &sizes), 0);
	session_detach(&two);
	assert_int_equal(stat(path_of(f->name), &st), 0);
	size = 10;
	assert_int_equal(attach_after(f, spoil_size, &size), -EPROTO);
	size = 0;
	assert_int_equal(attach_after(f, spoil_size, &size), -EPROTO);
}

static void each_name(const char *name, void *arg)
{
	struct fixture *f = arg;

	if (strcmp(name, f->name) == 0)
		strcpy(f->s.model, "found");
	assert_true(session_name_ok(name));
}

static void listed_and_removed(void **state)
{
	struct fixture *f = *state;
	char link[300], other[300], stale[300];
	struct stat st;
	int fd;

	snprintf(link, sizeof(link), "%s.so", path_of(f->name));
	snprintf(other, sizeof(other), "%s.b", path_of(f->name));
	snprintf(stale, sizeof(stale), "%s/.%s.%d", folder, f->name, (int)in_child(_exit(0)));
	while (wait(NULL) > 0)
		continue;
	assert_int_equal(symlink("/nowhere", link), 0);
	fd = open(other, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = open(stale, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(session_each(each_name, f), 0);
	assert_string_equal(f->s.model, "found");
	assert_int_equal(lstat(stale, &st), -1);
	session_remove(f->name, NULL);
	assert_int_equal(lstat(path_of(f->name), &st), -1);
	assert_int_equal(lstat(link, &st), -1);
	assert_int_equal(lstat(other, &st), 0);		/* another session's */
	unlink(other);
	session_remove("../x", NULL);
}

/* Who removes one session leaves the next one of its name alone. */
static void a_successor_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct session old, now;
	struct stat st;

	assert_int_equal(session_attach(&old, f->name, &sizes), 0);
	session_remove(f->name, &old);
	assert_int_equal(lstat(path_of(f->name), &st), -1);
	assert_int_equal(session_create(&now, f->name, &sizes, &terms, rules_text), 0);
	session_remove(f->name, &old);
	assert_int_equal(lstat(path_of(f->name), &st), 0);
	session_remove(f->name, &now);
	assert_int_equal(lstat(path_of(f->name), &st), -1);
	session_detach(&old);
	session_detach(&now);
}

/* Several make one name at once: one does, and whoever attaches finds a whole one. */
static void made_once(void **state)
{
	char name[SNAG_SESSION_NAME_MAX];
	struct session s;
	pid_t pid[4];
	int makers = 0;

	(void)state;
	fresh_name(name, sizeof(name));
	for (int i = 0; i < 4; i++)
		pid[i] = in_child(
			struct session mine;
			int rc = session_create(&mine, name, &sizes, &terms, rules_text);
			child_assert(rc == 0 || rc == -EEXIST);
			child_assert(session_attach(&mine, name, &sizes) == 0);
			child_assert(strcmp(mine.rules, rules_text) == 0);
			_exit(rc == 0 ? 1 : 0));
	for (int i = 0; i < 4; i++)
		makers += WEXITSTATUS(child_status(pid[i]));
	assert_int_equal(makers, 1);
	assert_int_equal(session_attach(&s, name, &sizes), 0);
	session_detach(&s);
	session_remove(name, NULL);
}

/* In a mount namespace of its own: /dev/shm of a given size, and an empty /tmp. 0, or 1: not allowed here. */
static int tiny_shm(const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	return mount("none", "/dev/shm", "tmpfs", 0, options) < 0 || mount("none", "/tmp", "tmpfs", 0, "size=64m") < 0;
}

#define NOT_ALLOWED 77
static void expect_child(pid_t pid)
{
	int status = child_status(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ALLOWED)
		skip();
	assert_int_equal(status, 0);
}

static void a_full_shm_leads_to_tmp(void **state)
{
	(void)state;
	expect_child(in_child(
		struct session s;
		struct stat st;
		char path[128];
		if (tiny_shm("size=1m"))
			_exit(NOT_ALLOWED);
		child_assert(session_create(&s, "a", &sizes, &terms, rules_text) == 0);
		memset(s.tables->proc, 0, sizeof(s.tables->proc));
		snprintf(path, sizeof(path), "/tmp/snag-%u/a", (unsigned)geteuid());
		child_assert(stat(path, &st) == 0);
		session_detach(&s);
		child_assert(session_attach(&s, "a", &sizes) == 0);
		child_assert(session_create(&s, "a", &sizes, &terms, rules_text) == -EEXIST);
		session_remove("a", NULL);
		child_assert(stat(path, &st) < 0);
		umount("/tmp");
		child_assert(mount("none", "/tmp", "tmpfs", 0, "size=1m") == 0);
		child_assert(session_create(&s, "b", &sizes, &terms, rules_text) == -ENOSPC);
		child_assert(session_attach(&s, "b", &sizes) == -ENOENT)));
}

/* Growth meets a full file system as an answer, never as SIGBUS. */
static void growth_on_a_full_shm(void **state)
{
	(void)state;
	expect_child(in_child(
		struct session s;
		uint32_t me;
		uint32_t n = 0;
		if (tiny_shm("size=4m"))
			_exit(NOT_ALLOWED);
		child_assert(session_create(&s, "a", &sizes, &terms, rules_text) == 0);
		me = proc_join(&s);
		child_assert(me);
		while (session_grow_ring(&s) == 0)
			n++;
		child_assert(session_grow_ring(&s) == -ENOSPC);
		memset(s.ring, 0, sizes.ring_fixed + s.header->ring_ready * sizes.ring_per_slot);
		for (n = 0; sock_new(&s, me, 3).sock; n++)
			memset((char *)s.model + sizes.model_fixed + n * sizes.model_per_sock, 1, sizes.model_per_sock);
		child_assert(n >= 1024 && n == s.header->socks_ready && s.header->lost == 1)));
}

static void a_folder_of_somebody_else_is_refused(void **state)
{
	(void)state;
	expect_child(in_child(
		char buf[128];
		char shm[64];
		if (geteuid() != 0 || tiny_shm("size=8m"))
			_exit(NOT_ALLOWED);
		snprintf(shm, sizeof(shm), "/dev/shm/snag-%u", (unsigned)geteuid());
		child_assert(session_folder(buf, sizeof(buf), false) == -ENOENT);
		child_assert(mkdir(shm, 0755) == 0);
		child_assert(session_folder(buf, sizeof(buf), false) == -EACCES);
		child_assert(session_folder(buf, sizeof(buf), true) == 0 && strncmp(buf, "/tmp/", 5) == 0);
		child_assert(chmod(shm, 0700) == 0 && session_folder(buf, sizeof(buf), false) == 0);
		child_assert(strcmp(buf, shm) == 0 && session_folder(buf, 10, false) == -ENAMETOOLONG);
		child_assert(chown(shm, 12345, 12345) == 0);
		child_assert(session_folder(buf, sizeof(buf), false) == 0 && strncmp(buf, "/tmp/", 5) == 0);
		rmdir(shm);
		child_assert(symlink("/tmp", shm) == 0);
		child_assert(session_folder(buf, sizeof(buf), false) == 0 && strncmp(buf, "/tmp/", 5) == 0)));
}

/* A keeper in a child: one pass each time it is woken, as long as the parent lives. */
static pid_t keeper(struct session *s, unsigned passes)
{
	return in_child(
		uint32_t woken = 0;
		struct timespec second = {1, 0};
		for (unsigned n = 0; n < passes;) {
			uint32_t now = load_acquire(&s->header->keeper_wake);
			if (now == woken) {
				sys_futex(&s->header->keeper_wake, FUTEX_WAIT, now, &second);
				continue;
			}
			woken = now;
			n++;
			session_drained(s);
		}
		pause());
}

static void flush_waits_for_the_keeper(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	assert_false(session_flush(&f->s, NSEC_PER_SEC));	/* no keeper */
	pid = keeper(&f->s, 3);
	f->s.header->keeper_pid = (uint32_t)pid;
	assert_true(session_flush(&f->s, 60 * NSEC_PER_SEC));
	assert_false(session_flush(&f->s, 20 * NSEC_PER_MSEC));	/* it makes only one pass more */
	kill(pid, SIGKILL);
	child_status(pid);
	assert_false(session_flush(&f->s, 3600 * NSEC_PER_SEC));	/* dead: no wait */
	assert_false(session_tracing(&f->s));
	f->s.header->flags |= SNAG_SESSION_TRACING;
	assert_true(session_tracing(&f->s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		with_session(made_and_mapped),
		with_session(room_is_there),
		with_session(what_is_not_ours_is_not_mapped),
		with_session(what_is_damaged_is_not_mapped),
		with_session(listed_and_removed),
		with_session(a_successor_is_not_removed),
		cmocka_unit_test(made_once),
		cmocka_unit_test(a_full_shm_leads_to_tmp),
		cmocka_unit_test(growth_on_a_full_shm),
		cmocka_unit_test(a_folder_of_somebody_else_is_refused),
		with_session(flush_waits_for_the_keeper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
