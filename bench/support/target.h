/* Where the load goes: one IPv4 address and port. */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <netinet/in.h>
#include <stdbool.h>

struct target {
    struct sockaddr_in address;
    char host[64]; /* as the Host field says it */
};

/* Takes "http://A.B.C.D:PORT", a path behind it is ignored. */
bool target_read(struct target *target, const char *url);

/* Begins to connect, without waiting, and returns the socket or -1 with errno set. `number` is the connection's:
 * each 16,384 of them come from a loopback address of their own (127.0.0.2, ...), so that ports do not run out. */
int target_connect(const struct target *target, unsigned number, int sndbuf);

#endif
