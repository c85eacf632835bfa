/* render.c - from the ring's events to JSONL and text, and from JSONL back to the same text. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

#include <cli/event.h>
#include <cli/jsonl.h>
#include <cli/text.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct fixture {
	struct session session;
	struct procs procs;
	struct event_reader reader;
	struct buf out;
};

/* A session of zeroes: no process stands in it, so that only process records give names. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t size = 64 << 20;
	char *zeroes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!f || zeroes == MAP_FAILED)
		return -1;
	f->session.header = (struct snag_header *)zeroes;
	f->session.tables = (struct session_tables *)(zeroes + 4096);
	f->session.mapped = size;
	procs_open(&f->procs);
	f->reader = (struct event_reader){ .session = &f->session, .procs = &f->procs };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	munmap(f->session.header, f->session.mapped);
	procs_close(&f->procs);
	event_reader_free(&f->reader);
	buf_free(&f->out);
	free(f);
	return 0;
}

static struct snag_addr v4(uint8_t last, uint16_t port)
{
	return (struct snag_addr){ .family = AF_INET, .port = port, .ip = { 127, 0, 0, last } };
}

static void start_process(struct fixture *f, uint16_t proc, uint32_t pid, const char *comm)
{
	union snag_event ev[2] = { 0 };
	struct procs_row replaced;

	ev[0].process.head = (struct snag_event_head){ .kind = SNAG_EVENT_PROCESS, .proc = proc, .pid = pid };
	ev[0].process.what = SNAG_PROCESS_START;
	snprintf(ev[0].process.comm, sizeof(ev[0].process.comm), "%s", comm);
	procs_note(&f->procs, &ev[0].process, &replaced);
	assert_int_equal(replaced.pid, 0);
}

static union snag_event call_event(unsigned call, uint32_t pid)
{
	union snag_event ev = { .call = {
		.head = { .kind = SNAG_EVENT_CALL, .proc = 1, .pid = pid },
		.t_ns = 1234567, .dur_ns = 2000, .tid = pid, .fd = 6, .call = (uint16_t)call, .sock = 12,
		.proto = SNAG_PROTO_TCP, .by = SNAG_BY_KERNEL,
	} };

	return ev;
}

static void to_record(struct fixture *f, union snag_event *ev, unsigned n, struct record *r)
{
	ev[0].head.extra = (uint8_t)(n - 1);
	assert_true(event_record(&f->reader, ev, n, r));
	r->seq = 17;
}

/* The text of a record, and the text of its JSONL line read back: the same. */
static void assert_text(struct fixture *f, const struct record *r, const char *want)
{
	struct buf line = { 0 };
	struct record back;
	json_t *json;

	f->out.n = 0;
	text_write(&f->out, r, false);
	buf_char(&f->out, 0);
	assert_string_equal(f->out.p, want);

	jsonl_write(&line, r);
	assert_int_equal(line.p[line.n - 1], '\n');
	assert_int_equal(jsonl_read(line.p, line.n, &back, &json), 0);
	f->out.n = 0;
	text_write(&f->out, &back, false);
	buf_char(&f->out, 0);
	assert_string_equal(f->out.p, want);
	json_decref(json);
	buf_free(&line);
}

static void assert_json(struct fixture *f, const struct record *r, const char *want)
{
	f->out.n = 0;
	jsonl_write(&f->out, r);
	buf_char(&f->out, 0);
	assert_string_equal(f->out.p, want);
}

static void test_plain_call(void **state)
{
	struct fixture *f = *state;
	union snag_event ev = call_event(SNAG_CALL_bind, 4242);
	struct record r;

	start_process(f, 1, 4242, "nginx");
	ev.call.addr = v4(1, 8080);
	ev.call.state = SNAG_STATE_BOUND;
	ev.call.sure = SNAG_CERTAIN;
	to_record(f, &ev, 1, &r);
	assert_json(f, &r,
		    "{\"t\":0.001234567,\"dur\":0.000002000,\"seq\":17,\"pid\":4242,\"tid\":4242,\"comm\":\"nginx\","
		    "\"call\":\"bind\",\"fd\":6,\"sock\":12,\"proto\":\"tcp\",\"addr\":\"127.0.0.1:8080\",\"ret\":0,"
		    "\"by\":\"kernel\",\"model\":\"ok\",\"state\":\"bound\"}\n");
	assert_text(f, &r, "0.001234 nginx[4242] bind(6, 127.0.0.1:8080) = 0\n");
}

