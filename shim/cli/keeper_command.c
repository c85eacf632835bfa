/* keeper_command.c - `snag keeper`, not for people: the first preloaded process of a session runs it, and goes on when
 * it answers 0: the session is there, with a keeper in the background. 125: the policy is bad. */
#include "cmd.h"
#include "environment.h"
#include "find.h"
#include "keeper.h"
#include "options.h"
#include "place.h"

#include <base/base.h>
#include <errno.h>
#include <limits.h>
#include <session/task.h>
#include <snag/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CMD_TROUBLE 1		/* no session, and not because of the policy */

enum { KEY_SESSION = 256 };

static const struct option_row rows[] = {
	{ KEY_SESSION, "session", "NAME", "the session's name" },
	{ 0 },
};

static const struct usage usage = {
	.line = "keeper --session NAME",
	.what = "Makes a session and keeps it in the background; libsnag.so runs this, with SNAG_POLICY and SNAG_TRACE",
	.options = rows,
};

struct wanted {
	const char *session;
	char *trace;			/* NULL: none */
	struct compile_input policy;
	char *policy_texts;
	char policies[PATH_MAX];
	uint32_t starter;		/* the program that is about to join */
};

/* libsnag.so runs snag from a child of its own, so that the program sees none. 0: not known. */
static uint32_t grandparent(void)
{
	struct task parent;

	return task_read((uint32_t)getppid(), &parent) == 0 ? parent.ppid : 0;
}

static int parse(struct wanted *w, int argc, char **argv, bool *done)
{
	int key;
	const char *trace = environment_get(SNAG_ENV_TRACE);

	*w = (struct wanted){ .starter = grandparent() };
	*done = true;
	while ((key = options_next(&usage, argc, argv)) != OPTIONS_END) {
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key != KEY_SESSION)
			return CMD_USAGE;
		w->session = optarg;
	}
	if (!w->session || argv[optind]) {
		fprintf(stderr, "snag keeper: usage: snag %s\n", usage.line);
		return CMD_USAGE;
	}
	if (environment_policies(&w->policy, &w->policy_texts) < 0)
		return CMD_TROUBLE;
	if (trace)
		w->trace = strdup(trace);
	if (place_policies(w->policies, sizeof(w->policies)) == 0)
		w->policy.policy_dir = w->policies;
	*done = false;
	return CMD_OK;
}

static void clean_environment(void)
{
	unsetenv("LD_PRELOAD");
	unsetenv(SNAG_ENV_SESSION);
	unsetenv(SNAG_ENV_POLICY);
	unsetenv(SNAG_ENV_TRACE);
	unsetenv(SNAG_ENV_ON_ERROR);
}

/* The parent's part ends when the session is ready, which it is. */
static int go_to_background(struct keeper *k, uint32_t starter)
{
	pid_t pid = fork();

	if (pid < 0) {
		fprintf(stderr, "snag: no process for the keeper: %s\n", strerror(errno));
		keeper_end(k);
		return CMD_TROUBLE;
	}
	if (pid == 0) {
		keeper_detach(k);
		keeper_run(k, starter);
		_exit(0);
	}
	store_release(&k->session.header->keeper_pid, (uint32_t)pid);
	_exit(CMD_OK);
}

static int make(const struct wanted *w, const struct compiled *policy)
{
	struct keeper k = { .sink.fd = -1 };
	struct record_texts sources = { .n = 0 };
	int err = w->trace ? sink_open(&k.sink, w->trace, SINK_AUTO) : 0;

	if (err)
		fprintf(stderr, "snag: " SNAG_ENV_TRACE ": %s: no trace can be written there: %s\n", w->trace,
			strerror(-err));
	for (size_t i = 0; i < w->policy.n_files && sources.n < RECORD_TEXTS; i++)
		sources.item[sources.n++] = text_of(w->policy.files[i]);
	if (!err) {
		err = keeper_create(&k, w->session, policy, &sources, 0);
		if (err && err != -EEXIST)
			find_complain(w->session, err);
	}
	if (err) {
		sink_close(&k.sink);
		return err == -EEXIST ? err : CMD_TROUBLE;
	}
	if (keeper_occupy(&k) < 0) {
		keeper_end(&k);
		return CMD_FAILED;
	}
	return go_to_background(&k, w->starter);
}

int cmd_keeper(int argc, char **argv)
{
	struct wanted w;
	struct session s;
	struct compiled policy;
	bool done;
	int status;

	close_range(3, ~0u, 0);		/* the program's, which it may wait for the end of */
	status = parse(&w, argc, argv, &done);
	if (done)
		return status;
	clean_environment();
	status = compile_policy(&w.policy, &policy, stderr) == 0 ? -EEXIST : CMD_FAILED;
	while (status == -EEXIST) {
		int found = find_session(&s, w.session);
		if (found == 0) {
			session_detach(&s);
			status = CMD_OK;
		} else if (found == -ENOENT) {
			status = make(&w, &policy);
		} else {
			find_complain(w.session, found);
			status = CMD_TROUBLE;
		}
	}
	compile_free(&policy);
	return status;
}
