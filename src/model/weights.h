/* weights.h - a matrix of a network in whatever form it is computed from, and the product with it. Private to the room.
 *
 *   strips   where the tensor lies in the file: a panel of rows at a time is decoded to f32 into scratch, multiplied and
 *            forgotten. No memory but the file's pages; decoding is paid at each product, so by many rows at once.
 *
 * Threads: immutable once loaded; a product works in the scratch it is handed.
 */
#ifndef PYTHIA_MODEL_WEIGHTS_H
#define PYTHIA_MODEL_WEIGHTS_H

#include "model/net.h"

typedef struct {
    size_t n, k;
    const GgufTensor *parts[NET_PARTS_MAX]; /* one below the other */
    size_t n_parts;
    const float *bias; /* [kern_panels(kern, n) * panel], or NULL: zeros */
} Weights;

typedef struct {
    const Gguf *gguf; /* for messages */
    const Kern *kern;
    Pool *pool;     /* NULL: this thread alone */
    float *scratch; /* [weights_scratch], aligned to 64 bytes */
} WeightsRun;

/* A whole tensor [rows, cols] as it lies; cols inputs. */
Weights weights_of(const GgufTensor *t);

/* Floats of scratch that a product wants. */
size_t weights_scratch(const Kern *kern, const Weights *w, size_t threads);

/* out [m, w->n] = a [m, w->k] * w^T + bias. A row's result does not depend on m or the threads. ERR_CORRUPT: a weight that is
 * not finite. */
MUST_USE Err weights_times(const WeightsRun *run, const Weights *w, const float *a, size_t m, float *out);

#endif
