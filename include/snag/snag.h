/* snag.h - for test programs: leave a mark in the trace, read how often a rule matched and fired. Header only, nothing to
 * link (before glibc 2.34: -ldl). Where the program runs without snag, every function does nothing and answers 0. */
#ifndef SNAG_SNAG_H
#define SNAG_SNAG_H

#include <dlfcn.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum snag_question {
	SNAG_ASK_ACTIVE,	/* is this process watched? */
	SNAG_ASK_MARK,		/* write the text into the trace */
	SNAG_ASK_MATCHED,	/* the rule of this name: how many calls matched it, in the whole session */
	SNAG_ASK_FIRED,		/* and how often it fired */
};

/* libsnag.so's one entry for all of these. Answers below 0: no such rule or question. */
typedef long snag_ask_fn(int question, const char *text);

static inline long snag_put(int question, const char *text)
{
	snag_ask_fn *ask = (snag_ask_fn *)dlsym((void *)0, "snag_ask");	/* the default search order */
	return ask ? ask(question, text) : 0;
}

static inline int snag_active(void)
{
	return snag_put(SNAG_ASK_ACTIVE, NULL) > 0;
}

/* At most 110 bytes of the text are kept. */
static inline void snag_mark(const char *text)
{
	snag_put(SNAG_ASK_MARK, text);
}

static inline long snag_matched(const char *rule)
{
	return snag_put(SNAG_ASK_MATCHED, rule);
}

static inline long snag_fired(const char *rule)
{
	return snag_put(SNAG_ASK_FIRED, rule);
}

#ifdef __cplusplus
}
#endif

#endif
