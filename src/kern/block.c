/* block.c - decoders of GGUF's number formats, one block at a time, in plain C: weights are decoded once, when a model
 * is opened (F16 and BF16 have faster ways in the kernel table).
 *
 * The layouts are ggml's (ggml-common.h, ggml-quants.c). q: quantised numbers; d, m: scale and minimum in half
 * precision. In the K formats a super-block of 256 holds 8 or 16 sub-blocks with scales of 6 bits (Q6_K: 8) of their
 * own.
 */
#include "kern/block.h"

#include <string.h>

static float half_at(const unsigned char *p) {
    uint32_t h = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    uint32_t magnitude = (h & 0x7FFF) << 13, sign = (h & 0x8000) << 16;
    float f;
    memcpy(&f, &magnitude, sizeof f);
    f *= 0x1p112f; /* rebases the exponent; exact for subnormals too */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    bits |= sign | (magnitude >= (0x7C00u << 13) ? 0x7F800000u : 0);
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void block_decode_f32(const void *src, size_t n, float *dst) { memcpy(dst, src, n * sizeof *dst); }

static void block_decode_f16(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (size_t i = 0; i < n; i++) dst[i] = half_at(p + 2 * i);
}

static void block_decode_bf16(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)p[2 * i] << 16 | (uint32_t)p[2 * i + 1] << 24;
        memcpy(dst + i, &bits, sizeof bits);
    }
}

/* d, 16 bytes: numbers 0..15 in the low halves, 16..31 in the high ones, biased by 8. */
static void block_decode_q4_0(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 32; n -= 32, p += 18, dst += 32) {
        float d = half_at(p);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((p[2 + i] & 15) - 8);
            dst[i + 16] = d * (float)((p[2 + i] >> 4) - 8);
        }
    }
}

/* d, m, 16 bytes as above without bias. */
static void block_decode_q4_1(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 32; n -= 32, p += 20, dst += 32) {
        float d = half_at(p), m = half_at(p + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)(p[4 + i] & 15) + m;
            dst[i + 16] = d * (float)(p[4 + i] >> 4) + m;
        }
    }
}

/* The fifth bits of 32 numbers, number i in bit i. */
static uint32_t fifth_bits(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* d, 4 bytes of fifth bits, 16 bytes of low bits; biased by 16. */
static void block_decode_q5_0(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 32; n -= 32, p += 22, dst += 32) {
        float d = half_at(p);
        uint32_t high = fifth_bits(p + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((int)((p[6 + i] & 15u) | (high >> i & 1) << 4) - 16);
            dst[i + 16] = d * (float)((int)((uint32_t)(p[6 + i] >> 4) | (high >> (i + 16) & 1) << 4) - 16);
        }
    }
}

/* d, m, 4 bytes of fifth bits, 16 bytes of low bits. */
static void block_decode_q5_1(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 32; n -= 32, p += 24, dst += 32) {
        float d = half_at(p), m = half_at(p + 2);
        uint32_t high = fifth_bits(p + 4);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((p[8 + i] & 15u) | (high >> i & 1) << 4) + m;
            dst[i + 16] = d * (float)((uint32_t)(p[8 + i] >> 4) | (high >> (i + 16) & 1) << 4) + m;
        }
    }
}

/* d, 32 signed bytes. */
static void block_decode_q8_0(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 32; n -= 32, p += 34, dst += 32) {
        float d = half_at(p);
        for (int i = 0; i < 32; i++) dst[i] = d * (float)(int8_t)p[2 + i];
    }
}

/* Scale and minimum (6 bits each) of sub-block j out of the 12 packed bytes of Q4_K and Q5_K: the first four stand in
 * the low six bits of bytes 0-3 and 4-7; of the last four the low halves in bytes 8-11, the high pairs of bits above
 * the first ones. */
static void scale_and_min(const unsigned char *s, int j, float *scale, float *min) {
    if (j < 4) {
        *scale = (float)(s[j] & 63);
        *min = (float)(s[j + 4] & 63);
    } else {
        *scale = (float)((s[j + 4] & 15) | (s[j - 4] >> 6) << 4);
        *min = (float)((s[j + 4] >> 4) | (s[j] >> 6) << 4);
    }
}

/* d, dmin, 12 bytes of scales, 128 bytes: 4 groups of 32 bytes, low halves one sub-block, high halves the next. */
static void block_decode_q4_k(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 256; n -= 256, p += 144) {
        float d = half_at(p), dmin = half_at(p + 2), scale, min;
        for (int j = 0; j < 8; j++) {
            const unsigned char *q = p + 16 + j / 2 * 32;
            scale_and_min(p + 4, j, &scale, &min);
            for (int i = 0; i < 32; i++) *dst++ = d * scale * (float)(q[i] >> (j % 2 * 4) & 15) - dmin * min;
        }
    }
}

/* As Q4_K, with 32 bytes of fifth bits (bit j of byte i: number i of sub-block j) before the 128. */
static void block_decode_q5_k(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 256; n -= 256, p += 176) {
        float d = half_at(p), dmin = half_at(p + 2), scale, min;
        for (int j = 0; j < 8; j++) {
            const unsigned char *q = p + 48 + j / 2 * 32, *high = p + 16;
            scale_and_min(p + 4, j, &scale, &min);
            for (int i = 0; i < 32; i++) {
                int v = (q[i] >> (j % 2 * 4) & 15) | (high[i] >> j & 1) << 4;
                *dst++ = d * scale * (float)v - dmin * min;
            }
        }
    }
}

/* 128 bytes of low four bits, 64 of high two, 16 signed scales, d; biased by 32. Each half of 128 numbers is four rows
 * of 32: low bytes 0-31 and 32-63, first their low then their high halves; row r's high bits are bits 2r of 32
 * bytes. */
static void block_decode_q6_k(const void *src, size_t n, float *dst) {
    const unsigned char *p = src;
    for (; n >= 256; n -= 256, p += 210) {
        float d = half_at(p + 208);
        for (int half = 0; half < 2; half++)
            for (int r = 0; r < 4; r++) {
                const unsigned char *low = p + half * 64 + r % 2 * 32, *high = p + 128 + half * 32;
                const unsigned char *scales = p + 192 + half * 8 + r * 2;
                for (int i = 0; i < 32; i++) {
                    int v = (low[i] >> (r / 2 * 4) & 15) | (high[i] >> (2 * r) & 3) << 4;
                    *dst++ = d * (float)(int8_t)scales[i / 16] * (float)(v - 32);
                }
            }
    }
}

static const BlockFormat formats[] = {
#define BLOCK_ENTRY(name, number, items, bytes, decode) {#name, (number), (items), (bytes), (decode)},
    BLOCK_LIST(BLOCK_ENTRY)
#undef BLOCK_ENTRY
};

const BlockFormat *block_format(uint32_t type) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].type == type) return &formats[i];
    return NULL;
}

const char *block_readable_names(void) { return "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K"; }
