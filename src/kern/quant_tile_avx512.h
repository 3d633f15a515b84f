/* quant_tile_avx512.h - the inner loop of panels: 12 (or 4) activation rows times 32 weight rows, 32 numbers deep, as
 * blocks of assembly. gcc 12 copies and spills the sums of vpdpbusd's intrinsic.
 *
 * 24 sums of integers live in registers 0 to 23 for eight steps of four numbers; then they are scaled and added to sums
 * in memory (12 KB in the L1 cache: eight sums of 12 x 32 floats, or one of integers). Registers 28 and 29 hold
 * broadcast activations, 30 and 31 the panel. A step is 24 products for 14 loads; Zen 4 does one product a cycle, and
 * scaling 24 sums costs 48 cycles of the multipliers after 192: 80 % of the peak at best.
 *
 * What belongs to 32 numbers of an activation row stands in 64 bytes (QuantBlock32, QuantBlock256), so that a row is
 * one address, and four registers with lda reach twelve rows.
 *
 * A row is given as (its even and odd sum's register, its address, its broadcast register, its places in the sums).
 */

/* clang-format off */
#define Q_EACH_4(do, x)                                                                                                \
    do(x, "0", "1", "(%[a0])", "28", "0", "64")                                                                        \
    do(x, "2", "3", "(%[a0],%[lda])", "29", "128", "192")                                                              \
    do(x, "4", "5", "(%[a0],%[lda],2)", "28", "256", "320")                                                            \
    do(x, "6", "7", "(%[a3])", "29", "384", "448")
#define Q_EACH_12(do, x)                                                                                               \
    Q_EACH_4(do, x)                                                                                                    \
    do(x, "8", "9", "(%[a3],%[lda])", "28", "512", "576")                                                              \
    do(x, "10", "11", "(%[a3],%[lda],2)", "29", "640", "704")                                                          \
    do(x, "12", "13", "(%[a6])", "28", "768", "832")                                                                   \
    do(x, "14", "15", "(%[a6],%[lda])", "29", "896", "960")                                                            \
    do(x, "16", "17", "(%[a6],%[lda],2)", "28", "1024", "1088")                                                        \
    do(x, "18", "19", "(%[a9])", "29", "1152", "1216")                                                                 \
    do(x, "20", "21", "(%[a9],%[lda])", "28", "1280", "1344")                                                          \
    do(x, "22", "23", "(%[a9],%[lda],2)", "29", "1408", "1472")

#define Q_ZERO(x, even, odd, at, in, low, high)                                                                        \
    "vpxord %%zmm" even ", %%zmm" even ", %%zmm" even "\n\tvpxord %%zmm" odd ", %%zmm" odd ", %%zmm" odd "\n\t"
#define Q_START(x, even, odd, at, in, low, high)                                                                       \
    "vpbroadcastd " x at ", %%zmm" even "\n\tvmovdqa32 %%zmm" even ", %%zmm" odd "\n\t"
#define Q_PRODUCT(x, even, odd, at, in, low, high)                                                                     \
    "vpbroadcastd " x at ", %%zmm" in "\n\tvpdpbusd %%zmm" in ", %%zmm30, %%zmm" even "\n\tvpdpbusd %%zmm" in          \
    ", %%zmm31, %%zmm" odd "\n\t"
#define Q_STEP(rows, a, b0, b1)                                                                                        \
    "vmovdqu64 " b0 "(%[b]), %%zmm30\n\tvmovdqu64 " b1 "(%[b]), %%zmm31\n\t" Q_EACH_##rows(Q_PRODUCT, a)
#define Q_STEPS_LOW(rows)                                                                                              \
    Q_STEP(rows, "0", "0", "64") Q_STEP(rows, "4", "128", "192") Q_STEP(rows, "8", "256", "320")                       \
    Q_STEP(rows, "12", "384", "448")
#define Q_STEPS_HIGH(rows)                                                                                             \
    Q_STEP(rows, "16", "512", "576") Q_STEP(rows, "20", "640", "704") Q_STEP(rows, "24", "768", "832")                 \
    Q_STEP(rows, "28", "896", "960")

