/* run.c - `snag run`: a command in a session, with its keeper in the foreground. */
#include "run.h"

#include "cmd.h"
#include "family.h"
#include "find.h"
#include "keeper.h"
#include "launch.h"
#include "place.h"
#include "program.h"
#include "signals.h"

#include <base/base.h>
#include <base/sys.h>
#include <errno.h>
#include <linux/futex.h>
#include <policy/trigger.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_NS (2 * NSEC_PER_SEC)	/* from SIGTERM to SIGKILL, and from there to giving up */
#define FLUSH_NS NSEC_PER_SEC

/* The command while it runs, and the clock of --timeout. */
struct watch {
	pid_t pid;
	int status;		/* exit status, once `ended` */
	bool ended;
	unsigned stage;		/* 0; 1: SIGTERM is sent; 2: SIGKILL is; 3: given up */
	uint64_t next_ns;	/* when the next stage begins; 0: never */
};

static uint64_t now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

static void watch_begin(struct watch *w, pid_t pid, uint64_t timeout_ns)
{
	*w = (struct watch){ .pid = pid, .next_ns = timeout_ns ? now_ns() + timeout_ns : 0 };
	signals_command(pid);
}

static bool watch_ended(struct watch *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != w->pid)	/* an orphan of it, see family_keep */
			continue;
		w->ended = true;
		w->status = launch_status(status);
		signals_command(0);
	}
	return w->ended;
}

struct blow {
	pid_t command;
	int sig;
};

static void hit(void *arg, uint32_t pid)
{
	const struct blow *b = arg;

	if (pid <= INT32_MAX && (pid_t)pid != b->command && pid > 1) {
		kill((pid_t)pid, b->sig);
		if (b->sig == SIGTERM)
			kill((pid_t)pid, SIGCONT);	/* a stopped one must hear it */
	}
}

/* The next stage of --timeout, if it is time. s: hit all processes of it; NULL: the command and what descends from it. */
static void watch_clock(struct watch *w, const struct session *s)
{
	if (!w->next_ns || now_ns() < w->next_ns)
		return;
	struct blow b = { .command = w->ended ? 0 : w->pid, .sig = w->stage == 0 ? SIGTERM : SIGKILL };
	w->next_ns = ++w->stage < 3 ? now_ns() + GRACE_NS : 0;
	if (w->stage > 2)
		return;
	if (b.command) {
		kill(b.command, b.sig);
		kill(b.command, SIGCONT);
	}
	if (s)
		procs_count(s, hit, &b);
	else
		family_count(hit, &b);
}

static int watch_status(const struct watch *w)
{
	return w->stage ? CMD_TIMEOUT : w->status;
}

/* ---- a session of our own ---- */

static struct record_texts policy_sources(const struct compile_input *p)
{
	struct record_texts l = { .n = 0 };

	for (size_t i = 0; i < p->n_files && l.n < RECORD_TEXTS; i++)
		l.item[l.n++] = text_of(p->files[i]);
	for (size_t i = 0; i < p->n_rules && l.n < RECORD_TEXTS; i++)
		l.item[l.n++] = text_of(p->rules[i]);
	return l;
}

/* Leaves a keeper to those who live on. */
static void leave_keeper(struct keeper *k)
{
	bool outlives = sink_outlives(&k->sink);

	fflush(NULL);
	__atomic_and_fetch(&k->session.header->flags, ~(uint32_t)SNAG_SESSION_FOREGROUND, __ATOMIC_ACQ_REL);
	pid_t pid = fork();
	if (pid == 0) {
		k->summary = NULL;
		k->audit = NULL;
		if (!outlives)
			sink_close(&k->sink);
		keeper_detach(k);
		keeper_run(k, 0);
		_exit(0);
	}
	if (pid > 0)
		store_release(&k->session.header->keeper_pid, (uint32_t)pid);
	else
		fprintf(stderr, "snag: no process to go on as keeper (%s): the trace ends here\n", strerror(errno));
	keeper_free(k);
}

/* Until the command has ended; with --timeout, until all have. */
static int watch_and_keep(struct keeper *k, pid_t pid, uint64_t timeout_ns)
{
	struct watch w;

	watch_begin(&w, pid, timeout_ns);
	for (;;) {
		bool more = keeper_step(k);
		if (watch_ended(&w) && (w.stage == 0 || w.stage > 2 || keeper_reap(k) == 0))
			break;
		watch_clock(&w, &k->session);
		if (!more)
			keeper_wait(k);
	}
	return watch_status(&w);
}

static int run_launched(const struct run *r, struct keeper *k, const struct program *program)
{
	struct launch l = { .program = program, .argv = r->argv, .session = k->name };
	int status = launch_library(&l);

	if (status == 0) {
		pid_t pid = launch_start(&l);
		status = pid < 0 ? -pid : watch_and_keep(k, pid, r->timeout_ns);
	}
	if (keeper_reap(k) > 0 || !keeper_end(k))
		leave_keeper(k);
	return status;
}

static void random_name(char name[SNAG_SESSION_NAME_MAX])
{
	uint32_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = (uint32_t)now_ns();
	snprintf(name, SNAG_SESSION_NAME_MAX, "s-%d-%u", (int)getpid(), r);
}

