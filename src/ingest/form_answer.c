/* What a form brought, told to its client: 201.
 *
 * Most answers fit into the answer's own room. A larger one is written twice: once to know how long it is, and then
 * piece by piece as the client reads it, so that no more than a piece of it is ever kept. */
#include <assert.h>

#include "core/account.h"
#include "core/socket.h"
#include "ingest/form.h"

enum { PIECE = MULTIPART_ROOM /* the parser's, which needs it no more */ };

_Static_assert((int)PIECE >= FORM_JSON_LEAST && (int)ANSWER_BODY_MAX >= FORM_JSON_LEAST, "each step fits");

/* ---- a large one ---- */

/* One piece an event, so that a fast reader does not starve the others. */
static long reader_send(struct reader *reader, struct socket *socket, uint64_t offset, size_t length)
{
    struct form *form = container_of(reader, struct form, reader);
    (void)offset; /* it is read once, from its beginning to its end */
    if (form->piece.length == 0)
        form->piece = span_from(form->room, form_json_write(&form->json, form->room, PIECE));
    assert(form->piece.length > 0 && form->piece.length <= length);
    struct iovec piece = {(void *)(uintptr_t)form->piece.at, form->piece.length};
    long sent = socket_write(socket, &piece, 1);
    if (sent > 0)
        form->piece = span_from(form->piece.at + sent, form->piece.length - (size_t)sent);
    return sent;
}

static void reader_close(struct reader *reader)
{
    form_free(container_of(reader, struct form, reader));
}

static const struct reader_ops reader_ops = {reader_send, reader_close};

/* So many bytes of it were written. */
static void answer_large(struct form *form, struct answer *answer, uint64_t length)
{
    for (size_t piece; (piece = form_json_write(&form->json, form->room, PIECE)) > 0;)
        length += piece;
    form_json_begin(&form->json, form);
    form_set_state(form, FORM_ANSWERED);
    form->reader.ops = &reader_ops;
    answer_field(answer, "Content-Type", span_of("application/json"));
    answer->reader = &form->reader;
    answer->length = length;
    conn_answer(form->exchange.conn, answer);
}

/* ---- the answer ---- */

void form_answer(struct form *form)
{
    struct answer answer;
    answer_begin(&answer, 201);
    form_json_begin(&form->json, form);
    size_t length = form_json_write(&form->json, answer.room, sizeof answer.room);
    if (form->json.step != FORM_JSON_END) {
        answer_large(form, &answer, length);
        return;
    }
    answer_body(&answer, "application/json", span_from(answer.room, length));
    struct conn *conn = form->exchange.conn;
    conn_answer(conn, &answer);
    form_free(form);
}
