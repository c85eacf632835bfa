/* who.c - a process of the session as the caller of a call. */
#include <session/proc.h>
#include <session/sock.h>
#include <string.h>

static void copy_base_name(char *to, size_t size, const char *path, size_t max)
{
	size_t len = strnlen(path, max), from = len;

	while (from > 0 && path[from - 1] != '/')
		from--;
	len = len - from < size - 1 ? len - from : size - 1;
	memcpy(to, path + from, len);
	to[len] = 0;
}

void proc_who(const struct proc *p, uint32_t proc, struct snag_who *who)
{
	memset(who, 0, sizeof(*who));
	who->proc = proc;
	who->pid = p->pid;
	who->uid = p->uid;
	who->proc_key = p->key;
	who->proc_serial = p->serial;
	memcpy(who->comm, p->comm, sizeof(who->comm));
	who->comm[sizeof(who->comm) - 1] = 0;
	copy_base_name(who->exe, sizeof(who->exe), p->exe, sizeof(p->exe));
}

void proc_closing(const struct session *s, uint32_t proc, uint32_t sock, struct snag_call *c)
{
	struct proc p;
	struct sock k;

	memset(c, 0, sizeof(*c));
	c->call = SNAG_CALL_close;
	c->fd = -1;
	c->sock = sock;
	if (proc_get(s, proc, &p))
		proc_who(&p, proc, &c->who);
	if (sock_get(s, sock, &k))
		c->sock_key = k.key;
}
