/* session.h - one shared session: the file, mapped by every process of it. Found by name in a folder of the user's
 * own (/dev/shm/snag-UID, else /tmp/snag-UID; 0700; owner and type checked, no symlink followed). After attach no
 * descriptor stays open. Knows the sizes of what it holds, not the meaning. Results: 0 or -errno. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <snag/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_tables;		/* proc.h, sock.h */

struct session {
	struct snag_header *header;
	struct session_tables *tables;
	void *model, *triggers, *ring;
	const void *rules;	/* read-only mapping */
	size_t rules_size;
	size_t mapped;		/* bytes of the writable mapping */
};

/* Sizes of the sections whose meaning lies elsewhere. */
struct session_sizes {
	size_t model_fixed, model_per_sock;	/* the model is its fixed part, then one record for each socket slot */
	size_t triggers;
	size_t ring_fixed, ring_per_slot;
	size_t rules;		/* exact size of the rule image */
};

/* The folder of this user's sessions into buf, made if `make` is set. -EACCES: not ours, or not a private folder. */
int session_folder(char *buf, size_t size, bool make);

/* Is this a name? 1 to 63 of [A-Za-z0-9._-], not starting with '.' or '-'. */
bool session_name_ok(const char *name);

/* Make and map the session NAME. The image is copied in; sections start zeroed; room is really allocated, so that no
 * later write can meet a full file system, except what session_grow allocates. -EEXIST: it is there already; -ENOSPC. */
int session_create(struct session *s, const char *name, const struct session_sizes *sizes, const void *rules);

/* Map the session NAME and check it: owner, magic, version, features, section places against `sizes` (its `rules` is
 * ignored). -ENOENT, -EACCES, -EPROTO (another version, or damaged), -EXDEV (another pid namespace), -ESHUTDOWN. */
int session_attach(struct session *s, const char *name, const struct session_sizes *sizes);
void session_detach(struct session *s);

/* File space grows with use: a session starts with room for 1024 sockets and 8192 events. Nobody touches a page beyond
 * what the header's ready counts say, so no write ever meets a full file system (SIGBUS).
 * session_grow_socks: at least twice as many sockets (with their references and model records); opens the file for a
 * moment; called by sock_new and sock_hold when there is no room left; -ENOSPC, or -ENFILE at SNAG_SOCKS.
 * session_grow_ring: the keeper, right after the start: one more MiB; 1 when the whole ring is there. */
int session_grow_socks(struct session *s);
int session_grow_ring(struct session *s);

/* Unlink the file (and what stands beside it, NAME.*). Mappings live on. */
void session_remove(const char *name);

/* Session time: nanoseconds of CLOCK_MONOTONIC since the session began. */
uint64_t session_now(const struct session *s);

/* For `snag sessions`: calls back with each name in the folder. */
int session_each(void (*each)(const char *name, void *arg), void *arg);

#endif
