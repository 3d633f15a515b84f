/* lex_buffer.c - see lex_buffer.h.
 *
 * Each term is looked up once, in one hash table, and leaves 8 bytes: its number and its place. A segment wants them by
 * term; since they stand in order of documents, a counting sort by the terms' numbers gives each term its postings, in
 * order. Lists that grow term by term (the usual way) were not tried: they cost memory for their gaps and a cache miss
 * an occurrence while documents come in, where the sort pays its two only once, at 8 ns each.
 */
#include "index/lex_buffer.h"

#include <assert.h>
#include <stdlib.h>

enum { WHERE_BITS = 30 };
static const uint32_t WHERE_MAX = (1u << WHERE_BITS) - 1;

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for documents on their way into the index"); }

typedef struct {
    LexBuffer *buffer;
    uint32_t field, next; /* position of the next term */
    Err err;
} Gather;

static Err occurrences_room(LexBuffer *b, size_t more_n) {
    if (b->cap - b->n >= more_n) return ERR_OK;
    size_t cap = b->cap ? 2 * b->cap : 1024;
    while (cap - b->n < more_n) cap *= 2;
    LexOccurrence *more = realloc(b->occurrences, cap * sizeof *more);
    if (!more) return memory_out();
    b->occurrences = more;
    b->cap = cap;
    return ERR_OK;
}

static int gather_term(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    (void)start;
    (void)end;
    Gather *g = ctx;
    LexBuffer *b = g->buffer;
    uint32_t number;
    if (term.n == 0 || term.n > LEX_TERM_MAX) return 0;
    g->err = occurrences_room(b, 1);
    if (!g->err) g->err = lex_terms_number(&b->terms, term, &number);
    if (g->err) return 1;
    if (!colocated || g->next == 0) g->next++;
    const uint32_t position = g->next - 1 < WHERE_MAX ? g->next - 1 : WHERE_MAX;
    b->occurrences[b->n++] = (LexOccurrence){number, g->field << WHERE_BITS | position};
    return 0;
}

static Err docs_room(LexBuffer *b) {
    if (b->docs < b->cap_docs) return ERR_OK;
    const size_t cap = b->cap_docs ? 2 * (size_t)b->cap_docs : 64;
    size_t *starts = realloc(b->starts, cap * sizeof *starts);
    if (starts) b->starts = starts;
    uint16_t *lengths = realloc(b->lengths, cap * sizeof *lengths);
    if (lengths) b->lengths = lengths;
    int64_t *ids = realloc(b->ids, cap * sizeof *ids);
    if (ids) b->ids = ids;
    if (!starts || !lengths || !ids) return memory_out();
    b->cap_docs = (uint32_t)cap;
    return ERR_OK;
}

Err lex_buffer_add_empty(LexBuffer *b) {
    TRY(docs_room(b));
    b->starts[b->docs] = b->n;
    b->lengths[b->docs] = 0;
    b->ids[b->docs++] = 0;
    return ERR_OK;
}

Err lex_buffer_add(LexBuffer *b, Analyzer *a, int64_t id, const Str fields[LEX_FIELDS]) {
    TRY(docs_room(b));
    uint64_t length = 0;
    b->starts[b->docs] = b->n;
    for (uint32_t f = 0; f < LEX_FIELDS; f++) {
        Gather g = {.buffer = b, .field = f};
        (void)analyzer_run(a, fields[f], gather_term, &g);
        TRY(g.err);
        length += g.next;
    }
    b->lengths[b->docs] = (uint16_t)(length < LEX_LENGTH_MAX ? length : LEX_LENGTH_MAX);
    b->ids[b->docs++] = id;
    return ERR_OK;
}

Err lex_buffer_append(LexBuffer *b, const LexBuffer *from, uint32_t at, uint32_t n, int64_t first, uint32_t *numbers) {
    const size_t start = at < from->docs ? from->starts[at] : from->n;
    const size_t end = at + n < from->docs ? from->starts[at + n] : from->n;
    TRY(occurrences_room(b, end - start));
    for (uint32_t d = 0; d < n; d++) {
        TRY(docs_room(b));
        b->starts[b->docs] = b->n + (from->starts[at + d] - start);
        b->lengths[b->docs] = from->lengths[at + d];
        b->ids[b->docs++] = first + (int64_t)d;
    }
    for (size_t i = start; i < end; i++) {
        const LexOccurrence *o = &from->occurrences[i];
        if (numbers[o->term] == LEX_NO_TERM)
            TRY(lex_terms_adopt(&b->terms, &from->terms.terms[o->term], &numbers[o->term]));
        b->occurrences[b->n++] = (LexOccurrence){numbers[o->term], o->where};
    }
    return ERR_OK;
}

