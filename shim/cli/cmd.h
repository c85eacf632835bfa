/* cmd.h - the commands: each is one function, given its own argv with the command's full name ("snag run") as argv[0];
 * what it returns is the exit status. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

enum cmd_exit {
	CMD_OK = 0,
	CMD_LOST = 1,		/* what was asked for could not be read or written */
	CMD_NO = 1,		/* why: such a bind would fail */
	CMD_USAGE = 2,		/* wrong options or operands, of every command but run; check: a policy with errors */
	CMD_DIVERGED = 121,	/* run: --audit found a wrong prediction */
	CMD_TIMEOUT = 124,	/* run: --timeout passed */
	CMD_FAILED = 125,	/* run, keeper: snag itself failed before the start */
	CMD_REFUSED = 126,	/* run: not executable, or not interposable */
	CMD_NOT_FOUND = 127,
};

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_ports(int argc, char **argv);
int cmd_sessions(int argc, char **argv);
int cmd_ctl(int argc, char **argv);
int cmd_keeper(int argc, char **argv);

#endif
