/* live: the model against the running kernel. Random sequences of calls, each predicted before it is made; a certain
 * prediction that differs is a failure. It is then shrunk to its shortest sequence and printed.
 *
 *     build/release/tests/model/live			some seconds, as a unit test
 *     SEED=7 OPS=1000000 build/release/tests/model/live	as long as it takes: `make check-live` */
#include "live.h"
#include <base/hash.h>
#include <base/names.h>

#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#define SOCKS 8
#define STEPS 70		/* of one sequence */
#define SEQUENCES 40		/* in one world */
#define PORTS 3			/* for one sequence */

enum kind {
	SOCKET, OPTION, BIND, LISTEN, CONNECT, ACCEPT, SHUTDOWN, CLOSE, DUP, KILL, SEND, WAIT, USER, UNSPEC, KINDS
};

/* One step: what, on which socket, with what. A socket that is not there is made first, by `make`. */
struct step {
	uint8_t kind, sock, make, block;
	uint32_t a, b;
};

struct totals {
	unsigned long steps, asked, certain, unknown[SNAG_UNSURES], by_call[SNAG_CALLS];
};

/* What parent and worlds share. */
struct board {
	struct totals totals;
	int failed;		/* the sequence that failed + 1 */
	char log[1 << 15];	/* the calls of the last sequence */
};
static struct board *board;

struct world {
	struct drive *d;
	struct model_machine machine;
	unsigned base;		/* first of this sequence's ports */
	uint32_t uid;
	int fd[SOCKS + 1], copy[SOCKS + 1];	/* by place; 0: none */
	uint32_t id[SOCKS + 1];			/* its number for the model */
	uint32_t next_id;
	size_t log_len;
	bool failed;
};

/* ---- telling ---- */

static void __attribute__((format(printf, 2, 3))) note(struct world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (w->log_len < sizeof(board->log) - 300)
		w->log_len += (size_t)vsnprintf(board->log + w->log_len, 299, format, ap);
	va_end(ap);
}

static const char *errno_text(int err)
{
	return err ? errno_name(err) : "0";
}

static void compare(struct world *w, const struct snag_call *c, const struct model_verdict *v, int err)
{
	board->totals.asked++;
	note(w, " = %s", errno_text(err));
	if (v->sure != SNAG_CERTAIN) {
		board->totals.unknown[v->unsure]++;
		board->totals.by_call[c->call]++;
		note(w, "\t(unknown)\n");
		return;
	}
	board->totals.certain++;
	if (v->err == err) {
		note(w, "\n");
		return;
	}
	note(w, "\t<-- predicted %s\n", errno_text(v->err));
	w->failed = true;
}

/* ---- calls ---- */

static struct snag_call describe(struct world *w, unsigned call, uint8_t s)
{
	struct snag_call c;

	w->d->now_ns = live_now();
	w->d->uid = w->uid;
	c = drive_call(w->d, call, w->id[s]);
	live_facts(&c, w->fd[s]);
	return c;
}

static struct snag_outcome outcome(struct world *w, int err)
{
	struct snag_outcome o = drive_outcome(w->d, err);

	o.end_ns = live_now();
	return o;
}

static void learn(struct world *w, const struct snag_call *c, const struct snag_outcome *o)
{
	model_learn(w->d->m, c, o, o->end_ns);
}

static void set_option(struct world *w, uint8_t s, int level, int name, const void *value, socklen_t len, int told,
		       const char *text)
{
	struct snag_call c = describe(w, SNAG_CALL_setsockopt, s);
	int err = setsockopt(w->fd[s], level, name, value, len) ? errno : 0;
	struct snag_outcome o = outcome(w, err);

	note(w, "  setsockopt(%u, %s) = %s\n", s, text, errno_text(err));
	c.facts = 0;
	c.arg[0] = level;
	c.arg[1] = name;
	c.arg[2] = told;
	learn(w, &c, &o);
}

