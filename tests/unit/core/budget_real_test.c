/* Who is promised memory, in which order, and from which loop. */
#include "core/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "core/account.h"
#include "support/real_loop.h"

enum { SIZE = 100, LOOPS = 4, ACTORS = 8, DEALS = 2000 };

struct one {
    struct ticket ticket;
    char name;
    bool is_told;
};

static struct loop *loop;
static struct budget *budget;
static char told[32]; /* names in the order in which they were told */

static void note(struct task *task)
{
    struct one *one = container_of(task, struct one, ticket.task);
    one->is_told = true;
    told[strlen(told)] = one->name;
}

#define ONE(letter)                                                                                                    \
    {                                                                                                                  \
        .ticket.task.run = note, .name = (letter)                                                                      \
    }

static int setup(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    return loop_open(&loop, 0) && budget_open(&budget, SIZE) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bool is_clean = budget_used(budget) == 0 && budget_waiting(budget) == 0;
    budget_close(&budget);
    loop_close(&loop);
    return is_clean && account_used(ACCOUNT_UPLOAD) == 0 && account_used(ACCOUNT_LOOP) == 0 ? 0 : -1;
}

static void what_fits_is_held_at_once(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b');
    assert_int_equal(budget_size(budget), SIZE);
    assert_false(budget_is_short(budget));
    assert_true(ticket_take(budget, loop, &a.ticket, 60));
    assert_true(ticket_take(budget, loop, &b.ticket, 40));
    assert_int_equal(budget_used(budget), 100);
    assert_true(budget_is_short(budget));
    turn_once(loop);
    assert_string_equal(told, "");
    ticket_return(budget, &a.ticket);
    ticket_return(budget, &a.ticket); /* once is enough */
    assert_int_equal(budget_used(budget), 40);
    ticket_return(budget, &b.ticket);
}

static void who_came_first_is_served_first(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d');
    assert_true(ticket_take(budget, loop, &a.ticket, 60));
    assert_false(ticket_take(budget, loop, &b.ticket, 60));
    assert_false(ticket_take(budget, loop, &c.ticket, 10)); /* would fit, but b was there before */
    assert_false(ticket_take(budget, loop, &d.ticket, 90));
    assert_int_equal(budget_waiting(budget), 3);
    assert_true(budget_is_short(budget));
    turn_once(loop);
    assert_string_equal(told, "");
    ticket_return(budget, &a.ticket);
    assert_string_equal(told, ""); /* nobody is called from inside of a call */
    turn_once(loop);
    assert_string_equal(told, "bc");
    ticket_return(budget, &c.ticket);
    turn_once(loop);
    assert_string_equal(told, "bc");
    ticket_return(budget, &b.ticket);
    turn_once(loop);
    assert_string_equal(told, "bcd");
    ticket_return(budget, &d.ticket);
    assert_false(budget_is_short(budget));
}

static void who_hangs_up_leaves_the_queue(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d');
    assert_true(ticket_take(budget, loop, &a.ticket, 60));
    assert_false(ticket_take(budget, loop, &b.ticket, 60));
    assert_false(ticket_take(budget, loop, &c.ticket, 30));
    assert_false(ticket_take(budget, loop, &d.ticket, 20));
    ticket_return(budget, &b.ticket); /* c needs to wait no longer */
    turn_once(loop);
    assert_string_equal(told, "c");
    ticket_return(budget, &d.ticket); /* the last one */
    assert_int_equal(budget_waiting(budget), 0);
    assert_int_equal(budget_used(budget), 90);
    ticket_return(budget, &a.ticket);
    ticket_return(budget, &c.ticket);
    turn_once(loop);
    assert_string_equal(told, "c");
}

static void who_leaves_after_the_grant_is_not_told_of_it(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    assert_true(ticket_take(budget, loop, &a.ticket, 100));
    assert_false(ticket_take(budget, loop, &b.ticket, 100));
    assert_false(ticket_take(budget, loop, &c.ticket, 100));
    ticket_return(budget, &a.ticket); /* b holds it now and has not been told */
    assert_int_equal(budget_waiting(budget), 1);
    ticket_return(budget, &b.ticket);
    turn_once(loop);
    assert_string_equal(told, "c");
    ticket_return(budget, &c.ticket);
}

