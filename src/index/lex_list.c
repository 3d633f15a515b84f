/* lex_list.c - see lex_list.h. */
#include "index/lex_list.h"

#include <math.h>

Err ground_make(LexGround *g, const LexSeg *seg, const LexNorm *norm, Arena *arena) {
    *g = (LexGround){.seg = seg, .norm = norm, .arena = arena};
    g->tf = arena_array(arena, float, (size_t)seg->tuples + 1);
    if (!g->tf) return arena_error();
    for (uint32_t code = 0; code < seg->tuples; code++) {
        float tf = 0;
        for (unsigned f = 0; f < LEX_FIELDS; f++) tf += norm->weights[f] * (float)tuple_count(seg->tuple[code], f);
        g->tf[code] = tf;
    }
    for (size_t f = 0; f < LEX_FIELDS; f++) g->ratio = fmaxf(g->ratio, norm->weights[f] / seg->weights[f]);
    return ERR_OK;
}

/* At least one, so that a document that has a term is found by it. */
static inline uint32_t gain_of(const LexGround *g, float weight, float tf, uint32_t doc) {
    const float norm = g->norm->norm_base + g->norm->norm_length * (float)g->seg->lengths[doc];
    return (uint32_t)(int32_t)(weight * tf / (tf + norm)) + 1;
}

typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I4 __attribute__((vector_size(16)));

/* The same for a block, four at a time: a division a document is what the search would otherwise wait for. */
static void gains_of(const LexGround *g, float weight, const uint32_t *codes, const uint32_t *docs, uint32_t n,
                     uint32_t *gains /* [LEX_BLOCK] */) {
    float tf[LEX_BLOCK], length[LEX_BLOCK];
    for (uint32_t i = 0; i < n; i++) {
        tf[i] = g->tf[codes[i]];
        length[i] = (float)g->seg->lengths[docs[i]];
    }
    for (uint32_t i = n; i % 4; i++) tf[i] = length[i] = 1;
    for (uint32_t i = 0; i < n; i += 4) {
        F4 t, l;
        memcpy(&t, tf + i, sizeof t);
        memcpy(&l, length + i, sizeof l);
        const F4 norm = g->norm->norm_base + g->norm->norm_length * l;
        const I4 gain = __builtin_convertvector(weight * t / (t + norm), I4) + 1;
        memcpy(gains + i, &gain, sizeof gain);
    }
}

/* What no posting that the points beat can gain; the margin is 80 times what rounding to float may do. */
static uint32_t bound_of(const LexGround *g, const LexBlockAt *b, float weight) {
    float most = 0;
    for (size_t p = 0; p < LEX_POINTS; p++) {
        const float tf = (float)lex_small_value(b->points[p][0]) / LEX_TF_UNIT * g->ratio;
        const float norm = g->norm->norm_base + g->norm->norm_length * (float)lex_small_value(b->points[p][1]);
        /* No number, or one without an end, where a file's weights are next to nothing. */
        const float gain = weight * tf / (tf + norm);
        most = fmaxf(most, b->points[p][0] == LEX_SMALL_MAX || !(gain < weight) ? weight : gain);
    }
    return (uint32_t)(most * 1.00001f) + 3;
}

Err list_load(LexList *l) {
    if (l->loaded == l->block) return ERR_OK;
    const LexGround *g = l->ground;
    uint32_t codes[LEX_BLOCK];
    TRY(seg_block_read(g->seg, &l->at[l->block], l->docs_, codes));
    l->n = l->at[l->block].n;
    gains_of(g, l->weight, codes, l->docs_, l->n, l->gains_);
    l->docs = l->docs_;
    l->gains = l->gains_;
    l->place = 0;
    l->loaded = l->block;
    return ERR_OK;
}

static uint32_t most_gained(const LexList *l) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < l->n; i++) most = l->gains[i] > most ? l->gains[i] : most;
    return most;
}

Err list_of_term(LexList *l, const LexGround *g, const LexEntry *e, float weight) {
    const size_t n = seg_blocks(e->df);
    l->ground = g;
    l->weight = weight;
    l->n_blocks = n;
    l->block = 0;
    l->loaded = n;
    l->at = arena_array(g->arena, LexBlockAt, n);
    l->blocks = arena_array(g->arena, ListBlock, n);
    if (!l->at || !l->blocks) return arena_error();
    TRY(seg_block_list(e, l->at));
    if (n == 1) { /* its bound is what it gains: reading it costs less than not knowing */
        TRY(list_load(l));
        l->blocks[0] = (ListBlock){l->docs[l->n - 1], most_gained(l)};
        return ERR_OK;
    }
    for (size_t b = 0; b < n; b++) l->blocks[b] = (ListBlock){l->at[b].last, bound_of(g, &l->at[b], weight)};
    return ERR_OK;
}

Err list_of_matches(LexList *l, const LexGround *g, const LexMatches *m, float weight) {
    l->ground = g;
    l->weight = weight;
    l->at = NULL;
    l->n_blocks = m->n > 0;
    l->block = l->loaded = 0;
    l->n = m->n;
    l->place = 0;
    l->docs = m->docs;
    uint32_t *gains = arena_array(g->arena, uint32_t, (size_t)m->n + 1);
    l->blocks = arena_new(g->arena, ListBlock);
    if (!gains || !l->blocks) return arena_error();
    for (uint32_t i = 0; i < m->n; i++) gains[i] = gain_of(g, weight, m->tf[i], m->docs[i]);
    l->gains = gains;
    if (m->n) l->blocks[0] = (ListBlock){m->docs[m->n - 1], most_gained(l)};
    return ERR_OK;
}
