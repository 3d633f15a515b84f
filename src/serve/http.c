/* http.c - the daemon: listening, connections, the life of a request; see http.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "serve/http_impl.h"

enum { HEADER_BYTES_MAX = 64 << 10, BACKLOG = 512, PEM_MAX = 1 << 20 };

/* ---- a request's life ---- */

static HttpLine *line_of(HttpDoor *d, struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = d->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The first thing the library tells of a request: its target as it came, before any decoding. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection) {
    HttpDoor *d = ctx;
    HttpLine *line = line_of(d, connection);
    Request *r = line ? calloc(1, sizeof *r) : NULL;
    if (!r) return NULL;
    r->door = d;
    r->line = line;
    r->connection = connection;
    r->start_ns = clock_mono_ns();
    r->target = strdup(target);
    if (!r->target) {
        free(r);
        return NULL;
    }
    request_free(line->begun);
    line->begun = r;
    return r;
}

/* The caller's own id when it is harmless, else a new one. */
static void id_make(Request *r) {
    Str given = request_header(r, "X-Request-Id");
    bool good = given.n > 0 && given.n < sizeof r->id;
    for (size_t i = 0; good && i < given.n; i++) {
        char c = given.p[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    }
    if (good) {
        (void)snprintf(r->id, sizeof r->id, "%.*s", (int)given.n, given.p);
        return;
    }
    uint64_t n = atomic_fetch_add(&r->door->count, 1);
    (void)snprintf(r->id, sizeof r->id, "%016llx",
                   (unsigned long long)xxh3_seeded(str_make((const char *)&n, sizeof n), r->door->seed));
}

static void peer_name(Request *r) {
    const union MHD_ConnectionInfo *info =
        r->door->mhd->get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    socklen_t size =
        info && info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!info || getnameinfo(info->client_addr, size, r->who, sizeof r->who, NULL, 0, NI_NUMERICHOST))
        (void)snprintf(r->who, sizeof r->who, "unknown");
}

/* Calls that take many texts may have larger bodies. */
static size_t body_limit(const Request *r) {
    Str path = str_of(r->target);
    for (const Op *op = ops; op->name; op++)
        if (op->flags & OP_MANY && op->path && str_starts(path, str_of(op->path))) return r->door->upload_max;
    return r->door->body_max;
}

static enum MHD_Result request_begin(Request *r, const char *method, const char *version) {
    (void)atomic_fetch_add(&r->door->open, 1);
    r->line->begun = NULL;
    r->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    (void)snprintf(r->method, sizeof r->method, "%s", method);
    id_make(r);
    peer_name(r);
    r->body_max = body_limit(r);
    if (!request_admit(r) || !upload_begin(r)) {
        r->state = REQUEST_ANSWERED;
        r->close = true; /* a body may follow whose length nobody knows */
        return request_answer(r);
    }
    r->state = REQUEST_BODY;
    return MHD_YES;
}

