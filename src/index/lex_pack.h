/* lex_pack.h - numbers in as few bits as they need: what postings, positions and ids are written in.
 *
 * n numbers of `bits` bits each stand one behind the other, lowest bit first. A reader loads 8 bytes at a time wherever a
 * number begins, so LEX_SLACK bytes must stand behind the last one (parts of a segment end in as many zeros). That is plain
 * C and needs some 1.3 cycles a number; the layouts that SIMD wants (four or eight lanes) cost more bytes in the short
 * blocks that most terms have.
 *
 * Small: a number >= 0 rounded to 4 significant bits and an exponent, in a byte that keeps the order: bounds of blocks.
 */
#ifndef PYTHIA_INDEX_LEX_PACK_H
#define PYTHIA_INDEX_LEX_PACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LEX_SLACK = 8, LEX_VARINT_MAX = 10, LEX_SMALL_MAX = 255 };

static inline unsigned lex_bits(uint64_t most) { return most ? 64u - (unsigned)__builtin_clzll(most) : 0; }

static inline size_t lex_packed(size_t n, unsigned bits) { return (n * bits + 7) / 8; }

/* bits <= 32. Unused bits of the last byte are zero. */
static inline void lex_pack(const uint32_t *from, size_t n, unsigned bits, uint8_t *to) {
    uint64_t held = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        held |= (uint64_t)from[i] << have;
        have += bits;
        for (; have >= 8; have -= 8, held >>= 8) *to++ = (uint8_t)held;
    }
    if (have) *to = (uint8_t)held;
}

/* bits <= 32; reads up to LEX_SLACK bytes behind the numbers. */
static inline void lex_unpack(const uint8_t *from, size_t n, unsigned bits, uint32_t *to) {
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    if (bits == 0) {
        memset(to, 0, n * sizeof *to);
        return;
    }
    for (size_t i = 0, at = 0; i < n; i++, at += bits) {
        uint64_t word;
        memcpy(&word, from + at / 8, sizeof word);
        to[i] = (uint32_t)(word >> at % 8 & mask);
    }
}

static inline uint8_t *lex_varint_put(uint8_t *to, uint64_t v) {
    for (; v >= 128; v >>= 7) *to++ = (uint8_t)(v | 128);
    *to++ = (uint8_t)v;
    return to;
}

/* Moves *at behind the number; NULL in *at when it does not end before `end` or has more than 64 bits. */
static inline uint64_t lex_varint(const uint8_t **at, const uint8_t *end) {
    uint64_t v = 0;
    const uint8_t *p = *at;
    for (unsigned shift = 0; p && p < end && shift < 64; shift += 7) {
        v |= (uint64_t)(*p & 127) << shift;
        if (*p++ < 128) {
            *at = p;
            return v;
        }
    }
    *at = NULL;
    return 0;
}

/* ---- small numbers ---- */

static inline uint64_t lex_small_value(unsigned code) {
    return code < 16 ? code : (uint64_t)(16 + code % 16) << (code / 16 - 1);
}

/* The largest code whose value is not above v. */
static inline uint8_t lex_small_down(uint64_t v) {
    if (v < 16) return (uint8_t)v;
    const unsigned e = lex_bits(v) - 5; /* v >> e lies in [16, 32) */
    const uint64_t code = 16 * (uint64_t)(e + 1) + (v >> e) - 16;
    return (uint8_t)(code > LEX_SMALL_MAX ? LEX_SMALL_MAX : code);
}

/* The smallest code whose value is not below v; LEX_SMALL_MAX also stands for everything above. */
static inline uint8_t lex_small_up(uint64_t v) {
    const uint8_t code = lex_small_down(v);
    return (uint8_t)(lex_small_value(code) < v && code < LEX_SMALL_MAX ? code + 1 : code);
}

#endif
