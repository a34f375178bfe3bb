#include "core/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "core/file.h"

#define FORMAT_PREFIX "format-"

enum { FORMAT_NAME_SIZE = 32 };

static bool find_newest(void *owner, const char *name, bool is_folder)
{
    unsigned long *newest = owner, number = 0;
    if (is_folder && span_starts_with(span_of(name), span_of(FORMAT_PREFIX)))
        number = strtoul(name + strlen(FORMAT_PREFIX), NULL, 10);
    if (number > *newest)
        *newest = number;
    return true;
}

int format_claim(int folder, unsigned number)
{
    char name[FORMAT_NAME_SIZE];
    unsigned long newest = 0;
    int result = folder_list(folder, find_newest, &newest);
    if (result == 0 && newest > number)
        return -EPROTONOSUPPORT;
    if (result < 0 || newest > 0)
        return result;
    snprintf(name, sizeof name, FORMAT_PREFIX "%u", number);
    result = folder_make(folder, name);
    return result == -EEXIST || result == -ENOSPC || result == -EDQUOT ? 0 : result;
}
