/* model.h - the shadow model: what a kernel would answer, and why.
 *
 * Pure: no system call, no clock, no allocation; the state is the struct model passed in, time is an argument. Fixed
 * size and 32-bit indices, so it lives on a heap in a test and in shared memory alike; everything read from it is
 * bounds-checked. Socket numbers are slots + 1, the session's. Whoever changes who owns a port holds the session's
 * lock; records of connections are written by their own process without it. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "waits.h"

#include <snag/abi.h>
#include <snag/addr.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <stdbool.h>
#include <stdint.h>

enum model_flag {
	MODEL_EXPLICIT = 1 << 0,	/* bound to a port that the program named: kept until the last close */
	MODEL_COUNTED = 1 << 1,		/* in model.traffic instead of a chain: accepted, on its listener's port */
	MODEL_VAGUE = 1 << 2,		/* `local` is a wildcard; the kernel chose the real one at connect or accept */
	MODEL_EXACT = 1 << 3,		/* connected, and the address that the kernel chose was told: both ends are followed */
	MODEL_DOUBT = 1 << 4,		/* something may have happened to it that nobody saw: it may hold its port or not */
	MODEL_TWIN = 1 << 5,		/* linked behind another record on the port that claims the same */
	MODEL_IN_TUPLES = 1 << 6,	/* linked in the table of 4-tuples */
	MODEL_ADDR = 1 << 7,		/* the program named the local address; a disconnect keeps it */
	MODEL_FREEBIND = 1 << 8,	/* IP_FREEBIND or IP_TRANSPARENT: may take an address that no interface has */
	MODEL_NO_PORT = 1 << 9,		/* IP_BIND_ADDRESS_NO_PORT: bind to port 0 takes the address only */
	MODEL_HARD = 1 << 10,		/* SO_LINGER with 0 seconds: close sends a RST */
	MODEL_SHUT_RD = 1 << 11,	/* shutdown() left this behind; a listener's children inherit it */
	MODEL_SHUT_WR = 1 << 12,
	MODEL_BY_CONNECT = 1 << 13,	/* connect() chose the port: other such sockets may share it */
	MODEL_AWAY = 1 << 15,		/* bound to an address that no interface has, or perhaps none */
	MODEL_MAPPED = 1 << 14,		/* IPv6, and has tried a mapped address: it sends no IPv6 SYN any more */
};

enum model_trait {
	MODEL_DEAF = 1 << 0,		/* IP_MINTTL or IPV6_MINHOPCOUNT above what this machine sends with: it drops all
					 * of that family that comes */
	MODEL_FILTERED = 1 << 1,	/* a program of its own may drop what comes */
	MODEL_NO_TIME_WAIT = 1 << 2,	/* tcp_max_tw_buckets is 0: nothing is left of it when it ends */
	MODEL_NO_FIN_WAIT = 1 << 3,	/* TCP_LINGER2 below 0: it does not wait for the other end's FIN once closed */
	MODEL_DEFERS = 1 << 4,		/* TCP_DEFER_ACCEPT: a request stays half-open until its client sends something */
	MODEL_OVERFLOWN = 1 << 5,	/* listener: has dropped SYNs, which come again: its queue may grow by itself */
	MODEL_BROADCASTS = 1 << 6,	/* SO_BROADCAST */
	MODEL_SENDS_BY = 1 << 7,	/* IP_MULTICAST_IF, IPV6_MULTICAST_IF, IP_UNICAST_IF, IPV6_UNICAST_IF */
};

/* What the kernel's struct socket says (SS_*), apart from the state of the connection: our own calls decide it. */
enum model_phase { MODEL_UNCONNECTED, MODEL_CONNECTING, MODEL_CONNECTED, MODEL_DISCONNECTING, MODEL_ANY_PHASE };

#define MODEL_DEVICE_UNKNOWN 0xffffffffu
#define MODEL_DEVICE_NAME (1u << 31)	/* the device is a hash of its name, not an index */

/* A socket of the session; or a bare one, which no descriptor has: queued at its listener, or closed and not gone yet.
 * Both kinds stand in the same chains. */
