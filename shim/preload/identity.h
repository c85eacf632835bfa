/* identity.h - which socket a descriptor really is: the kernel's cookie, asked where there is doubt. */
#ifndef PRELOAD_IDENTITY_H
#define PRELOAD_IDENTITY_H

#include <session/sock.h>
#include <stdbool.h>
#include <stdint.h>

/* enum snag_proto of what socket() was asked for. */
uint8_t identity_proto(int domain, int type, int protocol);

/* SO_COOKIE; 0: no socket. */
uint64_t identity_cookie(int fd);

/* Is this descriptor still the socket that it was? Publishes its cookie. */
bool identity_holds(int fd, struct sock_ref r);
/* A descriptor of the socket, fd if it is one still; -1: this process has none any more. */
int identity_descriptor(int fd, struct sock_ref r);

/* A descriptor whose socket is not known here: find it in the session by its cookie, or enter it with what the kernel
 * says of it. {0,0}: no socket, or no room. */
struct sock_ref identity_adopt(int fd);

/* Write down the cookie of one or all known sockets, so that another process or program image finds them. A vfork child
 * (`borrowed`) may have moved the descriptors that its parent's table speaks of: it compares them with its parent's. */
void identity_publish(int fd, struct sock_ref r);
void identity_publish_all(bool borrowed);

/* A new program image: look through the open descriptors, adopt the sockets among them, and drop the references to
 * those that are gone. */
void identity_inherit(void);

#endif
