/* occupants.c - the ports that a keeper keeps taken: on time, by entries and by orders that may be anything. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <base/addr.h>
#include <cli/occupants.h>
#include <compile/compile.h>
#include <effects/occupant.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <session/session.h>
#include <snag/call.h>
#include <snag/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEC 1000000000ull

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A bound socket on a port of the kernel's choice, or on this one; -1: taken. */
static int take(uint16_t *port)
{
	struct sockaddr_in in = loopback(*port);
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0) {
		assert_int_equal(errno, EADDRINUSE);
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static bool is_free(uint16_t port)
{
	int fd = take(&port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static uint16_t free_port(void)
{
	uint16_t port = 0;

	close(take(&port));
	return port;
}

/* The image of one --rule, and occupied ports by --set. */
static struct compiled policy(const char *rule, const char *yaml)
{
	char file[] = "/tmp/occupants.XXXXXX";
	const char *files[] = { file };
	struct compile_input in = { .rules = &rule, .n_rules = rule != NULL };
	struct compiled out;

	if (yaml) {
		int fd = mkstemp(file);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
		close(fd);
		in.files = files;
		in.n_files = 1;
	}
	assert_int_equal(compile_policy(&in, &out, stderr), 0);
	if (yaml)
		unlink(file);
	return out;
}

/* What was told, "begin 0, end 0, ". */
static char told[256];

static void tell(void *arg, const struct occupant *o, const char *what, uint64_t now_ns)
{
	size_t n = strlen(told);

	(void)arg, (void)now_ns;
	snprintf(told + n, sizeof(told) - n, "%s %d%s, ", what, o->entry == OCCUPANT_NO_ENTRY ? -1 : (int)o->entry,
		 o->err ? "!" : "");
}

static void assert_told(const char *what)
{
	assert_string_equal(told, what);
	told[0] = 0;
}

static void test_on_time(void **state)
{
	uint16_t a = free_port(), b = free_port(), c = 0;
	int held = take(&c);
	char yaml[512];
	struct occupants l;
	int fds[OCCUPANTS + 1];

	(void)state;
	snprintf(yaml, sizeof(yaml),
		 "version: 1\noccupy:\n  - {port: %u, for: 5s}\n  - {port: %u, as: bound, from: 2s}\n"
		 "  - {port: %u, from: 3s}\n", a, b, c);
	struct compiled p = policy(NULL, yaml);
	assert_int_equal(occupants_open(&l, p.image, "no-session"), 0);
	assert_int_equal(l.orders, -1);
	occupants_each(&l, 0, false, tell, NULL);
	assert_told("begin 0, ");
	assert_true(!is_free(a) && is_free(b));
	assert_true(occupants_due(&l) == 2 * SEC);
	occupants_step(&l, 2 * SEC - 1, tell, NULL);
	assert_told("");
	occupants_step(&l, 2 * SEC, tell, NULL);
	assert_told("begin 1, ");
	assert_true(!is_free(a) && !is_free(b));
	assert_int_equal(occupants_fds(&l, fds), 3);
	occupants_step(&l, 4 * SEC, tell, NULL);
	assert_told("failed 2!, ");
	occupants_step(&l, 5 * SEC, tell, NULL);
	assert_told("end 0, ");
	assert_true(is_free(a));
	assert_true(occupants_due(&l) == UINT64_MAX);

	struct snag_addr addr = { .family = AF_INET, .port = a, .ip = { 127, 0, 0, 1 } };
	assert_non_null(occupants_find(&l, SNAG_PROTO_TCP, &addr, SEC, SEC));
	assert_null(occupants_find(&l, SNAG_PROTO_UDP, &addr, SEC, SEC));
	assert_null(occupants_find(&l, SNAG_PROTO_TCP, &addr, 6 * SEC, 6 * SEC));
	addr.ip[3] = 2;
	assert_null(occupants_find(&l, SNAG_PROTO_TCP, &addr, SEC, SEC));
	addr.port = c;
	addr.ip[3] = 1;
	assert_null(occupants_find(&l, SNAG_PROTO_TCP, &addr, 0, 9 * SEC));	/* it never stood there */
	occupants_each(&l, 6 * SEC, true, tell, NULL);
	assert_told("end 1, ");
	occupants_close(&l);
	assert_true(is_free(b));
	compile_free(&p);
	close(held);
}

/* Sends n bytes of o with these descriptors. */
static void order(const char *path, const struct snag_occupant_order *o, size_t n, const int *fds, size_t n_fds)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec bytes = { (void *)o, n };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &bytes, .msg_iovlen = 1 };
	int by = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, path, strlen(path) + 1);
	if (n_fds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)), .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(by, &m, 0), n);
	close(by);
}

