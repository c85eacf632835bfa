/* The virtual kernel against its table: what it refuses, each row naming where the real kernel says so. */
#include "drive.h"

#include <model/virtual.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FILES .given = SNAG_KERNEL_OPEN_FILES, .open_files
#define SOCKETS .given = SNAG_KERNEL_OPEN_SOCKETS, .open_sockets
#define START .given = SNAG_KERNEL_UNPRIVILEGED_START, .privileged = 1, .unprivileged_start

/* Two sockets are there: 1 over TCP and IPv4, 2 over UDP and IPv6. */
struct limit_row {
	const char *source;
	struct snag_kernel k;
	struct snag_call c;
	int err;
	unsigned why;
};

#define CALL(name) .call = SNAG_CALL_##name
#define NEXT(fd) .facts = SNAG_FACT_NEXT_FD, .next_fd = fd
#define BIND4(p) CALL(bind), .sock = 1, .serial = 1, .proto = SNAG_PROTO_TCP, .domain = AF_INET, \
		 .addr = {.family = AF_INET, .port = p}
#define BIND6(p) CALL(bind), .sock = 2, .serial = 2, .proto = SNAG_PROTO_UDP, .domain = AF_INET6, \
		 .addr = {.family = AF_INET6, .port = p}
#define ROOT .facts = SNAG_FACT_PRIVILEGED, .privileged = 1
#define USER .facts = SNAG_FACT_PRIVILEGED

static const struct limit_row limits[] = {
	{"alloc_fd() (fs/file.c)", {FILES = 5}, {CALL(socket), NEXT(4)}, 0, 0},
	{"alloc_fd() (fs/file.c)", {FILES = 5}, {CALL(socket), NEXT(5)}, EMFILE, SNAG_WHY_OPEN_FILES},
	{"alloc_fd() (fs/file.c)", {FILES = 5}, {CALL(socketpair), NEXT(5)}, EMFILE, SNAG_WHY_OPEN_FILES},
	{"alloc_fd() (fs/file.c)", {FILES = 0}, {CALL(dup), NEXT(0)}, EMFILE, SNAG_WHY_OPEN_FILES},
	{"__sys_accept4_file(): before the queue", {FILES = 5}, {CALL(accept4), NEXT(9)}, EMFILE, SNAG_WHY_OPEN_FILES},
	{"the fact is missing: the real limit answers", {FILES = 5}, {CALL(accept)}, 0, 0},
	{"f_dupfd() (fs/file.c)", {FILES = 5}, {CALL(fcntl), NEXT(7), .arg = {3}}, EMFILE, SNAG_WHY_OPEN_FILES},
	{"f_dupfd() (fs/file.c)", {FILES = 5}, {CALL(fcntl), NEXT(7), .arg = {5}}, EINVAL, SNAG_WHY_OPEN_FILES},
	{"ksys_dup3() (fs/file.c)", {FILES = 5}, {CALL(dup2), .arg = {5}}, EBADF, SNAG_WHY_OPEN_FILES},
	{"ksys_dup3() (fs/file.c)", {FILES = 5}, {CALL(dup3), .arg = {4}}, 0, 0},
	{"alloc_empty_file() (fs/file_table.c)", {SOCKETS = 3}, {CALL(socket)}, 0, 0},
	{"alloc_empty_file() (fs/file_table.c)", {SOCKETS = 2}, {CALL(socket)}, ENFILE, SNAG_WHY_OPEN_SOCKETS},
	{"alloc_empty_file() (fs/file_table.c)", {SOCKETS = 3}, {CALL(socketpair)}, ENFILE, SNAG_WHY_OPEN_SOCKETS},
	{"alloc_empty_file() (fs/file_table.c)", {SOCKETS = 0}, {CALL(accept)}, ENFILE, SNAG_WHY_OPEN_SOCKETS},
	{"__inet_bind() (net/ipv4/af_inet.c)", {START = 5000}, {BIND4(4999), USER}, EACCES, SNAG_WHY_PRIVILEGED},
	{"__inet_bind() (net/ipv4/af_inet.c)", {START = 5000}, {BIND4(5000), USER}, 0, 0},
	{"__inet_bind(): any port will do", {START = 5000}, {BIND4(0), USER}, 0, 0},
	{"__inet6_bind(), over UDP too", {START = 5000}, {BIND6(4999), USER}, EACCES, SNAG_WHY_PRIVILEGED},
	{"ns_capable(CAP_NET_BIND_SERVICE)", {START = 5000}, {BIND4(80), ROOT}, 0, 0},
	{"privileged: false", {.given = SNAG_KERNEL_PRIVILEGED, .unprivileged_start = 1024}, {BIND4(80), ROOT}, EACCES,
	 SNAG_WHY_PRIVILEGED},
	{"another key", {.given = SNAG_KERNEL_SOMAXCONN}, {BIND4(80), USER}, 0, 0},
};

