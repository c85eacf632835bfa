/* program.c - the program that is to be run. What cannot be interposed is refused before it starts: a library that is
 * silently not loaded would look like a program without sockets. */
#include "program.h"

#include "cmd.h"
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 4		/* as in the kernel: BINPRM_MAX_RECURSION */
#define LINE_MAX_KERNEL 256	/* BINPRM_BUF_SIZE: what the kernel reads of a #! line */

#define OWN_BITS ((int)sizeof(long) * 8)
#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#endif

__attribute__((format(printf, 2, 3))) static int refuse(const char *path, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "snag: %s: ", path);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return CMD_REFUSED;
}

static bool executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvp: the first executable one on PATH; a match that is not executable is remembered. */
static int search(struct program *p, const char *name)
{
	const char *path = getenv("PATH");
	int status = CMD_NOT_FOUND;

	for (const char *at = path ? path : "/bin:/usr/bin"; at;) {
		size_t n = strcspn(at, ":");
		int len = snprintf(p->path, sizeof(p->path), "%.*s%s%s", (int)n, at, n ? "/" : "", name);
		struct stat st;
		if (len > 0 && (size_t)len < sizeof(p->path)) {
			if (executable(p->path))
				return 0;
			if (stat(p->path, &st) == 0 && S_ISREG(st.st_mode))
				status = CMD_REFUSED;
		}
		at = at[n] ? at + n + 1 : NULL;
	}
	if (status == CMD_REFUSED)
		fprintf(stderr, "snag: %s: not executable; no file of that name on PATH is\n", name);
	else
		fprintf(stderr, "snag: %s: not found on PATH; give its path, or install it\n", name);
	return status;
}

static int locate(struct program *p, const char *name)
{
	struct stat st;

	if (!strchr(name, '/'))
		return search(p, name);
	if (strlen(name) >= sizeof(p->path) || stat(name, &st) < 0) {
		int err = strlen(name) >= sizeof(p->path) ? ENAMETOOLONG : errno;
		fprintf(stderr, "snag: %s: not found: %s\n", name, strerror(err));
		return CMD_NOT_FOUND;
	}
	strcpy(p->path, name);
	if (S_ISDIR(st.st_mode))
		return refuse(name, "is a directory, not a program");
	if (!executable(name))
		return refuse(name, "not executable; `chmod +x` makes it so");
	return 0;
}

/* Would the kernel start it with AT_SECURE (cap_bprm_creds_from_file), so that LD_PRELOAD is ignored? */
static int check_privileges(const char *path, int fd)
{
	struct stat st;
	struct statvfs fs;

	if (fstat(fd, &st) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	    (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_NOSUID))
		return 0;
	const char *instead = "run it as that user, or use a copy without the bit";
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return refuse(path, "setuid: the loader ignores LD_PRELOAD for it; %s", instead);
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
		return refuse(path, "setgid: the loader ignores LD_PRELOAD for it; %s", instead);
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(path, "has file capabilities: the loader ignores LD_PRELOAD for it; use a copy without them");
	return 0;
}

static int check_elf(const char *path, const struct elf_facts *f)
{
	if (f->bits != OWN_BITS)
		return refuse(path, "a %d-bit program: libsnag.so is %d-bit; use a %d-bit build of it", f->bits,
			      OWN_BITS, OWN_BITS);
	if (f->machine != OWN_MACHINE || f->big_endian)
		return refuse(path, "made for another machine; use a build for this one");
	if (f->interpreter) {
		if (f->go)
			fprintf(stderr, "snag: warning: %s: a Go program makes its system calls itself: only what it does "
					"through the C library is seen\n", path);
		return 0;
	}
	if (f->go)
		return refuse(path, "a static Go program: no library can be loaded into it; "
				    "test another program of the pair, such as its client or server");
	/* A loader called by name is a dynamic file too, but no position-independent executable. */
	if (f->type == ET_DYN && f->dynamic && !f->pie_flag)
		return 0;
	return refuse(path, "statically linked: no library can be loaded into it; use a dynamically linked build");
}

/* The interpreter of a #! line into `next`; false: there is none. */
static bool shebang(int fd, char next[LINE_MAX_KERNEL])
{
	char line[LINE_MAX_KERNEL];
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	char *at = line + 2 + strspn(line + 2, " \t");
	at[strcspn(at, " \t")] = 0;
	strcpy(next, at);
	return next[0] != 0;
}

static int check_file(const char *path, char next[LINE_MAX_KERNEL])
{
	struct elf_facts facts;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), err, status = 0;

	next[0] = 0;
	if (fd < 0)	/* executable but not readable: the kernel will start it all the same */
		return 0;
	if (!shebang(fd, next)) {
		err = elf_read(fd, &facts);
		if (!err)
			status = check_elf(path, &facts);
		if (!err && !status)
			status = check_privileges(path, fd);
	}
	close(fd);
	return status;
}

int program_check(struct program *p, const char *name)
{
	char path[PATH_MAX], next[LINE_MAX_KERNEL];
	int status = locate(p, name);

	if (status)
		return status;
	strcpy(path, p->path);
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		status = check_file(path, next);
		if (status || !next[0])
			return status;
		if (!executable(next))
			return refuse(name, "its interpreter %s is not there, or not executable", next);
		strcpy(path, next);
	}
	return refuse(name, "scripts run by scripts, more than %d deep: the kernel refuses that", SCRIPT_DEPTH);
}
