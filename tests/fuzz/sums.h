/* sums.h - puts the checksums of an index file's bytes right, so that changes reach what lies behind them. */
#ifndef PYTHIA_FUZZ_SUMS_H
#define PYTHIA_FUZZ_SUMS_H

#include <string.h>

#include "index/file.h"

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void put_sums_right(uint8_t *file, size_t n) {
    if (n < INDEX_HEAD_BYTES) return;
    uint64_t head = xxh3_of(str_make((char *)file, 120));
    memcpy(file + 120, &head, 8);
    size_t at = INDEX_HEAD_BYTES;
    while (n - at >= INDEX_BLOCK_HEAD) {
        uint64_t bytes = load64(file + at + 16), left = n - at - INDEX_BLOCK_HEAD;
        uint64_t padded = bytes <= left ? bytes + (64 - bytes % 64) % 64 : left + 1;
        if (padded <= left) {
            uint64_t sum = xxh3_of(str_make((char *)file + at + INDEX_BLOCK_HEAD, padded));
            memcpy(file + at + 24, &sum, 8);
        }
        uint64_t sum = xxh3_seeded(str_make((char *)file + at, 56), head);
        memcpy(file + at + 56, &sum, 8);
        if (padded > left) return;
        at += INDEX_BLOCK_HEAD + padded;
    }
}

#endif
