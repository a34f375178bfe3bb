/* A conversation of one client with the server: requests about keys of its own, one after another on one connection, as the
 * seed has it; what has to be answered to each, and what has to lie in the store afterwards. */
#pragma once

#include "support/road.h"

enum { TALK_KEYS = 3, TALK_MOST = 12 };

enum request_kind {
    REQUEST_PUT,
    REQUEST_PUT_CHUNKED,
    REQUEST_PUT_TRAILERS, /* digests in trailers */
    REQUEST_PUT_DIGESTS,  /* digests in the head */
    REQUEST_PUT_WRONG,    /* a wrong digest, in the head or a trailer */
    REQUEST_PUT_EXPECT,   /* waits for `100 Continue`, or does not */
    REQUEST_PUT_IF,       /* with a condition that holds */
    REQUEST_PUT_NOT,      /* with one that does not: may be the last, for it may end the connection */
    REQUEST_GET,
    REQUEST_GET_RANGE,
    REQUEST_HEAD,
    REQUEST_DELETE,
    REQUEST_KINDS
};

/* What has to come back. */
struct expected {
    enum request_kind kind;
    int status;
    struct body body; /* put or given */
    size_t from, length;
};

struct talk {
    struct client *client;
    unsigned number;
    struct text text; /* all that it says */
    size_t said;
    unsigned count;
    struct expected expected[TALK_MOST];
    struct body before[TALK_KEYS], now[TALK_KEYS]; /* at the beginning; when all of it was answered */
};

/* Connects; `count` requests (TALK_MOST at most). What lies under its keys is `now` of the talk as it was before. */
void talk_begin(struct talk *talk, unsigned number, unsigned count);

/* Says a part, or all of the rest; false when all has been said. */
bool talk_say(struct talk *talk, size_t most);

/* Everything was answered as it has to be, and the keys hold what they have to. */
void talk_check(struct talk *talk);

/* The conversation may have broken off anywhere: what was answered is right, and each key holds one whole body that was put
 * there, or nothing where that may be. */
void talk_check_broken(struct talk *talk);

void talk_free(struct talk *talk);
