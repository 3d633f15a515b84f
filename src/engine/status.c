/* status.c - what is indexed, pending, skipped, stale, and why; collections as lists. */
#include <stdlib.h>

#include "base/file.h"
#include "base/map.h"
#include "base/meta.h"
#include "chunk/chunk.h"
#include "engine/managed_job.h"
#include "ingest/read.h"
#include "ingest/walk.h"

enum { STATUS_LIST_MAX = 1000 };

const char *run_state_name(RunState s) {
    static const char *const names[] = {"queued", "running", "succeeded", "failed", "cancelled"};
    return names[s];
}

/* ---- collections ---- */

static Err index_look_at(Pythia *p, const StoreCollection *c, int64_t *bytes, Str *hint) {
    VecIndex *ix = NULL;
    VecStats stats;
    *bytes = 0;
    *hint = STR("");
    if (c->dim == 0 || c->rows == 0) return ERR_OK;
    Err err = engine_open_index(p, c, false, &ix);
    if (err == ERR_NO_INDEX || err == ERR_CORRUPT || err == ERR_FORMAT) return ERR_OK; /* `verify` and `doctor` tell */
    TRY(err);
    vec_stats(ix, &stats);
    *bytes = stats.bytes;
    if (engine_codes_outgrown(&stats))
        *hint =
            STR("its codes were fitted to an eighth of what it holds by now or less; index --force makes them anew, "
                "which embeds every text");
    vec_close(ix);
    return ERR_OK;
}

static Err words_bytes(Pythia *p, const StoreCollection *c, int64_t *bytes) {
    LexIndex *ix = NULL;
    LexStats stats;
    *bytes = 0;
    Err err = engine_open_words(p, c, false, &ix);
    if (err == ERR_NO_INDEX || err == ERR_CORRUPT || err == ERR_FORMAT) return ERR_OK; /* `verify` and `doctor` tell */
    TRY(err);
    lex_stats(ix, &stats);
    *bytes = stats.bytes;
    lex_close(ix);
    return ERR_OK;
}

static bool model_is_missing(Pythia *p, Arena *a, const StoreCollection *c) {
    const char *dir = engine_models_dir(p, a), *path = NULL;
    if (engine_is_remote(c->model_name)) return config_text(p->opts.config, CONF_EMBED_REMOTE_URL).n == 0;
    return c->dim > 0 && dir && model_resolve(a, dir, c->model_name, &path) != ERR_OK;
}

/* Why the collection has its kind of index, when that was left to its size. */
static Err kind_why(Arena *a, const StoreCollection *c, Str *out) {
    IndexSettings settings;
    const char *why = "", *kind = arena_cstr(a, c->index_kind);
    TRY(settings_read(a, c->settings, &settings));
    if (!kind) return arena_error();
    if (settings.auto_kind) (void)vec_kind_auto(c->rows, kind, &why);
    *out = str_of(why);
    return ERR_OK;
}

static Err describe(Pythia *p, Arena *a, Store *s, const StoreCollection *c, PythiaCollection *out) {
    StoreCounts n;
    Model *table = NULL;
    StoreRun *runs = NULL;
    size_t n_runs = 0;
    FileInfo info = {0};
    TRY(store_counts(s, c->id, &c->model_id, &n));
    TRY(store_runs(s, a, c->id, 1, &runs, &n_runs));
    *out = (PythiaCollection){.name = c->name,
                              .root = c->root,
                              .describe = c->describe,
                              .model = c->model_name,
                              .index_kind = c->index_kind,
                              .store = STR("local"),
                              .documents = n.documents,
                              .skipped = n.skipped,
                              .failed = n.failed,
                              .chunks = n.chunks,
                              .embedded = n.embedded,
                              .pending = n.pending,
                              .skimmed = n.skimmed,
                              .text_bytes = n.text_bytes,
                              .updated_ms = c->updated_ms,
                              .dim = c->dim,
                              .last_run_state = STR(""),
                              .last_run_error = STR("")};
    TRY(engine_table(p, c, &table));
    out->statics = table ? n.pending : 0;
    TRY(index_look_at(p, c, &out->index_bytes, &out->index_hint));
    TRY(words_bytes(p, c, &out->lexical_bytes));
    TRY(kind_why(a, c, &out->index_why));
    if (c->root.n) {
        const char *root = arena_cstr(a, c->root);
        if (!root) return arena_error();
        TRY(file_info(root, true, &info));
        out->root_missing = info.type != FILE_DIR;
    }
    out->model_missing = model_is_missing(p, a, c);
    if (n_runs) out->last_run_state = str_of(run_state_name(runs[0].state)), out->last_run_error = runs[0].error;
    return ERR_OK;
}

