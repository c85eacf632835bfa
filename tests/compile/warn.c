/* warn.c - rules that can never match or fire, and what is not as it seems. */
#include "given.h"

static const struct given_row match[] = {
	{V1 "rules:\n"
	    "  - {name: l1, call: accept, match: {role: client}, do: {errno: EMFILE}}\n",
	 "p.yaml:3:44: warning: rules[0].match.role: is of no use: accept fails on such a socket anyway\n"},
	{V1 "rules:\n"
	    "  - {call: [connect, listen], match: {role: accepted}, do: {delay: 1s}}\n"
	    "  - {call: listen, match: {role: client}, do: {delay: 1s}}\n"
	    "  - {call: connect, match: {role: listener}, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: listen, match: {proto: udp}, do: {errno: EADDRINUSE}}\n",
	 "p.yaml:3:35: warning: rules[0].match.proto: is of no use: listen fails on such a socket anyway\n"},
	{V1 "rules:\n"
	    "  - {call: [listen, accept], match: {proto: [udp, unix]}, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: connect, match: {queue: \">=3\"}, do: {errno: EACCES}}\n",
	 "p.yaml:3:36: warning: rules[0].match.queue: can never match: connect is made on no listener\n"},
	{V1 "rules:\n"
	    "  - {call: accept, match: {queue: \">=3\", proto: unix}, do: {errno: EMFILE}}\n",
	 "p.yaml:3:35: warning: rules[0].match.queue: can never match: contradicts proto\n"},
	{V1 "rules:\n"
	    "  - {call: bind, match: {comm: [abcdefghijklmno, abcdefghijklmnop]}, do: {errno: EACCES}}\n",
	 "p.yaml:3:50: warning: rules[0].match.comm[1]: the kernel keeps 15 bytes of a comm; only that many are "
	 "compared\n"},
	{V1 "rules:\n"
	    "  - {name: l2, call: listen, match: {proto: unix, port: 80}, do: {errno: "
	    "EADDRINUSE}}\n",
	 "p.yaml:3:45: warning: rules[0].match.proto: can never match: contradicts port\n"},
	{V1 "rules:\n"
	    "  - {name: l3, call: bind, match: {family: inet, addr: \"::1\"}, do: {errno: "
	    "EADDRINUSE}}\n",
	 "p.yaml:3:44: warning: rules[0].match.family: can never match: contradicts addr\n"},
	{V1 "rules:\n"
	    "  - {name: l6, call: bind, match: {port: 80}, do: {errno: EACCES}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: l7, call: accept, match: {side: peer, port: 80}, do: {errno: EMFILE}}\n",
	 "p.yaml:3:56: warning: rules[0].match.port: can never match: accept knows of no peer "
	 "beforehand\n"},
	{V1 "rules:\n"
	    "  - {name: l8, call: accept, match: {state: bound}, do: {errno: EMFILE}}\n",
	 "p.yaml:3:45: warning: rules[0].match.state: is of no use: accept fails on such a "
	 "socket anyway\n"},
	{V1 "rules:\n"
	    "  - {name: l9, call: socket, match: {port: 80}, do: {errno: EMFILE}}\n",
	 "p.yaml:3:44: warning: rules[0].match.port: can never match: socket is made on no "
	 "socket\n"},
	{V1 "rules:\n"
	    "  - {name: l10, call: fork, match: {proto: tcp}, do: {errno: EAGAIN}}\n",
	 "p.yaml:3:44: warning: rules[0].match.proto: can never match: fork is made on no "
	 "socket\n"},
	{V1 "rules:\n"
	    "  - {name: l11, call: bind, match: {exe: /bin/x, side: local}, do: {errno: EACCES}}\n",
	 "p.yaml:3:42: warning: rules[0].match.exe: can never match: exe is a base name, "
	 "without folders\n"
	 "p.yaml:3:56: warning: rules[0].match.side: says nothing without addr, port or "
	 "endpoint\n"},
	{V1 "rules:\n"
	    "  - {call: bind, match: {port: 90..80}, do: {deny: true}}\n",
	 "p.yaml:3:32: warning: rules[0].match.port: can never match: the range of ports is "
	 "empty\n"},
	{V1 "rules:\n"
	    "  - {call: bind, match: {port: [90..80, 5]}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: [tcp, unix], path: /x}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: [accept, listen], match: {state: established}, do: {delay: 1s}}\n",
	 "p.yaml:3:45: warning: rules[0].match.state: is of no use: listen fails on such a socket anyway\n"},
	{V1 "rules:\n"
	    "  - {call: [listen, bind], match: {role: client}, do: {delay: 1s}}\n",
	 ""},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "rules:\n"
	    "  - {call: bind, match: {endpoint: web, port: 81}, do: {deny: true}}\n",
	 "p.yaml:5:36: warning: rules[0].match.endpoint: can never match: contradicts port\n"},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "rules:\n"
	    "  - {call: [bind, connect], match: {endpoint: web, port: 81}, do: {deny: true}}\n",
	 "p.yaml:5:47: warning: rules[0].match.endpoint: can never match: contradicts port\n"},
	{V1 "endpoints:\n"
	    "  web: {side: local, port: 80}\n"
	    "rules:\n"
	    "  - {call: [bind, connect], match: {endpoint: web, port: 81}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: [bind, connect], match: {proto: unix, port: 81}, do: {deny: true}}\n",
	 "p.yaml:3:44: warning: rules[0].match.proto: can never match: contradicts port\n"},
	{V1 "rules:\n"
	    "  - {call: [bind, connect], match: {side: peer, port: 81}, do: {deny: true}}\n",
	 ""},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "rules:\n"
	    "  - {call: bind, match: {endpoint: web, port: 80..81}, do: {deny: true}}\n",
	 ""},
};

