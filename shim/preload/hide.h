/* hide.h - listeners hidden from the epoll sets of this process.
 *
 * A hidden one stays registered, for arrivals only and edge-triggered: each newcomer is seen once, nobody spins. Shown
 * again, it has the program's own registration, and the kernel looks at its readiness afresh (fs/eventpoll.c, ep_modify):
 * neither level- nor edge-triggered waiters lose anything. */
#ifndef PRELOAD_HIDE_H
#define PRELOAD_HIDE_H

#include <session/sock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* In all sets that it is registered in, until session time `until` or something changes. Takes ready_lock. */
void hide_socket(struct sock_ref r, uint64_t until);

/* Under ready_lock: what the program has done to a registration; event NULL: it is gone. */
void hide_registered(int epfd, int fd, const struct epoll_event *event);
/* Whose event is this? The listener's descriptor; -1: it is none's. */
struct hide_owner {
	int fd;
	bool hidden;		/* there, at this moment */
	bool shared;		/* another descriptor of the set bears the same data: it may as well be that one's */
};
struct hide_owner hide_owner(int epfd, uint64_t data);
/* The program gets the event: an EPOLLONESHOT registration is used up by it. */
void hide_delivered(int epfd, int fd);
/* Under ready_lock: shows those of which `hidden` says false. When to look next; READY_NEVER: none is hidden. */
uint64_t hide_run(bool (*hidden)(int fd, uint64_t *until));

#endif
