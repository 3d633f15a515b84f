/* sampler.h - from the scores of all tokens to the next one.
 *
 * In this order, as llama.cpp has it by default; each is off at its zero:
 *
 *     repeat_penalty, presence_penalty, frequency_penalty   scores of tokens among the last repeat_last
 *     top_k                                                 only the k best
 *     top_p                                                 of these the best that together have this probability
 *     min_p                                                 of these no less likely than so much of the best
 *     temperature                                           0: the best of all (of equals the one with the lower id)
 *
 * The same seed gives the same tokens on every machine: the generator is our own (xoshiro256++ by Blackman and Vigna,
 * seeded by splitmix64), sums are in double precision and in a fixed order.
 *
 * Threads: a Sampler is one thread's at a time.
 */
#ifndef PYTHIA_MODEL_SAMPLER_H
#define PYTHIA_MODEL_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct {
    float temperature;       /* 0 to 100 */
    size_t top_k;            /* tokens; 0: all */
    float top_p;             /* 0 to 1; 0 and 1: all */
    float min_p;             /* 0 to 1 */
    float repeat_penalty;    /* 0 and 1: none; above 1 it divides positive scores and multiplies negative ones */
    float presence_penalty;  /* -100 to 100, taken from the score of each token that was there */
    float frequency_penalty; /* -100 to 100, times how often */
    size_t repeat_last;      /* tokens looked back; 0: 64 */
    uint64_t seed;
} SamplerOpts;

typedef struct Sampler Sampler;

/* ERR_USAGE: an option out of its range. Memory: 12 bytes a token of the vocabulary. */
MUST_USE Err sampler_open(Sampler **out, const SamplerOpts *opts, size_t n_vocab);
void sampler_close(Sampler *s); /* NULL is fine */

/* A token of the prompt, for the penalties. */
void sampler_see(Sampler *s, int32_t id);

/* Chooses the next token and has seen it. Penalties change logits. ERR_CORRUPT: the best score is not a finite number.
 * Cost, 262,144 tokens: 0.05 ms for the best of all, some 0.3 ms for others. */
MUST_USE Err sampler_next(Sampler *s, float *logits /* [n_vocab] */, int32_t *id);

#endif
