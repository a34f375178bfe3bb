/* A certificate that signs itself, with its key, as PEM. */
#pragma once

enum { IDENTITY_TEXT_SIZE = 4096, IDENTITY_S = 3600 /* until it ends */ };

struct identity {
    char certificate[IDENTITY_TEXT_SIZE], key[IDENTITY_TEXT_SIZE];
    char locked_key[IDENTITY_TEXT_SIZE]; /* the same, with a passphrase */
};

/* Fails the test that calls it when that can't be done. */
void identity_make(struct identity *identity);
