/* The two faces of everything that bytes pass through: bytes go down, credit comes up.
 *
 * Every stage and every store has these two faces and no other; this is the only back-pressure there is.
 *
 *     source  (who sends)     push, finish, publish, abort  |  down
 *     sink    (who takes)     grant, done                   v  ^  up
 *
 * - A source never pushes more than it was granted. What `push` returns is credit again at once; what the sink keeps,
 *   or is not ready to see followed by more, comes back later by `grant`. A sink that has granted bytes takes them
 *   whenever they come. One that begins without any credit is not open yet: until its first grant it is asked for
 *   nothing but abort, also by who has no byte to push.
 * - Nobody calls back from inside a call made on it: grant and done come from another call back (core/loop.h,
 *   loop_soon).
 * - push, any number of times; then finish once; then, after done(staged), publish once; then done(published). abort
 *   ends it at any moment before done(published) or done(failed) has come, and done does not follow. After done(failed)
 *   there is nothing left to abort. done(failed) may come at any time, also before finish; bytes pushed meanwhile are
 *   dropped.
 * - Publish is the point of no return: abort after it lets the object become visible and tells nobody.
 * - One loop: all of this happens on the thread of the loop that the flow was opened on.
 */
#pragma once

#include "base/digests.h"
#include "base/error.h"
#include "core/blocks.h"

enum { VERSION_SIZE = 33 }; /* of an object, with the zero: 32 hexadecimal digits */

enum outcome_kind { OUTCOME_STAGED, OUTCOME_PUBLISHED, OUTCOME_FAILED };

/* What became of it. */
struct outcome {
    enum outcome_kind kind;
    struct error error;     /* failed */
    struct digests digests; /* staged and published: of the whole object */
    uint64_t size;          /* the same */
    char version[VERSION_SIZE];
    bool has_replaced; /* published: there was an object under this key before */
};

struct source;
struct sink;

struct sink_ops {
    /* Takes bytes, at most as many as were granted; how many of them it is finished with already. It keeps the rest by
     * holding their block (slice.block is NULL while the sink borrows: see keeps). */
    size_t (*push)(struct sink *sink, struct slice bytes);

    /* No more bytes. `whole` is what the digests have to be, as far as anybody knows; done(staged) or done(failed)
     * follows. */
    void (*finish)(struct sink *sink, const struct digests *whole);

    /* Makes the staged object visible; done(published) or done(failed) follows. */
    void (*publish)(struct sink *sink);

    /* Forgets it, staged or not. The sink is gone for the caller. */
    void (*abort)(struct sink *sink, const struct error *why);

    /* NULL: it borrows, that is, it is finished with all bytes when push returns, so they may lie anywhere. Otherwise
     * it has to keep them, and they have to lie in blocks of this reserve. Asked before each read: it can change. A
     * block is filled from its beginning and without gaps before another is begun, so that what is kept lies in few
     * pieces. */
    struct reserve *(*keeps)(struct sink *sink);
};

struct source_ops {
    void (*grant)(struct source *source, size_t bytes);
    void (*done)(struct source *source, const struct outcome *outcome);
};

struct sink {
    const struct sink_ops *ops;
    struct source *source; /* who is told */
};

struct source {
    const struct source_ops *ops;
};
