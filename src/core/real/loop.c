#include "core/real/loop.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "core/account.h"
#include "core/clock.h"

enum { TASKS_A_ROUND = 4096, STACK_SIZE = 512 * 1024 };

static void *counted_malloc(size_t size)
{
    void *memory = malloc(size);
    account_charge(ACCOUNT_LIBUV, (int64_t)malloc_usable_size(memory));
    return memory;
}

static void *counted_calloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    account_charge(ACCOUNT_LIBUV, (int64_t)malloc_usable_size(memory));
    return memory;
}

static void *counted_realloc(void *memory, size_t size)
{
    int64_t before = (int64_t)malloc_usable_size(memory);
    void *moved = realloc(memory, size);
    if (moved != NULL)
        account_charge(ACCOUNT_LIBUV, (int64_t)malloc_usable_size(moved) - before);
    return moved;
}

static void counted_free(void *memory)
{
    account_charge(ACCOUNT_LIBUV, -(int64_t)malloc_usable_size(memory));
    free(memory);
}

void loop_account(void)
{
    uv_replace_allocator(counted_malloc, counted_realloc, counted_calloc, counted_free);
}

static void list_init(struct task *head)
{
    head->next = head->before = head;
}

static void list_append(struct task *head, struct task *task)
{
    task->next = head;
    task->before = head->before;
    head->before->next = task;
    head->before = task;
}

static struct task *list_take(struct task *head)
{
    struct task *task = head->next;
    if (task == head)
        return NULL;
    task->before->next = task->next;
    task->next->before = task->before;
    task->next = task->before = NULL;
    return task;
}

static void run_timers(struct loop *loop)
{
    struct timer *timer;
    while ((timer = wheel_due(&loop->wheel, uv_now(&loop->uv))) != NULL)
        timer->run(timer);
}

static void alarm_rang(uv_timer_t *alarm);

static void set_alarm(struct loop *loop, uint64_t due_ms)
{
    if (due_ms >= loop->alarm_ms)
        return; /* it rings early enough, and is set anew then */
    uint64_t now = uv_now(&loop->uv);
    loop->alarm_ms = due_ms;
    uv_timer_start(&loop->alarm, alarm_rang, due_ms > now ? due_ms - now : 0, 0);
}

static void alarm_rang(uv_timer_t *alarm)
{
    struct loop *loop = container_of(alarm, struct loop, alarm);
    loop->alarm_ms = UINT64_MAX;
    run_timers(loop);
    loop_leave(loop);
    set_alarm(loop, wheel_next_ms(&loop->wheel));
}

static void go_on(uv_idle_t *again)
{
    struct loop *loop = container_of(again, struct loop, again);
    uv_idle_stop(again);
    loop_leave(loop);
}

static void run_soon(struct loop *loop)
{
    struct task *task;
    unsigned left = TASKS_A_ROUND;
    while (left-- > 0 && (task = list_take(&loop->soon)) != NULL)
        task->run(task);
    if (loop->soon.next != &loop->soon)
        uv_idle_start(&loop->again, go_on);
}

/* Moves all tasks of a list to an empty one. */
static void list_move(struct task *from, struct task *to)
{
    list_init(to);
    if (from->next == from)
        return;
    *to = *from;
    to->next->before = to->before->next = to;
    list_init(from);
}

/* Those that are there now: what they ask for in turn has its own time. */
static void run_late(struct loop *loop)
{
    struct task round, *task;
    list_move(&loop->late, &round);
    while ((task = list_take(&round)) != NULL) {
        task->run(task);
        run_soon(loop);
    }
}

void loop_leave(struct loop *loop)
{
    run_soon(loop);
    if (loop->late.next != &loop->late && clock_monotonic_us() >= loop->late_since_us + LATE_US)
        run_late(loop);
}

static void about_to_wait(uv_prepare_t *before_wait)
{
    struct loop *loop = container_of(before_wait, struct loop, before_wait);
    run_late(loop);
    if (loop->late.next != &loop->late)
        uv_idle_start(&loop->again, go_on);
}

void loop_soon(struct loop *loop, struct task *task)
{
    if (task->next == NULL)
        list_append(&loop->soon, task);
}

void loop_late(struct loop *loop, struct task *task)
{
    if (task->next != NULL)
        return;
    if (loop->late.next == &loop->late)
        loop->late_since_us = clock_monotonic_us();
    list_append(&loop->late, task);
}

void loop_post(struct loop *loop, struct task *task)
{
    pthread_mutex_lock(&loop->lock);
    if (task->next == NULL)
        list_append(&loop->inbox, task);
    pthread_mutex_unlock(&loop->lock);
    uv_async_send(&loop->wake);
}

void loop_cancel(struct loop *loop, struct task *task)
{
    pthread_mutex_lock(&loop->lock);
    if (task->next != NULL) {
        task->before->next = task->next;
        task->next->before = task->before;
        task->next = task->before = NULL;
    }
    pthread_mutex_unlock(&loop->lock);
}

