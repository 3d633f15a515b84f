/* quant_panel_avx512.h - many activation rows with AVX-512 VNNI: 32 weight rows unpacked into a panel, tiles of rows
 * run over it (quant_tile_avx512.h), sums become outputs.
 *
 * Unpacking costs 0.3 cycles a weight, a product of 256 rows 5: it pays from four rows on.
 */
#include "kern/quant_panel.h"
#include "kern/quant_tile_avx512.h"

enum { TILE_MANY = 12, TILE_FEW = 4 };

static const float no_sums[TILE_MANY * QUANT_PANEL];

/* ---- unpacking ---- */

/* 16 rows of 16 dwords become 16 columns. */
INLINE void z_transpose(Z x[16]) {
    Z y[16];
    UNROLL for (size_t i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    UNROLL for (size_t i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    UNROLL for (size_t i = 0; i < 4; i++) {
        y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
        y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xDD);
        y[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
        y[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xDD);
    }
    UNROLL for (size_t i = 0; i < 4; i++) {
        x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
        x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xDD);
        x[i + 4] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0x88);
        x[i + 12] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0xDD);
    }
}

/* 64 numbers of 16 rows, at p[r] + offset, into the panel's bytes from `to` on. */
INLINE void panel_bytes(uint32_t type, const uint8_t *const *p, size_t offset, size_t i, uint8_t *to) {
    Z x[16];
    UNROLL for (size_t r = 0; r < 16; r++) x[r] =
        !quant_is_large(type) ? z_unpack32(type, p[r] + offset, i) : z_unpack256(type, p[r] + offset, i);
    z_transpose(x);
    UNROLL for (size_t r = 0; r < 16; r++) _mm512_storeu_si512(to + r * 128, x[r]);
}

/* Blocks b and b + 1 of 16 rows. */
INLINE void panel_pair32(uint32_t type, const uint8_t *const *p, size_t b, uint8_t *to) {
    panel_bytes(type, p, b * quant_block_bytes(type), 0, to + b * QUANT_BLOCK * QUANT_PANEL);
}

INLINE void panel_unpack32(const Panel *panel, uint32_t type, const uint8_t *const *p) {
    size_t bytes = quant_block_bytes(type), blocks = panel->k / QUANT_BLOCK;
    for (size_t half = 0; half < 2; half++, p += 16) {
        uint8_t *to = panel->bytes + half * 64;
        for (size_t b = 0; b + 2 <= blocks; b += 2) panel_pair32(type, p, b, to);
        if (blocks % 2 && blocks > 1) panel_pair32(type, p, blocks - 2, to); /* once more, with its neighbour */
        if (blocks == 1) {
            uint8_t room[16][2 * 34] = {{0}};
            const uint8_t *at[16];
            for (size_t r = 0; r < 16; r++) at[r] = memcpy(room[r], p[r], bytes);
            panel_pair32(type, at, 0, to);
        }
        for (size_t r = 0; r < 16; r++) panel_scales32(panel, type, p[r], half * 16 + r);
    }
}

INLINE void panel_unpack256(const Panel *panel, uint32_t type, const uint8_t *const *p) {
    size_t bytes = quant_block_bytes(type), groups = panel->k / QUANT_GROUP;
    for (size_t half = 0; half < 2; half++, p += 16)
        for (size_t g = 0; g < groups; g++) {
            uint8_t *to = panel->bytes + g * QUANT_GROUP * QUANT_PANEL + half * 64;
            UNROLL for (size_t i = 0; i < 4; i++) panel_bytes(type, p, g * bytes, i, to + i * 64 * QUANT_PANEL);
            for (size_t r = 0; r < 16; r++) panel_scales256(panel, type, p[r] + g * bytes, g, half * 16 + r);
        }
}