Err pythia_collections(Pythia *p, Arena *a, PythiaCollection **out, size_t *n) {
    Store *s = NULL;
    StoreCollection *all = NULL;
    *n = 0;
    *out = NULL;
    Err err = engine_store(p, false, &s);
    if (err == ERR_NO_COLLECTION) return ERR_OK;
    TRY(err);
    size_t count = 0;
    TRY(store_collections(s, a, &all, &count));
    *out = arena_array(a, PythiaCollection, count);
    if (!*out) return arena_error();
    for (size_t i = 0; i < count; i++) TRY(describe(p, a, s, &all[i], &(*out)[i]));
    *n = count;
    return ERR_OK;
}

Err pythia_collection(Pythia *p, Arena *a, Str name, PythiaCollection *out) {
    Store *s = NULL;
    StoreCollection c;
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, name, &c));
    return describe(p, a, s, &c, out);
}

/* A collection as it is while nobody indexes it: its row has counts that an index run moves on. */
static Err collection_hold(Pythia *p, Arena *a, Str name, Store **s, StoreCollection *c, int *lock) {
    TRY(engine_store(p, true, s));
    TRY(store_collection(*s, a, name, c));
    TRY(engine_lock_collection(p, c, lock));
    return store_collection(*s, a, name, c);
}

Err pythia_collection_rename(Pythia *p, Str from, Str to) {
    Arena a = {0};
    Store *s = NULL;
    StoreCollection c;
    int lock = -1;
    if (to.n == 0 || to.n > 128) return err_set(ERR_USAGE, "'%.*s' is no name for a collection", STR_FMT(to));
    Err err = collection_hold(p, &a, from, &s, &c, &lock);
    if (!err) {
        c.name = to;
        err = store_begin(s);
        if (!err) err = engine_commit(s, store_collection_put(s, &c));
    }
    file_unlock(&lock);
    arena_free(&a);
    return err;
}

Err pythia_collection_remove(Pythia *p, Str name) {
    Arena a = {0};
    Store *s = NULL;
    StoreCollection c;
    int lock = -1;
    Err err = collection_hold(p, &a, name, &s, &c, &lock);
    if (err) goto done;
    const char *dir = engine_index_dir(p, &a, &c);
    if (!dir) {
        err = arena_error();
        goto done;
    }
    if ((err = store_begin(s))) goto done;
    if ((err = engine_commit(s, store_collection_remove(s, c.id)))) goto done;
    if ((err = store_sync(s))) goto done;
    engine_forget_indexes(p, &c);
    err = file_remove_tree(dir); /* after the commit: files without a row are garbage, a row without files is damage */
done:
    file_unlock(&lock);
    arena_free(&a);
    return err;
}

/* ---- status ---- */

typedef struct {
    Arena *a;
    PythiaStatus *out;
    Map docs;    /* path -> StoreDoc*, for the check of files */
    Map reasons; /* kind of reason -> count */
    const IndexSettings *settings;
    bool check_files;
} Look;

static Err push(Arena *a, PathReason **list, size_t *n, Str path, Str reason) {
    return *n < STATUS_LIST_MAX ? reason_add(a, list, n, path, reason) : ERR_OK;
}

