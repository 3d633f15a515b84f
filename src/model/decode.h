/* decode.h - a causal network read token by token: what it saw before stays in a cache of keys and values, so that the
 * next token costs one row and not a whole text. Private to the room; generate.c is built on it.
 *
 *   Decoder *d;
 *   decoder_open(&d, model->net, 8192);             the network stays the caller's and immutable, d is one sequence
 *   decoder_step(d, pool, NULL, ids, n, &hidden);   the prompt, DECODER_STEP_MAX tokens at a time
 *   decoder_logits(d, pool, last row of hidden, 1, logits);
 *   decoder_step(d, pool, NULL, &token, 1, &hidden) ...
 *
 * A token's hidden vector has the same bits however the tokens before it were cut into steps, at any number of threads:
 * those that the network gives for the whole text at once (NetArch.run).
 *
 * Memory: keys and values in f32, packed as attention takes them: 8 * head_dim * kv heads bytes a token and layer.
 * Layers that see all tokens grow by doubling; layers with a window keep the window and slide.
 *
 * Threads: a Decoder is one thread's at a time; any number of them may stand on one network.
 */
#ifndef PYTHIA_MODEL_DECODE_H
#define PYTHIA_MODEL_DECODE_H

#include "base/clock.h"
#include "base/pool.h"
#include "model/net.h"

typedef struct Decoder Decoder;

enum { DECODER_STEP_MAX = 256 }; /* tokens a step: bounds the scratch, and how late a deadline is seen */

/* net: of an architecture with NetArch.decodes. places: tokens that the sequence may have, at least 1; memory is taken
 * as it grows. ERR_UNSUPPORTED: the file says that the network is not causal, or caps its logits; ERR_NOMEM. */
MUST_USE Err decoder_open(Decoder **out, const void *net, size_t places);
void decoder_close(Decoder *d); /* NULL is fine */

size_t decoder_tokens(const Decoder *d); /* seen so far */
size_t decoder_bytes(const Decoder *d);  /* of keys, values and scratch now */

/* Forgets all tokens behind the first n. Returns how many are kept: n, or 0 when a layer's window has slid too far to
 * go back to n (then the sequence starts anew). */
size_t decoder_cut(Decoder *d, size_t n);

/* Appends n (1 to DECODER_STEP_MAX) tokens. *hidden: [n, dim], normed, the decoder's, until its next step. pool NULL:
 * this thread alone. After an error nothing was appended. ERR_LIMIT: more tokens than places; ERR_CORRUPT: an id that
 * has no vector, weights that are not finite; ERR_DEADLINE; ERR_NOMEM. */
MUST_USE Err decoder_step(Decoder *d, Pool *pool, const Deadline *deadline, const int32_t *ids, size_t n,
                          const float **hidden);

/* Scores of every token of the vocabulary (decoder_vocab of them) to come behind each of n rows of hidden [n, dim]:
 * output.weight, or the token embedding where the file has none. Cost: a product with [vocabulary, dim]. */
MUST_USE Err decoder_logits(Decoder *d, Pool *pool, const float *hidden, size_t n, float *out /* [n, vocab] */);
size_t decoder_vocab(const Decoder *d);

#endif
