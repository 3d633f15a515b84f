/* words.c - see words.h. */
#include "engine/words.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "ingest/read.h"

enum { NUMBERS_FEW = 1024 }; /* below, holes are not worth a new numbering */

typedef struct {
    ChunkRange *ranges; /* malloc'ed */
    size_t n, cap;
} Ranges;

struct Words {
    Pythia *p;
    Store *store;
    StoreCollection *c;
    LexIndex *index;
    Analyzer *analyzer;
    const char *dir;
    Ranges gone, added; /* since the last lex_sync */
    Buf heading;        /* scratch */
    Arena arena;        /* dir */
};

/* ---- what to remove ---- */

static Err ranges_add(Ranges *r, ChunkRange range) {
    if (range.first == range.end) return ERR_OK;
    if (r->n == r->cap) {
        const size_t cap = r->cap ? 2 * r->cap : 64;
        ChunkRange *more = realloc(r->ranges, cap * sizeof *more);
        if (!more) return err_set(ERR_NOMEM, "out of memory for the words of chunks");
        r->ranges = more;
        r->cap = cap;
    }
    r->ranges[r->n++] = range;
    return ERR_OK;
}

static bool ranges_meet(const Ranges *r, ChunkRange range) {
    for (size_t i = 0; i < r->n; i++)
        if (r->ranges[i].first < range.end && range.first < r->ranges[i].end) return true;
    return false;
}

static int by_first(const void *pa, const void *pb) {
    const ChunkRange *a = pa, *b = pb;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Sorted and apart, as the index wants them: a chunk that went twice (a rename, then another) is in two. */
static void ranges_settle(Ranges *r) {
    size_t kept = 0;
    if (r->n) qsort(r->ranges, r->n, sizeof *r->ranges, by_first);
    for (size_t i = 0; i < r->n; i++) {
        const ChunkRange range = r->ranges[i];
        ChunkRange *before = kept ? &r->ranges[kept - 1] : NULL;
        if (before && range.first <= before->end) {
            if (range.end > before->end) before->end = range.end;
        } else {
            r->ranges[kept++] = range;
        }
    }
    r->n = kept;
}

/* Everything so far is durable; *count is what to commit. */
static Err sync(Words *w, uint32_t *count) {
    ranges_settle(&w->gone);
    TRY(lex_remove(w->index, w->gone.ranges, w->gone.n, NULL));
    TRY(lex_sync(w->index, count));
    w->gone.n = w->added.n = 0;
    return ERR_OK;
}

/* lex_remove sees what is synced, so chunks that came and went since are synced in between. */
static Err note_gone(Words *w, ChunkRange range) {
    uint32_t count;
    if (ranges_meet(&w->added, range)) TRY(sync(w, &count));
    return ranges_add(&w->gone, range);
}

/* ---- what to add ---- */

typedef struct {
    Str symbol, path, title, heading, body;
} Fields;

/* As the index has its columns; scratch holds a heading made of two. */
static Err fields_order(const Fields *f, Buf *scratch, Str out[LEX_FIELDS]) {
    Str heading = f->title.n ? f->title : f->heading;
    if (f->title.n && f->heading.n) {
        buf_clear(scratch);
        buf_add(scratch, f->title);
        buf_char(scratch, '\n');
        buf_add(scratch, f->heading);
        TRY(buf_ok(scratch));
        heading = buf_str(scratch);
    }
    out[LEX_SYMBOL] = f->symbol;
    out[LEX_PATH] = f->path;
    out[LEX_HEADING] = heading;
    out[LEX_BODY] = f->body;
    return ERR_OK;
}

static Err fields_add(Words *w, int64_t id, const Fields *f) {
    Str fields[LEX_FIELDS];
    uint32_t number;
    TRY(fields_order(f, &w->heading, fields));
    return lex_add(w->index, w->analyzer, id, fields, &number);
}

/* The text of a span; "" where the text ends before. */
static Str span_of(Str text, int64_t start, int64_t end) {
    if (start < 0 || end < start || (uint64_t)end > text.n) return STR("");
    return str_make(text.p + start, (size_t)(end - start));
}

static Fields fields_of_put(const Doc *doc, const Chunk *c) {
    return (Fields){c->names.n ? c->names : c->symbol, doc->path, doc->title, c->heading,
                    span_of(doc->text, c->start, c->end)};
}

static Err add_put(Words *w, const StoreChange *change, const Doc *doc, const Chunk *chunks) {
    for (int64_t id = change->added.first; id < change->added.end; id++) {
        const Fields f = fields_of_put(doc, &chunks[id - change->added.first]);
        TRY(fields_add(w, id, &f));
    }
    return ERR_OK;
}

Err words_gather(LexBatch *batch, Analyzer *a, const Doc *doc, const Chunk *chunks, size_t n) {
    Buf heading = {0};
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n; i++) {
        const Fields f = fields_of_put(doc, &chunks[i]);
        Str fields[LEX_FIELDS];
        err = fields_order(&f, &heading, fields);
        if (!err) err = lex_batch_add(batch, a, fields);
    }
    buf_free(&heading);
    return err;
}

