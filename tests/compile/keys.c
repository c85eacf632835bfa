/* keys.c - keys, types and values: what each section takes, and what is said of the rest. */
#include "given.h"

static const struct given_row top[] = {
	{"mode: log\n", "p.yaml:1:1: error: version: is missing; write version: 1\n"},
	{"version: 2\n", "p.yaml:1:10: error: version: 2 is not known; this snag reads version: 1\n"},
	{"version: one\n", "p.yaml:1:10: error: version: wants 1, found 'one'\n"},
	{V1 "sed: 3\n"
	    "mode: injekt\n",
	 "p.yaml:2:1: error: sed: unknown key; did you mean seed?\n"
	 "p.yaml:3:7: error: mode: unknown word 'injekt'; did you mean inject?\n"},
	{V1 "zzzzzzzz: 3\n", "p.yaml:2:1: error: zzzzzzzz: unknown key\n"},
	{V1 "seed: -1\n", "p.yaml:2:7: error: seed: out of range; from 0 to 9223372036854775807\n"},
	{V1 "seed: \"3\"\n", "p.yaml:2:7: error: seed: wants a number of at least 0, found '3'\n"},
	{V1 "seed: 3.5\n", "p.yaml:2:7: error: seed: wants a number of at least 0, found the number 3.5\n"},
	{V1 "mode: [log]\n", "p.yaml:2:7: error: mode: wants one of log, enforce, inject, disabled, found a list\n"},
	{V1 "mode: enforce\n", ""},
	{V1 "mode:\n", "p.yaml:2:6: error: mode: wants one of log, enforce, inject, disabled, found nothing\n"},
	{V1 "rules:\n", "p.yaml:2:7: error: rules: wants a list, found nothing\n"},
	{V1 "rules: {a: b}\n", "p.yaml:2:8: error: rules: wants a list, found a map\n"},
	{V1 "rules: [5]\n", "p.yaml:2:9: error: rules[0]: wants a map of keys, found the number 5\n"},
	{V1 "mode: on\n", "p.yaml:2:7: error: mode: unknown word 'on'; one of log, enforce, inject, disabled\n"},
	{V1 "mode: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaa\n",
	 "p.yaml:2:7: error: mode: unknown word "
	 "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; one of log, "
	 "enforce, inject, disabled\n"},
	{V1 "mode: \"\\e[31m\"\n", "p.yaml:2:7: error: mode: unknown word '\\x1b[31m'; one of log, enforce, inject, "
				   "disabled\n"},
};

static void test_top(void **state)
{
	(void)state;
	given_table(top);
}

static const struct given_row endpoints[] = {
	{V1 "endpoints: [a]\n", "p.yaml:2:12: error: endpoints: wants a map of names, found a list\n"},
	{V1 "endpoints:\n"
	    "  a b: {port: 1}\n"
	    "  web: {side: locl, prt: 2, port: 80800}\n",
	 "p.yaml:3:3: error: endpoints.a b: a name is 1 to 63 letters, digits, _ and -\n"
	 "p.yaml:4:15: error: endpoints.web.side: unknown word 'locl'; did you mean local?\n"
	 "p.yaml:4:21: error: endpoints.web.prt: unknown key; did you mean port?\n"
	 "p.yaml:4:35: error: endpoints.web.port: out of range; from 0 to 65535\n"},
	{V1 "endpoints:\n"
	    "  web: 80\n",
	 "p.yaml:3:8: error: endpoints.web: wants a map of keys, found the number 80\n"},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "rules:\n"
	    "  - {call: bind, match: {endpoint: wbe}, do: {deny: true}}\n",
	 "p.yaml:5:36: error: rules[0].match.endpoint: no endpoint 'wbe'; did you mean web?\n"},
	{V1 "endpoints:\n"
	    "  a: {port: 80, proto: tcp}\n"
	    "  b: {port: 81, proto: udp}\n"
	    "rules:\n"
	    "  - {call: bind, match: {endpoint: [a, b]}, do: {deny: true}}\n",
	 ""},
	{V1 "endpoints:\n"
	    "  web: {port: 80}\n"
	    "rules:\n"
	    "  - {call: bind, match: {endpoint: [wob, web, x]}, do: {deny: true}}\n",
	 "p.yaml:5:37: error: rules[0].match.endpoint[0]: no endpoint 'wob'; did you mean web?\n"
	 "p.yaml:5:47: error: rules[0].match.endpoint[2]: no endpoint 'x'\n"},
};

