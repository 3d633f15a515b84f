/* low_tile_avx512.h - tiles of 1 to 14 rows x 32 outputs for AVX512-VNNI (int8), AVX512-BF16 and, up to 12 rows,
 * AVX-512BW without either (int8), as one block of assembly each: all of K runs with the sums in registers. With
 * intrinsics gcc 12 copies and spills accumulators (10 % slower with VNNI); with assembly an instruction at a time it
 * is slower still.
 *
 * Each product takes 4 bytes of a row (4 u8 or 2 bf16) against 64 bytes of a panel, so the text is the same but for
 * the product. 28 sums, 2 vectors of the panel, 2 of broadcast inputs: all 32 registers. A tile of 14 rows asks for 16
 * loads and 28 products a step; products are one a cycle on Zen 4, and the rest hides behind them. AVX-512BW's product
 * is three instructions (low_tile_avx2.h tells which and what they ask of weights) with a vector of ones and one
 * between.
 */
#if LOW_VNNI512
#define LOW_ROWS 14
#else
#define LOW_ROWS 12
#endif

/* sum += b * in */
#define T_PRODUCT(mnemonic, b, in, sum) mnemonic " %%zmm" b ", %%zmm" in ", %%zmm" sum "\n\t"
#define T_VNNI(b, in, sum)              T_PRODUCT("vpdpbusd", b, in, sum)
#define T_BF16(b, in, sum)              T_PRODUCT("vdpbf16ps", b, in, sum)
#define T_BYTES(b, in, sum)                                                                                            \
    T_PRODUCT("vpmaddubsw", b, in, "25") T_PRODUCT("vpmaddwd", "24", "25", "25") T_PRODUCT("vpaddd", "25", sum, sum)
#define T_NOTHING
#define T_ONES "vpternlogd $255, %%zmm24, %%zmm24, %%zmm24\n\tvpsrlw $15, %%zmm24, %%zmm24\n\t"

#define T_STEP(op, even, odd, at, in) "vpbroadcastd " at ", %%zmm" in "\n\t" op("30", in, even) op("31", in, odd)
#define T_STEPS_1(op)                 T_STEP(op, "0", "1", "(%[a0])", "28")
#define T_STEPS_2(op)                 T_STEPS_1(op) T_STEP(op, "2", "3", "(%[a0],%[lda])", "29")
#define T_STEPS_3(op)                 T_STEPS_2(op) T_STEP(op, "4", "5", "(%[a0],%[lda],2)", "28")
#define T_STEPS_4(op)                 T_STEPS_3(op) T_STEP(op, "6", "7", "(%[a3])", "29")
#define T_STEPS_5(op)                 T_STEPS_4(op) T_STEP(op, "8", "9", "(%[a3],%[lda])", "28")
#define T_STEPS_6(op)                 T_STEPS_5(op) T_STEP(op, "10", "11", "(%[a3],%[lda],2)", "29")
#define T_STEPS_7(op)                 T_STEPS_6(op) T_STEP(op, "12", "13", "(%[a6])", "28")
#define T_STEPS_8(op)                 T_STEPS_7(op) T_STEP(op, "14", "15", "(%[a6],%[lda])", "29")
#define T_STEPS_9(op)                 T_STEPS_8(op) T_STEP(op, "16", "17", "(%[a6],%[lda],2)", "28")
#define T_STEPS_10(op)                T_STEPS_9(op) T_STEP(op, "18", "19", "(%[a9])", "29")
#define T_STEPS_11(op)                T_STEPS_10(op) T_STEP(op, "20", "21", "(%[a9],%[lda])", "28")
#define T_STEPS_12(op)                T_STEPS_11(op) T_STEP(op, "22", "23", "(%[a9],%[lda],2)", "29")
#define T_STEPS_13(op)                T_STEPS_12(op) T_STEP(op, "24", "25", "(%[a12])", "28")
#define T_STEPS_14(op)                T_STEPS_13(op) T_STEP(op, "26", "27", "(%[a12],%[lda])", "29")

#define T_ZERO(even, odd)                                                                                              \
    "vpxord %%zmm" even ", %%zmm" even ", %%zmm" even "\n\tvpxord %%zmm" odd ", %%zmm" odd ", %%zmm" odd "\n\t"
#define T_STORE(even, odd)                                                                                             \
    "vmovups %%zmm" even ", (%[out])\n\tvmovups %%zmm" odd ", 64(%[out])\n\tadd %[ldo], %[out]\n\t"
#define T_EACH_1(do)                                                                                                   \
    do ("0", "1")
#define T_EACH_2(do)  T_EACH_1(do) do("2", "3")
#define T_EACH_3(do)  T_EACH_2(do) do("4", "5")
#define T_EACH_4(do)  T_EACH_3(do) do("6", "7")
#define T_EACH_5(do)  T_EACH_4(do) do("8", "9")
#define T_EACH_6(do)  T_EACH_5(do) do("10", "11")
#define T_EACH_7(do)  T_EACH_6(do) do("12", "13")
#define T_EACH_8(do)  T_EACH_7(do) do("14", "15")
#define T_EACH_9(do)  T_EACH_8(do) do("16", "17")
#define T_EACH_10(do) T_EACH_9(do) do("18", "19")
#define T_EACH_11(do) T_EACH_10(do) do("20", "21")
#define T_EACH_12(do) T_EACH_11(do) do("22", "23")
#define T_EACH_13(do) T_EACH_12(do) do("24", "25")
#define T_EACH_14(do) T_EACH_13(do) do("26", "27")

