/* socket.c - see socket.h. */
#include "serve/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "serve/rpc.h"

enum { READ_AT_ONCE = 64 << 10, BACKLOG = 128, HEAD = 4 };

typedef struct Conn Conn;
struct Conn {
    Peer peer; /* first: a Peer is its Conn */
    SocketDoor *door;
    int fd;
    Buf in;               /* the reader's */
    bool ended;           /* the other end sends no more; the reader's */
    pthread_mutex_t lock; /* guards out, sent, broken */
    Buf out;
    size_t sent;
    bool broken;
};

struct SocketDoor {
    Desk *desk;
    char path[108];
    int fd, wake;
    Thread *thread;
    atomic_bool stopping, closing;
    Conn *conns[SOCKET_CONNECTIONS_MAX]; /* the reader's */
    size_t n;
};

static void wake(SocketDoor *d) {
    uint64_t one = 1;
    ssize_t n = write(d->wake, &one, sizeof one);
    (void)n; /* full: it is awake */
}

/* ---- writing ---- */

/* As much as goes. The lock is held. */
static void out_write(Conn *c) {
    while (!c->broken && c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            c->sent += (size_t)n;
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        else if (n < 0 && errno != EINTR)
            c->broken = true;
    }
    c->sent = 0;
    buf_clear(&c->out);
}

static void conn_send(Peer *p, Str message) {
    Conn *c = (Conn *)(void *)p;
    unsigned char head[HEAD] = {(unsigned char)(message.n >> 24), (unsigned char)(message.n >> 16),
                                (unsigned char)(message.n >> 8), (unsigned char)message.n};
    (void)pthread_mutex_lock(&c->lock);
    if (c->out.n - c->sent > SOCKET_UNREAD_MAX || message.n > UINT32_MAX) c->broken = true;
    if (!c->broken) {
        buf_add_bytes(&c->out, head, sizeof head);
        buf_add(&c->out, message);
        c->broken = c->out.failed;
        out_write(c);
    }
    bool left = c->out.n > 0 || c->broken;
    (void)pthread_mutex_unlock(&c->lock);
    if (left) wake(c->door);
}

static void conn_gone(Peer *p) {
    Conn *c = (Conn *)(void *)p;
    (void)close(c->fd);
    (void)pthread_mutex_destroy(&c->lock);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

/* ---- reading ---- */

/* Only this user's processes, and root's: the mode of the file says so already, but it may have been made under
 * another. */
static bool user_is_ours(int fd, CallFrom *from) {
    struct ucred who = {0};
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size)) return false;
    from->door = "socket";
    (void)snprintf(from->who, sizeof from->who, "user %ld", (long)who.uid);
    return who.uid == geteuid() || who.uid == 0;
}

static void conn_accept(SocketDoor *d) {
    int fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    CallFrom from = {0};
    Conn *c = d->n < SOCKET_CONNECTIONS_MAX && user_is_ours(fd, &from) ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        (void)close(fd);
        return;
    }
    *c = (Conn){.door = d, .fd = fd};
    c->peer = (Peer){.desk = d->desk, .role = ROLE_ADMIN, .from = from, .send = conn_send, .gone = conn_gone};
    atomic_init(&c->peer.holders, 1);
    (void)pthread_mutex_init(&c->lock, NULL);
    d->conns[d->n++] = c;
}

FrameState socket_frame(Str in, Str *message, size_t *used) {
    if (in.n < HEAD) return FRAME_PART;
    const unsigned char *h = (const unsigned char *)in.p;
    size_t n = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
    if (n > SOCKET_FRAME_MAX) return FRAME_BAD;
    if (in.n - HEAD < n) return FRAME_PART;
    *message = str_make(in.p + HEAD, n);
    *used = HEAD + n;
    return FRAME_WHOLE;
}

/* Whole frames out of c->in. False: the other end does not keep to the protocol. */
static bool frames_take(Conn *c) {
    size_t at = 0, used = 0;
    Str message;
    FrameState state;
    while ((state = socket_frame(str_from(buf_str(&c->in), at), &message, &used)) == FRAME_WHOLE) {
        rpc_message(&c->peer, false, message);
        at += used;
    }
    if (at) {
        memmove(c->in.p, c->in.p + at, c->in.n - at);
        c->in.n -= at;
    }
    return state == FRAME_PART;
}

