/* lex_search.c - the k best documents of a query, without looking at most of those that match.
 *
 * Segment by segment, in windows of 4,096 documents. Of each list (a clause's documents) the most that it can give
 * inside of the window is known from its blocks' bounds (Ding & Suel 2011, Block-Max; here once a window). Lists are
 * sorted by that; as many of the weakest as together cannot pass the k-th score found so far are not essential (Turtle
 * & Flood 1995, MaxScore): a document that only they hold cannot enter. The essential ones are added into 4,096 sums,
 * and documents whose sum with all that the others could add passes the k-th score are completed by looking the others
 * up, strongest first, until it is clear that they do not. A window whose lists cannot pass together is not touched.
 *
 * Sums are whole numbers (lex_list.h), bounds are above every gain that they stand for, documents come in rising order
 * and a tie goes to the earlier one: so whatever is skipped could not have entered, and the result is the exhaustive
 * one bit by bit.
 *
 * Windows instead of a document at a time (WAND): the inner loop is an addition without a branch, where WAND sorts its
 * lists anew for each document; Lucene changed over for the same reason. Must, must not and filters are bitmaps that a
 * document is looked up in when its sum is good enough, which few are; a window without an allowed document is not
 * touched.
 *
 * Memory: LexScratch, about 20 KB and what its largest query took.
 */
#include <math.h>
#include <stdlib.h>

#include "index/lex_list.h"
#include "index/lex_view.h"

enum { WINDOW = 4096, SUMS_STEP = 16 };
#define GAIN_SUM ((double)(1u << 30)) /* what all terms together can gain at most */

const LexSettings lex_settings_default = {.k1 = 0.9f, .b = 0.5f, .weights = {5, 2, 2, 1}};

struct LexScratch {
    Arena arena;
    uint32_t sums[WINDOW]; /* zero between windows */
};

Err lex_scratch_open(LexScratch **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a search");
}

void lex_scratch_close(LexScratch *s) {
    if (!s) return;
    arena_free(&s->arena);
    free(s);
}

typedef struct {
    uint32_t sum, number;
} Found;

/* What a clause is in a segment. */
typedef struct {
    bool found;
    LexEntry entry;     /* of a term */
    LexMatches matches; /* of a phrase or prefix */
} Held;

typedef struct {
    const LexView *view;
    const LexQuery *query;
    const LexSearch *how;
    LexSettings settings;
    LexNorm norm;
    LexGround *grounds; /* [segments] */
    Held *held;         /* [segments][clauses] */
    float *weights;     /* [clauses] what a clause can gain at most; 0: it does not score */
    double scale;       /* gains of a score of 1 */
    Found *heap;        /* [k] the worst first */
    size_t n, k;
    uint32_t threshold; /* a sum must be above */
    LexScratch *scratch;
    LexReport report;
} Search;

/* One segment in it. */
typedef struct {
    Search *search;
    const LexSeg *seg;
    LexList *lists; /* [n] */
    size_t n;
    LexList *order[LEX_CLAUSES_MAX]; /* by bound in this window, the weakest first */
    uint64_t upto[LEX_CLAUSES_MAX];  /* bounds of order[0 ... i] together */
    size_t optional;                 /* lists that are not essential: order[0 ... optional) */
    const uint64_t *pass;            /* bitmap over docs by must and must not; NULL: all */
} Part;

/* ---- the k best ---- */

static bool found_worse(Found a, Found b) { return a.sum != b.sum ? a.sum < b.sum : a.number > b.number; }

