/* symbol.c - ranking definitions by their names, and finding the chunks that they are in. */
#include "search/symbol.h"
#include "base/ascii.h"

#include <stdlib.h>

#include "search/fresh.h"

enum { WORDS_MAX = 16 }; /* of a query or a name that are compared */

/* ---- how well a name fits ---- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_upper(c) || (unsigned char)c >= 0x80; }

/* "parseHTTPDate_v2" has the words parse, HTTP, Date, v, 2. */
static size_t words_of(Str s, Str words[WORDS_MAX]) {
    size_t n = 0, i = 0;
    while (i < s.n && n < WORDS_MAX) {
        while (i < s.n && !is_letter(s.p[i]) && !is_digit(s.p[i])) i++;
        const size_t start = i;
        if (i == s.n) break;
        const bool digits = is_digit(s.p[i]);
        for (i++; i < s.n && is_digit(s.p[i]) == digits && (digits || is_letter(s.p[i])); i++) {
            const bool next_lower = i + 1 < s.n && is_letter(s.p[i + 1]) && !is_upper(s.p[i + 1]);
            if (is_upper(s.p[i]) && (!is_upper(s.p[i - 1]) || next_lower)) break;
        }
        words[n++] = str_make(s.p + start, i - start);
    }
    return n;
}

static bool starts_nocase(Str s, Str prefix) { return prefix.n <= s.n && str_eq_nocase(str_upto(s, prefix.n), prefix); }

static bool holds_nocase(Str s, Str part) {
    for (; s.n >= part.n; s = str_from(s, 1)) {
        if (starts_nocase(s, part)) return true;
        if (s.n == 0) break;
    }
    return false;
}

/* Each word of the query begins a word of the name, in order. */
static bool words_fit(const Str *query, size_t n, const Str *name, size_t n_name) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++, at++) {
        while (at < n_name && !starts_nocase(name[at], query[i])) at++;
        if (at == n_name) return false;
    }
    return true;
}

static bool initials_fit(Str query, const Str *name, size_t n_name) {
    if (query.n < 2 || query.n > n_name) return false;
    for (size_t i = 0; i < query.n; i++)
        if (lower(query.p[i]) != lower(name[i].p[0])) return false;
    return true;
}

/* True when s ends with part as whole parts of a path: "next" and "Backoff.next" end "net.Backoff.next". */
static bool ends_path(Str s, Str part, bool nocase) {
    if (part.n > s.n) return false;
    const Str end = str_from(s, s.n - part.n);
    if (part.n < s.n && !strchr(". ", s.p[s.n - part.n - 1])) return false; /* a heading's path has blanks */
    return nocase ? str_eq_nocase(end, part) : str_eq(end, part);
}

static Str name_of_path(Str path) {
    const ptrdiff_t dot = str_rfind_char(path, '.');
    return dot > 0 && (size_t)dot + 1 < path.n ? str_from(path, (size_t)dot + 1) : path;
}

static float share(size_t part, size_t whole) { return whole ? (float)part / (float)whole : 0; }

float symbol_score(Str query, Str path) {
    Str query_words[WORDS_MAX], name_words[WORDS_MAX];
    const Str name = name_of_path(path);
    if (query.n == 0 || path.n == 0) return 0;
    if (str_eq(query, path)) return 1.0f;
    if (ends_path(path, query, false)) return 0.97f;
    if (str_eq_nocase(query, path)) return 0.94f;
    if (ends_path(path, query, true)) return 0.92f;
    if (starts_nocase(name, query)) return 0.70f + 0.15f * share(query.n, name.n);
    const size_t n = words_of(query, query_words), n_name = words_of(name, name_words);
    if (n > 1 && words_fit(query_words, n, name_words, n_name)) return 0.60f + 0.2f * share(n, n_name);
    if (n > 1) { /* "Backoff next" is told by the path */
        Str path_words[WORDS_MAX];
        if (words_fit(query_words, n, path_words, words_of(path, path_words))) return 0.55f;
    }
    if (holds_nocase(name, query)) return 0.40f + 0.15f * share(query.n, name.n);
    if (initials_fit(query, name_words, n_name)) return 0.35f;
    return holds_nocase(path, query) ? 0.25f : 0;
}

/* ---- the best of all ---- */

typedef struct {
    float score;
    uint32_t source;
    int64_t doc, place;
} Fit;

typedef struct {
    Str query;
    uint32_t source;
    float min_score;
    Fit *best; /* [n] unsorted until the end; [2 * keep] */
    size_t n, keep, total;
} Ranking;

