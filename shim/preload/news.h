/* news.h - what others change about the rules (snag ctl), heard in the epoll sets in which this process waits. One
 * descriptor of its own while it is in any; where there is none, waits look again by themselves after a while. */
#ifndef PRELOAD_NEWS_H
#define PRELOAD_NEWS_H

#include <stdint.h>

/* The set reports it, edge-triggered, with this data. Under ready_lock, or without: it may be in there already. */
void news_enter(int epfd, uint64_t data);
void news_end(void);

#endif
