/* regex.c - see regex.h. Document by document: its file is read once, its chunks are looked through in their order. */
#include "search/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "search/arms.h"
#include "search/fresh.h"

enum { REGEX_HEAP_KB = 20000 };

typedef struct {
    float prior;
    uint32_t source;
    int64_t chunk;
    int64_t from, to; /* bytes of the chunk's live text: whole lines */
} Match;

typedef struct {
    const SearchSource *sources;
    const SearchRequest *rq;
    Str pattern;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    Match *best; /* [n] unsorted until the end; [2 * keep] */
    size_t n, keep, total;
    bool deadline_hit;
} Regex;

/* ---- the expression ---- */

static Err compile(Regex *r) {
    int number = 0;
    PCRE2_SIZE at = 0;
    if (r->pattern.n == 0) return err_set(ERR_USAGE, "the expression is empty");
    if (r->pattern.n > REGEX_BYTES_MAX)
        return err_set(ERR_LIMIT, "the expression has %zu bytes, at most %d are taken", r->pattern.n, REGEX_BYTES_MAX);
    r->code = pcre2_compile((PCRE2_SPTR)r->pattern.p, r->pattern.n,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                            &number, &at, NULL);
    if (!r->code) {
        char text[200] = "";
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
        return err_set(ERR_USAGE, "the expression '%.*s' is none: %s at byte %zu", STR_FMT(r->pattern), text,
                       (size_t)at);
    }
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it matching is slower, and the same */
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->data || !r->limits) return err_set(ERR_NOMEM, "out of memory for an expression");
    (void)pcre2_set_match_limit(r->limits, REGEX_STEPS_MAX);
    (void)pcre2_set_depth_limit(r->limits, REGEX_STEPS_MAX);
    (void)pcre2_set_heap_limit(r->limits, REGEX_HEAP_KB);
    return ERR_OK;
}

static void release(Regex *r) {
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
}

/* The lines of the first match in text. */
static Err match(const Regex *r, const StoreChunk *c, Str text, bool *found, int64_t *from, int64_t *to) {
    const int rc = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.n, 0, PCRE2_NOTEMPTY, r->data, r->limits);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return ERR_OK;
    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
        rc == PCRE2_ERROR_JIT_STACKLIMIT)
        return err_set(ERR_LIMIT,
                       "the expression '%.*s' takes too many steps at %.*s:%d; make its repetitions less ambiguous",
                       STR_FMT(r->pattern), STR_FMT(c->path), c->start_line);
    if (rc < 0) return err_set(ERR_INTERNAL, "matching '%.*s' failed (%d)", STR_FMT(r->pattern), rc);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(r->data);
    size_t start = span[0], end = span[1] > span[0] ? span[1] : span[0]; /* \K may turn them round */
    while (start > 0 && text.p[start - 1] != '\n') start--;
    while (end < text.n && text.p[end] != '\n') end++;
    *from = (int64_t)start;
    *to = (int64_t)end;
    return ERR_OK;
}

/* ---- the best ---- */

static int match_order(const void *pa, const void *pb) {
    const Match *a = pa, *b = pb;
    if (a->prior != b->prior) return a->prior > b->prior ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return (a->chunk > b->chunk) - (a->chunk < b->chunk);
}

static void trim(Regex *r) {
    if (r->n) qsort(r->best, r->n, sizeof *r->best, match_order);
    if (r->n > r->keep) r->n = r->keep;
}

/* ---- looking ---- */

static Err look_chunk(Regex *r, Arena *scratch, uint32_t source, LiveText *live, StoreChunk *c) {
    Freshness fresh;
    Str content;
    bool found = false;
    Match m = {.source = source, .chunk = c->chunk_id, .prior = 1};
    TRY(live_place(scratch, live, c, &fresh, &content));
    if (content.n == 0) return ERR_OK;
    TRY(match(r, c, content, &found, &m.from, &m.to));
    if (!found) return ERR_OK;
    TRY(store_chunk_prior(r->sources[source].store, c->chunk_id, &m.prior));
    if (m.prior < r->rq->min_score) return ERR_OK;
    r->total++;
    r->best[r->n++] = m;
    if (r->n == 2 * r->keep) trim(r);
    return ERR_OK;
}

