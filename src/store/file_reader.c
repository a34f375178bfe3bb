/* Gives an object's bytes to a socket, without their passing through the program.
 *
 * What is not in the page cache is fetched by a thread first, so that a cold disk does not hold up the loop. */
#include <errno.h>

#include "core/account.h"
#include "core/clock.h"
#include "core/handles.h"
#include "core/socket.h"
#include "store/file.h"

enum { WINDOW = 256 * 1024 };

struct file_reader {
    struct reader reader;
    struct file_call call;
    struct handle handle;
    int file;
    uint64_t warm_from, warm_to; /* was fetched lately */
    bool is_closed;
};

static void free_reader(struct file_reader *reading)
{
    file_close(&reading->file);
    handle_close(reading->call.loop, &reading->handle);
    file_call_release(&reading->call);
    account_free(ACCOUNT_STORE, &reading, sizeof *reading);
}

static struct file_reader *reader_of_call(struct file_call *call)
{
    return container_of(call, struct file_reader, call);
}

/* Blocking. */
static void warm(struct file_call *call)
{
    struct file_reader *reading = reader_of_call(call);
    file_warm(reading->file, reading->warm_from, (size_t)(reading->warm_to - reading->warm_from));
}

static void warmed(struct file_call *call)
{
    struct file_reader *reading = reader_of_call(call);
    if (reading->is_closed)
        free_reader(reading);
    else
        reading->reader.user->ready(reading->reader.user);
}

static bool is_warm(struct file_reader *reading, uint64_t from, uint64_t to)
{
    if (from >= reading->warm_from && to <= reading->warm_to)
        return true;
    return file_is_warm(reading->file, from) && file_is_warm(reading->file, to - 1);
}

static long file_reader_send(struct reader *reader, struct socket *socket, uint64_t offset, size_t length)
{
    struct file_reader *reading = container_of(reader, struct file_reader, reader);
    if (length > WINDOW)
        length = WINDOW;
    if (length > 0 && !is_warm(reading, offset, offset + length)) {
        reading->warm_from = offset;
        reading->warm_to = offset + WINDOW;
        file_call_run(&reading->call, warm, warmed, PLACE_SYNC);
        return READER_WAITS;
    }
    uint64_t began = clock_monotonic_us();
    long sent = socket_send_file(socket, reading->file, offset, length);
    file_store_took(reading->call.store, began);
    if (sent > 0)
        reading->handle.progress_ms = loop_now_ms(reading->call.loop);
    return sent;
}

static void file_reader_close(struct reader *reader)
{
    struct file_reader *reading = container_of(reader, struct file_reader, reader);
    reading->is_closed = true;
    if (reading->call.is_busy)
        file_call_orphan(&reading->call, sizeof *reading);
    else
        free_reader(reading);
}

static const struct reader_ops ops = {file_reader_send, file_reader_close};

struct reader *file_reader_open(struct file_store *store, struct loop *loop, int file)
{
    struct file_reader *reading = account_alloc(ACCOUNT_STORE, sizeof *reading);
    if (reading == NULL) {
        file_close(&file);
        return NULL;
    }
    reading->reader.ops = &ops;
    reading->call.store = store;
    reading->call.loop = loop;
    reading->file = file;
    handle_open(loop, &reading->handle, HANDLE_READER, NULL);
    return &reading->reader;
}
