/* fuse.c - see fuse.h. Every order here is total, so that the same index gives the same list. */
#include "search/fuse.h"

#include <math.h>
#include <stdlib.h>

static float clamp01(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

static int by_identity(const void *pa, const void *pb) {
    const Candidate *a = pa, *b = pb;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static int by_bm25(const void *pa, const void *pb) {
    const Candidate *a = pa, *b = pb;
    if (a->bm25 != b->bm25) return a->bm25 > b->bm25 ? -1 : 1;
    return by_identity(pa, pb);
}

static int by_cosine(const void *pa, const void *pb) {
    const Candidate *a = pa, *b = pb;
    if (a->cosine != b->cosine) return a->cosine > b->cosine ? -1 : 1;
    return by_identity(pa, pb);
}

static int by_fused(const void *pa, const void *pb) {
    const Candidate *a = pa, *b = pb;
    if (a->fused != b->fused) return a->fused > b->fused ? -1 : 1;
    return by_identity(pa, pb);
}

static void sort(Candidate *c, size_t n, int (*order)(const void *, const void *)) {
    if (n) qsort(c, n, sizeof *c, order);
}

void candidates_rank_lexical(Candidate *c, size_t n) {
    sort(c, n, by_bm25);
    for (size_t i = 0; i < n; i++) c[i].lex_rank = (int32_t)(i + 1);
}

void candidates_rank_vector(Candidate *c, size_t n) {
    sort(c, n, by_cosine);
    for (size_t i = 0; i < n; i++) c[i].vec_rank = (int32_t)(i + 1);
}

size_t candidates_merge(Candidate *c, size_t n) {
    size_t out = 0;
    sort(c, n, by_identity);
    for (size_t i = 0; i < n; i++) {
        if (out == 0 || by_identity(&c[out - 1], &c[i]) != 0) {
            c[out++] = c[i];
            continue;
        }
        Candidate *into = &c[out - 1];
        if (c[i].lex_rank && (!into->lex_rank || c[i].lex_rank < into->lex_rank)) {
            into->lex_rank = c[i].lex_rank;
            into->bm25 = c[i].bm25;
        }
        if (c[i].named > into->named) into->named = c[i].named;
        if (c[i].has_cosine && (!into->vec_rank || c[i].vec_rank < into->vec_rank)) {
            into->vec_rank = c[i].vec_rank;
            into->cosine = c[i].cosine;
            into->error = c[i].error;
            into->slot = c[i].slot;
            into->has_cosine = true;
        }
    }
    return out;
}

float lexical_score(float bm25) { return bm25 > 0.0f ? bm25 / (bm25 + LEXICAL_HALF) : 0.0f; }

/* idf of a term that one of n chunks has is a little below ln(n + 1). */
float fuse_full_least(double chunks, float k1) { return FULL_WORDS * (k1 + 1) * (float)log(chunks + 1); }

float fuse_with(const FuseRule *rule, const Candidate *c, float cosine) {
    float words = rule->bm25_full > 0.0f ? c->bm25 / rule->bm25_full : 0.0f;
    if (rule->mode == MODE_LEXICAL) return c->named + words;
    if (rule->mode == MODE_SEMANTIC) return c->named + cosine;
    if (rule->fusion == FUSION_CONVEX) return c->named + rule->alpha * cosine + (1.0f - rule->alpha) * words;
    float fused = c->named;
    if (c->lex_rank) fused += 1.0f / (RRF_RANK + (float)c->lex_rank);
    if (c->vec_rank) fused += 1.0f / (RRF_RANK + (float)c->vec_rank);
    return fused;
}

void fuse_one(const FuseRule *rule, Candidate *c) {
    float words = lexical_score(c->bm25);
    const float stands_in = words + c->shift;
    float cosine = c->has_cosine ? c->cosine : stands_in < c->most ? stands_in : c->most;
    c->fused = fuse_with(rule, c, cosine);
    c->score = rule->mode == MODE_LEXICAL    ? words
               : rule->mode == MODE_SEMANTIC ? clamp01(cosine)
                                             : rule->alpha * clamp01(cosine) + (1.0f - rule->alpha) * words;
    if (c->named > 0 && c->score < NAMED_SCORE) c->score = NAMED_SCORE;
}

void fuse_lower(Candidate *c, float prior) {
    c->fused -= (1.0f - prior) * fabsf(c->fused); /* a negative cosine must not rise */
    c->score *= prior;
    c->prior = prior;
}

void candidates_sort(Candidate *c, size_t n) { sort(c, n, by_fused); }

/* Pool adjacent violators: groups of neighbours whose means fall; one that would rise is joined to the one before. */
Err scores_make_fall(Arena *a, Candidate *c, size_t n) {
    typedef struct {
        double sum;
        size_t count;
    } Group;
    Group *groups = arena_array(a, Group, n + 1);
    if (!groups) return arena_error();
    size_t n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        Group g = {(double)c[i].score, 1};
        while (n_groups && groups[n_groups - 1].sum * (double)g.count < g.sum * (double)groups[n_groups - 1].count) {
            n_groups--;
            g.sum += groups[n_groups].sum;
            g.count += groups[n_groups].count;
        }
        groups[n_groups++] = g;
    }
    for (size_t g = 0, i = 0; g < n_groups; g++)
        for (size_t k = 0; k < groups[g].count; k++) c[i++].score = (float)(groups[g].sum / (double)groups[g].count);
    return ERR_OK;
}

Err fuse_all(Arena *a, const FuseRule *rule, Candidate *c, size_t n) {
    for (size_t i = 0; i < n; i++) fuse_one(rule, &c[i]);
    sort(c, n, by_fused);
    return scores_make_fall(a, c, n);
}