static void heap_down(Found *heap, size_t n, Found moving) {
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && found_worse(heap[child + 1], heap[child])) child++;
        if (!found_worse(heap[child], moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static void heap_add(Search *s, Found f) {
    if (s->n == s->k) {
        heap_down(s->heap, s->n, f);
    } else {
        size_t i = s->n++;
        for (size_t parent; i > 0 && found_worse(f, s->heap[parent = (i - 1) / 2]); i = parent)
            s->heap[i] = s->heap[parent];
        s->heap[i] = f;
    }
    if (s->n == s->k) s->threshold = s->heap[0].sum;
}

/* ---- a window ---- */

static bool bit_at(const uint64_t *bits, uint32_t at) { return bits[at / 64] >> (at % 64) & 1; }

static bool bits_any(const uint64_t *bits, uint32_t from, uint32_t end) {
    while (from < end && from % 64) {
        if (bit_at(bits, from++)) return true;
    }
    for (; from + 64 <= end; from += 64)
        if (bits[from / 64]) return true;
    for (; from < end; from++)
        if (bit_at(bits, from)) return true;
    return false;
}

/* Whether a document of the window may be found at all. */
static bool window_allowed(const Part *p, uint32_t base, uint32_t end) {
    const LexSearch *how = p->search->how;
    if (p->pass && !bits_any(p->pass, base, end)) return false;
    if (!how->allowed) return true;
    uint32_t from = p->seg->first + base, to = p->seg->first + end;
    to = to < how->n_allowed ? to : how->n_allowed;
    return from < to && bits_any(how->allowed, from, to);
}

static bool doc_allowed(const Part *p, uint32_t doc) {
    const LexSearch *how = p->search->how;
    const uint32_t number = p->seg->first + doc;
    if (p->pass && !bit_at(p->pass, doc)) return false;
    if (lex_is_gone(p->search->view, number)) return false;
    return !how->allowed || (number < how->n_allowed && bit_at(how->allowed, number));
}

/* The most that a list gives to a document of [base, end); the list moves to the first block that reaches base. */
static uint32_t window_bound(LexList *l, uint32_t base, uint32_t end) {
    uint32_t most = 0;
    list_skip(l, base);
    for (size_t b = l->block; b < l->n_blocks; b++) {
        if (b > l->block && l->blocks[b - 1].last + 1 >= end) break;
        most = l->blocks[b].bound > most ? l->blocks[b].bound : most;
    }
    return most;
}

/* Sorts the lists by what they can give here, and finds how many are not essential. False: none can pass the k-th
 * score. */
static bool window_plan(Part *p, uint32_t base, uint32_t end) {
    const Search *s = p->search;
    uint64_t sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        LexList *l = &p->lists[i];
        l->bound = window_bound(l, base, end);
        size_t at = i;
        for (; at > 0 && p->order[at - 1]->bound > l->bound; at--) p->order[at] = p->order[at - 1];
        p->order[at] = l;
    }
    p->optional = 0;
    for (size_t i = 0; i < p->n; i++) {
        sum += p->order[i]->bound;
        p->upto[i] = sum;
        if (sum <= s->threshold && !s->how->exhaustive) p->optional = i + 1;
    }
    return p->optional < p->n && sum > 0;
}

/* The place of the first document from `place` on that is not below doc. */
static uint32_t place_of(const LexList *l, uint32_t doc) {
    uint32_t low = l->place, n = l->n - l->place;
    while (n > 0) {
        const uint32_t half = n / 2;
        const bool below = l->docs[low + half] < doc;
        low = below ? low + half + 1 : low;
        n = below ? n - half - 1 : half;
    }
    return low;
}

static Err essential_add(Part *p, LexList *l, uint32_t base, uint32_t end) {
    uint32_t *sums = p->search->scratch->sums;
    for (; l->block < l->n_blocks; l->block++) {
        if (l->loaded != l->block) p->search->report.blocks++;
        TRY(list_load(l));
        uint32_t i = l->place;
        while (i < l->n && l->docs[i] < base) i++;
        const uint32_t n = l->blocks[l->block].last < end ? l->n : place_of(l, end);
        for (; i < n; i++) sums[l->docs[i] - base] += l->gains[i];
        l->place = i;
        if (i < l->n) break;
    }
    return ERR_OK;
}

/* Adds what the optional lists give to doc, as long as it can matter. */
static Err candidate_complete(Part *p, uint32_t doc, uint64_t *sum) {
    const Search *s = p->search;
    for (size_t i = p->optional; i-- > 0;) {
        LexList *l = p->order[i];
        if (*sum + p->upto[i] <= s->threshold) return ERR_OK;
        list_skip(l, doc);
        if (l->block == l->n_blocks) continue;
        const uint64_t weaker = i ? p->upto[i - 1] : 0;
        if (*sum + l->blocks[l->block].bound + weaker <= s->threshold) return ERR_OK;
        if (l->loaded != l->block) p->search->report.blocks++;
        TRY(list_load(l));
        l->place = place_of(l, doc);
        if (l->place < l->n && l->docs[l->place] == doc) *sum += l->gains[l->place];
    }
    return ERR_OK;
}

/* A sum must be above this, or the optional lists cannot lift it over the k-th score. */
static uint32_t sum_least(const Part *p) {
    const uint64_t optional = p->optional ? p->upto[p->optional - 1] : 0, threshold = p->search->threshold;
    return threshold > optional ? (uint32_t)(threshold - optional) : 0;
}

/* Whether one of SUMS_STEP sums, all below 2^31, is above `least`: most steps of a window have none. */
static bool sums_above(const uint32_t *sums, int32_t least) {
    int32_t above = 0;
    for (size_t i = 0; i < SUMS_STEP; i++) above |= -((int32_t)sums[i] > least);
    return above != 0;
}

static Err window_collect(Part *p, uint32_t base, uint32_t end) {
    Search *s = p->search;
    const uint32_t n = end - base;
    for (uint32_t from = 0; from < n; from += SUMS_STEP) {
        if (!sums_above(s->scratch->sums + from, (int32_t)sum_least(p))) continue;
        for (uint32_t i = from; i < from + SUMS_STEP; i++) {
            uint64_t sum = s->scratch->sums[i];
            if (sum <= sum_least(p) || !doc_allowed(p, base + i)) continue;
            if (p->optional) TRY(candidate_complete(p, base + i, &sum));
            if (sum > s->threshold) heap_add(s, (Found){(uint32_t)sum, p->seg->first + base + i});
        }
    }
    memset(s->scratch->sums, 0, n * sizeof *s->scratch->sums);
    return ERR_OK;
}

static Err window_rank(Part *p, uint32_t base, uint32_t end) {
    Search *s = p->search;
    if (!window_allowed(p, base, end) || !window_plan(p, base, end)) {
        s->report.skipped++;
        return ERR_OK;
    }
    s->report.windows++;
    Err err = ERR_OK;
    for (size_t i = p->optional; !err && i < p->n; i++) err = essential_add(p, p->order[i], base, end);
    if (!err) err = window_collect(p, base, end);
    if (err) memset(s->scratch->sums, 0, sizeof s->scratch->sums);
    return err;
}

/* ---- a segment ---- */

/* pass &= the clause's documents, or &= those that are none of them. */
static Err pass_narrow(const Part *p, const LexGround *g, const LexClause *c, const Held *h, uint64_t *pass,
                       uint64_t *bits) {
    const size_t words = (size_t)p->seg->docs / 64 + 1;
    memset(bits, 0, words * sizeof *bits);
    if (h->found && c->kind == LEX_TERM) TRY(match_term_bits(g, &h->entry, bits));
    for (uint32_t i = 0; i < h->matches.n; i++)
        bits[h->matches.docs[i] / 64] |= UINT64_C(1) << (h->matches.docs[i] % 64);
    for (size_t i = 0; i < words; i++) pass[i] &= c->occur == LEX_MUST ? bits[i] : ~bits[i];
    return ERR_OK;
}

static Err pass_make(Part *p, const LexGround *g, const Held *held) {
    const LexQuery *q = p->search->query;
    const size_t words = (size_t)p->seg->docs / 64 + 1;
    uint64_t *pass = NULL, *bits = NULL;
    for (size_t c = 0; c < q->n; c++) {
        if (q->clauses[c].occur == LEX_SHOULD) continue;
        if (!pass) {
            pass = arena_array(g->arena, uint64_t, words);
            bits = arena_array(g->arena, uint64_t, words);
            if (!pass || !bits) return arena_error();
            memset(pass, 0xFF, words * sizeof *pass);
        }
        TRY(pass_narrow(p, g, &q->clauses[c], &held[c], pass, bits));
    }
    p->pass = pass;
    return ERR_OK;
}

static Err lists_make(Part *p, const LexGround *g, const Held *held) {
    const Search *s = p->search;
    p->lists = arena_array(g->arena, LexList, s->query->n);
    if (!p->lists) return arena_error();
    for (size_t c = 0; c < s->query->n; c++) {
        LexList *l = &p->lists[p->n];
        if (!held[c].found || s->weights[c] <= 0) continue;
        if (s->query->clauses[c].kind == LEX_TERM)
            TRY(list_of_term(l, g, &held[c].entry, s->weights[c]));
        else
            TRY(list_of_matches(l, g, &held[c].matches, s->weights[c]));
        p->n++;
    }
    return ERR_OK;
}

static bool must_fails(const LexQuery *q, const Held *held) {
    for (size_t c = 0; c < q->n; c++)
        if (q->clauses[c].occur == LEX_MUST && !held[c].found) return true;
    return false;
}

static Err segment_rank(Search *s, size_t i) {
    const LexGround *g = &s->grounds[i];
    const Held *held = s->held + i * s->query->n;
    Part p = {.search = s, .seg = g->seg};
    if (must_fails(s->query, held)) return ERR_OK;
    TRY(lists_make(&p, g, held));
    TRY(pass_make(&p, g, held));
    for (uint32_t base = 0; p.n && base < g->seg->docs; base += WINDOW) {
        const uint32_t left = g->seg->docs - base;
        TRY(deadline_check(s->how->deadline));
        TRY(window_rank(&p, base, base + (left < WINDOW ? left : WINDOW)));
    }
    return ERR_OK;
}

/* ---- the query ---- */

static Err query_check(const LexQuery *q, const LexSettings *s) {
    if (q->n > LEX_CLAUSES_MAX) return err_set(ERR_INPUT, "a query of %zu clauses is too long", q->n);
    for (size_t c = 0; c < q->n; c++) {
        const LexClause *x = &q->clauses[c];
        if (x->n == 0 || x->n > LEX_PHRASE_MAX || (x->n > 1 && x->kind != LEX_PHRASE))
            return err_set(ERR_INPUT, "clause %zu of a query has %zu terms", c, x->n);
        if (!(x->weight > 0 && x->weight <= 1e6f)) return err_set(ERR_INPUT, "clause %zu of a query has no weight", c);
        for (size_t t = 0; t < x->n; t++)
            if (x->terms[t].n == 0) return err_set(ERR_INPUT, "clause %zu of a query has an empty term", c);
    }
    bool fits = s->k1 > 0 && s->k1 <= 1e3f && s->b >= 0 && s->b <= 1;
    for (size_t f = 0; f < LEX_FIELDS; f++) fits = fits && s->weights[f] >= 0 && s->weights[f] <= 1e6f;
    return fits ? ERR_OK : err_set(ERR_INPUT, "settings of BM25 are out of range");
}

/* Documents of a term that are removed and not dropped yet. */
static Err term_gone(const Search *s, const LexGround *g, const LexEntry *e, uint64_t *n) {
    const LexView *v = s->view;
    const LexSeg *seg = g->seg;
    const size_t blocks = seg_blocks(e->df);
    LexBlockAt *at = arena_array(g->arena, LexBlockAt, blocks);
    if (!at) return arena_error();
    TRY(seg_block_list(e, at));
    for (size_t b = 0; b < blocks; b++) {
        uint32_t docs[LEX_BLOCK], codes[LEX_BLOCK];
        const uint32_t end = at[b].last < seg->docs ? at[b].last + 1 : seg->docs;
        if (!bits_any(v->gone, seg->first + (uint32_t)at[b].prev, seg->first + end)) continue;
        TRY(seg_block_read(seg, &at[b], docs, codes));
        for (uint32_t i = 0; i < at[b].n; i++) *n += lex_is_gone(v, seg->first + docs[i]);
    }
    return ERR_OK;
}

/* df: of the documents that can be found. */
static Err clause_count(const Search *s, const LexGround *g, const LexClause *c, const Held *h, uint64_t *df) {
    uint64_t gone = 0;
    if (!h->found) return ERR_OK;
    *df += c->kind == LEX_TERM ? h->entry.df : h->matches.n;
    if (s->view->n_gone == 0) return ERR_OK;
    if (c->kind == LEX_TERM) TRY(term_gone(s, g, &h->entry, &gone));
    for (uint32_t i = 0; i < h->matches.n; i++) gone += lex_is_gone(s->view, g->seg->first + h->matches.docs[i]);
    *df -= gone;
    return ERR_OK;
}

static Err clause_find(const Search *s, const LexGround *g, const LexClause *c, Held *h) {
    switch (c->kind) {
    case LEX_TERM:
        return seg_term(g->seg, c->terms[0], &h->entry, &h->found);
    case LEX_PHRASE:
        TRY(match_phrase(g, c->terms, c->n, &h->matches));
        break;
    case LEX_PREFIX:
        TRY(match_prefix(g, c->terms[0], s->how->deadline, &h->matches));
        break;
    }
    h->found = h->matches.n > 0;
    return ERR_OK;
}

/* Looks the clauses up in all segments, then weighs them: df is the collection's. */
static Err query_weigh(Search *s) {
    const LexQuery *q = s->query;
    const double documents = (double)s->view->counted;
    double sum = 0;
    for (size_t c = 0; c < q->n; c++) {
        uint64_t df = 0;
        for (size_t i = 0; i < s->view->n; i++) {
            Held *h = &s->held[i * q->n + c];
            TRY(clause_find(s, &s->grounds[i], &q->clauses[c], h));
            if (q->clauses[c].occur != LEX_MUST_NOT) TRY(clause_count(s, &s->grounds[i], &q->clauses[c], h, &df));
        }
        if (df == 0) continue; /* nobody gains by it: the weight stays 0 */
        const double idf = log(1 + (fmax(documents, (double)df) - (double)df + 0.5) / ((double)df + 0.5));
        s->weights[c] = (float)((double)q->clauses[c].weight * idf * ((double)s->settings.k1 + 1));
        sum += (double)s->weights[c];
    }
    s->scale = sum > 0 ? GAIN_SUM / sum : 1;
    for (size_t c = 0; c < q->n; c++) s->weights[c] = (float)((double)s->weights[c] * s->scale);
    return ERR_OK;
}

static Err search_begin(Search *s) {
    const LexView *v = s->view;
    const LexSettings *set = &s->settings;
    Arena *arena = &s->scratch->arena;
    const double mean = v->counted ? fmax((double)v->length / (double)v->counted, 1e-9) : 1;
    memcpy(s->norm.weights, set->weights, sizeof s->norm.weights);
    s->norm.norm_base = fmaxf(set->k1 * (1 - set->b), 1e-9f); /* b = 1: never 0 / 0 */
    s->norm.norm_length = (float)((double)set->k1 * (double)set->b / mean);
    s->k = s->how->k < v->numbers ? s->how->k : v->numbers;
    s->grounds = arena_array(arena, LexGround, v->n + 1);
    s->held = arena_array(arena, Held, (v->n + 1) * s->query->n);
    s->weights = arena_array(arena, float, s->query->n);
    s->heap = arena_array(arena, Found, s->k);
    if (!s->grounds || !s->held || !s->weights || !s->heap) return arena_error();
    for (size_t i = 0; i < v->n; i++) TRY(ground_make(&s->grounds[i], v->segs[i], &s->norm, arena));
    return query_weigh(s);
}

/* The segment that holds a number. */
static const LexSeg *seg_of(const LexView *v, uint32_t number) {
    size_t low = 0, n = v->n;
    while (n > 1) {
        const size_t half = n / 2;
        const bool there = v->segs[low + half]->first <= number;
        low = there ? low + half : low;
        n = there ? n - half : half;
    }
    return v->segs[low];
}

/* Best first, in place of the heap. */
static void search_end(Search *s, LexHit *out, size_t *n) {
    *n = s->n;
    for (size_t left = s->n; left > 0; left--) {
        const Found worst = s->heap[0];
        heap_down(s->heap, left - 1, s->heap[left - 1]);
        const LexSeg *seg = seg_of(s->view, worst.number);
        out[left - 1] = (LexHit){worst.number, (float)(worst.sum / s->scale), seg_id(seg, worst.number - seg->first)};
    }
}

static Err search_run(Search *s, LexHit *out, size_t *n) {
    Err err = search_begin(s);
    for (size_t i = 0; !err && i < s->view->n; i++) err = segment_rank(s, i);
    if (!err || err == ERR_DEADLINE) search_end(s, out, n);
    return err;
}

Err lex_search(const LexIndex *ix, const LexQuery *q, const LexSearch *how, LexHit *out, size_t *n) {
    LexScratch *own = NULL;
    *n = 0;
    Search s = {.query = q, .how = how, .settings = how->settings ? *how->settings : lex_settings_default};
    TRY(query_check(q, &s.settings));
    if (how->report) *how->report = s.report;
    if (how->k == 0 || q->n == 0) return ERR_OK;
    if (!how->scratch) TRY(lex_scratch_open(&own));
    s.scratch = how->scratch ? how->scratch : own;
    LexView *view = lex_hold(ix);
    s.view = view;
    const Err err = view->numbers ? search_run(&s, out, n) : ERR_OK;
    lex_release(ix, view);
    if (how->report) *how->report = s.report;
    arena_reset(&s.scratch->arena);
    lex_scratch_close(own);
    return err;
}
