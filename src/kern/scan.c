/* scan.c - which table of scan.h goes with a level of kernels. */
#include "kern/scan.h"

#include <pthread.h>
#include <string.h>

#include "kern/kern.h"
#include "kern/scan_levels.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Look-ups in 64 bytes came with Ice Lake, which has VNNI; CPUs between have the one and not the other. */
static const KernScan *avx512_of(const char *level) {
    unsigned a, b, c, d;
    bool vbmi = strcmp(level, "avx512") != 0 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VBMI);
    return vbmi ? &scan_avx512vbmi : &scan_avx512;
}
#endif

static const KernScan *table_of(const Kern *kern) {
    if (!kern) return NULL;
#if defined(__x86_64__)
    if (strncmp(kern->name, "avx512", 6) == 0) return avx512_of(kern->name);
    if (strncmp(kern->name, "avx", 3) == 0) return &scan_avx2;
#elif defined(__aarch64__)
    if (strncmp(kern->name, "neon", 4) == 0) return &scan_neon;
#endif
    return &scan_scalar;
}

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of chosen: asking a CPU costs 20 us in a guest */
static const KernScan *chosen;

static void choose(void) { chosen = table_of(kern_table()); }

const KernScan *scan_table(void) {
    (void)pthread_once(&once, choose);
    return chosen;
}

const KernScan *scan_find(const char *level) { return table_of(kern_find(level)); }