static void a_ticket_larger_than_the_budget_is_granted_alone(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    assert_true(ticket_take(budget, loop, &a.ticket, 1));
    assert_false(ticket_take(budget, loop, &b.ticket, 1000));
    assert_false(ticket_take(budget, loop, &c.ticket, 1));
    ticket_return(budget, &a.ticket);
    turn_once(loop);
    assert_string_equal(told, "b");
    assert_int_equal(budget_used(budget), 1000);
    ticket_return(budget, &b.ticket);
    turn_once(loop);
    assert_string_equal(told, "bc");
    ticket_return(budget, &c.ticket);
    assert_true(ticket_take(budget, loop, &b.ticket, 1000));
    ticket_return(budget, &b.ticket);
}

static void an_overdraft_is_paid_back_before_anybody_is_granted_anything(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b');
    budget_charge(budget, 150);
    assert_true(budget_is_short(budget));
    assert_int_equal(budget_used(budget), 150);
    assert_false(ticket_take(budget, loop, &a.ticket, 10));
    budget_charge(budget, -50);
    turn_once(loop);
    assert_string_equal(told, "");
    budget_charge(budget, -9);
    turn_once(loop);
    assert_string_equal(told, "");
    budget_charge(budget, -1);
    turn_once(loop);
    assert_string_equal(told, "a");
    budget_charge(budget, 20);
    ticket_return(budget, &a.ticket);
    assert_false(ticket_take(budget, loop, &b.ticket, 1));
    ticket_return(budget, &b.ticket);
    budget_charge(budget, -110);
}

/* ---- from several loops at once ---- */

struct actor {
    struct ticket ticket;
    struct task step;
    struct loop *loop;
    uint64_t dice;
    unsigned deals;
    bool is_held, is_waiting;
};

static _Atomic unsigned busy;
static struct loop *loops[LOOPS];
static struct actor actors[LOOPS * ACTORS];

static uint64_t roll(struct actor *actor, uint64_t below)
{
    actor->dice = actor->dice * 6364136223846793005u + 1442695040888963407u;
    return (actor->dice >> 33) % below;
}

static void granted(struct task *task)
{
    struct actor *actor = container_of(task, struct actor, ticket.task);
    int64_t used = budget_used(budget);
    assert_true(used > 0 && used <= SIZE);
    assert_true(actor->is_waiting && !actor->is_held);
    actor->is_held = true;
    actor->is_waiting = false;
    loop_post(actor->loop, &actor->step);
}

/* Takes, gives back, or takes no longer an interest. */
static void step(struct task *task)
{
    struct actor *actor = container_of(task, struct actor, step);
    if (actor->is_held || actor->is_waiting) {
        ticket_return(budget, &actor->ticket);
        actor->is_held = actor->is_waiting = false;
        if (--actor->deals == 0) {
            if (atomic_fetch_sub(&busy, 1) == 1)
                for (int i = 0; i < LOOPS; i++)
                    loop_stop(loops[i]);
            return;
        }
    }
    if (ticket_take(budget, actor->loop, &actor->ticket, 1 + roll(actor, SIZE))) {
        actor->is_held = true;
        loop_post(actor->loop, &actor->step);
        return;
    }
    actor->is_waiting = true;
    if (roll(actor, 3) == 0)
        loop_post(actor->loop, &actor->step); /* and hangs up, if it was not told before */
}

static void loops_share_it_without_losing_a_byte(void **state)
{
    (void)state;
    atomic_store(&busy, LOOPS * ACTORS);
    for (unsigned i = 0; i < LOOPS; i++)
        assert_true(loop_open(&loops[i], i));
    for (unsigned i = 0; i < LOOPS * ACTORS; i++) {
        actors[i] = (struct actor){
            .ticket.task.run = granted, .step.run = step, .loop = loops[i % LOOPS], .dice = i, .deals = DEALS};
        loop_post(actors[i].loop, &actors[i].step);
    }
    assert_true(run_loops(loops, LOOPS));
    assert_true(budget_is_in_order(budget));
    assert_int_equal(budget_waiting(budget), 0);
    assert_int_equal(budget_used(budget), 0);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct budget *none = NULL;
    account_fail_at(1);
    assert_false(budget_open(&none, SIZE));
    account_fail_at(0);
    assert_null(none);
    budget_close(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_fits_is_held_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_came_first_is_served_first, setup, teardown),
        cmocka_unit_test_setup_teardown(who_hangs_up_leaves_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_after_the_grant_is_not_told_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ticket_larger_than_the_budget_is_granted_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_overdraft_is_paid_back_before_anybody_is_granted_anything, setup, teardown),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test_setup_teardown(loops_share_it_without_losing_a_byte, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
