/* weights.h - a matrix of a network in whatever form it is computed from, and the product with it. Private to the room.
 *
 *   form         memory a weight            computed as
 *   PANELS       4 bytes                    f32, packed when opened
 *   LOW          2 bytes, or 1              bfloat16, or int8 with rows of activations scaled as they come; packed likewise
 *   STRIPS       none                       f32: rows are decoded where they lie in the file, a panel at a time, multiplied
 *   LOW_STRIPS   none                       and forgotten (kern/quant_exact.h); the same in bfloat16
 *   BLOCKS       none                       the file's blocks times activations in int8, or in f32 where it has floats
 *                                           (kern/quant.h)
 *
 * Forms without memory keep a model of 4 GB at the 4 GB that the system maps; strips pay for decoding at each product,
 * so they want many rows at once, and blocks do not. PANELS and STRIPS give the same bits, and so do LOW in bfloat16
 * and LOW_STRIPS.
 *
 * Which form, by precision (weights_load): f32 and exact pack what is in floats in the file while that leaves half of
 * the machine's free memory, and what is quantised while it is small (WEIGHTS_PACKED_MAX); else strips. fast takes
 * quantised blocks as they are and packs the rest in int8 where the network bears it, else as exact does: its numbers
 * do not hang on the memory that is free.
 *
 * Threads: immutable once loaded; a product works in the scratch it is handed.
 */
#ifndef PYTHIA_MODEL_WEIGHTS_H
#define PYTHIA_MODEL_WEIGHTS_H

#include "base/file.h"
#include "base/memory.h"
#include "model/net.h"

typedef enum { WEIGHTS_PANELS, WEIGHTS_LOW, WEIGHTS_STRIPS, WEIGHTS_LOW_STRIPS, WEIGHTS_BLOCKS } WeightsForm;

/* Quantised weights of a model are packed up to so many bytes in all: a model of the size that answers queries in
 * milliseconds keeps its latency, one of gigabytes its size. */
#define WEIGHTS_PACKED_MAX ((size_t)1 << 30)

typedef struct Weights {
    WeightsForm form;
    NetRows rows;
    KernMatrix panels; /* PANELS */
    LowMatrix low;     /* LOW; of LOW_STRIPS the type alone */
    struct Weights *next;
} Weights;

/* ---- loading (weights_load.c) ---- */

typedef struct {
    NetLoader net;
    Weights *first, **end; /* what was wished for, in order */
    bool int8; /* fast packs floats in int8; else the network errs too much so (cosine 0.998), and fast is bfloat16 */
} WeightsLoader;

/* What packed weights stand in. */
typedef struct {
    char *own;   /* NULL when they are mapped */
    FileMap map; /* of the cache */
} WeightsBlock;

/* Wishes for out = the parts' rows x k. It is made by weights_load and must stay where it is. */
MUST_USE Err weights_want(WeightsLoader *l, Weights *out, const NetPart *parts, size_t n_parts, size_t k, NetBias bias);

/* Chooses the forms, checks every weight that is used where it lies, packs the others (from the cache where o->cache
 * has them). ERR_CORRUPT: a weight or a scale that is not finite, naming tensor and row; ERR_NOMEM: weights_memory.
 * Cost: packing 0.4 ns a weight and core, checking 20 GB/s or what the disk gives. */
MUST_USE Err weights_load(WeightsLoader *l, const NetOpen *o, WeightsBlock *block);
void weights_block_close(WeightsBlock *block);

/* ERR_NOMEM with the numbers when a model that needs packed + mapped bytes does not fit into the memory that is free.
 * Small models pass: what they need is soon free. */
MUST_USE Err weights_memory(const Gguf *g, size_t packed, size_t mapped, ModelPrecision precision,
                            const MemoryNow *now);

/* A whole tensor where it lies, without biases: as blocks where they can be multiplied so within the precision, else as
 * strips. */
Weights weights_of(const GgufTensor *t, ModelPrecision precision);

/* Reads all of what is used where it lies: ERR_CORRUPT as weights_load's. */
MUST_USE Err weights_check(const Gguf *g, Pool *pool, const Weights *w);

/* ---- products (weights.c) ---- */

typedef struct {
    const Gguf *gguf; /* for messages */
    const Kern *kern;
    Pool *pool;     /* NULL: this thread alone */
    float *scratch; /* [weights_scratch], aligned to 64 bytes */
} WeightsRun;

/* Floats of scratch that a product of m rows wants. */
size_t weights_scratch(const Kern *kern, const Weights *w, size_t m, size_t threads);

/* out [m, n] = a [m, k] * w^T + bias. A row's result does not depend on m or the threads. */
MUST_USE Err weights_times(const WeightsRun *run, const Weights *w, const float *a, size_t m, float *out);

#endif
