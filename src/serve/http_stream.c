/* http_stream.c - answers that come as events: a worker puts parts in, the daemon's thread takes them out.
 *
 * The connection is suspended while there is nothing to send, so that nobody polls. The first part wakes the request,
 * whose answer is queued then; until that moment an error is still an answer like any other.
 *
 * A client that leaves is noticed when something is sent: the call is cancelled, and the request lives on until the
 * worker lets go of it. Lock order: HttpStream.lock, then the library's own, the Mcp's and Desk.lock.
 */
#include <stdlib.h>

#include "serve/http_impl.h"

enum { PIECE_BYTES = 16 << 10 };

struct HttpStream {
    pthread_mutex_t lock; /* guards all below, and from the first part on who frees the request */
    Buf parts;
    size_t sent;
    bool suspended, ended, left;
};

static HttpStream *stream_open(void) {
    HttpStream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->suspended = true; /* as every request is that waits for a worker */
    return s;
}

void stream_free(Request *r) {
    if (!r->stream) return;
    (void)pthread_mutex_destroy(&r->stream->lock);
    buf_free(&r->stream->parts);
    free(r->stream);
}

/* The lock is held. */
static void wake(Request *r) {
    if (!r->stream->suspended) return;
    r->stream->suspended = false;
    r->door->mhd->resume_connection(r->connection);
}

bool request_stream(Call *c, Str bytes) {
    Request *r = c->ctx;
    if (!r->stream) {
        r->stream = stream_open();
        if (!r->stream) return false;
        r->state = REQUEST_STREAMING;
    }
    HttpStream *s = r->stream;
    (void)pthread_mutex_lock(&s->lock);
    buf_add(&s->parts, bytes);
    const bool heard = !s->left && !s->parts.failed;
    if (heard) wake(r);
    (void)pthread_mutex_unlock(&s->lock);
    return heard;
}

static ssize_t stream_read(void *ctx, uint64_t at, char *out, size_t max) {
    Request *r = ctx;
    HttpStream *s = r->stream;
    (void)at;
    (void)pthread_mutex_lock(&s->lock);
    ssize_t n = (ssize_t)(s->parts.n - s->sent < max ? s->parts.n - s->sent : max);
    if (n) {
        memcpy(out, s->parts.p + s->sent, (size_t)n);
        s->sent += (size_t)n;
        if (s->sent == s->parts.n) buf_clear(&s->parts), s->sent = 0;
    } else if (s->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->suspended = true;
        r->door->mhd->suspend_connection(r->connection);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

enum MHD_Result request_stream_answer(Request *r) {
    const Mhd *mhd = r->door->mhd;
    struct MHD_Response *response =
        mhd->create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, stream_read, r, NULL);
    if (!response) return MHD_NO;
    r->content_type = "text/event-stream; charset=utf-8";
    request_headers(r, response, 200);
    (void)mhd->add_response_header(response, "X-Accel-Buffering", "no"); /* proxies hand on what they have */
    const enum MHD_Result queued = mhd->queue_response(r->connection, 200, response);
    mhd->destroy_response(response);
    return queued;
}

static void leave(Request *r) {
    HttpDoor *d = r->door;
    request_free(r);
    (void)atomic_fetch_sub(&d->open, 1);
}

bool request_stream_end(Request *r) {
    HttpStream *s = r->stream;
    if (!s) return false;
    request_log(r);
    (void)pthread_mutex_lock(&s->lock);
    s->ended = true;
    const bool left = s->left;
    if (!left) wake(r);
    (void)pthread_mutex_unlock(&s->lock);
    if (left) leave(r);
    return true;
}

bool request_stream_leave(Request *r) {
    HttpStream *s = r->stream;
    if (!s) return true;
    (void)pthread_mutex_lock(&s->lock);
    const bool over = s->ended;
    s->left = true;
    if (!over && r->mcp)
        mcp_left(r->door->opts.mcp, r->mcp);
    else if (!over)
        desk_cancel(r->door->opts.desk, &r->call);
    (void)pthread_mutex_unlock(&s->lock);
    return over;
}
