/* keeper.c - the keeper of a session.
 *
 * A look at the ring is: events -> records -> sink, one write for all of them; then `drained` is bumped, so that whoever
 * waits for its last event goes on. Between looks the keeper sleeps on the futex `keeper_wake`, 5 ms while events flow
 * and up to 100 ms when nothing happens. The dead are noticed by their pidfds, and by a look at every slot
 * once a second. */
#include "keeper.h"

#include "find.h"
#include "signals.h"
#include "stalls.h"

#include <base/base.h>
#include <base/names.h>
#include <base/sys.h>
#include <effects/state.h>
#include <engine/engine.h>
#include <errno.h>
#include <layout/sizes.h>
#include <linux/futex.h>
#include <model/model.h>
#include <policy/rules.h>
#include <policy/trigger.h>
#include <session/proc.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <trace/ring.h>
#include <unistd.h>

#define BUSY_MS 5
#define IDLE_MS 100
#define SCAN_NS (50 * NSEC_PER_MSEC)
#define ALERT_NS (50 * NSEC_PER_MSEC)
#define REAP_NS NSEC_PER_SEC
#define STEP_EVENTS 65536	/* looked at in one step, so that other duties are not forgotten in a storm */

static void put(struct keeper *k, struct record *r)
{
	r->seq = k->seq++;
	sink_put(&k->sink, r);
	if (k->summary)
		summary_count(k->summary, r);
}

static void session_record(const struct keeper *k, const char *what, struct record *r)
{
	record_clear(r);
	r->t = 0;
	r->pid = getpid();
	r->call = text_of("session");
	r->what = text_of(what);
	r->name = text_of(k->name);
}

