/* quant_unpack.h - blocks of the quantised formats as plain bytes, scales and minimums: 256 numbers at a time. Plain C
 * that compilers turn into a few vector instructions a line, compiled with each level. Layouts: block.c.
 *
 * Numbers come out unsigned, as the products of bytes want one side; `zero` is what has to be taken from them (8, 16,
 * 128 or 32). d and m are the floats of the halves in the file.
 */
#ifndef PYTHIA_KERN_QUANT_UNPACK_H
#define PYTHIA_KERN_QUANT_UNPACK_H

#include <string.h>

#include "kern/quant_impl.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

enum { QUANT_PANEL = 32, QUANT_DOT_ROWS = 3 }; /* weight rows a panel; activation rows that go without one */

/* Told so far ahead a core reads blocks as fast as it reads anything: its own prefetcher stops at every page of 4 KB
 * (Q8_0 14.8 GB/s without, 17.0 with 1 KB, 19.6 with 4 KB, of memory's 18 to a plain loop; Q4_0 12.5, 14.1, 16.9). */
enum { QUANT_PREFETCH = 4096 };

INLINE void quant_prefetch(const uint8_t *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)((uintptr_t)p + QUANT_PREFETCH + i));
}

typedef struct {
    _Alignas(64) uint8_t q[QUANT_GROUP];
    float d[8], m[8];   /* blocks of 32: of each; blocks of 256: d[0], m[0] */
    uint8_t scales[16]; /* K formats: of each 32 (Q6_K: of each 16, as int8) */
    uint8_t mins[8];    /* Q4_K, Q5_K: of each 32 */
} QuantGroup;

/* quant_kind of a quantised type as something that compilers see through. */
INLINE bool quant_is_large(uint32_t type) { return type == BLOCK_Q4_K || type == BLOCK_Q5_K || type == BLOCK_Q6_K; }
INLINE int quant_zero(uint32_t type) {
    return type == BLOCK_Q4_0 ? 8 : type == BLOCK_Q5_0 ? 16 : type == BLOCK_Q8_0 ? 128 : type == BLOCK_Q6_K ? 32 : 0;
}
INLINE int quant_zero_shift(uint32_t type) {
    return type == BLOCK_Q4_0 ? 3 : type == BLOCK_Q5_0 ? 4 : type == BLOCK_Q8_0 ? 7 : 5;
}
INLINE bool quant_has_min(uint32_t type) {
    return type == BLOCK_Q4_1 || type == BLOCK_Q5_1 || type == BLOCK_Q4_K || type == BLOCK_Q5_K;
}
INLINE size_t quant_block_bytes(uint32_t type) {
    return type == BLOCK_Q4_0   ? 18
           : type == BLOCK_Q4_1 ? 20
           : type == BLOCK_Q5_0 ? 22
           : type == BLOCK_Q5_1 ? 24
           : type == BLOCK_Q8_0 ? 34
           : type == BLOCK_Q4_K ? 144
           : type == BLOCK_Q5_K ? 176
                                : 210;
}

/* Finite halves; exact. */
INLINE float quant_half(const uint8_t *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)(h & 0x7FFF) << 13};
    u.value *= 0x1p112f;
    u.bits |= (uint32_t)(h & 0x8000) << 16;
    return u.value;
}

INLINE void quant_unpack_halves(const uint8_t *p, uint8_t *q) {
    for (int i = 0; i < 16; i++) {
        q[i] = p[i] & 15;
        q[i + 16] = p[i] >> 4;
    }
}

/* The bits 0..31 of `p` as 16 in the bytes of q. */
INLINE void quant_unpack_fifths(const uint8_t *p, uint8_t *q) {
    for (int i = 0; i < 32; i++) q[i] |= (uint8_t)((p[i / 8] >> (i % 8) & 1) << 4);
}

