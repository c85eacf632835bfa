/* closing WAY - a bound socket closed in one of many ways; then its port is bound again, which must succeed and be
 * expected to. WAY: close, fclose, dup2, dup3, close_range, closefrom, syscall, syscall-range, dups, vfork. */
#include "target.h"
#include <fcntl.h>
#include <sys/syscall.h>

static void by_dups(int fd)
{
	int a = (int)MUST(dup(fd)), b = (int)MUST(fcntl(fd, F_DUPFD_CLOEXEC, 40));
	MUST(dup3(fd, 60, O_CLOEXEC));
	MUST(close(fd));
	MUST(close(a));
	MUST(close(60));
	MUST(close(b));
}

/* A vfork child closes its descriptors, and all of its parent's sockets stay. */
static void by_vfork(int fd)
{
	pid_t pid = vfork();
	if (pid == 0) {
		close(fd);
		close_range(3, ~0u, 0);
		_exit(0);
	}
	if (status_of(pid) != 0)
		exit(98);
	MUST(listen(fd, 3));
	MUST(close(fd));
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "close";
	int file = (int)MUST(open("/dev/null", O_RDWR | O_CLOEXEC)), fd = bound(), again;
	struct sockaddr_in a = address_of(fd);
	if (strcmp(way, "close") == 0)
		MUST(close(fd));
	else if (strcmp(way, "fclose") == 0)
		MUST(fclose(fdopen(fd, "r+")));
	else if (strcmp(way, "dup2") == 0)
		MUST(dup2(file, fd));
	else if (strcmp(way, "dup3") == 0)
		MUST(dup3(file, fd, O_CLOEXEC));
	else if (strcmp(way, "close_range") == 0)
		MUST(close_range(3, ~0u, 0));
	else if (strcmp(way, "closefrom") == 0)
		closefrom(3);
	else if (strcmp(way, "syscall") == 0)
		MUST(syscall(SYS_close, fd));
	else if (strcmp(way, "syscall-range") == 0)
		MUST(syscall(SYS_close_range, 3, ~0u, 0));
	else if (strcmp(way, "dups") == 0)
		by_dups(fd);
	else if (strcmp(way, "vfork") == 0)
		by_vfork(fd);
	else
		return 96;
	again = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(bind(again, (struct sockaddr *)&a, sizeof(a)));
	MUST(close(again));
	puts("bound again");
	return 0;
}