static void body_add(Request *r, const char *data, size_t n) {
    r->bytes_in += n;
    if (n > r->body_max - (r->body.n < r->body_max ? r->body.n : r->body_max)) r->too_large = true;
    if (r->too_large)
        buf_free(&r->body);
    else
        buf_add_bytes(&r->body, data, n);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request) {
    Request *r = *request;
    (void)ctx, (void)connection, (void)url;
    if (!r) return MHD_NO;
    if (r->state == REQUEST_NEW) return request_begin(r, method, version);
    if (r->state == REQUEST_BODY && *size) {
        if (r->upload)
            upload_add(r, data, *size);
        else
            body_add(r, data, *size);
        *size = 0;
        /* A chunked body that never ends: so much more is read in good faith, to answer 413, then the line is cut. */
        return r->bytes_in > r->body_max + REQUEST_DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (r->state == REQUEST_BODY && !request_dispatch(r)) return MHD_YES;
    if (r->state == REQUEST_STREAMING) return request_stream_answer(r);
    return r->state == REQUEST_ANSWERED ? request_answer(r) : MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode why) {
    HttpDoor *d = ctx;
    (void)connection, (void)why;
    Request *r = *request;
    if (!r || r->state == REQUEST_NEW) return; /* the connection's, still */
    *request = NULL;
    if (!request_stream_leave(r)) return;
    request_free(r);
    (void)atomic_fetch_sub(&d->open, 1);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode why) {
    HttpDoor *d = ctx;
    HttpLine *line = *socket_ctx;
    (void)connection;
    if (why == MHD_CONNECTION_NOTIFY_STARTED) {
        (void)atomic_fetch_add(&desk_metrics(d->opts.desk)->connections, 1);
        *socket_ctx = calloc(1, sizeof *line);
        return;
    }
    *socket_ctx = NULL;
    if (line) request_free(line->begun);
    free(line);
}

static void on_log(void *ctx, const char *fmt, va_list args) {
    char text[256];
    (void)ctx;
    (void)vsnprintf(text, sizeof text, fmt, args);
    LOG(LOG_DEBUG, "serve", "libmicrohttpd: %s", text);
}

/* ---- listening ---- */

static Err address_bad(const char *address) {
    return err_fix(err_set(ERR_USAGE, "'%s' is no address to listen on", address),
                   "pythia serve --http 127.0.0.1:8080");
}

static Err port_taken(const char *address, int port) {
    char owner[128];
    sys_port_owner(port, owner, sizeof owner);
    return err_fix(err_set(ERR_BUSY, "port %d is taken%s%s", port, owner[0] ? " by " : "", owner),
                   "pythia serve --http %.*s:%d", (int)(strrchr(address, ':') - address), address, port + 1);
}

static Err listen_on(HttpDoor *d, const struct addrinfo *ai, int port) {
    int on = 1;
    d->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (d->fd < 0) return err_set(ERR_IO, "cannot listen: %s", strerror(errno));
    (void)setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(d->fd, ai->ai_addr, ai->ai_addrlen) || listen(d->fd, BACKLOG)) {
        if (errno == EADDRINUSE) return port_taken(d->opts.address, port);
        return err_set(ERR_IO, "cannot listen on '%s': %s", d->opts.address, strerror(errno));
    }
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char host[64] = "", service[16] = "";
    if (getsockname(d->fd, (struct sockaddr *)&bound, &size) ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return err_set(ERR_IO, "cannot tell the address of '%s'", d->opts.address);
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(d->host, sizeof d->host, v6 ? "[%s]" : "%s", host);
    (void)snprintf(d->url, sizeof d->url, "%s://%s:%s", d->tls ? "https" : "http", d->host, service);
    d->rules.host = str_of(d->host);
    d->rules.loopback = host_is_loopback(d->rules.host);
    return ERR_OK;
}

static Err address_open(HttpDoor *d) {
    Str host, port;
    Str address = str_of(d->opts.address);
    int64_t number = -1;
    char name[256], service[8];
    bool all = address.n && address.p[0] == ':';
    if (all) {
        host = STR("0.0.0.0");
        port = str_from(address, 1);
    } else if (!host_split(address, &host, &port) || !port.p) {
        return address_bad(d->opts.address);
    }
    if (!str_to_i64(port, &number) || number < 0 || number > 65535) return address_bad(d->opts.address);
    if (host.n > 2 && host.p[0] == '[') host = str_make(host.p + 1, host.n - 2);
    (void)snprintf(name, sizeof name, "%.*s", (int)host.n, host.p);
    (void)snprintf(service, sizeof service, "%d", (int)number);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    if (getaddrinfo(name, service, &hints, &found)) return address_bad(d->opts.address);
    Err err = listen_on(d, found, (int)number);
    freeaddrinfo(found);
    return err;
}

/* ---- opening and closing ---- */

static Err pem_read(Arena *a, const Config *c, ConfigKey key, const char **out) {
    Str path = config_text(c, key), text;
    const char *z = arena_cstr(a, path);
    *out = NULL;
    if (!z) return arena_error();
    if (!path.n) return ERR_OK;
    TRY(file_read(a, z, PEM_MAX, &text));
    *out = text.p;
    return ERR_OK;
}

/* GnuTLS's own choice, without the versions that RFC 8996 retires. */
static const char tls_versions[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";

static Err daemon_start(HttpDoor *d) {
    enum { TLS_ITEMS = 3 };
    const Config *c = d->opts.config;
    Arena a = {0};
    const char *cert = NULL, *key = NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    Err err = pem_read(&a, c, CONF_SERVE_TLS_CERT, &cert);
    if (!err) err = pem_read(&a, c, CONF_SERVE_TLS_KEY, &key);
    if (!err && (cert != NULL) != (key != NULL))
        err = err_set(ERR_USAGE, "serve.tls_cert and serve.tls_key belong together");
    if (!err && cert && !d->mhd->is_feature_supported(MHD_FEATURE_TLS))
        err = err_set(ERR_UNSUPPORTED, "this libmicrohttpd has no TLS");
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_versions},
                                   {MHD_OPTION_END, 0, NULL}};
    if (cert) flags |= MHD_USE_TLS;
    if (!err) {
        int64_t seconds = (config_int(c, CONF_SERVE_TIMEOUT) + 999) / 1000;
        d->daemon = d->mhd->start_daemon(
            flags, 0, NULL, NULL, on_request, d, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
            d->fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, d, MHD_OPTION_NOTIFY_COMPLETED, on_completed, d,
            MHD_OPTION_NOTIFY_CONNECTION, on_connection, d, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)config_int(c, CONF_SERVE_MAX_CONNECTIONS), MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)(seconds < 1 ? 1 : seconds), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES_MAX,
            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, cert ? tls : tls + TLS_ITEMS, MHD_OPTION_END);
        if (!d->daemon && cert)
            err = err_set(ERR_INPUT, "HTTPS cannot start: '%.*s' and '%.*s' are no certificate in PEM and its key",
                          STR_FMT(config_text(c, CONF_SERVE_TLS_CERT)), STR_FMT(config_text(c, CONF_SERVE_TLS_KEY)));
        else if (!d->daemon)
            err = err_set(ERR_IO, "the HTTP server cannot start: %s", strerror(errno));
    }
    arena_free(&a);
    return err;
}

