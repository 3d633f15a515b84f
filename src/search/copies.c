/* copies.c - see copies.h. */
#include "search/copies.h"

#include "base/hash.h"

enum { RUN = 4 }; /* tokens */

/* ---- sketches ---- */

static bool is_word(char c) {
    const unsigned char u = (unsigned char)c;
    return (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == '_' || u >= 0x80;
}

/* The next token's hash; false at the end. */
static bool token_next(Str *rest, uint64_t *hash) {
    size_t from = 0, to;
    while (from < rest->n && (unsigned char)rest->p[from] <= ' ') from++;
    if (from == rest->n) return false;
    for (to = from + 1; is_word(rest->p[from]) && to < rest->n && is_word(rest->p[to]);) to++;
    *hash = xxh3_of(str_make(rest->p + from, to - from));
    *rest = str_from(*rest, to);
    return true;
}

/* Keeps the least. Most of a long text's hashes end at the first comparison. */
static void keep(CopiesSketch *s, uint64_t hash) {
    if (s->n == COPIES_SKETCH && hash >= s->least[s->n - 1]) return;
    uint32_t at = s->n;
    while (at > 0 && s->least[at - 1] > hash) at--;
    if (at > 0 && s->least[at - 1] == hash) return;
    const uint32_t behind = (s->n < COPIES_SKETCH ? s->n++ : s->n - 1) - at;
    memmove(&s->least[at + 1], &s->least[at], behind * sizeof *s->least);
    s->least[at] = hash;
}

void copies_sketch(Str text, CopiesSketch *out) {
    uint64_t run[RUN] = {0}, hash;
    size_t n = 0;
    out->n = 0;
    for (; token_next(&text, &hash); n++) {
        memmove(run, run + 1, sizeof run - sizeof *run);
        run[RUN - 1] = hash;
        if (n + 1 >= RUN) keep(out, xxh3_of(str_make((const char *)run, sizeof run)));
    }
    if (n > 0 && n < RUN) keep(out, xxh3_of(str_make((const char *)run, sizeof run))); /* too short for a whole run */
}

float copies_likeness(const CopiesSketch *a, const CopiesSketch *b) {
    const uint32_t misses_most = (uint32_t)((1.0f - COPIES_ALIKE) * COPIES_SKETCH) + 1;
    uint32_t i = 0, k = 0, same = 0, seen = 0;
    if (a->n == 0 || b->n == 0) return 0;
    /* The least of both together, as many as a sketch has: a sample of their union. */
    while (seen < COPIES_SKETCH && (i < a->n || k < b->n)) {
        const bool both = i < a->n && k < b->n && a->least[i] == b->least[k];
        const bool first = i < a->n && (k == b->n || a->least[i] <= b->least[k]);
        seen++;
        same += both;
        if (seen - same > misses_most) return 0;
        if (both || first) i++;
        if (both || !first) k++;
    }
    return (float)same / (float)seen;
}

/* ---- hits ---- */

static bool is_there(const SearchHit *h) { return h->freshness == FRESH || h->freshness == FRESH_MOVED; }

static bool elsewhere(const SearchHit *a, const SearchHit *b) {
    return a->collection != b->collection || a->chunk.doc_id != b->chunk.doc_id;
}

static Err copy_add(Arena *a, SearchHit *of, const SearchHit *copy, float likeness) {
    if (of->n_copies == SEARCH_COPIES_MAX) {
        of->more_copies++;
        return ERR_OK;
    }
    if (!of->copies) of->copies = arena_array(a, SearchCopy, SEARCH_COPIES_MAX);
    if (!of->copies) return arena_error();
    of->copies[of->n_copies++] = (SearchCopy){copy->collection, copy->chunk, likeness};
    return ERR_OK;
}

/* The hit among the first n that h is a copy of, the likest; n: none. */
static size_t original_of(const SearchHit *hits, const CopiesSketch *sketches, size_t n, const SearchHit *h,
                          const CopiesSketch *s, float *likeness) {
    size_t best = n;
    *likeness = 0;
    if (s->n == 0) return n; /* blanks */
    for (size_t i = 0; i < n; i++) {
        if (!is_there(&hits[i]) || !elsewhere(&hits[i], h)) continue;
        const float alike = str_eq(hits[i].content, h->content) ? 1.0f : copies_likeness(&sketches[i], s);
        if (alike < COPIES_ALIKE || alike <= *likeness) continue;
        *likeness = alike;
        best = i;
    }
    return best;
}

Err copies_collapse(Arena *a, SearchHit *hits, uint32_t *source_of, CopiesSketch *sketches, size_t old, size_t *n) {
    size_t kept = old;
    for (size_t i = old; i < *n; i++) {
        float likeness = 0;
        CopiesSketch s;
        copies_sketch(hits[i].content, &s);
        const size_t of = is_there(&hits[i]) ? original_of(hits, sketches, kept, &hits[i], &s, &likeness) : kept;
        if (of < kept) {
            TRY(copy_add(a, &hits[of], &hits[i], likeness));
            continue;
        }
        hits[kept] = hits[i];
        source_of[kept] = source_of[i];
        sketches[kept++] = s;
    }
    *n = kept;
    return ERR_OK;
}

SearchHit *copies_full(SearchHit *hits, size_t n, const StoreChunk *chunk) {
    for (size_t i = 0; i < n; i++)
        if (hits[i].n_copies == SEARCH_COPIES_MAX && hits[i].chunk.doc_id != chunk->doc_id &&
            memcmp(hits[i].chunk.hash.bytes, chunk->hash.bytes, sizeof chunk->hash.bytes) == 0)
            return &hits[i];
    return NULL;
}
