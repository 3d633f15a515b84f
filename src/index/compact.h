/* compact.h - the insides of the compact kind: no vectors are kept, only codes of 47 bytes; the best candidates are
 * computed anew from what they were made of (VecQuery.fetch) until the codes prove that no other row belongs among the
 * k.
 *
 * The idea is LEANN's (Wang et al. 2025, arXiv 2506.08276), which walks a graph and computes each row it meets. Looking
 * at all codes first and computing only what they cannot rule out takes some twenty times fewer rows, and no graph (ADR
 * 10).
 *
 * A code is 46 bytes for the principal components (pca.h) of a row less the mean, and a byte for its factor. A
 * component gets from 0 to 5 of the 368 bits, the next bit always where it takes most of the error away (what
 * rate-distortion theory calls reverse water-filling): of 384 numbers some 215 components have any. Levels are those of
 * Max 1960 for normal numbers, times the component's spread, and one factor a row for all such that estimates have no
 * bias (RaBitQ's, arXiv 2409.09913):
 *
 *     <x, q>  ~  <mean, q> + factor <levels, basis q>
 *
 * A component never stands in two bytes, so that a query makes of each byte one table of 256. The factor is in 32 steps
 * an octave about the sample's mean factor, 0 for none; that is off by 0.6 % on average. The basis is kept as row8
 * items (row8.h), which is a quarter of f32 and enough: rows and queries are turned by the same.
 *
 * 98,559 chunks of code, first lines of comments as queries, vectors computed for recall@10 0.955 (simulated): 57 with
 * 40 bytes, 46 with 44, 39 with 48; with two bits for each component alike, 76 of 40 bytes and 45 of 48.
 *
 * How far estimates of near rows are off is measured on a sample when the basis is learnt; it is what the proof rests
 * on.
 *
 * Files. Rows wait as int8 (row8.h) for the first vec_build, which learns the basis, writes it as what is built
 * (built.h), and replaces the rows' file by one of codes, block for block; rows that come later are coded at once.
 * Codes are all there is then: vec_row says so, and another basis takes rows embedded anew. The basis is durable before
 * the codes are, so a crash leaves either the waiting rows (and a basis that the next build writes over) or codes with
 * their basis.
 *
 * Threads: any number of searches beside one writer; VecQuery.fetch is called by the thread that searches.
 */
#ifndef PYTHIA_INDEX_COMPACT_H
#define PYTHIA_INDEX_COMPACT_H

#include "index/rows8.h"

/* The words of what is built; error and unit are a float's bits. error: an estimate's, root mean square, at |q| = 1;
 * unit: the factor of byte 128. */
enum {
    COMPACT_COMPONENTS,
    COMPACT_ERROR,
    COMPACT_UNIT,
    COMPACT_LEARNT /* rows there were when the basis was learnt */
};
enum {
    COMPACT_MEAN,   /* f32 [dim] */
    COMPACT_BASIS,  /* row8 [components] */
    COMPACT_SPREAD, /* f32 [components] standard deviations */
    COMPACT_PLACES, /* CompactPlace [components] */
    COMPACT_N_PARTS
};
enum {
    COMPACT_BYTES = 46, /* of components */
    COMPACT_MOST = 240, /* components */
    COMPACT_LEAST = 16, /* numbers of a row, else it waits for ever */
    COMPACT_BITS = 5    /* of a component, at most */
};

/* Where a component's bits stand. */
typedef struct {
    uint8_t byte, shift, bits;
} CompactPlace;

typedef struct {
    size_t components, bytes; /* bytes: of a code, without the factor */
    uint32_t learnt;
    float error, unit;
    const float *mean;    /* [dim] */
    const uint8_t *basis; /* [components][row8_bytes(dim)] */
    const float *spread;  /* [components] */
    const CompactPlace *places;
} CompactBasis;

typedef struct {
    Rows8 kept;
} Compact;

/* Bytes of components: two bits a number while that is less. */
static inline size_t compact_code_bytes(size_t dim) {
    return dim < 4 * COMPACT_BYTES ? dim / COMPACT_LEAST * COMPACT_LEAST / 4 : COMPACT_BYTES;
}
static inline size_t compact_bytes(size_t dim) { return compact_code_bytes(dim) + 1; }

/* Whether a view's rows are codes: from 16 numbers on they are always shorter than waiting rows. */
static inline bool compact_coded(size_t dim, size_t item_bytes) {
    return dim >= COMPACT_LEAST && item_bytes == compact_bytes(dim);
}

/* ERR_CORRUPT when b is NULL, its parts do not fit, or a number of it is not finite. */
MUST_USE Err compact_basis_read(const Compact *ix, const Built *b, CompactBasis *out);

/* compact_code.c */

/* Gives each of n components, variances falling, its bits and a place for them; places with 0 bits have none. */
void compact_share(const float *variances, size_t n, size_t bytes, CompactPlace *places);

/* numbers [components]: the products of v [dim] with the basis. 216 of 384: 4 us with AVX2. */
void compact_turn(const CompactBasis *b, const float *v, size_t dim, float *numbers);

/* Levels of a row into item, and the factor that goes with them. */
float compact_levels(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item);

/* item: [compact_bytes(dim)]; numbers: [components] for its own use. */
void compact_encode(const CompactBasis *b, const float *row, size_t dim, float *numbers, uint8_t *item);

/* compact_build.c */
bool compact_build_due(const VecIndex *base);
Err compact_build(VecIndex *base, Pool *pool, const Deadline *deadline);

/* compact_search.c */
Err compact_search(const VecIndex *base, const float *query, const VecQuery *q, VecHit *out, size_t *n);
Err compact_score(const VecIndex *base, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                  float *scores, bool *had);

/* What a query makes of codes: a table [256] for each byte, and what each factor's byte stands for. */
typedef struct {
    size_t bytes;
    float base; /* <mean, q> */
    float factors[256];
    float *sums; /* [bytes][256] */
} CompactTables;

static inline size_t compact_tables_bytes(size_t dim) { return compact_code_bytes(dim) * 256 * sizeof(float); }

/* t->sums has compact_tables_bytes; numbers [components] for its own use. 60 us. */
void compact_tables(const CompactBasis *b, const float *query, size_t dim, float *numbers, CompactTables *t);

/* 76 ns with the heap, of 98,592 codes on a busy machine: the tables are larger than the L1 cache. */
static inline float compact_estimate(const CompactTables *t, const uint8_t *item) {
    float even = 0, odd = 0; /* two sums: additions wait less for each other; bytes are even in number */
    for (size_t i = 0; i < t->bytes; i += 2) {
        even += t->sums[i * 256 + item[i]];
        odd += t->sums[(i + 1) * 256 + item[i + 1]];
    }
    return t->base + t->factors[item[t->bytes]] * (even + odd);
}

#endif
