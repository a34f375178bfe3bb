/* What reading the heads of parts costs. What they say is tested with their forms (multipart_test.c). */
#include "ingest/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Everything that reads a head is built so that each of its blocks of instructions calls this (CMakeLists.txt). */
static uint64_t steps;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

struct head {
    const char *before, *middle, *after; /* the middle is repeated */
    enum part_result result;
};

enum { SIZE = 4000 };

/* Steps a byte, of a head of about SIZE bytes that comes in such slices. */
static double steps_of(const struct head *sample, size_t slice)
{
    static char bytes[2 * SIZE], room[PART_ROOM];
    size_t length = (size_t)snprintf(bytes, sizeof bytes, "%s", sample->before);
    while (length < SIZE)
        length += (size_t)snprintf(bytes + length, sizeof bytes - length, "%s", sample->middle);
    length += (size_t)snprintf(bytes + length, sizeof bytes - length, "%s\r\n\r\n", sample->after);

    struct part_head head;
    struct part part;
    struct error error;
    enum part_result result = PART_MORE;
    size_t at = 0;
    part_head_begin(&head, room, 1);
    steps = 0;
    while (result == PART_MORE && at < length) {
        size_t taken;
        result = part_head_take(&head, span_from(bytes + at, slice < length - at ? slice : length - at), &taken, &part,
                                &error);
        at += taken;
    }
    if (result != sample->result || at != length)
        fail_msg("%s%s...: %s", sample->before, sample->middle, result == PART_REFUSED ? error.detail : "was taken");
    return (double)steps / (double)length;
}

#define DISPOSITION "Content-Disposition: form-data; name=a"
#define LINE DISPOSITION "\r\nX: "

static void mp_04_a_hostile_head_costs_no_more_than_twice_a_harmless_one(void **state)
{
    (void)state;
    static const struct head harmless = {DISPOSITION "; filename=\"", "letters.", "\"", PART_WHOLE};
    static const struct head hostile[] = {
        {DISPOSITION, ";b=c", "", PART_WHOLE},
        {DISPOSITION, ";b=\"\"", "", PART_WHOLE},
        {DISPOSITION, "; filename", "=c", PART_REFUSED},
        {DISPOSITION, ";", "", PART_WHOLE},
        {DISPOSITION, "; ", "", PART_WHOLE},
        {DISPOSITION, " ", "", PART_WHOLE},
        {DISPOSITION ";", " ", "b=c", PART_WHOLE},
        {DISPOSITION ";", "b", "=c", PART_WHOLE},
        {DISPOSITION ";b=\"", "\\\"", "\"", PART_WHOLE},
        {DISPOSITION ";b=\"", "\\\"", "", PART_REFUSED}, /* it never ends */
        {DISPOSITION "; filename=\"", "\\\"", "\"", PART_WHOLE},
        {DISPOSITION "; filename=\"", "\\\\", "\"", PART_WHOLE},
        {DISPOSITION "; filename=\"", "\\a", "\"", PART_WHOLE},
        {DISPOSITION "; filename=\"", "\xff", "\"", PART_WHOLE},
        {DISPOSITION "; filename=\"", "\xe2\x82\xac", "\"", PART_WHOLE},
        {DISPOSITION "; filename=\"", "\xf0\x9f\x98", "\"", PART_WHOLE},
        {DISPOSITION "; filename*=UTF-8''", "%41", "", PART_WHOLE},
        {DISPOSITION "; filename*=UTF-8''", "%4", "", PART_REFUSED},
        {LINE, " ", "", PART_WHOLE},
        {LINE, "\t", "y", PART_WHOLE},
        {LINE, "y ", "", PART_WHOLE},
        {DISPOSITION "\r\n", "X", ": y", PART_WHOLE},
        {DISPOSITION "\r\nContent-Type: ", " ", "\xff", PART_WHOLE},
    };
    static const size_t slices[] = {SIZE_MAX, 100, 7, 1};
    for (size_t s = 0; s < sizeof slices / sizeof slices[0]; s++) {
        double least = steps_of(&harmless, slices[s]);
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            double most = steps_of(&hostile[i], slices[s]);
            if (most > 2 * least)
                fail_msg("%s%s..., slices of %zu: %.1f steps a byte, and %.1f where it is harmless", hostile[i].before,
                         hostile[i].middle, slices[s], most, least);
        }
        assert_true(least > 1); /* that they are counted at all */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_04_a_hostile_head_costs_no_more_than_twice_a_harmless_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
