/* cellstream real|ruled SCENE FAMILY - the table of cells (cell.h) for a connection whose client `a` the rules speak of. */
#include "cell.h"

#define LATE_NS 300000000L
#define BULK 400000

static long trigger_ns, first_ns;	/* the trigger; the first that a waiter got */
static int agains, b = -1;	/* b: what was accepted for the client */

static long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pair(void)
{
	listen_somewhere(8);
	a = connect_one();
	b = (int)MUST(accept(listener, NULL, NULL));
	set_mode(a);
	set_mode(b);
}

/* recv: true while it goes on. */
static bool act_recv(void)
{
	char buf[64];
	long r = recv(*scene->subject, buf, sizeof(buf), is("block") ? 0 : MSG_DONTWAIT);
	if (over)
		return false;
	note_result(r);
	if (r > 0 || (r < 0 && (errno == EAGAIN || errno == EINTR)))
		return true;
	__atomic_add_fetch(&seen.ends, 1, __ATOMIC_SEQ_CST);
	return false;
}

static long recv_now(int fd)
{
	char buf[64];
	return recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
}

/* The call that rules on =recvmsg speak of. */
static long ask(void)
{
	char buf[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	return recvmsg(a, &m, MSG_DONTWAIT);
}

static bool a_hears(void)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	return getsockopt(a, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state != TCP_ESTABLISHED;
}

static void b_send(const char *text)
{
	MUST(send(b, text, strlen(text), MSG_NOSIGNAL));
}

static void say_b(void)
{
	wait_for_events(b, POLLIN);
	say_poll("b", b);
	say_result("b recv", recv_now(b));
}

/* ---- reset ---- */

static void reset(void)
{
	if (real)
		reset_by(&b), wait_until(a_hears);
	note_result(ask());
}

static void after_reset(void)
{
	say_dead(a);
}

static void reset_a(void)	/* the waiters are the peer's */
{
	if (real)
		reset_by(&a);
	else
		ask();
}

static void after_reset_a(void)
{
	say_dead(b);
}

/* Under way, or (blocking) there already, when the threads begin to wait. */
static void attempt(void)
{
	listen_somewhere(8);
	a = (int)MUST(socket(family, SOCK_STREAM, 0));
	set_mode(a);
	say_result("connect", connect(a, (struct sockaddr *)&at, at_len));
	say("; ");
	b = (int)MUST(accept(listener, NULL, NULL));
	if (real)
		reset_by(&b), wait_until(a_hears);
}

static uint16_t sum16(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *c = p;
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(c[i] << 8 | c[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The segment that b would send if it knew; b does not. As root. */
static void forge_reset(void)
{
	int on = 1, off = -1, queue = 2 /* TCP_SEND_QUEUE */, csum = 16;
	uint32_t seq;
	socklen_t len = sizeof(seq), n = sizeof(at);
	struct sockaddr_storage to;
	uint8_t h[20] = { [12] = 5 << 4, [13] = 4 /* RST */ };
	MUST(setsockopt(b, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
	MUST(setsockopt(b, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)));
	MUST(getsockopt(b, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len));
	MUST(setsockopt(b, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)));
	MUST(getpeername(b, (struct sockaddr *)&to, &n));
	memcpy(h, &((struct sockaddr_in *)&at)->sin_port, 2);	/* at the same place for IPv6 */
	memcpy(h + 2, &((struct sockaddr_in *)&to)->sin_port, 2);
	seq = htonl(seq);
	memcpy(h + 4, &seq, 4);
	if (family == AF_INET) {	/* the pseudo header: 127.0.0.1 twice, protocol, length */
		uint16_t sum = htons((uint16_t)~sum16(h, sizeof(h), 2 * (0x7f00 + 1) + IPPROTO_TCP + sizeof(h)));
		memcpy(h + 16, &sum, 2);
	}
	int raw = (int)MUST(socket(family, SOCK_RAW, IPPROTO_TCP));
	if (family == AF_INET6)
		MUST(setsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM, &csum, sizeof(csum)));
	((struct sockaddr_in *)&to)->sin_port = 0;
	MUST(sendto(raw, h, sizeof(h), 0, (struct sockaddr *)&to, n));
	close(raw);
}

static void reset_self(void)
{
	if (real)
		forge_reset(), wait_until(a_hears);
	note_result(ask());
}

static void after_reset_self(void)
{
	say_dead(a);
	say_poll("b", b);
	say_result("b send", send(b, "x", 1, MSG_NOSIGNAL));
	say_b();
}

/* As if its machine had lost it: no segment tells of its end. As root. */
static void vanish(void)
{
	int on = 1;
	if (real) {
		MUST(setsockopt(b, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)));
		MUST(close(b));
		b = -1;
	}
	ask();
	pause_ms(50);
	say("%s; ", seen.wakes + ends() ? "told at once" : "quiet");
	say_result("send", send(a, "xyz", 3, MSG_NOSIGNAL));
	say("; then ");
}

/* ---- the end, silence ---- */

static void end(void)
{
	if (real)
		MUST(shutdown(b, SHUT_WR)), wait_until(a_hears);
	note_result(ask());
	if (!real)
		send(b, "what will not have come", 23, MSG_NOSIGNAL);
}

static void after_end(void)
{
	say_poll("it", a);
	say_result("recv", recv_now(a));
	say_result("send", send(a, "xyz", 3, MSG_NOSIGNAL));
	say_error("it", a);
	wait_for_events(b, POLLIN);
	say_result("b recv", recv_now(b));
	MUST(shutdown(a, SHUT_WR));
	wait_for_events(b, POLLIN);
	say_result("b recv", recv_now(b));
}

static void deaf(void)
{
	ask();
	if (!real) {
		b_send("abc");
		MUST(shutdown(b, SHUT_WR));
	}
	pause_ms(70);
}

static void after_deaf(void)
{
	say_poll("it", a);
	say_result("send", send(a, "xyz", 3, MSG_NOSIGNAL));
	say_b();
	say_error("it", a);
}

static void mute(void)
{
	struct iovec iov = { "xyz", 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (!real)
		MUST(sendmsg(a, &m, 0));
	pause_ms(70);
}

static void after_mute(void)
{
	int left = 3;
	if (!real)
		MUST(ioctl(a, TIOCOUTQ, &left));
	say("; unacknowledged %d", left);
	say_poll("it", a);
	say_result("recv", recv_now(a));
	say_error("it", a);
}

/* ---- clamp ---- */

static bool is_taken(void)
{
	int n = 0;
	MUST(ioctl(a, FIONREAD, &n));
	return n == 0;
}

static void pieces(void)
{
	static const char *const piece[] = { "abc", "def", "ghi", "j" };
	if (!real)
		b_send("abcdefghij");
	for (int i = 0; real && i < 4; i++) {
		b_send(piece[i]);
		wait_until(is_taken);
	}
}

static bool ten_came(void)
{
	return seen.bytes == 10;
}

static char bulk[BULK];
static long left = BULK;
static volatile bool was_short;
static pthread_mutex_t sending = PTHREAD_MUTEX_INITIALIZER;

static void narrow_pair(void)
{
	int little = 5000;
	struct timeval soon = { 0, 30000 };
	pair();
	if (real) {
		MUST(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)));
		if (is("block"))	/* else nothing but a signal cuts it short */
			MUST(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)));
	}
}

