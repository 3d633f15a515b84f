/* ops_data.c - what is there and how it comes there: health, index, collections, documents, status. */
#include "base/file.h"
#include "serve/desk.h"
#include "serve/metadata.h"
#include "serve/reply.h"

/* ---- is it up ---- */

Err op_health(Call *c, JsonOut *j) {
    jout_kv_z(j, "version", PYTHIA_VERSION);
    jout_kv_i64(j, "uptime_s", desk_seconds(c->desk));
    return ERR_OK;
}

Err op_ready(Call *c, JsonOut *j) {
    ErrInfo why;
    char name[128];
    int64_t dim = 0;
    ModelState state = desk_model(c->desk, &why, name, &dim);
    if (state == MODEL_LOADING) return err_set(ERR_BUSY, "the model '%s' is being loaded", name);
    if (state == MODEL_FAILED) {
        /* Not ready is 503 here, whatever the reason is worth elsewhere. */
        (void)err_restore(&why);
        return err_fix(err_set(ERR_BUSY, "the model '%s' is not there: %s", name, why.text), "%s", why.fix);
    }
    jout_kv_z(j, "model", name);
    jout_kv_i64(j, "dimension", dim);
    return ERR_OK;
}

Err op_shutdown(Call *c, JsonOut *j) {
    (void)j;
    return desk_shutdown(c->desk);
}

/* ---- index ---- */

static Err index_documents(Call *c, JsonOut *j) {
    const json_t *list = json_object_get(c->params, "documents");
    size_t n = json_array_size(list);
    Str collection = field_str(c->params, "collection", "documents");
    AddReport report;
    AddDocument *docs = arena_array(c->arena, AddDocument, n);
    if (!docs) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(list, i);
        docs[i] = (AddDocument){
            .id = field_str(d, "id", ""), .title = field_str(d, "title", ""), .text = field_str(d, "text", "")};
        TRY(metadata_lines(c->arena, json_object_get(d, "metadata"), &docs[i].meta));
    }
    TRY(pythia_add(c->engine, c->arena, collection, docs, n, &report));
    jout_kv_str(j, "collection", collection);
    jout_kv_i64(j, "documents", report.documents);
    jout_kv_i64(j, "chunks", report.chunks);
    return ERR_OK;
}

/* Folders that may be indexed: those of serve.allowed_roots, and those that are collections already; after links are
 * resolved. */
static Err root_check(Call *c, Str path, const char **real) {
    const DeskOpts *o = desk_opts(c->desk);
    const char *z = arena_cstr(c->arena, path), *own = NULL;
    if (z && o->own_folder) z = path_join(c->arena, o->cwd, z);
    if (!z) return arena_error();
    if (z[0] != '/') return err_set(ERR_USAGE, "'path' must be absolute, not '%.*s'", STR_FMT(str_upto(path, 500)));
    TRY(path_real(c->arena, z, real));
    if (o->own_folder && !path_real(c->arena, o->cwd, &own) && path_within(str_of(*real), str_of(own))) return ERR_OK;
    Str rest = config_text(o->config, CONF_SERVE_ALLOWED_ROOTS), root;
    while (str_cut(&rest, ',', &root)) {
        const char *root_real = NULL, *root_z = arena_cstr(c->arena, str_trim(root));
        if (!root_z) return arena_error();
        if (*root_z && !path_real(c->arena, root_z, &root_real) && path_within(str_of(*real), str_of(root_real)))
            return ERR_OK;
    }
    PythiaCollection *list = NULL;
    size_t n = 0;
    TRY(pythia_collections(c->engine, c->arena, &list, &n));
    for (size_t i = 0; i < n; i++)
        if (list[i].root.n && path_within(str_of(*real), list[i].root)) return ERR_OK;
    return err_fix(err_set(ERR_NO_COLLECTION, "'%s' lies in no folder that may be indexed from here", *real),
                   "pythia serve --config serve.allowed_roots=/the/folder");
}

