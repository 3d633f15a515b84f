/* shared.c - the caller's side; see shared.h. The server's is ops_shared.c. */
#include "serve/shared.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/sys.h"
#include "serve/fields.h"
#include "serve/socket.h"

enum { READ_AT_ONCE = 64 << 10, ASK_EVERY_MS = 1000, HEALTH_ID = 0 };
static const int64_t NS_PER_MS = 1000000;

struct Shared {
    SharedOpts opts;
    int fd;
    int64_t wait_ms;
    int64_t last_id;
    int64_t asked_ns;     /* when `health` was sent that is not answered yet; 0: none is */
    int64_t ask_again_ns; /* when it is due next */
    Buf in;
    char identity[SHARED_IDENTITY];
    struct sockaddr_un address;
    char who[sizeof(struct sockaddr_un) + 64];
};

#define HAS(S, kind_, member)                                                                                          \
    { .name = #member, .kind = PARCEL_##kind_, .at = offsetof(S, member) }

const ParcelShape shared_caller = {
    sizeof(SharedCaller), (const ParcelMember[]){HAS(SharedCaller, STR, identity), HAS(SharedCaller, STR, cwd), {0}}};
const ParcelShape shared_texts = {
    sizeof(SharedTexts),
    (const ParcelMember[]){
        HAS(SharedTexts, STR, model),
        HAS(SharedTexts, BOOL, query),
        {.name = "texts", .kind = PARCEL_STRS, .at = offsetof(SharedTexts, texts), .n_at = offsetof(SharedTexts, n)},
        {0}}};
const ParcelShape shared_vectors = {sizeof(SharedVectors), (const ParcelMember[]){HAS(SharedVectors, SIZE, dim),
                                                                                  HAS(SharedVectors, STR, vectors),
                                                                                  HAS(SharedVectors, STR, tokens),
                                                                                  HAS(SharedVectors, STR, truncated),
                                                                                  {0}}};

/* ---- who is who ---- */

Err shared_path(Arena *a, char **environ_, const char *home, const char **out) {
    const char *runtime = env_get(environ_, "XDG_RUNTIME_DIR");
    const bool in_home = env_get(environ_, "PYTHIA_HOME") || !runtime || runtime[0] != '/';
    const struct sockaddr_un *limit = NULL;
    *out = path_join(a, in_home ? home : runtime, in_home ? "pythia.sock" : "pythia/pythia.sock");
    if (!*out) return arena_error();
    if (strlen(*out) < sizeof limit->sun_path) return ERR_OK;
    return err_set(ERR_LIMIT, "'%s' is too long for a socket: at most %zu bytes", *out, sizeof limit->sun_path - 1);
}

/* Keys that answers do not depend on, and those that each request carries with it. What is not named here counts. */
static bool key_is_apart(const ConfigDef *d) {
    static const char *const apart[] = {"serve.",
                                        "log.",
                                        "ui.",
                                        "memory.",
                                        "network.",
                                        "ask.abstain",
                                        "search.limit",
                                        "search.mode",
                                        "search.fusion",
                                        "search.min_score",
                                        "search.deadline",
                                        "index.kind",
                                        "index.jobs",
                                        "index.max_file_size",
                                        "index.cache_size",
                                        "index.skim_from",
                                        "index.hidden",
                                        "index.noise",
                                        "index.secrets"};
    char name[96];
    const int n = snprintf(name, sizeof name, "%s.%s", d->section, d->key);
    for (size_t i = 0; n > 0 && i < sizeof apart / sizeof *apart; i++) {
        const Str one = str_of(apart[i]);
        if (str_ends(one, STR(".")) ? str_starts(str_of(name), one) : str_is(one, name)) return true;
    }
    return false;
}

Err shared_identity(const Config *config, const char *home, char out[SHARED_IDENTITY]) {
    Arena a = {0};
    Buf b = {0};
    char build[SYS_BUILD_ID];
    const char *real = NULL;
    Err err = path_real(&a, home, &real);
    sys_build_id(build);
    buf_printf(&b, "%s %s%c%s%c", PYTHIA_VERSION, build, 0, real ? real : "", 0);
    for (int k = 0; k < CONF_COUNT; k++) {
        if (key_is_apart(&config_defs[k])) continue;
        buf_add(&b, config_text(config, (ConfigKey)k));
        buf_char(&b, 0);
    }
    if (!err) err = buf_ok(&b);
    if (!err) (void)snprintf(out, SHARED_IDENTITY, "%016llx", (unsigned long long)xxh3_of(buf_str(&b)));
    buf_free(&b);
    arena_free(&a);
    return err;
}

const char *shared_who(const Shared *s) { return s->who; }

/* ---- waiting ---- */

static Err gone(const Shared *s, const char *what) { return err_set(ERR_NETWORK, "%s %s", s->who, what); }

static Err too_slow(const Shared *s) {
    return err_set(ERR_NETWORK, "%s does not answer within %lld ms", s->who, (long long)s->wait_ms);
}

/* ERR_DEADLINE when the time has come first. */
static Err wait_for(const Shared *s, short events, int64_t until_ns) {
    for (;;) {
        if (s->opts.cancel && __atomic_load_n(s->opts.cancel, __ATOMIC_RELAXED))
            return err_set(ERR_INTERRUPT, "interrupted");
        const int64_t left = until_ns - clock_mono_ns();
        if (left <= 0) return err_set(ERR_DEADLINE, "no answer in time");
        struct pollfd p = {.fd = s->fd, .events = events};
        const int n = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
        if (n > 0) return ERR_OK;
        if (n < 0 && errno != EINTR) return gone(s, strerror(errno));
    }
}

/* ---- frames ---- */

static Err bytes_send(Shared *s, Str bytes) {
    const int64_t until = clock_mono_ns() + s->wait_ms * NS_PER_MS;
    while (bytes.n) {
        const ssize_t n = send(s->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            bytes = str_from(bytes, (size_t)n);
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            const Err err = wait_for(s, POLLOUT, until);
            if (err) return err == ERR_DEADLINE ? too_slow(s) : err;
        } else if (n < 0 && errno != EINTR) {
            return gone(s, "has ended the connection");
        }
    }
    return ERR_OK;
}

/* params: NULL: none. */
static Err frame_send(Shared *s, int64_t id, const char *method, const Buf *params) {
    Buf b = {0};
    buf_add_bytes(&b, "\0\0\0", 4);
    JsonOut j = jout_to(&b);
    jout_begin(&j, '{');
    jout_kv_i64(&j, "id", id);
    jout_kv_z(&j, "method", method);
    if (params) {
        jout_key(&j, "params");
        jout_raw(&j, buf_str(params));
    }
    jout_end(&j, '}');
    Err err = buf_ok(&b);
    const size_t n = b.n - 4;
    if (!err && n > SOCKET_FRAME_MAX) err = err_set(ERR_NETWORK, "the request is too large for a socket");
    for (size_t i = 0; !err && i < 4; i++) b.p[i] = (char)(unsigned char)(n >> 8 * (3 - i));
    if (!err) err = bytes_send(s, buf_str(&b));
    buf_free(&b);
    return err;
}

static Err health_ask(Shared *s) {
    s->asked_ns = clock_mono_ns();
    return frame_send(s, HEALTH_ID, "health", NULL);
}

/* What the server lives by: an answer to `health` in time. */
static Err more_take(Shared *s) {
    if (!s->asked_ns && clock_mono_ns() >= s->ask_again_ns) TRY(health_ask(s));
    Err err = wait_for(s, POLLIN, s->asked_ns ? s->asked_ns + s->wait_ms * NS_PER_MS : s->ask_again_ns);
    if (err == ERR_DEADLINE) return s->asked_ns ? too_slow(s) : ERR_OK;
    TRY(err);
    if (!buf_reserve(&s->in, READ_AT_ONCE)) return buf_ok(&s->in);
    const ssize_t n = recv(s->fd, s->in.p + s->in.n, READ_AT_ONCE, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return gone(s, "has ended the connection");
    if (n > 0) s->in.n += (size_t)n;
    return ERR_OK;
}

/* The next message; *v is the caller's. */
static Err frame_take(Shared *s, json_t **v) {
    Str message;
    size_t used = 0;
    for (;;) {
        const FrameState state = socket_frame(buf_str(&s->in), &message, &used);
        if (state == FRAME_BAD) return gone(s, "does not speak the protocol");
        if (state == FRAME_WHOLE) break;
        TRY(more_take(s));
    }
    const Err err = json_read(message, "answer", v);
    memmove(s->in.p, s->in.p + used, s->in.n - used);
    s->in.n -= used;
    return err ? gone(s, "does not speak the protocol") : ERR_OK;
}

/* ---- calls ---- */

static Err health_check(Shared *s, const json_t *answer) {
    const Str version = field_str(json_object_get(answer, "result"), "version", "");
    s->asked_ns = 0;
    s->ask_again_ns = clock_mono_ns() + ASK_EVERY_MS * NS_PER_MS;
    if (str_is(version, PYTHIA_VERSION)) return ERR_OK;
    return err_set(ERR_NETWORK, "%s is of version '%.*s', this is %s", s->who, STR_FMT(str_upto(version, 50)),
                   PYTHIA_VERSION);
}

/* The answer to id; *result is *whole's. */
static Err answer_take(Shared *s, int64_t id, json_t **whole, const json_t **result) {
    for (;;) {
        TRY(frame_take(s, whole));
        const json_t *got = json_object_get(*whole, "id");
        Err err = ERR_OK;
        if (json_is_integer(got) && json_integer_value(got) == id) break;
        if (json_is_integer(got) && json_integer_value(got) == HEALTH_ID)
            err = health_check(s, *whole);
        else
            err = gone(s, "answers what was not asked");
        json_decref(*whole);
        *whole = NULL;
        TRY(err);
    }
    *result = json_object_get(*whole, "result");
    if (*result) return ERR_OK;
    const Str why = field_str(json_object_get(*whole, "error"), "message", "nothing");
    return err_set(ERR_NETWORK, "%s says: %.*s", s->who, STR_FMT(str_upto(why, 500)));
}

/* Requests and replies by their shapes. */
static Err call(Shared *s, Arena *a, const char *method, const ParcelShape *rq_shape, const void *rq,
                const ParcelShape *shape, void *out) {
    const SharedCaller caller = {str_of(s->identity), str_of(s->opts.cwd)};
    const int64_t id = ++s->last_id;
    json_t *whole = NULL;
    const json_t *result = NULL;
    Buf params = {0};
    JsonOut j = jout_to(&params);
    jout_begin(&j, '{');
    jout_key(&j, "caller");
    parcel_write(&j, &shared_caller, &caller);
    jout_key(&j, "request");
    parcel_write(&j, rq_shape, rq);
    jout_end(&j, '}');
    Err err = buf_ok(&params);
    if (!err) err = health_ask(s);
    if (!err) err = frame_send(s, id, method, &params);
    if (!err) err = answer_take(s, id, &whole, &result);
    if (!err) err = parcel_read(a, shape, json_object_get(result, "reply"), out);
    if (err == ERR_INPUT) err = gone(s, "does not speak the protocol");
    json_decref(whole);
    buf_free(&params);
    return err;
}

Err shared_search(Shared *s, Arena *a, const PythiaSearch *rq, PythiaReply *out) {
    return call(s, a, "shared_search", &parcel_search, rq, &parcel_reply, out);
}

Err shared_ask(Shared *s, Arena *a, const PythiaAsk *rq, PythiaAnswer *out) {
    return call(s, a, "shared_ask", &parcel_ask, rq, &parcel_answer, out);
}

Err shared_embed(Shared *s, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out, size_t *dim,
                 int32_t **tokens, bool **truncated) {
    const SharedTexts sent = {.model = rq->model, .query = rq->query, .texts = texts, .n = n};
    SharedVectors got;
    TRY(call(s, a, "shared_embed", &shared_texts, &sent, &shared_vectors, &got));
    const size_t most = SOCKET_FRAME_MAX / sizeof **out;
    if (got.dim > most || n > most || got.vectors.n != n * got.dim * sizeof **out ||
        got.tokens.n != n * sizeof **tokens || got.truncated.n != n * sizeof **truncated)
        return gone(s, "does not speak the protocol");
    *out = arena_array(a, float, n *got.dim);
    *tokens = arena_array(a, int32_t, n);
    *truncated = arena_array(a, bool, n);
    if (!*out || !*tokens || !*truncated) return arena_error();
    memcpy(*out, got.vectors.p, got.vectors.n);
    memcpy(*tokens, got.tokens.p, got.tokens.n);
    for (size_t i = 0; i < n; i++) (*truncated)[i] = got.truncated.p[i] != 0;
    *dim = got.dim;
    return ERR_OK;
}

/* ---- opening ---- */

/* Another user's server might answer what it likes. */
static Err peer_check(Shared *s) {
    struct ucred who = {0};
    socklen_t size = sizeof who;
    if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &size)) return gone(s, "cannot be told from others");
    if (who.uid != geteuid() && who.uid != 0) return gone(s, "is another user's");
    (void)snprintf(s->who, sizeof s->who, "the server at '%s' (process %ld)", s->address.sun_path, (long)who.pid);
    return ERR_OK;
}

