/* check: the model's invariants over random operations, after damage, and with noise in place of a model. */
#include "drive.h"
#include <model/bare.h>

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SOCKS 200

static bool all_live(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)serial;
	return sock <= SOCKS;
}

static bool odd_live(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)serial;
	return sock % 2;
}

static bool none_live(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)sock, (void)serial;
	return false;
}

static unsigned pick(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

static struct snag_addr random_addr(unsigned *seed, unsigned domain)
{
	static const char *const v4[] = {"0.0.0.0", "127.0.0.1", "10.0.0.1"},
		*const v6[] = {"::", "::1", "::ffff:1.2.3.4"};

	return drive_addr(domain == AF_INET ? v4[pick(seed, 3)] : v6[pick(seed, 3)], pick(seed, 5) * 1000);
}

/* Any call in any state with any answer: the model need not make sense of it, only stay whole. `tidy`: a slot is given
 * out again only when the model has forgotten it, as the session does. */
static void random_call(struct drive *d, unsigned *seed, bool tidy)
{
	static const int errs[] = {0, 0, 0, 0, EINPROGRESS, EADDRINUSE, ECONNREFUSED, EINTR, EISCONN, -1};
	static const unsigned domains[] = {AF_INET, AF_INET6, AF_UNIX};
	uint32_t sock = 1 + pick(seed, SOCKS);
	struct snag_call c = drive_call(d, 1 + pick(seed, SNAG_CALLS - 1), sock);
	struct snag_outcome o = drive_outcome(d, errs[pick(seed, 10)]);
	struct model_verdict v;
	char path[3] = {(char)('a' + pick(seed, 5)), 'x'};

	if (!pick(seed, 4))
		c.call = SNAG_CALL_bind;
	if (!d->domain[sock] || !pick(seed, 30)) {
		unsigned i = pick(seed, 3);
		if (tidy)
			model_forget(d->m, sock, d->now_ns);
		drive_socket(d, sock, i == 2 ? SNAG_PROTO_UNIX : 1 + pick(seed, 2), domains[i], SOCK_STREAM);
	}
	c.proto = d->proto[sock];
	if (d->domain[sock] == AF_UNIX)
		c = drive_path_call(d, c.call, sock, path, 2);
	else
		c.addr = random_addr(seed, pick(seed, 20) ? d->domain[sock] : AF_INET6);
	c.facts = pick(seed, 2) ? SNAG_FACT_TCP_STATE : 0;
	c.tcp_state = (uint8_t)pick(seed, 16);
	c.arg[0] = (int)pick(seed, 4);
	o.last = (uint8_t)pick(seed, 2);
	if (o.real_err == 0 && pick(seed, 2)) {
		o.new_sock = o.new_serial = 1 + pick(seed, SOCKS);
		if (tidy)
			model_forget(d->m, o.new_sock, d->now_ns);
		d->domain[o.new_sock] = d->domain[sock] ? d->domain[sock] : AF_INET;
		d->proto[o.new_sock] = d->proto[sock];
		c.domain = (uint8_t)d->domain[sock];
	}
	if (d->domain[sock] != AF_UNIX && !pick(seed, 3)) {	/* as a front end that asks for everything */
		c.facts |= SNAG_FACT_UNREAD | SNAG_FACT_REACH;
		c.unread = (int)pick(seed, 2);
		c.reach = SNAG_REACH_LOCAL;
		o.local = random_addr(seed, d->domain[sock]);
		o.peer = random_addr(seed, d->domain[sock]);
	}
	if (!pick(seed, 50))
		d->now_ns += (uint64_t)pick(seed, 40) * 1000000000;
	if (c.call == SNAG_CALL_listen && pick(seed, 2))
		o.local = random_addr(seed, d->domain[sock] == AF_UNIX ? AF_INET : d->domain[sock]);
	model_predict(d->m, d->machine, &c, d->now_ns, &v);
	assert_true(v.sure == SNAG_CERTAIN || v.sure == SNAG_WITHHELD);
	drive_learn(d, &c, &o);
}

static unsigned open_in_all(const struct model *m)
{
	unsigned n = 0;

	for (unsigned port = 0; port < MODEL_PORTS; port++)
		n += m->traffic[port].open;
	return n;
}

static unsigned counted(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SOCKS; i++)
		n += (m->sock[i].flags & MODEL_COUNTED) != 0;
	return n;
}

