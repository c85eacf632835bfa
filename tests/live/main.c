/* live: the model against the running kernel. Random sequences of calls, each predicted before it is made; a certain
 * prediction that differs is a failure. It is then shrunk to its shortest sequence and printed.
 *
 *     build/release/tests/live				some seconds, as a unit test
 *     SEED=7 OPS=1000000 build/release/tests/live	as long as it takes: `make check-live`
 *
 * WAIT=1 lets a minute pass in the middle of each of a few sequences, so that TIME_WAIT ends: `make check-live-time`.
 * JOBS worlds play side by side, until FAILURES of them (1) have failed; LOG=1 prints all sequences. */
#include "live.h"

#include <base/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct board *board;
static bool waits;	/* a minute in each sequence */

static bool everybody_lives(void *arg, uint32_t sock, uint32_t serial)
{
	(void)arg, (void)sock, (void)serial;
	return true;
}

/* All sequences of a seed, one after the other in one world. */
static int run_world(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	struct sequence q;
	struct world w;
	bool good = true;

	if (!world_begin(&w, seed))
		return 2;
	for (unsigned i = 0; i < (waits ? 3 : SEQUENCES) && good; i++) {
		sequence_make(&q, seed, i);
		if (waits)
			sequence_wait(&q);
		good = sequence_play(&w, &q, 2000 + i * PORTS);
		if (getenv("LOG"))
			printf("seed %u, sequence %u:\n%s", seed, i, board->log);
		board->failed = good ? 0 : (int)i + 1;
	}
	good = good && model_check(w.d->m, everybody_lives, NULL) == 0;
	world_end(&w);
	return !good;
}

static void report(unsigned seed, unsigned failed, const char *log)
{
	struct sequence q;

	fprintf(stderr, "\nseed %u, sequence %u:\n", seed, failed - 1);
	if (!failed) {
		fprintf(stderr, "the model's invariants do not hold at the end\n");
		return;
	}
	sequence_make(&q, seed, failed - 1);
	if (waits) {
		fprintf(stderr, "the whole of it:\n%s", log);
		return;
	}
	if (sequence_alone(&q) != 1) {
		fprintf(stderr, "not by itself; the whole of it:\n%s", log);
		return;
	}
	sequence_shrink(&q);
	sequence_alone(&q);
	fputs(board->log, stderr);
}

static void add(struct totals *sum, const struct totals *t)
{
	sum->steps += t->steps;
	sum->late += t->late;
	sum->quiet_asked += t->quiet_asked;
	sum->quiet_certain += t->quiet_certain;
	sum->asked += t->asked;
	sum->certain += t->certain;
	for (unsigned i = 0; i < SNAG_UNSURES; i++)
		sum->unknown[i] += t->unknown[i];
	for (unsigned i = 0; i < SNAG_CALLS; i++)
		sum->by_call[i] += t->by_call[i];
}

static void tell(const struct totals *t)
{
	static const char *const reasons[] = {"", "peer", "raced", "foreign", "machine", "virtual", "unmodelled",
					      "netns"};

	printf("# %lu steps, %lu calls predicted: %lu certain and right, %lu unknown", t->steps, t->asked, t->certain,
	       t->asked - t->certain);
	for (unsigned i = 1; i < SNAG_UNSURES && i < ARRAY_LEN(reasons); i++)
		if (t->unknown[i])
			printf(", %s %lu", reasons[i], t->unknown[i]);
	printf(" (%.2f %%)\n", 100.0 * (double)(t->asked - t->certain) / (double)(t->asked ? t->asked : 1));
	if (t->quiet_asked)
		printf("# without --audit's questions: %lu calls, %lu of them certain and right\n", t->quiet_asked,
		       t->quiet_certain);
	if (t->late)
		printf("# %lu times the loopback was late\n", t->late);
	for (unsigned call = 0; getenv("VERBOSE") && call < SNAG_CALLS; call++)
		if (t->by_call[call])
			printf("# call %u unknown %lu\n", call, t->by_call[call]);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

/* ---- worlds side by side: they wait more than they work ---- */

#define JOBS 96

struct job {
	pid_t child;
	unsigned seed;
};

struct run {
	unsigned seed, last;	/* the next one, and the one to stop before */
	unsigned failures, running;
	bool forbidden;		/* there can be no network here */
	struct job job[JOBS];
	struct totals totals;
	uint64_t began_ns, told_ns;
};

static struct board *boards;

static void start_one(struct run *r, unsigned i)
{
	r->job[i].seed = r->seed++;
	memset(&boards[i], 0, sizeof(boards[i]));
	board = &boards[i];
	r->job[i].child = child_start(run_world, &r->job[i].seed);
	r->running++;
}

static void ended(struct run *r, unsigned i, int status)
{
	r->job[i].child = 0;
	r->running--;
	r->forbidden |= status == 2;
	add(&r->totals, &boards[i].totals);
	if (status != 1 && status != 3)
		return;
	r->failures++;
	if (status == 3) {
		fprintf(stderr, "\nseed %u hangs:\n%s\n", r->job[i].seed, boards[i].log);
		return;
	}
	board = &boards[JOBS];
	report(r->job[i].seed, (unsigned)boards[i].failed, boards[i].log);
}

/* A line that is written over on a terminal, a new one every ten seconds elsewhere. */
static void tell_progress(struct run *r)
{
	bool terminal = isatty(STDERR_FILENO);
	uint64_t now = now_of_world();
	unsigned long steps = r->totals.steps;

	if (now - r->began_ns < 2000000000ull || now - r->told_ns < (terminal ? 500000000ull : 10000000000ull))
		return;
	r->told_ns = now;
	for (unsigned i = 0; i < JOBS; i++)
		steps += r->job[i].child ? boards[i].totals.steps : 0;
	fprintf(stderr, "%s# %lu steps, %u worlds to go, %u wrong%s", terminal ? "\r" : "", steps,
		r->last - r->seed + r->running, r->failures, terminal ? "  " : "\n");
}

static void run_all(struct run *r, unsigned jobs, unsigned patience)
{
	sigset_t child;
	int status;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	r->began_ns = now_of_world();
	do {
		for (unsigned i = 0; i < jobs && r->seed < r->last && r->failures < patience && !r->forbidden; i++)
			if (!r->job[i].child)
				start_one(r, i);
		sigtimedwait(&child, NULL, &(struct timespec){.tv_nsec = 500000000});
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			for (unsigned i = 0; i < jobs; i++)
				if (r->job[i].child == pid)
					ended(r, i, child_status(status));
		tell_progress(r);
	} while (r->running || (r->seed < r->last && r->failures < patience && !r->forbidden));
	if (r->told_ns && isatty(STDERR_FILENO))
		fputc('\n', stderr);
}

static void test_live(void **state)
{
	unsigned long steps = setting("OPS", 15000), jobs = setting("JOBS", 4);
	struct run r = {.seed = (unsigned)setting("SEED", 1)};

	(void)state;
	waits = setting("WAIT", 0);
	r.last = r.seed + (unsigned)((steps + STEPS * SEQUENCES - 1) / (STEPS * SEQUENCES));
	run_all(&r, jobs && jobs < JOBS ? (unsigned)jobs : JOBS, (unsigned)setting("FAILURES", 1));
	if (r.forbidden)
		skip();
	tell(&r.totals);
	assert_int_equal(r.failures, 0);
	assert_true(r.totals.certain > r.totals.asked / 100 * 95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_live)};

	boards = mmap(NULL, (JOBS + 1) * sizeof(*boards), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return boards == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