static Err connect_to(Shared *s) {
    Arena a = {0};
    const char *path = NULL;
    Err err = shared_path(&a, s->opts.environ, s->opts.home, &path);
    if (!err) memcpy(s->address.sun_path, path, strlen(path) + 1);
    arena_free(&a);
    if (err == ERR_LIMIT) return ERR_NETWORK;
    TRY(err);
    (void)snprintf(s->who, sizeof s->who, "the server at '%s'", s->address.sun_path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) return err_set(ERR_NETWORK, "cannot make a socket: %s", strerror(errno));
    if (connect(s->fd, (const struct sockaddr *)&s->address, sizeof s->address) == 0) return peer_check(s);
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
        return err_set(ERR_NETWORK, "no server at '%s'", s->address.sun_path);
    return gone(s, strerror(errno)); /* EAGAIN: so many wait to be accepted that nobody accepts */
}

Err shared_open(Shared **out, const SharedOpts *opts) {
    *out = NULL;
    Shared *s = calloc(1, sizeof *s);
    if (!s) return err_set(ERR_NOMEM, "out of memory for a connection");
    s->opts = *opts;
    s->fd = -1;
    s->wait_ms = config_int(opts->config, CONF_SERVE_SHARED_WAIT);
    s->address.sun_family = AF_UNIX;
    Err err = connect_to(s);
    if (!err) err = shared_identity(opts->config, opts->home, s->identity);
    if (err)
        shared_close(s);
    else
        *out = s;
    return err;
}

void shared_close(Shared *s) {
    if (!s) return;
    if (s->fd >= 0) (void)close(s->fd);
    buf_free(&s->in);
    free(s);
}
