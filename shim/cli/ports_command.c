/* ports_command.c - `snag ports`: bindings, listeners with their queues, connections by state, TIME_WAIT with the time
 * that is left, and who holds each. */
#include "cmd.h"
#include "find.h"
#include "options.h"
#include "ports.h"

#include <base/names.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <snag/call.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 256 };

static const struct option_row rows[] = {
	{ KEY_JSON, "json", NULL, "as JSON" },
	{ 0 },
};

static const struct usage usage = {
	.line = "ports [SESSION] [--json]",
	.what = "Prints the sockets of a live session: bindings, listeners with their queues, connections by state, TIME_WAIT",
	.options = rows,
	.notes = "Without SESSION, the only live one. QUEUE is what waits in the accept queue / its limit, as the kernel has\n"
		 "them now, and the most that was seen where somebody looked (--audit, mode enforce, a rule with queue).\n"
		 "What snag itself keeps taken is listed with the entry of the policy, or the rule, that wants it so.\n"
		 "Exit status: 0; 2 for wrong usage; 125 when there is no such session.",
};

/* ---- which session ---- */

#define NAMES_MAX 64

struct names {
	char name[NAMES_MAX][SNAG_SESSION_NAME_MAX];
	size_t n;
};

static void add_name(const char *name, void *arg)
{
	struct names *l = arg;
	struct session s;

	if (l->n == NAMES_MAX || find_session(&s, name) != 0)
		return;
	session_detach(&s);
	snprintf(l->name[l->n++], SNAG_SESSION_NAME_MAX, "%s", name);
}

/* Attaches NAME, or the only one there is (NULL). 0 or an exit status, after a line on stderr. */
static int attach(struct session *s, const char *name, char found[SNAG_SESSION_NAME_MAX])
{
	struct names l = { .n = 0 };
	int err;

	if (!name) {
		session_each(add_name, &l);
		if (l.n != 1) {
			fputs(l.n ? "snag ports: which session? " : "snag ports: there is no live session", stderr);
			for (size_t i = 0; i < l.n; i++)
				fprintf(stderr, "%s%s", i ? ", " : "", l.name[i]);
			fputc('\n', stderr);
			return l.n ? CMD_USAGE : CMD_FAILED;
		}
		name = l.name[0];
	}
	snprintf(found, SNAG_SESSION_NAME_MAX, "%s", name);
	err = find_session(s, name);
	if (err == -ENOENT)
		fprintf(stderr, "snag ports: there is no session %s; `snag sessions` lists them\n", name);
	else if (err)
		find_complain(name, err);
	return err ? CMD_FAILED : CMD_OK;
}

/* ---- output ---- */

static const char *address(const struct ports_row *r, const struct snag_addr *a, char space[ADDR_TEXT_MAX])
{
	if (a == &r->local && r->path[0])
		return r->path;
	return r->proto != SNAG_PROTO_UNIX && addr_text(a, space) ? space : "-";
}

static void print_queue(const struct ports_row *r)
{
	char text[64] = "";

	if (r->left_ms != PORTS_NONE)
		snprintf(text, sizeof(text), "%.1f s left", (double)r->left_ms / 1000);
	else if (r->queue_high != PORTS_NONE)
		snprintf(text, sizeof(text), "%lld/%lld most %lld", (long long)r->queue_len, (long long)r->queue_max,
			 (long long)r->queue_high);
	else if (r->queue_len != PORTS_NONE)
		snprintf(text, sizeof(text), "%lld/%lld", (long long)r->queue_len, (long long)r->queue_max);
	printf(" %-14s", text);
}

static void print_row(const struct ports_row *r)
{
	char local[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX], number[16] = "-";

	if (r->sock)
		snprintf(number, sizeof(number), "%u", r->sock);
	printf("%6s %-5s %-11s %-23s %-23s", number, proto_name(r->proto), state_name(r->state),
	       address(r, &r->local, local), address(r, &r->peer, peer));
	print_queue(r);
	for (size_t i = 0; i < r->n_holders; i++)
		printf("%s%s[%u] fd %d", i ? ", " : " ", r->holder[i].comm, r->holder[i].pid, r->holder[i].fd);
	if (r->occupant && r->place)
		printf(" for %s (%s)", r->occupant, r->place);
	else if (r->occupant)
		printf(" for %s", r->occupant);
	if (r->occupant && r->until_ns == PORTS_NONE)
		fputs(" until the session ends", stdout);
	if (r->elsewhere)
		fputs(", in another network namespace", stdout);
	putchar('\n');
}