static void test_refusal_names_the_holder(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_bind, 4242) };
	struct record r;

	start_process(f, 1, 4242, "nginx");
	ev[0].call.t_ns = 12500000000;
	ev[0].call.addr = v4(1, 8080);
	ev[0].call.ret = -1;
	ev[0].call.err = EADDRINUSE;
	ev[1].why = (struct snag_event_why){
		.head.kind = SNAG_EXTRA_WHY, .code = SNAG_WHY_HELD, .state = SNAG_STATE_LISTEN, .pid = 4100, .fd = 7,
		.sock = 3, .since_ns = 100000000, .local = v4(1, 8080), .comm = "redis",
	};
	to_record(f, ev, 2, &r);
	assert_text(f, &r,
		    "12.500000 nginx[4242] bind(6, 127.0.0.1:8080) = -1 EADDRINUSE\n"
		    "         held by redis[4100] fd 7: LISTEN on 127.0.0.1:8080 without SO_REUSEPORT (since 12.4 s)\n"
		    "         would work with: another port; 127.0.0.2:8080; or stop pid 4100\n");
	assert_string_equal("held", r.why.code.p);
}

/* A full queue: which, whose, what the model said of it; and a wrong prediction of that kind. */
static void test_full_queue(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_connect, 4242) };
	struct record r;

	start_process(f, 1, 4242, "client");
	ev[0].call.addr = v4(1, 8080);
	ev[0].call.ret = -1;
	ev[0].call.err = ETIMEDOUT;
	ev[0].call.sure = SNAG_WAITS;
	ev[1].why = (struct snag_event_why){
		.head.kind = SNAG_EXTRA_WHY, .code = SNAG_WHY_QUEUE_FULL, .state = SNAG_STATE_LISTEN, .pid = 4100, .fd = 7,
		.sock = 3, .local = v4(1, 8080), .comm = "server",
	};
	to_record(f, ev, 2, &r);
	assert_text(f, &r,
		    "0.001234 client[4242] connect(6, 127.0.0.1:8080) = -1 ETIMEDOUT\n"
		    "         the accept queue of 127.0.0.1:8080 is full; server[4100] fd 7 listens there\n"
		    "         would work with: an accept() there; or a longer backlog, and somaxconn\n");
	assert_string_equal("waits", r.model.p);
	assert_string_equal("queue_full", r.why.code.p);
	ev[1].why.code = SNAG_WHY_SYN_QUEUE_FULL;
	ev[1].why.pid = ev[1].why.sock = 0;	/* one of several that share the port */
	to_record(f, ev, 2, &r);
	assert_text(f, &r,
		    "0.001234 client[4242] connect(6, 127.0.0.1:8080) = -1 ETIMEDOUT\n"
		    "         the SYN queue of 127.0.0.1:8080 is full\n"
		    "         would work with: tcp_syncookies 1; or a longer backlog, and somaxconn\n");
	ev[0].call.ret = ev[0].call.err = 0;
	ev[0].call.flags = SNAG_EVENT_DIVERGED;
	to_record(f, ev, 1, &r);
	assert_text(f, &r,
		    "0.001234 client[4242] connect(6, 127.0.0.1:8080) = 0\n"
		    "         the model expected it to wait\n");
}

/* A queue that is shorter than was asked for, with and without a port that the kernel chose. */
static void test_shortened_queue(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[3] = { call_event(SNAG_CALL_listen, 4242) };
	struct record r;

	start_process(f, 1, 4242, "nginx");
	ev[0].call.arg[0] = 511;
	ev[1].queue = (struct snag_event_queue){ .head.kind = SNAG_EXTRA_QUEUE, .max = 4 };
	ev[2].local = (struct snag_event_local){ .head.kind = SNAG_EXTRA_LOCAL, .local = v4(1, 8080) };
	to_record(f, ev, 2, &r);
	assert_text(f, &r, "0.001234 nginx[4242] listen(6, 511) = 0 (queue of 4)\n");
	to_record(f, ev, 3, &r);
	assert_text(f, &r, "0.001234 nginx[4242] listen(6, 511) = 0 (127.0.0.1:8080, queue of 4)\n");
	ev[1].queue.max = 511;
	to_record(f, ev, 3, &r);
	assert_text(f, &r, "0.001234 nginx[4242] listen(6, 511) = 0 (127.0.0.1:8080)\n");
}