static void test_endpoints(void **state)
{
	(void)state;
	given_table(endpoints);
}

static const struct given_row match[] = {
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: x}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: wants a port such as 8080, or a range such "
	 "as 8000..8099, found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: 5..x}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: wants a port such as 8080, or a range such "
	 "as 8000..8099, found '5..x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: 65536}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: out of range; from 0 to 65535\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: -1}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: out of range; from 0 to 65535\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: 1..99999}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: out of range; from 0 to 65535\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: [80, x]}}\n",
	 "p.yaml:3:55: error: rules[0].match.port[1]: wants a port such as 8080, or a range "
	 "such as 8000..8099, found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: []}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: an empty list; leave port out, or name a "
	 "value\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: {a: b}}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: wants a port such as 8080, or a range such "
	 "as 8000..8099, found a map\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {port: true}}\n",
	 "p.yaml:3:50: error: rules[0].match.port: wants a port such as 8080, or a range such "
	 "as 8000..8099, found true\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {addr: localhost}}\n",
	 "p.yaml:3:50: error: rules[0].match.addr: no address 'localhost'; write one such as "
	 "127.0.0.1, 10.0.0.0/8, \"::1\" or any; names are not looked up\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {addr: 10.0.0.0/33}}\n",
	 "p.yaml:3:50: error: rules[0].match.addr: no address '10.0.0.0/33'; write one such "
	 "as 127.0.0.1, 10.0.0.0/8, \"::1\" or any; names are not looked up\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {addr: \"::1/129\"}}\n",
	 "p.yaml:3:50: error: rules[0].match.addr: no address '::1/129'; write one such as "
	 "127.0.0.1, 10.0.0.0/8, \"::1\" or any; names are not looked up\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {proto: sctp}}\n",
	 "p.yaml:3:51: error: rules[0].match.proto: unknown word 'sctp'; did you mean tcp?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {family: inet5}}\n",
	 "p.yaml:3:52: error: rules[0].match.family: unknown word 'inet5'; did you mean inet?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {path: ''}}\n",
	 "p.yaml:3:50: error: rules[0].match.path: an empty text\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {exe: 12}}\n",
	 "p.yaml:3:49: error: rules[0].match.exe: wants a text, found the number 12; put it "
	 "in quotes\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {pid: 0}}\n",
	 "p.yaml:3:49: error: rules[0].match.pid: out of range; from 1 to 2147483647\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {user: no-such-user-here}}\n",
	 "p.yaml:3:50: error: rules[0].match.user: no such user 'no-such-user-here' on this "
	 "machine\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {user: 99999999999}}\n",
	 "p.yaml:3:50: error: rules[0].match.user: out of range; a uid is from 0 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {role: server}}\n",
	 "p.yaml:3:50: error: rules[0].match.role: unknown word 'server'; one of listener, "
	 "accepted, client\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {state: listening}}\n",
	 "p.yaml:3:51: error: rules[0].match.state: unknown word 'listening'; did you mean "
	 "listen?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {queue: \">3x\"}}\n",
	 "p.yaml:3:51: error: rules[0].match.queue: wants a count such as 3, 1..5 or \">=3\", "
	 "found '>3x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {queue: 3..1}}\n",
	 "p.yaml:3:51: error: rules[0].match.queue: the range is empty; write the lower "
	 "number first\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {blocking: yes}}\n",
	 "p.yaml:3:54: error: rules[0].match.blocking: wants true or false, found 'yes'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {blocking: [true]}}\n",
	 "p.yaml:3:54: error: rules[0].match.blocking: wants true or false, found a list\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {time_wait: many}}\n",
	 "p.yaml:3:55: error: rules[0].match.time_wait: wants a count such as 3, 1..5 or "
	 "\">=3\", found 'many'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {prot: tcp}}\n",
	 "p.yaml:3:44: error: rules[0].match.prot: unknown key; did you mean proto?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {side: left, port: 1}}\n",
	 "p.yaml:3:50: error: rules[0].match.side: unknown word 'left'; one of local, peer\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, match: {caller: {}}}\n",
	 "p.yaml:3:52: error: rules[0].match.caller: wants a text, found a map\n"},
	{V1 "rules:\n"
	    "  - {call: [bind, connect], do: {log: x}, match: {port: 80}}\n",
	 ""},
};

