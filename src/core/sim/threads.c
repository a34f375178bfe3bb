#include "core/threads.h"

#include <stdio.h>

#include "core/account.h"
#include "core/sim/world.h"

enum { THREADS_MAX = 64 };

/* A job that a thread has taken; its work is done in one event, at `ready_us` or later. */
struct thread {
    struct job *job; /* NULL: idle */
    uint64_t ready_us;
};

struct threads {
    struct threads *next;
    struct job *first, **last; /* jobs that no thread has taken */
    unsigned waiting, most;
    bool is_dead;
    struct thread members[THREADS_MAX];
};

static struct threads *pools;

static void come_back(struct task *task)
{
    struct job *job = container_of(task, struct job, task);
    job->done(job);
}

bool threads_open(struct threads **threads_out, unsigned most, const char *name)
{
    (void)name;
    struct threads *threads = account_alloc(ACCOUNT_THREAD, sizeof *threads);
    if (threads == NULL)
        return false;
    threads->last = &threads->first;
    threads->most = most == 0 ? 1 : most < THREADS_MAX ? most : THREADS_MAX;
    threads->next = pools;
    pools = threads;
    *threads_out = threads;
    return true;
}

void threads_run(struct threads *threads, struct loop *loop, struct job *job)
{
    if (threads->is_dead)
        return;
    job->loop = loop;
    job->task.run = come_back;
    job->next = NULL;
    *threads->last = job;
    threads->last = &job->next;
    threads->waiting++;
}

static struct thread *idle_member(struct threads *threads)
{
    for (unsigned i = 0; i < threads->most; i++)
        if (threads->members[i].job == NULL)
            return &threads->members[i];
    return NULL;
}

static void take(void *subject)
{
    struct threads *threads = subject;
    struct thread *thread = idle_member(threads);
    thread->job = threads->first;
    thread->ready_us = world.now_us;
    if (world_chance(world.habits.slow_job))
        thread->ready_us += 1000 * (1 + machine_random(world.habits.slow_job_ms));
    threads->first = thread->job->next;
    if (threads->first == NULL)
        threads->last = &threads->first;
    threads->waiting--;
}

static void work(void *subject)
{
    struct thread *thread = subject;
    struct job *job = thread->job;
    bool was_on_thread = world.is_on_thread;
    world.is_on_thread = true;
    job->work(job);
    world.is_on_thread = was_on_thread;
    thread->job = NULL;
    loop_post(job->loop, &job->task);
}

void threads_offer(struct pick *pick)
{
    for (struct threads *threads = pools; threads != NULL; threads = threads->next) {
        if (threads->first != NULL && idle_member(threads) != NULL)
            pick_offer(pick, take, threads);
        for (unsigned i = 0; i < threads->most; i++) {
            struct thread *thread = &threads->members[i];
            if (thread->job == NULL)
                continue;
            if (thread->ready_us <= world.now_us)
                pick_offer(pick, work, thread);
            else
                pick_later(pick, thread->ready_us);
        }
    }
}

static void finish_all(struct threads *threads)
{
    for (unsigned i = 0; i < threads->most; i++)
        if (threads->members[i].job != NULL)
            work(&threads->members[i]);
    while (threads->first != NULL) {
        take(threads);
        work(&threads->members[0]);
    }
}

void threads_close(struct threads **threads)
{
    struct threads *t = *threads, **link = &pools;
    if (t == NULL)
        return;
    if (!t->is_dead)
        finish_all(t);
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    account_free(ACCOUNT_THREAD, threads, sizeof *t);
}

unsigned threads_waiting(struct threads *threads)
{
    return threads->waiting;
}

unsigned threads_forget(bool is_end)
{
    unsigned left = 0;
    for (struct threads *threads = pools; threads != NULL; threads = threads->next) {
        left += !threads->is_dead;
        threads->is_dead = true;
        threads->first = NULL;
        threads->last = &threads->first;
        threads->waiting = 0;
        for (unsigned i = 0; i < threads->most; i++)
            threads->members[i].job = NULL;
    }
    if (!is_end)
        return left;
    while (pools != NULL) {
        struct threads *threads = pools;
        pools = threads->next;
        account_free(ACCOUNT_THREAD, &threads, sizeof *threads);
    }
    if (left > 0)
        fprintf(stderr, "%u pools of threads were left open.\n", left);
    return left;
}