static bool act_send(void)
{
	pthread_mutex_lock(&sending);
	long asked = left, r = asked ? send(a, bulk, (size_t)asked, MSG_NOSIGNAL) : 0;
	left -= r > 0 ? r : 0;
	was_short |= r > 0 && r < asked;
	if (r < 0 && errno != EAGAIN)	/* SO_SNDTIMEO, before anything was read */
		note_result(r);
	pthread_mutex_unlock(&sending);
	return left != 0;
}

static void drain(void)
{
	static char buf[BULK];
	for (int k = 0; k < 1000 && !was_short; k++)
		pause_ms(2);
	for (long got = 0; got < BULK;) {
		wait_for_events(b, POLLIN);
		long r = recv(b, buf, sizeof(buf), MSG_DONTWAIT);
		if (r <= 0 && errno != EAGAIN)
			break;
		seen.bytes += r > 0 ? r : 0;
		got += r > 0 ? r : 0;
	}
}

static bool all_sent(void)
{
	return left == 0;
}

static void after_drain(void)
{
	struct timeval none = { 0, 0 };
	int one = 0;
	socklen_t len = sizeof(one);
	say("; %s; b got %ld", was_short ? "short counts" : "whole", seen.bytes);
	if (real) {		/* what was only its means leaves no trace */
		MUST(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)));
		getsockopt(a, SOL_SOCKET, SO_SNDBUF, &one, &len);
	}
}

