/* enforce.h - the real bind, listen and connect, as a virtual kernel wants them: called where there is one. */
#ifndef PRELOAD_ENFORCE_H
#define PRELOAD_ENFORCE_H

#include "hook.h"

/* Each makes the real call and tells the hook of its result. */
void enforce_bind(struct hook *h, const struct sockaddr *sa, socklen_t len);
void enforce_listen(struct hook *h, int backlog);
/* What the real connect answers, errno set. */
int enforce_connect(struct hook *h, const struct sockaddr *sa, socklen_t len);

#endif
