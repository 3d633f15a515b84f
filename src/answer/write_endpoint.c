/* write_endpoint.c - the writer behind a URL: OpenAI's /v1/chat/completions.
 *
 * What leaves the machine are the question, the passages chosen for it and the service's key, and only to the URL that
 * was configured: redirects of a POST are not followed. A service that says "later" (429, 503) is asked again, after
 * its Retry-After or a growing pause; one that dislikes a member that not every service knows is asked without it;
 * nothing is tried again once a byte of an answer has come, since half an answer cannot be taken back.
 */
#include <stdlib.h>

#include "answer/completion.h"
#include "base/http.h"
#include "base/json.h"
#include "model/remote.h"

enum { ATTEMPTS_DEFAULT = 5, REPLY_MAX = 8 << 20 };

typedef struct {
    Writer base;
    Arena arena;
    WriterOpts opts; /* strings in the arena */
    Http *http;
} Endpoint;

static Endpoint *endpoint_of(Writer *w) { return (Endpoint *)(void *)w; }

static bool takes(Str llm) { return str_starts(llm, STR("http://")) || str_starts(llm, STR("https://")); }

static void close_endpoint(Writer *w) {
    Endpoint *e = endpoint_of(w);
    http_close(e->http);
    arena_free(&e->arena);
    free(e);
}

static Err keep(Arena *a, const char **s) {
    if (!*s) return ERR_OK;
    *s = arena_cstr(a, str_of(*s));
    return *s ? ERR_OK : arena_error();
}

static Err endpoint_fill(Endpoint *e) {
    WriterOpts *o = &e->opts;
    if (http_api_url(&e->arena, str_of(o->url), "/chat/completions", &o->url))
        return err_fix(err_prefix(ERR_USAGE, "ask.url"), "pythia config set ask.url http://127.0.0.1:8081/v1");
    if (!o->name || !o->name[0])
        return err_fix(err_set(ERR_USAGE, "ask.model does not say which model of '%s'", o->url),
                       "pythia config set ask.model NAME");
    TRY(keep(&e->arena, &o->name));
    TRY(keep(&e->arena, &o->key));
    TRY(keep(&e->arena, &o->key_env));
    http_warn_open("ask", o->url, o->key);
    return http_open(&e->http);
}

static Err open_endpoint(Writer **out, const WriterOpts *opts) {
    Endpoint *e = calloc(1, sizeof *e);
    if (!e) return err_set(ERR_NOMEM, "out of memory for a writer");
    e->base.kind = &writer_endpoint;
    e->opts = *opts;
    const Err err = endpoint_fill(e);
    if (err)
        close_endpoint(&e->base);
    else
        *out = &e->base;
    return err;
}

static size_t count(const void *writer, Str text) {
    (void)writer;
    return remote_rough_tokens(text); /* its tokenizer is not known here: estimated upwards */
}

static size_t room(const Writer *w) {
    (void)w;
    return 0;
}

/* ---- asking ---- */

/* Members that some services or models refuse. */
typedef struct {
    bool temperature; /* some have only the one that they have */
    bool usage;       /* of a stream: to say at its end how many tokens it took */
} Liked;

static Err body_write(const Endpoint *e, const Prompt *prompt, Liked liked, Buf *out) {
    const Str roles[] = {STR("system"), STR("user")}, contents[] = {prompt->system, prompt->user};
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "model", e->opts.name);
    jout_kv_bool(&j, "stream", !e->opts.whole);
    if (liked.usage && !e->opts.whole) {
        jout_key(&j, "stream_options");
        jout_raw(&j, STR("{\"include_usage\":true}"));
    }
    if (liked.temperature) jout_kv_i64(&j, "temperature", 0); /* the same question, the same answer */
    jout_key(&j, "messages");
    jout_begin(&j, '[');
    for (size_t i = 0; i < 2; i++) {
        jout_begin(&j, '{');
        jout_kv_str(&j, "role", roles[i]);
        jout_kv_str(&j, "content", contents[i]);
        jout_end(&j, '}');
    }
    jout_end(&j, ']');
    jout_end(&j, '}');
    return buf_ok(out);
}

