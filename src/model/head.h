/* head.h - what some models put behind the pooled vector: dense layers (embeddinggemma), or a classifier of one label
 * that makes a reranker's score. Private to the room.
 *
 * Threads: an open head is immutable.
 */
#ifndef PYTHIA_MODEL_HEAD_H
#define PYTHIA_MODEL_HEAD_H

#include "model/net.h"

typedef struct Head Head;

/* Reads the head that the pooling asks for: with POOL_RANK "cls" (dense, then an activation, then "cls.norm" where
 * there is one) and "cls.output" (to one score), each where the file has it, at least one; else "dense_2" and
 * "dense_3", which lead back to the vector's width. Keys: pythia.rank.activation (tanh, gelu, relu),
 * pythia.rank.pooling (cls, mean). *out is NULL when there is none. ERR_UNSUPPORTED: a reranker without a classifier,
 * or with several labels; ERR_CORRUPT: shapes. */
MUST_USE Err head_open(Head **out, const NetOpen *o);
void head_close(Head *h); /* NULL is fine */

/* Does a reranker's head take the mean of all tokens instead of the first one's vector? */
bool head_pools_mean(const Head *h);

/* Floats of scratch that a run wants; 0 for NULL. */
size_t head_scratch(const Head *h);

/* In place: v [dim] becomes the vector [dim], or the score [1]. NULL: v stays. */
MUST_USE Err head_run(const Head *h, float *v, float *scratch);

#endif
