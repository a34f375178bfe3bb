/* Both ends of a flow that do nothing but write down, in order, what a stage between them is told and tells:
 *
 *     push 3; finish; staged 3; publish; published; abort file_too_large; failed file_too_large; granted 5; */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sim/machine.h"
#include "flow/flow.h"

struct flow_story {
    struct sink sink;     /* the lower end */
    struct source source; /* the upper end */
    struct loop *loop;
    struct reserve *reserve; /* what the sink says it keeps in */
    size_t keeps;            /* so many bytes of each push */
    struct digests whole;    /* as they came with finish */
    struct outcome outcome;  /* the last that was told */
    char text[1024];
};

__attribute__((format(printf, 2, 3))) static inline void story_say(struct flow_story *story, const char *format, ...)
{
    size_t used = strlen(story->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(story->text + used, sizeof story->text - used, format, arguments);
    va_end(arguments);
}

static inline struct flow_story *story_of_sink(struct sink *sink)
{
    return container_of(sink, struct flow_story, sink);
}

static inline struct flow_story *story_of_source(struct source *source)
{
    return container_of(source, struct flow_story, source);
}

static inline size_t story_push(struct sink *sink, struct slice bytes)
{
    struct flow_story *story = story_of_sink(sink);
    story_say(story, "push %zu; ", bytes.length);
    return bytes.length > story->keeps ? bytes.length - story->keeps : 0;
}

static inline void story_finish(struct sink *sink, const struct digests *whole)
{
    story_of_sink(sink)->whole = *whole;
    story_say(story_of_sink(sink), "finish; ");
}

static inline void story_publish(struct sink *sink)
{
    story_say(story_of_sink(sink), "publish; ");
}

static inline void story_abort(struct sink *sink, const struct error *why)
{
    story_say(story_of_sink(sink), "abort %s; ", error_word(why->code));
}

static inline struct reserve *story_keeps(struct sink *sink)
{
    return story_of_sink(sink)->reserve;
}

static inline void story_granted(struct source *source, size_t bytes)
{
    story_say(story_of_source(source), "granted %zu; ", bytes);
}

static inline void story_done(struct source *source, const struct outcome *outcome)
{
    struct flow_story *story = story_of_source(source);
    story->outcome = *outcome;
    if (outcome->kind == OUTCOME_FAILED)
        story_say(story, "failed %s; ", error_word(outcome->error.code));
    else
        story_say(story, "%s; ", outcome->kind == OUTCOME_STAGED ? "staged" : "published");
}

/* Begins a machine with one loop. */
static inline void story_begin(struct flow_story *story)
{
    static const struct sink_ops sink_ops = {story_push, story_finish, story_publish, story_abort, story_keeps};
    static const struct source_ops source_ops = {story_granted, story_done};
    machine_start(1, NULL);
    *story = (struct flow_story){.sink.ops = &sink_ops, .source.ops = &source_ops};
    if (!loop_open(&story->loop, 0))
        abort();
}

/* What loop_soon was asked for happens. */
static inline void story_turn(struct flow_story *story)
{
    story_say(story, "| ");
    machine_run(100, 0);
}

/* The lower end tells the stage above it. */
static inline void story_tell(struct flow_story *story, enum outcome_kind kind, enum error_code code)
{
    struct outcome outcome = {.kind = kind};
    if (kind == OUTCOME_FAILED)
        error_set(&outcome.error, code, "The lower end says so.");
    story->sink.source->ops->done(story->sink.source, &outcome);
}

static inline struct slice story_slice(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .length = strlen(text)};
}

/* What is still open; 0 is right. Fine when it has ended. */
static inline unsigned story_end(struct flow_story *story)
{
    loop_close(&story->loop);
    return machine_stop();
}
