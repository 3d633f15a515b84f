/* table.c - the static table of a collection's model: where it lies, and the making of it.
 *
 * It lies in the data folder's cache, named after the model's content, made once by whoever indexes much first; else
 * one that `pythia model distill` made under its usual name is taken. Either counts only when it says that it comes of
 * this very model.
 */
#include "base/file.h"
#include "base/log.h"
#include "engine/engine.h"
#include "model/distill.h"

/* What the network costs for all tokens of the vocabulary with two marks each, in f32: a minute of a core of 100
 * GFLOP/s. MiniLM has 1.9e12 and takes 20 s of CPU; a table of a larger one can be made by hand. */
#define TABLE_FLOP_MOST 6e12

typedef struct {
    const char *model; /* file of the parent; NULL: it has none, or is another one than the collection's */
    const char *kept, *named;
    Sha256 id; /* of the file */
} Place;

/* Where the table of c's model is, or belongs. No model there is no failure here: who needs it tells. */
static Err place_of(Pythia *p, Arena *a, const StoreCollection *c, Place *out) {
    const char *dir = engine_models_dir(p, a);
    *out = (Place){.model = NULL};
    if (!dir) return arena_error();
    if (c->dim == 0 || engine_is_remote(c->model_name)) return ERR_OK;
    if (model_resolve(a, dir, c->model_name, &out->model) || model_file_id(out->model, &out->id))
        return out->model = NULL, ERR_OK;
    const Sha256 fast = model_id_with(&out->id, MODEL_FAST);
    if (memcmp(&c->model_id, &out->id, sizeof out->id) != 0 && memcmp(&c->model_id, &fast, sizeof fast) != 0)
        return out->model = NULL, ERR_OK;
    Str base = path_base(str_of(out->model));
    if (str_ends(base, STR(".gguf"))) base = str_upto(base, base.n - 5);
    char hex[33];
    hex_write(out->id.bytes, 16, hex);
    out->kept = arena_printf(a, "%s/cache/static-%s.gguf", p->opts.home, hex).p;
    out->named = arena_printf(a, "%s/%.*s-static.gguf", dir, STR_FMT(base)).p;
    return out->kept && out->named ? ERR_OK : arena_error();
}

static bool table_is(const void *ctx, const Model *m) { return str_is(model_info(m)->path, ctx); }
static Err table_open(void *ctx, Model **out) { return model_open(out, ctx, &(ModelOpts){.precision = MODEL_EXACT}); }

/* NULL when there is none at path, or not of this model. */
static Err table_at(Pythia *p, const Place *at, const char *path, Model **out) {
    FileInfo info;
    *out = NULL;
    TRY(file_info(path, true, &info));
    if (info.type != FILE_REGULAR) return ERR_OK;
    const Err err = core_model(p->core, table_is, table_open, (void *)(uintptr_t)path, out);
    if (err == ERR_NOMEM || err == ERR_INTERRUPT) return err;
    if (err) LOG(LOG_WARN, "engine", "the static table is left out: %s", err_text());
    if (err || memcmp(&model_info(*out)->parent_id, &at->id, sizeof at->id) != 0) *out = NULL;
    return ERR_OK;
}

static Err table_find(Pythia *p, const Place *at, Model **out) {
    *out = NULL;
    if (!at->model) return ERR_OK;
    TRY(table_at(p, at, at->kept, out));
    return *out ? ERR_OK : table_at(p, at, at->named, out);
}

Err engine_table(Pythia *p, const StoreCollection *c, Model **out) {
    Arena a = {0};
    Place at;
    *out = NULL;
    if (!config_bool(p->opts.config, CONF_SEARCH_STATIC)) return ERR_OK;
    Err err = place_of(p, &a, c, &at);
    if (!err) err = table_find(p, &at, out);
    arena_free(&a);
    return err;
}

static bool is_cheap(const ModelInfo *m) {
    const double dim = (double)m->dim, layer = 4 * dim * dim + 2 * dim * (double)m->n_ff;
    return m->n_layers > 0 && 2 * (double)m->n_layers * layer * 3 * (double)m->n_vocab <= TABLE_FLOP_MOST;
}

static Err table_distill(Pythia *p, Arena *a, const Place *at, Err (*progress)(void *ctx, size_t done, size_t total),
                         void *ctx) {
    const char *folder = path_join(a, p->opts.home, "cache");
    const Deadline stop = engine_deadline(p, 0);
    Model *parent = NULL;
    Pool *pool = NULL;
    DistillReport report;
    if (!folder) return arena_error();
    TRY(file_make_dirs(folder, 0755));
    TRY(model_open(&parent, at->model, &(ModelOpts){.precision = MODEL_F32, .no_cache = true}));
    const DistillOpts opts = {.name = "static", .deadline = &stop, .progress = progress, .progress_ctx = ctx};
    Err err = is_cheap(model_info(parent))
                  ? engine_pool(p, &pool)
                  : err_set(ERR_LIMIT, "a static table of '%s' would take more than a minute", at->model);
    if (!err) err = model_distill(parent, pool, &opts, at->kept, &report);
    model_close(parent);
    return err;
}

Err engine_table_make(Pythia *p, const StoreCollection *c, Err (*progress)(void *ctx, size_t done, size_t total),
                      void *ctx) {
    Arena a = {0};
    Place at;
    Model *there = NULL;
    if (!config_bool(p->opts.config, CONF_SEARCH_STATIC)) return ERR_OK;
    Err err = place_of(p, &a, c, &at);
    if (!err) err = table_find(p, &at, &there);
    if (!err && at.model && !there) err = table_distill(p, &a, &at, progress, ctx);
    arena_free(&a);
    if (!err || err == ERR_INTERRUPT || err == ERR_NOMEM) return err;
    LOG(LOG_INFO, "engine", "no static table: %s", err_text());
    return ERR_OK;
}
