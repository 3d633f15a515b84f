/* pythia.c - opening and closing, and what is opened once: store, pool, analyser, models. */
#include "engine/engine.h"
#include "ingest/readers.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"

Err pythia_home(Arena *a, char **environ_, const char **out) {
    const char *home = env_get(environ_, "PYTHIA_HOME"), *data = env_get(environ_, "XDG_DATA_HOME");
    const char *user = env_get(environ_, "HOME");
    if (home)
        *out = path_absolute(a, home);
    else if (data && data[0] == '/')
        *out = path_join(a, data, "pythia"); /* XDG: a relative value is to be ignored */
    else if (user)
        *out = path_join(a, user, ".local/share/pythia");
    else
        return err_fix(err_set(ERR_USAGE, "no data folder: neither PYTHIA_HOME, XDG_DATA_HOME nor HOME is set"),
                       "PYTHIA_HOME=/some/folder pythia …");
    return *out ? ERR_OK : arena_error();
}

Err pythia_open(Pythia **out, const PythiaOpts *opts) {
    *out = NULL;
    Pythia *p = calloc(1, sizeof *p);
    if (!p) return err_set(ERR_NOMEM, "out of memory: cannot start");
    p->opts = *opts;
    p->opts.home = arena_cstr(&p->arena, str_of(opts->home));
    p->opts.cwd = arena_cstr(&p->arena, str_of(opts->cwd));
    Err err = p->opts.home && p->opts.cwd ? ERR_OK : arena_error();
    if (!err && opts->beside)
        p->core = core_join(opts->beside->core);
    else if (!err)
        err = core_open(&p->core);
    if (!err && opts->reader) err = readers_open(&p->readers, opts->reader);
    p->opts.beside = NULL; /* which may be closed before */
    if (err)
        pythia_close(p);
    else
        *out = p;
    return err;
}

void pythia_stand(Pythia *p, const char *cwd) { p->opts.cwd = cwd; }

void pythia_close(Pythia *p) {
    if (!p) return;
    store_close(p->store);
    analyzer_close(p->analyzer);
    readers_close(p->readers);
    core_leave(p->core);
    arena_free(&p->arena);
    free(p);
}

Err engine_analyzer(Pythia *p, Analyzer **out) {
    if (!p->analyzer) TRY(analyzer_open(&p->analyzer));
    *out = p->analyzer;
    return ERR_OK;
}

Err engine_open_store_at(const char *path, bool write, Store **out) {
    StoreSpec spec = {.kind = "local", .path = path, .read_only = !write};
    return store_open(out, &spec);
}

Err engine_store(Pythia *p, bool write, Store **out) {
    *out = NULL;
    if (p->store && write && !p->store_writable) {
        store_close(p->store);
        p->store = NULL;
    }
    if (!p->store) {
        Str path = config_text(p->opts.config, CONF_STORE_PATH);
        const char *dir = path.n ? arena_cstr(&p->arena, path) : p->opts.home;
        if (!dir) return arena_error();
        TRY(engine_open_store_at(dir, write, &p->store));
        p->store_writable = write;
    }
    *out = p->store;
    return ERR_OK;
}

Err engine_commit(Store *s, Err err) {
    if (!err) return store_commit(s); /* which rolls back by itself when it fails */
    ErrInfo told;
    err_save(&told, err);
    store_rollback(s);
    return err_restore(&told);
}

Err engine_pool(Pythia *p, Pool **out) { return engine_pool_under(p, SCHED_BACKGROUND, MEMORY_CALM, out); }

const char *engine_env(const Pythia *p, const char *name) { return env_get(p->opts.environ, name); }

unsigned engine_attempts(const Pythia *p) {
    int64_t n = config_int(p->opts.config, CONF_NETWORK_ATTEMPTS);
    return n < 1 ? 1 : n > 100 ? 100 : (unsigned)n;
}

const char *engine_models_dir(Pythia *p, Arena *a) { return path_join(a, p->opts.home, "models"); }

/* core.excludesFile's default place; a value set in git's own configuration is not read. */
const char *engine_global_ignore(const Pythia *p, Arena *a) {
    const char *config = env_get(p->opts.environ, "XDG_CONFIG_HOME"), *user = env_get(p->opts.environ, "HOME");
    if (config) return path_join(a, config, "git/ignore");
    return user ? path_join(a, user, ".config/git/ignore") : NULL;
}

ModelPrecision engine_precision(const Pythia *p) {
    static const ModelPrecision of[] = {MODEL_AUTO, MODEL_EXACT, MODEL_FAST,
                                        MODEL_F32}; /* in the order of the key's values */
    return of[config_int(p->opts.config, CONF_MODEL_PRECISION)];
}

