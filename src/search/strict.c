/* strict.c - see strict.h. The lexical index is asked for the musts alone, then for what must not be, narrowed to the
 * candidates' numbers by its bitmap. */
#include "search/strict.h"

#include <stdlib.h>

typedef struct {
    const SearchSource *source;
    int64_t *ids; /* [n] rising: the chunks in question */
    bool *fits;   /* [n] */
    size_t n;
    uint64_t *bits;
    uint32_t numbers;
    LexHit *hits; /* [n] */
} Asked;

static int rising(const void *pa, const void *pb) {
    const int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

static bool *place_of(const Asked *k, int64_t id) {
    const int64_t *at = bsearch(&id, k->ids, k->n, sizeof *k->ids, rising);
    return at ? &k->fits[at - k->ids] : NULL;
}

/* The clauses of one kind as a query of its own: all of the musts, any of what must not be. */
static Err query_of(Arena *a, const LexQuery *all, LexOccur occur, LexQuery *out) {
    LexClause *clauses = arena_array(a, LexClause, all->n + 1);
    size_t n = 0;
    if (!clauses) return arena_error();
    for (size_t i = 0; i < all->n; i++) {
        if (all->clauses[i].occur != occur) continue;
        clauses[n] = all->clauses[i];
        if (occur == LEX_MUST_NOT) clauses[n].occur = LEX_SHOULD;
        n++;
    }
    *out = (LexQuery){clauses, n};
    return ERR_OK;
}

/* Sets `fits` of those that the query finds. */
static Err ask(const Asked *k, const LexQuery *q, bool fits) {
    size_t n = 0;
    const LexSearch how = {.k = k->n, .allowed = k->bits, .n_allowed = k->numbers};
    TRY(lex_search(k->source->lex, q, &how, k->hits, &n));
    for (size_t i = 0; i < n; i++) {
        bool *place = place_of(k, k->hits[i].id);
        if (place) *place = fits;
    }
    return ERR_OK;
}

static Err source_ask(Arena *a, Asked *k, Str words) {
    LexQuery all, musts, nots;
    LexStats stats;
    size_t count = 0;
    ChunkRange *ranges = arena_array(a, ChunkRange, k->n);
    lex_stats(k->source->lex, &stats);
    k->numbers = stats.numbers;
    k->bits = arena_array(a, uint64_t, stats.numbers / 64u + 1u);
    k->hits = arena_array(a, LexHit, k->n);
    if (!ranges || !k->bits || !k->hits) return arena_error();
    for (size_t i = 0; i < k->n; i++) ranges[i] = (ChunkRange){k->ids[i], k->ids[i] + 1};
    TRY(lex_allow(k->source->lex, ranges, k->n, k->bits, k->numbers, &count));
    TRY(lex_query_read(a, k->source->analyzer, words, true, &all));
    TRY(query_of(a, &all, LEX_MUST, &musts));
    TRY(query_of(a, &all, LEX_MUST_NOT, &nots));
    for (size_t i = 0; i < k->n; i++) k->fits[i] = musts.n == 0;
    if (musts.n) TRY(ask(k, &musts, true));
    return nots.n ? ask(k, &nots, false) : ERR_OK;
}

Err strict_keep(Arena *a, const SearchSource *sources, size_t n_sources, Str words, Candidate *all, size_t *n) {
    Asked k = {.ids = arena_array(a, int64_t, *n + 1), .fits = arena_array(a, bool, *n + 1)};
    bool *keep = arena_array(a, bool, *n + 1);
    if (!k.ids || !k.fits || !keep) return arena_error();
    for (size_t i = 0; i < n_sources; i++) {
        k.source = &sources[i];
        k.n = 0;
        for (size_t c = 0; c < *n; c++) {
            if (all[c].source != i) continue;
            keep[c] = all[c].lex_rank > 0;
            if (!keep[c]) k.ids[k.n++] = all[c].chunk;
        }
        if (k.n == 0 || !k.source->lex) continue;
        qsort(k.ids, k.n, sizeof *k.ids, rising);
        TRY(source_ask(a, &k, words));
        for (size_t c = 0; c < *n; c++)
            if (all[c].source == i && !keep[c]) keep[c] = *place_of(&k, all[c].chunk);
    }
    size_t kept = 0;
    for (size_t c = 0; c < *n; c++)
        if (keep[c]) all[kept++] = all[c];
    *n = kept;
    return ERR_OK;
}
