/* sequence.c - sequences of steps: made from a number, played in a world, shrunk to what fails. */
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct operation *__start_operations[], *__stop_operations[];
static unsigned operations, weight_of_all;

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct operation *const *)a)->name, (*(const struct operation *const *)b)->name);
}

/* The linker has collected them, in an order of its own; a seed shall mean the same in every build. */
static void count_operations(void)
{
	operations = (unsigned)(__stop_operations - __start_operations);
	qsort(__start_operations, operations, sizeof(__start_operations[0]), by_name);
	for (unsigned i = 0; i < operations; i++)
		weight_of_all += __start_operations[i]->weight;
}

static uint8_t choose_operation(unsigned roll)
{
	unsigned i = 0;

	if (!operations)
		count_operations();
	for (roll %= weight_of_all; roll >= __start_operations[i]->weight; i++)
		roll -= __start_operations[i]->weight;
	return (uint8_t)i;
}

void sequence_make(struct sequence *q, unsigned seed, unsigned number)
{
	unsigned random = seed * SEQUENCES + number;

	*q = (struct sequence){.seed = seed, .n = STEPS, .names = number % 6 == 5};
	for (unsigned i = 0; i < STEPS; i++)
		q->steps[i] = (struct step){
			.op = choose_operation((unsigned)rand_r(&random)),
			.sock = (uint8_t)(1 + rand_r(&random) % SOCKS),
			.make = (uint8_t)rand_r(&random),
			.block = (uint8_t)(rand_r(&random) % 3 != 0),
			.a = (unsigned)rand_r(&random),
			.b = (unsigned)rand_r(&random),
		};
}

static uint8_t find_operation(const char *name)
{
	uint8_t i = 0;

	while (strcmp(__start_operations[i]->name, name))
		i++;
	return i;
}

void sequence_wait(struct sequence *q)
{
	q->steps[STEPS / 2].op = find_operation("minute");
}

static void take_step(struct world *w, const struct step *p)
{
	const struct operation *op = __start_operations[p->op];

	board->totals.steps++;
	while (!op->no_socket && !w->fd[p->sock] && hold_is(w, p->sock))
		hold_end(w, p->sock);
	if (!op->no_socket && !w->fd[p->sock])
		make_socket(w, p->sock, p->make);
	op->run(w, p->sock, p);
}

bool sequence_play(struct world *w, const struct sequence *q, unsigned base)
{
	w->base = base;
	w->names = q->names;
	w->log_len = 0;
	world_describe(w);
	world_user(w, 0);
	for (unsigned i = 0; i < q->n && !w->failed; i++)
		take_step(w, &q->steps[i]);
	world_user(w, 0);
	stranger_leaves(w);
	for (uint8_t s = 1; s <= SOCKS && !w->failed; s++)
		while ((w->fd[s] || hold_is(w, s)) && !w->failed)
			(w->fd[s] ? close_socket : hold_end)(w, s);
	return !w->failed;
}

pid_t child_start(int (*run)(void *arg), void *arg)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		alarm(PATIENCE_S);
		exit(run(arg));
	}
	return child;
}

int child_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) == SIGALRM ? 3 : 1;
}

static int play_alone(void *arg)
{
	const struct sequence *q = arg;
	struct world w;
	bool good;

	if (!world_begin(&w, q->seed))
		return 2;
	good = sequence_play(&w, q, 2000);
	world_end(&w);
	return !good;
}

int sequence_alone(const struct sequence *q)
{
	pid_t child = child_start(play_alone, (void *)q);
	int status = 1;

	waitpid(child, &status, 0);
	return child_status(status);
}

void sequence_shrink(struct sequence *q)
{
	for (unsigned size = q->n / 2; size; size /= 2) {
		for (unsigned at = 0; at + size <= q->n;) {
			struct sequence less = *q;
			memmove(less.steps + at, less.steps + at + size, (q->n - at - size) * sizeof(q->steps[0]));
			less.n -= size;
			if (sequence_alone(&less) == 1)
				*q = less;
			else
				at += size;
		}
	}
}
