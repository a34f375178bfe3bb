#include "core/kept_error.h"

#include <string.h>

#include "core/account.h"

static void forget(struct kept_error *kept)
{
    if (kept->detail != NULL)
        account_free(ACCOUNT_UPLOAD, &kept->detail, strlen(kept->detail) + 1);
    kept->code = ERROR_NONE;
}

void kept_error_set(struct kept_error *kept, const struct error *error)
{
    if (kept->code != ERROR_NONE)
        return;
    size_t size = strlen(error->detail) + 1;
    kept->code = error->code;
    kept->detail = account_alloc(ACCOUNT_UPLOAD, size);
    if (kept->detail != NULL)
        memcpy(kept->detail, error->detail, size);
}

void kept_error_take(struct kept_error *kept, struct error *error_out)
{
    error_set(error_out, kept->code, "%s", kept->detail != NULL ? kept->detail : error_title(kept->code));
    forget(kept);
}