/* The chunks of a document as the store has them, found at path. text: the file's now, unless the store keeps the text.
 * A span that is not what was cut any more has no words. */
static Err add_stored(Words *w, int64_t doc, Str path, Str text) {
    Arena a = {0};
    StoreChunk *chunks = NULL;
    size_t n = 0;
    Err err = store_chunks_of(w->store, &a, doc, &chunks, &n);
    if (!err && n && chunks[0].has_text) err = store_text(w->store, &a, doc, &text);
    for (size_t i = 0; !err && i < n; i++) {
        const StoreChunk *c = &chunks[i];
        Str body = span_of(text, c->start, c->end);
        const ChunkHash hash = chunk_hash_of(body);
        if (memcmp(&hash, &c->hash, sizeof hash) != 0) body = STR("");
        const Fields f = {c->names.n ? c->names : c->symbol, path, c->title, c->heading, body};
        err = fields_add(w, c->chunk_id, &f);
    }
    arena_free(&a);
    return err;
}

static int64_t length(ChunkRange r) { return r.end - r.first; }

static Err follow_gone(Words *w, const StoreChange *change) {
    w->c->chunks += length(change->added) - length(change->gone) - length(change->evicted);
    TRY(note_gone(w, change->evicted));
    return note_gone(w, change->gone);
}

Err words_follow(Words *w, const StoreChange *change, const Doc *doc, const Chunk *chunks) {
    TRY(follow_gone(w, change));
    if (change->added.first == change->added.end) return ERR_OK;
    TRY(chunks ? add_put(w, change, doc, chunks) : add_stored(w, change->doc, doc->path, doc->text));
    return ranges_add(&w->added, change->added);
}

Err words_follow_batch(Words *w, const StoreChange *change, LexBatch *batch, uint32_t at) {
    TRY(follow_gone(w, change));
    if (change->added.first == change->added.end) return ERR_OK;
    TRY(lex_add_batch(w->index, batch, at, (uint32_t)length(change->added), change->added.first));
    return ranges_add(&w->added, change->added);
}

/* ---- committing ---- */

Err words_commit(Words *w, Err err) {
    StoreCollection *c = w->c;
    const uint32_t before = c->lex_count;
    uint32_t count = before;
    if (!err) err = sync(w, &count);
    c->lex_count = count;
    if (!err && count != before) err = store_collection_put(w->store, c);
    err = engine_commit(w->store, err);
    if (err) c->lex_count = before;
    return err;
}

/* ---- a new generation ---- */

static Err open_generation(const Words *w, uint64_t generation, LexIndex **out) {
    return lex_open(out, &(LexSpec){.dir = w->dir, .generation = generation, .writer = true});
}

/* The index of the next generation holds `count`: from here on it is the collection's. */
static Err generation_commit(Words *w, uint64_t generation, uint32_t count, const Ranges *stale_docs) {
    const uint64_t old = w->c->lex_generation;
    StoreCollection next = *w->c;
    next.lex_generation = generation;
    next.lex_count = count;
    TRY(store_begin(w->store));
    Err err = ERR_OK;
    for (size_t i = 0; !err && stale_docs && i < stale_docs->n; i++)
        err = store_touch(w->store, stale_docs->ranges[i].first, 0, 0);
    if (!err) err = store_collection_put(w->store, &next);
    TRY(engine_commit(w->store, err));
    *w->c = next;
    if (!old) return ERR_OK;
    TRY(store_sync(w->store));
    return lex_drop(w->dir, old);
}

typedef struct {
    Words *words;
    const char *root;
    Deadline stop;
    Ranges stale; /* documents, as [id, id + 1), whose file is not what was indexed */
} Rebuild;

/* A document's text as it is now, {NULL, 0} when there is none to be had; *same: it is what was indexed. */
static Err live_text(const Rebuild *r, Arena *a, const StoreDoc *d, Str *out, bool *same) {
    const ReadOpts opts = {.max_size = INT64_MAX};
    Doc doc = {0};
    Str skip;
    *out = (Str){NULL, 0};
    *same = false;
    if (!*r->root) return ERR_OK;
    const Err err = doc_read(a, r->root, d->path, &opts, &doc, &skip);
    if (err == ERR_NOMEM || err == ERR_INTERRUPT) return err;
    if (err || skip.n) return ERR_OK;
    *same = memcmp(&doc.sha256, &d->sha256, sizeof doc.sha256) == 0;
    *out = doc.text;
    return ERR_OK;
}