/* "binary" of "binary (NUL at byte 12)". */
static Str reason_kind(Str reason) {
    ptrdiff_t at = str_find(reason, STR(" ("));
    return at > 0 ? str_upto(reason, (size_t)at) : reason;
}

static Err look_document(void *ctx, const StoreDoc *d) {
    Look *l = ctx;
    if (d->state != DOC_ACTIVE) {
        bool failed = d->state == DOC_FAILED;
        TRY(push(l->a, failed ? &l->out->failed : &l->out->skipped, failed ? &l->out->n_failed : &l->out->n_skipped,
                 d->path, d->reason));
        uint64_t *count = map_at(&l->reasons, arena_str(l->a, reason_kind(d->reason)), 0);
        if (!count) return ERR_NOMEM;
        (*count)++;
    }
    if (!l->check_files) return ERR_OK;
    StoreDoc *copy = arena_new(l->a, StoreDoc);
    if (!copy) return arena_error();
    *copy = *d;
    copy->path = arena_str(l->a, d->path);
    copy->chunks = 0; /* used here as "seen" */
    return copy->path.p ? map_put(&l->docs, copy->path, (uint64_t)(uintptr_t)copy) : arena_error();
}

static Err look_file(void *ctx, const WalkEntry *e) {
    Look *l = ctx;
    if (e->reason.n || settings_exclude(l->settings, e->path)) return ERR_OK;
    uint64_t *at = map_get(&l->docs, e->path);
    if (!at) return push(l->a, &l->out->stale, &l->out->n_stale, e->path, STR("new"));
    StoreDoc *d = (StoreDoc *)(uintptr_t)*at;
    d->chunks = 1;
    if (d->size == e->info.size && d->mtime_ns == e->info.mtime_ns) return ERR_OK;
    return push(l->a, &l->out->stale, &l->out->n_stale, e->path, STR("changed"));
}

static Err look_for_gone(Look *l) {
    for (size_t i = 0; i < l->docs.count; i++) {
        StoreDoc *d = (StoreDoc *)(uintptr_t)l->docs.entries[i].value;
        if (d->chunks == 0) TRY(push(l->a, &l->out->stale, &l->out->n_stale, d->path, STR("gone")));
    }
    return ERR_OK;
}

static int by_count(const void *x, const void *y) {
    const MapEntry *a = x, *b = y;
    if (a->value != b->value) return a->value < b->value ? 1 : -1;
    return str_cmp(a->key, b->key);
}

static Err count_reasons(Look *l) {
    PythiaStatus *out = l->out;
    if (l->reasons.count == 0) return ERR_OK;
    MapEntry *sorted = arena_array(l->a, MapEntry, l->reasons.count);
    out->skip_counts = arena_alloc_array(l->a, l->reasons.count, sizeof *out->skip_counts);
    if (!sorted || !out->skip_counts) return arena_error();
    memcpy(sorted, l->reasons.entries, l->reasons.count * sizeof *sorted);
    qsort(sorted, l->reasons.count, sizeof *sorted, by_count);
    for (size_t i = 0; i < l->reasons.count; i++) {
        out->skip_counts[i].reason = sorted[i].key;
        out->skip_counts[i].files = (int64_t)sorted[i].value;
    }
    out->n_skip_counts = l->reasons.count;
    return ERR_OK;
}

static Err walk_opts_of(Pythia *p, Arena *a, const StoreCollection *c, WalkOpts *out, IndexSettings *settings) {
    TRY(settings_read(a, c->settings, settings));
    return engine_walk_opts(p, a, c->root, settings, out);
}

