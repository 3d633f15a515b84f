/* managed.c - documents as rows: listing them, and those that no file has (put by a program, kept in the store).
 *
 * A managed collection has no root; its documents are called by the ids that their makers gave them and have the URI
 * "api:<id>", or "upload://sha256:<hash>" where none was given. Their text is kept. One transaction a call for rows and
 * words, then vectors as after any `index`; a kill between leaves them pending, and the next call finishes them.
 */
#include <stdio.h>

#include "base/file.h"
#include "chunk/chunk.h"
#include "engine/engine.h"
#include "engine/words.h"

enum { SPECIAL_TOKENS = 2, ADD_TEXT_MAX = 64 << 20 };

static const char *state_name(DocState s) {
    return s == DOC_ACTIVE ? "active" : s == DOC_SKIPPED ? "skipped" : "failed";
}

static Err document_fill(Arena *a, const StoreDoc *d, PythiaDocument *out) {
    *out = (PythiaDocument){.uri = arena_str(a, d->uri),
                            .path = arena_str(a, d->path),
                            .lang = arena_str(a, d->lang),
                            .state = state_name(d->state),
                            .reason = arena_str(a, d->reason),
                            .bytes = d->size,
                            .chunks = d->chunks,
                            .indexed_ms = d->indexed_ms,
                            .modified_ms = d->mtime_ns / 1000000};
    hex_write(d->sha256.bytes, sizeof d->sha256.bytes, out->sha256);
    return out->uri.p && out->path.p && out->lang.p && out->reason.p ? ERR_OK : arena_error();
}

typedef struct {
    Arena *a;
    Str after;
    size_t limit, n, cap;
    bool more;
    PythiaDocument *list;
} Listing;

static Err listing_row(void *ctx, const StoreDoc *d) {
    Listing *l = ctx;
    if (l->after.p && str_cmp(d->path, l->after) <= 0) return ERR_OK;
    if (l->n == l->limit) return l->more = true, ERR_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 32;
        PythiaDocument *list = arena_array(l->a, PythiaDocument, cap);
        if (!list) return arena_error();
        if (l->n) memcpy(list, l->list, l->n * sizeof *list);
        l->list = list;
        l->cap = cap;
    }
    return document_fill(l->a, d, &l->list[l->n++]);
}

Err pythia_documents(Pythia *p, Arena *a, Str collection, Str after, size_t limit, PythiaDocument **out, size_t *n,
                     bool *more) {
    Store *s = NULL;
    StoreCollection c;
    Listing l = {.a = a, .after = after, .limit = limit};
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(store_documents(s, c.id, listing_row, &l));
    *out = l.list;
    *n = l.n;
    *more = l.more;
    return ERR_OK;
}

Err pythia_document(Pythia *p, Arena *a, Str collection, Str path, PythiaDocument *out) {
    Store *s = NULL;
    StoreCollection c;
    StoreDoc d;
    TRY(engine_store(p, false, &s));
    TRY(engine_find_collection(p, s, a, collection, &c));
    TRY(store_document(s, a, c.id, path, &d));
    return document_fill(a, &d, out);
}

/* ---- adding ---- */

typedef struct {
    Pythia *p;
    Arena *a;
    Store *store;
    StoreCollection c;
    Model *model;
    Words *words;
    AddReport *out;
    int lock_fd;
} Add;

/* The collection of that name, which must be a managed one; made when there is none. */
static Err add_collection(Add *x, Str name) {
    Err err = store_collection(x->store, x->a, name, &x->c);
    if (err && err != ERR_NO_COLLECTION) return err;
    if (!err && x->c.root.n)
        return err_set(ERR_INPUT, "collection '%.*s' is made of the folder '%.*s'; documents go into one of their own",
                       STR_FMT(name), STR_FMT(x->c.root));
    bool there = !err;
    TRY(engine_model_to_index(x->p, there ? x->c.model_name : STR(""), there ? &x->c.model_id : NULL, &x->model));
    if (there) return engine_collection_model(x->p, &x->c, &x->model);
    const ModelInfo *info = model_info(x->model);
    IndexSettings settings = {.max_tokens = (int64_t)info->max_tokens - SPECIAL_TOKENS};
    x->c = (StoreCollection){.name = name,
                             .root = STR(""),
                             .describe = STR(""),
                             .model_name = config_text(x->p->opts.config, CONF_MODEL_EMBED),
                             .model_id = info->id,
                             .dim = (int64_t)info->dim,
                             .index_kind = engine_index_kind(x->p, 0),
                             .generation = 1,
                             .created_ms = clock_wall_ms(),
                             .updated_ms = clock_wall_ms()};
    TRY(settings_write(x->a, &settings, &x->c.settings));
    TRY(store_begin(x->store));
    return engine_commit(x->store, store_collection_put(x->store, &x->c));
}

/* The same lock that `index` takes: one writer a collection. */
static Err add_lock(Add *x) {
    const char *dir = path_join(x->a, x->p->opts.home, "locks");
    if (!dir) return arena_error();
    TRY(file_make_dirs(dir, 0755));
    Str path = arena_printf(x->a, "%s/%lld.lock", dir, (long long)x->c.id);
    if (!path.p) return arena_error();
    Err err = file_lock(path.p, &x->lock_fd);
    if (err != ERR_BUSY) return err;
    return err_set(ERR_BUSY, "another call is indexing '%.*s'", STR_FMT(x->c.name));
}

