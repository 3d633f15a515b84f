/* remote.c - models called "remote:NAME": which service, which key, opened once. Embeddings come from [embed_remote],
 * ranks from [rerank_remote].
 *
 * The key is read from the environment variable that key_env names and from nowhere else: it never stands in a file of
 * ours, nor in a message.
 */
#include "engine/engine.h"

#include "base/log.h"

bool engine_is_remote(Str name) { return str_is(name, "remote") || str_starts(name, STR("remote:")); }

/* Of one section of the configuration. */
typedef struct {
    const char *section;
    ConfigKey url, model, key_env;
} ServiceKeys;
static const ServiceKeys of_embedders = {"embed_remote", CONF_EMBED_REMOTE_URL, CONF_EMBED_REMOTE_MODEL,
                                         CONF_EMBED_REMOTE_KEY_ENV};
static const ServiceKeys of_rerankers = {"rerank_remote", CONF_RERANK_REMOTE_URL, CONF_RERANK_REMOTE_MODEL,
                                         CONF_RERANK_REMOTE_KEY_ENV};

/* The service's own name for the model: what stands behind "remote:", else the section's `model`. */
static Err service_model(const Pythia *p, const ServiceKeys *k, Str name, Str *out) {
    *out = str_is(name, "remote") ? config_text(p->opts.config, k->model) : str_from(name, strlen("remote:"));
    if (out->n && !memchr(out->p, 0, out->n)) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "'%.*s' does not say which model of the service", STR_FMT(name)),
                   "pythia config set %s.model NAME", k->section);
}

static Err service_key(const Pythia *p, const ServiceKeys *k, Arena *a, ModelRemoteOpts *o) {
    Str variable = config_text(p->opts.config, k->key_env);
    if (!variable.n) return ERR_OK;
    o->key_env = arena_cstr(a, variable);
    if (!o->key_env) return arena_error();
    o->key = engine_env(p, o->key_env);
    if (o->key) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "the environment variable '%s' (%s.key_env) is not set", o->key_env, k->section),
                   "export %s=…", o->key_env);
}

/* "search_query: " ends in a blank, which a line of an INI file cannot: quotes hold it, and are not part of it. */
static Err service_prefix(const Config *c, Arena *a, ConfigKey key, const char **out) {
    Str text = config_text(c, key);
    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"') text = str_make(text.p + 1, text.n - 2);
    *out = arena_cstr(a, text);
    return *out ? ERR_OK : arena_error();
}

/* What both kinds of services want to know. */
static Err service_opts(Pythia *p, const ServiceKeys *k, Arena *a, Str name, ModelRemoteOpts *o) {
    const Config *c = p->opts.config;
    const Str url = config_text(c, k->url);
    *o = (ModelRemoteOpts){.connect_ms = config_int(c, CONF_NETWORK_CONNECT),
                           .stall_ms = config_int(c, CONF_NETWORK_STALL),
                           .attempts = engine_attempts(p),
                           .seed = (uint64_t)clock_mono_ns()};
    if (!url.n)
        return err_fix(err_set(ERR_USAGE, "no service is set for model '%.*s' (%s.url)", STR_FMT(name), k->section),
                       "pythia config set %s.url http://127.0.0.1:8081/v1", k->section);
    TRY(service_model(p, k, name, &name));
    TRY(service_key(p, k, a, o));
    o->url = arena_cstr(a, url);
    o->model = arena_cstr(a, name);
    return o->url && o->model ? ERR_OK : arena_error();
}

static Err embedder_opts(Pythia *p, Arena *a, Str name, size_t dim, ModelRemoteOpts *o) {
    const Config *c = p->opts.config;
    const Str tokenizer = config_text(c, CONF_EMBED_REMOTE_TOKENIZER);
    TRY(service_opts(p, &of_embedders, a, name, o));
    o->max_tokens = (size_t)config_int(c, CONF_MODEL_MAX_TOKENS);
    o->dim = dim;
    TRY(service_prefix(c, a, CONF_EMBED_REMOTE_DOCUMENT_PREFIX, &o->prefix[EMBED_DOCUMENT]));
    TRY(service_prefix(c, a, CONF_EMBED_REMOTE_QUERY_PREFIX, &o->prefix[EMBED_QUERY]));
    int64_t dimensions = config_int(c, CONF_EMBED_REMOTE_DIMENSIONS);
    if (dimensions < 0 || dimensions > VEC_DIM_MAX)
        return err_set(ERR_USAGE, "embed_remote.dimensions can be 0 to %d, not %lld", VEC_DIM_MAX,
                       (long long)dimensions);
    o->dimensions = (size_t)dimensions;
    const char *dir = engine_models_dir(p, a);
    if (!dir) return arena_error();
    return tokenizer.n ? model_resolve(a, dir, tokenizer, &o->tokenizer) : ERR_OK;
}

typedef struct {
    const ModelRemoteOpts *opts;
    Str whole; /* "remote:NAME" */
} Service;

static bool service_is(const void *ctx, const Model *m) {
    const Service *s = ctx;
    const ModelInfo *info = model_info(m);
    return str_eq(info->path, s->whole) && (info->pooling == POOL_RANK) == s->opts->reranker;
}

static Err service_open(void *ctx, Model **out) {
    const Service *s = ctx;
    TRY(model_open_remote(out, s->opts));
    LOG(LOG_INFO, "engine", "model open name=%.*s url=%s", STR_FMT(s->whole), s->opts->url);
    return ERR_OK;
}

/* opts: as far as the configuration could be read, which err tells. */
static Err service_model_open(Pythia *p, Arena *a, ModelRemoteOpts *opts, Err err, Model **out) {
    const Deadline stop = engine_deadline(p, 0);
    opts->deadline = &stop;
    *out = NULL;
    Service service = {opts, {NULL, 0}};
    if (!err) {
        service.whole = arena_printf(a, "remote:%s", opts->model);
        err = service.whole.p ? core_model(p->core, service_is, service_open, &service, out) : arena_error();
    }
    arena_free(a);
    return err;
}

Err engine_remote_model(Pythia *p, Str name, size_t dim, Model **out) {
    Arena a = {0};
    ModelRemoteOpts opts;
    const Err err = embedder_opts(p, &a, name, dim, &opts);
    return service_model_open(p, &a, &opts, err, out);
}

Err engine_remote_reranker(Pythia *p, Str name, Model **out) {
    Arena a = {0};
    ModelRemoteOpts opts;
    const Err err = service_opts(p, &of_rerankers, &a, name, &opts);
    opts.reranker = true;
    return service_model_open(p, &a, &opts, err, out);
}
