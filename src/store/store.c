#include "store/store.h"

void store_close(struct store **store)
{
    if (*store == NULL)
        return;
    (*store)->ops->close(*store);
    *store = NULL;
}