/* ---- later ---- */

static bool act_recv_timed(void)
{
	long r;
	char buf[64];
	r = recv(a, buf, sizeof(buf), 0);
	if (over)
		return false;
	if (r > 0 && !first_ns)
		first_ns = now_ns();
	agains += r < 0 && errno == EAGAIN;
	note_result(r);
	return true;
}

static bool three_came(void)
{
	return seen.bytes == 3;
}

static void late(void)
{
	trigger_ns = now_ns();
	ask();
	if (real)
		pause_ms(300);
	b_send("abc");
}

static void after_late(void)
{
	say("; %s", first_ns - trigger_ns >= LATE_NS ? "not before its time" : "too early");
}

static void pair_timed(void)	/* the waiters' calls count from now on */
{
	pair();
	trigger_ns = now_ns();
}

static void delayed(void)
{
	if (real)
		pause_ms(300);
	b_send("abc");
}

/* ---- nothing there, interruptions ---- */

static volatile bool stolen;

static void steal(void)
{
	char buf[64];
	pthread_mutex_lock(&lock);
	if (real && !stolen && !is("block"))
		stolen = read(a, buf, sizeof(buf)) > 0;
	pthread_mutex_unlock(&lock);
}

static bool found_nothing(void)
{
	return agains > 0;
}

static void come_and_go(void)
{
	if (is("block")) {
		b_send("abc");
		return;
	}
	if (real) {
		b_send("xy");
		wait_until(found_nothing);
	}
	b_send("abc");
}

static bool was_interrupted(void)
{
	return how_often("EINTR") > 0;
}

static void interrupt_one(bool it)
{
	if (it && real)
		MUST(tgkill(getpid(), tids[0], SIGUSR2));
	if (it)
		wait_until(was_interrupted);
	b_send("abc");
}

static void interrupt(void)
{
	interrupt_one(is("block"));
}

static void interrupt_wait(void)
{
	interrupt_one(!is("block"));
}

static const struct scene scenes[] = {
	{ "reset", &a, POLLIN, pair, reset, NULL, act_recv, all_ended, after_reset },
	{ "reset-at-connect", &a, POLLIN, attempt, NULL, NULL, act_recv, all_ended, after_reset },
	{ "reset-peer-sees", &b, POLLIN, pair, reset_a, NULL, act_recv, all_ended, after_reset_a },
	{ "reset-self", &a, POLLIN, pair, reset_self, NULL, act_recv, all_ended, after_reset_self },
	{ "reset-peer", &a, POLLIN, pair, vanish, NULL, act_recv, all_ended, after_reset },
	{ "eof", &a, POLLIN, pair, end, NULL, act_recv, all_ended, after_end },
	{ "deaf", &a, POLLIN, pair, deaf, NULL, act_recv, NULL, after_deaf },
	{ "mute", &b, POLLIN, pair, mute, NULL, act_recv, NULL, after_mute },
	{ "clamp-recv", &a, POLLIN, pair, pieces, NULL, act_recv, ten_came, NULL },
	{ "clamp-send", &a, POLLOUT, narrow_pair, drain, NULL, act_send, all_sent, after_drain },
	{ "stall-recv", &a, POLLIN, pair, late, NULL, act_recv_timed, three_came, after_late },
	{ "delay-recv", &a, POLLIN, pair_timed, delayed, NULL, act_recv_timed, three_came, after_late },
	{ "nothing-there", &a, POLLIN, pair, come_and_go, steal, act_recv_timed, three_came, NULL },
	{ "interrupted", &a, POLLIN, pair, interrupt, NULL, act_recv_timed, three_came, NULL },
	{ "interrupted-wait", &a, POLLIN, pair, interrupt_wait, NULL, act_recv_timed, three_came, NULL },
};

int main(int argc, char **argv)
{
	return play_all(argc, argv, scenes, sizeof(scenes) / sizeof(scenes[0]));
}
