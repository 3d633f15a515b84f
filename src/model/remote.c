/* remote.c - a service's model: opening, connections, embeddings in batches; see remote.h. What it answers is read in
 * remote_reply.c; reranking is in remote_rank.c.
 *
 * A batch is BATCH_TEXTS texts or BATCH_BYTES, whichever comes first; batches go out in parallel, one a worker of the
 * pool. A service that finds a batch too large (413) gets it in halves.
 */
#include "model/remote_impl.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"

enum {
    BATCH_TEXTS = 32, /* a service on a slow CPU must be through with one before it seems stalled */
    BATCH_BYTES = 96 << 10,
    TOKENS_DEFAULT = 512,
    ATTEMPTS_DEFAULT = 5,
    REPLY_MAX = 256 << 20,
};

/* ---- connections ---- */

static Err connection_take(Remote *r, Http **out) {
    *out = NULL;
    (void)pthread_mutex_lock(&r->lock);
    if (r->n_idle) *out = r->idle[--r->n_idle];
    (void)pthread_mutex_unlock(&r->lock);
    return *out ? ERR_OK : http_open(out);
}

static void connection_give(Remote *r, Http *h) {
    (void)pthread_mutex_lock(&r->lock);
    if (r->n_idle < REMOTE_CONNECTIONS) {
        r->idle[r->n_idle++] = h;
        h = NULL;
    }
    (void)pthread_mutex_unlock(&r->lock);
    http_close(h);
}

/* ---- one request ---- */

Err remote_post(Remote *r, Arena *a, Str body, const Deadline *deadline, uint64_t salt, HttpReply *reply) {
    Http *h = NULL;
    HttpRetry retry = {.attempts_max = r->opts.attempts ? r->opts.attempts : ATTEMPTS_DEFAULT,
                       .base_ms = r->opts.pause_ms ? r->opts.pause_ms : 500,
                       .max_ms = 60000,
                       .seed = r->opts.seed + salt};
    const HttpRequest rq = {.method = "POST",
                            .url = r->url,
                            .bearer = r->key,
                            .body = body,
                            .content_type = "application/json",
                            .connect_ms = r->opts.connect_ms,
                            .stall_ms = r->opts.stall_ms,
                            .max_bytes = REPLY_MAX,
                            .deadline = deadline};
    TRY(connection_take(r, &h));
    const Err err = http_send_retry(h, a, &rq, &retry, reply);
    connection_give(r, h);
    return err;
}

Err remote_accept(const Remote *r, const HttpReply *reply) {
    return reply->status == 200 ? ERR_OK : http_service_error(reply, r->key, r->key_env, remote_section(r));
}

const char *remote_section(const Remote *r) { return r->opts.reranker ? "rerank_remote" : "embed_remote"; }

/* Another dimension than before: the service has put another model behind the same name. */
static Err answer_bad(const Remote *r, Err err) {
    if (!err) return ERR_OK;
    err = err_prefix(err, "'%s'", r->url);
    return err == ERR_MODEL_MISMATCH ? err_fix(err, "pythia index --model 'remote:%s' --force", r->model) : err;
}

static Err request_body(const Remote *r, const Str *texts, size_t n, Buf *out) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "model", r->model);
    /* A third of the bytes; every service must know it, because OpenAI's own client asks for it. */
    jout_kv_z(&j, "encoding_format", "base64");
    if (r->opts.dimensions) jout_kv_i64(&j, "dimensions", (int64_t)r->opts.dimensions);
    jout_key(&j, "input");
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) jout_str(&j, texts[i]);
    jout_end(&j, ']');
    jout_end(&j, '}');
    return buf_ok(out);
}

typedef struct {
    Remote *r;
    const EmbedOpts *opts;
    size_t first; /* the batch's place: seeds the jitter */
    size_t width; /* floats wanted of each vector */
} Ask;

/* *dim 0: learnt. too_large: the service wants fewer texts at once. */
static Err ask_once(const Ask *ask, Arena *a, const Str *texts, size_t n, size_t *dim, float **out, bool *too_large) {
    HttpReply reply;
    Buf body = {0};
    Err err = request_body(ask->r, texts, n, &body);
    if (!err) err = remote_post(ask->r, a, buf_str(&body), ask->opts->deadline, ask->first, &reply);
    buf_free(&body);
    if (err) return err;
    *too_large = reply.status == 413 && n > 1;
    if (*too_large) return ERR_OK;
    TRY(remote_accept(ask->r, &reply));
    return answer_bad(ask->r, remote_reply_read(a, reply.body, n, dim, out));
}

/* The first width of dim floats, of length 1 again. */
static void row_cut(const float *row, size_t dim, size_t width, float *out) {
    double sum = 0;
    memcpy(out, row, width * sizeof *out);
    if (width == dim) return;
    for (size_t d = 0; d < width; d++) sum += (double)row[d] * (double)row[d];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t d = 0; d < width; d++) out[d] = (float)((double)row[d] * scale);
}

