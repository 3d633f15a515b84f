/* tok_merge.h - byte-pair merging: of all neighbours in a word the pair of the lowest rank becomes one symbol, the
 * leftmost first among equals, until no pair has a rank (Sennrich et al. 2016). Which pairs have one is the caller's
 * affair: a list of merges (tok_bpe.c), or the scores of what two neighbours come to (tok_spm.c).
 *
 * Threads: no state of its own. */
#ifndef PYTHIA_MODEL_TOK_MERGE_H
#define PYTHIA_MODEL_TOK_MERGE_H

#include "base/arena.h"

/* A piece of a word: bytes [at, at + n) of it. */
typedef struct {
    uint32_t at, n;
    int32_t id; /* -1: no token spells it */
} TokSymbol;

#define TOK_NO_RANK UINT32_MAX

/* What two neighbours become. */
typedef struct {
    uint32_t rank; /* lowest first; TOK_NO_RANK: nothing */
    int32_t id;
} TokPair;

/* left and right are neighbours: left.at + left.n == right.at, or bytes without a token lie between them. */
typedef TokPair (*TokPairOf)(const void *ctx, const TokSymbol *left, const TokSymbol *right);

/* Merges symbols [*n] in place; *n is how many are left. Cost: up to TOK_MERGE_SMALL symbols a scan a merge, with no
 * memory (~10 ns a symbol); beyond, O(n log n) with a heap in scratch, 40 bytes a symbol. Errors: ERR_NOMEM. */
enum { TOK_MERGE_SMALL = 48 };
MUST_USE Err tok_merge(TokSymbol *symbols, size_t *n, TokPairOf pair_of, const void *ctx, Arena *scratch);

#endif
