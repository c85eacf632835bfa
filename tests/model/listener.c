/* listener: who gets a SYN; and bucket: who is admitted beside a SO_REUSEPORT socket without a look. */
#include "drive.h"
#include <model/bucket.h>
#include <model/listener.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void listen_at(struct drive *d, uint32_t sock, const char *addr, unsigned options)
{
	struct snag_addr a = drive_addr(addr, 80);
	struct snag_outcome o = drive_outcome(d, 0);
	struct snag_call c;

	drive_socket(d, sock, SNAG_PROTO_TCP, a.family, SOCK_STREAM);
	if (options & SNAG_OPTION_V6ONLY)
		drive_option(d, sock, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (options & SNAG_OPTION_REUSEPORT)
		drive_option(d, sock, SOL_SOCKET, SO_REUSEPORT, 1);
	c = drive_bind_call(d, sock, a);
	drive_learn(d, &c, &o);
	c = drive_call(d, SNAG_CALL_listen, sock);
	c.arg[0] = 5;
	drive_learn(d, &c, &o);
}

/* Listeners 1 and 2 (NULL: none), where a SYN goes, who gets it. */
static void test_who(void **state)
{
	static const struct {
		const char *first, *second, *to;
		unsigned options;	/* of both */
		uint32_t who;		/* 0: nobody */
	} rows[] = {
		{"127.0.0.1", NULL, "127.0.0.1", 0, 1},
		{"127.0.0.1", NULL, "127.0.0.2", 0, 0},
		{"0.0.0.0", NULL, "127.0.0.2", 0, 1},
		{"0.0.0.0", NULL, "::1", 0, 0},
		{"::", NULL, "127.0.0.1", 0, 1},
		{"::", NULL, "::ffff:127.0.0.1", 0, 1},
		{"::", NULL, "127.0.0.1", SNAG_OPTION_V6ONLY, 0},
		{"::", NULL, "::1", SNAG_OPTION_V6ONLY, 1},
		{"::1", NULL, "::1", 0, 1},
		{"::1", NULL, "127.0.0.1", 0, 0},
		{"::ffff:0.0.0.0", NULL, "127.0.0.1", 0, 1},
		{"::ffff:0.0.0.0", NULL, "::1", 0, 0},
		/* the very address before the wildcard, AF_INET before AF_INET6 */
		{"0.0.0.0", "127.0.0.1", "127.0.0.1", SNAG_OPTION_REUSEPORT, 2},
		{"127.0.0.1", "0.0.0.0", "127.0.0.1", SNAG_OPTION_REUSEPORT, 1},
		{"::", "0.0.0.0", "127.0.0.1", SNAG_OPTION_REUSEPORT, 2},
		{"0.0.0.0", "::", "127.0.0.1", SNAG_OPTION_REUSEPORT, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drive *d = drive_begin();
		struct snag_addr to = drive_addr(rows[i].to, 80);
		uint32_t who, silent;
		enum listener_answer answer;
		listen_at(d, 1, rows[i].first, rows[i].options);
		if (rows[i].second)
			listen_at(d, 2, rows[i].second, rows[i].options);
		answer = listener_for(d->m, NULL, &to, &who, &silent);
		if (who != rows[i].who || answer != (rows[i].who ? LISTENER_ROOM : LISTENER_NONE))
			fail_msg("row %zu: %u", i, who);
		drive_end(d);
	}
}

/* Two that share an address: one of them, which the kernel finds by a hash. */
static void test_group(void **state)
{
	struct drive *d = drive_begin();
	struct snag_addr to = drive_addr("127.0.0.1", 80);
	uint32_t who, silent;

	(void)state;
	listen_at(d, 1, "127.0.0.1", SNAG_OPTION_REUSEPORT);
	listen_at(d, 2, "127.0.0.1", SNAG_OPTION_REUSEPORT);
	assert_int_equal(listener_for(d->m, NULL, &to, &who, &silent), LISTENER_ROOM);
	assert_int_equal(who, 0);
	drive_end(d);
}

static struct bind_claim claim(const char *addr, uint32_t uid, unsigned options)
{
	struct bind_claim c = {.addr = drive_addr(addr, 80), .options = (uint8_t)options, .uid = uid};

	c.domain = c.addr.family;
	return c;
}

/* The remembered one covers its own address, as a wildcard all of its kind. */
static void test_bucket(void **state)
{
	static const struct {
		const char *old, *new;
		uint32_t uid;		/* of the new one; the old one's is 0 */
		bool admitted;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1", 1, false},
		{"127.0.0.1", "127.0.0.2", 0, false},
		{"127.0.0.1", "127.0.0.1", 0, true},
		{"0.0.0.0", "127.0.0.1", 0, true},
		{"127.0.0.1", "0.0.0.0", 0, false},
		{"::", "127.0.0.1", 0, true},
		{"::", "::1", 0, true},
		{"::1", "::", 0, false},
		{"::ffff:0.0.0.0", "127.0.0.1", 0, true},
		{"::ffff:127.0.0.1", "127.0.0.1", 0, true},
		{"127.0.0.1", "::1", 0, false},
	};
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bind_claim old = claim(rows[i].old, 0, SNAG_OPTION_REUSEPORT), plain;
		struct bind_claim new = claim(rows[i].new, rows[i].uid, SNAG_OPTION_REUSEPORT);
		bucket_forget(m, 80);
		bucket_admitted(m, &old, BIND_FREE);
		if ((bucket_asked(m, &new) == BIND_FREE) != rows[i].admitted)
			fail_msg("row %zu", i);
		plain = claim(rows[i].new, rows[i].uid, 0);
		assert_int_equal(bucket_asked(m, &plain), BIND_CONFLICT);
		bucket_admitted(m, &plain, BIND_CONFLICT);	/* ends it */
		assert_int_equal(bucket_asked(m, &new), BIND_CONFLICT);
	}
	free(m);
}

/* Another port has the same place in the table: then nobody knows. */
static void test_pushed_out(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct bind_claim a = claim("127.0.0.1", 0, SNAG_OPTION_REUSEPORT), b = a;

	(void)state;
	b.addr.port = 80 + MODEL_BUCKETS;
	bucket_admitted(m, &a, BIND_FREE);
	assert_int_equal(bucket_asked(m, &a), BIND_FREE);
	bucket_admitted(m, &b, BIND_FREE);
	assert_int_equal(bucket_asked(m, &b), BIND_FREE);
	assert_int_equal(bucket_asked(m, &a), BIND_UNSURE);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_pushed_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
