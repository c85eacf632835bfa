/* env.c - the environment */
#include "env.h"
#include <base/base.h>
#include <base/sys.h>
#include <snag/abi.h>
#include <string.h>
#include <sys/mman.h>

#define PRELOAD "LD_PRELOAD="
#define SESSION SNAG_ENV_SESSION "="
#define INHERITED SNAG_ENV_INHERITED "="

#define ADDED 3		/* entries that env_build writes itself */

static const char *library, *library_given, *session_name;
static char raw[65536];		/* /proc/self/environ, where the C library has not set environ yet */

static const char *value_of(const char *entry, const char *name, size_t len)
{
	return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

const char *env_get(const char *name)
{
	size_t len = strlen(name);
	const char *v = NULL;
	if (environ) {
		for (char **e = environ; *e && !v; e++)
			v = value_of(*e, name, len);
		return v;
	}
	if (!raw[0] && sys_read_file("/proc/self/environ", raw, sizeof(raw)) < 0)
		return NULL;
	for (const char *e = raw; e < raw + sizeof(raw) && *e && !v; e += strlen(e) + 1)
		v = value_of(e, name, len);
	return v;
}

void env_keep(const char *lib, const char *given, const char *name)
{
	library = lib;
	library_given = given;
	session_name = name;
}

/* The entry that begins so; NULL. */
static char *find(char *const *envp, const char *start)
{
	for (size_t len = strlen(start); envp && *envp; envp++)
		if (strncmp(*envp, start, len) == 0)
			return *envp;
	return NULL;
}

static bool is_separator(char c)
{
	return c == ':' || c == ' ';
}

/* ld.so(8): entries stand between blanks and colons. Answers the length of the one at p. */
static size_t entry_len(const char *p)
{
	size_t n = 0;
	while (p[n] && !is_separator(p[n]))
		n++;
	return n;
}

static bool begins_with(const char *list, const char *entry)
{
	size_t n = entry_len(list);
	return n == strlen(entry) && memcmp(list, entry, n) == 0;
}

/* Does NAME= give the session's name? */
static bool names_session(char *const *envp, const char *start)
{
	const char *e = find(envp, start);
	return e && strcmp(e + strlen(start), session_name) == 0;
}

static bool complete(char *const *envp)
{
	const char *p = find(envp, PRELOAD);
	return p && begins_with(p + strlen(PRELOAD), library) && names_session(envp, SESSION) &&
	       names_session(envp, INHERITED);
}

size_t env_need(char *const *envp)
{
	size_t n = 0;
	if (!library || complete(envp))
		return 0;
	while (envp && envp[n])
		n++;
	const char *p = find(envp, PRELOAD);
	return (n + 1 + ADDED) * sizeof(char *) + strlen(PRELOAD) + strlen(library) + 1 + (p ? strlen(p) : 0) + 1 +
	       strlen(SESSION) + strlen(INHERITED) + 2 * (strlen(session_name) + 1);
}

static char *put(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
	return to + len;
}

static char *put_name(char *to, const char *start)
{
	to = put(to, start, strlen(start));
	return put(to, session_name, strlen(session_name) + 1);
}

static bool is_added(const char *entry)
{
	return strncmp(entry, PRELOAD, strlen(PRELOAD)) == 0 || strncmp(entry, SESSION, strlen(SESSION)) == 0 ||
	       strncmp(entry, INHERITED, strlen(INHERITED)) == 0;
}

/* "LD_PRELOAD=" this library, then the others in their order. */
static char *put_preload(char *to, const char *old)
{
	to = put(to, PRELOAD, strlen(PRELOAD));
	to = put(to, library, strlen(library));
	for (const char *p = old ? old + strlen(PRELOAD) : ""; *p;) {
		size_t n = entry_len(p);
		if (n && !begins_with(p, library) && !begins_with(p, library_given)) {
			*to++ = ':';
			to = put(to, p, n);
		}
		p += n;
		while (is_separator(*p))
			p++;
	}
	*to++ = 0;
	return to;
}

char **env_build(void *mem, size_t size, char *const *envp)
{
	char **vec = mem, **next = vec;
	size_t n = 0;
	while (envp && envp[n])
		n++;
	char *text = (char *)mem + (n + 1 + ADDED) * sizeof(char *);
	if ((n + 1 + ADDED) * sizeof(char *) > size)	/* another thread made it grow meanwhile */
		return (char **)envp;
	for (size_t i = 0; i < n; i++)
		if (!is_added(envp[i]))
			*next++ = envp[i];
	*next++ = text;
	text = put_preload(text, find(envp, PRELOAD));
	*next++ = text;
	text = put_name(text, SESSION);
	*next++ = text;
	put_name(text, INHERITED);
	*next = NULL;
	return vec;
}

void env_repair_own(void)
{
	size_t need = env_need(environ);
	void *mem = need ? sys_mmap(NULL, need, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
	if (need && !sys_failed(mem))
		environ = env_build(mem, need, environ);
}