static void make_socket(struct world *w, uint8_t s, unsigned make)
{
	int domain = make & 1 ? AF_INET6 : AF_INET, type = make % 8 < 6 ? SOCK_STREAM : SOCK_DGRAM;
	struct timeval patience = {.tv_usec = 100000};

	w->fd[s] = socket(domain, type | SOCK_CLOEXEC, 0);
	w->id[s] = ++w->next_id;
	w->d->now_ns = live_now();
	w->d->uid = w->uid;
	drive_socket(w->d, w->id[s], type == SOCK_STREAM ? SNAG_PROTO_TCP : SNAG_PROTO_UDP, (unsigned)domain,
		     (unsigned)type);
	setsockopt(w->fd[s], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	note(w, "  socket(%s, %s) is %u, by user %u\n", domain == AF_INET6 ? "AF_INET6" : "AF_INET",
	     type == SOCK_STREAM ? "TCP" : "UDP", s, w->uid);
}

static void do_option(struct world *w, uint8_t s, const struct step *p)
{
	static const char *const devices[] = {"lo", "d0", ""};
	int on = p->b % 4 != 0, index;
	struct linger l = {.l_onoff = on, .l_linger = p->b % 8 == 7};
	const char *device = devices[p->b % 3];

	switch (p->a % 12) {
	case 0:
	case 1:
	case 2:
	case 3:
		set_option(w, s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), on, on ? "SO_REUSEADDR" : "SO_REUSEADDR 0");
		break;
	case 4:
	case 5:
	case 6:
		set_option(w, s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on), on, on ? "SO_REUSEPORT" : "SO_REUSEPORT 0");
		break;
	case 7:
		if (w->d->domain[w->id[s]] == AF_INET6)
			set_option(w, s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on), on,
				   on ? "IPV6_V6ONLY" : "IPV6_V6ONLY 0");
		break;
	case 8:
		if (p->b % 5 > 1)
			break;
		if (p->b & 1) {
			index = *device ? (int)if_nametoindex(device) : 0;
			set_option(w, s, SOL_SOCKET, 62 /* SO_BINDTOIFINDEX */, &index, sizeof(index), index, device);
		} else {
			set_option(w, s, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device),
				   *device ? (int)(hash_bytes(device, strlen(device)) | MODEL_DEVICE_NAME) : 0, device);
		}
		break;
	case 9:
		if (p->b % 3 == 0)
			set_option(w, s, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on), on,
				   on ? "IP_FREEBIND" : "IP_FREEBIND 0");
		break;
	case 10:
		set_option(w, s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on), on,
			   on ? "IP_BIND_ADDRESS_NO_PORT" : "IP_BIND_ADDRESS_NO_PORT 0");
		break;
	default:
		set_option(w, s, SOL_SOCKET, SO_LINGER, &l, sizeof(l), l.l_onoff ? l.l_linger + 1 : 0,
			   !on ? "SO_LINGER off" : l.l_linger ? "SO_LINGER 1 s" : "SO_LINGER 0 s");
	}
}

/* An address of the socket's family, now and then of the other one or cut short. */
static socklen_t choose_addr(struct world *w, struct snag_call *c, const struct step *p, struct sockaddr_storage *ss)
{
	bool v6 = c->domain == AF_INET6, other = p->b % 61 == 60;
	const struct live_addr *a = v6 != other ? &LIVE6[p->a % COUNT(LIVE6)] : &LIVE4[p->a % COUNT(LIVE4)];
	unsigned port = p->b % 8 < 6 ? w->base + p->b % PORTS : p->b % 8 == 6 ? 0 : p->b % 9 ? w->base : 80;
	socklen_t len;

	c->addr = drive_addr(a->text, port);
	c->reach = a->reach;
	memset(ss, 0, sizeof(*ss));
	len = addr_to_sockaddr(&c->addr, ss);
	if (p->b % 67 == 66)
		len = p->b % 2 ? 1 : 10;
	c->addr_family = (uint16_t)(len > 1 ? ss->ss_family : 0);
	c->addr_len = len;
	if (len < 16)
		c->addr = (struct snag_addr){0};
	note(w, "%s, %u%s", a->text, port, len < 16 ? ", cut" : "");
	return len;
}

static void do_bind(struct world *w, uint8_t s, const struct step *p)
{
	struct snag_call c = describe(w, SNAG_CALL_bind, s);
	struct model_verdict v;
	struct sockaddr_storage ss;
	struct snag_outcome o;
	socklen_t len;
	int err;

	note(w, "  bind(%u, ", s);
	len = choose_addr(w, &c, p, &ss);
	v = drive_predict(w->d, &c);
	err = bind(w->fd[s], (struct sockaddr *)&ss, len) ? errno : 0;
	o = outcome(w, err);
	if (!err && !c.addr.port)
		live_local(w->fd[s], &o.local);
	note(w, ")");
	compare(w, &c, &v, err);
	learn(w, &c, &o);
}

