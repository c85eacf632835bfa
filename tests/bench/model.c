/* model: what a question to the model costs with 10 and with 100 000 sockets, in nanoseconds, and what a socket takes.
 * Four crowds: connections accepted on one port, listeners each on a port of its own, closed connections on one port, and
 * sockets bound to the ports of ip_local_port_range, from the lowest on, all but some or all of them. */
#include <tests/drive.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 20000
#define PORT 8080
#define PORT_LOW 32768
#define PORTS 28232

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void learn(struct model *m, struct snag_call *c, struct snag_outcome *o)
{
	model_learn(m, NULL, c, o, 1000000000);
}

static struct snag_call call_of(unsigned call, uint32_t sock)
{
	return (struct snag_call){.call = (uint16_t)call, .fd = 3, .sock = sock, .serial = sock,
				  .proto = SNAG_PROTO_TCP, .domain = AF_INET};
}

static void make(struct model *m, uint32_t sock)
{
	struct snag_call c = call_of(SNAG_CALL_socket, 0);
	struct snag_outcome o = {.seen = SNAG_SEEN, .new_sock = sock, .new_serial = sock};

	c.arg[0] = AF_INET;
	c.arg[1] = SOCK_STREAM;
	learn(m, &c, &o);
}

static void binds(struct model *m, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c = call_of(SNAG_CALL_bind, sock);
	struct snag_outcome o = {.seen = SNAG_SEEN};

	make(m, sock);
	c.addr = drive_addr(addr, port);
	learn(m, &c, &o);
}

static void listens(struct model *m, uint32_t sock, const char *addr, unsigned port)
{
	struct snag_call c = call_of(SNAG_CALL_listen, sock);
	struct snag_outcome o = {.seen = SNAG_SEEN};

	binds(m, sock, addr, port);
	learn(m, &c, &o);
}

static void accepts(struct model *m, uint32_t sock, uint32_t listener)
{
	struct snag_call c = call_of(SNAG_CALL_accept4, listener);
	struct snag_outcome o = {.seen = SNAG_SEEN, .new_sock = sock, .new_serial = sock};

	o.local = drive_addr("127.0.0.1", PORT);
	o.peer = drive_addr("127.0.0.3", 1 + sock % 65535);
	o.peer.ip[2] = (uint8_t)(sock >> 16);
	learn(m, &c, &o);
}

static void closes(struct model *m, uint32_t sock)
{
	struct snag_call c = call_of(SNAG_CALL_close, sock);
	struct snag_outcome o = {.seen = SNAG_SEEN, .last = 1};

	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_UNREAD;
	c.tcp_state = TCP_ESTABLISHED;
	learn(m, &c, &o);
}

static double ask(const struct model *m, unsigned call, uint32_t sock, const char *addr, unsigned port)
{
	struct model_machine machine = {.port_low = PORT_LOW, .port_high = PORT_LOW + PORTS - 1, .somaxconn = 4096, .timestamps = 1};
	struct snag_call c = call_of(call, sock);
	struct model_verdict v;
	double start = now();
	int rounds = 0;

	c.addr = drive_addr(addr, port);
	c.addr_family = AF_INET;
	c.addr_len = 16;
	c.facts = SNAG_FACT_TCP_STATE | SNAG_FACT_BLOCKING | SNAG_FACT_REACH | SNAG_FACT_WHOLE;
	c.tcp_state = TCP_CLOSE;
	c.blocking = 1;
	c.reach = SNAG_REACH_LOCAL;
	for (; rounds < ROUNDS && (rounds % 100 || now() - start < 3e8); rounds++)
		model_predict(m, &machine, &c, 1000000000, &v);
	return (now() - start) / rounds;
}

static double accept_and_close(struct model *m, uint32_t sock)
{
	double start = now();

	for (int i = 0; i < ROUNDS; i++) {
		accepts(m, sock, 1);
		closes(m, sock);
	}
	return (now() - start) / ROUNDS;
}

static struct model *crowd(int kind, uint32_t n)
{
	static const char *const four[] = {"127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"};
	struct model *m = calloc(1, sizeof(*m));

	listens(m, 1, "127.0.0.1", PORT);
	make(m, 2);
	for (uint32_t s = 3; s < n + 3; s++) {
		if (kind == 1)
			listens(m, s, four[s / 30000 % 4], 1 + s % 30000);
		else if (kind == 3)
			binds(m, s, "127.0.0.1", PORT_LOW + s - 3);
		else
			accepts(m, s, 1);
		if (kind == 2)
			closes(m, s);
	}
	return m;
}

int main(void)
{
	static const char *const kinds[] = {"accepted on one port", "each on its own port", "closed on one port", "bound in the range"};
	static const uint32_t sizes[][3] = {{10, 100000}, {10, 100000}, {10, 100000}, {10, PORTS - 232, PORTS}};

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%-28s %10s %10s %10s %10s %16s\n", "ns a question", "bind", "bind free", "bind 0", "connect",
	       "accept + close");
	for (int kind = 0; kind < 4; kind++) {
		for (unsigned i = 0; i < 3 && sizes[kind][i]; i++) {
			uint32_t n = sizes[kind][i];
			struct model *m = crowd(kind, n);
			printf("%-20s %7u %10.0f %10.0f %10.0f %10.0f %16.0f\n", kinds[kind], n,
			       ask(m, SNAG_CALL_bind, 2, "127.0.0.1", PORT), ask(m, SNAG_CALL_bind, 2, "127.0.0.2", PORT),
			       ask(m, SNAG_CALL_bind, 2, "127.0.0.1", 0), ask(m, SNAG_CALL_connect, 2, "127.0.0.1", PORT),
			       accept_and_close(m, n + 3));
			free(m);
		}
	}
	printf("bytes a socket: %zu in the model (fixed: %zu)\n", sizeof(struct model_sock),
	       sizeof(struct model) - sizeof(((struct model *)0)->sock));
	return 0;
}
