/* names.c - numbers and their names: errnos, signals, and the words of the trace. In each table the first name of a
 * number is the one that is printed; the later ones are aliases that are only read. */
#include "names.h"
#include "base.h"

#include <errno.h>
#include <signal.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <snag/state.h>
#include <string.h>

struct name_row {
	int number;
	const char *name;
};

#define E(name) {name, #name}
static const struct name_row errnos[] = {
	E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD),
	E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV),
	E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC),
	E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
	E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENOMSG), E(EIDRM), E(ECHRNG), E(EL2NSYNC), E(EL3HLT), E(EL3RST),
	E(ELNRNG), E(EUNATCH), E(ENOCSI), E(EL2HLT), E(EBADE), E(EBADR), E(EXFULL), E(ENOANO), E(EBADRQC),
	E(EBADSLT), E(EBFONT), E(ENOSTR), E(ENODATA), E(ETIME), E(ENOSR), E(ENONET), E(ENOPKG), E(EREMOTE),
	E(ENOLINK), E(EADV), E(ESRMNT), E(ECOMM), E(EPROTO), E(EMULTIHOP), E(EDOTDOT), E(EBADMSG), E(EOVERFLOW),
	E(ENOTUNIQ), E(EBADFD), E(EREMCHG), E(ELIBACC), E(ELIBBAD), E(ELIBSCN), E(ELIBMAX), E(ELIBEXEC),
	E(EILSEQ), E(ERESTART), E(ESTRPIPE), E(EUSERS), E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE),
	E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(ESOCKTNOSUPPORT), E(EOPNOTSUPP), E(EPFNOSUPPORT),
	E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN), E(ENETUNREACH), E(ENETRESET),
	E(ECONNABORTED), E(ECONNRESET), E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ESHUTDOWN), E(ETOOMANYREFS),
	E(ETIMEDOUT), E(ECONNREFUSED), E(EHOSTDOWN), E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ESTALE),
	E(EUCLEAN), E(ENOTNAM), E(ENAVAIL), E(EISNAM), E(EREMOTEIO), E(EDQUOT), E(ENOMEDIUM), E(EMEDIUMTYPE),
	E(ECANCELED), E(ENOKEY), E(EKEYEXPIRED), E(EKEYREVOKED), E(EKEYREJECTED), E(EOWNERDEAD),
	E(ENOTRECOVERABLE), E(ERFKILL), E(EHWPOISON), E(EWOULDBLOCK), E(ENOTSUP), E(EDEADLOCK),
};

static const struct name_row signals[] = {
	E(SIGHUP), E(SIGINT), E(SIGQUIT), E(SIGILL), E(SIGTRAP), E(SIGABRT), E(SIGBUS), E(SIGFPE), E(SIGKILL),
	E(SIGUSR1), E(SIGSEGV), E(SIGUSR2), E(SIGPIPE), E(SIGALRM), E(SIGTERM), E(SIGSTKFLT), E(SIGCHLD),
	E(SIGCONT), E(SIGSTOP), E(SIGTSTP), E(SIGTTIN), E(SIGTTOU), E(SIGURG), E(SIGXCPU), E(SIGXFSZ),
	E(SIGVTALRM), E(SIGPROF), E(SIGWINCH), E(SIGIO), E(SIGPWR), E(SIGSYS), E(SIGIOT), E(SIGPOLL),
	{SIGCHLD, "SIGCLD"},
};
#undef E

static const char *name_of(const struct name_row *rows, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number)
			return rows[i].name;
	return NULL;
}

static int number_of(const struct name_row *rows, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len))
			return rows[i].number;
	return 0;
}

const char *errno_name(int err)
{
	return name_of(errnos, ARRAY_LEN(errnos), err);
}

const char *signal_name(int sig)
{
	return name_of(signals, ARRAY_LEN(signals), sig);
}

int errno_by_name(const char *name, size_t len)
{
	return number_of(errnos, ARRAY_LEN(errnos), name, len);
}

int signal_by_name(const char *name, size_t len)
{
	return number_of(signals, ARRAY_LEN(signals), name, len);
}

const char *errno_nth(unsigned i)
{
	return i < ARRAY_LEN(errnos) ? errnos[i].name : NULL;
}

const char *signal_nth(unsigned i)
{
	return i < ARRAY_LEN(signals) ? signals[i].name : NULL;
}

/* ---- the words of the trace and the policy ---- */

