/* narrow WHERE SIZE WHAT - socket calls and children on a little stack, with an environment of a thousand entries that
 * knows nothing of LD_PRELOAD */
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES 1000
static char *env[ENTRIES + 1], *argv_true[] = { "true", NULL };
static const char *what;

static int wait_for(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

static int sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	int r = bind(s, (void *)&a, len) | listen(s, 3) | getsockname(s, (void *)&a, &len) | connect(c, (void *)&a, len);
	int n = accept(s, NULL, NULL), copy = dup(n);
	r |= setsockopt(n, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	return r | shutdown(n, SHUT_RDWR) | close(n) | close(copy) | close(s) | close_range((unsigned)c, (unsigned)c, 0);
}

static int forks(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(sockets());
	return wait_for(pid);
}

static int execs(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execve("/bin/true", argv_true, env);
		_exit(9);
	}
	return wait_for(pid);
}

static int vforks(void)
{
	pid_t pid = vfork();
	if (pid == 0) {
		execve("/bin/true", argv_true, env);
		_exit(9);
	}
	return wait_for(pid);
}

static int spawns(void)
{
	pid_t pid;
	return posix_spawn(&pid, "/bin/true", NULL, NULL, argv_true, env) | wait_for(pid);
}

static int maps(void)
{
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static unsigned long size(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	int n = fscanf(f, "%lu", &pages);
	fclose(f);
	return n == 1 ? pages : 0;
}

static int repeat(void)
{
	int r = vforks(), before = (maps(), maps());
	unsigned long pages = size();
	for (int i = 0; i < 100; i++)
		r |= vforks();
	return r || maps() > before + 2 || size() > pages + 10;
}

static const struct {
	const char *name;
	int (*run)(void);
} works[] = {
	{ "sockets", sockets }, { "fork", forks },   { "exec", execs },
	{ "vfork", vforks },	{ "spawn", spawns }, { "repeat", repeat },
};

static void work(void)
{
	for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(works[i].name, what))
			continue;
		const char *end = works[i].run() == 0 ? ": ok\n" : ": failed\n";
		if (write(1, what, strlen(what)) < 0 || write(1, end, strlen(end)) < 0)
			_exit(3);
	}
}

static void *in_thread(void *arg)
{
	work();
	return arg;
}

static void in_handler(int sig)
{
	(void)sig;
	work();
}

static int with_thread(size_t stack)
{
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t a;
	pthread_t t;
	pthread_attr_init(&a);
	return pthread_attr_setstacksize(&a, stack < least ? least : stack) ||
	       pthread_create(&t, &a, in_thread, NULL) || pthread_join(t, NULL);
}

/* Below the stack stands a page that cannot be touched. */
static int with_handler(size_t stack)
{
	char *m = mmap(NULL, stack + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = { .ss_sp = m + 4096, .ss_size = stack };
	struct sigaction sa = { .sa_handler = in_handler, .sa_flags = SA_ONSTACK };
	mprotect(m, 4096, PROT_NONE);
	if (sigaltstack(&ss, NULL) || sigaction(SIGUSR1, &sa, NULL))
		return 1;
	raise(SIGUSR1);
	return 0;
}

int main(int argc, char **argv)
{
	size_t stack = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (argc < 4)
		return 2;
	what = argv[3];
	for (int i = 0; i < ENTRIES; i++)
		if (asprintf(&env[i], "V%d=x", i) < 0)
			return 2;
	if (strcmp(argv[1], "thread") == 0)
		return with_thread(stack);
	if (strcmp(argv[1], "handler") == 0)
		return with_handler(stack);
	work();
	return 0;
}
