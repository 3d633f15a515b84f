/* low_tile.h - int8 tiles in plain C: the definition of the others (low_tile_avx2.h, low_tile_avx512.h,
 * low_tile_neon.h). */
#define LOW_ROWS 3

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