static void panel_unpack(const Panel *panel, const uint8_t *const *p) {
    switch (panel->type) {
    case BLOCK_Q4_0:
        panel_unpack32(panel, BLOCK_Q4_0, p);
        break;
    case BLOCK_Q4_1:
        panel_unpack32(panel, BLOCK_Q4_1, p);
        break;
    case BLOCK_Q5_0:
        panel_unpack32(panel, BLOCK_Q5_0, p);
        break;
    case BLOCK_Q5_1:
        panel_unpack32(panel, BLOCK_Q5_1, p);
        break;
    case BLOCK_Q8_0:
        panel_unpack32(panel, BLOCK_Q8_0, p);
        break;
    case BLOCK_Q4_K:
        panel_unpack256(panel, BLOCK_Q4_K, p);
        break;
    case BLOCK_Q5_K:
        panel_unpack256(panel, BLOCK_Q5_K, p);
        break;
    case BLOCK_Q6_K:
        panel_unpack256(panel, BLOCK_Q6_K, p);
        break;
    default:
        break;
    }
}

/* ---- panels of bf16 ---- */

/* Floats to the nearest bf16, ties to even, in the upper halves of the lanes. */
INLINE Z z_round_bf16(Z x) {
    Z odd = _mm512_and_si512(_mm512_srli_epi32(x, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(x, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
}

/* 32 numbers of 16 rows at a time: pairs of bf16 are dwords, which are transposed. */
static void quant_pack_bf16(const float *rows, size_t k, uint16_t *panel) {
    _Alignas(64) uint16_t upper[32];
    for (uint16_t i = 0; i < 32; i++) upper[i] = (uint16_t)(2 * i + 1);
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i < k; i += 32) {
            const float *from = rows + half * 16 * QUANT_STEP + i;
            Z x[16];
            UNROLL for (size_t r = 0; r < 16; r++) x[r] =
                _mm512_permutex2var_epi16(z_round_bf16(z_load(from + r * QUANT_STEP)), z_load(upper),
                                          z_round_bf16(z_load(from + r * QUANT_STEP + 16)));
            z_transpose(x);
            uint16_t *to = panel + i * QUANT_PANEL + half * 32;
            UNROLL for (size_t r = 0; r < 16; r++) _mm512_storeu_si512(to + r * 2 * QUANT_PANEL, x[r]);
        }
}

/* ---- tiles ---- */

/* Eight sums, `size` floats each one after the other, into outputs; n columns of them. */
INLINE void tile_finish32(const float *sums, size_t rows, size_t n, float *out, size_t ldo) {
    size_t size = rows * QUANT_PANEL;
    UNROLL for (size_t r = 0; r < rows; r++) for (size_t v = 0; v < 2; v++) {
        const float *s = sums + r * QUANT_PANEL + v * 16;
        __m512 x[8];
        UNROLL for (size_t i = 0; i < 8; i++) x[i] = _mm512_load_ps(s + i * size);
        UNROLL for (size_t half = 4; half > 0; half /= 2) UNROLL for (size_t i = 0; i < half; i++) x[i] =
            _mm512_add_ps(x[i], x[i + half]);
        size_t left = n > v * 16 ? n - v * 16 : 0;
        _mm512_mask_storeu_ps(out + r * ldo + v * 16, left < 16 ? (__mmask16)((1u << left) - 1) : 0xFFFF, x[0]);
    }
}

static void tile32(const Panel *panel, size_t rows, const char *acts, size_t lda, size_t n, float *out, size_t ldo) {
    _Alignas(64) float sums[QUANT_SUMS * TILE_MANY * QUANT_PANEL]; /* [8][rows][32] */
    QuantTile tile = rows == TILE_MANY ? tiles_of[panel->type].many : tiles_of[panel->type].few;
    const char *a = acts + quant_row32_head(panel->k);
    size_t blocks = panel->k / QUANT_BLOCK, size = rows * QUANT_PANEL;
    if (blocks < 8) memset(sums + blocks * size, 0, (8 - blocks) * size * sizeof *sums);
    for (size_t b = 0; b < blocks; b += 8)
        tile(a + b * sizeof(QuantBlock32), lda, panel->bytes + b * QUANT_BLOCK * QUANT_PANEL,
             (const float *)panel->scales + b * 2 * QUANT_PANEL, b ? sums : no_sums, b ? size * sizeof *sums : 0, sums,
             blocks - b < 8 ? blocks - b : 8);
    if (rows == TILE_MANY)
        tile_finish32(sums, TILE_MANY, n, out, ldo);
    else
        tile_finish32(sums, TILE_FEW, n, out, ldo);
}

/* Integer sums of group g times the halves, added to the sums of floats. */
INLINE void tile_scale256(const Panel *panel, uint32_t type, size_t rows, const char *acts, size_t lda, size_t g,
                          const int32_t *integers, float *sums) {
    UNROLL for (size_t v = 0; v < 2; v++) {
        const float *halves = panel->halves + g * 2 * QUANT_PANEL + v * 16;
        __m512 d = _mm512_load_ps(halves), m = quant_has_min(type) ? _mm512_load_ps(halves + QUANT_PANEL) : d;
        Z mins[4] = {_mm512_setzero_si512()};
        if (quant_has_min(type))
            UNROLL for (size_t i = 0; i < 4; i++) mins[i] =
                z_load(panel->mins + ((g * 4 + i) * QUANT_PANEL + v * 16) * 2);
        for (size_t r = 0; r < rows; r++) {
            QuantRow256 a = quant_row256(acts + r * lda, panel->k);
            float *sum = sums + r * QUANT_PANEL + v * 16;
            __m512 da = _mm512_set1_ps(a.d[g]);
            __m512 x = _mm512_cvtepi32_ps(z_load(integers + r * QUANT_PANEL + v * 16));
            x = _mm512_add_ps(_mm512_load_ps(sum), _mm512_mul_ps(x, _mm512_mul_ps(d, da)));
            if (quant_has_min(type)) {
                Z least[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
                UNROLL for (size_t j = 0; j < 4; j++) {
                    int32_t pair;
                    memcpy(&pair, a.sum32 + 8 * g + 2 * j, sizeof pair);
                    least[j % 2] = _mm512_dpwssd_epi32(least[j % 2], mins[j], _mm512_set1_epi32(pair));
                }
                __m512 y = _mm512_cvtepi32_ps(_mm512_add_epi32(least[0], least[1]));
                x = _mm512_sub_ps(x, _mm512_mul_ps(y, _mm512_mul_ps(m, da)));
            }
            _mm512_store_ps(sum, x);
        }
    }
}

static void tile256(const Panel *panel, size_t rows, const char *acts, size_t lda, size_t n, float *out, size_t ldo) {
    _Alignas(64) float sums[TILE_MANY * QUANT_PANEL] = {0};
    _Alignas(64) int32_t integers[TILE_MANY * QUANT_PANEL];
    QuantTile tile = rows == TILE_MANY ? tiles_of[panel->type].many : tiles_of[panel->type].few;
    const char *a = acts + quant_row256_head(panel->k);
    size_t each = panel->type == BLOCK_Q6_K ? 16 : 8;
    for (size_t g = 0; g < panel->k / QUANT_GROUP; g++) {
        tile(a + g * 8 * sizeof(QuantBlock256), lda, panel->bytes + g * QUANT_GROUP * QUANT_PANEL,
             (const int32_t *)panel->scales + g * each * QUANT_PANEL, no_sums, 0, integers, 8);
        if (panel->type == BLOCK_Q6_K)
            tile_scale256(panel, BLOCK_Q6_K, rows, acts, lda, g, integers, sums);
        else
            tile_scale256(panel, BLOCK_Q4_K, rows, acts, lda, g, integers, sums);
    }
    for (size_t r = 0; r < rows; r++) memcpy(out + r * ldo, sums + r * QUANT_PANEL, n * sizeof *out);
}