static Err take_bytes(void *ctx, Str bytes) { return completion_add(ctx, bytes); }

/* What a refusal names is not sent again. False: it names none of what was sent. */
static bool disliked(const HttpReply *reply, Liked *liked) {
    const Liked before = *liked;
    if (reply->status != 400 && reply->status != 422) return false;
    liked->temperature &= str_find(reply->body, STR("temperature")) < 0;
    liked->usage &= str_find(reply->body, STR("stream_options")) < 0;
    return liked->temperature != before.temperature || liked->usage != before.usage;
}

/* Once, and again as long as the service says "later". */
static Err send(Endpoint *e, Arena *a, const WriterJob *job, Liked liked, Completion *c, HttpReply *reply) {
    Buf body = {0};
    HttpRetry retry = {.attempts_max = e->opts.attempts ? e->opts.attempts : ATTEMPTS_DEFAULT,
                       .base_ms = e->opts.pause_ms ? e->opts.pause_ms : 500,
                       .max_ms = 60000,
                       .seed = e->opts.seed};
    Err err = body_write(e, job->prompt, liked, &body), waited = ERR_OK;
    const HttpRequest rq = {.method = "POST",
                            .url = e->opts.url,
                            .bearer = e->opts.key,
                            .body = buf_str(&body),
                            .content_type = "application/json",
                            .connect_ms = e->opts.connect_ms,
                            .stall_ms = e->opts.stall_ms,
                            .max_bytes = REPLY_MAX,
                            .sink = take_bytes,
                            .ctx = c,
                            .deadline = job->deadline};
    while (!err) {
        err = http_send(e->http, a, &rq, reply);
        if (err || (reply->status != 429 && reply->status != 503)) break;
        if (!http_retry_wait(&retry, reply, job->deadline, &waited)) {
            err = waited;
            break;
        }
    }
    buf_free(&body);
    return err;
}

/* What went wrong, with the URL; a connection that broke within an answer is told as the cut that it is. */
static Err failed(const Endpoint *e, const HttpReply *reply, const Completion *c, Err err) {
    char shown[320];
    if (err != ERR_NETWORK) return err;
    http_url_shown(e->opts.url, shown);
    if (str_find(str_of(err_text()), str_of(shown)) < 0) err = err_prefix(err, "'%s'", shown);
    if (reply->status == 200 && reply->transient)
        err = err_prefix(err, "the answer was cut after %zu bytes", c->written);
    if (reply->status == 0) return err_fix(err, "pythia config set ask.url http://HOST:PORT/v1");
    return err;
}

/* What it took, as the service says; else, and when its answer was not heard to the end, estimated. */
static void usage_add(WriterUsage *u, const Completion *c, const Prompt *prompt) {
    const bool told = c->tokens_read >= 0;
    u->read +=
        told ? c->tokens_read : (int64_t)(remote_rough_tokens(prompt->system) + remote_rough_tokens(prompt->user));
    u->written += told ? c->tokens_written : (int64_t)c->written_rough;
    u->estimated |= !told;
}

static Err write_endpoint(Writer *w, const WriterJob *job) {
    Endpoint *e = endpoint_of(w);
    Arena a = {0};
    HttpReply reply;
    Completion c;
    Liked liked = {.temperature = true, .usage = true};
    completion_begin(&c, job->sink, job->ctx);
    Err err = send(e, &a, job, liked, &c, &reply);
    while (!err && disliked(&reply, &liked)) err = send(e, &a, job, liked, &c, &reply);
    if (!err && reply.status != 200)
        err = http_service_error(&reply, e->opts.key, e->opts.key_env, "ask");
    else if (!err)
        err = completion_end(&c);
    if (c.enough)
        err = ERR_OK;
    else if (err)
        err = failed(e, &reply, &c, err);
    if (!err) usage_add(&w->usage, &c, job->prompt);
    completion_free(&c);
    arena_free(&a);
    return err;
}

const WriterKind writer_endpoint = {.name = "endpoint",
                                    .takes = takes,
                                    .open = open_endpoint,
                                    .count = count,
                                    .room = room,
                                    .write = write_endpoint,
                                    .close = close_endpoint};
