/* scribble.c - a process that overwrites all that the processes of its session share, while another one works on:
 * scribble zeroes|ones|SEED
 *
 * The worker makes, connects, duplicates, inherits and closes sockets before and after; every call of it must do what
 * it does without snag. */
#include "target.h"
#include <sys/wait.h>

static void use(void)
{
	struct sockaddr_in a;
	char text[2] = "";
	int l = listening(4), c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), s, d;
	pid_t pid;

	a = address_of(l);
	if (bind(c, (struct sockaddr *)&a, sizeof a) == 0 || errno != EADDRINUSE)
		exit(98);
	MUST(connect(c, (struct sockaddr *)&a, sizeof a));
	s = (int)MUST(accept(l, NULL, NULL));
	d = (int)MUST(dup(s));
	MUST(close(s));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		MUST(close(l));
		MUST(send(d, "x", 1, 0));
		_exit(0);
	}
	if (status_of(pid) || MUST(recv(c, text, 1, 0)) != 1 || text[0] != 'x')
		exit(98);
	MUST(close(d));
	MUST(close(c));
	MUST(close(l));
}

static void fill(char *from, char *to, const char *how)
{
	srandom((unsigned)atoi(how));
	if (strcmp(how, "zeroes") == 0)
		memset(from, 0, (size_t)(to - from));
	else if (strcmp(how, "ones") == 0)
		memset(from, 0xff, (size_t)(to - from));
	else
		for (; from < to; from += sizeof(int))
			*(int *)from = (int)((unsigned)random() * 2654435761u);
}

/* The writable shared mappings of files of snag's. */
static void scribble(const char *how)
{
	char line[512];
	unsigned long from, to;
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	while (maps && fgets(line, sizeof line, maps)) {
		if (!strstr(line, " rw-s ") || !strstr(line, "/snag-") || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		fill((char *)from, (char *)to, how);
		found = 1;
	}
	_exit(found ? 0 : 97);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc != 2)
		return 2;
	use();
	pid = (pid_t)MUST(fork());
	if (pid == 0)
		scribble(argv[1]);
	int status = status_of(pid);
	if (status)
		return status;
	for (int i = 0; i < 5; i++)
		use();
	puts("as ever");
	return 0;
}
