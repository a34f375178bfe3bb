/* The simulated machine: loops, sockets, files, threads, clock and randomness, run by one seed.
 *
 * What core's faces promise holds here too, and within that everything that may vary does: the order of events, the
 * size of reads and writes, when a thread is done, when something fails. The same seed gives the same run. */
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
    unsigned held_job;      /* a job is held up at a file call, and others act meanwhile, also other jobs */
    unsigned slow_call;     /* a file call takes 10 to 100 ms of the clock */
    unsigned file_error;    /* a file call fails with EIO, ENOSPC or EDQUOT, as it may */
    unsigned reset;         /* a connection is reset at a read or write */
    unsigned round_trip_us; /* what socket_round_trip_us says */
    uint64_t disk_bytes;    /* of the disk in all; 0: no limit */
    unsigned descriptors;   /* of files and folders at once, until EMFILE; 0: no limit */
    bool has_no_unnamed_files, has_no_attributes; /* the filesystem lacks O_TMPFILE; extended attributes */
    bool has_no_swaps;                            /* it can't exchange names */
    bool has_no_careful_renames;                  /* it can't rename without replacing */
    bool writes_need_threads, disk_is_shared;     /* folder_system says so */
};

void machine_start(uint64_t seed, const struct machine_habits *habits);
void machine_change(const struct machine_habits *habits); /* from now on */

/* Runs events on all loops until nothing is left to do or `most` events were run; the number of events that were run.
 * The clock moves on to the next timer when nothing else is left, up to `until_ms` of its own time (machine_now_ms; 0:
 * to no timer, and only to the end of slow jobs). A loop that was stopped takes no part any more. */
uint64_t machine_run(uint64_t most, uint64_t until_ms);

/* Called after every event and what loop_soon was asked for in it: where invariants are looked at. */
void machine_watch(void (*check)(void *owner), void *owner);

uint64_t machine_now_ms(void);
void machine_pass(uint64_t milliseconds); /* moves the clock */
uint64_t machine_random(uint64_t below);  /* from the seed */
uint64_t machine_trace(void);             /* a hash of all that has happened: the same seed, the same trace */

/* The n-th call on the file face from now on fails with this (1: the next); 0 ends that. Returns how many there were
 * since the last call. Calls that give no result (closing, warming) are not counted. */
uint64_t machine_fail_file_call(uint64_t nth, int errno_value);

/* And so many calls after that one, one more fails with the same. To be asked for after it. */
void machine_fail_again_after(uint64_t calls);

/* Loses power: everything in files and folders that was not synced may be lost, as the seed decides (all, none, or some
 * pages; a link whose folder was not synced may or may not be there). What was open is closed, and connections are
 * reset. Between two events only; a machine_run in whose machine_watch it happens returns.
 *
 * The test begins anew on the same disk with machine_restart, which forgets loops, sockets and jobs. Until then calls
 * on files fail with EIO, so that what ran may be run to its end and closed in order; or it is left as it lies, and its
 * memory is the test's loss. */
void machine_crash(void);

/* The same for a process that is killed: its descriptors and connections end, and files and folders stay as they
 * are. */
void machine_kill(void);
void machine_restart(uint64_t seed, const struct machine_habits *habits);

/* Ends everything and frees it, clients too. What is still open (descriptors, sockets, listeners, pools, loops) is
 * counted, told on standard error and returned: 0 is right. Tasks and timers that were asked for must still lie in
 * memory. */
unsigned machine_stop(void);

unsigned machine_open_files(void);   /* descriptors of files and folders */
unsigned machine_open_sockets(void); /* and accepted descriptors; not listeners */

/* The far end of a connection: what a client would hold. */
struct client;

/* Connects to the listener whose address is `address`; NULL when nobody listens there. */
struct client *client_connect(const char *address);

/* Queues bytes to be sent, as fast as the other end reads: what it has not read yet is at most its receive buffer
 * (64 KiB, until socket_set_receive_buffer says otherwise). */
void client_send(struct client *client, const void *bytes, size_t length);
void client_shut(struct client *client);  /* no more bytes: FIN after what is queued */
void client_reset(struct client *client); /* RST now */

/* What has come back so far, all of it; `length_out` may be NULL. */
const char *client_received(struct client *client, size_t *length_out);
bool client_is_closed(
    const struct client *client); /* the other end has closed, shut or reset, and all before was read */
bool client_was_reset(const struct client *client); /* it ended by a reset, whoever's */
void client_stop_reading(struct client *client, bool stops);

/* As a program that ends: what is queued still goes, then FIN; what comes back is answered by a reset. */
void client_free(struct client **client);

/* Files of the simulated disk, for looking and for preparing. */
bool machine_file_exists(const char *path);
const uint8_t *machine_file(const char *path, size_t *length_out); /* NULL when there is none */
unsigned machine_file_count(const char *folder);                   /* regular files beneath, folders not counted */
void machine_files(const char *folder, void (*each)(void *owner, const char *path, const uint8_t *bytes, size_t length),
                   void *owner); /* tells all regular files beneath, in no order; `path` is from there */
unsigned machine_folder_count(const char *folder); /* folders beneath */
void machine_mount(const char *path);              /* another filesystem, at an empty folder */
void machine_put_file(const char *path, const void *bytes,
                      size_t length); /* durable, with its folders, whatever is there */
