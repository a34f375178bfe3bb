/* Whose turn it is. */
#include "core/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/account.h"
#include "support/real_loop.h"

enum { LOOPS = 4, ACTORS = 8, DEALS = 2000, KEYS = 3 };

struct one {
    struct turn turn;
    char name;
};

static struct loop *loop;
static struct turns *turns;
static char told[32];

static void note(struct task *task)
{
    told[strlen(told)] = container_of(task, struct one, turn.task)->name;
}

#define ONE(letter)                                                                                                    \
    {                                                                                                                  \
        .turn.task.run = note, .name = (letter)                                                                        \
    }

static int setup(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    return loop_open(&loop, 0) && turns_open(&turns) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    turns_close(&turns);
    loop_close(&loop);
    return account_used(ACCOUNT_STORE) == 0 ? 0 : -1;
}

static void turns_come_in_the_order_in_which_they_were_asked_for(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c');
    assert_true(turn_take(turns, loop, &a.turn, "key"));
    assert_false(turn_take(turns, loop, &b.turn, "key"));
    assert_false(turn_take(turns, loop, &c.turn, "key"));
    turn_once(loop);
    assert_string_equal(told, "");
    turn_pass(turns, &a.turn);
    assert_string_equal(told, "");
    turn_once(loop);
    assert_string_equal(told, "b");
    turn_pass(turns, &b.turn);
    turn_once(loop);
    assert_string_equal(told, "bc");
    turn_pass(turns, &c.turn);
    turn_pass(turns, &c.turn); /* once is enough */
    assert_true(turn_take(turns, loop, &a.turn, "key"));
    turn_pass(turns, &a.turn);
    turn_once(loop);
    assert_string_equal(told, "bc");
}

static void who_waits_can_leave(void **state)
{
    (void)state;
    struct one a = ONE('a'), b = ONE('b'), c = ONE('c'), d = ONE('d'), e = ONE('e');
    turn_pass(turns, &a.turn); /* never asked */
    assert_true(turn_take(turns, loop, &a.turn, "key"));
    assert_false(turn_take(turns, loop, &b.turn, "key"));
    assert_false(turn_take(turns, loop, &c.turn, "key"));
    assert_false(turn_take(turns, loop, &d.turn, "key"));
    turn_pass(turns, &b.turn); /* the first of the queue */
    turn_pass(turns, &d.turn); /* the last */
    assert_false(turn_take(turns, loop, &e.turn, "key"));
    turn_pass(turns, &a.turn); /* it is c's turn now, who has not been told */
    turn_pass(turns, &c.turn);
    turn_once(loop);
    assert_string_equal(told, "e");
    turn_pass(turns, &e.turn);
}

static void most_keys_do_not_wait_for_one_another(void **state)
{
    (void)state;
    struct one ones[32] = {0};
    unsigned at_once = 0;
    for (unsigned i = 0; i < 32; i++) {
        char key[16];
        ones[i].turn.task.run = note;
        ones[i].name = 'x';
        snprintf(key, sizeof key, "key %u", i);
        at_once += turn_take(turns, loop, &ones[i].turn, key);
    }
    assert_true(at_once > 16);
    for (unsigned i = 0; i < 32; i++)
        turn_pass(turns, &ones[i].turn);
}

/* ---- from several loops at once ---- */

struct actor {
    struct turn turn;
    struct task step;
    struct loop *loop;
    uint64_t dice;
    unsigned deals, key;
    bool is_held, is_waiting;
};

static _Atomic unsigned busy, inside[KEYS];
static struct loop *loops[LOOPS];
static struct actor actors[LOOPS * ACTORS];

static void enter(struct actor *actor)
{
    assert_int_equal(atomic_exchange(&inside[actor->key], 1), 0); /* alone */
    actor->is_held = true;
    loop_post(actor->loop, &actor->step);
}

static void my_turn(struct task *task)
{
    struct actor *actor = container_of(task, struct actor, turn.task);
    assert_true(actor->is_waiting);
    actor->is_waiting = false;
    enter(actor);
}

static void step(struct task *task)
{
    static const char *const keys[KEYS] = {"a", "b", "c"};
    struct actor *actor = container_of(task, struct actor, step);
    if (actor->is_held || actor->is_waiting) {
        if (actor->is_held)
            atomic_store(&inside[actor->key], 0);
        turn_pass(turns, &actor->turn);
        actor->is_held = actor->is_waiting = false;
        if (--actor->deals == 0) {
            if (atomic_fetch_sub(&busy, 1) == 1)
                for (int i = 0; i < LOOPS; i++)
                    loop_stop(loops[i]);
            return;
        }
    }
    actor->dice = actor->dice * 6364136223846793005u + 1442695040888963407u;
    actor->key = (unsigned)(actor->dice >> 33) % KEYS;
    if (turn_take(turns, actor->loop, &actor->turn, keys[actor->key])) {
        enter(actor);
        return;
    }
    actor->is_waiting = true;
    if ((actor->dice >> 50) % 4 == 0)
        loop_post(actor->loop, &actor->step); /* and leaves, if it was not told before */
}

static void nobody_shares_a_turn_with_another_loop(void **state)
{
    (void)state;
    atomic_store(&busy, LOOPS * ACTORS);
    for (unsigned i = 0; i < LOOPS; i++)
        assert_true(loop_open(&loops[i], i));
    for (unsigned i = 0; i < LOOPS * ACTORS; i++) {
        actors[i] = (struct actor){
            .turn.task.run = my_turn, .step.run = step, .loop = loops[i % LOOPS], .dice = i, .deals = DEALS};
        loop_post(actors[i].loop, &actors[i].step);
    }
    assert_true(run_loops(loops, LOOPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(turns_come_in_the_order_in_which_they_were_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_can_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(most_keys_do_not_wait_for_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_shares_a_turn_with_another_loop, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
