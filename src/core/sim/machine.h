/* The simulated machine: loops, sockets, files, threads, clock and randomness, run by one seed.
 *
 * What core's faces promise holds here too, and within that everything that may vary does: the order of events, the size of
 * reads and writes, when a thread is done, when something fails. The same seed gives the same run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

/* How the machine misbehaves; chances in a thousand. Zero: a fast and faultless machine. */
struct machine_habits {
    unsigned short_read, short_write; /* a read or write gives less than it could */
    unsigned not_ready;               /* an event is told later than it could be */
    unsigned slow_job;                /* a job takes up to `slow_job_ms` */
    unsigned slow_job_ms;
    unsigned slow_call;               /* a file call takes 10 to 100 ms of the clock */
    unsigned file_error;              /* a file call fails with EIO, ENOSPC or EDQUOT, as it may */
    unsigned reset;                   /* a connection is reset at a read or write */
    uint64_t disk_bytes;              /* of the disk in all; 0: no limit */
    bool has_no_unnamed_files, has_no_attributes; /* the filesystem lacks O_TMPFILE; extended attributes */
    bool writes_need_threads;         /* folder_system says so */
};

void machine_start(uint64_t seed, const struct machine_habits *habits);

/* Runs events on all loops until nothing is left to do or `most` events were run; the number of events that were run. The
 * clock moves on to the next timer when nothing else is left, up to `until_ms` of its own time (0: it does not). */
uint64_t machine_run(uint64_t most, uint64_t until_ms);

/* Called after every event: where invariants are looked at. */
void machine_watch(void (*check)(void *owner), void *owner);

uint64_t machine_now_ms(void);
void machine_pass(uint64_t milliseconds); /* moves the clock */
uint64_t machine_random(uint64_t below);  /* from the seed */

/* The n-th call on the file face from now on fails with this (1: the next); 0 ends that. Returns how many there were since
 * the last call. */
uint64_t machine_fail_file_call(uint64_t nth, int errno_value);

/* Loses power: everything in files and folders that was not synced may be lost, as the seed decides (all, none, or some
 * pages; a link whose folder was not synced may or may not be there). What was open is closed. Loops, sockets and jobs are
 * forgotten: the test begins anew on the same disk with machine_restart. */
void machine_crash(void);
void machine_restart(uint64_t seed, const struct machine_habits *habits);

/* Ends everything and frees it. Descriptors that are still open are counted and returned: 0 is right. */
unsigned machine_stop(void);

unsigned machine_open_files(void);   /* descriptors of files and folders */
unsigned machine_open_sockets(void);

/* The far end of a connection: what a client would hold. */
struct client;

/* Connects to the listener whose address is `address`; NULL when nobody listens there. */
struct client *client_connect(const char *address);

/* Queues bytes to be sent, as fast as the other end reads; the window is what the kernel would hold (`client_window`). */
void client_send(struct client *client, const void *bytes, size_t length);
void client_shut(struct client *client);  /* no more bytes: FIN after what is queued */
void client_reset(struct client *client); /* RST now */

/* What has come back so far, all of it; `length_out` may be NULL. */
const char *client_received(struct client *client, size_t *length_out);
bool client_is_closed(const struct client *client); /* the other end has closed or reset */
void client_stop_reading(struct client *client, bool stops);
void client_free(struct client **client);

/* Files of the simulated disk, for looking and for preparing. */
bool machine_file_exists(const char *path);
const uint8_t *machine_file(const char *path, size_t *length_out); /* NULL when there is none */
unsigned machine_file_count(const char *folder);                   /* regular files beneath, folders not counted */
unsigned machine_folder_count(const char *folder);                 /* folders beneath */