static Err ask_split(const Ask *ask, const Str *texts, size_t n, size_t dim, float *out /* [n, width] */) {
    Arena a = {0};
    float *got = NULL;
    bool too_large = false;
    size_t seen = dim;
    Err err = ask_once(ask, &a, texts, n, &seen, &got, &too_large);
    for (size_t i = 0; !err && !too_large && i < n; i++) row_cut(got + i * dim, dim, ask->width, out + i * ask->width);
    arena_free(&a);
    if (err || !too_large) return err;
    TRY(ask_split(ask, texts, n / 2, dim, out));
    return ask_split(ask, texts + n / 2, n - n / 2, dim, out + n / 2 * ask->width);
}

/* ---- many texts ---- */

typedef struct {
    Remote *r;
    const EmbedOpts *opts;
    const Str *texts;
    const uint32_t *starts; /* [batches + 1] */
    size_t dim, width;
    float *out; /* [n, width] */
} RemoteJob;

static Err batch_piece(void *ctx, size_t i, size_t worker) {
    const RemoteJob *j = ctx;
    (void)worker;
    size_t from = j->starts[i], n = j->starts[i + 1] - from;
    Ask ask = {.r = j->r, .opts = j->opts, .first = from, .width = j->width};
    TRY(deadline_check(j->opts->deadline));
    return ask_split(&ask, j->texts + from, n, j->dim, j->out + from * j->width);
}

static size_t cut_batches(const Str *texts, size_t n, uint32_t *starts /* [n + 1] */) {
    size_t batches = 0, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bool full = i - starts[batches ? batches - 1 : 0] == BATCH_TEXTS || bytes + texts[i].n > BATCH_BYTES;
        if (batches == 0 || full) {
            starts[batches++] = (uint32_t)i;
            bytes = 0;
        }
        bytes += texts[i].n;
    }
    starts[batches] = (uint32_t)n;
    return batches;
}

/* The texts behind their prefix, in the arena; as they are where there is none. */
static Err prefixed(Arena *a, Str prefix, const Str **texts, size_t n) {
    if (prefix.n == 0) return ERR_OK;
    Str *whole = arena_array(a, Str, n);
    if (!whole) return arena_error();
    for (size_t i = 0; i < n; i++) {
        if ((*texts)[i].n > SIZE_MAX - prefix.n) return err_set(ERR_LIMIT, "text %zu is too long", i);
        char *p = arena_alloc(a, prefix.n + (*texts)[i].n);
        if (!p) return arena_error();
        memcpy(p, prefix.p, prefix.n);
        if ((*texts)[i].n) memcpy(p + prefix.n, (*texts)[i].p, (*texts)[i].n);
        whole[i] = str_make(p, prefix.n + (*texts)[i].n);
    }
    *texts = whole;
    return ERR_OK;
}

static Err count_all(const Remote *r, const ModelInfo *info, const RemoteJob *j, size_t n, EmbedInfo *told) {
    for (size_t i = 0; i < n; i++) {
        size_t tokens = remote_count_tokens(r, j->texts[i]);
        if (tokens > info->max_tokens && j->opts->truncate_error)
            return err_set(ERR_LIMIT, "text %zu has about %zu tokens, model '%.*s' takes %zu", j->opts->first + i,
                           tokens, STR_FMT(info->name), info->max_tokens);
        if (told) told[i] = (EmbedInfo){.tokens = tokens > INT32_MAX ? INT32_MAX : (int32_t)tokens};
    }
    return ERR_OK;
}

Err remote_embed(Remote *r, const ModelInfo *info, Pool *pool, const Str *texts, size_t n, const EmbedOpts *opts,
                 float *out, EmbedInfo *told) {
    static const EmbedOpts none;
    Arena a = {0};
    if (n == 0) return ERR_OK;
    if (n > UINT32_MAX - 1) return err_set(ERR_LIMIT, "%zu texts are too many at once", n);
    RemoteJob j = {.r = r, .opts = opts ? opts : &none, .texts = texts, .dim = info->dim, .out = out};
    j.width = j.opts->dimensions ? j.opts->dimensions : j.dim;
    if (j.width > j.dim)
        return err_set(ERR_LIMIT, "%zu dimensions are not possible: model '%.*s' has %zu", j.width, STR_FMT(info->name),
                       j.dim);
    Err err = prefixed(&a, info->prefix[j.opts->kind == EMBED_QUERY], &j.texts, n);
    if (!err) err = count_all(r, info, &j, n, told);
    uint32_t *starts = err ? NULL : arena_array(&a, uint32_t, n + 1);
    if (!err && !starts) err = arena_error();
    j.starts = starts;
    if (!err) err = pool_for(pool, cut_batches(j.texts, n, starts), batch_piece, &j);
    arena_free(&a);
    return err;
}

/* ---- tokens ---- */

size_t remote_rough_tokens(Str text) {
    size_t n = 0, word = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter) {
            n += word++ % 4 == 0;
            continue;
        }
        word = 0;
        bool inside = (c & 0xC0) == 0x80; /* a later byte of a character */
        n += c > ' ' && !inside;
    }
    return n;
}

