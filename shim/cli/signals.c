/* signals.c - the signals of a keeper. */
#include "signals.h"

#include <base/base.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP, SIGALRM, SIGVTALRM, SIGPROF,
	SIGIO, SIGPWR, SIGURG,
};

static struct {
	uint32_t *wake;
	volatile pid_t command;
	volatile sig_atomic_t term;
	struct sigaction before[NSIG];
	sigset_t mask, held;	/* the mask at the start; what is held back until the command's pid is known */
} state;

void signals_wake(uint32_t *word)
{
	state.wake = word;
}

static void wake(void)
{
	uint32_t *word = state.wake;

	if (word)
		fetch_add(word, 1);
}

/* What a terminal sends, it has sent to the command too. */
static bool from_terminal(const siginfo_t *info)
{
	return info->si_code == SI_KERNEL;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (state.command && !from_terminal(info))
		kill(state.command, sig);
	if (sig == SIGTSTP && state.before[sig].sa_handler != SIG_IGN)	/* a shell with jobs waits for us to stop */
		raise(SIGSTOP);
	wake();
	errno = saved;
}

static void note(int sig)
{
	if (sig == SIGTERM)
		state.term = 1;
	wake();
}

static void catch(int sig, struct sigaction *how)
{
	sigfillset(&how->sa_mask);
	how->sa_flags |= SA_RESTART;
	sigaction(sig, how, &state.before[sig]);
}

void signals_foreground(void)
{
	struct sigaction pass = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO };
	struct sigaction child = { .sa_handler = note }, pipe = { .sa_handler = SIG_IGN };

	sigemptyset(&state.held);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaddset(&state.held, passed_on[i]);
	sigprocmask(SIG_BLOCK, &state.held, &state.mask);
	/* Also what was ignored at the start (nohup, a shell's background job): the command starts with the same
	 * disposition, and may have set a handler of its own since. */
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		catch(passed_on[i], &pass);
	catch(SIGCHLD, &child);		/* also where it was ignored: then nobody could be waited for */
	catch(SIGPIPE, &pipe);
}

void signals_restore(void)
{
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaction(passed_on[i], &state.before[passed_on[i]], NULL);
	sigaction(SIGCHLD, &state.before[SIGCHLD], NULL);
	sigaction(SIGPIPE, &state.before[SIGPIPE], NULL);
	sigprocmask(SIG_SETMASK, &state.mask, NULL);
}

void signals_command(pid_t pid)
{
	state.command = pid;
	sigprocmask(SIG_UNBLOCK, &state.held, NULL);
}

void signals_background(void)
{
	struct sigaction term = { .sa_handler = note }, ignore = { .sa_handler = SIG_IGN };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGTERM && sig != SIGKILL && sig != SIGSTOP)
			sigaction(sig, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		sigaction(passed_on[i], &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	catch(SIGTERM, &term);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool signals_term(void)
{
	bool came = state.term;

	state.term = 0;
	return came;
}
