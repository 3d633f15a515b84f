/* distill.c - `model distill` as users meet it: which parent, under which name, weighted by which corpus.
 *
 * The parent is opened in f32 whatever model.precision says, so that the table's bytes do not depend on what the CPU
 * can do in low precision.
 */
#include "model/distill.h"

#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/engine.h"
#include "ingest/read.h"
#include "ingest/walk.h"

static const int64_t TELL_NS = 100000000; /* progress at most 10 a second */
static const size_t CORPUS_FILE_MAX = (size_t)1 << 30;

typedef struct {
    Pythia *p;
    Arena *a;
    const PythiaDistill *rq;
    PythiaDistilled *out;
    Deadline stop;
    Model *parent;
    const char *parent_name; /* as users would type it */
    DistillCorpus *corpus;
    const char *corpus_root;
    int64_t start_ns, told_ns, corpus_bytes;
} Job;

static void tell(Job *j, const char *stage, int64_t done, int64_t total) {
    int64_t now_ns = clock_mono_ns();
    if (!j->rq->progress || (now_ns - j->told_ns < TELL_NS && done != total)) return;
    j->told_ns = now_ns;
    IndexProgress now = {
        .stage = stage, .done = done, .total = total, .seconds = (double)(now_ns - j->start_ns) * 1e-9};
    j->rq->progress(j->rq->progress_ctx, &now);
}

static Err tell_tokens(void *ctx, size_t done, size_t total) {
    tell(ctx, "distill", (int64_t)done, (int64_t)total);
    return ERR_OK;
}

/* ---- the corpus ---- */

static Err corpus_text(Job *j, Str text) {
    TRY(deadline_check(&j->stop));
    TRY(distill_corpus_add(j->corpus, text));
    tell(j, "corpus", distill_corpus_passages(j->corpus), 0);
    return ERR_OK;
}

static Err corpus_file(void *ctx, const WalkEntry *e) {
    Job *j = ctx;
    Doc doc = {0};
    Str skip = {"", 0};
    Arena a = {0};
    if (e->reason.n) return ERR_OK;
    ReadOpts opts = {.max_size = config_int(j->p->opts.config, CONF_INDEX_MAX_FILE_SIZE)};
    Err err = doc_read(&a, j->corpus_root, e->path, &opts, &doc, &skip);
    if (err == ERR_IO) {
        LOG(LOG_WARN, "model", "a file of the corpus is left out: %s", err_text());
        err = ERR_OK;
    } else if (!err && !skip.n)
        err = corpus_text(j, doc.text);
    arena_free(&a);
    return err;
}

static Err corpus_lines(Job *j, const char *path) {
    Arena a = {0};
    Str rest = {NULL, 0}, line;
    Err err = file_read(&a, path, CORPUS_FILE_MAX, &rest);
    for (size_t number = 1; !err && str_line(&rest, &line); number++) {
        char what[600];
        json_t *object = NULL;
        if (!str_trim(line).n) continue;
        (void)snprintf(what, sizeof what, "%s:%zu", path, number);
        err = json_read(line, what, &object);
        const json_t *text = err ? NULL : json_object_get(object, "text");
        if (!err && !json_is_string(text)) err = err_set(ERR_INPUT, "%s: the key 'text' is missing or no string", what);
        if (!err) err = corpus_text(j, str_make(json_string_value(text), json_string_length(text)));
        json_decref(object);
    }
    arena_free(&a);
    return err;
}

static Err corpus_read(Job *j) {
    FileInfo info;
    const char *given = arena_cstr(j->a, j->rq->corpus), *path = NULL;
    path = given ? path_join(j->a, j->p->opts.cwd, given) : NULL;
    if (!path) return arena_error();
    TRY(file_info(path, true, &info));
    if (info.type == FILE_NONE) return err_set(ERR_INPUT, "there is no corpus '%s'", path);
    TRY(distill_corpus_open(&j->corpus, j->parent));
    if (info.type == FILE_DIR) {
        TRY(path_real(j->a, path, &j->corpus_root));
        WalkOpts opts = {.global_ignore = engine_global_ignore(j->p, j->a), .deadline = &j->stop};
        TRY(walk(j->corpus_root, &opts, corpus_file, j));
    } else
        TRY(corpus_lines(j, path));
    j->out->passages = distill_corpus_passages(j->corpus);
    if (j->out->passages >= DISTILL_PASSAGES_LEAST) return ERR_OK;
    return err_fix(err_set(ERR_INPUT, "the corpus '%s' has %lld passages; %d are needed to tell rare words", path,
                           (long long)j->out->passages, DISTILL_PASSAGES_LEAST),
                   "pythia model distill %s", j->parent_name);
}