/* One at a time, so that a task can take another one back that is still in the box. */
static void open_inbox(uv_async_t *wake)
{
    struct loop *loop = container_of(wake, struct loop, wake);
    for (unsigned left = TASKS_A_ROUND;; left--) {
        pthread_mutex_lock(&loop->lock);
        struct task *task = left > 0 ? list_take(&loop->inbox) : NULL;
        bool is_empty = loop->inbox.next == &loop->inbox;
        bool must_stop = loop->must_stop;
        pthread_mutex_unlock(&loop->lock);
        if (must_stop)
            uv_stop(&loop->uv);
        if (task == NULL) {
            if (!is_empty)
                uv_async_send(wake);
            return;
        }
        task->run(task);
        loop_leave(loop);
    }
}

void timer_start(struct loop *loop, struct timer *timer, uint64_t milliseconds)
{
    if (milliseconds == 0)
        milliseconds = 1; /* a timer that starts itself anew must not be due again in the same round */
    wheel_add(&loop->wheel, timer, uv_now(&loop->uv) + milliseconds);
    set_alarm(loop, timer->due_tick * WHEEL_TICK_MS);
}

void timer_stop(struct loop *loop, struct timer *timer)
{
    wheel_remove(&loop->wheel, timer);
}

static bool open_handles(struct loop *loop)
{
    if (uv_loop_init(&loop->uv) != 0)
        return false;
    if (uv_async_init(&loop->uv, &loop->wake, open_inbox) != 0) {
        uv_loop_close(&loop->uv);
        return false;
    }
    uv_timer_init(&loop->uv, &loop->alarm);
    uv_idle_init(&loop->uv, &loop->again);
    uv_prepare_init(&loop->uv, &loop->before_wait);
    uv_prepare_start(&loop->before_wait, about_to_wait);
    return true;
}

bool loop_open(struct loop **loop_out, unsigned index)
{
    struct loop *loop = account_alloc(ACCOUNT_LOOP, sizeof *loop);
    if (loop == NULL)
        return false;
    loop->index = index;
    loop->alarm_ms = UINT64_MAX;
    list_init(&loop->soon);
    list_init(&loop->late);
    list_init(&loop->inbox);
    /* Touched from the start: every loop will need it, and the first upload costs no page faults. */
    loop->block =
        mmap(NULL, LOOP_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (loop->block == MAP_FAILED || !open_handles(loop)) {
        if (loop->block != MAP_FAILED)
            munmap(loop->block, LOOP_BLOCK_SIZE);
        account_free(ACCOUNT_LOOP, &loop, sizeof *loop);
        return false;
    }
    account_charge(ACCOUNT_LOOP, LOOP_BLOCK_SIZE);
    pthread_mutex_init(&loop->lock, NULL);
    wheel_init(&loop->wheel, uv_now(&loop->uv));
    *loop_out = loop;
    return true;
}

void loop_run(struct loop *loop)
{
    loop_leave(loop); /* what was asked for before it ran */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void *run_on_thread(void *loop)
{
    pthread_setname_np(pthread_self(), "penstock-loop");
    loop_run(loop);
    return NULL;
}

bool loop_start(struct loop *loop)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the first loop's */
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&loop->thread, &attributes, run_on_thread, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0;
}

void loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->must_stop = true;
    pthread_mutex_unlock(&loop->lock);
    uv_async_send(&loop->wake);
}

void loop_close(struct loop **loop)
{
    struct loop *l = *loop;
    if (l == NULL)
        return;
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_close((uv_handle_t *)&l->again, NULL);
    uv_close((uv_handle_t *)&l->before_wait, NULL);
    for (int i = 0; i < SIGNALS && l->on_signal != NULL; i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* closing is told on the loop; sockets closed before it end here too */
    if (uv_loop_close(&l->uv) != 0)
        abort(); /* something was left open on it: a leak that must be seen */
    pthread_mutex_destroy(&l->lock);
    munmap(l->block, LOOP_BLOCK_SIZE);
    account_charge(ACCOUNT_LOOP, -LOOP_BLOCK_SIZE);
    account_free(ACCOUNT_LOOP, loop, sizeof *l);
}

unsigned loop_index(const struct loop *loop)
{
    return loop->index;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

int64_t loop_wall_s(const struct loop *loop)
{
    (void)loop;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

uint8_t *loop_block(struct loop *loop)
{
    return loop->block;
}

static void signal_came(uv_signal_t *signal, int number)
{
    struct loop *loop = signal->data;
    enum loop_signal which = number == SIGHUP ? SIGNAL_RELOAD : SIGNAL_END;
    loop->on_signal(loop->signal_owner, which, ++loop->signals_told[which]);
    loop_leave(loop);
}

void loop_on_signals(struct loop *loop, void (*run)(void *owner, enum loop_signal which, unsigned times), void *owner)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    loop->on_signal = run;
    loop->signal_owner = owner;
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        uv_signal_start(&loop->signals[i], signal_came, numbers[i]);
    }
}