struct model_sock {
	uint32_t serial;	/* of the socket it speaks of; else the record is stale */
	uint8_t state;		/* enum snag_state */
	uint8_t proto;		/* enum snag_proto */
	uint8_t role;		/* enum snag_role */
	uint8_t options;	/* enum snag_option bits */
	uint16_t domain;
	uint16_t flags;		/* enum model_flag bits */
	uint8_t type;		/* SOCK_STREAM, SOCK_DGRAM; 0: unknown */
	uint8_t phase;		/* enum model_phase */
	uint8_t pending;	/* errno that waits to be read, as far as we know */
	uint8_t traits;		/* enum model_trait bits */
	uint32_t on_port;	/* linked in this port chain + 1; 0: in none, it can be closed without the lock */
	uint32_t uid;
	int32_t backlog;	/* listener: as asked; the limit of its queues, where the kernel told it */
	uint32_t device;	/* SO_BINDTODEVICE: 0 none; an index; MODEL_DEVICE_NAME | a hash; MODEL_DEVICE_UNKNOWN */
	uint32_t next;		/* the next one on the same port that claims something else */
	uint32_t twin_next, twin_prev;	/* those on the same port that claim the same */
	uint32_t tuple_next;
	uint32_t other;		/* the other end of its connection; 0: not in the session */
	uint32_t list_next, list_prev;	/* bare: in its listener's queue, or by age */
	uint32_t listener;	/* bare: queued at this one */
	uint32_t queue_first, queue_last;	/* listener: both its queues in one list */
	uint16_t queue_len, syn_len;		/* of them in the accept queue; half-open, in the SYN queue */
	uint32_t queue_high;	/* listener: the most that was seen in it, where somebody looked */
	uint16_t fin_timeout_s;	/* its machine's tcp_fin_timeout, and the most hops of what it sends */
	uint8_t ttl;
	uint8_t linger2_s;	/* TCP_LINGER2, in place of tcp_fin_timeout; 0: none */
	uint32_t name;		/* unix: index + 1 of its path */
	uint32_t range;		/* IP_LOCAL_PORT_RANGE: the lowest, and above it the highest << 16; 0: the machine's */
	uint8_t overlooked;	/* bound, and among those whose port connect() chose: port_moved() */
	uint8_t elsewhere;	/* of another network namespace than the session: elsewhere.h */
	uint8_t spare3[2];
	uint64_t since_ns;	/* session time of the last change of state */
	uint64_t until_ns;	/* bare, closed: gone then, or up to record_late_ns() later */
	struct snag_addr local, peer;
};
_Static_assert(sizeof(struct model_sock) == 160, "model_sock stands in shared memory");

/* No timer of the kernel ends later than this. */
#define MODEL_LATE_NS 5500000000ull

#define MODEL_BARES 16384	/* a queue's length has 16 bits */
static inline bool model_is_bare(uint32_t sock) { return sock > SNAG_SOCKS && sock <= SNAG_SOCKS + MODEL_BARES; }

#define MODEL_NAMES 4096
struct model_name {
	uint32_t sock;		/* slot + 1; 0: free */
	uint16_t len;
	char path[SNAG_PATH_MAX];
};

/* A connection that was closed without the session's lock: for counting only. */
#define MODEL_TIME_WAITS 16384
struct model_time_wait {
	uint64_t until_ns;	/* 0: none */
	struct snag_addr local, peer;
	uint8_t options, spare[7];
};

/* TCP connections on a local port that stand in no chain: accepting and closing them takes no lock. */
struct model_traffic {
	uint32_t open;		/* at least as many as there are; a killed process leaves it too high, never too low */
	uint32_t trail;		/* session second << 8 until which a closed one may linger, | options common to those */
	uint32_t last;		/* the last that came, slot + 1: a place to begin when somebody asks who they are */
};

/* What a TCP port remembers of the last SO_REUSEPORT socket that it let in, see bucket.h. */
struct model_bucket {
	uint16_t port, domain;
	uint8_t kind, options, spare[2];
	uint32_t uid;
	struct snag_addr addr;
};

/* A socket on a port that the session never saw. */
#define MODEL_FOREIGNS 128
struct model_foreign {
	uint8_t proto;		/* enum snag_proto; 0: none */
	uint8_t state;		/* enum snag_state */
	uint8_t options;	/* enum snag_option bits that are known to be set */
	uint8_t hidden;		/* enum snag_option bits that nobody tells */
	uint16_t domain;
	uint16_t spare;
	uint32_t uid;
	uint32_t device;	/* interface index; 0: none */
	uint64_t cookie;
	uint32_t inode;		/* 0: no descriptor means it */
	uint32_t spare2;
	struct snag_addr local;
};