static Err text_is_kept(const Rebuild *r, Arena *a, int64_t doc, bool *kept) {
    Str text;
    const Err err = store_text(r->words->store, a, doc, &text);
    *kept = !err;
    return err == ERR_NO_DOCUMENT ? ERR_OK : err;
}

static Err rebuild_document(void *ctx, const StoreDoc *d) {
    Rebuild *r = ctx;
    Arena a = {0};
    Str text = {NULL, 0};
    bool kept = false, same = true;
    if (d->state != DOC_ACTIVE) return ERR_OK;
    TRY(deadline_check(&r->stop));
    Err err = text_is_kept(r, &a, d->id, &kept);
    if (!err && !kept) err = live_text(r, &a, d, &text, &same);
    if (!err && !same) err = ranges_add(&r->stale, (ChunkRange){d->id, d->id + 1});
    if (!err) err = add_stored(r->words, d->id, d->path, text);
    arena_free(&a);
    return err;
}

static Err rebuild_into(Words *w, uint64_t generation) {
    Rebuild r = {.words = w, .stop = engine_deadline(w->p, 0), .root = arena_cstr(&w->arena, w->c->root)};
    uint32_t count = 0;
    Err err = r.root ? store_documents(w->store, w->c->id, rebuild_document, &r) : arena_error();
    if (!err) err = lex_sync(w->index, &count);
    if (!err) err = lex_merge(w->index, false, &r.stop);
    if (!err) err = generation_commit(w, generation, count, &r.stale);
    free(r.stale.ranges);
    return err;
}

/* From the store's spans and the live files; see words.h. */
static Err rebuild_all(Words *w) {
    const uint64_t generation = w->c->lex_generation + 1;
    LOG(LOG_INFO, "engine", "words anew collection=%.*s", STR_FMT(w->c->name));
    lex_close(w->index);
    w->index = NULL;
    TRY(file_make_dirs(w->dir, 0755));
    TRY(lex_drop(w->dir, generation)); /* what an interrupted one left */
    TRY(open_generation(w, generation, &w->index));
    return rebuild_into(w, generation);
}

/* ---- opening ---- */

static bool is_damage(Err err) { return err == ERR_NO_INDEX || err == ERR_CORRUPT || err == ERR_FORMAT; }

static Err check(const Words *w) {
    Buf report = {0};
    const Err err = lex_check(w->index, &report);
    buf_free(&report);
    return err;
}

static Err open_index(Words *w, bool rebuild) {
    if (w->c->lex_generation == 0) return rebuild_all(w);
    Err err = engine_open_words(w->p, w->c, true, &w->index);
    if (!err && rebuild) err = check(w);
    if (rebuild && is_damage(err)) return rebuild_all(w);
    if (err || w->c->lex_generation < 2) return err;
    TRY(store_sync(w->store));
    return lex_drop(w->dir, w->c->lex_generation - 1); /* a kill left it */
}

Err words_open(Words **out, Pythia *p, Store *s, StoreCollection *c, bool rebuild) {
    *out = NULL;
    Words *w = calloc(1, sizeof *w);
    if (!w) return err_set(ERR_NOMEM, "out of memory for the words of chunks");
    *w = (Words){.p = p, .store = s, .c = c};
    w->dir = engine_index_dir(p, &w->arena, c);
    Err err = w->dir ? engine_analyzer(p, &w->analyzer) : arena_error();
    if (!err) err = open_index(w, rebuild);
    if (err)
        words_close(w);
    else
        *out = w;
    return err;
}

void words_close(Words *w) {
    if (!w) return;
    lex_close(w->index);
    free(w->gone.ranges);
    free(w->added.ranges);
    buf_free(&w->heading);
    arena_free(&w->arena);
    free(w);
}

/* ---- tidying ---- */

/* Numbers are never used again, so those of chunks that went are holes in every bitmap and table. */
static Err renumber(Words *w) {
    uint32_t count = 0;
    TRY(lex_compact(w->index, &count));
    TRY(generation_commit(w, w->c->lex_generation + 1, count, NULL));
    lex_close(w->index);
    w->index = NULL;
    return engine_open_words(w->p, w->c, true, &w->index);
}

Err words_tidy(Words *w, bool last) {
    LexStats stats;
    Deadline stop = engine_deadline(w->p, 0);
    if (lex_merge_due(w->index)) {
        TRY(store_sync(w->store));
        TRY(lex_merge(w->index, false, &stop));
    }
    lex_stats(w->index, &stats);
    if (!last || stats.numbers < NUMBERS_FEW || stats.numbers / 2 < stats.live) return ERR_OK;
    return renumber(w);
}
