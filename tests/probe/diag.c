/* What the kernel tells of sockets that this test makes; and answers that no kernel would give. */
#include <probe/diag.h>
#include <probe/owner.h>

#include <base/addr.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <snag/call.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int bound(int domain, int type, uint16_t *port, struct sockaddr_storage *at)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*at);

	memset(at, 0, sizeof(*at));
	at->ss_family = (sa_family_t)domain;
	if (domain == AF_INET)
		((struct sockaddr_in *)at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, domain == AF_INET ? sizeof(struct sockaddr_in) :
										sizeof(struct sockaddr_in6)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	*port = ntohs(domain == AF_INET ? ((struct sockaddr_in *)at)->sin_port : ((struct sockaddr_in6 *)at)->sin6_port);
	return fd;
}

static uint32_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

struct found {
	unsigned n;
	struct diag_sock sock[16];
};

static bool keep(void *arg, const struct diag_sock *s)
{
	struct found *f = arg;

	if (f->n < 16)
		f->sock[f->n++] = *s;
	return true;
}

static struct found ask(uint8_t proto, uint16_t port)
{
	struct diag_query q = { .proto = proto, .port = port, .states = DIAG_ALL };
	struct found f = { 0 };

	assert_int_equal(diag_dump(&q, keep, &f), 0);
	return f;
}

static void test_bound(void **state)
{
	struct sockaddr_storage at;
	uint16_t port;
	int fd = bound(AF_INET, SOCK_STREAM, &port, &at);
	struct found f = ask(SNAG_PROTO_TCP, port);

	(void)state;
	assert_int_equal(f.n, 1);
	assert_int_equal(f.sock[0].state, DIAG_BOUND);
	assert_int_equal(f.sock[0].inode, inode_of(fd));
	assert_int_equal(f.sock[0].uid, geteuid());
	assert_true(addr_is_loopback(&f.sock[0].local));
	assert_int_equal(f.sock[0].local.port, port);
	assert_int_equal(f.sock[0].peer.family, 0);
	assert_int_equal(f.sock[0].domain, AF_INET);
	close(fd);
	assert_int_equal(ask(SNAG_PROTO_TCP, port).n, 0);
}

static void test_listener(void **state)
{
	struct sockaddr_storage at;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	uint16_t port;
	int fd = bound(AF_INET6, SOCK_STREAM, &port, &at), one = 1, client = socket(AF_INET6, SOCK_STREAM, 0);
	struct diag_query q = { .proto = SNAG_PROTO_TCP, .port = port, .states = DIAG_CLAIMS };
	struct found f = { 0 };

	(void)state;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
	assert_int_equal(listen(fd, 7), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(struct sockaddr_in6)), 0);
	assert_int_equal(diag_dump(&q, keep, &f), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.sock[0].state, TCP_LISTEN);
	assert_int_equal(f.sock[0].queue_len, 1);
	assert_int_equal(f.sock[0].queue_limit, 7);
	assert_true(f.sock[0].v6only_known && !f.sock[0].v6only);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	assert_true(f.sock[0].cookie == cookie);
	assert_int_equal(diag_look(&f.sock[0]), 0);
	assert_true(f.sock[0].cookie == cookie);
	close(fd);
	assert_int_equal(diag_look(&f.sock[0]), -ENOENT);
	close(client);
}

/* Whom a segment reaches: the listener, also through its wildcard; the connection itself; nobody. */
static void test_receiver(void **state)
{
	struct sockaddr_storage at;
	uint16_t port;
	int fd = bound(AF_INET6, SOCK_STREAM, &port, &at), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct diag_sock ask = { .proto = SNAG_PROTO_TCP, .domain = AF_INET, .local = { AF_INET, port, 0, { 127, 0, 0, 1 } } }, s;
	socklen_t len = sizeof(to);

	(void)state;
	ask.peer = ask.local;
	ask.peer.port = 1;
	assert_int_equal(listen(fd, 3), 0);
	s = ask;
	assert_int_equal(diag_receiver(&s), 0);
	assert_int_equal(s.state, TCP_LISTEN);
	assert_int_equal(s.queue_limit, 3);
	assert_int_equal(s.inode, inode_of(fd));
	assert_int_equal(connect(client, (struct sockaddr *)&to, len) | getsockname(client, (struct sockaddr *)&to, &len), 0);
	ask.peer.port = ntohs(to.sin_port);
	s = ask;
	assert_int_equal(diag_receiver(&s), 0);
	assert_int_equal(s.state, TCP_ESTABLISHED);
	close(client);
	close(fd);
	ask.peer.port = 1;
	assert_int_equal(diag_receiver(&ask), -ENOENT);
}

static void test_udp(void **state)
{
	struct sockaddr_storage at;
	uint16_t port;
	int fd = bound(AF_INET, SOCK_DGRAM, &port, &at);
	struct found f = ask(SNAG_PROTO_UDP, port);

	(void)state;
	assert_int_equal(f.n, 1);
	assert_int_equal(f.sock[0].state, TCP_CLOSE);
	assert_int_equal(f.sock[0].inode, inode_of(fd));
	close(fd);
}

