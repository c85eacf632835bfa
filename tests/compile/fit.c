/* fit.c - which calls a rule covers, and which actions and errnos are possible there. */
#include "given.h"

static const struct given_row calls[] = {
	{V1 "rules:\n"
	    "  - {call: bnd, do: {errno: EMFILE}}\n",
	 "p.yaml:3:12: error: rules[0].call: unknown call 'bnd'; did you mean bind?\n"},
	{V1 "rules:\n"
	    "  - {call: accept4, do: {errno: EMFILE}}\n",
	 "p.yaml:3:12: error: rules[0].call: accept4 is a variant of accept; write accept, or "
	 "=accept4 for exactly this one\n"},
	{V1 "rules:\n"
	    "  - {call: '=accep', do: {errno: EMFILE}}\n",
	 "p.yaml:3:12: error: rules[0].call: unknown call 'accep'; did you mean accept?\n"},
	{V1 "rules:\n"
	    "  - {call: '=accept4', do: {errno: EMFILE}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: accept, do: {errno: EMFILE}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: [accept, bnd], do: {errno: EMFILE}}\n",
	 "p.yaml:3:21: error: rules[0].call[1]: unknown call 'bnd'; did you mean bind?\n"},
	{V1 "rules:\n"
	    "  - {call: [accept, bind], do: {errno: EMFILE}}\n",
	 "p.yaml:3:40: error: rules[0].do.errno: bind can never fail with EMFILE; force: true "
	 "injects it all the same\n"},
	{V1 "rules:\n"
	    "  - {call: recv, do: {errno: EMFILE}}\n",
	 "p.yaml:3:30: error: rules[0].do.errno: recv can never fail with EMFILE; force: true "
	 "injects it all the same\n"},
	{V1 "rules:\n"
	    "  - {call: '*', do: {errno: EMFILE}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: =closefrom, do: {errno: EMFILE}}\n",
	 "p.yaml:3:36: error: rules[0].do.errno: closefrom never fails\n"},
	{V1 "rules:\n"
	    "  - {call: _exit, do: {errno: EMFILE}}\n",
	 "p.yaml:3:31: error: rules[0].do.errno: _exit never fails\n"},
	{V1 "rules:\n"
	    "  - {call: 5, do: {errno: EMFILE}}\n",
	 "p.yaml:3:12: error: rules[0].call: wants the name of a call, found the number 5\n"},
};

static void test_calls(void **state)
{
	(void)state;
	given_table(calls);
}

