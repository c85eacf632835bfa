/* Addresses as people type them. */
#include <cli/endpoint.h>

#include <base/addr.h>
#include <setjmp.h>
#include <snag/call.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_endpoints(void **state)
{
	static const struct {
		const char *text, *addr;	/* NULL: refused */
		uint8_t proto;
	} rows[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", 0 },	{ "8080", "0.0.0.0:8080", 0 },
		{ ":8080", "0.0.0.0:8080", 0 },		{ "*:8080", "0.0.0.0:8080", 0 },
		{ "localhost:80", "127.0.0.1:80", 0 },	{ "[::1]:80", "[::1]:80", 0 },
		{ "[::]:0", "[::]:0", 0 },		{ "53/udp", "0.0.0.0:53", SNAG_PROTO_UDP },
		{ "[::]:53/udp", "[::]:53", SNAG_PROTO_UDP }, { "0.0.0.0:53/tcp", "0.0.0.0:53", SNAG_PROTO_TCP },
		{ "[fe80::1%lo]:80", "[fe80::1%1]:80", 0 }, { "[::ffff:1.2.3.4]:9", "[::ffff:1.2.3.4]:9", 0 },
		{ "65535", "0.0.0.0:65535", 0 },	{ "65536", NULL, 0 },
		{ "", NULL, 0 },			{ ":", NULL, 0 },
		{ "127.0.0.1", NULL, 0 },		{ "127.0.0.1:", NULL, 0 },
		{ "::1:80", NULL, 0 },			{ "[::1]", NULL, 0 },
		{ "[::1]80", NULL, 0 },			{ "[]:80", "0.0.0.0:80", 0 },
		{ "example.org:80", NULL, 0 },		{ "127.0.0.1/8:80", NULL, 0 },
		{ "80/sctp", NULL, 0 },			{ "8o", NULL, 0 },
		{ "[fe80::1%nosuch0]:80", NULL, 0 },	{ "[", NULL, 0 },
		{ "]:80", NULL, 0 },			{ "-1", NULL, 0 },
	};
	char text[ADDR_TEXT_MAX];
	struct endpoint e;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong = endpoint_parse(&e, rows[i].text);
		if (!rows[i].addr) {
			assert_non_null(wrong);
			continue;
		}
		if (wrong)
			fail_msg("%s: %s", rows[i].text, wrong);
		addr_text(&e.addr, text);
		assert_string_equal(text, rows[i].addr);
		assert_int_equal(e.proto, rows[i].proto);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_endpoints) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