static void report_json(JsonOut *j, const IndexReport *r) {
    jout_key(j, "report");
    jout_begin(j, '{');
    jout_kv_i64(j, "added", r->added);
    jout_kv_i64(j, "changed", r->changed);
    jout_kv_i64(j, "removed", r->removed);
    jout_kv_i64(j, "unchanged", r->unchanged);
    jout_kv_i64(j, "skipped", r->skipped);
    jout_kv_i64(j, "failed", r->failed);
    jout_kv_i64(j, "chunks", r->chunks);
    jout_kv_i64(j, "embedded", r->embedded);
    jout_kv_i64(j, "reused", r->reused);
    jout_end(j, '}');
}

typedef struct {
    Call *call; /* NULL: answered while the run goes on, and gone */
    JsonOut *j;
    DeskWorker *worker;
    bool wait;
    int64_t run;
    Str collection, given;
    Err answered;
} Begun;

static void index_answer_early(Begun *b) {
    Call *c = b->call;
    b->call = NULL;
    jout_kv_str(b->j, "collection", b->collection);
    jout_kv_i64(b->j, "run", b->run);
    b->answered = call_answer_early(c, b->j, 202);
}

/* Who waits, or is told how far it is, hears of its end; all others that it has begun. */
static void index_begun(void *ctx, int64_t run, Str collection, Str root) {
    Begun *b = ctx;
    desk_run_begun(b->worker, run, collection, root, b->given);
    b->run = run;
    b->collection = collection;
    if (!b->wait && !b->call->progress) index_answer_early(b);
}

static void index_tell(void *ctx, const IndexProgress *p) {
    Begun *b = ctx;
    if (!b->call || !b->call->progress) return;
    if (!b->wait && b->run && !p->finished && clock_mono_ns() >= b->call->until_ns)
        index_answer_early(b);
    else
        b->call->progress(b->call, p);
}

static Err index_path(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    const char *real = NULL;
    IndexReport *reports = NULL;
    size_t n = 0;
    Begun begun = {.call = c,
                   .j = j,
                   .worker = c->worker,
                   .wait = field_bool(p, "wait", false),
                   .given = field_str(p, "path", "")};
    TRY(root_check(c, field_str(p, "path", ""), &real));
    Str path = str_of(real), collection = arena_str(c->arena, field_str(p, "collection", ""));
    if (!collection.p) return arena_error();
    IndexRequest rq = {.paths = &path,
                       .n_paths = 1,
                       .collection = collection,
                       .force = field_bool(p, "force", false),
                       .lex_only = field_bool(p, "lex_only", false),
                       .progress = index_tell,
                       .progress_ctx = &begun,
                       .begun = index_begun};
    Arena *arena = c->arena; /* the call may be gone once it was answered */
    Err err = pythia_index(c->engine, arena, &rq, &reports, &n);
    if (!begun.call) return err ? err : begun.answered;
    if (err && err != ERR_PARTIAL) return err;
    jout_kv_str(j, "collection", reports[0].collection);
    jout_kv_i64(j, "run", reports[0].run);
    jout_kv_i64(j, "chunks", reports[0].chunks);
    report_json(j, &reports[0]);
    return ERR_OK;
}

Err op_index(Call *c, JsonOut *j) {
    bool docs = json_object_get(c->params, "documents") != NULL, path = json_object_get(c->params, "path") != NULL;
    if (docs == path) return err_set(ERR_USAGE, "give either 'documents' or 'path'");
    return docs ? index_documents(c, j) : index_path(c, j);
}

/* ---- collections ---- */

static void collection_object(JsonOut *j, const PythiaCollection *c) {
    jout_begin(j, '{');
    reply_collection_members(j, c);
    jout_end(j, '}');
}

Err op_collections(Call *c, JsonOut *j) {
    PythiaCollection *list = NULL;
    size_t n = 0;
    TRY(pythia_collections(c->engine, c->arena, &list, &n));
    jout_key(j, "collections");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) collection_object(j, &list[i]);
    jout_end(j, ']');
    return ERR_OK;
}

