/* owner.h - which process has a socket: found through the links in /proc/PID/fd, as far as they are open to us. No
 * allocation; descriptors are open during the call only, close-on-exec and high. */
#ifndef PROBE_OWNER_H
#define PROBE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner {
	uint32_t pid;
	int32_t fd;
	uint32_t others;	/* further processes that share it */
	char comm[16];		/* NUL terminated */
	char exe[128];		/* path, its end where it is longer, NUL terminated; "": hidden from us */
};

/* Calls back with each descriptor of each process that is a socket. False: enough. */
typedef bool owner_each_fn(void *arg, uint32_t pid, int fd, uint32_t inode);
void owner_each(owner_each_fn *each, void *arg);

/* Who has the socket with this inode? The first such process by number; false: none that we may look into. */
bool owner_find(uint32_t inode, struct owner *o);
/* The names of a process whose pid stands in o. */
void owner_name(struct owner *o);

/* A copy of its descriptor, close-on-exec, by pidfd_getfd(2): for whom ptrace would be allowed. Or -errno. */
int owner_borrow(uint32_t pid, int fd);

/* The number in "socket:[12345]", 0: no socket. */
uint32_t owner_inode(const char *link, size_t len);
/* The inode of the socket that descriptor fd of pid means; 0: none, or hidden from us. */
uint32_t owner_socket(uint32_t pid, int fd);

#endif