static void put_start(struct keeper *k, const struct record_texts *sources)
{
	struct utsname machine;
	struct record r;
	char start[32];
	time_t real = (time_t)k->session.header->start_real_s;
	struct tm tm;

	session_record(k, "start", &r);
	r.version = text_of(SNAG_VERSION);
	r.mode = text_of(mode_name(k->rules->mode));
	r.seed = (int64_t)k->rules->seed;
	r.policy = *sources;
	if (uname(&machine) == 0)
		r.kernel = text_of(machine.release);
	r.clock = k->rules->kernel.clock ? k->rules->kernel.clock : 1;
	if (gmtime_r(&real, &tm) && strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%SZ", &tm))
		r.start = text_of(start);
	put(k, &r);
}

static void put_lost(struct keeper *k, const char *what, uint64_t count)
{
	struct record r;

	record_clear(&r);
	r.t = (int64_t)session_now(&k->session);
	r.pid = getpid();
	r.call = text_of("lost");
	r.what = text_of(what);
	r.count = (int64_t)(count & INT64_MAX);
	put(k, &r);
	if (k->audit)
		k->audit->lost += count;
}

/* A process says its end, or wants its last event written, right before it leaves its slot. */
static void be_alert(struct keeper *k)
{
	k->alert_ns = session_now(&k->session) + ALERT_NS;
}

/* ---- occupied ports ---- */

static void tell_occupant(void *arg, const struct occupant *o, const char *what, uint64_t now_ns)
{
	struct keeper *k = arg;
	struct fault_table *faults = k->session.faults;
	struct occupant_post post;
	struct record r;

	posted_set(&faults->posted, (unsigned)(o - k->occupants.row), occupant_post(o, &post) ? &post : NULL);
	event_occupy_record(&k->reader, o, what, now_ns, &r);
	put(k, &r);
}

static void step_occupants(struct keeper *k)
{
	occupants_step(&k->occupants, session_now(&k->session), tell_occupant, k);
}

int keeper_occupy(struct keeper *k)
{
	bool dry = load_relaxed(&k->session.header->flags) & SNAG_SESSION_DRY;
	int status = dry ? 0 : occupants_open(&k->occupants, k->rules, k->name);

	if (status)
		occupants_close(&k->occupants);
	else
		occupants_each(&k->occupants, 0, false, tell_occupant, k);
	return status;
}

/* Milliseconds until something is due, at most as many. */
static unsigned due_ms(const struct keeper *k, unsigned most)
{
	uint64_t due = occupants_due(&k->occupants), now = session_now(&k->session);
	uint64_t ms = due <= now ? 0 : (due - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;

	return ms < most ? (unsigned)ms : most;
}

/* ---- events ---- */

static void put_event(struct keeper *k, const union snag_event *ev, unsigned n)
{
	struct record r, end;
	struct procs_row replaced = { 0 };

	if (ev->head.kind == SNAG_EVENT_PROCESS) {
		procs_note(&k->procs, &ev->process, &replaced);
		if (ev->process.what == SNAG_PROCESS_END)
			be_alert(k);
	}
	if (replaced.pid) {
		event_end_record(&replaced, session_now(&k->session), &end);
		put(k, &end);
	}
	if (ev->head.kind == SNAG_EVENT_CALL && ev->call.err == EADDRINUSE)
		step_occupants(k);	/* whose port it was may stand in an order that was given right before */
	if (!event_record(&k->reader, ev, n, &r)) {
		put_lost(k, "events", 1);
		return;
	}
	put(k, &r);
	if (k->audit && ev->head.kind == SNAG_EVENT_CALL)
		audit_count(k->audit, &ev->call, &r);
}

/* True: the ring is empty now. */
static bool drain_some(struct keeper *k, unsigned *events)
{
	union snag_event ev[SNAG_EVENT_MAX];
	unsigned n;

	for (*events = 0; *events < STEP_EVENTS; ++*events) {
		switch (ring_get(k->session.ring, ev, &n, procs_pid_runs, session_now(&k->session))) {
		case RING_EVENT:
			put_event(k, ev, n);
			break;
		case RING_LOST:
			put_lost(k, "events", n);
			k->seq += n ? n - 1 : 0;	/* the record stands for the first of them */
			break;
		case RING_WAIT:
			return false;
		case RING_EMPTY:
			return true;
		}
	}
	return false;
}

/* What went unrecorded elsewhere than in the ring. */
static void tell_lost(struct keeper *k)
{
	uint32_t lost = load_relaxed(&k->session.header->lost);

	if (lost != k->lost_told)
		put_lost(k, "bookkeeping", lost - k->lost_told);
	k->lost_told = lost;
}

static bool look(struct keeper *k, unsigned *events)
{
	uint32_t woken = load_acquire(&k->session.header->keeper_wake);

	if (woken != k->woken)
		be_alert(k);
	k->woken = woken;
	bool empty = drain_some(k, events);
	tell_lost(k);
	sink_flush(&k->sink);
	if (k->sink.fd < 0 && !k->summary && !k->audit)
		__atomic_and_fetch(&k->session.header->flags, ~(uint32_t)SNAG_SESSION_TRACING, __ATOMIC_ACQ_REL);
	if (empty)
		session_drained(&k->session);
	return empty;
}

void keeper_drain(struct keeper *k)
{
	unsigned events;

	while (!look(k, &events))
		if (!events)	/* a writer is in the middle of an event; ring_get bounds how long it is waited for */
			usleep(500);
}

/* A process has ended, and this was its socket. */
static void closed(void *arg, uint32_t proc, uint32_t sock)
{
	struct keeper *k = arg;
	struct engine e = {
		.model = k->session.model,
		.rules = k->rules,
		.triggers = k->session.triggers,
		.mode = (uint8_t)k->rules->mode,
		.dry = (load_relaxed(&k->session.header->flags) & SNAG_SESSION_DRY) != 0,
	};
	struct snag_occupant_order left;
	struct snag_call c;

	proc_closing(&k->session, proc, sock, &c);
	c.start_ns = session_now(&k->session);
	if (engine_ended(&e, &c, &left))
		occupants_order(&k->occupants, &left);
	engine_forget(&e, sock, c.start_ns);
}

static void gone(void *arg, uint32_t proc, struct procs_row *row)
{
	struct keeper *k = arg;
	struct record end;

	(void)proc;
	event_end_record(row, session_now(&k->session), &end);
	put(k, &end);
}

/* Whoever ended by itself has said so in the ring before its slot was free: the ring is read between the look at the
 * slots and the verdict, else its end would be told twice. */
static void scan(struct keeper *k)
{
	procs_scan(&k->procs, &k->session, gone, k);
	k->scanned_ns = session_now(&k->session);
}

unsigned keeper_reap(struct keeper *k)
{
	k->left = proc_reap(&k->session, closed, k);
	step_occupants(k);
	if (k->stalls)
		stalls_step(&k->session);
	k->reaped_ns = session_now(&k->session);
	keeper_drain(k);
	scan(k);
	sink_flush(&k->sink);
	return k->left;
}

bool keeper_step(struct keeper *k)
{
	unsigned events;

	step_occupants(k);
	bool empty = look(k, &events);
	uint64_t now = session_now(&k->session);
	bool alert = now < k->alert_ns;

	if (!k->ring_whole)
		k->ring_whole = session_grow_ring(&k->session) != 0;	/* 1: whole; an error: it stays as it is */
	if (procs_died(&k->procs) || now - k->reaped_ns >= REAP_NS)
		keeper_reap(k);
	else if (empty && (alert || now - k->scanned_ns >= SCAN_NS))
		scan(k);
	if (events || alert)
		k->idle_ms = BUSY_MS;
	else if (k->idle_ms < IDLE_MS)
		k->idle_ms *= 2;
	return !empty || !k->ring_whole;
}

void keeper_wait(struct keeper *k)
{
	struct timespec most = sys_timespec(due_ms(k, k->idle_ms) * NSEC_PER_MSEC);

	sys_futex(&k->session.header->keeper_wake, FUTEX_WAIT, k->woken, &most);
}

void keeper_free(struct keeper *k)
{
	signals_wake(NULL);
	sink_close(&k->sink);
	occupants_close(&k->occupants);
	procs_close(&k->procs);
	event_reader_free(&k->reader);
	session_detach(&k->session);
}

int keeper_create(struct keeper *k, const char *name, const struct compiled *policy, const struct record_texts *sources,
		  unsigned flags)
{
	const struct rules *rules = policy->image;
	struct session_sizes sizes = layout_sizes(policy->size);
	struct session_terms terms = { .seed = rules->seed, .mode = rules->mode, .flags = flags,
				       .keeper_pid = (uint32_t)getpid() };
	int err = procs_open(&k->procs);

	k->occupants = OCCUPANTS_NONE;
	if (k->sink.fd >= 0 || k->summary || k->audit)
		terms.flags |= SNAG_SESSION_TRACING;
	else
		k->ring_whole = true;	/* as far as anybody needs it */
	find_sweep();
	if (!err)
		err = session_create(&k->session, name, &sizes, &terms, policy->image);
	if (err) {
			procs_close(&k->procs);
		return err;
	}
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->rules = rules;
	k->stalls = stalls_possible(rules);
	k->idle_ms = BUSY_MS;
	k->seq = 1;
	k->reader = (struct event_reader){ .session = &k->session, .rules = k->rules, .procs = &k->procs,
					 .occupants = &k->occupants };
	signals_wake(&k->session.header->keeper_wake);
	sink_begin(&k->sink);
	put_start(k, sources);
	return 0;
}

bool keeper_end(struct keeper *k)
{
	struct record end;

	if (!session_close(&k->session))
		return false;
	keeper_drain(k);
	scan(k);
	step_occupants(k);
	occupants_each(&k->occupants, session_now(&k->session), true, tell_occupant, k);
	session_record(k, "end", &end);
	end.t = (int64_t)session_now(&k->session);
	put(k, &end);
	session_remove(k->name, &k->session);
	keeper_free(k);
	return true;
}