static void test_match(void **state)
{
	(void)state;
	given_table(match);
}

#define ENDPOINTS                                                                                                      \
	V1 "endpoints:\n"                                                                                              \
	   "  web: {port: 80..90}\n"                                                                                   \
	   "  db: {side: peer, addr: 10.0.0.0/8, port: 5432}\n"                                                        \
	   "  sock: {path: /run/x}\n"                                                                                  \
	   "  odd: {port: 80, proto: unix}\n"                                                                          \
	   "rules:\n"

/* Of several endpoints each is looked at by itself, beside the other keys. */
static const struct given_row alternatives[] = {
	{ENDPOINTS "  - {call: close, match: {endpoint: [web, db, sock]}, do: {errno: EIO}}\n", ""},
	{ENDPOINTS "  - {call: close, match: {endpoint: [web, db], proto: tcp, port: 80}, do: {errno: EIO}}\n", ""},
	{ENDPOINTS "  - {call: bind, match: {endpoint: [web, db]}, do: {errno: EACCES}}\n",
	 "p.yaml:8:42: warning: rules[0].match.endpoint[1]: can never match: bind knows of no peer beforehand\n"},
	{ENDPOINTS "  - {call: close, match: {endpoint: [web, db, sock], proto: tcp}, do: {errno: EIO}}\n",
	 "p.yaml:8:47: warning: rules[0].match.endpoint[2]: can never match: contradicts proto\n"},
	{ENDPOINTS "  - {call: close, match: {endpoint: [web, db, sock], port: 79}, do: {errno: EIO}}\n",
	 "p.yaml:8:38: warning: rules[0].match.endpoint[0]: can never match: contradicts port\n"
	 "p.yaml:8:47: warning: rules[0].match.endpoint[2]: can never match: contradicts port\n"},
	{ENDPOINTS "  - {call: close, match: {endpoint: [odd, web]}, do: {errno: EIO}}\n",
	 "p.yaml:8:38: warning: rules[0].match.endpoint[0]: can never match: contradicts endpoint\n"},
	{ENDPOINTS "  - {call: close, match: {endpoint: [web, db], proto: unix, port: 80}, do: {errno: EIO}}\n",
	 "p.yaml:8:55: warning: rules[0].match.proto: can never match: contradicts port\n"},
};

static void test_alternatives(void **state)
{
	(void)state;
	given_table(alternatives);
}

