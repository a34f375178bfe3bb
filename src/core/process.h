/* The process: what is set once at its start, and what the system says of it and of the machine. Real side only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* main's first statement: accounts for what libraries allocate, the allocator's arenas, SIGPIPE and SIGHUP ignored, as many
 * descriptors as the hard limit allows. */
void process_begin(void);

/* Ends the process at once, whatever its threads do. */
_Noreturn void process_leave(int code);

/* Cores by affinity and by the cgroup's quota, rounded up; at least 1. */
unsigned process_cores(void);

/* The least memory limit of the cgroups that we are in (version 1 and 2, its parents too); 0: none. */
uint64_t process_memory_limit(void);

/* Descriptors that we may have open, and those that we have; 0: nobody can say. */
uint64_t process_descriptors(void);
uint64_t process_open_descriptors(void);

/* Whether the file is a pipe or a socket, where reading waits for whoever writes. */
bool process_is_pipe(const char *path);

/* Time that we have had of the processors, in milliseconds. */
uint64_t process_cpu_ms(void);

/* When the process began, in milliseconds since 1970; 0: nobody can say. */
uint64_t process_start_ms(void);

/* Whether every user of this machine may read the file. */
bool process_shows_to_all(const char *path);

/* Gives back to the system what was freed in many small pieces, which the allocator keeps otherwise: once `used` (what all
 * accounts have) is 8 MiB less than it was at some time since the last time. Some milliseconds for 100 MiB. Any thread. */
void process_trim(int64_t used);

struct process_memory {
    uint64_t anonymous, shared, resident; /* RssAnon, RssShmem, VmRSS in bytes */
};

bool process_memory(struct process_memory *memory_out);