Err pythia_status(Pythia *p, Arena *a, Str collection, bool check_files, PythiaStatus *out) {
    Store *s = NULL;
    StoreCollection c;
    IndexSettings settings;
    WalkOpts opts;
    *out = (PythiaStatus){0};
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(walk_opts_of(p, a, &c, &opts, &settings));
    Look l = {.a = a, .out = out, .settings = &settings, .check_files = check_files && c.root.n};
    Err err = store_documents(s, c.id, look_document, &l);
    if (!err) err = count_reasons(&l);
    if (!err && l.check_files) {
        const char *root = arena_cstr(a, c.root);
        err = root ? walk(root, &opts, look_file, &l) : arena_error();
        if (!err) err = look_for_gone(&l);
    }
    map_free(&l.docs);
    map_free(&l.reasons);
    return err;
}

/* ---- why ---- */

static void step(PythiaWhy *w, const char *stage, bool passed, Str detail) {
    w->steps[w->n_steps].stage = stage;
    w->steps[w->n_steps].passed = passed;
    w->steps[w->n_steps].detail = detail;
    w->n_steps++;
}

/* "12 chunks by the syntax tree of c, 7 symbols, 2 places that are no c" */
static Str how_cut(Arena *a, const Doc *doc, const DocChunks *cut) {
    if (cut->n == 0) return STR("nothing but blanks");
    if (strcmp(cut->by, "tree") != 0)
        return arena_printf(a, "%zu chunks by %s%s%s", cut->n, cut->by, cut->why ? ": " : "", cut->why ? cut->why : "");
    Str errors =
        cut->errors ? arena_printf(a, ", %zu places that are no %.*s", cut->errors, STR_FMT(doc->lang)) : STR("");
    return arena_printf(a, "%zu chunks by the syntax tree of %.*s, %zu symbols%.*s", cut->n, STR_FMT(doc->lang),
                        cut->n_symbols, STR_FMT(errors));
}

/* ", by Anna Berg, of 2024-05-01T08:00:00Z"; "" when the document says neither. */
static Str of_itself(Arena *a, Str meta) {
    const Str author = meta_get(meta, "author"), changed = meta_get(meta, "modified"), made = meta_get(meta, "created");
    const Str when = changed.n ? changed : made;
    return arena_printf(a, "%s%.*s%s%.*s", author.n ? ", by " : "", STR_FMT(author), when.n ? ", of " : "",
                        STR_FMT(when));
}

static Err why_read(Pythia *p, Arena *a, const StoreCollection *c, const IndexSettings *settings, Str path,
                    PythiaWhy *w) {
    Doc doc = {0};
    Str skip = {"", 0};
    DocChunks cut;
    Model *m = NULL;
    const char *root = arena_cstr(a, c->root);
    if (!root) return arena_error();
    ReadOpts opts = engine_read_opts(p, settings, NULL);
    Err err = doc_read(a, root, path, &opts, &doc, &skip);
    if (err) return step(w, "read", false, arena_str(a, str_of(err_text()))), ERR_OK;
    if (skip.n) return step(w, "read", false, skip), ERR_OK;
    step(w, "read", true,
         arena_printf(a, "%lld bytes, %.*s%.*s%s", (long long)doc.size, STR_FMT(doc.lang.n ? doc.lang : STR("text")),
                      STR_FMT(of_itself(a, doc.meta)),
                      doc.prior < 1.0f ? ", ranked lower: generated or vendored" : ""));
    if (c->dim == 0) return ERR_OK;
    TRY(engine_collection_model(p, c, &m));
    ChunkOpts opts_cut = {
        .max_tokens = (size_t)settings->max_tokens, .count_tokens = model_count_tokens, .count_ctx = m};
    TRY(chunk_doc(a, &doc, &opts_cut, &cut));
    step(w, "chunk", cut.n > 0, how_cut(a, &doc, &cut));
    return ERR_OK;
}

