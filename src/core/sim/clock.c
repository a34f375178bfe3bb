#include "core/clock.h"

#include "core/sim/actor.h"

static const uint64_t first_us = 1000 * 1000;        /* never 0, as on a real machine */
static const int64_t epoch_ms = 1767225600 * 1000LL; /* 2026-01-01T00:00:00Z */

static uint64_t now_us = first_us;
static uint64_t ahead_us; /* of the job that is being worked on */
static bool is_in_job;

void clock_reset(void)
{
    now_us = first_us;
    ahead_us = 0;
    is_in_job = false;
}

uint64_t clock_now_us(void)
{
    return now_us;
}

void clock_move_to(uint64_t us)
{
    if (us > now_us)
        now_us = us;
}

void clock_spend(uint64_t us)
{
    if (is_in_job)
        ahead_us += us;
    else
        now_us += us;
}

void clock_enter_job(void)
{
    is_in_job = true;
    ahead_us = 0;
}

uint64_t clock_leave_job(void)
{
    uint64_t spent = ahead_us;
    is_in_job = false;
    ahead_us = 0;
    return spent;
}

bool clock_is_in_job(void)
{
    return is_in_job;
}

uint64_t machine_now_ms(void)
{
    return now_us / 1000;
}

void machine_pass(uint64_t milliseconds)
{
    now_us += milliseconds * 1000;
}

uint64_t clock_monotonic_us(void)
{
    return now_us + ahead_us;
}

int64_t clock_wall_ms(void)
{
    return epoch_ms + (int64_t)(clock_monotonic_us() / 1000);
}
