/* Every operation on a session dies at its first store to shared memory, at its second, at its third, and so on until
 * it lives through; after each death the survivors mend, and everything must be as if the dead had never been. */
#include "renamed.h"

static void step(void);
#define SNAG_STEP() step()

#include "../../shim/session/confirm.c"
#include "../../shim/session/file.c"
#include "../../shim/session/folder.c"
#include "../../shim/session/hold.c"
#include "../../shim/session/index.c"
#include "../../shim/session/lock.c"
#include "../../shim/session/proc.c"
#include "../../shim/session/repair.c"
#include "../../shim/session/session.c"
#include "../../shim/session/sock.c"
#include "../../shim/session/task.c"
#include "../../shim/trace/ring.c"
#include "check.h"

static unsigned steps_left;	/* 0: this process does not count */
static void step(void)
{
	if (steps_left && --steps_left == 0)
		sys_kill(sys_getpid(), SIGKILL);
}

/* The parent's side: a process with a private, a shared and a passed socket, and a ticket taken for the child. */
struct scene {
	struct session *s;
	uint32_t parent, ticket, child;
	struct sock_ref own, twice, sent;
	struct sock_ref child_own, child_twice;	/* the child's, made before it counts */
	pid_t corpse;				/* a dead process that nobody has reaped yet */
};

static void op_sock_new(struct scene *c)
{
	sock_new(c->s, c->child, 3);
}
static void op_drop(struct scene *c)
{
	sock_drop(c->s, c->child, c->child_own, false);
}
static void op_drop_keep(struct scene *c)
{
	if (sock_drop(c->s, c->child, c->child_own, true))
		sock_free(c->s, c->child_own);
}
static void op_drop_shared(struct scene *c)
{
	sock_drop(c->s, c->child, c->child_twice, false);
	sock_drop(c->s, c->child, c->child_twice, false);
}
static void op_dup(struct scene *c)
{
	struct session_guard g;

	session_lock(c->s, &g, c->child);
	sock_hold(c->s, c->child, c->child_own, 4);
	sock_publish(c->s, c->child_own, 99);
	session_unlock(c->s, &g);
}
static void op_adopt(struct scene *c)
{
	struct session_guard g;

	session_lock(c->s, &g, c->child);
	sock_hold(c->s, c->child, c->own, 4);
	sock_hold(c->s, c->child, c->twice, 4);
	sock_hold(c->s, c->child, c->sent, 4);
	session_unlock(c->s, &g);
}
static void op_ticket(struct scene *c)
{
	proc_ticket_is(c->s, proc_ticket(c->s, c->child), 0);
}
static void op_claim(struct scene *c)
{
	proc_claim(c->s, c->ticket);
}
static void op_exec(struct scene *c)
{
	proc_join(c->s);
}
static void op_leave(struct scene *c)
{
	proc_drop(c->s, c->child, NULL, NULL);
	proc_join(c->s);
}
static void op_confirm(struct scene *c)
{
	struct session_guard g;

	session_lock(c->s, &g, c->child);
	sock_confirm_begin(c->s, c->child);
	sock_confirm(c->s, c->child, c->child_twice, 8);
	sock_confirm(c->s, c->child, c->own, 8);
	sock_confirm_end(c->s, c->child, NULL, NULL);
	session_unlock(c->s, &g);
}
static void op_reap(struct scene *c)
{
	proc_reap(c->s, NULL, NULL);
}
static void op_repair(struct scene *c)
{
	struct session_guard g;

	session_lock(c->s, &g, c->child);
	c->s->tables->sock[c->twice.sock - 1].holds = 0;
	session_repair(c->s);
	session_unlock(c->s, &g);
}
static void op_take_over(struct scene *c)
{
	struct session_guard g;

	store_release(&c->s->header->lock, (uint32_t)c->corpse);
	if (session_lock(c->s, &g, c->child) == 1)
		session_repair(c->s);
	session_unlock(c->s, &g);
}
static void op_grow(struct scene *c)
{
	session_grow_socks(c->s);
	session_grow_ring(c->s);
}
static void op_put(struct scene *c)
{
	check_put(c->s, 1);
	check_put(c->s, 4);
}

static void scene_begin(struct scene *c, struct session *s)
{
	struct session_guard g;

	*c = (struct scene){.s = s, .parent = proc_join(s)};
	c->own = sock_new(s, c->parent, 3);
	c->twice = sock_new(s, c->parent, 4);
	c->sent = sock_new(s, c->parent, 5);
	assert_int_equal(session_lock(s, &g, c->parent), 0);
	assert_int_equal(sock_hold(s, c->parent, c->twice, 6), 0);
	assert_int_equal(sock_hold(s, SOCK_IN_FLIGHT, c->sent, -1), 0);
	session_unlock(s, &g);
}