/* sums += (float)integers * (d_weight * d_row), the row's at byte 32 of its block */
#define Q_SCALE_LOAD(at) "vmovups " at "(%[scales]), %%zmm30\n\tvmovups 64+" at "(%[scales]), %%zmm31\n\t"
#define Q_SCALE_ADD(x, even, odd, at, in, low, high)                                                                   \
    "vbroadcastss 32" at ", %%zmm28\n\t"                                                                               \
    "vcvtdq2ps %%zmm" even ", %%zmm" even "\n\tvcvtdq2ps %%zmm" odd ", %%zmm" odd "\n\t"                               \
    "vmulps %%zmm30, %%zmm28, %%zmm29\n\tvmulps %%zmm31, %%zmm28, %%zmm28\n\t"                                         \
    "vmulps %%zmm29, %%zmm" even ", %%zmm" even "\n\tvmulps %%zmm28, %%zmm" odd ", %%zmm" odd "\n\t"                   \
    "vaddps " low "(%[in]), %%zmm" even ", %%zmm" even "\n\tvaddps " high "(%[in]), %%zmm" odd ", %%zmm" odd "\n\t"
#define Q_STORE(x, even, odd, at, in, low, high)                                                                       \
    "vmovups %%zmm" even ", " low "(%[out])\n\tvmovups %%zmm" odd ", " high "(%[out])\n\t"
#define Q_SCALE(x, even, odd, at, in, low, high)                                                                       \
    Q_SCALE_ADD(x, even, odd, at, in, low, high) Q_STORE(x, even, odd, at, in, low, high)
/* and sums += m_weight * s_row, at byte 36 */
#define Q_SCALE_MIN(x, even, odd, at, in, low, high)                                                                   \
    Q_SCALE_ADD(x, even, odd, at, in, low, high)                                                                       \
    "vbroadcastss 36" at ", %%zmm28\n\t"                                                                               \
    "vmulps 128(%[scales]), %%zmm28, %%zmm29\n\tvmulps 192(%[scales]), %%zmm28, %%zmm28\n\t"                           \
    "vaddps %%zmm29, %%zmm" even ", %%zmm" even "\n\tvaddps %%zmm28, %%zmm" odd ", %%zmm" odd "\n\t"                   \
    Q_STORE(x, even, odd, at, in, low, high)
/* integer sums += integers * scale */
#define Q_TIMES(x, even, odd, at, in, low, high)                                                                       \
    "vpmulld %%zmm30, %%zmm" even ", %%zmm" even "\n\tvpmulld %%zmm31, %%zmm" odd ", %%zmm" odd "\n\t"                 \
    "vpaddd " low "(%[in]), %%zmm" even ", %%zmm" even "\n\tvpaddd " high "(%[in]), %%zmm" odd ", %%zmm" odd "\n\t"    \
    Q_STORE(x, even, odd, at, in, low, high)

/* What a format does with 32 numbers. Q6_K has scales for 16. */
#define Q_BODY_Q4_0(rows)                                                                                              \
    Q_EACH_##rows(Q_START, "40") Q_STEPS_LOW(rows) Q_STEPS_HIGH(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_SCALE, "")
#define Q_BODY_Q5_0(rows)                                                                                              \
    Q_EACH_##rows(Q_START, "44") Q_STEPS_LOW(rows) Q_STEPS_HIGH(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_SCALE, "")
#define Q_BODY_Q8_0(rows)                                                                                              \
    Q_EACH_##rows(Q_START, "48") Q_STEPS_LOW(rows) Q_STEPS_HIGH(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_SCALE, "")
#define Q_BODY_MIN(rows)                                                                                               \
    Q_EACH_##rows(Q_ZERO, "") Q_STEPS_LOW(rows) Q_STEPS_HIGH(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_SCALE_MIN, "")
#define Q_BODY_K(rows)                                                                                                 \
    Q_EACH_##rows(Q_ZERO, "") Q_STEPS_LOW(rows) Q_STEPS_HIGH(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_TIMES, "")        \
    "mov %[out], %[in]\n\t"
#define Q_BODY_Q6_K(rows)                                                                                              \
    Q_EACH_##rows(Q_START, "32") Q_STEPS_LOW(rows) Q_SCALE_LOAD("0") Q_EACH_##rows(Q_TIMES, "")                        \
    "mov %[out], %[in]\n\t"                                                                                            \
    Q_EACH_##rows(Q_START, "36") Q_STEPS_HIGH(rows) Q_SCALE_LOAD("128") Q_EACH_##rows(Q_TIMES, "")

