/* What a TLS server shows and asks for: its certificate and key, and whose client certificates it takes (RFC 8446, RFC 5246).
 *
 * TLS 1.2 with forward secrecy and AEAD, and TLS 1.3; no renegotiation, no compression, no early data. Sessions are
 * resumed by tickets, whose keys live as long as this does and are never kept. May be shared by all loops; connections
 * that were begun with it go on when it is given back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct tls;

/* PEM, as files have it. `certificate`: first the server's own, then those that lead to one that clients know. `client_ca`:
 * `at` NULL where clients need no certificate. */
enum tls_text { TLS_CERTIFICATE, TLS_KEY, TLS_CLIENT_CA, TLS_TEXTS };

/* False with INVALID_SETTING, whose detail goes on from the name of a file ("has no certificate in it"), and `wrong_out`;
 * or with OUT_OF_MEMORY. */
bool tls_load(const struct span texts[TLS_TEXTS], struct tls **tls_out, enum tls_text *wrong_out, struct error *error);

/* Clears the pointer; NULL inside is fine. */
void tls_free(struct tls **tls);

/* Whether both were loaded from the same texts; NULL is the same as NULL. */
bool tls_is_same(const struct tls *one, const struct tls *other);

/* Seconds until the server's certificate ends; negative when it has. */
int64_t tls_left_s(const struct tls *tls);

/* OpenSSL's own (struct ssl_ctx_st), for core/real/tls_stream.c. */
struct ssl_ctx_st *tls_context(const struct tls *tls);
