/* server.c - see server.h. */
#include "serve/server.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/http.h"
#include "base/log.h"
#include "base/sys.h"
#include "serve/http.h"
#include "serve/lsp.h"
#include "serve/rpc.h"
#include "serve/shared.h"
#include "serve/socket.h"
#include "serve/stdio.h"

enum { LOOK_MS = 100 };

typedef struct {
    const ServerOpts *opts;
    Arena arena;
    Desk *desk;
    HttpDoor *http;
    SocketDoor *socket, *shared;
    Mcp *mcp;
    Lsp *lsp;
    atomic_bool asked; /* an admin asked for the end */
} Server;

Err server_address(Arena *a, const Config *c, char **environ_, const char **out) {
    Str address = config_text(c, CONF_SERVE_HTTP);
    const char *port = env_get(environ_, "EMBEDDING_SERVER_PORT");
    bool given = strncmp(config_origin(c, CONF_SERVE_HTTP), "flag", 4) == 0; /* a flag is over the environment */
    ptrdiff_t colon = str_rfind_char(address, ':');
    int64_t number = 0;
    if (port && !given) {
        if (!str_to_i64(str_of(port), &number) || number < 0 || number > 65535)
            return err_set(ERR_USAGE, "EMBEDDING_SERVER_PORT cannot be '%.100s'; valid: 0 to 65535", port);
        *out = arena_printf(a, "%.*s:%s", colon < 0 ? (int)address.n : (int)colon, address.p, port).p;
    } else {
        *out = arena_cstr(a, address);
    }
    return *out ? ERR_OK : arena_error();
}

Err server_token_file(Arena *a, const Config *c, const char *home, const char **out) {
    Str file = config_text(c, CONF_SERVE_TOKEN_FILE);
    *out = file.n ? arena_cstr(a, file) : path_join(a, home, "tokens");
    return *out ? ERR_OK : arena_error();
}

static void on_shutdown(void *ctx) {
    Server *s = ctx;
    atomic_store(&s->asked, true);
}

/* Beside the doors that were asked for: when it cannot be had, because another server of this folder has it or the path
 * is too long, the others are served all the same. */
static Err shared_door_open(Server *s) {
    const ServerOpts *o = s->opts;
    const char *path = NULL, *dir = NULL;
    if (!o->shared || !config_bool(o->config, CONF_SERVE_SHARED)) return ERR_OK;
    Err err = shared_path(&s->arena, o->environ, o->home, &path);
    if (!err && o->socket && strcmp(o->socket, path) == 0) return ERR_OK; /* it is that door already */
    if (!err && !(dir = arena_cstr(&s->arena, path_dir(str_of(path))))) err = arena_error();
    if (!err) err = file_make_dirs(dir, 0700);
    if (!err) err = socket_door_open(&s->shared, s->desk, path);
    if (err == ERR_NOMEM) return err;
    if (err) LOG(LOG_INFO, "serve", "the command line is not answered: %s", err_text());
    return ERR_OK;
}

static Err doors_open(Server *s) {
    const ServerOpts *o = s->opts;
    const char *address = NULL, *file = NULL, *internal = env_get(o->environ, "INTERNAL_AUTH_TOKEN");
    if (o->socket) TRY(socket_door_open(&s->socket, s->desk, o->socket));
    TRY(shared_door_open(s));
    if (!o->http) return ERR_OK;
    TRY(server_address(&s->arena, o->config, o->environ, &address));
    TRY(server_token_file(&s->arena, o->config, o->home, &file));
    HttpDoorOpts http = {.desk = s->desk,
                         .mcp = s->mcp,
                         .config = o->config,
                         .address = address,
                         .token_file = file,
                         .internal_token = str_of(internal ? internal : "")};
    return http_door_open(&s->http, &http);
}

static Err ready_tell(Server *s) {
    Buf line = {0};
    JsonOut j = jout_to(&line);
    jout_begin(&j, '{');
    jout_kv_z(&j, "status", "ready");
    if (s->http) jout_kv_z(&j, "http", http_door_url(s->http));
    if (s->socket) jout_kv_z(&j, "socket", s->opts->socket);
    jout_end(&j, '}');
    buf_char(&line, '\n');
    Err err = buf_ok(&line);
    if (!err) s->opts->ready(s->opts->ctx, buf_str(&line));
    buf_free(&line);
    return err;
}

/* ---- the service manager ---- */

static void notify(const Server *s, const char *state) {
    sys_notify(env_get(s->opts->environ, "NOTIFY_SOCKET"), state);
}

/* How often it wants a sign of life: half of what it waits; 0: not at all, or from another process. */
static int64_t watchdog_ns(const Server *s) {
    const char *wait = env_get(s->opts->environ, "WATCHDOG_USEC"), *whose = env_get(s->opts->environ, "WATCHDOG_PID");
    int64_t us = 0, pid = 0;
    if (!wait || !str_to_i64(str_of(wait), &us) || us <= 0 || us > INT64_MAX / 1000) return 0;
    if (whose && (!str_to_i64(str_of(whose), &pid) || pid != getpid())) return 0;
    return us * 1000 / 2;
}

/* Looks every LOOK_MS: a signal may have come to any thread. The sign of life is given only while the desk's lock can
 * be had. */