static void test_orders(void **state)
{
	struct snag_occupant_order good = { .magic = SNAG_OCCUPANT_MAGIC, .proto = SNAG_PROTO_TCP, .rule = 1,
					    .until_ns = 9 * SEC, .addr = { .family = AF_INET } }, bad;
	struct compiled p = policy("close: steal=1s", NULL);
	char path[OCCUPANT_PATH_MAX], folder[64], name[32];
	struct occupants l;
	uint16_t port = 0;
	int fd = take(&port), many[8];

	(void)state;
	snprintf(name, sizeof(name), "test-%d", (int)getpid());
	assert_int_equal(occupants_open(&l, p.image, name), 0);
	assert_true(l.orders >= 0);
	assert_int_equal(session_folder(folder, sizeof(folder), false), 0);
	assert_true(occupant_path(path, folder, name));
	good.addr.port = port;
	for (unsigned i = 0; i < 8; i++)
		many[i] = fd;
	/* what is not whole, or not true, or too much, is taken from the queue and let go of */
	order(path, &good, sizeof(good) - 1, &fd, 1);
	order(path, &good, sizeof(good), NULL, 0);
	bad = good, bad.magic++, order(path, &bad, sizeof(bad), &fd, 1);
	bad = good, bad.as = SNAG_OCCUPANTS, order(path, &bad, sizeof(bad), &fd, 1);
	bad = good, bad.proto = SNAG_PROTO_UNIX, order(path, &bad, sizeof(bad), &fd, 1);
	bad = good, bad.addr.family = AF_UNIX, order(path, &bad, sizeof(bad), &fd, 1);
	bad = good, bad.rule = 0, order(path, &bad, sizeof(bad), &fd, 1);
	bad = good, bad.magic = 0, order(path, &bad, sizeof(bad), many, 8);
	occupants_step(&l, SEC, tell, NULL);
	assert_told("");
	order(path, &good, sizeof(good), many, 3);
	occupants_step(&l, SEC, tell, NULL);
	assert_told("begin -1, ");
	close(fd);
	assert_false(is_free(port));
	occupants_step(&l, 9 * SEC, tell, NULL);
	assert_told("end -1, ");
	assert_true(is_free(port));	/* no copy was left behind */
	occupants_close(&l);
	unlink(path);
	compile_free(&p);
}

/* More than there is room for: the oldest of those that are over give way, those that stand never do. */
static void test_room(void **state)
{
	struct snag_occupant_order o = { .magic = SNAG_OCCUPANT_MAGIC, .proto = SNAG_PROTO_TCP, .rule = 1,
					 .until_ns = 2 * SEC, .addr = { .family = AF_INET, .port = 1 } };
	struct compiled p = policy("close: steal=1s", NULL);
	char path[OCCUPANT_PATH_MAX], folder[64], name[32];
	struct occupants l;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	snprintf(name, sizeof(name), "test-%d", (int)getpid());
	assert_int_equal(occupants_open(&l, p.image, name), 0);
	assert_int_equal(session_folder(folder, sizeof(folder), false), 0);
	assert_true(occupant_path(path, folder, name));
	for (unsigned i = 0; i < OCCUPANTS + 5; i++) {
		order(path, &o, sizeof(o), &fd, 1);
		occupants_step(&l, SEC, tell, NULL);
		told[0] = 0;
	}
	assert_int_equal(l.high, OCCUPANTS);
	occupants_step(&l, 2 * SEC, tell, NULL);
	told[0] = 0;
	o.until_ns = 3 * SEC;
	order(path, &o, sizeof(o), &fd, 1);
	occupants_step(&l, 2 * SEC, tell, NULL);
	assert_told("begin -1, ");
	occupants_close(&l);
	unlink(path);
	close(fd);
	compile_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_time),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
