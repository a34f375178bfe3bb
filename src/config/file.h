/* The settings file: lines of `name = value`, blank ones, and comments, which begin with `#` at the start of a line or
 * after a blank. A value that begins with `"` ends at the next one, and between them a `#` is no comment and blanks
 * stay; `\"` and `\\` stand for a quote and a backslash there. */
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "base/span.h"

/* A line has room for the longest path, in quotes or percent-encoded. */
enum { FILE_MAX_BYTES = 64 * 1024, FILE_LINE_MAX_BYTES = 16 * 1024 };

/* A walk through the text of a file; begin with {.rest = text}. Pure. */
struct file_walk {
    struct span rest;
    unsigned line;                      /* of what file_next gave last, from 1 */
    char unquoted[FILE_LINE_MAX_BYTES]; /* its value, when it stood in quotes */
};

enum file_step {
    FILE_SETTING, /* name and value are set, trimmed; either may be empty. The value lives until the next step */
    FILE_END,
    FILE_WRONG /* why_out is set: `<file>:<line> <why>` is a sentence */
};

enum file_step file_next(struct file_walk *walk, struct span *name_out, struct span *value_out, const char **why_out);

/* Writes a value as file_next reads it, in quotes where it needs them. The number of characters. */
int file_write_value(const char *value, FILE *to);

struct file_text {
    char *bytes;
    size_t length;
};

/* The whole file in memory charged to ACCOUNT_CONFIG. False when it can't be read (INVALID_SETTING; the detail says
 * why, and is no sentence: "No such file or directory") or memory is short (OUT_OF_MEMORY). */
bool file_load(const char *path, struct file_text *text_out, struct error *error);
void file_unload(struct file_text *text);
