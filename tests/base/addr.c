/* addr: text and back, kernel form and back, and the questions asked of addresses. */
#include <base/addr.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct snag_addr parse(const char *text)
{
	struct snag_addr a;
	unsigned prefix;

	if (!addr_parse(&a, &prefix, text, strlen(text)))
		fail_msg("%s does not parse", text);
	return a;
}

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1:80"},
		{"0.0.0.0", "0.0.0.0:80"},
		{"255.255.255.255", "255.255.255.255:80"},
		{"::", "[::]:80"},
		{"::1", "[::1]:80"},
		{"1::", "[1::]:80"},
		{"2001:db8::1:0:0:1", "[2001:db8::1:0:0:1]:80"},
		{"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80"},
		{"2001:DB8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80"},
		{"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
		{"1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]:80"},
		{"::ffff:10.1.2.3", "[::ffff:10.1.2.3]:80"},
		{"::ffff:a01:203", "[::ffff:10.1.2.3]:80"},
		{"fe80::1%7", "[fe80::1%7]:80"},
	};
	char buf[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct snag_addr a = parse(rows[i].in);
		a.port = 80;
		assert_int_equal(addr_text(&a, buf), strlen(rows[i].out));
		assert_string_equal(buf, rows[i].out);
	}
	struct snag_addr none = {0};
	assert_int_equal(addr_text(&none, buf), 0);
	assert_string_equal(buf, "");
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"", ".", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4 ",
			"a.b.c.d",
		":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::g", "::/129", "::1.2.3",
			"1:",
		"::1%", "::1%x", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7:8::",
	};
	struct snag_addr a;
	unsigned prefix;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (addr_parse(&a, &prefix, bad[i], strlen(bad[i])))
			fail_msg("'%s' parses", bad[i]);
}

/* Random IPv6 addresses: our text is read back by the C library as the same address, and the other way round. */
static void test_text_agrees_with_inet_ntop(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct snag_addr a = {.family = AF_INET6}, b;
		unsigned prefix;
		char ours[ADDR_TEXT_MAX], theirs[INET6_ADDRSTRLEN];
		uint8_t ip[16];

		for (int i = 0; i < 16; i++)
			a.ip[i] = rand_r(&seed) % 3 ? 0 : (uint8_t)rand_r(&seed);
		addr_text(&a, ours);
		*strchr(ours, ']') = '\0';
		assert_int_equal(inet_pton(AF_INET6, ours + 1, ip), 1);
		assert_memory_equal(ip, a.ip, 16);
		inet_ntop(AF_INET6, a.ip, theirs, sizeof(theirs));
		assert_true(addr_parse(&b, &prefix, theirs, strlen(theirs)));
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(prefix, 128);
	}
}

static void test_sockaddr(void **state)
{
	struct sockaddr_storage ss;
	struct snag_addr a = parse("fe80::1%3"), b;
	uint16_t n;
	char path[SNAG_PATH_MAX];

	(void)state;
	a.port = 8080;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	assert_int_equal(len, sizeof(struct sockaddr_in6));
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&ss, len, NULL, NULL));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 24, NULL, NULL));
	assert_int_equal(b.scope, 0);
	assert_false(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 23, NULL, NULL));
	assert_int_equal(b.family, AF_UNSPEC);

	a = parse("10.0.0.1");
	a.port = 1;
	len = addr_to_sockaddr(&a, &ss);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&ss, len, path, &n));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(n, 0);
	assert_false(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 15, NULL, NULL));
	assert_false(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 1, NULL, NULL));
	assert_false(addr_from_sockaddr(&b, NULL, 16, NULL, NULL));
	assert_false(addr_from_sockaddr(&b, (struct sockaddr *)&ss, (socklen_t)-1, NULL, NULL));

	ss.ss_family = AF_UNSPEC;
	assert_true(addr_from_unspec(&b, (struct sockaddr *)&ss, len));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_false(addr_from_unspec(&b, (struct sockaddr *)&ss, len - 1));
	assert_int_equal(b.family, AF_UNSPEC);
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 2, NULL, NULL));
	ss.ss_family = AF_NETLINK;
	assert_false(addr_from_sockaddr(&b, (struct sockaddr *)&ss, 16, NULL, NULL));
}

static void test_unix(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x.sock"};
	struct snag_addr a, b;
	char path[SNAG_PATH_MAX];
	uint16_t n;

	(void)state;
	assert_true(addr_from_sockaddr(&a, (struct sockaddr *)&un, sizeof(un), path, &n));
	assert_int_equal(n, 11);
	assert_memory_equal(path, "/run/x.sock", 11);
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&un, 2 + 11, NULL, NULL));	/* without its NUL */
	assert_memory_equal(&a, &b, sizeof(a));
	memcpy(un.sun_path, "\0run/x.sock", 11);
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&un, 2 + 11, path, &n));
	assert_int_equal(n, 11);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_true(addr_from_sockaddr(&b, (struct sockaddr *)&un, 2, path, &n));	/* unnamed */
	assert_int_equal(n, 0);
	assert_int_equal(b.family, AF_UNIX);
}

static void test_questions(void **state)
{
	static const struct {
		const char *addr, *net;
		bool in;
	} nets[] = {
		{"10.1.2.3", "10.0.0.0/8", true},     {"11.1.2.3", "10.0.0.0/8", false},
		{"10.1.2.3", "10.1.2.3", true},	      {"10.1.2.2", "10.1.2.3/31", true},
		{"10.1.2.4", "10.1.2.3/31", false},   {"1.2.3.4", "0.0.0.0/0", true},
		{"::ffff:10.9.9.9", "10.0.0.0/8", true}, {"10.9.9.9", "::ffff:10.0.0.0/104", true},
		{"fe80::5", "fe80::/10", true},	      {"fec0::5", "fe80::/10", false},
		{"::1", "0.0.0.0/0", false},	      {"10.0.0.1", "::/0", false},
		{"2001:db8::1", "::/0", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(nets); i++) {
		struct snag_addr a = parse(nets[i].addr), net;
		unsigned prefix;
		assert_true(addr_parse(&net, &prefix, nets[i].net, strlen(nets[i].net)));
		if (addr_in_net(&a, &net, prefix) != nets[i].in)
			fail_msg("%s in %s", nets[i].addr, nets[i].net);
	}
	struct snag_addr v4 = parse("127.0.0.1"), mapped = parse("::ffff:127.0.0.1"), v6 = parse("::1");
	struct snag_addr any4 = parse("0.0.0.0"), any6 = parse("::"), any_mapped = parse("::ffff:0.0.0.0"), none = {0};
	assert_true(addr_equal_ip(&v4, &mapped));
	assert_false(addr_equal_ip(&v4, &v6));
	assert_false(addr_equal_ip(&none, &none));
	assert_true(addr_is_any(&any4) && addr_is_any(&any6) && addr_is_any(&any_mapped));
	assert_false(addr_is_any(&v4) || addr_is_any(&v6) || addr_is_any(&none));
	assert_true(addr_is_loopback(&v4) && addr_is_loopback(&mapped) && addr_is_loopback(&v6));
	assert_false(addr_is_loopback(&any4) || addr_is_loopback(&any6) || addr_is_loopback(&none));
	assert_true(addr_is_mapped(&mapped) && addr_is_mapped(&any_mapped));
	assert_false(addr_is_mapped(&v4) || addr_is_mapped(&v6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	 cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_text_agrees_with_inet_ntop),
		cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_unix), cmocka_unit_test(test_questions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
