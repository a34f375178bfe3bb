/* All sinks and stages keep what flow/flow.h promises. */
#include "support/flow_contract.h"

#define HABITS .short_write = 100, .not_ready = 200

static const struct flow_subject subjects[] = {
    {"a scripted sink", END_SCRIPTED, STAGE_NONE, .habits = {HABITS}},
    {"store/null", END_NULL, STAGE_NONE, .habits = {HABITS}},
    {"meter on a scripted sink", END_SCRIPTED, STAGE_METER, .habits = {HABITS}},
    {"digest on a scripted sink", END_SCRIPTED, STAGE_DIGEST, .habits = {HABITS}},
    {"pipe on a scripted sink", END_SCRIPTED, STAGE_PIPE, .habits = {HABITS}},
    {"meter on store/file", END_FILE, STAGE_METER, .habits = {HABITS}},
    {"digest on store/file", END_FILE, STAGE_DIGEST, .habits = {HABITS}},
    {"pipe on store/file", END_FILE, STAGE_PIPE,
     .habits = {HABITS, .slow_call = 100, .slow_job = 500, .slow_job_ms = 40}},
    {"store/file", END_FILE, STAGE_NONE, .habits = {HABITS}},
    {"store/file, durable", END_FILE, STAGE_NONE, .is_durable = true, .habits = {HABITS}},
    {"store/file without O_TMPFILE", END_FILE, STAGE_NONE, .habits = {HABITS, .has_no_unnamed_files = true}},
    {"store/file without attributes", END_FILE, STAGE_NONE, .habits = {HABITS, .has_no_attributes = true}},
    {"store/file without both, durable", END_FILE, STAGE_NONE, .is_durable = true,
     .habits = {HABITS, .has_no_attributes = true, .has_no_unnamed_files = true}},
    {"store/file on a disk that needs threads", END_FILE, STAGE_NONE,
     .habits = {HABITS, .writes_need_threads = true, .slow_job = 500, .slow_job_ms = 200}},
    {"store/file on a disk that is slow at times", END_FILE, STAGE_NONE,
     .habits = {HABITS, .slow_call = 100, .slow_job = 300, .slow_job_ms = 100}},
    {"store/file on a disk that fails at times", END_FILE, STAGE_NONE, .may_fail = true,
     .habits = {HABITS, .slow_call = 50, .file_error = 40}},
    {"store/file on a small disk", END_FILE, STAGE_NONE, .may_fail = true,
     .habits = {HABITS, .slow_call = 50, .disk_bytes = 200 * 1024}},
};

int main(void)
{
    return flow_contract("flow", subjects, sizeof subjects / sizeof subjects[0]);
}
