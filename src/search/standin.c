/* standin.c - see standin.h.
 *
 * Candidates are taken best words first, in batches; each batch raises the bar that the next must be able to pass, as
 * in search.c. Texts are read from the live files, each file once, and count when they are what was indexed.
 */
#include "search/standin.h"

#include <math.h>
#include <stdlib.h>

#include "search/fresh.h"

enum {
    BATCH = 64,
    PIECE_BYTES =
        1024,        /* what a table takes at a time, some 256 tokens: longer texts are as like as their best piece */
    PIECES_MOST = 8, /* of a text: skimmed chunks have four */
};

typedef struct {
    Arena arena; /* all that this call needs */
    const SearchSource *source;
    const Deadline *deadline;
    float *query;     /* [dim] */
    Candidate **open; /* [n] without a cosine, best words first */
    size_t n;
    LiveDocs docs;
    Str *pieces;       /* [n_pieces] of the batch's texts */
    Candidate **whose; /* likewise */
    size_t n_pieces;
} Job;

/* ---- texts ---- */

/* The text in pieces that end with a line where one ends in their second half. */
static void pieces_add(Job *j, Candidate *c, Str text) {
    for (size_t n = 0; text.n && n < PIECES_MOST; n++) {
        size_t end = text.n <= 2 * (size_t)PIECE_BYTES ? text.n : (size_t)PIECE_BYTES;
        const ptrdiff_t line = end < text.n ? str_rfind_char(str_upto(text, end), '\n') : -1;
        if (line >= PIECE_BYTES / 2) end = (size_t)line + 1;
        j->pieces[j->n_pieces] = str_upto(text, end);
        j->whose[j->n_pieces++] = c;
        text = str_from(text, end);
    }
}

/* Nothing of a chunk that is not what was indexed, or that another process took away just now. */
static Err text_add(Job *j, Candidate *c) {
    StoreChunk chunk;
    Str content;
    int64_t collection;
    const Err err = store_chunk(j->source->store, &j->arena, c->chunk, &collection, &chunk);
    if (err == ERR_NO_DOCUMENT) return ERR_OK;
    TRY(err);
    TRY(live_docs_text(&j->docs, &chunk, &content));
    if (content.p) pieces_add(j, c, content);
    return ERR_OK;
}

/* ---- vectors ---- */

/* The best piece of each. */
static Err batch_embed(Job *j) {
    const SearchSource *s = j->source;
    const size_t dim = model_info(s->table)->dim;
    const EmbedOpts opts = {.kind = EMBED_DOCUMENT, .deadline = j->deadline};
    if (j->n_pieces == 0) return ERR_OK;
    float *rows = arena_alloc_array(&j->arena, j->n_pieces, dim * sizeof *rows);
    if (!rows) return arena_error();
    TRY(sched_embed(s->sched, SCHED_INTERACTIVE, s->table, s->pool, j->pieces, j->n_pieces, &opts, rows, NULL));
    for (size_t i = 0; i < j->n_pieces; i++) {
        Candidate *c = j->whose[i];
        const float shift = STANDIN_SHARE * (vectors_dot(j->query, rows + i * dim, dim) - STANDIN_USUAL);
        if (!c->has_shift || shift > c->shift) c->shift = shift;
        c->has_shift = true;
    }
    return ERR_OK;
}

/* ---- who ---- */

static int by_falling_bm25(const void *pa, const void *pb) {
    const Candidate *a = *(Candidate *const *)pa, *b = *(Candidate *const *)pb;
    if (a->bm25 != b->bm25) return a->bm25 > b->bm25 ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static int falling(const void *pa, const void *pb) {
    const float a = *(const float *)pa, b = *(const float *)pb;
    return a > b ? -1 : a < b;
}

/* What the last of the `want` first is fused to, as far as is known. */
static float entry_bar(const FuseRule *rule, Candidate *all, size_t n, size_t want, float *fused) {
    if (n < want) return -INFINITY;
    for (size_t i = 0; i < n; i++) {
        fuse_one(rule, &all[i]);
        fused[i] = all[i].fused;
    }
    qsort(fused, n, sizeof *fused, falling);
    return fused[want - 1];
}

static bool may_enter(const FuseRule *rule, const Candidate *c, float bar) {
    Candidate best = *c;
    best.shift = STANDIN_SHARE * (1.0f - STANDIN_USUAL);
    fuse_one(rule, &best);
    return best.fused >= bar;
}

static Err source_fill(Job *j, const FuseRule *rule, size_t want, Candidate *all, size_t n_all) {
    float *fused = arena_array(&j->arena, float, n_all + 1);
    if (!fused) return arena_error();
    for (size_t at = 0, n; at < j->n && at < STANDIN_MOST; at += n) {
        const float bar = entry_bar(rule, all, n_all, want, fused);
        TRY(deadline_check(j->deadline));
        j->n_pieces = 0;
        for (n = 0; n < BATCH && at + n < j->n && may_enter(rule, j->open[at + n], bar); n++)
            TRY(text_add(j, j->open[at + n]));
        if (n == 0) break;
        TRY(batch_embed(j));
    }
    return ERR_OK;
}

static Err source_begin(Job *j, uint32_t source, Str text, Candidate *all, size_t n_all) {
    const SearchSource *s = j->source;
    const EmbedOpts opts = {.kind = EMBED_QUERY, .deadline = j->deadline};
    j->open = arena_array(&j->arena, Candidate *, n_all + 1);
    TRY(live_docs_begin(&j->docs, &j->arena, s->store, s->collection->root, STANDIN_MOST + BATCH));
    j->pieces = arena_array(&j->arena, Str, BATCH * PIECES_MOST);
    j->whose = arena_array(&j->arena, Candidate *, BATCH * PIECES_MOST);
    j->query = arena_array(&j->arena, float, model_info(s->table)->dim);
    if (!j->open || !j->pieces || !j->whose || !j->query) return arena_error();
    for (size_t i = 0; i < n_all; i++)
        if (all[i].source == source && !all[i].has_cosine) j->open[j->n++] = &all[i];
    if (j->n == 0) return ERR_OK;
    qsort(j->open, j->n, sizeof(Candidate *), by_falling_bm25);
    return model_embed_cached(s->table, s->cache, s->sched, s->pool, text, &opts, j->query);
}

Err standin_fill(const SearchSource *sources, size_t n_sources, Str text, const FuseRule *rule, size_t want,
                 const Deadline *deadline, Candidate *all, size_t n_all, bool *deadline_hit) {
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < n_sources; i++) {
        if (!sources[i].table) continue;
        Job j = {.source = &sources[i], .deadline = deadline};
        err = source_begin(&j, (uint32_t)i, text, all, n_all);
        if (!err) err = source_fill(&j, rule, want, all, n_all);
        arena_free(&j.arena);
    }
    if (err != ERR_DEADLINE) return err;
    *deadline_hit = true;
    return ERR_OK;
}
