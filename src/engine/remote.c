/* remote.c - models called "remote:NAME": which service, which key, opened once.
 *
 * The key is read from the environment variable that embed_remote.key_env names and from nowhere else: it never stands in
 * a file of ours, nor in a message.
 */
#include "engine/engine.h"

#include "base/log.h"

bool engine_is_remote(Str name) { return str_is(name, "remote") || str_starts(name, STR("remote:")); }

/* The service's own name for the model: what stands behind "remote:", else embed_remote.model. */
static Err service_model(const Pythia *p, Str name, Str *out) {
    *out = str_is(name, "remote") ? config_text(p->opts.config, CONF_EMBED_REMOTE_MODEL)
                                  : str_from(name, strlen("remote:"));
    if (out->n && !memchr(out->p, 0, out->n)) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "'%.*s' does not say which model of the service", STR_FMT(name)),
                   "pythia config set embed_remote.model NAME");
}

static Err service_key(const Pythia *p, Arena *a, ModelRemoteOpts *o) {
    Str variable = config_text(p->opts.config, CONF_EMBED_REMOTE_KEY_ENV);
    if (!variable.n) return ERR_OK;
    o->key_env = arena_cstr(a, variable);
    if (!o->key_env) return arena_error();
    o->key = engine_env(p, o->key_env);
    if (o->key) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "the environment variable '%s' (embed_remote.key_env) is not set", o->key_env),
                   "export %s=…", o->key_env);
}

/* "search_query: " ends in a blank, which a line of an INI file cannot: quotes hold it, and are not part of it. */
static Err service_prefix(const Config *c, Arena *a, ConfigKey key, const char **out) {
    Str text = config_text(c, key);
    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"') text = str_make(text.p + 1, text.n - 2);
    *out = arena_cstr(a, text);
    return *out ? ERR_OK : arena_error();
}

static Err service_opts(Pythia *p, Arena *a, Str name, size_t dim, ModelRemoteOpts *o) {
    const Config *c = p->opts.config;
    Str url = config_text(c, CONF_EMBED_REMOTE_URL), tokenizer = config_text(c, CONF_EMBED_REMOTE_TOKENIZER);
    *o = (ModelRemoteOpts){.max_tokens = (size_t)config_int(c, CONF_MODEL_MAX_TOKENS),
                           .dim = dim,
                           .connect_ms = config_int(c, CONF_NETWORK_CONNECT),
                           .stall_ms = config_int(c, CONF_NETWORK_STALL),
                           .attempts = engine_attempts(p),
                           .seed = (uint64_t)clock_mono_ns()};
    if (!url.n)
        return err_fix(err_set(ERR_USAGE, "no service is set for model '%.*s' (embed_remote.url)", STR_FMT(name)),
                       "pythia config set embed_remote.url http://127.0.0.1:8081/v1");
    TRY(service_model(p, name, &name));
    TRY(service_key(p, a, o));
    TRY(service_prefix(c, a, CONF_EMBED_REMOTE_DOCUMENT_PREFIX, &o->prefix[EMBED_DOCUMENT]));
    TRY(service_prefix(c, a, CONF_EMBED_REMOTE_QUERY_PREFIX, &o->prefix[EMBED_QUERY]));
    int64_t dimensions = config_int(c, CONF_EMBED_REMOTE_DIMENSIONS);
    if (dimensions < 0 || dimensions > VEC_DIM_MAX)
        return err_set(ERR_USAGE, "embed_remote.dimensions can be 0 to %d, not %lld", VEC_DIM_MAX,
                       (long long)dimensions);
    o->dimensions = (size_t)dimensions;
    o->url = arena_cstr(a, url);
    o->model = arena_cstr(a, name);
    if (!o->url || !o->model) return arena_error();
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
    return str_eq(model_info(m)->path, s->whole);
}

static Err service_open(void *ctx, Model **out) {
    const Service *s = ctx;
    TRY(model_open_remote(out, s->opts));
    LOG(LOG_INFO, "engine", "model open name=%.*s url=%s", STR_FMT(s->whole), s->opts->url);
    return ERR_OK;
}

Err engine_remote_model(Pythia *p, Str name, size_t dim, Model **out) {
    Arena a = {0};
    ModelRemoteOpts opts;
    Deadline stop = engine_deadline(p, 0);
    *out = NULL;
    Err err = service_opts(p, &a, name, dim, &opts);
    opts.deadline = &stop;
    Service service = {&opts, {NULL, 0}};
    if (!err) {
        service.whole = arena_printf(&a, "remote:%s", opts.model);
        err = service.whole.p ? core_model(p->core, service_is, service_open, &service, out) : arena_error();
    }
    arena_free(&a);
    return err;
}
