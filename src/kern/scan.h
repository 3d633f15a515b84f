/* scan.h - the inner loops of the indexes: sums of table look-ups over codes, inner products of int8 rows, the Hadamard
 * transform.
 *
 * Codes. A vector is `tables` numbers of 6 bits; a query turns into as many tables of 64 bytes, and what the query
 * makes of a vector is the sum of the bytes its numbers pick. Six bits because AVX512-VBMI looks up 64 bytes in 64 at
 * once (and NEON 16); AVX2, and AVX-512 without VBMI, makes it of four look-ups in 16. 64 vectors stand in a block,
 * table by table, a number a byte: block[tables][64]. 1-bit codes of d dimensions are d / 6 tables, product
 * quantisation with 64 centroids is one table a sub-vector; both are the same loop. 0.7 ns a vector of 64 tables from
 * the L1 cache (Zen 4).
 *
 * Integers are exact, so all levels give the same bits; `above` and `hadamard` round once an operation, in the order
 * told.
 *
 * Threads: everything is immutable. Pointers need no alignment; blocks at a multiple of 64 bytes are faster.
 */
#ifndef PYTHIA_KERN_SCAN_H
#define PYTHIA_KERN_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum { SCAN_BLOCK = 64 /* vectors */, SCAN_ENTRIES = 64 /* of a table */ };

/* Largest entry of a table: four add up in a byte, all of them in 16 bits. Six bits are enough: the error they add to
 * the estimate of a 1-bit code is a twentieth of the code's own. */
static inline unsigned scan_entry_max(size_t tables) {
    return tables <= 1040 ? 63 : tables >= 65535 ? 1 : (unsigned)(65535 / tables);
}

typedef struct {
    const char *name;

    /* Tables of signs: lut[t][e] = lows[t] + the numbers of table t whose bit is set in e, added in their order, cut to
     * a whole number. The caller sees to it that all of them lie in [0, 64). 64 tables: 0.5 us. */
    void (*entries)(const float *numbers /* [tables][6] */, const float *lows /* [tables] */, size_t tables,
                    uint8_t *lut /* [tables][64] */);

    /* Bit v: factors[v] * (sum + shift) > floor, sum being that of lut[t][block[t][v] & 63] over the tables. No entry
     * is above scan_entry_max. factors are bf16 (the upper half of a float). */
    uint64_t (*above)(const uint8_t *lut /* [tables][64] */, const uint8_t *block /* [tables][64] */, size_t tables,
                      const uint16_t *factors /* [64] */, float shift, float floor);

    /* Inner product of int8 rows with a query of int16; the caller sees to it that no sum passes 2^31. 384: 9 ns. */
    int32_t (*dot8)(const int16_t *query, const int8_t *row, size_t n);

    /* The same for several rows that may lie anywhere. */
    void (*dot8_each)(const int16_t *query, const int8_t *const *rows /* [m] */, size_t m, size_t n,
                      int32_t *out /* [m] */);

    /* Inner products of m int8 rows one behind the other with a query of int8 in [-127, 127]: half of dot8_each's time,
     * for what needs no more of the query. */
    void (*dots8)(const int8_t *query, const int8_t *rows /* [m, n] */, size_t m, size_t n, int32_t *out /* [m] */);

    /* In place, not scaled: the Walsh-Hadamard transform of n floats, a power of 2 from 16 on. 256: 40 ns. */
    void (*hadamard)(float *x, size_t n);

    /* How many bits of n words are set: 0.3 ns a word, where a plain one takes 2. */
    size_t (*ones)(const uint64_t *words, size_t n);
} KernScan;

/* The table for the level of kernels in use, and that of a level by its name ("avx2"), NULL when this CPU cannot. */
const KernScan *scan_table(void);
const KernScan *scan_find(const char *level);

#endif
