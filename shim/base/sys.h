/* sys.h - system calls without the C library: never hooked, no cancellation point, errno untouched. Each answers what
 * the kernel does: a result, or -errno. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

/* One system call with six arguments. */
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
#else
#error "no system call instruction is known for this machine"
#endif
}

/* sys_call(SYS_name, arguments...): up to six, integers or pointers; the rest are zero. */
#define sys_call(...) sys_call_pick_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define sys_call_pick_(nr, a, b, c, d, e, f, ...) \
	sys_call6((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline uint32_t sys_getpid(void) { return (uint32_t)sys_call(SYS_getpid); }
static inline uint32_t sys_getppid(void) { return (uint32_t)sys_call(SYS_getppid); }
static inline uint32_t sys_gettid(void) { return (uint32_t)sys_call(SYS_gettid); }
static inline uint32_t sys_geteuid(void) { return (uint32_t)sys_call(SYS_geteuid); }
static inline int sys_kill(uint32_t pid, int sig) { return (int)sys_call(SYS_kill, pid, sig); }
static inline int sys_tkill(uint32_t tid, int sig) { return (int)sys_call(SYS_tkill, tid, sig); }

static inline int sys_openat(int dir, const char *path, int flags, unsigned mode)
{
	return (int)sys_call(SYS_openat, dir, path, flags, mode);
}
static inline int sys_open(const char *path, int flags, unsigned mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}
static inline int sys_close(int fd) { return (int)sys_call(SYS_close, fd); }
static inline ssize_t sys_read(int fd, void *buf, size_t n) { return sys_call(SYS_read, fd, buf, n); }
static inline ssize_t sys_write(int fd, const void *buf, size_t n) { return sys_call(SYS_write, fd, buf, n); }
static inline ssize_t sys_pread(int fd, void *buf, size_t n, uint64_t at)
{
	return sys_call(SYS_pread64, fd, buf, n, at);
}
static inline ssize_t sys_pwrite(int fd, const void *buf, size_t n, uint64_t at)
{
	return sys_call(SYS_pwrite64, fd, buf, n, at);
}
static inline int sys_fstat(int fd, struct stat *st) { return (int)sys_call(SYS_fstat, fd, st); }
static inline int sys_stat(const char *path, struct stat *st)
{
	return (int)sys_call(SYS_newfstatat, AT_FDCWD, path, st, 0);
}
static inline ssize_t sys_readlink(const char *path, char *buf, size_t n)
{
	return sys_call(SYS_readlinkat, AT_FDCWD, path, buf, n);
}
struct sys_dirent {	/* linux_dirent64: getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};
static inline ssize_t sys_getdents(int fd, void *buf, size_t n) { return sys_call(SYS_getdents64, fd, buf, n); }

/* Answers the address, or -errno as a small negative number: ask sys_failed(). */
static inline void *sys_mmap(void *addr, size_t n, int prot, int flags, int fd, uint64_t offset)
{
	return (void *)sys_call(SYS_mmap, addr, n, prot, flags, fd, offset);
}
static inline int sys_failed(const void *p) { return (uintptr_t)p >= (uintptr_t)-4095 ? (int)(intptr_t)p : 0; }
static inline int sys_munmap(void *addr, size_t n) { return (int)sys_call(SYS_munmap, addr, n); }
static inline int sys_madvise(void *addr, size_t n, int advice) { return (int)sys_call(SYS_madvise, addr, n, advice); }

/* timeout: relative for FUTEX_WAIT, absolute CLOCK_REALTIME for FUTEX_LOCK_PI; NULL: none. */
static inline int sys_futex(uint32_t *word, int op, uint32_t val, const struct timespec *timeout)
{
	return (int)sys_call(SYS_futex, word, op, val, timeout);
}

/* Nanoseconds of a clock, by the C library: no system call where the kernel has a vDSO. */
static inline uint64_t sys_clock_ns(clockid_t clock)
{
	struct timespec ts = {0, 0};
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline struct timespec sys_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
}

/* Moves a descriptor of our own to 512 or above, out of the program's way, where the limit allows; close-on-exec. Takes
 * and hands on -errno. */
int sys_high_fd(int fd);

/* The same of a descriptor that stays open while the program runs on, which may close all that it does not know and have a
 * file of its own at that number. It is marked, by F_SETSIG, which says nothing where O_ASYNC is not set. */
int sys_keep_fd(int fd);
bool sys_is_kept(int fd);
/* Closes it, unless it is the program's by now. */
void sys_close_kept(int fd);

/* The start of a small file (as in /proc) into buf, with a NUL behind it. The bytes read, or -errno. */
ssize_t sys_read_file(const char *path, char *buf, size_t size);

/* Appends text to buf[*len] and keeps the NUL; what does not fit in size is cut. For paths, without stdio. */
void sys_append(char *buf, size_t size, size_t *len, const char *text);
void sys_append_number(char *buf, size_t size, size_t *len, uint64_t n);

#endif
