/* spare.c - a table of descriptors that is full */
#include "spare.h"
#include <base/base.h>
#include <base/sys.h>

/* The lowest number that was free when the table was first said to be full, plus one; 0: nothing was said. */
static int full_at;

/* fs/file.c, alloc_fd(): the next descriptor gets the lowest number that is free. */
static int lowest_free(int below)
{
	int fd = 0;
	while (fd != below && sys_call(SYS_fcntl, fd, F_GETFD) >= 0)
		fd++;
	return fd;
}

bool spare_left(void)
{
	int at = load_relaxed(&full_at);
	if (!at) {
		store_relaxed(&full_at, lowest_free(-1) + 1);
		return false;
	}
	return lowest_free(at - 1) < at - 1;
}

void spare_forget(void)
{
	if (unlikely(load_relaxed(&full_at)))
		store_relaxed(&full_at, 0);
}
