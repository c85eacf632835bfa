/* fdtab.c - descriptor to socket */
#include "fdtab.h"
#include <base/sys.h>
#include <errno.h>
#include <sys/mman.h>

uint64_t *fdtab_word;
uint32_t fdtab_size;
uint32_t fdtab_high;

int fdtab_make(void)
{
	size_t bytes = FDTAB_MAX * sizeof(*fdtab_word);
	void *p = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sys_failed(p))
		return -ENOMEM;
	sys_madvise(p, bytes, MADV_DONTDUMP);
	fdtab_word = p;
	store_release(&fdtab_size, FDTAB_MAX);
	return 0;
}

static void raise_high(uint32_t to)
{
	uint32_t high = load_relaxed(&fdtab_high);
	while (high < to && !cas(&fdtab_high, &high, to))
		;
}

struct sock_ref fdtab_put(int fd, struct sock_ref r)
{
	if ((unsigned)fd >= fdtab_size)
		return (struct sock_ref){ 0 };
	raise_high((uint32_t)fd + 1);
	return fdtab_ref(__atomic_exchange_n(&fdtab_word[fd], (uint64_t)r.serial << 32 | r.sock, __ATOMIC_ACQ_REL));
}

struct sock_ref fdtab_take(int fd)
{
	if (!fdtab_knows(fd))
		return (struct sock_ref){ 0 };
	return fdtab_ref(__atomic_exchange_n(&fdtab_word[fd], 0, __ATOMIC_ACQ_REL));
}

int fdtab_next(int from, unsigned end)
{
	uint32_t high = load_acquire(&fdtab_high);
	if (end > high)
		end = high;
	for (unsigned fd = (unsigned)from; fd < end; fd++)
		if (load_relaxed(&fdtab_word[fd]))
			return (int)fd;
	return -1;
}