static void do_listen(struct world *w, uint8_t s, const struct step *p)
{
	static const int backlogs[] = {0, 1, 2, 5, 100, -1};
	struct snag_call c = describe(w, SNAG_CALL_listen, s);
	struct model_verdict v;
	struct snag_outcome o;
	int err;

	c.arg[0] = backlogs[p->a % COUNT(backlogs)];
	v = drive_predict(w->d, &c);
	err = listen(w->fd[s], c.arg[0]) ? errno : 0;
	o = outcome(w, err);
	if (!err)
		live_local(w->fd[s], &o.local);
	note(w, "  listen(%u, %d)", s, c.arg[0]);
	compare(w, &c, &v, err);
	learn(w, &c, &o);
}

static void set_blocking(struct world *w, uint8_t s, bool block)
{
	fcntl(w->fd[s], F_SETFL, block ? 0 : O_NONBLOCK);
}

static void do_connect(struct world *w, uint8_t s, const struct step *p)
{
	struct snag_call c;
	struct model_verdict v;
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	struct snag_outcome o;
	socklen_t len = sizeof(struct sockaddr_in);
	int err;

	set_blocking(w, s, p->block);
	c = describe(w, SNAG_CALL_connect, s);
	note(w, "  connect(%u, ", s);
	if (p->kind == UNSPEC) {
		c.addr_len = len;
		note(w, "AF_UNSPEC");
	} else {
		len = choose_addr(w, &c, p, &ss);
	}
	v = drive_predict(w->d, &c);
	err = connect(w->fd[s], (struct sockaddr *)&ss, len) ? errno : 0;
	o = outcome(w, err);
	live_local(w->fd[s], &o.local);
	note(w, "%s)", p->block ? "" : ", not waiting");
	compare(w, &c, &v, err);
	learn(w, &c, &o);
}