static void test_random(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct drive *d = drive_begin();
		for (int i = 0; i < 5000; i++)
			random_call(d, &seed, true);
		assert_int_equal(open_in_all(d->m), counted(d->m));	/* before the check counts anew */
		assert_int_equal(model_check(d->m, all_live, NULL), 0);
		for (uint32_t s = 1; s <= SOCKS; s++)
			model_forget(d->m, s, d->now_ns);
		assert_int_equal(open_in_all(d->m), 0);
		while (d->m->age_first)		/* what they left behind goes in its time */
			bare_purge(d->m, d->now_ns + 7200 * 1000000000ull);
		assert_int_equal(model_check(d->m, none_live, NULL), 0);
		for (unsigned chain = 0; chain < MODEL_CHAINS; chain++)
			assert_int_equal(d->m->port[chain], 0);
		drive_end(d);
	}
}

/* Processes die: their sockets go, the others stay where they were. */
static void test_the_dead(void **state)
{
	struct drive *d = drive_begin();

	(void)state;
	for (uint32_t s = 1; s <= 10; s++) {
		struct snag_call c;
		struct snag_outcome o = drive_outcome(d, 0);
		drive_socket(d, s, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
		drive_option(d, s, SOL_SOCKET, SO_REUSEADDR, 1);
		c = drive_bind_call(d, s, drive_addr("127.0.0.1", 8080));
		drive_learn(d, &c, &o);
	}
	drive_socket(d, 11, SNAG_PROTO_TCP, AF_INET, SOCK_STREAM);
	assert_int_equal(model_check(d->m, all_live, NULL), 0);
	assert_int_equal(model_check(d->m, odd_live, NULL), 5 + 1);	/* five sockets and the chain */
	assert_int_equal(model_check(d->m, odd_live, NULL), 0);
	for (uint32_t s = 1; s <= 10; s++) {
		struct model_sock r;
		assert_int_equal(model_get(d->m, s, &r), s % 2);
	}
	struct snag_addr a = drive_addr("127.0.0.1", 8080);
	uint32_t holder = model_holder(d->m, 11, &a, SNAG_PROTO_TCP, d->now_ns);
	assert_true(holder && holder % 2);
	drive_end(d);
}

/* A death between any two stores: each word of the model that a bind changes is put back to its old value, one at a
 * time, which is what the next owner of the lock may find. The check makes it whole. */
static void test_torn(void **state)
{
	struct drive *d = drive_begin();
	struct model *before = malloc(sizeof(*before)), *after = malloc(sizeof(*after));
	const uint32_t *old = (const uint32_t *)before, *new = (const uint32_t *)after;
	unsigned torn = 0;

	(void)state;
	for (uint32_t s = 1; s <= 5; s++) {
		struct snag_call c;
		struct snag_outcome o = drive_outcome(d, 0);
		drive_socket(d, s, SNAG_PROTO_UDP, AF_INET, SOCK_DGRAM);
		memcpy(before, d->m, sizeof(*before));
		c = drive_bind_call(d, s, drive_addr("127.0.0.1", 8080));
		drive_learn(d, &c, &o);
	}
	memcpy(after, d->m, sizeof(*after));
	for (size_t i = 0; i < sizeof(*before) / 4; i++) {
		if (old[i] == new[i])
			continue;
		memcpy(d->m, after, sizeof(*after));
		((uint32_t *)d->m)[i] = old[i];
		model_check(d->m, all_live, NULL);
		assert_int_equal(model_check(d->m, all_live, NULL), 0);
		for (uint32_t s = 1; s <= 4; s++) {
			struct model_sock r;
			assert_true(model_get(d->m, s, &r));
			assert_int_equal(r.on_port, MODEL_PORTS + 8080 + 1);
		}
		torn++;
	}
	assert_true(torn > 3);
	free(before);
	free(after);
	drive_end(d);
}

/* Noise: nobody crashes, nobody loops for ever, and afterwards the check leaves a sound model. */
static void test_scribbled(void **state)
{
	unsigned seed = 9;

	(void)state;
	for (int round = 0; round < 4; round++) {
		struct drive *d = drive_begin();
		size_t words = sizeof(*d->m) / sizeof(uint32_t);
		struct snag_addr a = drive_addr("0.0.0.0", 8080);
		uint16_t len;

		for (size_t i = 0; i < words; i++)	/* many small numbers: they make plausible links */
			((uint32_t *)d->m)[i] = pick(&seed, 3) ? pick(&seed, SOCKS) : (uint32_t)rand_r(&seed);
		for (int i = 0; i < 300; i++)
			random_call(d, &seed, false);
		for (uint32_t s = 0; s < 100; s++) {
			model_holder(d->m, s, &a, SNAG_PROTO_TCP, d->now_ns);
			model_holder(d->m, s, &a, SNAG_PROTO_UDP, d->now_ns);
			model_path(d->m, s, &len);
		}
		model_time_waits(d->m, &a, d->now_ns);
		model_check(d->m, odd_live, NULL);
		assert_int_equal(model_check(d->m, odd_live, NULL), 0);
		drive_end(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_the_dead),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_scribbled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
