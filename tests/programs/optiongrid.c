/* optiongrid.c - every length and pointer, right and wrong, for the socket options that faults change: what is answered,
 * after one recv and one send on a connection. It prints the same with snag as without. */
#include "target.h"
#include <netinet/tcp.h>
#include <sys/mman.h>

#define SHOWN 8

static const struct { int level, name; } options[] = {
	{ SOL_SOCKET, SO_RCVLOWAT }, { IPPROTO_IP, IP_MINTTL }, { IPPROTO_IPV6, IPV6_MINHOPCOUNT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT }, { SOL_SOCKET, SO_GET_FILTER }, { IPPROTO_IP, IP_OPTIONS },
};
static const int lengths[] = { -1, 0, 1, 2, 3, 4, 5, 8, 64 };
static const int values[] = { -1, 0, 1, 255, 256 };

static void get(int fd, int level, int name, int len)
{
	unsigned char b[64];
	socklen_t n = (socklen_t)len;

	memset(b, 0xee, sizeof b);
	errno = 0;
	printf("get %d %d, %d: %d", level, name, len, getsockopt(fd, level, name, b, &n));
	printf(" %d %d", errno, (int)n);
	for (int i = 0; i < SHOWN; i++)
		printf(" %02x", b[i]);
	puts("");
}

static void set(int fd, int level, int name, const void *value, int len)
{
	errno = 0;
	printf("set %d %d, %d: %d", level, name, len, setsockopt(fd, level, name, value, (socklen_t)len));
	printf(" %d\n", errno);
	get(fd, level, name, sizeof(int));
}

static void ask(int fd, int level, int name, void *bad)
{
	socklen_t none = 0, some = sizeof(int);

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++)
		get(fd, level, name, lengths[i]);
	printf("%d", getsockopt(fd, level, name, bad, &some));
	printf(" %d", getsockopt(fd, level, name, NULL, &none));
	printf(" %d\n", getsockopt(fd, level, name, NULL, bad));
}

static void change(int fd, int level, int name, const void *bad)
{
	char value[64] = "";

	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		/* the most that SO_RCVLOWAT can be hangs on tcp_rmem */
		for (unsigned k = name == SO_RCVLOWAT; k < sizeof values / sizeof *values; k++)
			set(fd, level, name, memcpy(value, &values[k], sizeof(int)), lengths[i]);
		set(fd, level, name, bad, lengths[i]);
	}
}

int main(void)
{
	int l = listening(1), c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in a = address_of(l);
	void *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[1];

	MUST(connect(c, (struct sockaddr *)&a, sizeof a));
	recv(c, text, 1, MSG_DONTWAIT);
	send(c, text, 1, 0);
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
		ask(c, options[i].level, options[i].name, bad);
		if (options[i].name != SO_GET_FILTER && options[i].name != IP_OPTIONS)
			change(c, options[i].level, options[i].name, bad);
	}
	return 0;
}
