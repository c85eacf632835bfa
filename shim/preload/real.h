/* real.h - the functions behind the hooks: the next ones in the search order, usually the C library's.
 *
 * Found in one pass by the constructor. What is a bare system call works before that too (a hook may run inside the
 * loader, another library's constructor or an allocator's start): until then the pointers name raw system calls. The
 * others are found at their first use, by real_find. Only canonical names stand here; aliases share them. */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include <base/base.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>

struct real {
	/* system calls */
	int (*socket)(int domain, int type, int protocol);
	int (*socketpair)(int domain, int type, int protocol, int sv[2]);
	int (*bind)(int fd, const struct sockaddr *sa, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*accept)(int fd, struct sockaddr *sa, socklen_t *len);
	int (*accept4)(int fd, struct sockaddr *sa, socklen_t *len, int flags);
	int (*connect)(int fd, const struct sockaddr *sa, socklen_t len);
	int (*shutdown)(int fd, int how);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	int (*getsockname)(int fd, struct sockaddr *sa, socklen_t *len);
	int (*getpeername)(int fd, struct sockaddr *sa, socklen_t *len);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*close)(int fd);
	int (*close_range)(unsigned first, unsigned last, int flags);
	int (*dup)(int fd);
	int (*dup2)(int fd, int to);
	int (*dup3)(int fd, int to, int flags);
	int (*fcntl)(int fd, int cmd, ...);
	int (*execve)(const char *path, char *const argv[], char *const envp[]);
	int (*execveat)(int dir, const char *path, char *const argv[], char *const envp[], int flags);
	void (*exit_now)(int status);	/* _exit */
	ssize_t (*read)(int fd, void *buf, size_t n);
	ssize_t (*readv)(int fd, const struct iovec *iov, int n);
	ssize_t (*recv)(int fd, void *buf, size_t n, int flags);
	ssize_t (*recvfrom)(int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len);
	ssize_t (*write)(int fd, const void *buf, size_t n);
	ssize_t (*writev)(int fd, const struct iovec *iov, int n);
	ssize_t (*send)(int fd, const void *buf, size_t n, int flags);
	ssize_t (*sendto)(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa, socklen_t len);
	ssize_t (*sendfile)(int out, int in, off_t *offset, size_t n);
	ssize_t (*sendmsg)(int fd, const struct msghdr *m, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *m, int flags);
	int (*sendmmsg)(int fd, struct mmsghdr *m, unsigned n, int flags);
	int (*recvmmsg)(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout);
	int (*ppoll)(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
	int (*select)(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout);
	int (*pselect)(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask);
	int (*epoll_ctl)(int epfd, int op, int fd, struct epoll_event *event);
	int (*epoll_wait)(int epfd, struct epoll_event *events, int max, int timeout);
	int (*epoll_pwait)(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask);
	int (*epoll_pwait2)(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
			    const sigset_t *mask);
	long (*syscall)(long number, ...);
	int (*prctl)(int option, ...);
	int (*setns)(int fd, int type);
	int (*unshare)(int flags);
	/* more than a system call: NULL until found */
	int (*poll_chk)(struct pollfd *fds, nfds_t n, int timeout, size_t room);
	int (*ppoll_chk)(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t room);
	int (*fclose)(FILE *f);
	int (*fileno)(FILE *f);
	void (*closefrom)(int low);	/* NULL where the C library has none */
	pid_t (*fork)(void);
	pid_t (*fork_bare)(void);	/* _Fork; NULL where the C library has none */
	pid_t (*forkpty)(int *main, char *name, const struct termios *t, const struct winsize *w);
	int (*daemon)(int nochdir, int noclose);
	int (*posix_spawn)(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
			   const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
	int (*posix_spawnp)(pid_t *pid, const char *file, const posix_spawn_file_actions_t *fa,
			    const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
	int (*system)(const char *command);
	FILE *(*popen)(const char *command, const char *mode);
	int (*execvpe)(const char *file, char *const argv[], char *const envp[]);
	int (*fexecve)(int fd, char *const argv[], char *const envp[]);
	/* fortified: they end a program that would overrun its buffer; NULL where the C library has none */
	ssize_t (*read_chk)(int fd, void *buf, size_t n, size_t size);
	ssize_t (*recv_chk)(int fd, void *buf, size_t n, size_t size, int flags);
	ssize_t (*recvfrom_chk)(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *sa,
				socklen_t *len);
};

extern struct real real;
extern uint32_t real_found;

/* Look them all up; may be called again. */
void real_find(void);
static inline void real_need(void)
{
	if (unlikely(!load_acquire(&real_found)))
		real_find();
}

/* -errno becomes errno and -1: with hook_leave, the only places that set errno. */
long real_edge(long r);

#endif