#define MODEL_PORTS 65536u
#define MODEL_CHAINS (4 * MODEL_PORTS)	/* tcp, udp (by port), unix (by hash), udplite (by port) */
#define MODEL_VERSIONS 4096
#define MODEL_TUPLES 65536
#define MODEL_BUCKETS 1024
struct model {
	uint32_t port[MODEL_CHAINS];		/* slot + 1 of the first in the chain */
	uint64_t used[MODEL_CHAINS / 64];	/* a bit for each chain that somebody is in: where to look first */
	uint32_t version[MODEL_VERSIONS];	/* bumped with each change of a chain; chains share them */
	struct model_traffic traffic[MODEL_PORTS];
	uint64_t reuseport[MODEL_PORTS / 64];	/* a bit for each TCP port that remembers, see bucket.h */
	uint32_t tuple[MODEL_TUPLES];		/* the first with that hash of its 4-tuple */
	uint32_t high;				/* socket slots used so far: no scan goes further */
	uint32_t names_high;
	uint32_t bare_high, bare_free;		/* bare records used so far; the first of the free ones among them */
	uint32_t age_first, age_last;		/* closed ones, in the order in which they will be gone */
	uint32_t time_wait_next;		/* the ring's next place, ever growing */
	uint32_t spare;
	uint32_t foreign_high, spare2;
	struct model_foreign foreign[MODEL_FOREIGNS];
	struct model_time_wait time_wait[MODEL_TIME_WAITS];
	struct model_bucket bucket[MODEL_BUCKETS];
	struct model_sock bare[MODEL_BARES];
	struct model_waits waits;
	struct model_name name[MODEL_NAMES];
	struct model_sock sock[SNAG_SOCKS];	/* last: its file space is allocated as it grows */
};

/* A prediction of what the real kernel answers. Where it is withheld, err, why and holder are no more than the
 * answer to give if the kernel should refuse so. A call that the model has no view of is withheld with
 * SNAG_UNSURE_NONE. */
struct model_verdict {
	int err;		/* 0 or a positive errno; where it waits, what a timeout of the socket's makes of it */
	uint8_t sure;		/* enum snag_sure */
	uint8_t unsure;		/* enum snag_unsure */
	uint8_t why;		/* enum snag_why, where err is not 0 */
	uint32_t holder;	/* slot + 1; 0: none */
	uint32_t ticket;	/* bind, listen: the version of the port that it speaks of; 0: none */
};

/* What the machine has set, for the caller's network namespace. */
struct model_machine {
	uint16_t port_low, port_high;	/* ip_local_port_range, IP_LOCAL_PORT_RANGE of the socket apart */
	uint16_t unprivileged_port;	/* ip_unprivileged_port_start */
	uint8_t tw_reuse;		/* tcp_tw_reuse: 0, 1, 2 */
	uint32_t tw_reuse_delay_ms;	/* tcp_tw_reuse_delay */
	uint32_t somaxconn;
	uint32_t max_syn_backlog;	/* tcp_max_syn_backlog */
	uint8_t syncookies;		/* tcp_syncookies: 0, 1, 2 */
	uint8_t syn_one_more;		/* Linux 6.14 and later: the SYN queue admits one more than its limit */
	uint32_t fin_timeout_ms;	/* tcp_fin_timeout */
	uint8_t nonlocal_bind;		/* ip_nonlocal_bind, for IPv4 and mapped addresses */
	uint8_t nonlocal_bind6;		/* net.ipv6.ip_nonlocal_bind, for the others */
	uint8_t bindv6only;
	uint8_t autobind_reuse;		/* ip_autobind_reuse */
	uint8_t timestamps;		/* tcp_timestamps */
	uint8_t no_time_wait;		/* tcp_max_tw_buckets is 0 */
	const uint8_t *reserved;	/* ip_local_reserved_ports, a bit for each of MODEL_PORTS; NULL: none */
	uint8_t ttl;			/* ip_default_ttl, or hop_limit of IPv6 if that is more */
};

/* `machine` may be NULL: nothing is known of it; what depends on it is then withheld. */
void model_predict(const struct model *m, const struct model_machine *machine, const struct snag_call *c,
		   uint64_t now_ns, struct model_verdict *v);
/* Has another change of the same port come between the prediction and now? Ask before learning. */
bool model_raced(const struct model *m, const struct snag_call *c, uint32_t ticket);
/* What really happened: the real call's answer counts, not an injected one. An outcome that is UNSEEN teaches nothing.
 * `machine` may be NULL: a new socket is then taken to be one of a machine with Linux's defaults.
 * A call of the groups close and fclose with outcome.last set forgets call.sock; sockets that end otherwise (the target
 * of dup2, each of a range) are told by model_forget. */
