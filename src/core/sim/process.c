#include "core/process.h"

/* A machine of two cores without limits of memory, whatever the tests run on. */

void process_begin(void)
{
}

unsigned process_cores(void)
{
    return 2;
}

uint64_t process_memory_limit(void)
{
    return 0;
}

uint64_t process_descriptors(void)
{
    return 20000;
}

uint64_t process_open_descriptors(void)
{
    return 10;
}

bool process_is_pipe(const char *path)
{
    (void)path;
    return false;
}

uint64_t process_cpu_ms(void)
{
    return 0;
}

uint64_t process_start_ms(void)
{
    return 0;
}

bool process_shows_to_all(const char *path)
{
    (void)path;
    return false;
}

void process_trim(int64_t used)
{
    (void)used;
}

bool process_memory(struct process_memory *memory_out)
{
    const uint64_t mebibyte = 1024 * 1024;
    *memory_out = (struct process_memory){.anonymous = 16 * mebibyte, .shared = 0, .resident = 24 * mebibyte};
    return true;
}