static void wait_for_end(Server *s) {
    const int64_t idle_ms = config_int(s->opts->config, CONF_SERVE_IDLE_EXIT), every_ns = watchdog_ns(s);
    int64_t due_ns = 0;
    for (;;) {
        const int64_t idle_now_ms = desk_idle_ms(s->desk), now_ns = clock_mono_ns();
        if (every_ns && now_ns >= due_ns) {
            notify(s, "WATCHDOG=1");
            due_ns = now_ns + every_ns;
        }
        if (s->opts->cancel && __atomic_load_n(s->opts->cancel, __ATOMIC_RELAXED)) return;
        if (atomic_load(&s->asked)) return;
        if (idle_ms > 0 && idle_now_ms >= idle_ms) {
            LOG(LOG_INFO, "serve", "nothing was asked for %lld ms: ending", (long long)idle_ms);
            return;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
}

static void on_rpc(void *ctx, Peer *p, Str line) {
    (void)ctx;
    rpc_message(p, true, line);
}

static void on_mcp(void *ctx, Peer *p, Str line) { mcp_message(ctx, p, line); }
static void on_lsp(void *ctx, Peer *p, Str message) { lsp_message(ctx, p, message); }

/* An agent or an editor began us, and speaks on stdin. */
static bool is_own(const ServerOpts *o) { return o->mcp || o->lsp; }

/* The reader of stdin is the one who waits. */
static Err stdio_serve(Server *s) {
    const ServerOpts *o = s->opts;
    StdioOpts stdio = {.desk = s->desk,
                       .message = on_rpc,
                       .cancel = o->cancel,
                       .asked = &s->asked,
                       .grace_ms = is_own(o) ? SERVER_MCP_GRACE_MS : SERVER_GRACE_MS};
    if (o->mcp) {
        stdio.message = on_mcp;
        stdio.ctx = s->mcp;
    }
    if (o->lsp) {
        stdio.message = on_lsp;
        stdio.ctx = s->lsp;
        stdio.frame = lsp_frame;
    }
    TRY(stdio_run(&stdio));
    return o->lsp && !lsp_ended_well(s->lsp) ? err_set(ERR_NOTHING, "the client ended without 'shutdown'") : ERR_OK;
}

Err server_run(const ServerOpts *opts) {
    Server s = {.opts = opts};
    const Config *c = opts->config;
    DeskOpts desk = {.config = opts->config,
                     .home = opts->home,
                     .cwd = opts->cwd,
                     .environ = opts->environ,
                     .reader = opts->reader,
                     .workers = (size_t)config_int(c, CONF_SERVE_WORKERS),
                     .ingest_workers = (size_t)config_int(c, CONF_SERVE_INGEST_WORKERS),
                     .queue_max = (size_t)config_int(c, CONF_SERVE_MAX_QUEUE),
                     .own_folder = is_own(opts),
                     .on_shutdown = on_shutdown,
                     .shutdown_ctx = &s};
    Err err = desk_open(&s.desk, &desk);
    if (!err) err = mcp_open(&s.mcp, s.desk);
    if (!err) err = lsp_open(&s.lsp, s.desk);
    if (!err) err = doors_open(&s);
    if (!err && !is_own(opts)) err = ready_tell(&s);
    if (!err) notify(&s, "READY=1\nSTATUS=answering");
    if (!err && (opts->stdio || is_own(opts)))
        err = stdio_serve(&s);
    else if (!err)
        wait_for_end(&s);
    ErrInfo told = {0};
    if (err) err_save(&told, err);
    notify(&s, "STOPPING=1\nSTATUS=answering what was asked before");
    /* In this order: no new calls, the old ones answered, the answers sent. */
    http_door_stop(s.http);
    socket_door_stop(s.socket);
    socket_door_stop(s.shared);
    desk_close(s.desk, err || is_own(opts) ? 0 : SERVER_GRACE_MS);
    socket_door_close(s.socket, SERVER_SEND_MS);
    socket_door_close(s.shared, SERVER_SEND_MS);
    http_door_close(s.http, SERVER_SEND_MS);
    mcp_close(s.mcp);
    lsp_close(s.lsp);
    arena_free(&s.arena);
    return err ? err_restore(&told) : ERR_OK;
}

/* ---- asking another server ---- */

typedef struct {
    Http *http;
    Arena *arena;
    const char *url, *cert_file;
} Asking;

static Err ask(const Asking *q, const char *path, HttpReply *reply) {
    const Str full = arena_printf(q->arena, "%s%s", q->url, path);
    if (!full.p) return arena_error();
    const HttpRequest rq = {.method = "GET",
                            .url = full.p,
                            .connect_ms = 2000,
                            .stall_ms = 5000,
                            .cert_file = q->cert_file,
                            .direct = true};
    return http_send(q->http, q->arena, &rq, reply);
}

static Err not_ready(const HttpReply *reply) {
    json_t *v = NULL;
    Str message = STR("it is not ready");
    if (!json_read(reply->body, "reply", &v))
        message = field_str(json_object_get(v, "error"), "message", "it is not ready");
    const Err err = err_set(ERR_BUSY, "%.*s", STR_FMT(message));
    json_decref(v);
    return err;
}

Err server_health(Arena *a, const Config *c, const char *address, const char **url) {
    const Str cert = config_text(c, CONF_SERVE_TLS_CERT);
    const bool all = address[0] == ':'; /* of every address of this machine */
    HttpReply up = {0}, ready = {0};
    Asking q = {.arena = a};
    *url = q.url = arena_printf(a, "%s://%s%s", cert.n ? "https" : "http", all ? "127.0.0.1" : "", address).p;
    if (cert.n) q.cert_file = arena_cstr(a, cert);
    if (!q.url || (cert.n && !q.cert_file)) return arena_error();
    TRY(http_open(&q.http));
    Err err = ask(&q, "/health", &up);
    if (!err && up.status != 200) err = err_set(ERR_NETWORK, "'%s' answers /health with status %d", q.url, up.status);
    if (!err) err = ask(&q, "/ready", &ready);
    if (!err && ready.status != 200) err = not_ready(&ready);
    http_close(q.http);
    return err;
}