static void test_limits(void **state)
{
	struct drive *d = drive_begin();

	(void)state;
	drive_socket(d, 1, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	drive_socket(d, 2, SNAG_PROTO_UDP, AF_INET6, SOCK_DGRAM);
	for (unsigned i = 0; i < COUNT(limits); i++) {
		const struct limit_row *r = &limits[i];
		struct virtual_verdict v;
		virtual_decide(d->m, &r->k, &r->c, &(struct snag_plan){0}, &v);
		if (v.err != r->err || v.why != r->why)
			fail_msg("row %u (%s): %d, reason %u", i, r->source, v.err, v.why);
	}
	drive_end(d);
}

/* __sys_listen() (net/socket.c): the argument is compared as an unsigned number. */
static const struct {
	int32_t somaxconn, asked, got;
} backlogs[] = {{4, 3, 3}, {4, 4, 4}, {4, 5, 4}, {4, -1, 4}, {0, 0, 0}, {0, 1, 0}, {4, INT32_MIN, 4}};

static void test_backlog(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(backlogs); i++) {
		struct snag_kernel k = {.given = SNAG_KERNEL_SOMAXCONN, .somaxconn = backlogs[i].somaxconn};
		struct snag_call c = {CALL(listen), .arg = {backlogs[i].asked}};
		struct snag_plan p = {0};
		virtual_backlog(&k, &c, &p);
		assert_int_equal(p.changes & SNAG_CHANGE_BACKLOG ? p.backlog : backlogs[i].asked, backlogs[i].got);
	}
}

/* A rule has had its say before: the lower one counts. */
static void test_backlog_of_rule(void **state)
{
	struct snag_kernel k = {.given = SNAG_KERNEL_SOMAXCONN, .somaxconn = 4};
	struct snag_call c = {CALL(listen), .arg = {100}};
	struct snag_plan p = {.changes = SNAG_CHANGE_BACKLOG, .backlog = 1};

	(void)state;
	virtual_backlog(&k, &c, &p);
	assert_int_equal(p.backlog, 1);
	p.backlog = 9;
	virtual_backlog(&k, &c, &p);
	assert_int_equal(p.backlog, 4);
}

/* Only what is given is asked for. */
static void test_concerns(void **state)
{
	struct snag_kernel files = {FILES = 1}, start = {START = 1}, empty = {0};

	(void)state;
	assert_true(virtual_concerns(&files, SNAG_CALL_accept));
	assert_false(virtual_concerns(&files, SNAG_CALL_bind));
	assert_int_equal(virtual_facts(&files, SNAG_CALL_socket), SNAG_FACT_NEXT_FD);
	assert_int_equal(virtual_facts(&start, SNAG_CALL_bind), SNAG_FACT_PRIVILEGED);
	for (unsigned call = 0; call < SNAG_CALLS; call++)
		assert_false(virtual_concerns(&empty, call));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_backlog_of_rule),
		cmocka_unit_test(test_concerns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
