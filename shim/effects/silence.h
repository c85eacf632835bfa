/* silence.h - a TCP connection that stays open while segments get lost: the kernel itself drops them, so poll, epoll,
 * the peer and every copy of the descriptor agree. All unprivileged but where it says so. 0 or -errno. */
#ifndef EFFECTS_SILENCE_H
#define EFFECTS_SILENCE_H

#include <sys/socket.h>

/* Nothing that arrives is taken: no data, no FIN, no RST, no acknowledgement; but of a peer that sends with the highest
 * TTL. Answers what the socket had set itself, for silence_hear, which ends it: IP_MINTTL | IPV6_MINHOPCOUNT << 8. */
int silence_deafen(int fd);
void silence_hear(int fd, int least);

/* As if the peer would write no more (unix streams too): what is queued is thrown away, reading gives 0 for good. What
 * we write still reaches it; what it writes is never acknowledged (a socket filter sees to that, in the place of one that
 * the program may have set; where filters are a privilege it is), or on a unix socket fails with EPIPE. */
int silence_end(int fd);
/* After silence_end: throws away what came all the same, where filters are a privilege. */
void silence_empty(int fd);

enum silence_way {
	SILENCE_ROUTE = 1,	/* a source route, which every host that is no router drops: only what we send is lost */
	SILENCE_SIGNED,		/* TCP MD5 signatures that the peer knows nothing of: both directions are lost */
};

/* Nothing that is sent arrives. IPv4 takes SILENCE_ROUTE with CAP_NET_RAW only, else SILENCE_SIGNED. What was done
 * stands in *m, for silence_speak, which also works when the socket is no longer connected. */
struct silence_mute {
	struct sockaddr_storage peer;
	int way;		/* enum silence_way; 0: none */
};
int silence_mute(int fd, struct silence_mute *m);
void silence_speak(int fd, const struct silence_mute *m);

#endif