/* The chunks [*id, end) that are of one document; *id goes behind them. */
static Err look_document(Regex *r, Arena *scratch, uint32_t source, int64_t *id, int64_t end) {
    const SearchSource *s = &r->sources[source];
    LiveText live = {0};
    int64_t doc = 0;
    for (; *id < end; ++*id) {
        int64_t collection;
        StoreChunk c;
        const Err err = store_chunk(s->store, scratch, *id, &collection, &c);
        if (err == ERR_NO_DOCUMENT) continue; /* another process removed it */
        TRY(err);
        if (doc && c.doc_id != doc) return ERR_OK;
        if (!doc) TRY(live_read(scratch, s->store, s->collection->root, &c, &live));
        doc = c.doc_id;
        TRY(look_chunk(r, scratch, source, &live, &c));
    }
    return ERR_OK;
}

static Err look_source(Regex *r, Arena *a, uint32_t source) {
    const SearchSource *s = &r->sources[source];
    Arena scratch = {0};
    ChunkRange *ranges = NULL;
    size_t n = 0;
    Err err = store_ranges(s->store, a, s->collection->id, source_filter(s, r->rq), &ranges, &n);
    for (size_t i = 0; !err && i < n; i++)
        for (int64_t id = ranges[i].first; !err && id < ranges[i].end;) {
            arena_reset(&scratch);
            err = deadline_check(r->rq->deadline);
            if (!err) err = look_document(r, &scratch, source, &id, ranges[i].end);
        }
    arena_free(&scratch);
    if (err != ERR_DEADLINE) return err;
    r->deadline_hit = true;
    return ERR_OK;
}

/* ---- hits ---- */

static Err hits_make(Arena *a, const Regex *r, SearchReply *out) {
    uint32_t *source_of = arena_array(a, uint32_t, r->n + 1);
    const Match **of = arena_array(a, const Match *, r->n + 1);
    out->hits = arena_array(a, SearchHit, r->n + 1);
    if (!source_of || !of || !out->hits) return arena_error();
    for (size_t i = 0; i < r->n; i++) {
        const Match *m = &r->best[i];
        SearchHit *h = &out->hits[out->n];
        int64_t collection;
        *h = (SearchHit){.collection = r->sources[m->source].collection, .content = STR("")};
        const Err err = store_chunk(r->sources[m->source].store, a, m->chunk, &collection, &h->chunk);
        if (err == ERR_NO_DOCUMENT) continue;
        TRY(err);
        h->score = h->fused = h->prior = m->prior;
        of[out->n] = m;
        source_of[out->n++] = m->source;
    }
    if (!r->rq->freshness) return ERR_OK;
    TRY(fresh_fill(a, r->sources, source_of, out->hits, out->n, r->rq->full ? FILL_WHOLE : FILL_CHUNK));
    for (size_t i = 0; i < out->n && !r->rq->full; i++) hit_narrow(&out->hits[i], of[i]->from, of[i]->to);
    return ERR_OK;
}

static Err run(Arena *a, Regex *r, size_t n_sources, SearchReply *out) {
    const int64_t start = clock_mono_ns();
    TRY(compile(r));
    for (size_t i = 0; i < n_sources && !r->deadline_hit; i++) TRY(look_source(r, a, (uint32_t)i));
    trim(r);
    out->total = r->total;
    out->deadline_hit = r->deadline_hit;
    out->lexical_ms = clock_ms_since(start);
    return hits_make(a, r, out);
}

Err search_regex(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, Str pattern,
                 SearchReply *out) {
    Regex r = {.sources = sources, .rq = rq, .pattern = pattern, .keep = rq->limit};
    r.best = arena_array(a, Match, 2 * r.keep);
    if (!r.best) return arena_error();
    const Err err = run(a, &r, n_sources, out);
    release(&r);
    return err;
}
