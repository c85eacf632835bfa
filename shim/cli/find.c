/* find.c - is there a session of this name, and does it live? */
#include "find.h"

#include "procs.h"

#include <base/base.h>
#include <errno.h>
#include <layout/sizes.h>
#include <session/task.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A session as young as this may still be without its first process. */
#define YOUNG_NS (2 * NSEC_PER_SEC)
/* An ending session is gone within milliseconds; this is for a machine under load. */
#define ENDING_MS 2000

bool find_keeper_runs(uint32_t pid)
{
	struct task t;

	if (!procs_pid_runs(pid))
		return false;
	return task_read(pid, &t) < 0 || (strncmp(t.comm, "snag", 4) == 0 && t.state != 'Z');
}

bool find_is_alive(const struct session *s)
{
	bool waits = load_acquire(&s->header->next_proc) == 0 && session_now(s) < YOUNG_NS;

	return waits || find_keeper_runs(load_acquire(&s->header->keeper_pid)) || procs_count(s, NULL, NULL) > 0;
}

/* Nobody is in it: what is left is a file. True: removed, *s is detached. */
static bool remove_dead(struct session *s, const char *name)
{
	if (find_is_alive(s))
		return false;
	session_remove(name, s);
	session_detach(s);
	return true;
}

int find_session(struct session *s, const char *name)
{
	struct session_sizes sizes = layout_sizes(0);
	int err = -ESHUTDOWN;

	for (int ms = 0; err == -ESHUTDOWN && ms < ENDING_MS; ms += 5) {
		err = session_attach(s, name, &sizes);
		if (err == -ESHUTDOWN)
			usleep(5000);
	}
	if (err == 0 && !remove_dead(s, name))
		return 0;
	if (err == -ESHUTDOWN)		/* whoever was ending it died over it */
		session_remove(name, NULL);
	return err == 0 || err == -ESHUTDOWN ? -ENOENT : err;
}

/* One that is ending, of another version, or somebody else's is passed over. */
static void sweep(const char *name, void *arg)
{
	struct session_sizes sizes = layout_sizes(0);
	struct session s;

	(void)arg;
	if (session_attach(&s, name, &sizes) == 0 && !remove_dead(&s, name))
		session_detach(&s);
}

void find_sweep(void)
{
	session_each(sweep, NULL);
}

void find_complain(const char *name, int err)
{
	static const struct {
		int err;
		const char *what;
	} rows[] = {
		{ EINVAL, "not a name: 1 to 63 of A-Z a-z 0-9 . _ - and no dot or dash in front" },
		{ ENOSPC, "no room for it in /dev/shm and /tmp; a session takes 6 MiB, with a trace 22" },
		{ EACCES, "the folder of sessions (/dev/shm/snag-UID, /tmp/snag-UID) or the file in it is not private to "
			  "this user; remove it" },
		{ EPROTO, "made by another version of snag, or damaged; end its programs, or use another name" },
		{ EXDEV, "belongs to another pid namespace; use another name" },
		{ ESHUTDOWN, "is ending; try again" },
	};
	const char *what = strerror(-err);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].err == -err)
			what = rows[i].what;
	fprintf(stderr, "snag: session %s: %s\n", name, what);
}