static Err add_one(Add *x, const AddDocument *d) {
    Arena scratch = {0};
    DocChunks made = {0};
    StoreChange change;
    char hex[65];
    Doc doc = {.text = d->text,
               .title = d->title,
               .lang = STR("text"),
               .sha256 = sha256_of(d->text),
               .size = (int64_t)d->text.n,
               .mtime_ns = clock_wall_ms() * 1000000};
    hex_write(doc.sha256.bytes, sizeof doc.sha256.bytes, hex);
    doc.uri = d->id.n ? arena_printf(&scratch, "api:%.*s", (int)d->id.n, d->id.p)
                      : arena_printf(&scratch, "upload://sha256:%s", hex);
    doc.path = d->id.n ? d->id : arena_printf(&scratch, "%s", hex);
    IndexSettings settings;
    Err err = doc.uri.p && doc.path.p ? settings_read(&scratch, x->c.settings, &settings) : arena_error();
    ChunkOpts cut = {
        .max_tokens = (size_t)settings.max_tokens, .count_tokens = model_count_tokens, .count_ctx = x->model};
    if (!err) err = chunk_doc(&scratch, &doc, &cut, &made);
    StorePut put = {.collection = x->c.id,
                    .doc = &doc,
                    .chunks = made.chunks,
                    .n_chunks = made.n,
                    .now_ms = clock_wall_ms(),
                    .keep_text = true};
    if (!err) err = store_put(x->store, &put, &change);
    if (!err) err = words_follow(x->words, &change, &doc, made.chunks);
    x->out->chunks += (int64_t)made.n;
    arena_free(&scratch);
    return err;
}

static Err add_beat(void *ctx, int64_t done, int64_t total, int64_t tokens) {
    const Add *x = ctx;
    (void)done, (void)total, (void)tokens;
    Deadline stop = engine_deadline(x->p, 0);
    return deadline_check(&stop);
}

static Err add_work(Add *x, const AddDocument *docs, size_t n) {
    EmbedReport embed;
    StoreCounts counts;
    Err err = ERR_OK;
    TRY(add_lock(x));
    TRY(store_collection(x->store, x->a, x->c.name, &x->c)); /* as it is now that nobody else writes */
    TRY(words_open(&x->words, x->p, x->store, &x->c, false));
    TRY(store_begin(x->store));
    for (size_t i = 0; !err && i < n; i++) err = add_one(x, &docs[i]);
    TRY(words_commit(x->words, err));
    TRY(words_tidy(x->words, true));
    TRY(engine_embed_pending(x->p, x->store, &x->c, x->model, &(EmbedHow){.beat = add_beat, .ctx = x}, &embed));
    x->out->tokens = embed.tokens;
    TRY(engine_sweep(x->p, x->store, &x->c));
    TRY(store_counts(x->store, x->c.id, &x->c.model_id, &counts));
    x->c.pending_known = true;
    x->c.pending = counts.pending;
    x->c.pending_files = counts.pending_files;
    x->c.updated_ms = clock_wall_ms();
    TRY(store_begin(x->store));
    return engine_commit(x->store, store_collection_put(x->store, &x->c));
}

Err pythia_add(Pythia *p, Arena *a, Str collection, const AddDocument *docs, size_t n, AddReport *out) {
    Add x = {.p = p, .a = a, .out = out, .lock_fd = -1};
    *out = (AddReport){.documents = (int64_t)n};
    for (size_t i = 0; i < n; i++)
        if (docs[i].text.n > ADD_TEXT_MAX)
            return err_set(ERR_LIMIT, "document %zu has %zu bytes; at most %d are taken", i, docs[i].text.n,
                           ADD_TEXT_MAX);
    TRY(engine_store(p, true, &x.store));
    Err err = add_collection(&x, collection);
    if (!err) err = add_work(&x, docs, n);
    words_close(x.words);
    file_unlock(&x.lock_fd);
    return err;
}

static Err remove_work(Add *x, int64_t doc) {
    StoreChange change;
    TRY(store_begin(x->store));
    Err err = store_remove(x->store, doc, &change);
    if (!err) err = words_follow(x->words, &change, NULL, NULL);
    TRY(words_commit(x->words, err));
    TRY(words_tidy(x->words, true));
    return engine_sweep(x->p, x->store, &x->c);
}

Err pythia_document_remove(Pythia *p, Arena *a, Str collection, Str path) {
    Add x = {.p = p, .a = a, .lock_fd = -1};
    StoreDoc d;
    TRY(engine_store(p, true, &x.store));
    TRY(store_collection(x.store, a, collection, &x.c));
    if (x.c.root.n)
        return err_set(ERR_INPUT, "collection '%.*s' is made of the folder '%.*s': remove the file, then index",
                       STR_FMT(collection), STR_FMT(x.c.root));
    TRY(store_document(x.store, a, x.c.id, path, &d));
    Err err = add_lock(&x);
    if (!err) err = store_collection(x.store, a, collection, &x.c);
    if (!err) err = words_open(&x.words, p, x.store, &x.c, false);
    if (!err) err = remove_work(&x, d.id);
    words_close(x.words);
    file_unlock(&x.lock_fd);
    return err;
}