static void test_match(void **state)
{
	(void)state;
	given_table(match);
}

static const struct given_row when[] = {
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {first: 0}}\n",
	 "p.yaml:3:50: error: rules[0].when.first: out of range; from 1 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {first: many}}\n",
	 "p.yaml:3:50: error: rules[0].when.first: wants a number from 1 to 4294967295, found "
	 "'many'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {first: 99999999999}}\n",
	 "p.yaml:3:50: error: rules[0].when.first: out of range; from 1 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {nth: 0}}\n",
	 "p.yaml:3:48: error: rules[0].when.nth: out of range; from 1 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {nth: 9..3}}\n",
	 "p.yaml:3:48: error: rules[0].when.nth: the range is empty; write the lower number "
	 "first\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {nth: 3..9+0}}\n",
	 "p.yaml:3:48: error: rules[0].when.nth: out of range; from 1 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {nth: 3+}}\n",
	 "p.yaml:3:48: error: rules[0].when.nth: wants ordinals such as 3, 3..9 or 3..9+2, "
	 "found '3+'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {nth: x}}\n",
	 "p.yaml:3:48: error: rules[0].when.nth: wants ordinals such as 3, 3..9 or 3..9+2, "
	 "found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {every: 0}}\n",
	 "p.yaml:3:50: error: rules[0].when.every: out of range; from 1 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {chance: 5}}\n",
	 "p.yaml:3:51: error: rules[0].when.chance: 5 is above 1; write 5% for so many in a "
	 "hundred\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {chance: 101%}}\n",
	 "p.yaml:3:51: error: rules[0].when.chance: out of range; from 0% to 100%\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {chance: 5%%}}\n",
	 "p.yaml:3:51: error: rules[0].when.chance: wants a chance such as 5% or 0.05, found "
	 "'5%%'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {chance: x}}\n",
	 "p.yaml:3:51: error: rules[0].when.chance: wants a chance such as 5% or 0.05, found "
	 "'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {chance: 0.12345678901}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {limit: -1}}\n",
	 "p.yaml:3:50: error: rules[0].when.limit: out of range; from 0 to 4294967295\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {after: 2}}\n",
	 "p.yaml:3:50: error: rules[0].when.after: a duration carries a unit; write 2s for "
	 "seconds, or 2ms\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {after: 2x}}\n",
	 "p.yaml:3:50: error: rules[0].when.after: unknown unit 'x'; one of ns, us, ms, s, m, "
	 "h\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {after: x}}\n",
	 "p.yaml:3:50: error: rules[0].when.after: wants a duration such as 250ms, found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {after: 9000h}}\n",
	 "p.yaml:3:50: error: rules[0].when.after: out of range; at most 8760h\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {until: 1.5.5s}}\n",
	 "p.yaml:3:50: error: rules[0].when.until: unknown unit '.5s'; one of ns, us, ms, s, "
	 "m, h\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {pulse: 1s}}\n",
	 "p.yaml:3:50: error: rules[0].when.pulse: wants a map of keys, found '1s'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {pulse: {active: 1s}}}\n",
	 "p.yaml:3:50: error: rules[0].when.pulse.idle: is missing; wants a duration such as "
	 "250ms\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {pulse: {active: 1s, idle: 2}}}\n",
	 "p.yaml:3:69: error: rules[0].when.pulse.idle: a duration carries a unit; write 2s "
	 "for seconds, or 2ms\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {count_per: thred}}\n",
	 "p.yaml:3:54: error: rules[0].when.count_per: unknown word 'thred'; did you mean "
	 "thread?\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {event: x}}\n",
	 ""},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {bytes_sent: 5KiB}}\n",
	 "p.yaml:3:55: warning: rules[0].when.bytes_sent: never fires: no byte has been moved before bind\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {bytes_received: 5GB}}\n",
	 "p.yaml:3:59: error: rules[0].when.bytes_received: unknown unit 'GB'; a number of "
	 "bytes, or KiB, MiB\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {bytes_sent: x}}\n",
	 "p.yaml:3:55: error: rules[0].when.bytes_sent: wants a number of bytes, or such as "
	 "64KiB, found 'x'\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, when: {fist: 1}}\n",
	 "p.yaml:3:43: error: rules[0].when.fist: unknown key; did you mean first?\n"},
};