static const struct given_row errnos[] = {
	{V1 "rules:\n"
	    "  - {call: bind, do: {errno: ECONREFUSED}}\n",
	 "p.yaml:3:30: error: rules[0].do.errno: unknown errno 'ECONREFUSED'; did you mean "
	 "ECONNREFUSED?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {errno: 98}}\n",
	 "p.yaml:3:30: error: rules[0].do.errno: wants an errno such as EADDRINUSE, found the "
	 "number 98\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {errno: ENOSPC}}\n",
	 "p.yaml:3:30: error: rules[0].do.errno: bind can never fail with ENOSPC; force: true "
	 "injects it all the same\n"},
	{V1 "rules:\n"
	    "  - {call: close, do: {errno: EIO}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: =close_range, do: {errno: EIO}}\n",
	 "p.yaml:3:38: error: rules[0].do.errno: close_range can never fail with EIO; force: "
	 "true injects it all the same\n"},
	{V1 "rules:\n"
	    "  - {call: closefrom, do: {errno: EIO}}\n",
	 "p.yaml:3:12: error: rules[0].call: closefrom is a variant of close; write close, or "
	 "=closefrom for exactly this one\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EINTR}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EINTR can't be injected on connect: the "
	 "attempt would have to go on, as that of an interrupted connect does\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EAGAIN}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EAGAIN can't be injected on connect: "
	 "readiness would not be raised again, and a correct program would wait for ever\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EWOULDBLOCK}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EAGAIN can't be injected on connect: "
	 "readiness would not be raised again, and a correct program would wait for ever\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EINPROGRESS}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EINPROGRESS can't be injected on connect: "
	 "the attempt would have to go on; delay, or ECONNREFUSED and ETIMEDOUT on a "
	 "non-blocking socket, bring it about\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EALREADY}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EALREADY can't be injected on connect: an "
	 "attempt would have to be going on\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {errno: EISCONN}}\n",
	 "p.yaml:3:33: error: rules[0].do.errno: EISCONN can't be injected on connect: the "
	 "socket would have to be connected\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: {errno: EAGAIN}}\n",
	 "p.yaml:3:32: error: rules[0].do.errno: EAGAIN can't be injected on accept: "
	 "readiness would not be raised again, and a correct program would wait for ever\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: {errno: EINTR}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: fork, do: {errno: EAGAIN}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: setsockopt, do: {errno: EISCONN}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {do: {errno: EADDRINUSE}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {do: {errno: EINPROGRESS}}\n",
	 "p.yaml:3:18: error: rules[0].do.errno: no call can fail with EINPROGRESS: the "
	 "attempt would have to go on; delay, or ECONNREFUSED and ETIMEDOUT on a non-blocking "
	 "socket, bring it about\n"},
	{V1 "rules:\n"
	    "  - {do: {errno: ENOTTY}}\n",
	 "p.yaml:3:18: error: rules[0].do.errno: no call can fail with ENOTTY\n"},
	{V1 "rules:\n"
	    "  - {do: {errno: ECONNRESET}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, do: {errno: ENOSPC, force: true}}\n",
	 "p.yaml:3:30: warning: rules[0].do.errno: ENOSPC can never be the errno of bind; "
	 "forced\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: {errno: EAGAIN, force: true}}\n",
	 "p.yaml:3:32: error: rules[0].do.errno: EAGAIN can't be injected on accept: "
	 "readiness would not be raised again, and a correct program would wait for ever\n"},
	{V1 "rules:\n"
	    "  - {call: =closefrom, do: {errno: EIO, force: true}}\n",
	 "p.yaml:3:36: error: rules[0].do.errno: closefrom never fails\n"},
};

static void test_errnos(void **state)
{
	(void)state;
	given_table(errnos);
}

static const struct given_row actions[] = {
	{V1 "rules:\n"
	    "  - {call: connect, do: {backlog: 1}}\n",
	 "p.yaml:3:26: error: rules[0].do.backlog: does not fit connect; it fits listen\n"},
	{V1 "rules:\n"
	    "  - {call: listen, do: {backlog: -1}}\n",
	 "p.yaml:3:34: error: rules[0].do.backlog: out of range; from 0 to 2147483647\n"},
	{V1 "rules:\n"
	    "  - {call: listen, do: {backlog: 1, overflow: reset}}\n",
	 "p.yaml:3:47: warning: rules[0].do.overflow: resets clients of the session only: the SYN of any other one is "
	 "dropped, as ever on Linux\n"},
	{V1 "rules:\n"
	    "  - {call: listen, do: {backlog: 1, overflow: drop}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: listen, do: {overflow: drop, delay: 1s}}\n",
	 "p.yaml:3:25: error: rules[0].do.overflow: goes with backlog, which is not there\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {}}\n",
	 "p.yaml:3:22: error: rules[0].do: no action; such as errno or delay\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {after: 1s}}\n",
	 "p.yaml:3:22: error: rules[0].do: no action; such as errno or delay\n"
	 "p.yaml:3:23: error: rules[0].do.after: goes with errno, which is not there\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {jitter: 1s, log: a}}\n",
	 "p.yaml:3:23: error: rules[0].do.jitter: goes with delay, which is not there\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {errno: EACCES, deny: true}}\n",
	 "p.yaml:3:38: error: rules[0].do.deny: a second terminal action; errno decides the "
	 "call already\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: false}}\n",
	 "p.yaml:3:29: error: rules[0].do.deny: wants true; leave deny out in place of false\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: deny}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, do: dney}\n",
	 "p.yaml:3:22: error: rules[0].do: wants a map of keys, found 'dney'; did you mean "
	 "deny?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: EADDRINUSE}\n",
	 "p.yaml:3:22: error: rules[0].do: wants a map of keys, found 'EADDRINUSE'; write "
	 "{errno: EADDRINUSE}\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: delay}\n",
	 "p.yaml:3:22: error: rules[0].do: wants a map of keys, found 'delay'; write {delay: "
	 "...}\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {signal: SIGKIL}}\n",
	 "p.yaml:3:31: error: rules[0].do.signal: unknown signal 'SIGKIL'; did you mean "
	 "SIGKILL?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {signal: 9}}\n"
	    "  - {call: bind, do: {signal: KILL}}\n"
	    "  - {call: bind, do: {signal: term}}\n"
	    "  - {call: bind, do: {signal: 999}}\n",
	 "p.yaml:3:31: error: rules[0].do.signal: unknown signal '9'; did you mean SIGKILL?\n"
	 "p.yaml:4:31: error: rules[1].do.signal: unknown signal 'KILL'; did you mean SIGKILL?\n"
	 "p.yaml:5:31: error: rules[2].do.signal: unknown signal 'term'; did you mean SIGTERM?\n"
	 "p.yaml:6:31: error: rules[3].do.signal: unknown signal '999'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {signal: SIGKILL, after_call: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, do: {log: ''}}\n",
	 "p.yaml:3:28: error: rules[0].do.log: an empty text\n"},
	{V1 "rules:\n"
	    "  - {do: {backlog: 3}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {do: {deny: true, backlog: 3}}\n",
	 "p.yaml:3:11: error: rules[0].do.deny: a second terminal action; backlog decides the "
	 "call already\n"},
	{V1 "rules:\n"
	    "  - {do: {log: hi}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, steps: [{do: {errno: EACCES}}, {do: {backlog: 3}}]}\n",
	 "p.yaml:3:55: error: rules[0].steps[1].do.backlog: does not fit bind; it fits listen\n"},
	{V1 "rules:\n"
	    "  - {steps: [{do: {deny: true}}, {do: {backlog: 3}}]}\n",
	 "p.yaml:3:5: error: rules[0]: no call fits all of its steps\n"},
};

