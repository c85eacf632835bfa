/* why_command.c - `snag why`: would this bind work on this machine now? If not: who is in the way, which rule refuses
 * it, and which change would make it work.
 *
 * The sockets on the port come from the kernel (sock_diag), the verdict from the model's bind rule. A bind for real, with
 * the caller's options and given back at once, confirms it, and settles it where the options of others are hidden. */
#include "cmd.h"
#include "endpoint.h"
#include "holders.h"
#include "jsonl.h"
#include "options.h"
#include "why.h"

#include <base/base.h>
#include <base/names.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <snag/call.h>
#include <snag/plan.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEY_REUSEADDR = 256, KEY_REUSEPORT, KEY_V6ONLY, KEY_RULES, KEY_JSON };

static const struct option_row rows[] = {
	{ KEY_REUSEADDR, "reuseaddr", NULL, "as a socket with SO_REUSEADDR" },
	{ KEY_REUSEPORT, "reuseport", NULL, "as a socket with SO_REUSEPORT" },
	{ KEY_V6ONLY, "v6only", NULL, "as an IPv6 socket with IPV6_V6ONLY" },
	{ KEY_RULES, "rules", "PROFILE", "by whose rules; linux is the only one in this version" },
	{ KEY_JSON, "json", NULL, "as JSON" },
	{ 0 },
};

static const struct usage usage = {
	.line = "why [tcp|udp] ADDR:PORT [--reuseaddr] [--reuseport] [--v6only] [--json]",
	.what = "Says whether this bind would work on this machine now; if not, who holds it, which rule refuses it, and which\n"
		"change would make it work",
	.options = rows,
	.notes = "ADDR is 127.0.0.1, [::1], localhost, or * for 0.0.0.0; a port alone means 0.0.0.0 too; 53/udp is udp.\n"
		 "No program is run. The answer speaks of the calling user and of this network namespace. A socket is bound\n"
		 "there for a moment, with these options; it never listens.\n"
		 "Exit status: 0 it would work; 1 it would not; 2 wrong usage.",
};

#define SHOWN 8		/* holders that are named */

struct ask {
	uint8_t proto;		/* enum snag_proto */
	uint8_t options;	/* enum snag_option bits */
	bool json;
	struct snag_addr addr;
	char text[ADDR_TEXT_MAX];
};

struct verdict {
	int err;		/* 0: it would work */
	bool by_model;		/* the model was certain, and the kernel agrees */
	struct holders all;
	const struct holder *way[SHOWN];	/* in the way; where it would work, beside it */
	size_t n_way, more;
};

/* ---- the kernel's own word ---- */

/* Binds for a moment; 0 or a positive errno. */
static int probe(uint8_t proto, const struct snag_addr *addr, uint8_t options)
{
	int one = 1, err = 0, fd = socket(addr->family, (proto == SNAG_PROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, &ss);

	if (fd < 0)
		return errno;
	if (((options & SNAG_OPTION_REUSEADDR) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))) ||
	    ((options & SNAG_OPTION_REUSEPORT) && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))) ||
	    ((options & SNAG_OPTION_V6ONLY) && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, (struct sockaddr *)&ss, len))
		err = errno;
	close(fd);
	return err;
}

/* ---- the model's ---- */

/* Is h in the way of this claim? Where both are UDP with SO_REUSEPORT, the order in the kernel's chain may decide. */
static enum bind_answer answer(uint8_t proto, const struct bind_claim *new, const struct holder *h)
{
	struct bind_claim old = holder_claim(h);
	enum bind_answer a = bind_conflict(new, &old);

	if (a == BIND_CONFLICT && proto == SNAG_PROTO_UDP && (new->options & SNAG_OPTION_REUSEPORT))
		return BIND_UNSURE;
	return a;
}

static enum bind_answer answer_all(const struct ask *a, const struct holders *l, const struct snag_addr *addr,
				   uint8_t options)
{
	struct bind_claim new = { .addr = *addr, .domain = addr->family, .options = options, .uid = geteuid() };
	enum bind_answer worst = BIND_FREE;

	for (size_t i = 0; addr->port && i < l->n; i++) {
		l->at[i].answer = answer(a->proto, &new, &l->at[i]);
		if (l->at[i].answer > worst)
			worst = l->at[i].answer;
	}
	return worst;
}

/* Who is named first: who certainly is in the way, then who listens, then whose process is known. */
static unsigned weight(const struct holder *h)
{
	return (unsigned)h->answer * 8 + (holder_state(h) == SNAG_STATE_LISTEN) * 4 + (h->owner.pid != 0) * 2 +
	       (h->sock.inode != 0);
}

