/* occupant.c - sockets that stand on a port to be in the way, beside the same condition made for real. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <base/addr.h>
#include <effects/occupant.h>
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <snag/call.h>
#include <snag/state.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEC 1000000000ull

static struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET, ip, &in.sin_addr), 1);
	return in;
}

static int tcp(unsigned options)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), addr = (options & SNAG_OPTION_REUSEADDR) != 0,
	    port = (options & SNAG_OPTION_REUSEPORT) != 0;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &addr, sizeof(addr));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &port, sizeof(port));
	return fd;
}

static int bind_to(int fd, const char *ip, uint16_t port)
{
	struct sockaddr_in in = at(ip, port);

	return bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -errno : 0;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static uint16_t free_port(void)
{
	int fd = tcp(0);

	assert_int_equal(bind_to(fd, "0.0.0.0", 0), 0);
	uint16_t port = port_of(fd);
	close(fd);
	return port;
}

/* What a new socket with these options meets: bind, then listen. */
static int try(const char *ip, uint16_t port, unsigned options)
{
	int fd = tcp(options), err = bind_to(fd, ip, port);

	if (!err && listen(fd, 1) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int try_connect(uint16_t port)
{
	struct sockaddr_in in = at("127.0.0.1", port);
	int fd = tcp(0), err = connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -errno : 0;

	close(fd);
	return err;
}

static struct occupant_wish wish(const char *ip, uint16_t port, unsigned as, unsigned options, uint64_t for_ns)
{
	struct sockaddr_in in = at(ip, port);
	struct occupant_wish w = { .domain = AF_INET, .as = (uint8_t)as, .proto = SNAG_PROTO_TCP,
				   .options = (uint8_t)options, .for_ns = for_ns };

	assert_true(addr_from_sockaddr(&w.addr, (struct sockaddr *)&in, sizeof(in), NULL, NULL));
	return w;
}

/* A real one: a connection to a listener somewhere else, closed on this side first, then on the other. */
static void real_time_wait(uint16_t port, unsigned options)
{
	int there = tcp(0), here = tcp(options), peer;
	char byte;

	assert_int_equal(bind_to(there, "127.0.0.1", 0), 0);
	assert_int_equal(listen(there, 1), 0);
	assert_int_equal(bind_to(here, "127.0.0.1", port), 0);
	struct sockaddr_in in = at("127.0.0.1", port_of(there));
	assert_int_equal(connect(here, (struct sockaddr *)&in, sizeof(in)), 0);
	peer = accept(there, NULL, NULL);
	close(here);
	assert_int_equal(read(peer, &byte, 1), 0);
	close(peer);
	close(there);
}

/* What binders with each pair of options meet, on the address, on another one, on the wildcard; then a client. */
static void look(uint16_t port, int seen[13])
{
	static const char *const ips[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0" };
	int n = 0;

	for (unsigned i = 0; i < 3; i++)
		for (unsigned options = 0; options < 4; options++)
			seen[n++] = try(ips[i], port, options);
	seen[n] = try_connect(port);
}

static void test_time_wait(void **state)
{
	(void)state;
	for (unsigned options = 0; options < 4; options++) {
		uint16_t port = free_port();
		struct occupant_wish w = wish("127.0.0.1", port, SNAG_OCCUPANT_TIME_WAIT, options, SEC);
		int made[13], real[13], fd = occupant_open(&w);

		assert_true(fd >= 0);
		look(port, made);
		assert_int_equal(made[0], -EADDRINUSE);
		assert_int_equal(made[12], -ECONNREFUSED);
		close(fd);
		assert_int_equal(try("127.0.0.1", port, 0), 0);	/* over at once */
		real_time_wait(port, options);
		look(port, real);
		assert_memory_equal(made, real, sizeof(made));
	}
}

/* Longer than the kernel keeps a remainder: of the same user it answers alike. */
static void test_long_time_wait(void **state)
{
	(void)state;
	for (unsigned options = 0; options < 4; options++) {
		uint16_t port = free_port();
		struct occupant_wish w = wish("127.0.0.1", port, SNAG_OCCUPANT_TIME_WAIT, options, 3600 * SEC);
		int made[13], real[13], fd = occupant_open(&w);

		assert_true(fd >= 0);
		look(port, made);
		close(fd);
		real_time_wait(port, options);
		look(port, real);
		assert_memory_equal(made, real, sizeof(made));
	}
}

static void test_bound_and_listening(void **state)
{
	uint16_t port = free_port();
	struct occupant_wish w = wish("0.0.0.0", port, SNAG_OCCUPANT_BOUND, 0, SEC);
	int fd = occupant_open(&w);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(try("127.0.0.1", port, SNAG_OPTION_REUSEADDR), -EADDRINUSE);
	assert_int_equal(try_connect(port), -ECONNREFUSED);
	assert_int_equal(occupant_open(&w), -EADDRINUSE);
	close(fd);
	w.as = SNAG_OCCUPANT_LISTENING;
	fd = occupant_open(&w);
	assert_true(fd >= 0);
	assert_int_equal(try("127.0.0.1", port, SNAG_OPTION_REUSEADDR), -EADDRINUSE);
	assert_int_equal(try_connect(port), 0);
	close(fd);
	assert_int_equal(try("127.0.0.1", port, 0), 0);
}

/* ---- beside another ---- */

struct race {
	uint16_t port;
	unsigned options;
	atomic_bool stop;
	atomic_uint tries;
	int won;
};

/* Takes the port the moment it is free. */
static void *thief(void *arg)
{
	struct race *r = arg;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(r->port) };

	while (!atomic_load(&r->stop)) {
		int fd = tcp(r->options);
		r->won += bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
		close(fd);
		atomic_fetch_add(&r->tries, 1);
	}
	return NULL;
}

static void await_tries(struct race *r, unsigned more)
{
	unsigned until = atomic_load(&r->tries) + more;

	while ((int)(until - atomic_load(&r->tries)) > 0)
		usleep(100);
}

static void race_once(bool listens, unsigned as, unsigned options)
{
	int fd = tcp(0);
	struct race r = { .options = options };
	struct occupant_claim c = { .wish = { .as = (uint8_t)as, .for_ns = SEC } };
	pthread_t thread;

	assert_int_equal(bind_to(fd, "127.0.0.1", 0), 0);
	if (listens)
		assert_int_equal(listen(fd, 8), 0);
	r.port = port_of(fd);
	assert_int_equal(pthread_create(&thread, NULL, thief, &r), 0);
	await_tries(&r, 20);
	occupant_claim(&c, fd);
	assert_true(c.fd >= 0);
	assert_int_equal(c.wish.addr.port, r.port);
	close(fd);
	int kept = occupant_settle(&c);
	assert_true(kept >= 0);
	await_tries(&r, 20);
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(r.won, 0);
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(try("127.0.0.1", r.port, k), -EADDRINUSE);
	assert_int_equal(try_connect(r.port), -ECONNREFUSED);
	close(kept);
	assert_int_equal(try("127.0.0.1", r.port, 0), 0);
}

static void test_no_gap(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		for (int listens = 0; listens < 2; listens++) {
			for (unsigned options = 0; options < 4; options++) {
				race_once(listens, SNAG_OCCUPANT_BOUND, options);
				race_once(listens, SNAG_OCCUPANT_TIME_WAIT, options);
			}
		}
}

/* A connection that closes: its peer hears of the end, and the port stays taken. */
static void test_connected(void **state)
{
	(void)state;
	for (unsigned options = 0; options < 2; options++) {
		int there = tcp(0), fd = tcp(options ? SNAG_OPTION_REUSEADDR : 0), peer;
		struct occupant_claim c = { .wish = { .as = SNAG_OCCUPANT_TIME_WAIT, .for_ns = SEC } };
		char byte;

		assert_int_equal(bind_to(there, "127.0.0.1", 0), 0);
		assert_int_equal(listen(there, 1), 0);
		assert_int_equal(bind_to(fd, "127.0.0.1", 0), 0);
		struct sockaddr_in in = at("127.0.0.1", port_of(there));
		assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
		peer = accept(there, NULL, NULL);
		close(peer);
		assert_int_equal(read(fd, &byte, 1), 0);	/* the peer closed first: nothing would be left here */
		uint16_t port = port_of(fd);
		occupant_claim(&c, fd);
		close(fd);
		int kept = occupant_settle(&c);
		assert_true(kept >= 0);
		assert_int_equal(try("127.0.0.1", port, 0), -EADDRINUSE);
		assert_int_equal(try("127.0.0.1", port, SNAG_OPTION_REUSEADDR), options ? 0 : -EADDRINUSE);
		close(kept);
		assert_int_equal(try("127.0.0.1", port, 0), 0);
		close(there);
	}
}

static void test_claim_of_nothing(void **state)
{
	struct occupant_claim c = { .wish = { .as = SNAG_OCCUPANT_BOUND, .for_ns = SEC } };
	int fd = tcp(0), unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	occupant_claim(&c, fd);		/* no port */
	assert_int_equal(c.fd, -EAFNOSUPPORT);
	assert_int_equal(occupant_settle(&c), -EAFNOSUPPORT);
	occupant_claim(&c, unix_fd);
	assert_int_equal(c.fd, -EAFNOSUPPORT);
	close(fd);
	close(unix_fd);
}

static void test_hand(void **state)
{
	char path[OCCUPANT_PATH_MAX], folder[] = "/tmp/occupant.XXXXXX", long_name[OCCUPANT_PATH_MAX] = { 0 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct snag_occupant_order o = { .magic = SNAG_OCCUPANT_MAGIC, .rule = 7 };
	uint16_t port = free_port();
	struct occupant_wish w = wish("127.0.0.1", port, SNAG_OCCUPANT_BOUND, 0, SEC);

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_true(occupant_path(path, folder, "s"));
	memset(long_name, 'x', sizeof(long_name) - 1);
	assert_int_equal(occupant_hand(path, occupant_open(&w), &o), -ENOENT);
	assert_int_equal(try("127.0.0.1", port, 0), 0);		/* nobody took it */

	int keeper = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(keeper, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(occupant_hand(path, occupant_open(&w), &o), 0);
	assert_int_equal(try("127.0.0.1", port, 0), -EADDRINUSE);	/* on its way it holds the port */
	close(keeper);
	assert_int_equal(try("127.0.0.1", port, 0), 0);
	unlink(path);
	rmdir(folder);
	assert_false(occupant_path(path, folder, long_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_wait),      cmocka_unit_test(test_long_time_wait),
		cmocka_unit_test(test_bound_and_listening), cmocka_unit_test(test_no_gap),
		cmocka_unit_test(test_connected),   cmocka_unit_test(test_claim_of_nothing),
		cmocka_unit_test(test_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