static void test_actions(void **state)
{
	(void)state;
	given_table(actions);
}

static const struct given_row unbuilt[] = {
	{V1 "rules:\n"
	    "  - {call: accept, do: {hold: 250ms}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: accept, do: {hold: forever}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: accept, steps: [{do: {hold: 1s}}, {do: {errno: EMFILE}}]}\n",
	 "p.yaml:3:52: error: rules[0].steps[1].do.errno: stands in a rule with hold, which speaks of connections "
	 "that arrive and not of accept calls; give it a rule of its own\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: {hold: 5}}\n",
	 "p.yaml:3:31: error: rules[0].do.hold: a duration carries a unit; write 5s for "
	 "seconds, or 5ms\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {syn_drop: 3}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: connect, do: {syn_drop: x}}\n",
	 "p.yaml:3:36: error: rules[0].do.syn_drop: wants a number, or forever, found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: {reset: both}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: accept, do: {reset: left}}\n",
	 "p.yaml:3:32: error: rules[0].do.reset: unknown word 'left'; one of self, peer, both\n"},
	{V1 "rules:\n"
	    "  - {call: connect, do: {blackhole: both}}\n",
	 "p.yaml:3:37: error: rules[0].do.blackhole: unknown word 'both'; one of self, peer\n"},
	{V1 "rules:\n"
	    "  - {call: recv, do: eof}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: recv, do: {clamp: 4KiB}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: recv, do: {clamp: 0}}\n",
	 "p.yaml:3:30: error: rules[0].do.clamp: out of range; from 1 to 2147483647\n"},
	{V1 "rules:\n"
	    "  - {call: recv, do: {stall: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: poll, do: {spurious: 2}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: close, do: {time_wait: 60s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: close, do: {steal: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: connect, do: self_connect}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: listen, do: {time_wait: 60s}}\n"
	    "  - {call: bind, do: {steal: 60}}\n"
	    "  - {call: close, do: self_connect}\n",
	 "p.yaml:3:25: error: rules[0].do.time_wait: does not fit listen; it fits close, bind\n"
	 "p.yaml:4:30: error: rules[1].do.steal: a duration carries a unit; write 60s for seconds, or 60ms\n"
	 "p.yaml:5:23: error: rules[2].do.self_connect: does not fit close; it fits connect\n"},
	{V1 "rules:\n"
	    "  - {call: accept, do: eof}\n",
	 "p.yaml:3:24: error: rules[0].do.eof: does not fit accept; it fits recv\n"},
};

static void test_unbuilt(void **state)
{
	(void)state;
	given_table(unbuilt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_errnos),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_unbuilt),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
