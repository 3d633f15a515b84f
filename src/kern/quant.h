/* quant.h - products computed on GGUF's quantised blocks as they stand in the file: a model of 4 GB stays the 4 GB that
 * the system maps, and generation reads each weight once, at the speed of memory.
 *
 * Weights are rows of blocks (block.h), 32 or 256 numbers that share scales. Activations are quantised on their way in,
 * as the reference does it (ggml: Q8_0 and Q8_1 before blocks of 32, Q8_K before blocks of 256), so that a product of
 * two blocks is a sum of integers, exact in int32, times scales. F32, F16 and BF16 weights are multiplied with
 * activations in f32 (the reference rounds them to the weight's format first; not doing so is cheaper here and errs
 * less).
 *
 * The numbers, for every level alike. Everything is float, each operation rounded by itself (no fused multiply-add), so
 * that all levels give the same bits; the order of the sums is fixed:
 *
 *   blocks of 32   eight sums; block b goes to sum b % 8:  sum += (float)integers * (d_weight * d_row)
 *                  and with a minimum (Q4_1, Q5_1), then:  sum += m_weight * s_row
 *   blocks of 256  one sum:                                sum += (float)(integers times their scales) * (d_weight * d_row)
 *                  and with minimums (Q4_K, Q5_K), then:   sum -= (float)(minimums times block sums) * (dmin_weight * d_row)
 *   floats         sixteen sums; number i goes to sum i % 16
 *   at the end     sums are added halves first ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), then the bias
 *
 * So an output depends on its weights and its activation row alone: not on m, on [from, to), or on the CPU. Against
 * ggml results differ by the rounding of float sums.
 *
 * Two ways through a product, the same bits: up to some rows of activations each weight row is read as it stands and
 * multiplied with all of them (`dot`); with more, 32 weight rows at a time are unpacked into a panel of bytes in the
 * caller's scratch, which then serves tiles of rows from the cache. Weights within `exact` (f32, bf16): quant_exact.h.
 *
 * A new level (NEON) is one file quant_<level>.c that defines the pieces quant_body.h asks for and includes it, its
 * name in kern_levels.h, its flags in cmake/kernels.cmake, and one line `#define KERN_QUANT` in kern_<level>.c; until
 * then a level names a table that its CPU can run (quant_scalar always).
 *
 * Memory: rows of weights are read exactly from their first to their last byte, and need no alignment. Activation rows
 * and scratch are the caller's, aligned to 64 bytes; scratch is one thread's. Threads: everything here is immutable;
 * share a product by giving each thread a part of [0, n), and its rows by giving each a part of [0, m).
 */
#ifndef PYTHIA_KERN_QUANT_H
#define PYTHIA_KERN_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/block.h"

/* A weight matrix [n, k]: n outputs, k inputs. Make one with quant_fits(type, k) true, from rows that quant_check
 * passed. */
typedef struct {
    uint32_t type; /* BlockType */
    size_t n, k;
    const void *rows;  /* n rows, row_bytes from row to row */
    size_t row_bytes;  /* at least quant_row_bytes(type, k), which it is in a file */
    const float *bias; /* [n] or NULL */
} QuantMatrix;

/* What activations are turned into; matrices of the same kind and k can share rows. */
typedef enum {
    QUANT_FLOATS,    /* as they are: F32, F16, BF16 */
    QUANT_BLOCKS32,  /* int8 with a scale every 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 */
    QUANT_BLOCKS256, /* int8 with a scale every 256: Q4_K, Q5_K, Q6_K */
} QuantKind;

typedef struct KernQuant {
    const char *name; /* "avx2": the level, or the one it borrows from */

    /* Turns m rows of k floats, ldx floats apart, into rows of `kind` at out, quant_kind_bytes(kind, k) apart. x must
     * be finite; a value beyond 65,504 * 127 overflows the scale of QUANT_BLOCKS32, which the reference keeps in half
     * precision. ~1.5 cycles a number. */
    void (*rows)(QuantKind kind, const float *x, size_t ldx, size_t m, size_t k,
                 void *out /* [m, quant_kind_bytes(kind, k)] */);

    /* out[i][j] = inner product of rows[i] and weight row j, + bias[j], for i in [0, m) and j in [from, to); columns
     * outside are left alone. rows: of quant_kind(w->type) and w->k. ldo >= to. scratch:
     * quant_scratch_bytes(w->k). m = 1 runs at the speed of
     * memory (13 to 42 GB/s of blocks from cache); 256 rows at 57 to 72 % of the core's int8 peak with AVX-512 VNNI
     * (bench_quant). */
    void (*gemm)(const QuantMatrix *w, size_t from, size_t to, const void *rows, size_t m, float *out /* [m, ldo] */,
                 size_t ldo, void *scratch);

    /* n weights (whole blocks) as the floats they stand for: what block_format(type)->decode gives, faster. Does not
     * read behind the last block. ~1 cycle a weight. */
    void (*decode)(uint32_t type, const void *src, size_t n, float *dst /* [n] */);

    /* Rows of floats into part of a panel of bf16 (low.h): [k / 2][32][2]. k a multiple of 32, at most QUANT_STEP.
     * ~1 cycle a weight where there is AVX-512. */
    void (*pack_bf16)(const float *rows /* [32][QUANT_STEP] */, size_t k, uint16_t *panel);
} KernQuant;

enum { QUANT_STEP = 256 }; /* numbers of a row decoded at a time: whole blocks of every type */

/* The type can be multiplied, and rows of k > 0 are whole blocks of it. */
bool quant_fits(uint32_t type, size_t k);

QuantKind quant_kind(uint32_t type);

/* Bytes of a weight row of k numbers in the file; quant_fits(type, k). */
size_t quant_row_bytes(uint32_t type, size_t k);

/* Bytes of an activation row; a multiple of 64. k whole blocks of the kind. */
size_t quant_kind_bytes(QuantKind kind, size_t k);

/* Bytes of scratch that gemm wants for rows of k; a multiple of 64. ~44 k. */
size_t quant_scratch_bytes(size_t k);

/* The first of n rows [k] that holds a NaN or an infinity (in a scale or a minimum, or in a number where the type has
 * no scales), n when none does. Reads every scale: 20 GB/s of blocks, or what memory gives. Call it on pieces of a file
 * as they come. */
size_t quant_check(uint32_t type, const void *rows, size_t row_bytes, size_t n, size_t k);

#endif