/* False: the connection is over. */
static bool conn_read(Conn *c) {
    if (!buf_reserve(&c->in, READ_AT_ONCE)) return false;
    ssize_t n = recv(c->fd, c->in.p + c->in.n, READ_AT_ONCE, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR || errno == EWOULDBLOCK;
    if (n == 0) {
        c->ended = true; /* half-closed: what was asked is still answered */
        return true;
    }
    c->in.n += (size_t)n;
    return frames_take(c);
}

static bool conn_step(Conn *c, short events) {
    bool alive = true;
    if (events & POLLIN) alive = conn_read(c);
    (void)pthread_mutex_lock(&c->lock);
    if (events & POLLOUT) out_write(c);
    bool waiting = c->out.n > 0;
    alive = alive && !c->broken && !(events & (POLLERR | POLLNVAL));
    (void)pthread_mutex_unlock(&c->lock);
    if (c->ended && !waiting && atomic_load(&c->peer.holders) == 1) alive = false;
    return alive && !((events & POLLHUP) && c->ended);
}

static void conn_drop(SocketDoor *d, size_t i) {
    Conn *c = d->conns[i];
    d->conns[i] = d->conns[--d->n];
    (void)pthread_mutex_lock(&c->lock);
    c->broken = true; /* answers that come later go nowhere */
    (void)pthread_mutex_unlock(&c->lock);
    (void)shutdown(c->fd, SHUT_RDWR);
    peer_drop(&c->peer);
}

static size_t polls_make(SocketDoor *d, struct pollfd *p) {
    bool stopping = atomic_load(&d->stopping);
    p[0] = (struct pollfd){.fd = d->wake, .events = POLLIN};
    p[1] = (struct pollfd){.fd = stopping ? -1 : d->fd, .events = POLLIN};
    for (size_t i = 0; i < d->n; i++) {
        Conn *c = d->conns[i];
        (void)pthread_mutex_lock(&c->lock);
        short events = c->out.n ? POLLOUT : 0;
        (void)pthread_mutex_unlock(&c->lock);
        if (!stopping && !c->ended) events |= POLLIN;
        p[2 + i] = (struct pollfd){.fd = c->fd, .events = events};
    }
    return 2 + d->n;
}

static Err reader_body(void *ctx) {
    SocketDoor *d = ctx;
    struct pollfd polls[2 + SOCKET_CONNECTIONS_MAX];
    while (!atomic_load(&d->closing)) {
        size_t n = polls_make(d, polls), before = d->n;
        /* A call's last holder does not wake us: half-closed connections are looked at ten times a second. */
        if (poll(polls, (nfds_t)n, 100) < 0 && errno != EINTR) return err_set(ERR_IO, "poll: %s", strerror(errno));
        if (polls[0].revents) {
            uint64_t count;
            ssize_t got = read(d->wake, &count, sizeof count);
            (void)got;
        }
        for (size_t i = before; i-- > 0;)
            if (!conn_step(d->conns[i], polls[2 + i].revents)) conn_drop(d, i);
        if (polls[1].revents) conn_accept(d);
    }
    while (d->n) conn_drop(d, d->n - 1);
    return ERR_OK;
}

/* ---- opening ---- */

static Err address_of(const char *path, struct sockaddr_un *out) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return err_set(ERR_USAGE, "'%s' is too long for a socket: at most %zu bytes", path, sizeof out->sun_path - 1);
    memcpy(out->sun_path, path, strlen(path) + 1);
    return ERR_OK;
}

/* A file that nobody listens on is a leftover of a killed server. Anything else than a socket is not ours to remove. */
static Err leftover_remove(const char *path, const struct sockaddr_un *address) {
    struct stat st;
    if (lstat(path, &st)) return ERR_OK;
    if (!S_ISSOCK(st.st_mode)) return err_set(ERR_USAGE, "'%s' is there and no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_set(ERR_IO, "cannot make a socket: %s", strerror(errno));
    bool alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno != ECONNREFUSED;
    (void)close(fd);
    if (alive)
        return err_fix(err_set(ERR_BUSY, "somebody listens on '%s' already", path), "pythia serve --socket OTHER_PATH");
    return unlink(path) ? err_set(ERR_IO, "cannot remove '%s': %s", path, strerror(errno)) : ERR_OK;
}

static Err listen_at(SocketDoor *d) {
    struct sockaddr_un address;
    TRY(address_of(d->path, &address));
    TRY(leftover_remove(d->path, &address));
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->fd < 0 || d->wake < 0) return err_set(ERR_IO, "cannot make a socket: %s", strerror(errno));
    mode_t before = umask(0177);
    int failed = bind(d->fd, (const struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (failed || listen(d->fd, BACKLOG)) return err_set(ERR_IO, "cannot listen on '%s': %s", d->path, strerror(errno));
    return ERR_OK;
}

Err socket_door_open(SocketDoor **out, Desk *desk, const char *path) {
    *out = NULL;
    SocketDoor *d = calloc(1, sizeof *d);
    if (!d) return err_set(ERR_NOMEM, "out of memory for a socket");
    d->desk = desk;
    d->fd = d->wake = -1;
    struct sockaddr_un address;
    Err err = address_of(path, &address);
    if (!err) memcpy(d->path, path, strlen(path) + 1);
    if (!err) err = listen_at(d);
    bool bound = !err;
    if (!err) err = thread_start(&d->thread, reader_body, d);
    if (err) {
        ErrInfo told;
        err_save(&told, err);
        if (!bound) d->path[0] = 0; /* not ours */
        socket_door_close(d, 0);
        return err_restore(&told);
    }
    *out = d;
    return ERR_OK;
}

void socket_door_stop(SocketDoor *d) {
    if (!d) return;
    atomic_store(&d->stopping, true);
    wake(d);
}

/* Nothing is under way any more: what is left is bytes that the other ends have not read. The reader sends them
 * meanwhile. */
void socket_door_close(SocketDoor *d, int64_t ms) {
    if (!d) return;
    if (d->thread && ms > 0) (void)poll(NULL, 0, ms > 50 ? 50 : (int)ms);
    atomic_store(&d->closing, true);
    if (d->wake >= 0) wake(d);
    if (thread_join(d->thread)) LOG(LOG_WARN, "serve", "%s", err_text());
    if (d->fd >= 0) (void)close(d->fd);
    if (d->wake >= 0) (void)close(d->wake);
    if (d->path[0]) (void)unlink(d->path);
    free(d);
}
