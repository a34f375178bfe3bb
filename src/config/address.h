/* Addresses to listen on, as they are written: `HOST:PORT`, `[v6]:PORT`, `unix:/path`. Only the writing is judged;
 * whether such a host exists is found out when it is opened. */
#pragma once

#include "base/span.h"

bool address_is_wellformed(struct span address);
