/* Which path is answered by whom, on the upload listeners and on the admin listener. */
#pragma once

#include "http/conn.h"

void routes_begin_public(struct conn *conn, const struct request *request);
void routes_begin_admin(struct conn *conn, const struct request *request);