static void test_when(void **state)
{
	(void)state;
	given_table(when);
}

static const struct given_row rule[] = {
	{V1 "rules:\n"
	    "  - {call: bind}\n",
	 "p.yaml:3:5: error: rules[0]: one of do, steps must stand here\n"},
	{V1 "rules:\n"
	    "  - {call: bind, do: {deny: true}, steps: []}\n",
	 "p.yaml:3:36: error: rules[0].steps: only one of do, steps may stand here, and do "
	 "does already\n"},
	{V1 "rules:\n"
	    "  - {call: bind, steps: []}\n",
	 "p.yaml:3:25: error: rules[0].steps: has no step\n"},
	{V1 "rules:\n"
	    "  - {call: bind, steps: [{times: 0, do: {deny: true}}, {times: 2}]}\n",
	 "p.yaml:3:34: error: rules[0].steps[0].times: out of range; from 1 to 4294967295\n"
	 "p.yaml:3:56: error: rules[0].steps[1].do: is missing; wants a map\n"},
	{V1 "rules:\n"
	    "  - {name: a, call: bind, do: {deny: true}}\n"
	    "  - {name: a, call: connect, do: {deny: true}}\n",
	 "p.yaml:4:12: error: rules[1].name: another rule has this name, p.yaml:3:5\n"},
	{V1 "rules:\n"
	    "  - {name: '', call: bind, do: {deny: true}}\n",
	 "p.yaml:3:12: error: rules[0].name: an empty text\n"},
	{V1 "rules:\n"
	    "  - {name: 12, call: bind, do: {deny: true}}\n",
	 "p.yaml:3:12: error: rules[0].name: wants a text, found the number 12; put it in "
	 "quotes\n"},
	{V1 "rules:\n"
	    "  - {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, call: "
	    "bind, do: {deny: true}}\n",
	 "p.yaml:3:12: error: rules[0].name: 64 bytes long; at most 63\n"},
	{V1 "rules:\n"
	    "  - {cal: bind, do: {deny: true}}\n",
	 "p.yaml:3:6: error: rules[0].cal: unknown key; did you mean call?\n"},
};

static void test_rule(void **state)
{
	(void)state;
	given_table(rule);
}

static const struct given_row kernel[] = {
	{V1 "kernel: {ip_local_port_range: 40000..40015, tcp_tw_reuse: 2}\n", ""},
	{V1 "kernel: {clock: 100, time_wait: 5m, tcp_max_tw_buckets: 0}\n", ""},
	{V1 "kernel: {somaxconn: 4, ip_nonlocal_bind: true, tcp_fin_timeout: 5s}\n", ""},
	{V1 "kernel: {ip_nonlocal_bind: false, tcp_fin_timeout: 1500ms}\n",
	 "p.yaml:2:28: error: kernel.ip_nonlocal_bind: wants true; leave ip_nonlocal_bind out in place of false\n"
	 "p.yaml:2:52: error: kernel.tcp_fin_timeout: wants whole seconds from 1s to 120s: the kernel keeps it so "
	 "(TCP_LINGER2)\n"},
	{V1 "kernel: {somaxcon: 4, tcp_syncookies: 1, clock: 0, time_wait: 60, "
	    "ip_local_port_range: 5..1, rules: bsd, privileged: 1}\n",
	 "p.yaml:2:10: error: kernel.somaxcon: unknown key; did you mean somaxconn?\n"
	 "p.yaml:2:23: error: kernel.tcp_syncookies: acts on packets, so from inside a "
	 "program it has no honest effect; a network namespace has a sysctl of its own\n"
	 "p.yaml:2:49: error: kernel.clock: out of range; from 1 to 1000000\n"
	 "p.yaml:2:63: error: kernel.time_wait: a duration carries a unit; write 60s for "
	 "seconds, or 60ms\n"
	 "p.yaml:2:88: error: kernel.ip_local_port_range: the range is empty; write the lower "
	 "number first\n"
	 "p.yaml:2:101: error: kernel.rules: unknown word 'bsd'; one of linux, freebsd, "
	 "macos, textbook\n"
	 "p.yaml:2:118: error: kernel.privileged: wants true or false, found the number 1\n"},
};