static void print_text(const char *session, const struct ports *p)
{
	printf("session %s\n%6s %-5s %-11s %-23s %-23s %-14s %s\n", session, "SOCK", "PROTO", "STATE", "LOCAL", "PEER",
	       "QUEUE", "HOLDERS");
	for (size_t i = 0; i < p->n; i++)
		print_row(&p->row[i]);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (strcmp(text, "-") != 0)	/* jansson refuses bytes that are no UTF-8: such a name is left out */
		json_object_set_new(o, key, json_string(text));
}

/* By the names that the trace has for them; left: seconds from now on. */
static void set_occupant(json_t *o, const struct ports_row *r)
{
	set_text(o, "occupant", r->occupant);
	set_text(o, "place", r->place ? r->place : "-");
	json_object_set_new(o, "since", json_real((double)r->since_ns / 1e9));
	if (r->until_ns == PORTS_NONE)
		return;
	json_object_set_new(o, "until", json_real((double)r->until_ns / 1e9));
	json_object_set_new(o, "left", json_real((double)r->left_ms / 1000));
}

static json_t *row_json(const struct ports_row *r)
{
	char local[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];
	json_t *o = json_object(), *queue, *holders = json_array();

	if (r->sock)
		json_object_set_new(o, "sock", json_integer(r->sock));
	set_text(o, "proto", proto_name(r->proto));
	set_text(o, "state", state_name(r->state));
	set_text(o, "local", address(r, &r->local, local));
	set_text(o, "peer", address(r, &r->peer, peer));
	if (r->elsewhere)
		set_text(o, "netns", "other");
	if (r->queue_len != PORTS_NONE) {
		queue = json_pack("{s:I, s:I}", "len", (json_int_t)r->queue_len, "max", (json_int_t)r->queue_max);
		if (r->queue_high != PORTS_NONE)
			json_object_set_new(queue, "high", json_integer(r->queue_high));
		json_object_set_new(o, "queue", queue);
	}
	for (size_t i = 0; i < r->n_holders; i++) {
		json_t *h = json_pack("{s:I, s:i}", "pid", (json_int_t)r->holder[i].pid, "fd", r->holder[i].fd);
		set_text(h, "comm", r->holder[i].comm);
		json_array_append_new(holders, h);
	}
	json_object_set_new(o, "holders", holders);
	if (r->occupant)
		set_occupant(o, r);
	else if (r->left_ms != PORTS_NONE)
		json_object_set_new(o, "time_wait_left", json_real((double)r->left_ms / 1000));
	return o;
}

static void print_json(const char *session, const struct ports *p)
{
	json_t *sockets = json_array(), *all;

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(sockets, row_json(&p->row[i]));
	all = json_pack("{s:s, s:o}", "session", session, "sockets", sockets);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
	json_decref(all);
	putchar('\n');
}

int cmd_ports(int argc, char **argv)
{
	char name[SNAG_SESSION_NAME_MAX];
	const char *wanted = NULL;
	struct session s;
	struct ports p;
	bool json = false;
	int err;

	while (optind < argc) {
		int key = options_next(&usage, argc, argv);
		if (key == OPTIONS_HELP)
			return CMD_OK;
		if (key == KEY_JSON) {
			json = true;
		} else if (key != OPTIONS_END) {
			return CMD_USAGE;
		} else if (optind < argc) {
			if (wanted) {
				fprintf(stderr, "snag ports: one session at a time; usage: snag %s\n", usage.line);
				return CMD_USAGE;
			}
			wanted = argv[optind++];
		}
	}
	err = attach(&s, wanted, name);
	if (err)
		return err;
	err = ports_read(&p, &s);
	session_detach(&s);
	if (err)
		fprintf(stderr, "snag ports: %s\n", strerror(-err));
	else if (json)
		print_json(name, &p);
	else
		print_text(name, &p);
	ports_free(&p);
	return err ? CMD_LOST : CMD_OK;
}