/* a: rows of 4 * steps bytes, lda bytes from row to row. b: steps * 128 bytes. out: sums [rows][32], ldo bytes from row
 * to row. steps > 0. */
#define T_FUNCTION(name, op, setup, rows)                                                                              \
    static void name##_##rows(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {         \
        const char *a0 = a, *a3 = a0 + 3 * lda, *a6 = a3 + 3 * lda, *a9 = a6 + 3 * lda, *a12 = a9 + 3 * lda;           \
        __asm__ volatile(                                                                                              \
            setup T_EACH_##rows(                                                                                       \
                T_ZERO) ".p2align 5\n1:\n\t"                                                                           \
                        "vmovups (%[b]), %%zmm30\n\tvmovups 64(%[b]), %%zmm31\n\t" T_STEPS_##rows(                     \
                            op) "add $4, %[a0]\n\tadd $4, %[a3]\n\tadd $4, %[a6]\n\tadd $4, %[a9]\n\tadd "             \
                                "$4, %[a12]\n\t"                                                                       \
                                "sub $-128, %[b]\n\tdec %[k]\n\tjnz 1b\n\t" T_EACH_##rows(T_STORE)                     \
            : [a0] "+r"(a0), [a3] "+r"(a3), [a6] "+r"(a6), [a9] "+r"(a9), [a12] "+r"(a12), [b] "+r"(b),                \
              [k] "+r"(steps), [out] "+r"(out)                                                                         \
            : [lda] "r"(lda), [ldo] "r"(ldo)                                                                           \
            : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
              "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21",       \
              "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");               \
    }
#define T_FUNCTIONS(name, op, setup)                                                                                   \
    T_FUNCTION(name, op, setup, 1)                                                                                     \
    T_FUNCTION(name, op, setup, 2)                                                                                     \
    T_FUNCTION(name, op, setup, 3)                                                                                     \
    T_FUNCTION(name, op, setup, 4)                                                                                     \
    T_FUNCTION(name, op, setup, 5)                                                                                     \
    T_FUNCTION(name, op, setup, 6)                                                                                     \
    T_FUNCTION(name, op, setup, 7)                                                                                     \
    T_FUNCTION(name, op, setup, 8)                                                                                     \
    T_FUNCTION(name, op, setup, 9)                                                                                     \
    T_FUNCTION(name, op, setup, 10)                                                                                    \
    T_FUNCTION(name, op, setup, 11)                                                                                    \
    T_FUNCTION(name, op, setup, 12)
#define T_TABLE(name)                                                                                                  \
    NULL, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7, name##_8, name##_9, name##_10,         \
        name##_11, name##_12

#if LOW_VNNI512
T_FUNCTIONS(low_vnni, T_VNNI, T_NOTHING)
T_FUNCTION(low_vnni, T_VNNI, T_NOTHING, 13)
T_FUNCTION(low_vnni, T_VNNI, T_NOTHING, 14)
static const LowTile low_tiles_int8[LOW_ROWS + 1] = {T_TABLE(low_vnni), low_vnni_13, low_vnni_14};
#else
T_FUNCTIONS(low_bytes, T_BYTES, T_ONES)
static const LowTile low_tiles_int8[LOW_ROWS + 1] = {T_TABLE(low_bytes)};
#endif

#if LOW_HAS_BF16
T_FUNCTIONS(low_bf16, T_BF16, T_NOTHING)
T_FUNCTION(low_bf16, T_BF16, T_NOTHING, 13)
T_FUNCTION(low_bf16, T_BF16, T_NOTHING, 14)
static const LowTile low_tiles_bf16[LOW_ROWS + 1] = {T_TABLE(low_bf16), low_bf16_13, low_bf16_14};
#endif

/* Products alone, in registers: what the core does at most. */
#define T_SPIN(even, odd)                                                                                              \
    T_SPIN_OP " %%zmm30, %%zmm28, %%zmm" even "\n\t" T_SPIN_OP " %%zmm31, %%zmm29, %%zmm" odd "\n\t"
#define T_SPIN_FUNCTION(name)                                                                                          \
    static void name(size_t rounds) {                                                                                  \
        __asm__ volatile(T_EACH_14(T_ZERO) T_ZERO("28", "29")                                                          \
                             T_ZERO("30", "31") ".p2align 5\n1:\n\t" T_EACH_14(T_SPIN) "dec %[k]\n\tjnz 1b\n\t"        \
                         : [k] "+r"(rounds)                                                                            \
                         :                                                                                             \
                         : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",       \
                           "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",   \
                           "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",   \
                           "xmm30", "xmm31");                                                                          \
    }
#if LOW_VNNI512
#define T_SPIN_OP "vpdpbusd"
T_SPIN_FUNCTION(low_spin_int8)
#undef T_SPIN_OP
#endif
#if LOW_HAS_BF16
#define T_SPIN_OP "vdpbf16ps"
T_SPIN_FUNCTION(low_spin_bf16)
#undef T_SPIN_OP
#endif