static void test_kernel(void **state)
{
	(void)state;
	given_table(kernel);
}

static const struct given_row unbuilt[] = {
	{V1 "occupy:\n"
	    "  - {port: 80, addr: 10.0.0.0/8}\n"
	    "  - {port: 80, proto: udp, as: time_wait}\n"
	    "  - {port: 100..355}\n",
	 "p.yaml:3:3: error: occupy: names 258 ports; at most 256\n"
	 "p.yaml:3:22: error: occupy[0].addr: wants one address, not a net\n"
	 "p.yaml:4:32: error: occupy[1].as: udp is bound and nothing else; leave it out\n"},
	{V1 "occupy:\n"
	    "  - {proto: unix, as: listning, for: 5}\n",
	 "p.yaml:3:5: error: occupy[0].port: is missing; wants a port such as 8080, or a "
	 "range such as 8000..8099\n"
	 "p.yaml:3:13: error: occupy[0].proto: unknown word 'unix'; one of tcp, udp\n"
	 "p.yaml:3:23: error: occupy[0].as: unknown word 'listning'; did you mean listening?\n"
	 "p.yaml:3:38: error: occupy[0].for: a duration carries a unit; write 5s for seconds, "
	 "or 5ms\n"},
	{V1 "expect:\n"
	    "  - {exit: 0}\n",
	 "p.yaml:2:1: error: expect: is not built yet; leave it out\n"},
	{V1 "endpoints:\n"
	    "  web: {port: 1}\n"
	    "rules:\n"
	    "  - {name: a, call: bind, do: {deny: true}}\n"
	    "expect:\n"
	    "  - {rule: b, fired: x}\n"
	    "  - {fired: 3}\n"
	    "  - {exit: 300}\n"
	    "  - {listens: wbe, within: 3s, after: a}\n"
	    "  - {exit: 0, never: [double_close]}\n"
	    "  - {never: [doble_close]}\n"
	    "  - {rate: {call: accept, per: 1s}}\n",
	 "p.yaml:7:12: error: expect[0].rule: no rule 'b'\n"
	 "p.yaml:7:22: error: expect[0].fired: wants a count such as 3, 1..5 or \">=3\", "
	 "found 'x'\n"
	 "p.yaml:8:5: error: expect[1]: one of rule, listens, connects, rate, exit, never "
	 "must stand here\n"
	 "p.yaml:8:6: error: expect[1].fired: goes with rule, which is not there\n"
	 "p.yaml:9:12: error: expect[2].exit: out of range; from 0 to 255\n"
	 "p.yaml:10:15: error: expect[3].listens: no endpoint 'wbe'; did you mean web?\n"
	 "p.yaml:11:15: error: expect[4].never: only one of rule, listens, connects, rate, "
	 "exit, never may stand here, and exit does already\n"
	 "p.yaml:12:14: error: expect[5].never[0]: unknown word 'doble_close'; did you mean "
	 "double_close?\n"
	 "p.yaml:13:5: error: expect[6]: wants below: N beside rate\n"},
};

static void test_unbuilt(void **state)
{
	(void)state;
	given_table(unbuilt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top),  cmocka_unit_test(test_endpoints), cmocka_unit_test(test_match),
		cmocka_unit_test(test_when), cmocka_unit_test(test_rule),
		cmocka_unit_test(test_kernel),      cmocka_unit_test(test_unbuilt),
	};

	return cmocka_run_group_tests(tests, given_setup, given_teardown);
}
