/* models.c - models as users meet them: list, import, verify, embed, tokenize. */
#include "base/file.h"
#include "engine/engine.h"

static const char *pooling_name(Pooling p) {
    switch (p) {
    case POOL_NONE:
        return "none";
    case POOL_MEAN:
        return "mean";
    case POOL_CLS:
        return "cls";
    case POOL_LAST:
        return "last";
    case POOL_RANK:
        return "rank";
    }
    return "?";
}

Err engine_model_describe(Arena *a, const char *name, const char *path, const ModelInfo *info, PythiaModel *out) {
    *out = (PythiaModel){.name = arena_str(a, str_of(name)),
                         .path = arena_str(a, str_of(path)),
                         .arch = arena_str(a, info->arch),
                         .tensor_types = arena_str(a, info->tensor_types),
                         .parent = arena_str(a, info->parent),
                         .pooling = str_of(pooling_name(info->pooling)),
                         .problem = STR(""),
                         .bytes = info->bytes,
                         .dim = (int64_t)info->dim,
                         .max_tokens = (int64_t)info->max_tokens};
    return out->name.p && out->path.p && out->arch.p && out->tensor_types.p && out->parent.p ? ERR_OK : arena_error();
}

static bool is_used(const StoreCollection *all, size_t n, Str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].model_name, name)) return true;
    return false;
}

/* Without a store there are none. */
static Err collections_of(Pythia *p, Arena *a, StoreCollection **all, size_t *n) {
    Store *s = NULL;
    *n = 0;
    const Err err = engine_store(p, false, &s);
    if (err == ERR_NO_COLLECTION) return ERR_OK;
    TRY(err);
    return store_collections(s, a, all, n);
}

Err pythia_models(Pythia *p, Arena *a, PythiaModel **out, size_t *n) {
    ModelEntry *entries = NULL;
    StoreCollection *all = NULL;
    size_t n_all = 0;
    *n = 0;
    const char *dir = engine_models_dir(p, a);
    if (!dir) return arena_error();
    TRY(model_list(a, dir, &entries, n));
    *out = arena_array(a, PythiaModel, *n);
    if (!*out) return arena_error();
    TRY(collections_of(p, a, &all, &n_all));
    Str configured = config_text(p->opts.config, CONF_MODEL_EMBED);
    for (size_t i = 0; i < *n; i++) {
        PythiaModel *m = &(*out)[i];
        Sha256 id;
        TRY(engine_model_describe(a, entries[i].name, entries[i].path, &entries[i].info, m));
        m->bytes = entries[i].bytes;
        m->in_use = str_eq(m->name, configured) || is_used(all, n_all, m->name);
        if (entries[i].broken) {
            m->problem = arena_str(a, str_of(entries[i].problem));
            continue;
        }
        TRY(model_file_id(entries[i].path, &id));
        hex_write(id.bytes, sizeof id.bytes, m->id);
    }
    return ERR_OK;
}

/* A name becomes a file name: letters, digits, '.', '_' and '-' only, not at the front a dot. */
Err engine_model_name_check(Str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-' || (c == '.' && i > 0);
        if (!plain)
            return err_set(ERR_USAGE, "'%.*s' is no name for a model: letters, digits, '.', '_' and '-' only",
                           STR_FMT(name));
    }
    return name.n && name.n <= 128 ? ERR_OK : err_set(ERR_USAGE, "a model's name has 1 to 128 letters");
}

/* What was just written, opened for what it is for. One that cannot be opened does not stay. */
static Err imported_check(Arena *a, const char *path, ModelInfo *info) {
    Model *m = NULL;
    Err err = model_describe(a, path, info);
    ModelOpts opts = {.precision = MODEL_F32, .no_cache = true, .reranker = info->pooling == POOL_RANK};
    /* A decoder that pools nothing is for generating. */
    if (!err && info->pooling != POOL_NONE) err = model_open(&m, path, &opts);
    model_close(m);
    if (!err) return ERR_OK;
    ErrInfo told;
    err_save(&told, err);
    Err left = file_remove(path);
    (void)left;
    return err_restore(&told);
}

Err pythia_model_import(Pythia *p, Arena *a, Str hf_dir, Str name, PythiaModel *out) {
    const char *dir = engine_models_dir(p, a), *from = arena_cstr(a, hf_dir), *source = NULL;
    ModelInfo info;
    Sha256 id;
    if (!dir || !from) return arena_error();
    from = path_join(a, p->opts.cwd, from);
    if (!from) return arena_error();
    TRY(path_real(a, from, &source));
    if (!name.n) name = path_base(str_of(source));
    TRY(engine_model_name_check(name));
    TRY(file_make_dirs(dir, 0755));
    Str path = arena_printf(a, "%s/%.*s.gguf", dir, STR_FMT(name));
    const char *name_z = arena_cstr(a, name);
    if (!path.p || !name_z) return arena_error();
    TRY(model_import(source, path.p, name_z));
    TRY(imported_check(a, path.p, &info));
    TRY(engine_model_describe(a, name_z, path.p, &info, out));
    TRY(model_file_id(path.p, &id));
    hex_write(id.bytes, sizeof id.bytes, out->id);
    return ERR_OK;
}

