/* stdio.c - see stdio.h. */
#include "serve/stdio.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum { READ_AT_ONCE = 64 << 10, LOOK_MS = 100, UNREAD_MS = 1000 };

typedef struct {
    Peer peer; /* first: a Peer is its Stdio */
    const StdioOpts *opts;
    pthread_mutex_t lock; /* one message is written at a time */
    bool framed;
    atomic_bool broken, gone;
} Stdio;

static bool is_over(const Stdio *s) {
    const StdioOpts *o = s->opts;
    return atomic_load(&s->broken) || (o->asked && atomic_load(o->asked)) ||
           (o->cancel && __atomic_load_n(o->cancel, __ATOMIC_RELAXED));
}

/* Waits until PIPE_BUF bytes can be written at once. A client that does not read must not keep a server that is to end:
 * then it has UNREAD_MS more. */
static bool can_write(const Stdio *s) {
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int ready = 0;
    for (int waited = 0; waited < UNREAD_MS && ready == 0; waited += is_over(s) ? LOOK_MS : 0) {
        ready = poll(&p, 1, LOOK_MS);
        if (ready < 0 && errno == EINTR) ready = 0;
    }
    return ready > 0;
}

static void stdio_send(Peer *p, Str message) {
    Stdio *s = (Stdio *)(void *)p;
    Buf line = {0};
    if (s->framed) buf_printf(&line, "Content-Length: %zu\r\n\r\n", message.n);
    buf_add(&line, message);
    if (!s->framed) buf_char(&line, '\n');
    (void)pthread_mutex_lock(&s->lock);
    for (size_t at = 0; at < line.n && !atomic_load(&s->broken);) {
        const bool ready = can_write(s);
        const size_t piece = line.n - at < PIPE_BUF ? line.n - at : PIPE_BUF;
        ssize_t n = ready ? write(STDOUT_FILENO, line.p + at, piece) : 0;
        if (n > 0)
            at += (size_t)n;
        else if (!ready || (n < 0 && errno != EINTR && errno != EAGAIN))
            atomic_store(&s->broken, true);
    }
    (void)pthread_mutex_unlock(&s->lock);
    buf_free(&line);
}

static void stdio_gone(Peer *p) {
    Stdio *s = (Stdio *)(void *)p;
    atomic_store(&s->gone, true);
}

typedef struct {
    Buf in;
    size_t scanned;
    bool skipping; /* the rest of a line that was too long */
} Input;

static void lines_take(const StdioOpts *o, Stdio *s, Input *in) {
    size_t at = 0;
    char *end;
    while (in->in.p && (end = memchr(in->in.p + in->scanned, '\n', in->in.n - in->scanned))) {
        Str line = str_trim(str_make(in->in.p + at, (size_t)(end - in->in.p) - at));
        if (in->skipping)
            o->message(o->ctx, &s->peer, STR(""));
        else if (line.n)
            o->message(o->ctx, &s->peer, line);
        in->skipping = false;
        at = in->scanned = (size_t)(end - in->in.p) + 1;
    }
    if (at) memmove(in->in.p, in->in.p + at, in->in.n - at);
    in->in.n -= at;
    in->scanned = in->in.n;
    if (in->in.n <= STDIO_LINE_MAX) return;
    in->skipping = true;
    buf_clear(&in->in);
    in->scanned = 0;
}

static Err frames_take(const StdioOpts *o, Stdio *s, Input *in) {
    size_t at = 0, used = 0;
    Str message;
    FrameState state;
    while ((state = o->frame(str_from(buf_str(&in->in), at), &message, &used)) == FRAME_WHOLE) {
        o->message(o->ctx, &s->peer, message);
        at += used;
    }
    if (at) memmove(in->in.p, in->in.p + at, in->in.n - at);
    in->in.n -= at;
    if (state == FRAME_PART) return ERR_OK;
    o->message(o->ctx, &s->peer, STR(""));
    return err_set(ERR_INPUT, "what came on the standard input is no message with its length before it");
}

static Err read_all(const StdioOpts *o, Stdio *s) {
    Input in = {0};
    Err err = ERR_OK;
    while (!err && !is_over(s)) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&p, 1, LOOK_MS) <= 0) continue;
        if (!buf_reserve(&in.in, READ_AT_ONCE)) {
            err = err_set(ERR_NOMEM, "out of memory for a message");
            break;
        }
        ssize_t n = read(STDIN_FILENO, in.in.p + in.in.n, READ_AT_ONCE);
        if (n < 0 && errno != EINTR && errno != EAGAIN) err = err_set(ERR_IO, "cannot read stdin: %s", strerror(errno));
        if (n == 0) {
            /* A last line without its line feed is one, too. */
            if (in.in.n && !in.skipping && !o->frame) o->message(o->ctx, &s->peer, str_trim(buf_str(&in.in)));
            break;
        }
        if (n < 0) continue;
        in.in.n += (size_t)n;
        if (o->frame)
            err = frames_take(o, s, &in);
        else
            lines_take(o, s, &in);
    }
    buf_free(&in.in);
    return err;
}

Err stdio_run(const StdioOpts *o) {
    Stdio s = {.peer = {.desk = o->desk, .role = ROLE_ADMIN, .send = stdio_send, .gone = stdio_gone}};
    s.opts = o;
    s.framed = o->frame != NULL;
    s.peer.from.door = "stdio";
    (void)snprintf(s.peer.from.who, sizeof s.peer.from.who, "user %ld", (long)geteuid());
    (void)pthread_mutex_init(&s.lock, NULL);
    atomic_init(&s.peer.holders, 1);
    Err err = read_all(o, &s);
    peer_drop(&s.peer);
    int64_t until = clock_mono_ns() + o->grace_ms * 1000000;
    while (!atomic_load(&s.gone) && !is_over(&s) && clock_mono_ns() < until) (void)poll(NULL, 0, 2);
    /* What is still under way is cancelled by the desk's end, which answers it; s must live until then. */
    desk_cancel_all(o->desk);
    while (!atomic_load(&s.gone)) (void)poll(NULL, 0, 2);
    (void)pthread_mutex_destroy(&s.lock);
    return err;
}