static const struct given_row alternatives_in_shadow[] = {
	/* each alternative lies within one of those above */
	{ENDPOINTS "  - {name: a, call: =close, match: {endpoint: [web, db]}, do: {errno: EIO}}\n"
		   "  - {name: b, call: =close, match: {endpoint: [db, web], exe: x}, do: {delay: 1s}}\n"
		   "  - {name: c, call: =close, match: {endpoint: db}, do: {delay: 1s}}\n"
		   "  - {name: d, call: =close, match: {port: 85}, do: {delay: 1s}}\n"
		   "  - {name: e, call: =close, match: {endpoint: [db, sock]}, do: {delay: 1s}}\n"
		   "  - {name: f, call: =close, match: {exe: x}, do: {delay: 1s}}\n",
	 "p.yaml:9:5: warning: rules[1]: never fires: rule 'a' above it decides each of its calls\n"
	 "p.yaml:10:5: warning: rules[2]: never fires: rule 'a' above it decides each of its calls\n"
	 "p.yaml:11:5: warning: rules[3]: never fires: rule 'a' above it decides each of its calls\n"},
	/* half of one and half of the other is within neither */
	{ENDPOINTS "  - {name: a, call: =close, match: {endpoint: [odd, db]}, do: {errno: EIO}}\n"
		   "  - {name: b, call: =close, match: {side: peer, addr: 10.0.0.0/8, port: 80}, do: {delay: 1s}}\n",
	 "p.yaml:8:48: warning: rules[0].match.endpoint[0]: can never match: contradicts endpoint\n"},
	{ENDPOINTS "  - {name: a, call: =close, match: {endpoint: web, exe: x}, do: {errno: EIO}}\n"
		   "  - {name: b, call: =close, match: {endpoint: [db, web], exe: x}, do: {delay: 1s}}\n",
	 ""},
};

static void test_alternatives_in_shadow(void **state)
{
	(void)state;
	given_table(alternatives_in_shadow);
}

static const struct given_row when[] = {
	{V1 "rules:\n"
	    "  - {name: w1, call: bind, match: {comm: a}, when: {limit: 0}, do: {errno: EACCES}}\n",
	 "p.yaml:3:60: warning: rules[0].when.limit: never fires: the limit is 0\n"},
	{V1 "rules:\n"
	    "  - {name: w2, call: bind, match: {comm: a}, when: {after: 5s, until: 5s}, do: "
	    "{errno: EACCES}}\n",
	 "p.yaml:3:71: warning: rules[0].when.until: never fires: until is not later than "
	 "after\n"},
	{V1 "rules:\n"
	    "  - {name: w3, call: bind, match: {comm: a}, when: {until: 0s}, do: {errno: EACCES}}\n",
	 "p.yaml:3:60: warning: rules[0].when.until: never fires: until is not later than the "
	 "start\n"},
	{V1 "rules:\n"
	    "  - {name: w4, call: bind, match: {comm: a}, when: {nth: 5, first: 3}, do: {errno: "
	    "EACCES}}\n",
	 "p.yaml:3:58: warning: rules[0].when.nth: never fires: the first 3 matches end "
	 "before it\n"},
	{V1 "rules:\n"
	    "  - {name: w5, call: bind, match: {comm: a}, when: {every: 5, first: 3}, do: "
	    "{errno: EACCES}}\n",
	 "p.yaml:3:60: warning: rules[0].when.every: never fires: no such match is left by "
	 "first\n"},
	{V1 "rules:\n"
	    "  - {name: w6, call: bind, match: {comm: a}, when: {every: 2, nth: 3..9+2}, do: "
	    "{errno: EACCES}}\n",
	 "p.yaml:3:60: warning: rules[0].when.every: never fires: no such match is left by nth\n"},
	{V1 "rules:\n"
	    "  - {name: w7, call: bind, match: {comm: a}, when: {chance: 0%}, do: {errno: "
	    "EACCES}}\n",
	 "p.yaml:3:61: warning: rules[0].when.chance: never fires: the chance is 0\n"},
	{V1 "rules:\n"
	    "  - {name: w8, call: bind, match: {comm: a}, when: {pulse: {active: 0s, idle: 1s}}, "
	    "do: {errno: EACCES}}\n",
	 "p.yaml:3:69: warning: rules[0].when.pulse.active: never fires: it is active for no "
	 "time\n"},
	{V1 "rules:\n"
	    "  - {call: bind, when: {every: 2, nth: 3..9+3}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, when: {until: 6s, after: 5s, limit: 1, chance: 1}, do: {deny: "
	    "true}}\n",
	 ""},
};

static void test_when(void **state)
{
	(void)state;
	given_table(when);
}