/* Who would miss it. */
static Err user_find(Pythia *p, Arena *a, Str name) {
    StoreCollection *all = NULL;
    size_t n = 0;
    TRY(collections_of(p, a, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].model_name, name))
            return err_fix(
                err_set(ERR_USAGE,
                        "model '%.*s' is kept: collection '%.*s' is made with it (--force removes it anyway)",
                        STR_FMT(name), STR_FMT(all[i].name)),
                "pythia index --collection '%.*s' --model OTHER --force", STR_FMT(all[i].name));
    static const ConfigKey keys[] = {CONF_MODEL_EMBED, CONF_MODEL_RERANK, CONF_ASK_MODEL};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const ConfigDef *d = &config_defs[keys[i]];
        if (str_eq(config_text(p->opts.config, keys[i]), name))
            return err_fix(err_set(ERR_USAGE, "model '%.*s' is kept: it is %s.%s (--force removes it anyway)",
                                   STR_FMT(name), d->section, d->key),
                           "pythia model use OTHER");
    }
    return ERR_OK;
}

Err pythia_model_remove(Pythia *p, Arena *a, Str name, bool force, PythiaModelGone *out) {
    const char *dir = engine_models_dir(p, a), *path = NULL;
    *out = (PythiaModelGone){.left = STR("")};
    if (!dir) return arena_error();
    TRY(engine_model_name_check(name));
    if (!force && !model_resolve(a, dir, name, &path))
        TRY(user_find(p, a, name)); /* one that is not there has no user */
    return model_remove(a, dir, name, &out->left, &out->bytes);
}

Err pythia_model_verify(Pythia *p, Arena *a, Str name, Buf *report) {
    const char *dir = engine_models_dir(p, a), *path = NULL;
    ModelEntry *entries = NULL;
    size_t n = 0;
    Err worst = ERR_OK;
    if (!dir) return arena_error();
    if (name.n) {
        TRY(model_resolve(a, dir, name, &path));
        return model_verify(path, report);
    }
    TRY(model_list(a, dir, &entries, &n));
    for (size_t i = 0; i < n; i++) {
        Err err = model_verify(entries[i].path, report);
        if (err && err != ERR_CORRUPT) return err;
        if (err) worst = err;
    }
    return worst;
}

/* What embedding needs, and where its results go. */
typedef struct {
    Model *m;
    Pool *pool;
    EmbedInfo *info; /* [n] */
    Deadline stop;
    EmbedOpts opts;
} Embedding;

static Err embedding_begin(Pythia *p, Arena *a, const PythiaEmbed *rq, size_t n, float **out, size_t *dim,
                           Embedding *e) {
    *e = (Embedding){0};
    TRY(engine_model(p, rq->model, &e->m));
    TRY(engine_pool_under(p, SCHED_INTERACTIVE, engine_pressure(p), &e->pool));
    *dim = model_info(e->m)->dim;
    *out = arena_alloc_array(a, n, *dim * sizeof **out);
    e->info = arena_array(a, EmbedInfo, n);
    if (!*out || !e->info) return arena_error();
    e->stop = engine_deadline(p, 0);
    e->opts = (EmbedOpts){.kind = rq->query ? EMBED_QUERY : EMBED_DOCUMENT, .deadline = &e->stop};
    return ERR_OK;
}

static Err embedding_end(Arena *a, const Embedding *e, size_t n, int32_t **tokens, bool **truncated) {
    *tokens = arena_array(a, int32_t, n);
    *truncated = arena_array(a, bool, n);
    if (!*tokens || !*truncated) return arena_error();
    for (size_t i = 0; i < n; i++) {
        (*tokens)[i] = e->info[i].tokens;
        (*truncated)[i] = e->info[i].truncated;
    }
    return ERR_OK;
}

Err pythia_embed(Pythia *p, Arena *a, const PythiaEmbed *rq, const Str *texts, size_t n, float **out, size_t *dim,
                 int32_t **tokens, bool **truncated) {
    Embedding e;
    TRY(embedding_begin(p, a, rq, n, out, dim, &e));
    TRY(sched_embed(core_sched(p->core), SCHED_INTERACTIVE, e.m, e.pool, texts, n, &e.opts, *out, e.info));
    return embedding_end(a, &e, n, tokens, truncated);
}

/* Some lists of ids, whose turn it is now. */
typedef struct {
    const Embedding *e;
    const TokenIds *lists; /* [n] */
    size_t n, first;
    float *out; /* of the first */
} IdsTurn;

static Err ids_embed(void *ctx, const Deadline *stop) {
    const IdsTurn *t = ctx;
    EmbedOpts opts = t->e->opts;
    opts.deadline = stop;
    opts.first = t->first;
    return model_embed_ids(t->e->m, t->e->pool, t->lists, t->n, &opts, t->out, t->e->info + t->first);
}

/* As many at a time as are merged of texts, so that nobody waits longer for these. */
Err pythia_embed_ids(Pythia *p, Arena *a, const PythiaEmbed *rq, const TokenIds *lists, size_t n, float **out,
                     size_t *dim, int32_t **tokens, bool **truncated) {
    Embedding e;
    TRY(embedding_begin(p, a, rq, n, out, dim, &e));
    for (size_t at = 0; at < n; at += SCHED_MERGE_TEXTS) {
        IdsTurn turn = {.e = &e,
                        .lists = lists + at,
                        .n = n - at < SCHED_MERGE_TEXTS ? n - at : SCHED_MERGE_TEXTS,
                        .first = at,
                        .out = *out + at * *dim};
        TRY(sched_run(core_sched(p->core), SCHED_INTERACTIVE, &e.stop, ids_embed, &turn));
    }
    return embedding_end(a, &e, n, tokens, truncated);
}

Err pythia_tokenize(Pythia *p, Arena *a, Str model, Str text, int32_t **ids, size_t *n) {
    Model *m = NULL;
    TRY(engine_model(p, model, &m));
    TRY(model_tokenize(m, text, true, NULL, 0, n));
    *ids = arena_array(a, int32_t, *n);
    if (!*ids) return arena_error();
    return model_tokenize(m, text, true, *ids, *n, n);
}
