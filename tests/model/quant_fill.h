/* quant_fill.h - tensors of every type out of a seed: bytes as they come, scales of a size that gives weights around 0,
 * of a mean square of some 1/100. */
#ifndef PYTHIA_TESTS_MODEL_QUANT_FILL_H
#define PYTHIA_TESTS_MODEL_QUANT_FILL_H

#include "check.h"
#include "kern/block.h"

/* Where a block's half-precision numbers stand (-1: no second), and the exponents they get: 2^(e - 15). */
typedef struct {
    BlockType type;
    int at[2];
    uint16_t exponent[2];
} QuantScale;

enum { QUANT_MINUS = 32 }; /* the sign bit above the exponent */

static const QuantScale quant_scales[] = {
    {BLOCK_Q4_0, {0, -1}, {9, 0}}, {BLOCK_Q4_1, {0, 2}, {9, 12 | QUANT_MINUS}},
    {BLOCK_Q5_0, {0, -1}, {8, 0}}, {BLOCK_Q5_1, {0, 2}, {8, 12 | QUANT_MINUS}},
    {BLOCK_Q8_0, {0, -1}, {5, 0}}, {BLOCK_Q4_K, {0, 2}, {4, 7}},
    {BLOCK_Q5_K, {0, 2}, {3, 7}},  {BLOCK_Q6_K, {208, -1}, {1, 0}},
};
enum { QUANT_TYPES = sizeof quant_scales / sizeof *quant_scales };

static inline uint32_t quant_next(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* n numbers (whole blocks) at out, block_format(type)->bytes for each block. F32, F16 and BF16 too: multiples of 1/256
 * in [-1/4, 1/4). */
static inline void quant_fill(BlockType type, size_t n, uint32_t *seed, char *out) {
    const BlockFormat *f = block_format((uint32_t)type);
    for (size_t i = 0; i < n && f->items == 1; i++) {
        float x = ((float)(quant_next(seed) % 128) - 64) / 256;
        uint32_t bits = 0;
        memcpy(&bits, &x, sizeof bits);
        uint16_t half =
            (uint16_t)(x == 0 ? 0 : (bits >> 16 & 0x8000) | ((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023));
        uint16_t upper = (uint16_t)(bits >> 16);
        memcpy(out + i * f->bytes,
               type == BLOCK_F32   ? (void *)&x
               : type == BLOCK_F16 ? (void *)&half
                                   : (void *)&upper,
               f->bytes);
    }
    for (size_t b = 0; b < n / f->items && f->items > 1; b++, out += f->bytes) {
        for (size_t i = 0; i < f->bytes; i++) out[i] = (char)quant_next(seed);
        for (size_t t = 0; t < QUANT_TYPES; t++)
            for (size_t s = 0; s < 2 && quant_scales[t].type == type && quant_scales[t].at[s] >= 0; s++) {
                uint32_t half = (uint32_t)quant_scales[t].exponent[s] << 10 | (quant_next(seed) & 1023);
                out[quant_scales[t].at[s]] = (char)half;
                out[quant_scales[t].at[s] + 1] = (char)(half >> 8);
            }
    }
}

#endif
