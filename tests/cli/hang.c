/* hang.c - a connect to the keeper's full listeners stays in SYN_SENT. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <cli/hang.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYN_SENT 2	/* TCP_SYN_SENT of the kernel */

static int state_of_connect(int family, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int err = family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof(in)) :
				      connect(fd, (struct sockaddr *)&in6, sizeof(in6));

	assert_int_equal(err, -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	close(fd);
	return info.tcpi_state;
}

static void test_connects_hang(void **state)
{
	static const int families[2] = { AF_INET, AF_INET6 };
	struct hang h = HANG_NONE;
	int tried = 0;

	(void)state;
	hang_open(&h);
	for (int i = 0; i < 2; i++) {
		if (!h.port[i])		/* a machine without this family */
			continue;
		tried++;
		for (int k = 0; k < 3; k++)
			assert_int_equal(state_of_connect(families[i], h.port[i]), SYN_SENT);
	}
	assert_true(tried > 0);
	hang_close(&h);
	assert_true(h.port[0] == 0 && h.fd[0][0] == -1 && h.fd[1][1] == -1);
}

/* An image of one rule with one step. */
struct image {
	struct rules rules;
	struct rule rule;
	struct rule_step step;
};

static bool wanted(unsigned call, unsigned action, int err)
{
	struct image m = { .rules = { .rule = { offsetof(struct image, rule), 1 },
				      .step = { offsetof(struct image, step), 1 } },
			   .rule = { .n_steps = 1 }, .step = { .action = (uint8_t)action, .err = err } };

	m.rule.calls[call / 64] = UINT64_C(1) << call % 64;
	return hang_wanted(&m.rules);
}

static void test_wanted_only_for_timeouts_of_connect(void **state)
{
	(void)state;
	assert_true(wanted(SNAG_CALL_connect, SNAG_ACTION_errno, ETIMEDOUT));
	assert_false(wanted(SNAG_CALL_connect, SNAG_ACTION_errno, ECONNREFUSED));
	assert_false(wanted(SNAG_CALL_connect, SNAG_ACTION_NONE, ETIMEDOUT));
	assert_false(wanted(SNAG_CALL_bind, SNAG_ACTION_errno, ETIMEDOUT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects_hang),
		cmocka_unit_test(test_wanted_only_for_timeouts_of_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