/* The heaviest first, SHOWN of them. */
static void choose(struct verdict *v, bool (*wanted)(const struct holder *h))
{
	for (size_t i = 0; i < v->all.n; i++) {
		const struct holder *h = &v->all.at[i];
		size_t at = v->n_way;
		if (!wanted(h))
			continue;
		while (at && weight(v->way[at - 1]) < weight(h))
			at--;
		if (v->n_way < SHOWN)
			v->n_way++;
		else
			v->more++;
		for (size_t j = v->n_way - 1; j > at; j--)
			v->way[j] = v->way[j - 1];
		if (at < v->n_way)
			v->way[at] = h;
	}
}

static bool is_in_the_way(const struct holder *h)
{
	return h->answer != BIND_FREE;
}

static int decide(const struct ask *a, struct verdict *v)
{
	for (unsigned round = 0; round < 3; round++) {
		int err = holders_find(&v->all, a->proto, a->addr.port, DIAG_ALL);
		enum bind_answer model = answer_all(a, &v->all, &a->addr, a->options);
		v->err = probe(a->proto, &a->addr, a->options);
		v->by_model = !err && ((model == BIND_CONFLICT && v->err == EADDRINUSE) ||
				       (model == BIND_FREE && v->err != EADDRINUSE));
		if (err && err != -ENOENT && err != -EAFNOSUPPORT && err != -EPROTONOSUPPORT)
			fprintf(stderr, "snag why: the kernel does not list its sockets: %s\n", strerror(-err));
		if (err || model == BIND_UNSURE || v->by_model)
			break;		/* else somebody came or went in between */
		if (round < 2)
			holders_free(&v->all);
	}
	if (v->err == 0 || v->err == EADDRINUSE)
		choose(v, is_in_the_way);
	return v->err;
}

/* ---- the rule ---- */

static void rule_text(struct buf *b, const struct ask *a, const struct verdict *v)
{
	const struct holder *h = v->n_way ? v->way[0] : NULL;
	const struct snag_addr *old = h ? &h->sock.local : NULL;
	unsigned state = h ? holder_state(h) : SNAG_STATE_NONE;

	if (v->err == EACCES)
		buf_str(b, "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE");
	else if (v->err == EADDRNOTAVAIL)
		buf_str(b, "an address is bound where an interface has it, unless IP_FREEBIND or ip_nonlocal_bind is set");
	if (v->err != EADDRINUSE || !h)
		return;
	if (addr_is_any(old) && !addr_is_any(&a->addr))
		buf_str(b, old->family == a->addr.family || !(h->options & SNAG_OPTION_V6ONLY) ?
			"the wildcard address covers this one; " : "");
	else if (addr_is_any(&a->addr) && !addr_is_any(old))
		buf_str(b, "the wildcard address covers the one that is taken; ");
	if (old->family != a->addr.family && (addr_is_any(old) || addr_is_any(&a->addr)))
		buf_str(b, "[::] without IPV6_V6ONLY takes IPv4 too; ");
	if (a->proto == SNAG_PROTO_UDP)
		buf_str(b, "two UDP sockets share a port only if both have SO_REUSEADDR, or both SO_REUSEPORT and one user");
	else if (state == SNAG_STATE_LISTEN)
		buf_str(b, "a port where somebody listens is shared only if both have SO_REUSEPORT and one user");
	else if (state == SNAG_STATE_TIME_WAIT)
		buf_str(b, "TIME_WAIT holds a port unless both have SO_REUSEADDR, or both SO_REUSEPORT; the closed socket's "
			   "options count too");
	else
		buf_str(b, "a port is shared only if both have SO_REUSEADDR, or both SO_REUSEPORT and one user");
}

/* ---- what would make it work ---- */

/* Would it work so? By the model where it is certain; a UDP bind for real could take a server's datagrams. */
static bool would_work(const struct ask *a, struct verdict *v, const struct snag_addr *addr, uint8_t options)
{
	enum bind_answer model = addr->port == a->addr.port ? answer_all(a, &v->all, addr, options) : BIND_FREE;

	if (model == BIND_CONFLICT)
		return false;
	if (model == BIND_UNSURE && a->proto == SNAG_PROTO_UDP)
		return false;
	return probe(a->proto, addr, options) == 0;
}

static void add(struct buf *b, const char *before, const char *what, const char *after)
{
	if (b->n)
		buf_str(b, "; ");
	buf_str(b, before);
	buf_str(b, what);
	buf_str(b, after);
}

static void fix_options(struct buf *b, const struct ask *a, struct verdict *v)
{
	static const struct {
		uint8_t options;
		const char *what;
	} ways[] = {
		{ SNAG_OPTION_REUSEADDR, "SO_REUSEADDR" },
		{ SNAG_OPTION_REUSEPORT, "SO_REUSEPORT" },
		{ SNAG_OPTION_V6ONLY, "IPV6_V6ONLY" },
	};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		uint8_t options = a->options | ways[i].options;
		if (options == a->options || (ways[i].options == SNAG_OPTION_V6ONLY && a->addr.family != AF_INET6))
			continue;
		if (would_work(a, v, &a->addr, options))
			add(b, ways[i].what, " on this socket", "");
	}
}