INLINE void quant_unpack32(uint32_t type, const uint8_t *p, size_t b, QuantGroup *g) {
    uint8_t *q = g->q + b * QUANT_BLOCK;
    g->d[b] = quant_half(p);
    g->m[b] = quant_has_min(type) ? quant_half(p + 2) : 0;
    p += quant_has_min(type) ? 4 : 2;
    if (type == BLOCK_Q8_0) {
        for (int i = 0; i < 32; i++) q[i] = p[i] ^ 0x80;
        return;
    }
    bool fifths = type == BLOCK_Q5_0 || type == BLOCK_Q5_1;
    quant_unpack_halves(p + (fifths ? 4 : 0), q);
    if (fifths) quant_unpack_fifths(p, q);
}

/* The 12 bytes of scales and minimums of Q4_K and Q5_K: of the first four the low six bits of bytes 0-3 and 4-7; of the
 * last four the low halves in bytes 8-11, the high pairs of bits above the first ones. Byte j: of sub-block j. */
INLINE void quant_unpack_scales(const uint8_t *p, uint64_t *scales, uint64_t *mins) {
    uint32_t s[3];
    memcpy(s, p, sizeof s);
    *scales = (s[0] & 0x3F3F3F3F) | (uint64_t)((s[2] & 0x0F0F0F0F) | (s[0] >> 2 & 0x30303030)) << 32;
    *mins = (s[1] & 0x3F3F3F3F) | (uint64_t)((s[2] >> 4 & 0x0F0F0F0F) | (s[1] >> 2 & 0x30303030)) << 32;
}

INLINE void quant_unpack_head(const uint8_t *p, QuantGroup *g) {
    uint64_t scales, mins;
    quant_unpack_scales(p + 4, &scales, &mins);
    g->d[0] = quant_half(p);
    g->m[0] = quant_half(p + 2);
    memcpy(g->scales, &scales, sizeof scales);
    memcpy(g->mins, &mins, sizeof mins);
}

INLINE void quant_unpack_q4_k(const uint8_t *p, QuantGroup *g) {
    quant_unpack_head(p, g);
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 32; i++) {
            g->q[64 * j + i] = p[16 + 32 * j + i] & 15;
            g->q[64 * j + 32 + i] = p[16 + 32 * j + i] >> 4;
        }
}

INLINE void quant_unpack_q5_k(const uint8_t *p, QuantGroup *g) {
    quant_unpack_head(p, g);
    const uint8_t *high = p + 16;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 32; i++) {
            uint8_t low = p[48 + 32 * j + i];
            g->q[64 * j + i] = (uint8_t)((low & 15) | (high[i] >> (2 * j) & 1) << 4);
            g->q[64 * j + 32 + i] = (uint8_t)(low >> 4 | (high[i] >> (2 * j + 1) & 1) << 4);
        }
}

INLINE void quant_unpack_q6_k(const uint8_t *p, QuantGroup *g) {
    g->d[0] = quant_half(p + 208);
    g->m[0] = 0;
    memcpy(g->scales, p + 192, 16);
    for (int half = 0; half < 2; half++)
        for (int r = 0; r < 4; r++) {
            const uint8_t *low = p + half * 64 + r % 2 * 32, *high = p + 128 + half * 32;
            for (int i = 0; i < 32; i++)
                g->q[half * 128 + r * 32 + i] = (uint8_t)((low[i] >> (r / 2 * 4) & 15) | (high[i] >> (2 * r) & 3) << 4);
        }
}

/* `blocks` (1..8) blocks of 32, or one of 256, at p. What stands behind the last block in g is left alone. */
INLINE void quant_unpack(uint32_t type, const uint8_t *p, size_t blocks, QuantGroup *g) {
    if (type == BLOCK_Q4_K)
        quant_unpack_q4_k(p, g);
    else if (type == BLOCK_Q5_K)
        quant_unpack_q5_k(p, g);
    else if (type == BLOCK_Q6_K)
        quant_unpack_q6_k(p, g);
    else
        for (size_t b = 0; b < blocks; b++) quant_unpack32(type, p + b * quant_block_bytes(type), b, g);
}

#endif
