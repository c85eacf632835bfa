/* hide.c - listeners hidden from the epoll sets of this process */
#include "hide.h"
#include "epset.h"
#include "fdtab.h"
#include "ready.h"
#include "self.h"
#include <base/sys.h>
#include <snag/state.h>

#define PLACES_MAX 256

struct hide_place {
	struct epset_place at;	/* as the program registered it */
	struct sock_ref ref;	/* 0: a free place */
	bool hidden;
	bool shared;		/* as struct hide_owner's */
	bool spent;		/* EPOLLONESHOT, and its event is delivered: nothing to hide until it is armed again */
};

static struct hide_place table[PLACES_MAX];
static unsigned used;		/* no place at or above it is taken */

static struct hide_place *find(int epfd, int fd)
{
	for (unsigned i = 0; i < used; i++)
		if (table[i].ref.sock && table[i].at.epfd == epfd && table[i].at.fd == fd)
			return &table[i];
	return NULL;
}

static struct hide_place *find_free(void)
{
	for (unsigned i = 0; i < PLACES_MAX; i++)
		if (!table[i].ref.sock) {
			if (i >= used)
				store_release(&used, i + 1);
			return &table[i];
		}
	return NULL;
}

/* Still the registration of the socket that it was? */
static bool stands(struct hide_place *p)
{
	struct sock_ref r = fdtab_get(p->at.fd);
	if (r.sock == p->ref.sock && r.serial == p->ref.serial)
		return true;
	p->ref.sock = 0;
	return false;
}

static long control(const struct hide_place *p, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = p->at.data };
	return sys_call(SYS_epoll_ctl, p->at.epfd, op, p->at.fd, &e);
}

/* An exclusive registration cannot be changed (epoll_ctl(2)). */
static bool change(const struct hide_place *p, uint32_t events)
{
	if (!(p->at.events & EPOLLEXCLUSIVE))
		return control(p, EPOLL_CTL_MOD, events) == 0;
	return control(p, EPOLL_CTL_DEL, 0) == 0 && control(p, EPOLL_CTL_ADD, events) == 0;
}

static void hide_place(struct hide_place *p)
{
	if (p->hidden || p->spent || !stands(p))
		return;
	p->hidden = change(p, EPOLLIN | EPOLLET);
	if (p->hidden)
		__atomic_fetch_or(&ready_flags, READY_HIDDEN, __ATOMIC_RELAXED);
}

static void show_place(struct hide_place *p)
{
	p->hidden = false;
	if (stands(p) && !change(p, p->at.events))
		p->ref.sock = 0;
}

static void enter(const struct epset_place *at, struct sock_ref r)
{
	struct hide_place *p = find_free();
	bool disabled = !(at->events & (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM));
	if (p)
		*p = (struct hide_place){
			.at = *at,
			.ref = r,
			.shared = epset_has_twin(at),
			.spent = (at->events & EPOLLONESHOT) && disabled,
		};
}

/* What was registered unseen. */
static void adopt(struct sock_ref r)
{
	struct epset_places places;
	epset_find(&places, r);
	for (unsigned i = 0; i < places.n; i++)
		if (!find(places.place[i].epfd, places.place[i].fd))
			enter(&places.place[i], r);
}

void hide_socket(struct sock_ref r, uint64_t until)
{
	struct ready_guard g;
	bool any = false;
	if (!ready_lock(&g))
		return;
	for (int again = 0; again < 2 && !any; again++) {
		for (unsigned i = 0; i < used; i++) {
			struct hide_place *p = &table[i];
			if (p->ref.sock != r.sock || p->ref.serial != r.serial)
				continue;
			hide_place(p);
			any = true;
		}
		if (!any && !again)
			adopt(r);
	}
	if (any)
		epset_wake_at(until);
	ready_unlock(&g);
}

void hide_registered(int epfd, int fd, const struct epoll_event *event)
{
	struct hide_place *p = find(epfd, fd);
	struct sock_ref r = fdtab_get(fd);
	const struct model_sock *m = r.sock ? model_peek(engine.model, r.sock, r.serial) : NULL;
	if (p)
		p->ref.sock = 0;
	for (unsigned i = 0; i < used && event; i++)
		table[i].shared |= table[i].at.epfd == epfd && table[i].at.data == event->data.u64;
	if (event && m && m->role == SNAG_ROLE_LISTENER)
		enter(&(struct epset_place){ epfd, fd, event->events, event->data.u64 }, r);
}

struct hide_owner hide_owner(int epfd, uint64_t data)
{
	for (unsigned i = 0; i < load_acquire(&used); i++) {
		struct hide_place *p = &table[i];
		if (p->ref.sock && p->at.epfd == epfd && p->at.data == data && stands(p))
			return (struct hide_owner){ p->at.fd, p->hidden, p->shared };
	}
	return (struct hide_owner){ .fd = -1 };
}

void hide_delivered(int epfd, int fd)
{
	struct hide_place *p = find(epfd, fd);
	if (p && (p->at.events & EPOLLONESHOT))
		p->spent = true;
}

uint64_t hide_run(bool (*hidden)(int fd, uint64_t *until))
{
	uint64_t next = READY_NEVER, until;
	bool any = false;
	for (unsigned i = 0; i < used; i++) {
		struct hide_place *p = &table[i];
		if (!p->ref.sock || !p->hidden || !stands(p))
			continue;
		if (!hidden(p->at.fd, &until)) {
			show_place(p);
			continue;
		}
		any = true;
		next = until < next ? until : next;
	}
	if (!any)
		__atomic_fetch_and(&ready_flags, ~(uint32_t)READY_HIDDEN, __ATOMIC_RELAXED);
	return next;
}
