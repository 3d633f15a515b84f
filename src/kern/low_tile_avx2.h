/* low_tile_avx2.h - int8 tiles of 1 to 3 rows x 32 outputs for AVX-VNNI and for AVX2 alone, as one block of assembly
 * each: with intrinsics gcc 12 keeps 9 to 18 of a step's values on the stack.
 *
 * A step broadcasts 4 bytes of each row and multiplies them by the panel out of memory; 12 sums stay in registers.
 * AVX-VNNI has the product of 4 bytes as one instruction. AVX2 has pmaddubsw, which sums two products in 16 bits and
 * saturates above 32,767; pmaddwd with ones and paddd do the rest. 7-bit weights never get there (mean cosine to f32
 * 0.9976), but it takes two large weights of one sign side by side: a row is scaled so that no such pair sums up to
 * more than 128 (128 * 255 = 32,640), which makes steps 1.3 times as large instead of twice (0.9989; 8 bits 0.9990).
 * Against pmaddwd on numbers of 16 bits it is as fast on Zen, half again as fast on Intel, at half the memory.
 */
#define LOW_ROWS 3

/* sum += 32 bytes of the panel * 4 of the row, in `in` */
#if LOW_HAS_AVXVNNI
#define Y_DOT(in, at, sum) "%{vex%} vpdpbusd " at "(%[b]), %%ymm" in ", %%ymm" sum "\n\t"
#define Y_SETUP            ""
#else
#define Y_DOT(in, at, sum)                                                                                             \
    "vpmaddubsw " at "(%[b]), %%ymm" in ", %%ymm15\n\tvpmaddwd %%ymm12, %%ymm15, %%ymm15\n\tvpaddd %%ymm15, %%ymm" sum \
    ", %%ymm" sum "\n\t"
#define Y_SETUP "vpcmpeqd %%ymm12, %%ymm12, %%ymm12\n\tvpsrlw $15, %%ymm12, %%ymm12\n\t" /* ones, 16 bits each */
#endif

#define Y_ROW(at, in, s0, s1, s2, s3)                                                                                  \
    "vpbroadcastd " at ", %%ymm" in "\n\t" Y_DOT(in, "", s0) Y_DOT(in, "32", s1) Y_DOT(in, "64", s2) Y_DOT(in, "96", s3)
#define Y_ROWS_1 Y_ROW("(%[a])", "13", "0", "1", "2", "3")
#define Y_ROWS_2 Y_ROWS_1 Y_ROW("(%[a],%[lda])", "14", "4", "5", "6", "7")
#define Y_ROWS_3 Y_ROWS_2 Y_ROW("(%[a],%[lda],2)", "13", "8", "9", "10", "11")

#define Y_ZERO(s)                  "vpxor %%xmm" s ", %%xmm" s ", %%xmm" s "\n\t"
#define Y_ZERO_ROW(s0, s1, s2, s3) Y_ZERO(s0) Y_ZERO(s1) Y_ZERO(s2) Y_ZERO(s3)
#define Y_STORE_ROW(s0, s1, s2, s3)                                                                                    \
    "vmovdqu %%ymm" s0 ", (%[out])\n\tvmovdqu %%ymm" s1 ", 32(%[out])\n\tvmovdqu %%ymm" s2                             \
    ", 64(%[out])\n\tvmovdqu %%ymm" s3 ", 96(%[out])\n\tadd %[ldo], %[out]\n\t"
#define Y_EACH_1(do)                                                                                                   \
    do ("0", "1", "2", "3")
#define Y_EACH_2(do) Y_EACH_1(do) do("4", "5", "6", "7")
#define Y_EACH_3(do) Y_EACH_2(do) do("8", "9", "10", "11")

/* a: rows of 4 * steps bytes, lda bytes from row to row. b: steps * 128 bytes. out: sums [rows][32], ldo bytes from row
 * to row. steps > 0. */
#define Y_FUNCTION(rows)                                                                                               \
    static void low_bytes_##rows(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {      \
        __asm__ volatile(Y_SETUP Y_EACH_##rows(Y_ZERO_ROW) ".p2align 5\n1:\n\t" Y_ROWS_##rows                          \
                         "add $4, %[a]\n\tsub $-128, %[b]\n\tdec %[k]\n\tjnz 1b\n\t" Y_EACH_##rows(Y_STORE_ROW)        \
                         : [a] "+r"(a), [b] "+r"(b), [k] "+r"(steps), [out] "+r"(out)                                  \
                         : [lda] "r"(lda), [ldo] "r"(ldo)                                                              \
                         : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",     \
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                              \
    }
Y_FUNCTION(1)
Y_FUNCTION(2)
Y_FUNCTION(3)
static const LowTile low_tiles_int8[LOW_ROWS + 1] = {NULL, low_bytes_1, low_bytes_2, low_bytes_3};