static void test_remains_of_a_connection(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_bind, 4242) };
	struct record r;

	start_process(f, 1, 4242, "nginx");
	ev[0].call.addr = v4(1, 8080);
	ev[0].call.ret = -1;
	ev[0].call.err = EADDRINUSE;
	ev[1].why = (struct snag_event_why){ .head.kind = SNAG_EXTRA_WHY, .code = SNAG_WHY_HELD,
					     .state = SNAG_STATE_TIME_WAIT, .fd = -1, .local = v4(1, 8080) };
	to_record(f, ev, 2, &r);
	assert_text(f, &r,
		    "0.001234 nginx[4242] bind(6, 127.0.0.1:8080) = -1 EADDRINUSE\n"
		    "         held by a closed connection in TIME_WAIT on 127.0.0.1:8080\n"
		    "         would work with: another port; 127.0.0.2:8080; SO_REUSEADDR on both sockets; or a wait of at "
		    "most 60 s\n");
}

/* Nobody is told to stop itself. */
static void test_holder_is_the_caller(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_bind, 4242) };
	struct record r;

	ev[0].call.addr = v4(1, 8080);
	ev[0].call.err = EADDRINUSE;
	ev[1].why = (struct snag_event_why){ .head.kind = SNAG_EXTRA_WHY, .code = SNAG_WHY_HELD, .pid = 4242, .fd = 5,
					     .state = SNAG_STATE_BOUND, .local = v4(1, 8080) };
	to_record(f, ev, 2, &r);
	assert_non_null(memmem(r.why.fix.p, r.why.fix.n, "close the other socket", 22));
	assert_null(memmem(r.why.fix.p, r.why.fix.n, "stop pid", 8));
}

/* The holder on the wildcard address: no other loopback address helps. */
static void test_fix_against_wildcard(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_bind, 4242) };
	struct record r;

	ev[0].call.addr = v4(1, 80);
	ev[0].call.err = EADDRINUSE;
	ev[1].why = (struct snag_event_why){
		.head.kind = SNAG_EXTRA_WHY, .code = SNAG_WHY_HELD, .state = SNAG_STATE_LISTEN, .sock = 3,
		.options = SNAG_OPTION_REUSEPORT, .local = { .family = AF_INET, .port = 80 },
	};
	to_record(f, ev, 2, &r);
	assert_int_equal(r.why.fix.n, strlen("another port; SO_REUSEPORT on this socket too, as the same user"));
	assert_memory_equal(r.why.fix.p, "another port; SO_REUSEPORT on this socket too, as the same user", r.why.fix.n);
}

static void test_arguments(void **state)
{
	struct fixture *f = *state;
	static const struct { unsigned call; int32_t arg[3]; int fd; const char *text; } rows[] = {
		{ SNAG_CALL_socket, { AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0 }, -1,
		  "socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK, 0) = 0" },
		{ SNAG_CALL_socket, { 77, 99, 5 }, -1, "socket(77, 99, 5) = 0" },
		{ SNAG_CALL_listen, { 128, 0, 0 }, 6, "listen(6, 128) = 0" },
		{ SNAG_CALL_shutdown, { SHUT_WR, 0, 0 }, 6, "shutdown(6, SHUT_WR) = 0" },
		{ SNAG_CALL_setsockopt, { SOL_SOCKET, SO_REUSEADDR, 1 }, 6, "setsockopt(6, SOL_SOCKET, SO_REUSEADDR, 1) = 0" },
		{ SNAG_CALL_setsockopt, { IPPROTO_TCP, TCP_NODELAY, 1 }, 6, "setsockopt(6, IPPROTO_TCP, TCP_NODELAY, 1) = 0" },
		{ SNAG_CALL_setsockopt, { IPPROTO_TCP, 12345, 1 }, 6, "setsockopt(6, IPPROTO_TCP, 12345, 1) = 0" },
		{ SNAG_CALL_setsockopt, { IPPROTO_IPV6, IPV6_V6ONLY, 0 }, 6, 
		  "setsockopt(6, IPPROTO_IPV6, IPV6_V6ONLY, 0) = 0" },
		{ SNAG_CALL_dup2, { 9, 0, 0 }, 6, "dup2(6, 9) = 0" },
		{ SNAG_CALL_close_range, { 3, -1, 0 }, -1, "close_range(3, 4294967295) = 0" },
		{ SNAG_CALL_close, { 0, 0, 0 }, 6, "close(6) = 0" },
		{ SNAG_CALL_fork, { 0, 0, 0 }, -1, "fork() = 0" },
	};

	start_process(f, 1, 7, "x");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		union snag_event ev = call_event(rows[i].call, 7);
		struct record r;
		char want[128];

		memcpy(ev.call.arg, rows[i].arg, sizeof(rows[i].arg));
		ev.call.fd = rows[i].fd;
		to_record(f, &ev, 1, &r);
		snprintf(want, sizeof(want), "0.001234 x[7] %s\n", rows[i].text);
		assert_text(f, &r, want);
	}
}