static const struct given_row arrival[] = {
	{V1 "rules:\n"
	    "  - {name: w9, call: bind, match: {exe: [a, b]}, when: {first: 3}, do: {errno: "
	    "EACCES}}\n",
	 "p.yaml:3:64: warning: rules[0].when.first: counts over several processes follow "
	 "their arrival, which no seed fixes; count_per: process counts in each\n"},
	{V1 "rules:\n"
	    "  - {name: w9, call: bind, match: {exe: [a, b]}, when: {nth: 3}, do: {errno: "
	    "EACCES}}\n",
	 "p.yaml:3:62: warning: rules[0].when.nth: counts over several processes follow their "
	 "arrival, which no seed fixes; count_per: process counts in each\n"},
	{V1 "rules:\n"
	    "  - {name: w9, call: bind, match: {exe: [a, b]}, when: {first: 3, count_per: "
	    "process}, do: {errno: EACCES}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: w9, call: bind, match: {exe: [a]}, when: {first: 3}, do: {errno: EACCES}}\n",
	 ""},
};

static void test_arrival(void **state)
{
	(void)state;
	given_table(arrival);
}

static const struct given_row waiting[] = {
	{V1 "rules:\n"
	    "  - {name: d1, call: accept, match: {blocking: false}, do: {delay: 1s}}\n",
	 "p.yaml:3:68: warning: rules[0].do.delay: the thread itself waits in a non-blocking "
	 "call; hold (accept) and stall (recv, send) let readiness come late instead\n"},
	{V1 "rules:\n"
	    "  - {name: d2, call: [accept, connect], match: {blocking: false}, do: {delay: 1s}}\n",
	 "p.yaml:3:79: warning: rules[0].do.delay: the thread itself waits in a non-blocking "
	 "call; hold (accept) and stall (recv, send) let readiness come late instead\n"},
	{V1 "rules:\n"
	    "  - {name: d3, call: connect, match: {blocking: false}, do: {delay: 1s}}\n",
	 "p.yaml:3:69: warning: rules[0].do.delay: the thread itself waits in a non-blocking "
	 "call; hold (accept) and stall (recv, send) let readiness come late instead\n"},
	{V1 "rules:\n"
	    "  - {call: connect, match: {blocking: true}, do: {delay: 1s}}\n"
	    "  - {call: bind, match: {blocking: false}, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: d4, call: accept, match: {blocking: false}, do: {errno: EINTR}}\n",
	 "p.yaml:3:68: warning: rules[0].do.errno: never fires: EINTR fits accept on a blocking socket only\n"},
	{V1 "rules:\n"
	    "  - {name: d5, call: accept, match: {blocking: true}, do: {errno: EINTR}}\n",
	 ""},
};

static void test_waiting(void **state)
{
	(void)state;
	given_table(waiting);
}

/* An errno that the sockets of the rule never answer. */
static const struct given_row answers[] = {
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: unix}, do: {errno: ETIMEDOUT}}\n",
	 "p.yaml:3:55: warning: rules[0].do.errno: never fires: ETIMEDOUT fits connect over tcp only\n"},
	{V1 "rules:\n"
	    "  - {call: connect, match: {path: /x}, do: {errno: ETIMEDOUT}}\n",
	 "p.yaml:3:52: warning: rules[0].do.errno: never fires: ETIMEDOUT fits connect over tcp only\n"},
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: udp}, do: {errno: ECONNREFUSED}}\n",
	 "p.yaml:3:54: warning: rules[0].do.errno: never fires: ECONNREFUSED fits connect over tcp or unix only\n"},
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: udp}, steps: [{do: {delay: 1s}}, {do: {deny: true}}]}\n",
	 "p.yaml:3:81: warning: rules[0].steps[1].do.deny: never fires: deny fits connect over tcp or unix only\n"},
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: [udp, tcp]}, do: {errno: ETIMEDOUT}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: connect, match: {proto: unix}, do: {errno: ECONNREFUSED}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: [bind, connect], match: {proto: udp}, do: {deny: true}}\n",
	 ""},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "  sock: {path: /run/x}\n"
	    "rules:\n"
	    "  - {call: connect, match: {endpoint: [web, sock]}, do: {errno: ETIMEDOUT}}\n",
	 ""},
};

static void test_answers(void **state)
{
	(void)state;
	given_table(answers);
}

static const struct given_row listeners[] = {
	{V1 "rules:\n"
	    "  - {call: [connect, fork], when: {first: 3, count_per: listener}, do: {delay: 1s}}\n",
	 "p.yaml:3:57: warning: rules[0].when.count_per: connect is made on no listener; did you mean socket, or "
	 "process?\n"},
	{V1 "rules:\n"
	    "  - {call: [connect, accept], when: {first: 3, count_per: listener}, do: {delay: 1s}}\n",
	 ""},
};

