/* scan_levels.h - the tables that exist; private to the room. */
#ifndef PYTHIA_KERN_SCAN_LEVELS_H
#define PYTHIA_KERN_SCAN_LEVELS_H

#include "kern/scan.h"

/* Each level compiles it with its own instruction for a word. */
static inline size_t scan_ones(const uint64_t *words, size_t n) {
    size_t ones = 0;
    for (size_t i = 0; i < n; i++) ones += (size_t)__builtin_popcountll(words[i]);
    return ones;
}

extern const KernScan scan_scalar, scan_avx2, scan_avx512, scan_avx512vbmi, scan_neon;

#endif
