#include "config/memory.h"

#include "core/account.h"

struct kept_text {
    struct kept_text *next;
    size_t size; /* with this head */
    char bytes[];
};

struct settings_memory *memory_open(void)
{
    return account_alloc(ACCOUNT_CONFIG, sizeof(struct settings_memory));
}

const char *memory_keep(struct settings_memory *memory, struct span text)
{
    size_t size = sizeof(struct kept_text) + text.length + 1;
    struct kept_text *kept = account_alloc(ACCOUNT_CONFIG, size);
    if (kept == NULL)
        return NULL;
    kept->size = size;
    kept->next = memory->texts;
    memory->texts = kept;
    if (text.length > 0)
        memcpy(kept->bytes, text.at, text.length);
    return kept->bytes;
}

void memory_close(struct settings_memory **memory)
{
    if (*memory == NULL)
        return;
    while ((*memory)->texts != NULL) {
        struct kept_text *text = (*memory)->texts;
        (*memory)->texts = text->next;
        account_free(ACCOUNT_CONFIG, &text, text->size);
    }
    account_free(ACCOUNT_CONFIG, memory, sizeof **memory);
}
