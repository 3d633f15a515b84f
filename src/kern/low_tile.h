/* low_tile.h - tiles for the levels without AVX-512's instructions: a few rows x 32 outputs in vectors of the level, and
 * the plain definition.
 *
 * AVX-VNNI has the product of 4 bytes as it is. AVX2 and AVX-512BW have pmaddubsw, which sums two products in 16 bits and
 * saturates above 32,767. 7-bit weights never get there (mean cosine to f32 0.9976), but it takes two large weights of one
 * sign side by side: a row is scaled so that no such pair sums up to more than 128 (128 * 255 = 32,640), which makes steps
 * 1.3 times as large instead of twice (0.9989; 8 bits 0.9990). Against pmaddwd on numbers of 16 bits it is as fast on Zen,
 * half again as fast on Intel, at half the memory.
 */
#define LOW_ROWS 3

#if LOW_HAS_AVXVNNI
typedef __m256i LowInts;
#define LOW_INTS         8
#define LOW_ALL(x)       _mm256_set1_epi32(x)
#define LOW_DOT(s, a, b) _mm256_dpbusd_avx_epi32(s, a, b)
#elif LANES == 16 && defined(__AVX512BW__)
typedef __m512i LowInts;
#define LOW_INTS         16
#define LOW_ALL(x)       _mm512_set1_epi32(x)
#define LOW_DOT(s, a, b) _mm512_add_epi32(s, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)))
#elif defined(__AVX2__)
typedef __m256i LowInts;
#define LOW_INTS         8
#define LOW_ALL(x)       _mm256_set1_epi32(x)
#define LOW_DOT(s, a, b) _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)))
#endif

#ifdef LOW_INTS
INLINE void low_tile_int8(size_t rows, const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    enum { VECTORS = LOW_WIDE / LOW_INTS };
    LowInts sums[LOW_ROWS][VECTORS];
    const char *in = a;
    const LowInts *panel = b;
    memset(sums, 0, sizeof sums);
    for (; steps > 0; steps--, in += 4, panel += VECTORS) {
        UNROLL for (size_t r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, in + r * lda, sizeof four);
            LowInts ar = LOW_ALL(four);
            UNROLL for (size_t v = 0; v < VECTORS; v++) sums[r][v] = LOW_DOT(sums[r][v], ar, panel[v]);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++) memcpy((char *)out + r * ldo, sums[r], sizeof sums[r]);
}
#else
INLINE void low_tile_int8(size_t rows, const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *in = (const uint8_t *)a + r * lda;
        const int8_t *panel = b;
        int32_t sums[LOW_WIDE] = {0};
        for (size_t s = 0; s < steps; s++, in += 4, panel += 4 * LOW_WIDE)
            for (size_t c = 0; c < LOW_WIDE; c++)
                for (size_t i = 0; i < 4; i++) sums[c] += (int32_t)in[i] * panel[4 * c + i];
        memcpy((char *)out + r * ldo, sums, sizeof sums);
    }
}
#endif

static void low_int8_1(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    low_tile_int8(1, a, lda, b, steps, out, ldo);
}
static void low_int8_2(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    low_tile_int8(2, a, lda, b, steps, out, ldo);
}
static void low_int8_3(const void *a, size_t lda, const void *b, size_t steps, void *out, size_t ldo) {
    low_tile_int8(3, a, lda, b, steps, out, ldo);
}
static const LowTile low_tiles_int8[LOW_ROWS + 1] = {NULL, low_int8_1, low_int8_2, low_int8_3};
