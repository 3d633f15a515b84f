/* kern.c - which table: a question asked of the CPU once.
 *
 * A level is usable when the CPU has its instructions and the operating system saves its registers (x86: CPUID and
 * XGETBV; ARM: what Linux says in the auxiliary vector). A new level is one file, its flags in cmake/kernels.cmake, and
 * one line in `levels`, slowest first.
 */
#include "kern/kern.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kern_levels.h"

typedef struct {
    const Kern *kern;
    bool (*usable)(void);
} Level;

static bool always(void) { return true; }

#if defined(__x86_64__)
#include <cpuid.h>

enum {
    XCR0_AVX = 0x6,     /* XMM and YMM registers are saved */
    XCR0_AVX512 = 0xE6, /* and mask and all ZMM registers */
};

static unsigned long long saved_registers(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (unsigned long long)d << 32 | a;
}

static bool has_avx2(void) {
    unsigned a, b, c, d;
    if ((saved_registers() & XCR0_AVX) != XCR0_AVX) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_AVX) || !(c & bit_FMA) || !(c & bit_F16C)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static bool has_avx512(void) {
    unsigned a, b, c, d;
    unsigned want = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if (!has_avx2() || (saved_registers() & XCR0_AVX512) != XCR0_AVX512) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & want) == want;
}

/* CPUID leaf 7, subleaf 1, EAX; gcc and clang name these bits differently. */
enum { LEAF7_AVXVNNI = 1u << 4, LEAF7_AVX512BF16 = 1u << 5 };

static bool has_leaf7_1(unsigned want) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & want);
}

static bool has_avxvnni(void) { return has_avx2() && has_leaf7_1(LEAF7_AVXVNNI); }

static bool has_avx512vnni(void) {
    unsigned a, b, c, d;
    return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VNNI);
}

static bool has_avx512bf16(void) { return has_avx512vnni() && has_leaf7_1(LEAF7_AVX512BF16); }

static const Level levels[] = {
    {&kern_scalar, always},
    {&kern_avx2, has_avx2},
    {&kern_avxvnni, has_avxvnni},
    {&kern_avx512, has_avx512},
    {&kern_avx512vnni, has_avx512vnni},
    {&kern_avx512bf16, has_avx512bf16},
};
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* The kernel's words on the CPU (asm/hwcap.h, which old headers lack bits of). ARMv8 has NEON always. */
#define HWCAP_DOTPROD (1ul << 20)
#define HWCAP2_MATRIX (1ul << 13 | 1ul << 14) /* I8MM and BF16 */

static bool has_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_DOTPROD) != 0; }
static bool has_matrix(void) { return has_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_MATRIX) == HWCAP2_MATRIX; }

static const Level levels[] = {
    {&kern_scalar, always},
    {&kern_neon, always},
    {&kern_neondotprod, has_dotprod},
    {&kern_neonbf16, has_matrix},
};
#else
static const Level levels[] = {{&kern_scalar, always}};
#endif

enum { LEVEL_COUNT = sizeof levels / sizeof *levels };

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of all below */
static const Kern *chosen;
static ErrInfo problem;
static char names[96];

static void choose(void) {
    const Kern *usable[LEVEL_COUNT];
    size_t n = kern_levels(usable, LEVEL_COUNT);
    for (size_t i = 0; i < n; i++) {
        if (i) (void)strncat(names, ", ", sizeof names - strlen(names) - 1);
        (void)strncat(names, usable[i]->name, sizeof names - strlen(names) - 1);
    }
    const char *forced = getenv("PYTHIA_CPU");
    chosen = forced && *forced ? kern_find(forced) : usable[n - 1];
    if (chosen) return;
    chosen = &kern_scalar;
    Err err = err_set(ERR_USAGE, "PYTHIA_CPU is '%s', this machine can do: %s", forced, names);
    err_save(&problem, err_fix(err, "unset PYTHIA_CPU"));
}

Err kern_init(void) {
    (void)pthread_once(&once, choose);
    return problem.code ? err_restore(&problem) : ERR_OK;
}

const Kern *kern_table(void) {
    (void)pthread_once(&once, choose);
    return chosen;
}

const char *kern_level_names(void) {
    (void)pthread_once(&once, choose);
    return names;
}

const Kern *kern_find(const char *name) {
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (strcmp(levels[i].kern->name, name) == 0) return levels[i].usable() ? levels[i].kern : NULL;
    return NULL;
}

size_t kern_levels(const Kern **out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < LEVEL_COUNT && n < cap; i++)
        if (levels[i].usable()) out[n++] = levels[i].kern;
    return n;
}