void model_learn(struct model *m, const struct model_machine *machine, const struct snag_call *c,
		 const struct snag_outcome *o, uint64_t now_ns);

/* A socket that the session meets without having seen it made (inherited, passed, or made before): what the kernel says
 * of it. Under the lock. */
struct model_facts {
	const struct model_machine *machine;	/* NULL: as for model_learn() */
	uint8_t proto, state, options, role;
	uint16_t domain;
	uint8_t type;		/* SOCK_STREAM, SOCK_DGRAM; 0: unknown */
	uint32_t uid;
	int32_t backlog;
	bool defers;		/* TCP_DEFER_ACCEPT */
	bool elsewhere;		/* of another network namespace than the session */
	struct snag_addr local, peer;
	uint16_t path_len;
	char path[SNAG_PATH_MAX];
};
void model_adopt(struct model *m, uint32_t sock, uint32_t serial, const struct model_facts *f, uint64_t now_ns);
/* The last reference is gone. Under the lock where on_port is set; harmless when repeated. */
void model_forget(struct model *m, uint32_t sock, uint64_t now_ns);

/* Who is in the way of `addr`, were it bound now by `sock`? For `why` when the kernel refused; under the lock. 0:
 * nobody that the model knows. It may be a bare record: model_is_bare(). */
uint32_t model_holder(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint8_t proto,
		      uint64_t now_ns);
/* Nobody holds it; may what is left of a closed connection of the session be in the way of TCP `addr`? *options: what it
 * had, enum snag_option bits. */
bool model_remains(const struct model *m, uint32_t sock, const struct snag_addr *addr, uint64_t now_ns,
		   uint8_t *options);
/* The record of exactly this socket, in place: what stands in it may be anything. NULL: nothing known. */
const struct model_sock *model_peek(const struct model *m, uint32_t sock, uint32_t serial);
/* A checked copy; false: nothing known. */
bool model_get(const struct model *m, uint32_t sock, struct model_sock *out);
/* What the kernel's own state of a TCP socket (tcpi_state) is in our words, for a record that may say otherwise. */
uint8_t model_state_of(uint8_t tcp_state, const struct model_sock *r);
/* The path that a unix socket is bound to, len bytes; NULL: none known. */
const char *model_path(const struct model *m, uint32_t sock, uint16_t *len);
/* What is left of closed connections on the port of `local`; known where closing calls carry SNAG_FACT_TCP_STATE. */
unsigned model_time_waits(const struct model *m, const struct snag_addr *local, uint64_t now_ns);

/* Foreign sockets on a port, as the kernel lists them: forget those known, enter one (or leave it at one that claims the same; false: no room), the one behind a
 * holder's number (false: no foreign one), how many are known. Under the lock. */
void model_foreign_clear(struct model *m, uint8_t proto, uint16_t port);
bool model_foreign_add(struct model *m, const struct model_foreign *f);
bool model_foreign_get(const struct model *m, uint32_t sock, struct model_foreign *out);
unsigned model_foreign_count(const struct model *m, uint8_t proto, uint16_t port);

/* The kernel's own word, where a front end has asked it for the sockets on a port; under the lock. On a socket of the
 * session, and on whose it is; on one that no descriptor has, by its addresses (left_ms until it ends, 0: not told; false: the model knows
 * no such one); and when all were told: those that it believes to be left on the port and that are not listed are gone. */
typedef bool model_listed_fn(void *arg, const struct snag_addr *local, const struct snag_addr *peer);
void model_told(struct model *m, uint32_t sock, uint8_t tcp_state, uint64_t now_ns);
void model_told_owner(struct model *m, uint32_t sock, uint32_t serial, uint32_t uid);
bool model_told_bare(struct model *m, const struct snag_addr *local, const struct snag_addr *peer, uint8_t tcp_state,
		     uint32_t left_ms, uint64_t now_ns);
void model_told_all(struct model *m, uint16_t port, model_listed_fn *listed, void *arg);

/* Rebuild the port table from the socket records, after an owner died inside the lock: `alive` tells which sockets
 * still are. Returns what it mended. */
unsigned model_check(struct model *m, bool (*alive)(void *arg, uint32_t sock, uint32_t serial), void *arg);

#endif
