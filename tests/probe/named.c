/* Unix sockets and routes as the kernel tells of them, and answers that no kernel would give. */
#include <probe/named.h>
#include <probe/route.h>

#include <base/addr.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <snag/call.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct search {
	uint64_t cookie;
	bool found;
	struct named_sock sock;
	char name[108];
};

static bool look(void *arg, const struct named_sock *s)
{
	struct search *w = arg;

	w->found = s->cookie == w->cookie;
	if (w->found) {
		w->sock = *s;
		memcpy(w->name, s->name, s->name_len);
	}
	return !w->found;
}

static struct search find(int fd, bool all)
{
	struct search w = { .found = false };
	socklen_t len = sizeof(w.cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &w.cookie, &len), 0);
	assert_int_equal(named_dump(all, look, &w), 0);
	return w;
}

static void test_file(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/snag-named.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	struct search w;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_false(find(fd, false).found);
	assert_true(find(fd, true).found);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(stat(a.sun_path, &st), 0);
	w = find(fd, false);
	assert_true(w.found && w.sock.has_file);
	assert_int_equal(w.sock.file_inode, st.st_ino);
	assert_int_equal(w.sock.file_dev, named_dev(&st));
	assert_int_equal(w.sock.state, TCP_LISTEN);
	assert_int_equal(w.sock.type, SOCK_STREAM);
	assert_int_equal(w.sock.queue_len, 1);
	assert_int_equal(w.sock.queue_limit, 4);
	unlink(a.sun_path);
	rmdir(folder);
	close(client);
	close(fd);
}

static void test_abstract(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "snag-named-%d", getpid());
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct search w;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	w = find(fd, false);
	assert_true(w.found && !w.sock.has_file);
	assert_int_equal(w.sock.name_len, 1 + n);
	assert_memory_equal(w.name, a.sun_path, 1 + (size_t)n);
	close(fd);
}

static bool count(void *arg, const struct named_sock *s)
{
	volatile char c = 0;

	for (size_t i = 0; i < s->name_len; i++)
		c = (char)(c + s->name[i]);
	++*(unsigned *)arg;
	return true;
}

/* In memory of its exact length, so that ASan sees a step beyond. */
static int parse(const void *p, size_t len, unsigned *n)
{
	char *exact = malloc(len ? len : 1);
	int r;

	*n = 0;
	memcpy(exact, p, len);
	r = named_parse(exact, len, count, n);
	free(exact);
	return r;
}

static void test_hostile(void **state)
{
	struct answer {
		struct nlmsghdr h;
		struct unix_diag_msg m;
		struct nlattr a;
		char name[8];
	} a = {
		.h = { .nlmsg_len = sizeof(a), .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.a = { .nla_len = sizeof(struct nlattr) + 8, .nla_type = UNIX_DIAG_NAME },
	};
	unsigned n;

	(void)state;
	assert_int_equal(parse(&a, sizeof(a), &n), 1);
	assert_int_equal(n, 1);
	for (size_t len = 1; len < sizeof(a); len++)
		assert_int_equal(parse(&a, len, &n), -EPROTO);
	for (unsigned len = 0; len < sizeof(a.h) + sizeof(a.m); len++) {
		a.h.nlmsg_len = len;
		assert_int_equal(parse(&a, sizeof(a), &n), -EPROTO);
	}
	a.h.nlmsg_len = sizeof(a);
	for (unsigned type = 0; type < 16; type++) {
		for (unsigned len = 0; len < 0x10000; len += len < 32 ? 1 : 977) {
			a.a.nla_type = (uint16_t)type;
			a.a.nla_len = (uint16_t)len;
			assert_int_equal(parse(&a, sizeof(a), &n), 1);
			assert_int_equal(n, 1);
		}
	}
	a.h.nlmsg_type = NLMSG_ERROR;
	memset(&a.m, 0, sizeof(a.m));
	memcpy(&a.m, &(int){ -ENOENT }, sizeof(int));
	assert_int_equal(parse(&a, sizeof(a), &n), -ENOENT);
}

static void test_routes(void **state)
{
	static const struct {
		const char *text;
		int reach;
	} rows[] = {
		{ "127.0.0.1", SNAG_REACH_LOCAL },	 { "127.9.9.9", SNAG_REACH_LOCAL },
		{ "0.0.0.0", SNAG_REACH_LOCAL },	 { "::", SNAG_REACH_LOCAL },
		{ "::1", SNAG_REACH_LOCAL },		 { "::ffff:127.0.0.1", SNAG_REACH_LOCAL },
		{ "127.255.255.255", SNAG_REACH_GROUP },
	};
	struct snag_addr a;
	unsigned prefix;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(addr_parse(&a, &prefix, rows[i].text, strlen(rows[i].text)));
		assert_int_equal(route_reach(&a), rows[i].reach);
	}
	a.family = AF_UNIX;
	assert_int_equal(route_reach(&a), -EAFNOSUPPORT);
}

static void test_hostile_routes(void **state)
{
	struct answer {
		struct nlmsghdr h;
		struct rtmsg r;
	} a = { .h = { .nlmsg_len = sizeof(a), .nlmsg_type = RTM_NEWROUTE }, .r = { .rtm_type = RTN_UNICAST } };

	(void)state;
	assert_int_equal(route_parse(&a, sizeof(a)), SNAG_REACH_AWAY);
	for (size_t len = 0; len < sizeof(a); len++)
		assert_int_equal(route_parse(&a, len), -EPROTO);
	a.h.nlmsg_len = 3;
	assert_int_equal(route_parse(&a, sizeof(a)), -EPROTO);
	a.h.nlmsg_len = sizeof(a);
	a.h.nlmsg_type = NLMSG_ERROR;
	memcpy(&a.r, &(int){ -ENETUNREACH }, sizeof(int));
	assert_int_equal(route_parse(&a, sizeof(a)), SNAG_REACH_NOWHERE);
	memcpy(&a.r, &(int){ -EPERM }, sizeof(int));
	assert_int_equal(route_parse(&a, sizeof(a)), -EPERM);
	memcpy(&a.r, &(int){ 5 }, sizeof(int));
	assert_int_equal(route_parse(&a, sizeof(a)), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),	cmocka_unit_test(test_abstract),       cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_routes),	cmocka_unit_test(test_hostile_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