bool engine_precision_is_auto(const Pythia *p) { return engine_precision(p) == MODEL_AUTO; }

Err engine_model(Pythia *p, Str name, Model **out) { return engine_model_as(p, name, NULL, out); }

typedef struct {
    const char *path;
    const ModelOpts *opts;
} ModelFile;

static bool file_is(const void *ctx, const Model *m) {
    const ModelFile *f = ctx;
    const ModelInfo *info = model_info(m);
    bool fast = f->opts->precision == MODEL_FAST || (f->opts->precision == MODEL_AUTO && info->fast_pays);
    return (info->precision == MODEL_FAST) == fast && info->generates == f->opts->generator &&
           str_is(info->path, f->path);
}

static Err file_open(void *ctx, Model **out) {
    const ModelFile *f = ctx;
    TRY(model_open(out, f->path, f->opts));
    LOG(LOG_INFO, "engine", "model open path=%s", f->path);
    return ERR_OK;
}

/* The model of a file, opened once. */
static Err model_of_path(Pythia *p, const char *path, const ModelOpts *opts, Model **out) {
    ModelFile f = {path, opts};
    return core_model(p->core, file_is, file_open, &f, out);
}

Err engine_reranker(Pythia *p, Str name, Model **out) {
    Arena a = {0};
    const char *path = NULL, *dir = engine_models_dir(p, &a);
    *out = NULL;
    if (name.n == 0) name = config_text(p->opts.config, CONF_MODEL_RERANK);
    if (engine_is_remote(name)) {
        arena_free(&a);
        return engine_remote_reranker(p, name, out);
    }
    Err err = dir ? model_resolve(&a, dir, name, &path) : arena_error();
    if (!err) err = model_of_path(p, path, &(ModelOpts){.precision = MODEL_EXACT, .reranker = true}, out);
    if (err == ERR_NO_MODEL || err == ERR_UNSUPPORTED) {
        if (str_is(name, ENGINE_RERANKER))
            err_fix(err, "pythia model pull " ENGINE_RERANKER_REPOSITORY " --name " ENGINE_RERANKER);
        else
            err_fix(err, "pythia model list");
    }
    arena_free(&a);
    return err;
}

Err engine_generator(Pythia *p, Str name, Model **out) {
    Arena a = {0};
    const char *path = NULL, *dir = engine_models_dir(p, &a);
    *out = NULL;
    Err err = dir ? model_resolve(&a, dir, name, &path) : arena_error();
    if (!err) err = model_of_path(p, path, &(ModelOpts){.precision = engine_precision(p), .generator = true}, out);
    arena_free(&a);
    return err;
}

/* automatic: what model.precision = auto means here. */
static Err model_in_precision(Pythia *p, Str name, const Sha256 *id, ModelPrecision automatic, Model **out) {
    Arena a = {0};
    ModelPrecision precision = engine_precision(p);
    if (precision == MODEL_AUTO) precision = automatic;
    Err err = ERR_OK;
    const char *path = NULL;
    *out = NULL;
    if (name.n == 0) name = config_text(p->opts.config, CONF_MODEL_EMBED);
    if (engine_is_remote(name)) return engine_remote_model(p, name, 0, out);
    const char *dir = engine_models_dir(p, &a);
    if (!dir) {
        err = arena_error();
        goto done;
    }
    if ((err = model_resolve(&a, dir, name, &path))) goto done;
    if (id) {
        Sha256 file, fast;
        if ((err = model_file_id(path, &file))) goto done;
        fast = model_id_with(&file, MODEL_FAST);
        if (memcmp(&fast, id, sizeof fast) == 0)
            precision = MODEL_FAST;
        else if (memcmp(&file, id, sizeof file) == 0 && precision != MODEL_F32)
            precision = MODEL_EXACT;
    }
    ModelOpts opts = {.max_tokens = (size_t)config_int(p->opts.config, CONF_MODEL_MAX_TOKENS), .precision = precision};
    err = model_of_path(p, path, &opts, out);
done:
    arena_free(&a);
    return err;
}

Err engine_model_as(Pythia *p, Str name, const Sha256 *id, Model **out) {
    return model_in_precision(p, name, id, MODEL_EXACT, out);
}

Err engine_model_to_index(Pythia *p, Str name, const Sha256 *id, Model **out) {
    return model_in_precision(p, name, id, MODEL_AUTO, out);
}

Deadline engine_deadline(const Pythia *p, int64_t ms) {
    return (Deadline){.at_ns = ms > 0 ? clock_mono_ns() + ms * 1000000 : 0, .cancel = p->opts.cancel};
}