static void fix_elsewhere(struct buf *b, const struct ask *a, struct verdict *v)
{
	struct snag_addr other = a->addr;
	char text[ADDR_TEXT_MAX];

	for (unsigned step = 1; step <= 100 && a->addr.port + step < 65536; step++) {
		other.port = (uint16_t)(a->addr.port + step);
		if (would_work(a, v, &other, a->options)) {
			snprintf(text, sizeof(text), "%u", other.port);
			add(b, "another port, such as ", text, "");
			break;
		}
	}
	other = a->addr;
	if (other.family != AF_INET || !addr_is_loopback(&other))
		return;
	for (unsigned last = 2; last < 10; last++) {
		other.ip[3] = (uint8_t)last;
		if (other.ip[3] != a->addr.ip[3] && would_work(a, v, &other, a->options)) {
			addr_text(&other, text);
			add(b, text, "", "");
			return;
		}
	}
}

static void fix_text(struct buf *b, const struct ask *a, struct verdict *v)
{
	char number[24];

	if (v->err == EACCES)
		add(b, "a port at or above ip_unprivileged_port_start; or CAP_NET_BIND_SERVICE", "", "");
	if (v->err == EADDRNOTAVAIL)
		add(b, "an address of this machine; or IP_FREEBIND", "", "");
	if (v->err != EADDRINUSE)
		return;
	fix_options(b, a, v);
	fix_elsewhere(b, a, v);
	answer_all(a, &v->all, &a->addr, a->options);
	if (v->n_way == 1 && v->way[0]->owner.pid) {
		snprintf(number, sizeof(number), "%u", v->way[0]->owner.pid);
		add(b, "or the end of pid ", number, v->way[0]->owner.others ? " and those that share it" : "");
	} else if (v->n_way == 1 && v->way[0]->sock.left_ms) {
		snprintf(number, sizeof(number), "%u", v->way[0]->sock.left_ms / 1000 + 1);
		add(b, "or a wait of ", number, " s");
	} else if (v->n_way) {
		add(b, "or the end of all that hold it", "", "");
	}
}

/* ---- the answer ---- */

static unsigned code_of(const struct verdict *v)
{
	switch (v->err) {
	case EADDRINUSE:
		return v->n_way ? SNAG_WHY_HELD : SNAG_WHY_UNKNOWN_HOLDER;
	case EACCES:
		return SNAG_WHY_PRIVILEGED;
	case EADDRNOTAVAIL:
		return SNAG_WHY_NOT_LOCAL;
	default:
		return SNAG_WHY_NONE;
	}
}

static void reason_text(struct buf *b, const struct verdict *v, const struct record_holder *h)
{
	struct record r;

	record_clear(&r);
	if (v->err && code_of(v) == SNAG_WHY_UNKNOWN_HOLDER) {
		buf_str(b, "held by a socket that the kernel does not list");
	} else if (v->n_way) {
		buf_str(b, v->err ? "held by " : "beside ");
		why_holder(b, h, 0);
	} else {
		why_text(b, code_of(v), &r);
	}
}

static void print_line(const char *before, const struct buf *b)
{
	if (b->n)
		printf("         %s%.*s\n", before, (int)b->n, b->p);
}

static void print_text(const struct ask *a, const struct verdict *v, const struct buf *rule, const struct buf *fix)
{
	const char *name = errno_name(v->err);
	char space[ADDR_TEXT_MAX];
	struct record_holder h;
	struct buf b = { 0 };

	printf("%s: bind to %s %s %s%s\n", v->err ? "no" : "yes", proto_name(a->proto), a->text,
	       v->err ? "fails with " : "works", v->err ? (name ? name : strerror(v->err)) : "");
	for (size_t i = 0; i < v->n_way || (i == 0 && v->err); i++) {
		b.n = 0;
		if (i < v->n_way)
			holder_record(v->way[i], &h, space);
		reason_text(&b, v, &h);
		print_line("", &b);
	}
	if (v->more)
		printf("         and %zu more\n", v->more);
	print_line("rule: ", rule);
	print_line("would work with: ", fix);
	if (!v->by_model)
		printf("         settled by a probe bind: %s\n", v->n_way ? "options of other sockets are not visible to us" :
									 "the kernel's list of sockets leaves it open");
	buf_free(&b);
}

static void json_field(struct buf *b, const char *name, struct text t)
{
	if (!t.n)
		return;
	buf_str(b, ",\"");
	buf_str(b, name);
	buf_str(b, "\":");
	buf_json(b, t);
}