static const char *const states[SNAG_STATES] = {
	[SNAG_STATE_NONE] = "none",
	[SNAG_STATE_CLOSED] = "closed",
	[SNAG_STATE_BOUND] = "bound",
	[SNAG_STATE_LISTEN] = "listen",
	[SNAG_STATE_SYN_SENT] = "syn_sent",
	[SNAG_STATE_SYN_RECV] = "syn_recv",
	[SNAG_STATE_ESTABLISHED] = "established",
	[SNAG_STATE_CLOSE_WAIT] = "close_wait",
	[SNAG_STATE_FIN_WAIT] = "fin_wait",
	[SNAG_STATE_TIME_WAIT] = "time_wait",
};

static const char *const roles[SNAG_ROLES] = {
	[SNAG_ROLE_NONE] = "none",
	[SNAG_ROLE_LISTENER] = "listener",
	[SNAG_ROLE_ACCEPTED] = "accepted",
	[SNAG_ROLE_CLIENT] = "client",
};

static const char *const protos[] = {
	[SNAG_PROTO_NONE] = "none", [SNAG_PROTO_TCP] = "tcp",	  [SNAG_PROTO_UDP] = "udp",
	[SNAG_PROTO_UNIX] = "unix", [SNAG_PROTO_UDPLITE] = "udplite", [SNAG_PROTO_OTHER] = "other",
};

static const char *const modes[] = {
	[SNAG_MODE_DISABLED] = "disabled",
	[SNAG_MODE_LOG] = "log",
	[SNAG_MODE_ENFORCE] = "enforce",
	[SNAG_MODE_INJECT] = "inject",
};

static const char *const bys[] = {
	[SNAG_BY_KERNEL] = "kernel",
	[SNAG_BY_MODEL] = "model",
	[SNAG_BY_RULE] = "rule",
};

static const char *const unsures[SNAG_UNSURES] = {
	[SNAG_UNSURE_NONE] = "none",	   [SNAG_UNSURE_PEER] = "peer",	      [SNAG_UNSURE_RACED] = "raced",
	[SNAG_UNSURE_FOREIGN] = "foreign", [SNAG_UNSURE_MACHINE] = "machine", [SNAG_UNSURE_VIRTUAL] = "virtual",
	[SNAG_UNSURE_UNMODELLED] = "unmodelled", [SNAG_UNSURE_NETNS] = "netns",
};

static const char *const whys[SNAG_WHYS] = {
	[SNAG_WHY_NONE] = "none",
	[SNAG_WHY_HELD] = "held",
	[SNAG_WHY_ALREADY_BOUND] = "already_bound",
	[SNAG_WHY_PRIVILEGED] = "privileged",
	[SNAG_WHY_NOT_LOCAL] = "not_local",
	[SNAG_WHY_NO_LISTENER] = "no_listener",
	[SNAG_WHY_WRONG_STATE] = "wrong_state",
	[SNAG_WHY_WRONG_TYPE] = "wrong_type",
	[SNAG_WHY_UNKNOWN_HOLDER] = "unknown_holder",
	[SNAG_WHY_PROFILE] = "profile",
	[SNAG_WHY_STRICTER] = "real_kernel_stricter",
	[SNAG_WHY_NO_PORT] = "no_port",
	[SNAG_WHY_SAME_TUPLE] = "same_tuple",
	[SNAG_WHY_OPEN_FILES] = "open_files",
	[SNAG_WHY_OPEN_SOCKETS] = "open_sockets",
	[SNAG_WHY_QUEUE_FULL] = "queue_full",
	[SNAG_WHY_SYN_QUEUE_FULL] = "syn_queue_full",
	[SNAG_WHY_NETNS] = "netns",
};

#define WORD(words, i) ((i) < ARRAY_LEN(words) && (words)[i] ? (words)[i] : "?")

const char *state_name(unsigned state)
{
	return WORD(states, state);
}

const char *role_name(unsigned role)
{
	return WORD(roles, role);
}

const char *proto_name(unsigned proto)
{
	return WORD(protos, proto);
}

const char *mode_name(unsigned mode)
{
	return WORD(modes, mode);
}

const char *by_name(unsigned by)
{
	return WORD(bys, by);
}

const char *unsure_name(unsigned unsure)
{
	return WORD(unsures, unsure);
}

const char *why_name(unsigned why)
{
	return WORD(whys, why);
}