void lex_buffer_reset(LexBuffer *b) {
    lex_terms_reset(&b->terms);
    b->n = 0;
    b->docs = 0;
}

void lex_buffer_clear(LexBuffer *b) {
    lex_terms_free(&b->terms);
    free(b->occurrences);
    free(b->starts);
    free(b->lengths);
    free(b->ids);
    *b = (LexBuffer){0};
}

/* ---- into a segment ---- */

typedef struct {
    uint32_t doc, where;
} Place;

typedef struct {
    uint64_t key; /* its first bytes as a number: what decides in nearly all comparisons */
    const LexTerm *term;
} Named;

static Named named_of(const LexTerm *t) {
    Named named = {.term = t};
    for (size_t i = 0; i < 8; i++) named.key = named.key << 8 | (i < t->n ? (uint8_t)t->p[i] : 0);
    return named;
}

static int named_order(const void *a, const void *b) {
    const Named *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return str_cmp(str_make(x->term->p, x->term->n), str_make(y->term->p, y->term->n));
}

/* places [n] by term, of each in order of documents; ends[term]: behind its last one. */
static void places_sort(const LexBuffer *b, Place *places, size_t *ends) {
    for (size_t i = 0; i < b->n; i++) ends[b->occurrences[i].term]++;
    for (size_t t = 0, sum = 0; t < b->terms.count; t++) {
        const size_t n = ends[t];
        ends[t] = sum;
        sum += n;
    }
    for (uint32_t d = 0; d < b->docs; d++) {
        const size_t end = d + 1 < b->docs ? b->starts[d + 1] : b->n;
        for (size_t i = b->starts[d]; i < end; i++) {
            const LexOccurrence *o = &b->occurrences[i];
            places[ends[o->term]++] = (Place){d, o->where};
        }
    }
}

static void term_put(SegWriter *w, const Place *places, size_t n, Str term) {
    seg_writer_room(w, n, n);
    for (size_t i = 0; i < n;) {
        const uint32_t doc = places[i].doc;
        uint32_t tuple = 0, field = LEX_FIELDS, last = 0;
        for (; i < n && places[i].doc == doc; i++) {
            const uint32_t f = places[i].where >> WHERE_BITS, position = places[i].where & WHERE_MAX;
            if (f != field) last = 0;
            field = f;
            if (tuple_count(tuple, f) == LEX_COUNT_MAX) continue;
            tuple += 1u << (8 * f);
            seg_writer_delta(w, position - last);
            last = position;
        }
        seg_writer_posting(w, doc, tuple);
    }
    seg_writer_term(w, term);
}

Err lex_buffer_write(const LexBuffer *b, const char *dir, uint64_t generation, uint32_t first, const uint32_t *removed,
                     uint32_t n_removed, const uint64_t *dropped, LexSeg **out) {
    const SegDocs of = {first, b->docs, b->lengths, b->ids, removed, n_removed, dropped};
    const size_t terms = b->terms.count;
    SegWriter w;
    *out = NULL;
    Err err = seg_writer_open(&w, &of);
    Place *places = calloc(b->n + 1, sizeof *places);
    size_t *ends = calloc(terms + 1, sizeof *ends);
    Named *named = calloc(terms + 1, sizeof *named);
    if (!err && (!places || !ends || !named)) err = memory_out();
    if (!err) {
        places_sort(b, places, ends);
        for (size_t t = 0; t < terms; t++) named[t] = named_of(&b->terms.terms[t]);
        if (terms) qsort(named, terms, sizeof *named, named_order);
        for (size_t t = 0; t < terms; t++) {
            const size_t number = (size_t)(named[t].term - b->terms.terms), start = number ? ends[number - 1] : 0;
            term_put(&w, places + start, ends[number] - start, str_make(named[t].term->p, named[t].term->n));
        }
        err = seg_writer_end(&w, dir, generation, out);
    }
    free(places);
    free(ends);
    free(named);
    seg_writer_close(&w);
    return err;
}