/* What moves from 32 numbers to the next: the bytes of scales, and the sums where there are eight of them. */
#define Q_NEXT_32(rows) "add %[step], %[in]\n\tadd $128*" #rows ", %[out]\n\tadd $256, %[scales]\n\t"
#define Q_NEXT_K(rows)  "sub $-128, %[scales]\n\t"
#define Q_NEXT_K16(rows) "add $256, %[scales]\n\t"

/* a: the blocks of the first row, lda bytes before the next row's. b: 1,024 bytes a block. in: sums to add to, `step`
 * bytes apart (K formats: those of the first block; the others go on with out). out: sums [rows][32], K formats one,
 * the others one a block. count > 0 blocks. */
#define Q_FUNCTION(name, body, next, rows)                                                                             \
    static void tile_##name##_##rows(const void *a, size_t lda, const void *b, const void *scales, const void *in,     \
                                     size_t step, void *out, size_t count) {                                           \
        const char *a0 = a, *a3 = a0 + 3 * lda, *a6 = a3 + 3 * lda, *a9 = a6 + 3 * lda;                                \
        __asm__ volatile(".p2align 5\n1:\n\t" body(rows) next(rows)                                                    \
                         "add $64, %[a0]\n\tadd $64, %[a3]\n\tadd $64, %[a6]\n\tadd $64, %[a9]\n\t"                    \
                         "add $1024, %[b]\n\tdec %[count]\n\tjnz 1b\n\t"                                               \
                         : [a0] "+r"(a0), [a3] "+r"(a3), [a6] "+r"(a6), [a9] "+r"(a9), [b] "+r"(b),                    \
                           [scales] "+r"(scales), [in] "+r"(in), [out] "+r"(out), [count] "+r"(count)                  \
                         : [lda] "r"(lda), [step] "r"(step)                                                            \
                         : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",     \
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18",    \
                           "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm28", "xmm29", "xmm30", "xmm31");           \
    }
#define Q_FUNCTIONS(name, body, next)                                                                                  \
    Q_FUNCTION(name, body, next, 4)                                                                                    \
    Q_FUNCTION(name, body, next, 12)
Q_FUNCTIONS(q4_0, Q_BODY_Q4_0, Q_NEXT_32)
Q_FUNCTIONS(q5_0, Q_BODY_Q5_0, Q_NEXT_32)
Q_FUNCTIONS(q8_0, Q_BODY_Q8_0, Q_NEXT_32)
Q_FUNCTIONS(min, Q_BODY_MIN, Q_NEXT_32)
Q_FUNCTIONS(k, Q_BODY_K, Q_NEXT_K)
Q_FUNCTIONS(q6_k, Q_BODY_Q6_K, Q_NEXT_K16)
/* clang-format on */

typedef void (*QuantTile)(const void *a, size_t lda, const void *b, const void *scales, const void *in, size_t step,
                          void *out, size_t count);

typedef struct {
    QuantTile few, many; /* 4 and 12 rows */
} QuantTiles;

static const QuantTiles tiles_of[] = {
    [BLOCK_Q4_0] = {tile_q4_0_4, tile_q4_0_12}, [BLOCK_Q4_1] = {tile_min_4, tile_min_12},
    [BLOCK_Q5_0] = {tile_q5_0_4, tile_q5_0_12}, [BLOCK_Q5_1] = {tile_min_4, tile_min_12},
    [BLOCK_Q8_0] = {tile_q8_0_4, tile_q8_0_12}, [BLOCK_Q4_K] = {tile_k_4, tile_k_12},
    [BLOCK_Q5_K] = {tile_k_4, tile_k_12},       [BLOCK_Q6_K] = {tile_q6_k_4, tile_q6_k_12},
};
_Static_assert(offsetof(QuantBlock32, d) == 32 && offsetof(QuantBlock32, s) == 36 &&
                   offsetof(QuantBlock32, start8) == 40 && offsetof(QuantBlock32, start128) == 48 &&
                   offsetof(QuantBlock256, start) == 32,
               "the assembly knows these places");
