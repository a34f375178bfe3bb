#include "core/manager.h"

/* Nobody has started the simulated machine. */

void manager_begin(void)
{
}

int manager_socket(unsigned index, const char **name_out)
{
    (void)index, (void)name_out;
    return -1;
}

uint64_t manager_watchdog_ms(void)
{
    return 0;
}

int manager_tell_ready(const char *status)
{
    (void)status;
    return 0;
}

int manager_tell_reloading(void)
{
    return 0;
}

int manager_tell_stopping(uint64_t within_ms, const char *status)
{
    (void)within_ms, (void)status;
    return 0;
}

int manager_tell_alive(void)
{
    return 0;
}