static Err door_settle(HttpDoor *d) {
    const Config *c = d->opts.config;
    d->tls = config_text(c, CONF_SERVE_TLS_CERT).n > 0;
    d->quiet = str_is(config_text(c, CONF_SERVE_LOG), "none");
    d->body_max = (size_t)config_int(c, CONF_SERVE_MAX_BODY);
    d->upload_max = (size_t)config_int(c, CONF_SERVE_MAX_UPLOAD);
    if (d->upload_max < d->body_max) d->upload_max = d->body_max;
    d->rate.rate = (double)config_int(c, CONF_SERVE_RATE_LIMIT);
    d->rules.origins = config_text(c, CONF_SERVE_ALLOWED_ORIGINS);
    (void)pthread_mutex_init(&d->rate.lock, NULL);
    if (getrandom(&d->seed, sizeof d->seed, 0) != sizeof d->seed) d->seed = (uint64_t)clock_mono_ns();
    d->rate.seed = d->seed;
    TRY(lookout_open(&d->lookout));
    TRY(mhd_load(&d->mhd));
    TRY(tokens_open(&d->tokens, d->opts.token_file, d->opts.internal_token));
    TRY(address_open(d));
    if (d->rules.loopback || tokens_wanted(d->tokens)) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "'%s' is open to other machines, and there is no access token", d->opts.address),
                   "pythia token create NAME");
}

Err http_door_open(HttpDoor **out, const HttpDoorOpts *opts) {
    *out = NULL;
    HttpDoor *d = calloc(1, sizeof *d);
    if (!d) return err_set(ERR_NOMEM, "out of memory for the HTTP server");
    d->opts = *opts;
    d->fd = -1;
    Err err = door_settle(d);
    if (!err) err = daemon_start(d);
    if (err) {
        ErrInfo told;
        err_save(&told, err);
        http_door_close(d, 0);
        return err_restore(&told);
    }
    *out = d;
    return ERR_OK;
}

const char *http_door_url(const HttpDoor *d) { return d->url; }

void http_door_stop(HttpDoor *d) {
    if (!d || !d->daemon) return;
    atomic_store(&d->stopping, true);
    (void)d->mhd->quiesce_daemon(d->daemon); /* the socket is ours again: closed with the door */
    (void)close(d->fd);
    d->fd = -1;
}

void http_door_close(HttpDoor *d, int64_t ms) {
    if (!d) return;
    int64_t until = clock_mono_ns() + ms * 1000000;
    while (d->daemon && atomic_load(&d->open) > 0 && clock_mono_ns() < until)
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    const int open = atomic_load(&d->open);
    if (d->daemon && open > 0) LOG(LOG_WARN, "serve", "ended while %d requests were under way", open);
    if (d->daemon) d->mhd->stop_daemon(d->daemon);
    if (d->fd >= 0 && !d->daemon) (void)close(d->fd);
    lookout_close(d->lookout);
    tokens_close(d->tokens);
    (void)pthread_mutex_destroy(&d->rate.lock);
    free(d);
}
