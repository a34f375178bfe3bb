#include "wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Appends the line before the next chunk, or before the end of the body, and cuts that chunk. */
static void chunk_begin(struct wire *wire)
{
    bool is_first = wire->position == 0;
    uint64_t piece = wire->body_left < wire->chunk ? wire->body_left : wire->chunk;
    char *at = wire->prefix + wire->prefix_length;
    size_t room = WIRE_PREFIX - wire->prefix_length;
    int length = snprintf(at, room, "%s%" PRIx64 "\r\n%s", is_first ? "" : "\r\n", piece, piece == 0 ? "\r\n" : "");
    wire->prefix_length += (size_t)length;
    wire->piece_left = piece;
    wire->body_left -= piece;
    wire->is_last = piece == 0;
}

#define BOUNDARY "----penstock-load-7d81b516112482"

static const char form_end[] = "\r\n--" BOUNDARY "--\r\n";

/* The last pair of a form. */
static void form_finish(struct wire *wire)
{
    memcpy(wire->prefix, form_end, sizeof form_end - 1);
    wire->prefix_length = sizeof form_end - 1;
    wire->is_last = true;
}

static void form_start(struct wire *wire, const struct wire_head *head)
{
    char part[512];
    int part_length = snprintf(part, sizeof part,
                               "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"
                               "Content-Type: application/octet-stream\r\n\r\n",
                               head->file_name);
    int length =
        snprintf(wire->prefix, sizeof wire->prefix,
                 "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=" BOUNDARY
                 "\r\nContent-Length: %" PRIu64 "\r\n\r\n%s",
                 head->method, head->path, head->host, (uint64_t)part_length + head->size + sizeof form_end - 1, part);
    wire->prefix_length = (size_t)length;
    wire->prefix_sent = 0;
    wire->position = wire->body_left = wire->chunk = 0;
    wire->piece_left = head->size;
    wire->is_last = false;
    wire->is_form = true;
}

void wire_begin(struct wire *wire, const struct wire_head *head)
{
    if (head->file_name != NULL) {
        form_start(wire, head);
        return;
    }
    wire->is_form = false;
    char framing[64] = "", tus[160] = "";
    if (head->is_tus)
        snprintf(tus, sizeof tus,
                 "Tus-Resumable: 1.0.0\r\nUpload-Length: %" PRIu64
                 "\r\nContent-Type: application/offset+octet-stream\r\n",
                 head->size);
    if (head->chunk > 0)
        snprintf(framing, sizeof framing, "Transfer-Encoding: chunked\r\n");
    else if (strcmp(head->method, "GET") != 0)
        snprintf(framing, sizeof framing, "Content-Length: %" PRIu64 "\r\n", head->size);

    int length = snprintf(wire->prefix, WIRE_PREFIX - 64, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", head->method,
                          head->path, head->host, tus, framing);
    wire->prefix_length = (size_t)length < WIRE_PREFIX - 64 ? (size_t)length : WIRE_PREFIX - 65;
    wire->prefix_sent = 0;
    wire->position = 0;
    wire->chunk = head->chunk;
    wire->body_left = head->size;
    if (head->chunk > 0) {
        chunk_begin(wire);
        return;
    }
    wire->piece_left = head->size;
    wire->body_left = 0;
    wire->is_last = true;
}

static void wire_account(struct wire *wire, size_t sent)
{
    size_t of_prefix = wire->prefix_length - wire->prefix_sent;
    if (of_prefix > sent)
        of_prefix = sent;
    wire->prefix_sent += of_prefix;
    wire->position += sent - of_prefix;
    wire->piece_left -= sent - of_prefix;

    if (wire->prefix_sent < wire->prefix_length || wire->piece_left > 0 || wire->is_last)
        return;
    wire->prefix_length = wire->prefix_sent = 0;
    if (wire->is_form)
        form_finish(wire);
    else
        chunk_begin(wire);
}

ssize_t wire_send(struct wire *wire, int fd, const struct body *body, size_t most)
{
    if (most > wire->piece_left)
        most = (size_t)wire->piece_left;
    const char *bytes;
    size_t length = body_at(body, wire->position, most, &bytes);
    struct iovec parts[2] = {
        {wire->prefix + wire->prefix_sent, wire->prefix_length - wire->prefix_sent},
        {(char *)(uintptr_t)bytes, length},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        wire_account(wire, (size_t)sent);
    return sent;
}

bool wire_is_sent(const struct wire *wire)
{
    return wire->is_last && wire->piece_left == 0 && wire->prefix_sent == wire->prefix_length;
}