static Err why_stored(Store *s, Arena *a, const StoreCollection *c, Str path, PythiaWhy *w) {
    StoreDoc doc;
    StoreChunk *chunks = NULL;
    size_t n = 0, embedded = 0;
    Err err = store_document(s, a, c->id, path, &doc);
    if (err == ERR_NO_DOCUMENT)
        return step(w, "index", false, arena_printf(a, "not yet; run: pythia index '%.*s'", STR_FMT(c->root))), ERR_OK;
    TRY(err);
    if (doc.state != DOC_ACTIVE) return step(w, "index", false, doc.reason), ERR_OK;
    if (doc.cut == DOC_SKIMMED)
        step(w, "skim", false,
             arena_printf(a, "skimmed so far: found by coarse pieces; run: pythia index '%.*s'", STR_FMT(c->root)));
    TRY(store_chunks_of(s, a, doc.id, &chunks, &n));
    for (size_t i = 0; i < n; i++) {
        uint32_t slot;
        err = store_chunk_slot(s, c->id, &c->model_id, chunks[i].chunk_id, &slot);
        if (err && err != ERR_NO_INDEX) return err;
        embedded += !err;
    }
    step(w, "embed", embedded == n, arena_printf(a, "%zu of %zu chunks have vectors", embedded, n));
    char when[32];
    clock_iso(doc.indexed_ms, when);
    step(w, "index", true, arena_printf(a, "indexed %s", when));
    w->indexed = true;
    return ERR_OK;
}

/* A document that no file has was read when it was put. */
static Err why_managed(Store *s, Arena *a, const StoreCollection *c, Str what, PythiaWhy *w) {
    StoreDoc doc;
    TRY(managed_document(s, a, c->id, what, &doc));
    step(w, "read", true,
         arena_printf(a, "%lld bytes, %.*s%.*s, put as %.*s", (long long)doc.size,
                      STR_FMT(doc.lang.n ? doc.lang : STR("text")), STR_FMT(of_itself(a, doc.meta)), STR_FMT(doc.uri)));
    step(w, "chunk", doc.chunks > 0, arena_printf(a, "%lld chunks", (long long)doc.chunks));
    return why_stored(s, a, c, doc.path, w);
}

Err pythia_why(Pythia *p, Arena *a, Str collection, Str path, PythiaWhy *out) {
    Store *s = NULL;
    StoreCollection c = {0};
    IndexSettings settings;
    WalkOpts opts;
    WalkEntry entry;
    const char *absolute, *z = arena_cstr(a, path), *dir = NULL;
    *out = (PythiaWhy){0};
    if (!z) return arena_error();
    TRY(engine_store(p, false, &s));
    if (collection.n) TRY(store_collection(s, a, collection, &c));
    if (c.id && !c.root.n) return why_managed(s, a, &c, path, out);
    absolute = path_absolute(a, path_join(a, p->opts.cwd, z));
    if (!absolute) return arena_error();
    /* The folder is resolved, the file itself is not: a link is judged as what it is. */
    const char *parent = arena_cstr(a, path_dir(str_of(absolute)));
    if (!parent) return arena_error();
    TRY(path_real(a, *parent ? parent : "/", &dir));
    absolute = path_join(a, dir, path_base(str_of(absolute)).p);
    if (!absolute) return arena_error();
    if (!c.id) TRY(engine_covering(s, a, str_of(absolute), &c));
    if (!c.id || !path_within(str_of(absolute), c.root))
        return err_fix(err_set(ERR_NO_COLLECTION, "nothing indexed covers '%s'", absolute), "pythia index '%s'", dir);
    Str relative = engine_relative(str_of(absolute), c.root);
    const char *root = arena_cstr(a, c.root);
    if (!root) return arena_error();
    TRY(walk_opts_of(p, a, &c, &opts, &settings));
    TRY(walk_explain(a, root, relative, &opts, &entry));
    bool passed = entry.reason.n == 0;
    step(out, "ignore", passed, passed ? STR("no rule leaves it out") : entry.reason);
    if (passed) TRY(why_read(p, a, &c, &settings, relative, out));
    return why_stored(s, a, &c, relative, out);
}