/* A process that died with a ticket and sockets of its own and of the parent. */
static void scene_corpse(struct scene *c)
{
	struct session_guard g;

	c->corpse = in_child(
		uint32_t me = proc_join(c->s);
		sock_new(c->s, me, 3);
		session_lock(c->s, &g, me);
		sock_hold(c->s, me, c->own, 3);
		session_unlock(c->s, &g);
		proc_ticket(c->s, me));
	child_ok(c->corpse);
}

static void scene_child(struct scene *c, void (*op)(struct scene *c), unsigned die_at)
{
	struct session_guard g;

	c->child = op == op_claim ? c->ticket : proc_join(c->s);
	if (op != op_claim) {
		c->child_own = sock_new(c->s, c->child, 3);
		c->child_twice = sock_new(c->s, c->child, 4);
		session_lock(c->s, &g, c->child);
		sock_hold(c->s, c->child, c->child_twice, 5);
		session_unlock(c->s, &g);
	}
	steps_left = die_at;
	op(c);
	steps_left = 0;
	_exit(0);
}

/* In flight belongs to no process, so check_tables cannot ask for its holder: taken back before. */
static void scene_check(struct scene *c)
{
	struct session_guard g;
	unsigned events = 0, lost = 0, live = 0;
	int rc = session_lock(c->s, &g, 0);

	assert_true(rc == 0 || rc == 1);
	if (rc == 1) {
		session_repair(c->s);
		assert_int_equal(session_repair(c->s), 0);
	}
	session_unlock(c->s, &g);
	assert_false(sock_drop(c->s, SOCK_IN_FLIGHT, c->sent, false));
	check_mend(c->s);
	assert_int_equal(proc_reap(c->s, NULL, NULL), 1);
	/* The parent has what it had, and alone. */
	assert_true(sock_is(c->s, c->own) && sock_is(c->s, c->twice) && sock_is(c->s, c->sent));
	assert_false(sock_shared(c->s, c->own));
	assert_true(sock_shared(c->s, c->twice));
	assert_false(sock_shared(c->s, c->sent));
	for (uint32_t i = 0; i < tables_ready(c->s); i++)
		live += c->s->tables->sock[i].word != 0;
	assert_int_equal(live, 3);
	assert_true(sock_drop(c->s, c->parent, c->own, true));
	sock_free(c->s, c->own);
	assert_false(sock_drop(c->s, c->parent, c->twice, false));
	assert_true(sock_drop(c->s, c->parent, c->twice, false));
	assert_true(sock_drop(c->s, c->parent, c->sent, false));
	assert_true(c->s->tables->proc[c->parent - 1].socks_held <= 3);
	check_drain(c->s, &events, &lost);
	assert_true(lost <= 4 && events <= 2);	/* at worst, each of four places that nobody claimed */
	assert_int_equal(load_acquire(&((struct ring *)c->s->ring)->head), ((struct ring *)c->s->ring)->tail);
	proc_drop(c->s, c->parent, NULL, NULL);
	assert_true(session_close(c->s));
	c->s->header->flags = 0;
}

/* Returns whether the child lived through. */
static bool die_at(struct session *s, void (*op)(struct scene *c), unsigned n)
{
	struct scene c;
	int status;
	pid_t pid;

	scene_begin(&c, s);
	if (op == op_reap || op == op_take_over)
		scene_corpse(&c);
	if (op == op_claim)
		c.ticket = proc_ticket(s, c.parent);
	pid = in_child(scene_child(&c, op, n));
	if (op == op_claim)
		proc_ticket_is(s, c.ticket, (uint32_t)pid);
	status = child_status(pid);
	assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	scene_check(&c);
	return status == 0;
}

static void every_step(void **state)
{
	static const struct { const char *name; void (*op)(struct scene *c); } row[] = {
		{"sock_new", op_sock_new},
		{"drop", op_drop},
		{"drop, keep", op_drop_keep},
		{"drop of a shared one", op_drop_shared},
		{"dup", op_dup},
		{"adopt", op_adopt},
		{"ticket", op_ticket},
		{"claim", op_claim},
		{"exec", op_exec},
		{"leave", op_leave},
		{"confirm", op_confirm},
		{"reap", op_reap},
		{"repair", op_repair},
		{"take over", op_take_over},
		{"grow", op_grow},
		{"put", op_put},
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct fixture *f = *state;
		unsigned n = 1;

		while (!die_at(&f->s, row[i].op, n))
			n++;
		print_message("%-22s %u deaths\n", row[i].name, n - 1);
		assert_true(n > 2);	/* it has stores, and they were counted */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_session(every_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