static void do_accept(struct world *w, uint8_t s, const struct step *p)
{
	struct snag_call c;
	struct model_verdict v;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct snag_outcome o;
	uint8_t n = 1;
	int fd, err;

	while (n <= SOCKS && w->fd[n])
		n++;
	if (n > SOCKS)
		return;
	set_blocking(w, s, false);
	c = describe(w, SNAG_CALL_accept4, s);
	if (p->block && (c.facts & SNAG_FACT_QUEUE) && c.queue) {
		set_blocking(w, s, true);
		c.blocking = 1;
	}
	v = drive_predict(w->d, &c);
	fd = accept4(w->fd[s], (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	err = fd < 0 ? errno : 0;
	o = outcome(w, err);
	note(w, "  accept(%u)", s);
	if (!err) {
		w->fd[n] = fd;
		w->id[n] = o.new_sock = o.new_serial = ++w->next_id;
		w->d->proto[w->id[n]] = c.proto;
		w->d->domain[w->id[n]] = w->d->domain[w->id[s]];
		addr_from_sockaddr(&o.peer, (struct sockaddr *)&ss, len, NULL, NULL);
		live_local(fd, &o.local);
		note(w, " is %u, from port %u", n, o.peer.port);
	}
	compare(w, &c, &v, err);
	learn(w, &c, &o);
}

static void do_shutdown(struct world *w, uint8_t s, const struct step *p)
{
	struct snag_call c = describe(w, SNAG_CALL_shutdown, s);
	struct model_verdict v;
	struct snag_outcome o;
	int err;

	c.arg[0] = p->a % 13 == 12 ? 3 : (int)(p->a % 3);
	v = drive_predict(w->d, &c);
	err = shutdown(w->fd[s], c.arg[0]) ? errno : 0;
	o = outcome(w, err);
	note(w, "  shutdown(%u, %s)", s, (const char *[]){"RD", "WR", "RDWR", "3"}[c.arg[0]]);
	compare(w, &c, &v, err);
	learn(w, &c, &o);
}

static void do_close(struct world *w, uint8_t s)
{
	struct snag_call c = describe(w, SNAG_CALL_close, s);
	struct model_verdict v = drive_predict(w->d, &c);
	struct snag_outcome o;
	int err = close(w->fd[s]) ? errno : 0;

	o = outcome(w, err);
	o.last = !w->copy[s];
	note(w, "  close(%u)%s", s, o.last ? "" : ", a copy");
	compare(w, &c, &v, err);
	learn(w, &c, &o);
	w->fd[s] = w->copy[s];
	w->copy[s] = 0;
}

/* The last descriptor is another process's, and that is killed. */
static void do_kill(struct world *w, uint8_t s)
{
	pid_t child;

	if (w->copy[s])
		return;
	child = fork();
	if (!child)
		for (;;)
			pause();
	note(w, "  fork, close(%u), kill the child\n", s);
	close(w->fd[s]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	model_forget(w->d->m, w->id[s], live_now());
	w->fd[s] = 0;
}

/* A byte that nobody reads: only where both ends stand open, so that nothing but the byte comes of it. */
static void do_send(struct world *w, uint8_t s)
{
	struct model_sock r, other;

	if (w->d->proto[w->id[s]] != SNAG_PROTO_TCP || !model_get(w->d->m, w->id[s], &r) ||
	    r.state != SNAG_STATE_ESTABLISHED || !model_get(w->d->m, r.other, &other) ||
	    other.state != SNAG_STATE_ESTABLISHED || r.flags & MODEL_DOUBT)
		return;
	note(w, "  send(%u) = %zd\n", s, send(w->fd[s], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static void do_wait(struct world *w, const struct step *p)
{
	unsigned ms = p->a % 40 == 39 ? 1100 : p->a % 40 > 36 ? 300 : 3;

	note(w, "  %u ms pass\n", ms);
	usleep(ms * 1000);
}

static void take_step(struct world *w, const struct step *p)
{
	uint8_t s = p->sock;

	board->totals.steps++;
	if (p->kind == WAIT) {
		do_wait(w, p);
		return;
	}
	if (p->kind == USER) {
		w->uid = p->a % 3 ? 1000 + p->a % 2 : 0;
		setfsuid(w->uid);
		return;
	}
	if (!w->fd[s])
		make_socket(w, s, p->make);
	switch (p->kind) {
	case OPTION:
		do_option(w, s, p);
		break;
	case BIND:
		do_bind(w, s, p);
		break;
	case LISTEN:
		do_listen(w, s, p);
		break;
	case CONNECT:
	case UNSPEC:
		do_connect(w, s, p);
		break;
	case ACCEPT:
		do_accept(w, s, p);
		break;
	case SHUTDOWN:
		do_shutdown(w, s, p);
		break;
	case CLOSE:
		do_close(w, s);
		break;
	case DUP:
		if (!w->copy[s]) {
			w->copy[s] = fcntl(w->fd[s], F_DUPFD_CLOEXEC, 0);
			note(w, "  dup(%u)\n", s);
		}
		break;
	case KILL:
		do_kill(w, s);
		break;
	case SEND:
		do_send(w, s);
		break;
	default:
		break;
	}
}

/* ---- sequences ---- */

static void make_sequence(unsigned seed, struct step *steps)
{
	/* how often each: of 256 */
	static const struct {
		uint8_t kind, weight;
	} mix[] = {
		{OPTION, 42}, {BIND, 62}, {LISTEN, 26}, {CONNECT, 52}, {ACCEPT, 26}, {SHUTDOWN, 10}, {CLOSE, 20},
		{DUP, 3}, {SEND, 8}, {USER, 3}, {UNSPEC, 3},
	};

	for (int i = 0; i < STEPS; i++) {
		int roll = rand_r(&seed) % 256;
		unsigned k = 0;
		while (k < COUNT(mix) && (roll -= mix[k].weight) >= 0)
			k++;
		steps[i] = (struct step){
			.kind = k < COUNT(mix) ? mix[k].kind : WAIT,
			.sock = (uint8_t)(1 + rand_r(&seed) % SOCKS),
			.make = (uint8_t)rand_r(&seed),
			.block = (uint8_t)(rand_r(&seed) % 3 != 0),
			.a = (unsigned)rand_r(&seed),
			.b = (unsigned)rand_r(&seed),
		};
		if (steps[i].kind == WAIT && rand_r(&seed) % 8 == 0)
			steps[i].kind = KILL;
	}
}

static bool play(struct world *w, const struct step *steps, unsigned n, unsigned base)
{
	w->base = base;
	w->log_len = 0;
	w->uid = 0;
	setfsuid(0);
	for (unsigned i = 0; i < n && !w->failed; i++)
		take_step(w, &steps[i]);
	setfsuid(0);
	for (uint8_t s = 1; s <= SOCKS && !w->failed; s++)
		while (w->fd[s] && !w->failed)
			do_close(w, s);
	return !w->failed;
}

static void drop_privilege(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &head, data);
	data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
	syscall(SYS_capset, &head, data);
}

/* The network of a seed: a wide or narrow range of ports, with and without the privilege to take low ones. */
static bool world_begin(struct world *w, unsigned seed)
{
	char text[32];

	memset(w, 0, sizeof(*w));
	if (!live_network())
		return false;
	w->machine = (struct model_machine){
		.port_low = 40000, .port_high = seed % 4 ? 60000 : 40011, .unprivileged_port = 1024,
		.privileged = seed % 3 != 0, .tw_reuse = (uint8_t)(seed % 5 % 3), .tw_reuse_delay_ms = 1000,
		.somaxconn = seed % 7 ? 4096 : 1, .fin_timeout_ms = 60000, .timestamps = 1,
	};
	snprintf(text, sizeof(text), "%u %u", w->machine.port_low, w->machine.port_high);
	live_sysctl("ipv4/ip_local_port_range", text);
	snprintf(text, sizeof(text), "%u", w->machine.tw_reuse);
	live_sysctl("ipv4/tcp_tw_reuse", text);
	snprintf(text, sizeof(text), "%u", w->machine.somaxconn);
	live_sysctl("core/somaxconn", text);
	if (!w->machine.privileged)
		drop_privilege();
	w->d = drive_begin();
	w->d->machine = &w->machine;
	return true;
}

static bool everybody_lives(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)sock, (void)serial;
	return true;
}

/* In a process of its own, which takes the network with it. The exit status: 0 all agreed, 1 a failure, 2 no network. */
static int in_child(int (*run)(void *arg), void *arg)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(run(arg));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run_world(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	struct step steps[STEPS];
	struct world w;

	if (!world_begin(&w, seed))
		return 2;
	for (unsigned i = 0; i < SEQUENCES; i++) {
		make_sequence(seed * SEQUENCES + i, steps);
		if (!play(&w, steps, STEPS, 2000 + i * PORTS)) {
			board->failed = (int)i + 1;
			return 1;
		}
	}
	return model_check(w.d->m, everybody_lives, NULL) != 0;
}

struct candidate {
	unsigned seed, n;
	struct step steps[STEPS];
};

static int run_candidate(void *arg)
{
	const struct candidate *c = arg;
	struct world w;

	if (!world_begin(&w, c->seed))
		return 2;
	return !play(&w, c->steps, c->n, 2000);
}

/* Leaves out whatever is not needed to fail. */
static void shrink(struct candidate *c)
{
	for (unsigned size = c->n / 2; size; size /= 2) {
		for (unsigned at = 0; at + size <= c->n;) {
			struct candidate less = *c;
			memmove(less.steps + at, less.steps + at + size, (c->n - at - size) * sizeof(c->steps[0]));
			less.n -= size;
			if (in_child(run_candidate, &less) == 1)
				*c = less;
			else
				at += size;
		}
	}
}

static void report(unsigned seed)
{
	struct candidate c = {.seed = seed, .n = STEPS};
	unsigned i = (unsigned)board->failed - 1;
	char *log = strdup(board->log);

	make_sequence(seed * SEQUENCES + i, c.steps);
	fprintf(stderr, "seed %u, sequence %u:\n", seed, i);
	if (!board->failed) {
		fprintf(stderr, "the model's invariants do not hold at the end\n");
	} else if (in_child(run_candidate, &c) != 1) {
		fprintf(stderr, "not by itself; the whole of it:\n%s", log);
	} else {
		shrink(&c);
		in_child(run_candidate, &c);
		fputs(board->log, stderr);
	}
	free(log);
}

static void tell(void)
{
	const struct totals *t = &board->totals;
	static const char *const reasons[] = {"", "peer", "raced", "foreign", "machine", "virtual",
		"unmodelled"};

	printf("# %lu steps, %lu calls predicted: %lu certain and right, %lu unknown", t->steps, t->asked, t->certain,
	       t->asked - t->certain);
	for (unsigned i = 1; i < SNAG_UNSURES && i < COUNT(reasons); i++)
		if (t->unknown[i])
			printf(", %s %lu", reasons[i], t->unknown[i]);
	printf(" (%.2f %%)\n", 100.0 * (double)(t->asked - t->certain) / (double)(t->asked ? t->asked : 1));
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

static void test_live(void **state)
{
	unsigned seed = (unsigned)setting("SEED", 1);
	unsigned long steps = setting("OPS", 15000), failures = 0;

	(void)state;
	while (board->totals.steps < steps && failures < setting("FAILURES", 1)) {
		int status = (board->failed = 0, in_child(run_world, &seed));
		if (status == 2)
			skip();
		if (status)
			failures++, report(seed);
		seed++;
	}
	tell();
	for (unsigned call = 0; getenv("VERBOSE") && call < SNAG_CALLS; call++)
		if (board->totals.by_call[call])
			printf("# call %u unknown %lu\n", call, board->totals.by_call[call]);
	assert_int_equal(failures, 0);
	assert_true(board->totals.certain > board->totals.asked / 100 * 95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_live)};

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return board == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