static void print_json(const struct ask *a, const struct verdict *v, const struct buf *rule, const struct buf *fix)
{
	const char *name = errno_name(v->err);
	char space[ADDR_TEXT_MAX];
	struct record_holder h;
	struct record r;
	struct buf b = { 0 }, reason = { 0 };

	record_clear(&r);
	buf_str(&b, v->err ? "{\"ok\":false" : "{\"ok\":true");
	json_field(&b, "errno", v->err && name ? text_of(name) : (struct text){ 0 });
	json_field(&b, "proto", text_of(proto_name(a->proto)));
	json_field(&b, "addr", text_of(a->text));
	json_field(&b, "settled", text_of(v->by_model ? "model" : "probe"));
	if (v->err) {
		if (v->n_way)
			holder_record(v->way[0], &r.why.holder, space);
		reason_text(&reason, v, &r.why.holder);
		r.why.code = text_of(code_of(v) ? why_name(code_of(v)) : "other");
		r.why.text = reason.n ? (struct text){ reason.p, reason.n } : text_of(strerror(v->err));
		r.why.fix = (struct text){ fix->n ? fix->p : NULL, fix->n };
		buf_str(&b, ",\"why\":");
		jsonl_object(&b, record_why_fields, &r.why);
		json_field(&b, "rule", (struct text){ rule->p, rule->n });
	}
	buf_str(&b, v->err ? ",\"holders\":[" : ",\"beside\":[");
	for (size_t i = 0; i < v->n_way; i++) {
		holder_record(v->way[i], &h, space);
		buf_str(&b, i ? "," : "");
		jsonl_object(&b, record_holder_fields, &h);
	}
	buf_str(&b, "]}\n");
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&reason);
	buf_free(&b);
}

/* ---- the command line ---- */

static int complain(const char *what, const char *about)
{
	fprintf(stderr, "snag why: %s%s%s; usage: snag %s\n", about ? about : "", about ? ": " : "", what, usage.line);
	return CMD_USAGE;
}

static int take_option(struct ask *a, int key)
{
	switch (key) {
	case KEY_REUSEADDR:
		a->options |= SNAG_OPTION_REUSEADDR;
		return CMD_OK;
	case KEY_REUSEPORT:
		a->options |= SNAG_OPTION_REUSEPORT;
		return CMD_OK;
	case KEY_V6ONLY:
		a->options |= SNAG_OPTION_V6ONLY;
		return CMD_OK;
	case KEY_JSON:
		a->json = true;
		return CMD_OK;
	case KEY_RULES:
		return strcmp(optarg, "linux") == 0 ? CMD_OK : complain("not built yet; linux is", optarg);
	default:
		return CMD_USAGE;
	}
}

static int take_operand(struct ask *a, const char *text)
{
	struct endpoint e;
	const char *wrong;

	if (!a->proto && (strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0)) {
		a->proto = text[0] == 't' ? SNAG_PROTO_TCP : SNAG_PROTO_UDP;
		return CMD_OK;
	}
	if (a->addr.family)
		return complain("one address at a time", NULL);
	wrong = endpoint_parse(&e, text);
	if (wrong)
		return complain(wrong, text);
	if (a->proto && e.proto && a->proto != e.proto)
		return complain("it is said twice, and differently, which protocol", text);
	if (e.proto)
		a->proto = e.proto;
	a->addr = e.addr;
	return CMD_OK;
}

/* -1: go on; else the exit status. Options may stand anywhere. */
static int read_arguments(struct ask *a, int argc, char **argv)
{
	int status = CMD_OK;

	while (status == CMD_OK && optind < argc) {
		int key = options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key != OPTIONS_END)
			status = take_option(a, key);
		else if (optind < argc)
			status = take_operand(a, argv[optind++]);
	}
	if (status != CMD_OK)
		return status;
	if (!a->addr.family)
		return complain("no ADDR:PORT", NULL);
	if ((a->options & SNAG_OPTION_V6ONLY) && a->addr.family != AF_INET6)
		return complain("--v6only is for IPv6 addresses", NULL);
	if (!a->proto)
		a->proto = SNAG_PROTO_TCP;
	addr_text(&a->addr, a->text);
	return -1;
}

int cmd_why(int argc, char **argv)
{
	struct ask a = { .proto = SNAG_PROTO_NONE };
	struct verdict v = { 0 };
	struct buf rule = { 0 }, fix = { 0 };
	int status = read_arguments(&a, argc, argv);

	if (status >= 0)
		return status;
	status = decide(&a, &v) ? CMD_NO : CMD_OK;
	rule_text(&rule, &a, &v);
	fix_text(&fix, &a, &v);
	if (a.json)
		print_json(&a, &v, &rule, &fix);
	else
		print_text(&a, &v, &rule, &fix);
	holders_free(&v.all);
	buf_free(&rule);
	buf_free(&fix);
	return status;
}
