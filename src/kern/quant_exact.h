/* quant_exact.h - products with quantised weights as the numbers they stand for, in f32 or bf16: for precision `exact`,
 * where activations may not be cut down to eight bits (quant.h).
 *
 * A panel of weight rows at a time is decoded into the caller's scratch, and the ordinary kernels run on it: no more
 * than that panel ever exists. Decoding and packing cost about two cycles a weight, a fifth of the time of 256 rows in
 * bf16: a few rows are better off with quant.h. As everywhere in kern.h a row's result does not depend on m, nor on
 * [from, to).
 *
 * Threads: immutable; scratch is one thread's.
 */
#ifndef PYTHIA_KERN_QUANT_EXACT_H
#define PYTHIA_KERN_QUANT_EXACT_H

#include "kern/kern.h"

/* Bytes of scratch, aligned to 64, for weight rows of k numbers, with LOW_BF16 or in f32. */
size_t quant_f32_scratch_bytes(const Kern *kern, size_t k);
size_t quant_bf16_scratch_bytes(size_t k);

/* out[i][j] = act(a[i] * w[j] + bias[j]) for i in [0, m), j in [from, to); as kern->gemm, but from and to are outputs,
 * not panels, and columns outside are left alone. */
void quant_gemm_f32(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, KernAct act,
                    const float *a /* [m, lda] */, size_t lda, size_t m, float *out /* [m, ldo] */, size_t ldo,
                    void *scratch);

/* The same in bf16, as kern->low->gemm on LOW_BF16: weights are rounded to bf16. `from` is a multiple of LOW_WIDE, and
 * so is `to` unless it is w->n: whole panels are written, so ldo >= low_wide(w->n). */
void quant_gemm_bf16(const Kern *kern, const QuantMatrix *w, size_t from, size_t to, LowOut kind, const LowRows *a,
                     size_t m, void *out, size_t ldo, void *scratch);

#endif
