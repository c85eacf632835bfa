/* init.c - the start and the end of a watched process */
#include "env.h"
#include "fdtab.h"
#include "outside.h"
#include "identity.h"
#include "netns.h"
#include "ready.h"
#include "real.h"
#include "self.h"
#include "start.h"
#include "stream.h"
#include <base/sys.h>
#include <errno.h>
#include <model/foreign.h>
#include <string.h>
#include <sys/auxv.h>

/* Who holds a socket, for the reason under a refusal. */
static bool holder(void *arg, uint32_t sock, uint32_t serial, struct engine_holder *out)
{
	struct proc p;
	unsigned others;
	int fd = -1;
	(void)arg;
	if (foreign_is(sock))
		return outside_owner(out);
	if (!sock_is(&session, (struct sock_ref){ .sock = sock, .serial = serial }))
		return false;
	if (!proc_get(&session, sock_holder(&session, sock, &fd, &others), &p) || !proc_alive(&p))
		return false;
	size_t len = strnlen(p.exe, sizeof(p.exe)), cut = len < sizeof(out->exe) ? 0 : len - sizeof(out->exe) + 1;
	memset(out, 0, sizeof(*out));
	out->pid = p.pid;
	out->fd = fd;
	out->others = others < UINT8_MAX ? (uint8_t)others : UINT8_MAX;
	memcpy(out->comm, p.comm, sizeof(out->comm));
	out->comm[sizeof(out->comm) - 1] = 0;
	memcpy(out->exe, p.exe + cut, len - cut);
	return true;
}

static bool asks_user(const struct rules *r)
{
	for (uint32_t i = 0; i < r->match.n; i++)
		if (rules_match(r, i)->key == RULE_KEY_USER)
			return true;
	return false;
}

static bool set_up_engine(void)
{
	const struct rules *rules = session.rules;
	if (rules_check(session.rules, session.rules_size))
		return false;
	engine.model = session.model;
	engine.rules = rules;
	engine.triggers = session.triggers;
	engine.mode = (uint8_t)session.header->mode;
	engine.dry = (load_relaxed(&session.header->flags) & SNAG_SESSION_DRY) != 0;
	engine.audit = (load_relaxed(&session.header->flags) & SNAG_SESSION_AUDIT) != 0;
	engine.holder = holder;
	self_asks_user = asks_user(rules);
	stream_set_up();
	if (engine.mode == SNAG_MODE_INJECT && !engine.dry)
		ready_start(rules);
	if (engine_kernel(&engine))
		ready_start_kernel(engine_kernel(&engine));
	return true;
}

static void join(void)
{
	const char *name;
	if (!start_session(&name))
		return;
	if (session.header->mode == SNAG_MODE_DISABLED || !set_up_engine() || fdtab_make() < 0) {
		session_detach(&session);
		return;
	}
	if (*start_library()) {
		env_keep(start_library(), start_library_given(), name);
		env_repair_own();
	}
	if (self_start() < 0)
		return;
	netns_start();
	identity_inherit();
}

__attribute__((constructor)) static void start(void)
{
	int saved = errno;
	real_find();
	if (!getauxval(AT_SECURE))	/* a set-uid program takes no orders from its caller's environment */
		join();
	errno = saved;
}

__attribute__((destructor)) static void end(void)
{
	self_end();
}