/* 0, -EEXIST, or another -errno; with one line on stderr except for -EEXIST. */
static int make_session(const struct run *r, const struct compiled *policy, struct keeper *k)
{
	struct record_texts sources = policy_sources(&r->policy);
	unsigned flags = SNAG_SESSION_FOREGROUND | (r->dry ? SNAG_SESSION_DRY : 0) | (r->audit ? SNAG_SESSION_AUDIT : 0);
	char name[SNAG_SESSION_NAME_MAX];
	int err;

	random_name(name);
	err = keeper_create(k, r->session ? r->session : name, policy, &sources, flags);
	if (err && err != -EEXIST)
		find_complain(r->session ? r->session : name, err);
	if (err == 0 && keeper_occupy(k) < 0) {
		if (!keeper_end(k))
			leave_keeper(k);
		err = -EADDRINUSE;
	}
	return err;
}

static bool draws(const struct rules *r)
{
	for (uint32_t i = 0; i < r->rule.n; i++)
		if (trigger_draws(r, rules_rule(r, i)))
			return true;
	return false;
}

/* -EEXIST: the named session has come into being meanwhile. Else an exit status. */
static int run_new(const struct run *r, const struct compiled *policy, const struct program *program)
{
	struct keeper k = { .sink.fd = -1 };
	struct summary summary = { 0 };
	struct audit audit = { 0 };
	int err = r->output ? sink_open(&k.sink, r->output, r->format) : 0;

	if (err) {
		fprintf(stderr, "snag: %s: no trace can be written there: %s\n", r->output, strerror(-err));
		return CMD_FAILED;
	}
	if (r->summary && !r->quiet)
		k.summary = &summary;
	if (r->audit)
		k.audit = &audit;
	err = make_session(r, policy, &k);
	if (err) {
		sink_close(&k.sink);
		return err == -EEXIST ? err : CMD_FAILED;
	}
	if (!r->quiet && draws(policy->image))
		fprintf(stderr, "snag: seed %llu\n", (unsigned long long)policy->seed);
	int status = run_launched(r, &k, program);
	if (r->summary && !r->quiet)
		summary_print(&summary, stderr);
	if (r->audit)
		audit_print(&audit, stderr);
	audit_free(&audit);
	return audit.wrong ? CMD_DIVERGED : status;
}

/* A fault that a rule made is no answer of the kernel's, and changes what the next ones are. Ports in the way are the
 * kernel's own. */
static bool may_audit(const struct rules *rules)
{
	return rules->mode != SNAG_MODE_INJECT || !rules->rule.n;
}

static int refuse_audit(void)
{
	fprintf(stderr, "snag run: --audit compares the model with the kernel, and cannot do so where rules answer (mode "
			"inject); leave out the rules, or add --mode log\n");
	return CMD_FAILED;
}

static int run_compiled(struct run *r, const struct program *program)
{
	char policies[PATH_MAX];
	struct compiled policy;
	int status = CMD_FAILED;

	if (place_policies(policies, sizeof(policies)) == 0)
		r->policy.policy_dir = policies;
	if (compile_policy(&r->policy, &policy, stderr) == 0)
		status = r->audit && !may_audit(policy.image) ? refuse_audit() : run_new(r, &policy, program);
	compile_free(&policy);
	return status;
}

/* ---- somebody else's session ---- */

static int run_joined(const struct run *r, struct session *s, const struct program *program)
{
	struct launch l = { .program = program, .argv = r->argv, .session = r->session };
	uint32_t woken = 0;
	struct watch w;

	if (r->only_new) {
		fprintf(stderr, "snag run: session %s lives already: --%s is for whoever makes it; leave it out, or use "
				"another name\n", r->session, r->only_new);
		return CMD_FAILED;
	}
	if (launch_library(&l) != 0)
		return CMD_FAILED;
	signals_wake(&woken);
	if (r->timeout_ns)
		family_keep();
	pid_t pid = launch_start(&l);
	if (pid < 0)
		return -pid;
	watch_begin(&w, pid, r->timeout_ns);
	for (;;) {
		uint32_t before = load_acquire(&woken);
		struct timespec most = sys_timespec(100 * NSEC_PER_MSEC);
		if (watch_ended(&w) && (w.stage == 0 || w.stage > 2 || family_count(NULL, NULL) == 0))
			break;
		watch_clock(&w, NULL);
		sys_futex(&woken, FUTEX_WAIT, before, &most);
	}
	signals_wake(NULL);
	session_flush(s, FLUSH_NS);
	return watch_status(&w);
}

static int run_any(struct run *r, const struct program *program)
{
	struct session s;
	int status;

	signals_foreground();
	do {
		int found = r->session ? find_session(&s, r->session) : -ENOENT;
		if (found == 0) {
			status = run_joined(r, &s, program);
			session_detach(&s);
		} else if (found == -ENOENT) {
			status = run_compiled(r, program);
		} else {
			find_complain(r->session, found);
			status = CMD_FAILED;
		}
	} while (status == -EEXIST);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct program program;
	struct run r;
	bool done;
	int status = run_options(&r, argc, argv, &done);

	if (!done) {
		status = program_check(&program, r.argv[0]);
		if (status == 0)
			status = run_any(&r, &program);
	}
	run_free(&r);
	return status;
}
