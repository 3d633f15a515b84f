/* evidence.c - see evidence.h. */
#include "search/evidence.h"

#include <math.h>

#include "base/english.h"

typedef struct {
    Evidence *e;
    Arena *a;
    Str question;
    Err err;
} Gather;

static int gather(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    Gather *g = ctx;
    Evidence *e = g->e;
    if (colocated || english_only_asks(str_make(g->question.p + start, end - start))) return 0;
    for (size_t i = 0; i < e->n; i++)
        if (str_eq(e->terms[i].term, term)) return 0;
    if (e->n == EVIDENCE_TERMS) return 1;
    e->terms[e->n].term = arena_str(g->a, term);
    if (!e->terms[e->n].term.p) g->err = arena_error();
    e->n++;
    return g->err != ERR_OK;
}

static Err weigh(Evidence *e, const SearchSource *sources, size_t n) {
    uint64_t documents = 0;
    for (size_t s = 0; s < n; s++) {
        LexStats stats;
        if (!sources[s].lex) continue;
        lex_stats(sources[s].lex, &stats);
        documents += stats.live;
    }
    for (size_t i = 0; i < e->n; i++) {
        uint64_t holding = 0;
        for (size_t s = 0; s < n; s++) {
            uint32_t count = 0;
            if (!sources[s].lex) continue;
            TRY(lex_term_count(sources[s].lex, e->terms[i].term, &count));
            holding += count;
        }
        if (holding > documents) holding = documents; /* removed ones count in */
        const double rest = (double)(documents - holding) + 0.5;
        e->terms[i].idf = (float)log(1 + rest / ((double)holding + 0.5));
        e->idf += e->terms[i].idf;
    }
    return ERR_OK;
}

Err evidence_open(Evidence *e, Arena *a, const SearchSource *sources, size_t n, Str question) {
    *e = (Evidence){0};
    for (size_t i = 0; i < n && !e->analyzer; i++) e->analyzer = sources[i].analyzer;
    if (!e->analyzer) return ERR_OK;
    Gather g = {.e = e, .a = a, .question = question};
    (void)analyzer_run(e->analyzer, question, gather, &g);
    TRY(g.err);
    return weigh(e, sources, n);
}

typedef struct {
    const Evidence *e;
    uint64_t seen; /* bit i: terms[i] stands there */
} Look;

static int look(void *ctx, Str term, bool colocated, size_t start, size_t end) {
    Look *l = ctx;
    (void)colocated, (void)start, (void)end;
    for (size_t i = 0; i < l->e->n; i++)
        if (str_eq(l->e->terms[i].term, term)) l->seen |= UINT64_C(1) << i;
    return 0;
}

float evidence_share(const Evidence *e, Str text) {
    Look l = {.e = e};
    float held = 0;
    if (!e->analyzer || !(e->idf > 0)) return 0;
    (void)analyzer_run(e->analyzer, text, look, &l);
    for (size_t i = 0; i < e->n; i++)
        if (l.seen >> i & 1) held += e->terms[i].idf;
    return held / e->idf;
}
