#include "core/threads.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/account.h"
#include "core/sim/loop.h"

enum { HELD_MOST = 4, HELD_MS_MOST = 100 };

enum work_state {
    WORK_WAITING, /* no thread has taken it */
    WORK_TAKEN,
    WORK_DONE /* the loop is not told yet */
};

/* One job on its way. */
struct work {
    struct work *next, *before; /* all, in the order in which they were asked for */
    struct actor actor;
    struct threads *threads;
    struct job *job;
    struct loop *loop;
    uint64_t due_us;
    enum work_state state;
};

struct threads {
    struct threads *next;
    unsigned most, busy, waiting;
};

static struct threads *pools;
static unsigned held;    /* jobs that are held up, one within the other */
static bool can_be_held; /* the job that is worked on: the machine has picked it as an event */
static struct work works = {.next = &works, .before = &works};

static struct work *work_of(struct actor *actor)
{
    return container_of(actor, struct work, actor);
}

bool threads_open(struct threads **threads_out, unsigned most, const char *name)
{
    (void)name;
    struct threads *threads = account_alloc(ACCOUNT_THREAD, sizeof *threads);
    if (threads == NULL)
        return false;
    threads->most = most > 0 ? most : 1;
    threads->next = pools;
    pools = threads;
    *threads_out = threads;
    return true;
}

static uint64_t slowness_us(void)
{
    const struct machine_habits *habits = machine_habits();
    return machine_chance(habits->slow_job) ? 1000 * machine_random(habits->slow_job_ms + 1) : 0;
}

/* Idle threads take jobs, first come, first served. */
static void take_waiting(struct threads *threads)
{
    for (struct work *work = works.next; work != &works && threads->busy < threads->most; work = work->next) {
        if (work->threads != threads || work->state != WORK_WAITING)
            continue;
        work->state = WORK_TAKEN;
        work->due_us = clock_now_us() + slowness_us();
        threads->busy++;
        threads->waiting--;
    }
}

static uint64_t work_ready(struct actor *actor)
{
    const struct work *work = work_of(actor);
    return work->state == WORK_WAITING ? ACTOR_NEVER : work->due_us;
}

static void work_free(struct work *work)
{
    actor_remove(&work->actor);
    work->before->next = work->next;
    work->next->before = work->before;
    work->loop->opened--;
    free(work);
}

static void tell(struct actor *actor)
{
    struct work *work = work_of(actor);
    struct job *job = work->job;
    work_free(work);
    job->done(job);
}

/* The work itself. What it spends of the clock passes for this job only, and then the loop can be told. */
static void do_work(struct work *work)
{
    struct threads *threads = work->threads;
    clock_enter_job();
    work->job->work(work->job);
    work->due_us = clock_now_us() + clock_leave_job() + slowness_us();
    work->state = WORK_DONE;
    work->threads = NULL;
    work->actor.kind = "done";
    work->actor.loop = work->loop;
    work->actor.act = tell;
    threads->busy--;
    take_waiting(threads);
}

static void work_act(struct actor *actor)
{
    struct work *work = work_of(actor);
    work->due_us = ACTOR_NEVER; /* nobody begins it a second time while it is held up */
    can_be_held = true;
    do_work(work);
    can_be_held = false;
}

/* As a thread that the system lets wait, between any two of its calls. */
void threads_meet_call(void)
{
    if (!can_be_held || held == HELD_MOST || !machine_chance(machine_habits()->held_job))
        return;
    uint64_t spent = clock_leave_job();
    can_be_held = false;
    held++;
    machine_run_meanwhile(machine_random(HELD_MS_MOST + 1));
    held--;
    can_be_held = true;
    clock_enter_job();
    clock_spend(spent);
}

void threads_run(struct threads *threads, struct loop *loop, struct job *job)
{
    loop_check(loop, "threads_run");
    struct work *work = machine_memory(sizeof *work);
    work->actor = (struct actor){.kind = "work", .ready_us = work_ready, .act = work_act};
    work->threads = threads;
    work->job = job;
    work->loop = loop;
    work->next = &works;
    work->before = works.before;
    works.before->next = work;
    works.before = work;
    actor_add(&work->actor);
    job->loop = loop;
    loop->opened++;
    threads->waiting++;
    take_waiting(threads);
}

void threads_close(struct threads **threads)
{
    struct threads *t = *threads;
    if (t == NULL)
        return;
    for (struct work *work = works.next; work != &works; work = work->next)
        if (work->threads == t)
            do_work(work); /* takes the next ones, which come later in the list */
    struct threads **link = &pools;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    account_free(ACCOUNT_THREAD, threads, sizeof *t);
}

unsigned threads_waiting(struct threads *threads)
{
    return threads->waiting;
}

unsigned threads_forget(bool tells)
{
    unsigned count = 0;
    held = 0; /* a failed test may have left a job by a jump */
    can_be_held = false;
    while (works.next != &works)
        work_free(works.next);
    while (pools != NULL) {
        struct threads *threads = pools;
        pools = threads->next;
        if (tells)
            fprintf(stderr, "simulated machine: a pool of threads is still open\n");
        account_free(ACCOUNT_THREAD, &threads, sizeof *threads);
        count++;
    }
    return count;
}