size_t remote_count_tokens(const Remote *r, Str text) {
    return r->tok ? tok_count(r->tok, text) : remote_rough_tokens(text);
}

Err remote_tokenize(const Remote *r, const ModelInfo *info, Str text, bool special, int32_t *ids, size_t cap,
                    size_t *n) {
    if (r->tok) return tok_encode(r->tok, text, special, ids, cap, n);
    return err_fix(err_set(ERR_UNSUPPORTED, "the tokenizer of '%.*s' is not known here", STR_FMT(info->name)),
                   "pythia config set embed_remote.tokenizer MODEL");
}

/* ---- opening ---- */

Err remote_url(Arena *a, Str url, const char **out) {
    const Err err = http_api_url(a, url, "/embeddings", out);
    if (err != ERR_USAGE) return err;
    return err_fix(err_set(ERR_USAGE, "'%.*s' is no URL of a service (embed_remote.url)", STR_FMT(url)),
                   "pythia config set embed_remote.url http://127.0.0.1:8081/v1");
}

/* What else changes the vectors counts too. Only the URL and the name where nothing is set, as collections have it. */
static Err identity(Arena *a, const Remote *r, const ModelInfo *info, Sha256 *out) {
    Str key = arena_printf(a, "%s\n%s", r->url, r->model);
    bool more = r->opts.dimensions || info->prefix[EMBED_DOCUMENT].n || info->prefix[EMBED_QUERY].n;
    if (key.p && more)
        key = arena_printf(a, "%.*s\n%zu\n%zu %.*s\n%.*s", STR_FMT(key), r->opts.dimensions,
                           info->prefix[EMBED_DOCUMENT].n, STR_FMT(info->prefix[EMBED_DOCUMENT]),
                           STR_FMT(info->prefix[EMBED_QUERY]));
    if (!key.p) return arena_error();
    *out = sha256_of(key);
    return ERR_OK;
}

static Err dimension_ask(Remote *r, size_t *dim) {
    Arena a = {0};
    float *got = NULL;
    bool too_large = false;
    const Str probe = STR("dimension");
    EmbedOpts opts = {.deadline = r->opts.deadline};
    Ask ask = {.r = r, .opts = &opts};
    Err err = ask_once(&ask, &a, &probe, 1, dim, &got, &too_large);
    arena_free(&a);
    return err;
}

static Err fill(Remote *r, Arena *a, const ModelRemoteOpts *opts, ModelInfo *info) {
    TRY(opts->reranker ? remote_rank_url(a, str_of(opts->url), &r->url) : remote_url(a, str_of(opts->url), &r->url));
    r->model = arena_cstr(a, str_of(opts->model));
    r->key = opts->key && opts->key[0] ? arena_cstr(a, str_of(opts->key)) : NULL;
    r->key_env = opts->key_env ? arena_cstr(a, str_of(opts->key_env)) : NULL;
    info->name = arena_printf(a, "remote:%s", opts->model);
    info->arch = STR("remote");
    info->path = info->name;
    info->pooling = opts->reranker ? POOL_RANK : POOL_NONE;
    info->normalize = true;
    info->tensor_types = STR("");
    info->max_tokens = opts->max_tokens ? opts->max_tokens : TOKENS_DEFAULT;
    info->dim = opts->dimensions ? opts->dimensions : opts->dim;
    for (int kind = EMBED_DOCUMENT; kind <= EMBED_QUERY; kind++) {
        info->prefix[kind] = arena_str(a, opts->prefix[kind] ? str_of(opts->prefix[kind]) : STR(""));
        if (!info->prefix[kind].p) return arena_error();
    }
    if (!r->model || !info->name.p) return arena_error();
    TRY(identity(a, r, info, &info->id));
    if (opts->tokenizer) {
        TRY(gguf_open_path(&r->vocabulary, opts->tokenizer));
        TRY(tok_open(&r->tok, r->vocabulary));
        info->n_vocab = tok_vocab_size(r->tok);
    }
    http_warn_open("model", r->url, r->key);
    return info->dim || opts->reranker ? ERR_OK : dimension_ask(r, &info->dim);
}

Err remote_open(Remote **out, Arena *a, const ModelRemoteOpts *opts, ModelInfo *info) {
    *out = NULL;
    Remote *r = calloc(1, sizeof *r);
    if (!r) return err_set(ERR_NOMEM, "out of memory for a remote model");
    (void)pthread_mutex_init(&r->lock, NULL);
    r->opts = *opts;
    Err err = fill(r, a, opts, info);
    /* The opener's strings and deadline end with the call. */
    r->opts.url = r->opts.model = r->opts.key = r->opts.key_env = r->opts.tokenizer = NULL;
    r->opts.prefix[0] = r->opts.prefix[1] = NULL;
    r->opts.deadline = NULL;
    if (err)
        remote_close(r);
    else
        *out = r;
    return err;
}

void remote_close(Remote *r) {
    if (!r) return;
    for (size_t i = 0; i < r->n_idle; i++) http_close(r->idle[i]);
    tok_close(r->tok);
    gguf_close(r->vocabulary);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}