/* ---- parent and name ---- */

static Err parent_open(Job *j) {
    Str name = j->rq->parent.n ? j->rq->parent : config_text(j->p->opts.config, CONF_MODEL_EMBED);
    const char *dir = engine_models_dir(j->p, j->a), *path = NULL;
    if (!dir) return arena_error();
    if (engine_is_remote(name))
        return err_fix(err_set(ERR_UNSUPPORTED, "'%.*s' is a service's model: its vocabulary is not here to distill",
                               STR_FMT(name)),
                       "pythia model list");
    TRY(model_resolve(j->a, dir, name, &path));
    Str base = path_base(str_of(path));
    if (str_ends(base, STR(".gguf"))) base = str_upto(base, base.n - 5);
    j->parent_name = arena_cstr(j->a, str_find_char(name, '/') >= 0 ? name : base);
    if (!j->parent_name) return arena_error();
    Err err = model_open(&j->parent, path, &(ModelOpts){.precision = MODEL_F32, .no_cache = true});
    if (err == ERR_UNSUPPORTED) err_fix(err, "pythia model list");
    return err;
}

/* What the table is called, and where it goes; nothing may be there unless it is to be replaced. */
static Err target_choose(Job *j, Str *name, const char **path) {
    FileInfo info;
    const char *dir = engine_models_dir(j->p, j->a);
    Str parent = path_base(str_of(j->parent_name));
    if (str_ends(parent, STR(".gguf"))) parent = str_upto(parent, parent.n - 5);
    *name = j->rq->name.n ? arena_str(j->a, j->rq->name) : arena_printf(j->a, "%.*s-static", STR_FMT(parent));
    if (!name->p || !dir) return arena_error();
    TRY(engine_model_name_check(*name));
    *path = arena_printf(j->a, "%s/%s.gguf", dir, name->p).p;
    if (!*path) return arena_error();
    TRY(file_info(*path, false, &info));
    if (info.type == FILE_NONE) return file_make_dirs(dir, 0755);
    if (str_is(model_info(j->parent)->path, *path))
        return err_fix(err_set(ERR_USAGE, "'%s' is the parent: a table cannot take its place", name->p),
                       "pythia model distill %s", j->parent_name);
    if (j->rq->force) return ERR_OK;
    return err_fix(err_set(ERR_USAGE, "there is a model '%s' already", name->p),
                   "pythia model distill %s --name %s --force", j->parent_name, name->p);
}

static Err distil(Job *j) {
    Str name = {NULL, 0};
    const char *path = NULL;
    Pool *pool = NULL;
    Model *made = NULL;
    DistillReport report;
    Sha256 id;
    TRY(parent_open(j));
    TRY(target_choose(j, &name, &path));
    TRY(engine_pool(j->p, &pool));
    if (j->rq->corpus.n) TRY(corpus_read(j));
    const DistillOpts opts = {.name = name.p,
                              .dim = (size_t)j->rq->dimensions,
                              .sif = j->rq->sif,
                              .corpus = j->corpus,
                              .deadline = &j->stop,
                              .progress = tell_tokens,
                              .progress_ctx = j};
    Err err = model_distill(j->parent, pool, &opts, path, &report);
    if (err == ERR_UNSUPPORTED) err_fix(err, "pythia model list");
    if (err == ERR_LIMIT)
        err_fix(err, "pythia model distill %s --dimensions %zu", j->parent_name, model_info(j->parent)->dim);
    TRY(err);
    j->out->tokens = (int64_t)report.tokens;
    j->out->explained = report.explained;
    TRY(model_open(&made, path, &(ModelOpts){0}));
    err = engine_model_describe(j->a, name.p, path, model_info(made), &j->out->model);
    model_close(made);
    TRY(err);
    TRY(model_file_id(path, &id));
    hex_write(id.bytes, sizeof id.bytes, j->out->model.id);
    return ERR_OK;
}

Err pythia_model_distill(Pythia *p, Arena *a, const PythiaDistill *rq, PythiaDistilled *out) {
    Job j = {.p = p, .a = a, .rq = rq, .out = out, .stop = engine_deadline(p, 0), .start_ns = clock_mono_ns()};
    *out = (PythiaDistilled){0};
    Err err = distil(&j);
    out->seconds = (double)(clock_mono_ns() - j.start_ns) * 1e-9;
    distill_corpus_close(j.corpus);
    model_close(j.parent);
    return err;
}
