/* standing.c - the ports that the keepers of live sessions keep taken, read from outside. */
#include "standing.h"

#include "find.h"

#include <base/base.h>
#include <effects/state.h>
#include <snag/state.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool describe(struct standing *st, const struct session *s, const struct rules *rules, unsigned row)
{
	const struct fault_table *faults = s->faults;
	struct occupant_post p;

	st->now_ns = session_now(s);
	if (!posted_get(&faults->posted, row, &p))
		return false;
	st->occupant = (struct occupant){
		.fd = p.fd,
		.as = p.as,
		.proto = p.proto,
		.options = p.options,
		.rule = p.rule,
		.entry = p.entry,
		.begin_ns = p.begin_ns,
		.until_ns = p.until_ns,
		.addr = p.addr,
	};
	st->name.n = st->place.n = 0;
	occupant_name(&st->name, &st->occupant, rules);
	occupant_place(&st->place, &st->occupant, rules);
	return true;
}

void standing_each(const struct session *s, standing_fn *each, void *arg)
{
	const struct rules *rules = s->rules;
	struct standing st = { .keeper = load_acquire(&s->header->keeper_pid) };
	bool more = find_keeper_runs(st.keeper) && s->rules && !rules_check(rules, s->rules_size);

	memcpy(st.session, s->header->name, sizeof(st.session) - 1);
	for (unsigned row = 0; more && row < OCCUPANTS; row++)
		if (describe(&st, s, rules, row))
			more = each(arg, &st);
	standing_free(&st);
}

/* ---- which of them is this socket? ---- */

struct search {
	uint8_t proto;
	const struct holder *holder;
	struct standing *found;
	bool done;
};

static bool same_network(uint32_t pid)
{
	char path[32];
	struct stat ours, theirs;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	return stat("/proc/self/ns/net", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino;
}

/* The keeper's socket; or what is left of a connection, which is nobody's, where it keeps the other end. */
static bool is_it(void *arg, struct standing *st)
{
	struct search *search = arg;
	const struct occupant *o = &st->occupant;
	const struct diag_sock *d = &search->holder->sock;
	const struct owner *owner = &search->holder->owner;
	bool here = o->proto == search->proto && o->addr.port == d->local.port;

	if (d->inode)
		here = here && owner->pid == st->keeper && owner->fd == o->fd;
	else
		here = here && o->as == SNAG_OCCUPANT_TIME_WAIT && addr_equal_ip(&o->addr, &d->local) &&
		       same_network(st->keeper);
	if (here) {
		*search->found = *st;
		st->name = st->place = (struct buf){ 0 };
		search->done = true;
	}
	return !here;
}

static void look_into(const char *name, void *arg)
{
	struct search *search = arg;
	struct session s;

	if (search->done || find_session(&s, name) != 0)
		return;
	standing_each(&s, is_it, search);
	session_detach(&s);
}

bool standing_find(uint8_t proto, const struct holder *h, struct standing *st)
{
	struct search search = { .proto = proto, .holder = h, .found = st };

	session_each(look_into, &search);
	return search.done;
}

void standing_free(struct standing *st)
{
	buf_free(&st->name);
	buf_free(&st->place);
}

void standing_record(const struct standing *st, struct record_holder *r)
{
	const struct occupant *o = &st->occupant;

	r->pid = st->keeper;
	r->comm = text_of("snag");
	r->uid = r->inode = RECORD_NONE;
	r->session = text_of(st->session);
	occupant_holder(o, (struct text){ st->name.p, st->name.n }, (struct text){ st->place.p, st->place.n }, r);
}
