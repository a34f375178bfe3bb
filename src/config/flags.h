/* The command line as flags: `--name VALUE`, `--name=VALUE`, and for yes or no also `--name` alone. Pure. */
#pragma once

#include "base/error.h"
#include "config/setting.h"

/* A walk through the words; begin with {argc, argv, .next = the first word to look at}. */
struct flags_walk {
    int argc;
    char **argv;
    int next;
};

enum flags_step { FLAGS_SETTING, FLAGS_END, FLAGS_WRONG };

/* Gives the next flag and its value, which ends in a zero; FLAGS_WRONG sets INVALID_SETTING.
 *
 * After a flag of yes or no the next word is its value only when it is one of the words for yes and no. For others it
 * is, unless it begins with `--` (`--store --check` has forgotten something): write `--name=--value` to mean that. */
enum flags_step flags_next(struct flags_walk *walk, const struct setting **setting_out, const char **value_out,
                           struct error *error);