static void test_unix_paths(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_connect, 7) };
	struct record r;

	start_process(f, 1, 7, "x");
	ev[0].call.proto = SNAG_PROTO_UNIX;
	ev[1].text = (struct snag_event_text){ .head.kind = SNAG_EXTRA_TEXT, .what = SNAG_TEXT_PATH, .len = 6,
					       .text = "\0a\nb\"c" };
	to_record(f, ev, 2, &r);
	assert_text(f, &r, "0.001234 x[7] connect(6, @a\\x0ab\"c) = 0\n");
	ev[1].text.len = 255;	/* longer than there is room for */
	to_record(f, ev, 2, &r);
	assert_true(r.addr.n <= SNAG_PATH_MAX);
}

static void test_other_records(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[2] = { call_event(SNAG_CALL_accept, 7) };
	struct record r;

	start_process(f, 1, 7, "x");
	ev[0].head.kind = SNAG_EVENT_RULE;
	ev[0].call.flags = SNAG_EVENT_SIGNAL;
	ev[0].call.arg[0] = SIGKILL;
	to_record(f, ev, 1, &r);
	assert_text(f, &r, "0.001234 x[7] rule  acts on accept(6): SIGKILL\n");

	ev[0].call.call = SNAG_CALL_listen;	/* the signal stands where its backlog would */
	to_record(f, ev, 1, &r);
	assert_true(r.backlog == RECORD_NONE);
	assert_text(f, &r, "0.001234 x[7] rule  acts on listen(6): SIGKILL\n");
	ev[0].call.call = SNAG_CALL_accept;

	ev[0].call.flags = SNAG_EVENT_UNSEEN;
	ev[0].head.kind = SNAG_EVENT_CALL;
	to_record(f, ev, 1, &r);
	assert_text(f, &r, "0.001234 x[7] accept(6) = ?\n");

	event_end_record(procs_find(&f->procs, &f->session, 1, 7), 5000000, &r);
	r.seq = 1;
	assert_text(f, &r, "0.005000 x[7] process end\n");
}

/* The ring can hold anything; whatever comes out is a legal line or nothing. */
static void test_random_events(void **state)
{
	struct fixture *f = *state;
	union snag_event ev[SNAG_EVENT_MAX];
	unsigned seed = 7;
	struct record r, back;
	struct procs_row replaced;
	json_t *json;

	for (int round = 0; round < 20000; round++) {
		unsigned n = 1 + (unsigned)rand_r(&seed) % SNAG_EVENT_MAX;
		for (size_t i = 0; i < sizeof(ev); i++)
			((unsigned char *)ev)[i] = (unsigned char)rand_r(&seed);
		for (unsigned i = 0; i < n; i++)
			ev[i].head.kind = 1 + (uint8_t)rand_r(&seed) % 7;
		ev[0].call.call = (uint16_t)(rand_r(&seed) % (SNAG_CALLS + 4));
		ev[0].head.extra = (uint8_t)(n - 1);
		ev[0].head.proc = (uint16_t)(rand_r(&seed) % 5000);
		if (ev[0].head.kind == SNAG_EVENT_PROCESS)
			procs_note(&f->procs, &ev[0].process, &replaced);
		if (!event_record(&f->reader, ev, n, &r))
			continue;
		f->out.n = 0;
		jsonl_write(&f->out, &r);
		assert_ptr_equal(memchr(f->out.p, '\n', f->out.n), f->out.p + f->out.n - 1);
		assert_int_equal(jsonl_read(f->out.p, f->out.n, &back, &json), 0);
		json_decref(json);
		f->out.n = 0;
		text_write(&f->out, &r, true);
	}
}

static void test_lines_that_are_no_records(void **state)
{
	static const char *const lines[] = { "", "[]", "1", "{", "{\"t\":}", "null", "\xff" };
	struct record r;
	json_t *json;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(jsonl_read(lines[i], strlen(lines[i]), &r, &json), -1);
	/* Fields of other types are passed over. */
	const char *odd = "{\"t\":\"x\",\"call\":5,\"ret\":\"0\",\"why\":7,\"log\":{},\"seed\":18446744073709551615}";
	assert_int_equal(jsonl_read(odd, strlen(odd), &r, &json), 0);
	assert_null(r.call.p);
	assert_true(r.t == RECORD_NONE && r.ret == RECORD_NONE && r.log.n == 0);
	assert_true((uint64_t)r.seed >= UINT64_C(18446744073709550000) || r.seed == RECORD_NONE);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusal_names_the_holder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shortened_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remains_of_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holder_is_the_caller, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fix_against_wildcard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_arguments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unix_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_events, set_up, tear_down),
		cmocka_unit_test(test_lines_that_are_no_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