/* Of equals those of the collection, document and place that come first. */
static int fit_cmp(const void *pa, const void *pb) {
    const Fit *a = pa, *b = pb;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    if (a->doc != b->doc) return a->doc < b->doc ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static void ranking_trim(Ranking *r) {
    qsort(r->best, r->n, sizeof *r->best, fit_cmp);
    if (r->n > r->keep) r->n = r->keep;
}

float symbol_weight(Str kind) {
    static const char *const lesser[] = {"prototype", "variable", "constant", "field", "property", "key", "column"};
    for (size_t i = 0; i < sizeof lesser / sizeof lesser[0]; i++)
        if (str_is(kind, lesser[i])) return 0.97f;
    return 1.0f;
}

static Err rank_one(void *ctx, int64_t doc, int64_t place, Str path, Str kind) {
    Ranking *r = ctx;
    const float score = symbol_score(r->query, path) * symbol_weight(kind);
    if (score <= 0 || score < r->min_score) return ERR_OK;
    r->total++;
    r->best[r->n++] = (Fit){score, r->source, doc, place};
    if (r->n == 2 * r->keep) ranking_trim(r);
    return ERR_OK;
}

/* ---- hits ---- */

/* The chunk in which a definition begins. */
static Err chunk_holding(Arena *a, Store *s, const StoreSymbol *symbol, StoreChunk *out, bool *found) {
    StoreChunk *chunks = NULL;
    size_t n = 0;
    *found = false;
    TRY(store_chunks_of(s, a, symbol->doc_id, &chunks, &n));
    for (size_t i = 0; i < n; i++)
        if (symbol->symbol.start < chunks[i].end && !*found) *out = chunks[i], *found = true;
    return ERR_OK;
}

typedef struct {
    int64_t from, to;
} Part;

static Err hits_make(Arena *a, const SearchSource *sources, const SearchRequest *rq, const Ranking *r,
                     SearchReply *out) {
    uint32_t *source_of = arena_array(a, uint32_t, r->n);
    Part *parts = arena_array(a, Part, r->n);
    out->hits = arena_array(a, SearchHit, r->n);
    if (!source_of || !parts || !out->hits) return arena_error();
    for (size_t i = 0; i < r->n; i++) {
        const SearchSource *s = &sources[r->best[i].source];
        SearchHit *h = &out->hits[out->n];
        StoreSymbol symbol;
        bool found;
        TRY(store_symbol(s->store, a, r->best[i].doc, r->best[i].place, &symbol));
        TRY(chunk_holding(a, s->store, &symbol, &h->chunk, &found));
        if (!found) continue;
        h->collection = s->collection;
        h->score = h->fused = r->best[i].score;
        h->chunk.symbol = symbol.symbol.path;
        h->chunk.kind = symbol.symbol.kind;
        parts[out->n].from = symbol.symbol.start > h->chunk.start ? symbol.symbol.start - h->chunk.start : 0;
        parts[out->n].to = (symbol.symbol.end < h->chunk.end ? symbol.symbol.end : h->chunk.end) - h->chunk.start;
        source_of[out->n++] = r->best[i].source;
    }
    if (!rq->freshness) return ERR_OK;
    TRY(fresh_fill(a, sources, source_of, out->hits, out->n, rq->full ? FILL_SYMBOL : FILL_CHUNK));
    for (size_t i = 0; i < out->n && !rq->full; i++) hit_narrow(&out->hits[i], parts[i].from, parts[i].to);
    return ERR_OK;
}

Err search_symbols(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, Str name,
                   SearchReply *out) {
    Ranking r = {.query = name, .min_score = rq->min_score, .keep = rq->limit};
    r.best = arena_array(a, Fit, 2 * r.keep);
    if (!r.best) return arena_error();
    const int64_t start = clock_mono_ns();
    for (size_t i = 0; i < n_sources; i++) {
        r.source = (uint32_t)i;
        const Filter *filter = sources[i].filter ? sources[i].filter : &rq->filter;
        TRY(store_symbols_each(sources[i].store, sources[i].collection->id, filter, rank_one, &r));
    }
    ranking_trim(&r);
    out->total = r.total;
    out->lexical_ms = clock_ms_since(start);
    return hits_make(a, sources, rq, &r, out);
}

/* ---- the whole of it ---- */

static Err section_span(Store *s, Arena *a, const StoreChunk *c, int64_t *start, int64_t *end) {
    StoreChunk *chunks = NULL;
    size_t n = 0, at = 0;
    TRY(store_chunks_of(s, a, c->doc_id, &chunks, &n));
    while (at < n && chunks[at].chunk_id != c->chunk_id) at++;
    if (at == n) return ERR_OK;
    size_t first = at, last = at;
    while (first > 0 && str_eq(chunks[first - 1].heading, c->heading)) first--;
    while (last + 1 < n && str_eq(chunks[last + 1].heading, c->heading)) last++;
    *start = chunks[first].start;
    *end = chunks[last].end;
    return ERR_OK;
}

Err symbol_span(Store *s, Arena *a, const StoreChunk *c, int64_t *start, int64_t *end) {
    Symbol *symbols = NULL;
    size_t n = 0;
    *start = c->start, *end = c->end;
    if (c->symbol.n == 0) return c->heading.n ? section_span(s, a, c, start, end) : ERR_OK;
    TRY(store_symbols_of(s, a, c->doc_id, &symbols, &n));
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(symbols[i].path, c->symbol) || symbols[i].start >= c->end || symbols[i].end <= c->start) continue;
        *start = symbols[i].start;
        *end = symbols[i].end;
        break;
    }
    return ERR_OK;
}