static Err collection_show(Call *c, JsonOut *j, Str name) {
    PythiaCollection one;
    TRY(pythia_collection(c->engine, c->arena, name, &one));
    jout_key(j, "collection");
    collection_object(j, &one);
    return ERR_OK;
}

Err op_collection(Call *c, JsonOut *j) { return collection_show(c, j, field_str(c->params, "name", "")); }

Err op_collection_rename(Call *c, JsonOut *j) {
    Str to = field_str(c->params, "to", "");
    TRY(pythia_collection_rename(c->engine, field_str(c->params, "name", ""), to));
    return collection_show(c, j, to);
}

Err op_collection_remove(Call *c, JsonOut *j) {
    PythiaCollection one;
    Str name = field_str(c->params, "name", "");
    (void)j;
    TRY(pythia_collection(c->engine, c->arena, name, &one)); /* "" would mean the one that covers a folder */
    return pythia_collection_remove(c->engine, name);
}

/* ---- documents ---- */

static void document_object(JsonOut *j, const PythiaDocument *d, bool alone) {
    jout_begin(j, '{');
    reply_document_members(j, d, alone);
    jout_end(j, '}');
}

Err op_documents(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    PythiaDocument *list = NULL;
    size_t n = 0;
    bool more = false;
    TRY(pythia_documents(c->engine, c->arena, field_str(p, "collection", ""), field_str(p, "after", NULL),
                         (size_t)field_i64(p, "limit", 100), &list, &n, &more));
    jout_key(j, "documents");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) document_object(j, &list[i], false);
    jout_end(j, ']');
    jout_kv_bool(j, "has_more", more);
    return ERR_OK;
}

Err op_document(Call *c, JsonOut *j) {
    PythiaDocument d;
    TRY(pythia_document(c->engine, c->arena, field_str(c->params, "collection", ""), field_str(c->params, "id", ""),
                        &d));
    jout_key(j, "document");
    document_object(j, &d, true);
    return ERR_OK;
}

Err op_document_remove(Call *c, JsonOut *j) {
    (void)j;
    return pythia_document_remove(c->engine, c->arena, field_str(c->params, "collection", ""),
                                  field_str(c->params, "id", ""));
}

/* ---- status ---- */

static void model_object(Call *c, JsonOut *j) {
    static const char *const states[] = {"loading", "ready", "failed"};
    ErrInfo why;
    char name[128];
    int64_t dim = 0;
    ModelState state = desk_model(c->desk, &why, name, &dim);
    jout_key(j, "model");
    jout_begin(j, '{');
    jout_kv_z(j, "name", name);
    jout_kv_z(j, "state", states[state]);
    jout_kv_positive(j, "dimension", dim);
    if (state == MODEL_FAILED) {
        jout_kv_z(j, "error", why.text);
        jout_kv_z(j, "fix", why.fix);
    }
    jout_end(j, '}');
}

Err op_status(Call *c, JsonOut *j) {
    PythiaCollection *list = NULL;
    size_t n = 0;
    Str wanted = field_str(c->params, "collection", "");
    bool check = field_bool(c->params, "check", false), found = false;
    TRY(pythia_collections(c->engine, c->arena, &list, &n));
    jout_kv_z(j, "version", PYTHIA_VERSION);
    model_object(c, j);
    jout_key(j, "collections");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) {
        PythiaStatus s = {0};
        if (wanted.n && !str_eq(list[i].name, wanted)) continue;
        found = true;
        jout_begin(j, '{');
        reply_collection_members(j, &list[i]);
        if (wanted.n || check) {
            TRY(pythia_status(c->engine, c->arena, list[i].name, check && !list[i].root_missing, &s));
            reply_status_members(j, &s);
        }
        jout_end(j, '}');
    }
    jout_end(j, ']');
    if (!wanted.n || found) return ERR_OK;
    PythiaCollection one;
    TRY(pythia_collection(c->engine, c->arena, wanted, &one)); /* whose error names those there are */
    return ERR_OK;
}
