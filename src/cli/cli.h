/* The command line: finds the command and gives it the words. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* What the program ends with. */
enum exit_code { EXIT_IN_ORDER = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2, EXIT_CODES };
extern const char *const exit_meanings[EXIT_CODES];

/* Runs the command that `argv[1]` names, on standard output and standard error. */
enum exit_code cli_run(int argc, char **argv, char **environment);

/* One for each row of commands.def; `argv[0]` is the command's word. */
#define COMMAND(word, summary) enum exit_code command_##word(int argc, char **argv, char **environment);
#include "cli/commands.def"
#undef COMMAND

/* For commands: the error's one sentence on standard error, and the code that goes with it. */
enum exit_code cli_refuse(const struct error *error);

/* For commands: how the program ends after it wrote to standard output. */
enum exit_code cli_written(void);

/* The paragraph on exit codes of each help. */
void cli_help_exit_codes(FILE *to);
