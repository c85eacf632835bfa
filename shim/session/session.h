/* session.h - one shared session: the file, mapped by every process of it. Found by name in a folder of the user's
 * own (/dev/shm/snag-UID, else /tmp/snag-UID; 0700; owner and type checked, no symlink followed). After attach no
 * descriptor stays open. Knows the sizes of what it holds, not the meaning. Results: 0 or -errno. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <snag/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_tables;		/* tables.h */

/* Sizes of the sections whose meaning lies elsewhere. */
struct session_sizes {
	size_t model_fixed, model_per_sock;	/* the model: a fixed part, then one record for each socket slot */
	size_t triggers;
	size_t faults_fixed, faults_per_sock;	/* what faults left on sockets, likewise */
	size_t ring_fixed, ring_per_slot;
	size_t rules;		/* exact size of the rule image */
};

struct session {
	struct snag_header *header;
	struct session_tables *tables;
	void *model, *triggers, *faults, *ring;
	const void *rules;	/* read-only mapping */
	size_t rules_size;
	size_t mapped;		/* bytes of the writable mapping */
	uint64_t dev, ino;	/* the file's, which are nobody else's while it is mapped */
	uint32_t attached_by;	/* the process that attached, in the session's pid namespace; 0: it made the session */
	struct session_sizes sizes;
};

/* The folder of this user's sessions into buf: the first of /dev/shm/snag-UID and /tmp/snag-UID that is there, or that
 * can be made if `make` is set. -ENOENT; -EACCES: not ours, or not a private folder; -ENAMETOOLONG. */
int session_folder(char *buf, size_t size, bool make);

/* Is this a name? 1 to 63 of [A-Za-z0-9._-], not starting with '.' or '-'. */
bool session_name_ok(const char *name);

/* What stands in the header from the moment at which others can find the session. */
struct session_terms {
	uint64_t seed;
	uint32_t mode;		/* enum snag_mode */
	uint32_t flags;		/* enum snag_session_flag */
	uint32_t keeper_pid;
};

/* Make and map the session NAME. The image is copied in; sections start zeroed; room is really allocated, so that no
 * later write can meet a full file system. Appears under its name only when it is whole. Where /dev/shm is missing,
 * full or closed to us, /tmp serves. -EEXIST: it is there already; -EINVAL: no name; -ENOSPC. */
int session_create(struct session *s, const char *name, const struct session_sizes *sizes,
		   const struct session_terms *terms, const void *rules);

/* Map the session NAME and check it: owner, magic, version, features, section places against `sizes` (its `rules` is
 * ignored). -ENOENT, -EACCES, -EPROTO (another version, or damaged), -EXDEV (another pid namespace), -ESHUTDOWN. */
int session_attach(struct session *s, const char *name, const struct session_sizes *sizes);
void session_detach(struct session *s);

/* File space grows with use: a session starts with room for 1024 sockets and 8192 events. Nobody touches a page beyond
 * what the header's ready counts say, so no write ever meets a full file system (SIGBUS).
 * session_grow_socks: twice as many sockets (with their references, model and fault records); called by sock_new and sock_hold
 * when there is no room left; 0, -ENOSPC, or -ENFILE at SNAG_SOCKS. Any number of callers at once.
 * session_grow_ring: the keeper, right after the start: one more MiB; 1 when the whole ring is there; 0, -ENOSPC. */
int session_grow_socks(struct session *s);
int session_grow_ring(struct session *s);

/* Unlink the file, and the symbolic links, sockets and pipes NAME.* that stand beside it, unless the file of this name
 * is another one than that of `s` by now; s NULL: whichever it is. Mappings live on. */
void session_remove(const char *name, const struct session *s);

/* Ends the session for newcomers if no process and no ticket is left (the keeper, after proc_reap): true, it is closed,
 * now or before. Decided under the lock, as joining is, so that nobody joins a session that its keeper has left. */
bool session_close(struct session *s);

/* Session time: nanoseconds of CLOCK_MONOTONIC since the session began. */
uint64_t session_now(const struct session *s);

/* For `snag sessions`: calls back with each name in the folders; it may remove them. Also clears away what creators
 * that were killed left behind. 0 or -errno. */
int session_each(void (*each)(const char *name, void *arg), void *arg);

/* Does somebody want events? */
static inline bool session_tracing(const struct session *s)
{
	return (__atomic_load_n(&s->header->flags, __ATOMIC_RELAXED) & SNAG_SESSION_TRACING) != 0;
}

/* The keeper looks now: it waits on header.keeper_wake and, woken, makes one pass. */
void session_wake_keeper(struct session *s);
/* The keeper, after every pass that found the ring empty and has written what it read: bumps header.drained. */
void session_drained(struct session *s);
/* Wait until all events that stand in the ring now are written. False: timeout_ns passed, or there is no keeper. */
bool session_flush(struct session *s, uint64_t timeout_ns);

#endif
