/* lex_pack.h - numbers in as few bits as they need: what postings, positions and ids are written in.
 *
 * n numbers of `bits` bits each stand one behind the other, lowest bit first. A reader loads 8 bytes at a time wherever
 * a number begins, so LEX_SLACK bytes must stand behind the last one (parts of a segment end in as many zeros). That is
 * plain C and needs some 1.3 cycles a number; the layouts that SIMD wants (four or eight lanes) cost more bytes in the
 * short blocks that most terms have.
 *
 * Small: a number >= 0 rounded to 4 significant bits and an exponent, in a byte that keeps the order: bounds of blocks.
 */
#ifndef PYTHIA_INDEX_LEX_PACK_H
#define PYTHIA_INDEX_LEX_PACK_H

#include <stdbool.h>
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

/* ---- runs ----
 *
 * n numbers (n is known to who reads): below LEX_VARINTS_BELOW as varints; else a byte of bits, the numbers' low bits
 * packed, and where that byte has LEX_EXCEPTIONS set, after it, a byte of how many numbers have more bits than that,
 * and behind the packed ones, of each its place (a byte) and its upper bits (a varint). One frequent word in a rare
 * place does not widen 127 others then: 31.8 -> 27 % of the text on 98,559 chunks. (PFOR: Zukowski et al. 2006.) */

enum { LEX_VARINTS_BELOW = 8, LEX_RUN = 128, LEX_EXCEPTIONS = 64 };
/* Bytes that a run may take. */
enum { LEX_RUN_BYTES = 2 + LEX_RUN * 4 + LEX_RUN * 6 };

/* The width with which so many numbers take the fewest bytes. widths: [33] how many have that many bits. */
static inline unsigned lex_run_bits(const uint32_t widths[33], size_t n) {
    unsigned best = 32, most = 32;
    size_t least = SIZE_MAX, above = 0;
    while (most > 0 && widths[most] == 0) most--;
    for (unsigned bits = most + 1; bits-- > 0;) {
        const size_t bytes = lex_packed(n, bits) + (above ? 1 : 0) + above * (most - bits > 7 ? 3 : 2);
        if (bytes < least) {
            least = bytes;
            best = bits;
        }
        above += widths[bits];
    }
    return best;
}

/* Writes n <= LEX_RUN numbers to `to` [LEX_RUN_BYTES]; returns where they end. */
static inline uint8_t *lex_run_put(const uint32_t *from, size_t n, uint8_t *to) {
    uint32_t widths[33] = {0}, low[LEX_RUN];
    if (n < LEX_VARINTS_BELOW) {
        for (size_t i = 0; i < n; i++) to = lex_varint_put(to, from[i]);
        return to;
    }
    for (size_t i = 0; i < n; i++) widths[lex_bits(from[i])]++;
    const unsigned bits = lex_run_bits(widths, n);
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    size_t above = 0;
    for (size_t i = 0; i < n; i++) {
        low[i] = (uint32_t)(from[i] & mask);
        above += from[i] > mask;
    }
    *to++ = (uint8_t)(bits | (above ? LEX_EXCEPTIONS : 0));
    if (above) *to++ = (uint8_t)above;
    lex_pack(low, n, bits, to);
    to += lex_packed(n, bits);
    for (size_t i = 0; above && i < n; i++) {
        if (from[i] <= mask) continue;
        *to++ = (uint8_t)i;
        to = lex_varint_put(to, (uint64_t)from[i] >> bits);
    }
    return to;
}

/* Reads n numbers from *at, which moves behind them; false when they do not end before `end` or are no run. */
static inline bool lex_run(const uint8_t **at, const uint8_t *end, size_t n, uint32_t *to) {
    const uint8_t *p = *at;
    for (size_t i = 0; n < LEX_VARINTS_BELOW && i < n; i++) {
        const uint64_t v = lex_varint(&p, end);
        if (!p || v > UINT32_MAX) return false;
        to[i] = (uint32_t)v;
    }
    if (n < LEX_VARINTS_BELOW) {
        *at = p;
        return true;
    }
    if (p == end) return false;
    const unsigned head = *p++, bits = head & (LEX_EXCEPTIONS - 1);
    if (head & LEX_EXCEPTIONS && p == end) return false;
    unsigned above = head & LEX_EXCEPTIONS ? *p++ : 0;
    if (bits > 32 || head > 127 || (size_t)(end - p) < lex_packed(n, bits)) return false;
    lex_unpack(p, n, bits, to);
    for (p += lex_packed(n, bits); above > 0; above--) {
        if (p == end || *p >= n) return false;
        uint32_t *const number = &to[*p++];
        const uint64_t upper = lex_varint(&p, end);
        if (!p || upper > UINT32_MAX >> bits) return false;
        *number |= (uint32_t)(upper << bits);
    }
    *at = p;
    return true;
}

/* ---- pairs ----
 *
 * The few postings of a rare term: of each the distance and, in its lowest two bits, the code; codes from 3 on follow
 * by themselves. Half the terms of a tree of code are in one document, where that is three bytes instead of four: .7 %
 * of the text on 98,559 chunks. */

enum { LEX_CODES_LOW = 3 };

/* Writes n < LEX_VARINTS_BELOW pairs to `to` [n * 2 * LEX_VARINT_MAX]; returns where they end. */
static inline uint8_t *lex_pairs_put(const uint32_t *gaps, const uint32_t *codes, size_t n, uint8_t *to) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t low = codes[i] < LEX_CODES_LOW ? codes[i] : LEX_CODES_LOW;
        to = lex_varint_put(to, (uint64_t)gaps[i] << 2 | low);
        if (low == LEX_CODES_LOW) to = lex_varint_put(to, codes[i] - LEX_CODES_LOW);
    }
    return to;
}

/* Reads n pairs from *at, which moves behind them; false when they do not end before `end` or are none. */
static inline bool lex_pairs(const uint8_t **at, const uint8_t *end, size_t n, uint32_t *gaps, uint32_t *codes) {
    for (size_t i = 0; i < n; i++) {
        const uint64_t pair = lex_varint(at, end);
        uint64_t code = pair & 3;
        if (*at && code == LEX_CODES_LOW) code += lex_varint(at, end);
        if (!*at || pair >> 2 > UINT32_MAX || code > UINT32_MAX) return false;
        gaps[i] = (uint32_t)(pair >> 2);
        codes[i] = (uint32_t)code;
    }
    return true;
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