static void test_listeners(void **state)
{
	(void)state;
	given_table(listeners);
}

static const struct given_row shadow[] = {
	{V1 "rules:\n"
	    "  - {name: a, call: accept, do: {errno: EINTR}}\n"
	    "  - {name: b, call: accept, do: {errno: EMFILE}}\n"
	    "  - {name: c, call: accept, do: {errno: EINTR}}\n",
	 "p.yaml:5:5: warning: rules[2]: never fires: rule 'a' above it decides each of its calls\n"},
	{V1 "rules:\n"
	    "  - {name: s1, call: connect, do: {errno: ECONNREFUSED}}\n"
	    "  - {name: s2, call: connect, do: {errno: ETIMEDOUT}}\n"
	    "  - {name: s3, call: connect, do: {errno: EACCES}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 's1' above it decides each of its "
	 "calls\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, match: {port: 1..9}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, match: {port: 5, exe: x}, do: {deny: true}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 'a' above it decides each of its "
	 "calls\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, match: {port: 1..9}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, match: {port: 5..10}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, call: [bind, connect], match: {port: 1..9}, do: {errno: EACCES}}\n"
	    "  - {name: b, call: bind, match: {port: 5}, do: {deny: true}}\n"
	    "  - {name: c, call: [connect, bind], match: {port: 5}, do: {log: x}}\n"
	    "  - {name: d, call: bind, match: {side: peer, port: 5}, do: {log: x}}\n"
	    "  - {name: e, call: [connect, bind], match: {side: local, port: 5}, do: {log: x}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 'a' above it decides each of its "
	 "calls\n"
	 "p.yaml:5:5: warning: rules[2]: never fires: rule 'a' above it decides each of its "
	 "calls\n"
	 "p.yaml:6:53: warning: rules[3].match.port: can never match: bind knows of no peer beforehand\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, match: {port: 1..9}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, match: {port: [1, 9]}, do: {deny: true}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 'a' above it decides each of its "
	 "calls\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, match: {port: 1..9}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, match: {exe: x}, do: {deny: true}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, call: bind,  do: {deny: true}}\n"
	    "  - {name: b, call: bind, do: {delay: 1s}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 'a' above it decides each of its "
	 "calls\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, when: {chance: 50%}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, match: {proto: tcp}, do: {deny: true}}\n"
	    "  - {name: b, call: bind, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, steps: [{do: {deny: true}}]}\n"
	    "  - {name: b, call: bind, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, do: {delay: 1s}}\n"
	    "  - {name: b, call: bind, do: {delay: 1s}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {name: a, do: {deny: true}}\n"
	    "  - {name: b, call: bind, do: {deny: true}}\n"
	    "  - {name: c, call: connect, do: {delay: 1s}}\n",
	 "p.yaml:4:5: warning: rules[1]: never fires: rule 'a' above it decides each of its calls\n"},
};

static void test_shadow(void **state)
{
	(void)state;
	given_table(shadow);
}

static const struct given_row mode[] = {
	{V1 "mode: log\n"
	    "rules:\n"
	    "  - {call: bind, do: {deny: true}}\n",
	 "p.yaml:2:7: warning: mode: log ignores rules; mode: inject carries them out\n"},
	{V1 "mode: disabled\n"
	    "rules:\n"
	    "  - {call: bind, do: {deny: true}}\n",
	 "p.yaml:2:7: warning: mode: disabled ignores rules; mode: inject carries them out\n"},
	{V1 "mode: log\n"
	    "kernel: {somaxconn: 1}\n",
	 "p.yaml:2:7: warning: mode: log ignores kernel; mode: enforce carries it out\n"},
	{V1 "mode: log\n"
	    "kernel: {somaxconn: 1}\n"
	    "rules:\n"
	    "  - {call: bind, do: {deny: true}}\n",
	 "p.yaml:2:7: warning: mode: log ignores kernel and rules; mode: inject carries them out\n"},
	{V1 "mode: enforce\n"
	    "kernel: {somaxconn: 1}\n",
	 ""},
	{V1 "mode: log\n", ""},
};

static void test_mode(void **state)
{
	(void)state;
	given_table(mode);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),	     cmocka_unit_test(test_when),
		cmocka_unit_test(test_arrival),	     cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_answers),	     cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_shadow),	     cmocka_unit_test(test_mode),
		cmocka_unit_test(test_alternatives), cmocka_unit_test(test_alternatives_in_shadow),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
