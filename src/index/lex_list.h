/* lex_list.h - what a search walks over: the documents of one clause in one segment, each with what it gains by it.
 * Private.
 *
 * A gain is a whole number: weight * tf / (tf + norm), times a scale that the query chooses so that no sum passes 2^31.
 * Whole numbers can be added in any order, which is what lets a search skip and still give the same bits
 * (lex_search.c).
 */
#ifndef PYTHIA_INDEX_LEX_LIST_H
#define PYTHIA_INDEX_LEX_LIST_H

#include "index/lex_seg.h"

/* How gains are reckoned in one search. */
typedef struct {
    float weights[LEX_FIELDS];
    float norm_base, norm_length; /* norm of a document = norm_base + norm_length * its length */
} LexNorm;

/* A segment as a search sees it. */
typedef struct {
    const LexSeg *seg;
    const LexNorm *norm;
    float *tf;   /* [seg->tuples] by code */
    float ratio; /* most by which a weight is above the one that the points of blocks were made with */
    Arena *arena;
} LexGround;

typedef struct {
    uint32_t last, bound; /* its last document; no document of it gains more */
} ListBlock;

typedef struct {
    const LexGround *ground;
    LexBlockAt *at;    /* [n_blocks]; NULL for a list that is all there */
    ListBlock *blocks; /* [n_blocks] */
    size_t n_blocks;
    size_t block;                 /* that the list is in */
    size_t loaded;                /* block whose postings are below, n_blocks: none */
    const uint32_t *docs, *gains; /* [n] of it */
    uint32_t n, place;            /* before place all is behind the search */
    float weight;
    uint32_t bound; /* in this window */
    uint32_t docs_[LEX_BLOCK], gains_[LEX_BLOCK];
} LexList;

/* Documents and their tf, found at once: of a phrase or of a prefix. */
typedef struct {
    uint32_t *docs;
    float *tf;
    uint32_t n;
} LexMatches;

MUST_USE Err ground_make(LexGround *g, const LexSeg *seg, const LexNorm *norm, Arena *arena);

/* The list of a term, whose gains are at most weight; and of matches. */
MUST_USE Err list_of_term(LexList *l, const LexGround *g, const LexEntry *e, float weight);
MUST_USE Err list_of_matches(LexList *l, const LexGround *g, const LexMatches *m, float weight);
/* Puts the postings of the block that the list is in into docs and gains. */
MUST_USE Err list_load(LexList *l);
/* To the first block that ends at doc or behind it. Nothing is read. */
static inline void list_skip(LexList *l, uint32_t doc) {
    while (l->block < l->n_blocks && l->blocks[l->block].last < doc) l->block++;
}

/* lex_match.c: documents of a phrase, of a prefix; in the ground's arena. */
MUST_USE Err match_phrase(const LexGround *g, const Str *terms, size_t n, LexMatches *out);
MUST_USE Err match_prefix(const LexGround *g, Str prefix, const Deadline *deadline, LexMatches *out);
/* Sets the bits of a term's documents. */
MUST_USE Err match_term_bits(const LexGround *g, const LexEntry *e, uint64_t *bits);

#endif
