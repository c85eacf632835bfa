/* hang.h - listeners whose queue is full: a connect to one stays in SYN_SENT, as to a host that does not answer. The
 * keeper holds one on each loopback address while a rule makes connects time out. */
#ifndef CLI_HANG_H
#define CLI_HANG_H

#include <policy/rules.h>
#include <stdbool.h>
#include <stdint.h>

struct hang {
	int fd[2][2];		/* by family: listener and the connection that fills it; -1: none */
	uint16_t port[2];	/* 127.0.0.1, ::1; 0: none */
};

#define HANG_NONE ((struct hang){ { { -1, -1 }, { -1, -1 } }, { 0, 0 } })

/* Does the policy make a connect fail with ETIMEDOUT? */
bool hang_wanted(const struct rules *r);
/* Where a family is missing its port stays 0. */
void hang_open(struct hang *h);
void hang_close(struct hang *h);

#endif