static void test_time_wait(void **state)
{
	struct sockaddr_storage at;
	uint16_t port;
	int fd = bound(AF_INET, SOCK_STREAM, &port, &at), client = socket(AF_INET, SOCK_STREAM, 0), server;
	struct found f;
	char c;

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(struct sockaddr_in)), 0);
	server = accept(fd, NULL, NULL);
	close(fd);
	close(server);				/* the first FIN is the server's */
	assert_int_equal(read(client, &c, 1), 0);
	close(client);
	f = ask(SNAG_PROTO_TCP, port);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.sock[0].state, TCP_TIME_WAIT);
	assert_int_equal(f.sock[0].inode, 0);
	assert_in_range(f.sock[0].left_ms, 1, 62000);
}

static void test_owner(void **state)
{
	struct sockaddr_storage at;
	struct owner o;
	uint16_t port;
	int fd = bound(AF_INET, SOCK_STREAM, &port, &at);
	uint32_t inode = inode_of(fd);

	(void)state;
	assert_true(owner_find(inode, &o));
	assert_int_equal(o.pid, getpid());
	assert_int_equal(o.fd, fd);
	assert_int_equal(o.others, 0);
	assert_string_not_equal(o.comm, "");
	assert_non_null(strstr(o.exe, "probe/diag"));
	assert_int_equal(owner_socket(o.pid, fd), inode);
	assert_int_equal(owner_socket(o.pid, 0x7fffffff), 0);
	close(fd);
	assert_false(owner_find(inode, &o));
	assert_false(owner_find(0, &o));
}

static void test_link(void **state)
{
	static const struct {
		const char *link;
		uint32_t inode;
	} rows[] = {
		{ "socket:[12345]", 12345 },	  { "socket:[4294967294]", 4294967294u }, { "socket:[4294967295]", 0 },
		{ "socket:[99999999999]", 0 },	  { "socket:[]", 0 },			  { "socket:[12", 0 },
		{ "socket:[1x]", 0 },		  { "pipe:[12345]", 0 },		  { "", 0 },
		{ "/tmp/socket:[12345]", 0 },	  { "socket:[", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(owner_inode(rows[i].link, strlen(rows[i].link)), rows[i].inode);
}

/* ---- answers that no kernel would give ---- */

/* A whole answer of one socket with one attribute, in memory of its exact length, so that ASan sees a step beyond. */
struct answer {
	struct nlmsghdr h;
	struct inet_diag_msg m;
	struct nlattr a;
	uint8_t v6only, pad[3];
};

static struct answer good(void)
{
	struct answer a = {
		.h = { .nlmsg_len = sizeof(a), .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.m = { .idiag_family = AF_INET6, .idiag_state = TCP_LISTEN, .idiag_inode = 5 },
		.a = { .nla_len = sizeof(struct nlattr) + 1, .nla_type = INET_DIAG_SKV6ONLY },
		.v6only = 1,
	};

	a.m.id.idiag_sport = htons(80);
	return a;
}

static int parse(const struct answer *a, size_t len, struct found *f)
{
	char *exact = malloc(len ? len : 1);
	int r;

	memset(f, 0, sizeof(*f));
	memcpy(exact, a, len);
	r = diag_parse(exact, len, SNAG_PROTO_TCP, keep, f);
	free(exact);
	return r;
}

static void test_hostile(void **state)
{
	struct answer a = good();
	struct found f;

	(void)state;
	assert_int_equal(parse(&a, sizeof(a), &f), 1);
	assert_int_equal(f.n, 1);
	assert_true(f.sock[0].v6only && f.sock[0].v6only_known);
	assert_int_equal(f.sock[0].local.port, 80);
	for (size_t len = 1; len < sizeof(a); len++)		/* cut anywhere */
		assert_int_equal(parse(&a, len, &f), -EPROTO);
	for (unsigned len = 0; len < sizeof(a); len++) {	/* its own length is too small for what it is */
		a.h.nlmsg_len = len;
		int r = parse(&a, sizeof(a), &f);
		assert_true(len < sizeof(a.h) + sizeof(a.m) ? r == -EPROTO : r == 1 || r == -EPROTO);
	}
	a.h.nlmsg_len = 0xffffffff;
	assert_int_equal(parse(&a, sizeof(a), &f), -EPROTO);
	for (unsigned len = 0; len < 0x10000; len += len < 16 ? 1 : 997) {
		a = good();
		a.a.nla_len = (uint16_t)len;
		assert_int_equal(parse(&a, sizeof(a), &f), 1);
		assert_int_equal(f.n, 1);
		assert_int_equal(f.sock[0].v6only_known, len > 4 && len <= 8);
	}
	a = good();
	a.m.idiag_family = AF_UNIX;
	assert_int_equal(parse(&a, sizeof(a), &f), -EPROTO);
	a = good();
	a.h.nlmsg_type = NLMSG_DONE;
	assert_int_equal(parse(&a, sizeof(a), &f), 0);
	a.h.nlmsg_type = NLMSG_ERROR;
	memset(&a.m, 0, sizeof(a.m));
	memcpy(&a.m, &(int){ -EPERM }, sizeof(int));
	assert_int_equal(parse(&a, sizeof(a), &f), -EPERM);
	memcpy(&a.m, &(int){ 77 }, sizeof(int));
	assert_int_equal(parse(&a, sizeof(a), &f), 0);
	assert_int_equal(parse(&a, 0, &f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound), cmocka_unit_test(test_listener), cmocka_unit_test(test_udp), cmocka_unit_test(test_receiver),
		cmocka_unit_test(test_time_wait), cmocka_unit_test(test_owner), cmocka_unit_test(test_link),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
