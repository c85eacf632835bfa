/* arrivals.h - newcomers behind a held connection, for poll, select and accept.
 *
 * A listener with a held connection in its queue is readable, so a wait for the listener itself would end at once. A wait
 * for an epoll set of our own, in which it stands edge-triggered, ends when the next one comes. One descriptor of this
 * process, while connections are held and somebody waits so: numbered 512 or above where the limit allows, and closed on
 * exec. A fork child shares the set: whoever is woken looks at the queue for all. */
#ifndef PRELOAD_ARRIVALS_H
#define PRELOAD_ARRIVALS_H

/* What to wait for in place of the listener, POLLIN; it is ready at once when this is new. -1: there is no such thing (the
 * process has no descriptors left). */
int arrivals_of(int listener);
/* It was ready: forget what has come. */
void arrivals_seen(void);
/* Nothing is held any more. */
void arrivals_end(void);

#endif
