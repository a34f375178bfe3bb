#include "core/threads.h"

#include <pthread.h>
#include <signal.h>

#include "base/span.h"
#include "core/account.h"

enum { STACK_SIZE = 64 * 1024, THREADS_MAX = 64 };

struct threads {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **last; /* jobs that no thread has taken */
    unsigned waiting, idle, started, most;
    bool is_closing;
    char name[16];
    pthread_t members[THREADS_MAX];
};

static void come_back(struct task *task)
{
    struct job *job = container_of(task, struct job, task);
    job->done(job);
}

static struct job *take_first(struct threads *threads)
{
    struct job *job = threads->first;
    threads->first = job->next;
    if (threads->first == NULL)
        threads->last = &threads->first;
    threads->waiting--;
    return job;
}

static void *work(void *argument)
{
    struct threads *threads = argument;
    pthread_setname_np(pthread_self(), threads->name);
    pthread_mutex_lock(&threads->lock);
    for (;;) {
        threads->idle++;
        while (threads->first == NULL && !threads->is_closing)
            pthread_cond_wait(&threads->filled, &threads->lock);
        threads->idle--;
        if (threads->first == NULL)
            break;
        struct job *job = take_first(threads);
        pthread_mutex_unlock(&threads->lock);
        job->work(job);
        loop_post(job->loop, &job->task);
        pthread_mutex_lock(&threads->lock);
    }
    pthread_mutex_unlock(&threads->lock);
    return NULL;
}

/* Under the lock. When no thread can be started the jobs wait for those that are there; the first is started on
 * opening. */
static bool start_one(struct threads *threads)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all); /* signals are the first loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&threads->members[threads->started], &attributes, work, threads);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result == 0)
        threads->started++;
    return result == 0;
}

bool threads_open(struct threads **threads_out, unsigned most, const char *name)
{
    struct threads *threads = account_alloc(ACCOUNT_THREAD, sizeof *threads);
    if (threads == NULL)
        return false;
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->filled, NULL);
    threads->last = &threads->first;
    threads->most = most < THREADS_MAX ? most : THREADS_MAX;
    span_copy(span_of(name), threads->name, sizeof threads->name);
    if (!start_one(threads)) {
        threads_close(&threads);
        return false;
    }
    *threads_out = threads;
    return true;
}

void threads_run(struct threads *threads, struct loop *loop, struct job *job)
{
    job->loop = loop;
    job->task.run = come_back;
    job->next = NULL;
    pthread_mutex_lock(&threads->lock);
    *threads->last = job;
    threads->last = &job->next;
    threads->waiting++;
    if (threads->waiting > threads->idle && threads->started < threads->most)
        start_one(threads);
    pthread_cond_signal(&threads->filled);
    pthread_mutex_unlock(&threads->lock);
}

void threads_close(struct threads **threads)
{
    struct threads *t = *threads;
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->is_closing = true;
    pthread_cond_broadcast(&t->filled);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->started; i++)
        pthread_join(t->members[i], NULL);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->filled);
    account_free(ACCOUNT_THREAD, threads, sizeof *t);
}

unsigned threads_waiting(struct threads *threads)
{
    pthread_mutex_lock(&threads->lock);
    unsigned waiting = threads->waiting;
    pthread_mutex_unlock(&threads->lock);
    return waiting;
}
