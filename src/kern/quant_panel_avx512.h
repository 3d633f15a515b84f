/* quant_panel_avx512.h - many activation rows with AVX-512 VNNI: 32 weight rows unpacked into a panel, tiles of rows run over
 * it (quant_tile_avx512.h), sums become outputs.
 *
 * A panel in scratch, for every group of 256 inputs:
 *   bytes   [64][32][4]: four inputs of an output side by side, as the product takes them
 *   scales  blocks of 32: float [8][2][32], scales and minimums; K formats: int32 [8 or 16][32]
 *   mins    Q4_K, Q5_K: int16 [4][32][2], minimums of two sub-blocks side by side
 *   halves  K formats: float [2][32], d and dmin
 *
 * Unpacking costs 0.3 cycles a weight, a product of 256 rows 5: it pays from four rows on.
 */
#include "kern/quant_tile_avx512.h"

enum { TILE_MANY = 12, TILE_FEW = 4, PANEL_ROWS = 32 };

typedef struct {
    uint32_t type;
    size_t k;
    uint8_t *bytes;
    void *scales;
    int16_t *mins;
    float *halves;
} Panel;

static Panel panel_at(uint32_t type, size_t k, void *scratch) {
    size_t groups = quant_groups(k);
    char *p = scratch;
    Panel panel = {type, k, scratch, p + groups * QUANT_GROUP * PANEL_ROWS, NULL, NULL};
    p = (char *)panel.scales + groups * 16 * PANEL_ROWS * sizeof(int32_t);
    panel.mins = (void *)p;
    panel.halves = (void *)(p + groups * 8 * PANEL_ROWS * sizeof(int16_t));
    return panel;
}

/* ---- unpacking ---- */

/* 16 rows of 16 dwords become 16 columns. */
INLINE void z_transpose(Z x[16]) {
    Z y[16];
    UNROLL512 for (size_t i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    UNROLL512 for (size_t i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    UNROLL512 for (size_t i = 0; i < 4; i++) {
        y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
        y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xDD);
        y[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
        y[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xDD);
    }
    UNROLL512 for (size_t i = 0; i < 4; i++) {
        x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
        x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xDD);
        x[i + 4] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0x88);
        x[i + 12] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0xDD);
    }
}

/* 64 numbers of 16 rows, at p[r] + offset, into the panel's bytes from `to` on. */
INLINE void panel_bytes(uint32_t type, const uint8_t *const *p, size_t offset, size_t i, uint8_t *to) {
    Z x[16];
    UNROLL512 for (size_t r = 0; r < 16; r++) x[r] =
        type < BLOCK_Q4_K ? z_unpack32(type, p[r] + offset, i) : z_unpack256(type, p[r] + offset, i);
    z_transpose(x);
    UNROLL512 for (size_t r = 0; r < 16; r++) _mm512_storeu_si512(to + r * 128, x[r]);
}

/* Blocks b and b + 1 of 16 rows. */
INLINE void panel_pair32(uint32_t type, const uint8_t *const *p, size_t b, uint8_t *to) {
    panel_bytes(type, p, b * quant_block_bytes(type), 0, to + b * QUANT_BLOCK * PANEL_ROWS);
}

INLINE void panel_unpack32(const Panel *panel, uint32_t type, const uint8_t *const *p) {
    size_t bytes = quant_block_bytes(type), blocks = panel->k / QUANT_BLOCK;
    float *scales = panel->scales;
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
        for (size_t r = 0; r < 16; r++)
            for (size_t b = 0; b < blocks; b++) {
                float *scale = scales + b * 2 * PANEL_ROWS + half * 16 + r;
                scale[0] = quant_half(p[r] + b * bytes);
                if (quant_has_min(type)) scale[PANEL_ROWS] = quant_half(p[r] + b * bytes + 2);
            }
    }
}

/* Scales, minimums and halves of one row's block of 256. */
INLINE void panel_scales256(const Panel *panel, uint32_t type, const uint8_t *p, size_t group, size_t r) {
    float *halves = panel->halves + group * 2 * PANEL_ROWS + r;
    int32_t *scales = (int32_t *)panel->scales + group * (type == BLOCK_Q6_K ? 16 : 8) * PANEL_ROWS + r;
    if (type == BLOCK_Q6_K) {
        halves[0] = quant_half(p + 208);
        for (size_t j = 0; j < 16; j++) scales[j * PANEL_ROWS] = (int8_t)p[192 + j];
        return;
    }
    uint64_t few, mins;
    quant_unpack_scales(p + 4, &few, &mins);
    halves[0] = quant_half(p);
    halves[PANEL_ROWS] = quant_half(p + 2);
    int16_t *min = panel->mins + (group * 4 * PANEL_ROWS + r) * 2;
    for (size_t j = 0; j < 8; j++) {
        scales[j * PANEL_ROWS] = (int32_t)(few >> 8 * j & 0xFF);
        min[j / 2 * 2 * PANEL_ROWS + j % 2] = (int16_t)(mins >> 8 * j & 0xFF);
    }
}

INLINE void panel_unpack256(const Panel *panel, uint32_t type, const uint8_t *const *p) {
    size_t bytes = quant_block_bytes(type), groups = panel->k / QUANT_GROUP;
    for (size_t half = 0; half < 2; half++, p += 16)
        for (size_t g = 0; g < groups; g++) {
            uint8_t *to = panel->bytes + g * QUANT_GROUP * PANEL_ROWS + half * 64;
            UNROLL512 for (size_t i = 0; i < 4; i++) panel_bytes(type, p, g * bytes, i, to + i * 64 * PANEL_ROWS);
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

/* ---- tiles ---- */

static const float no_sums[TILE_MANY * PANEL_ROWS];

/* Eight sums, `size` floats each one after the other, into outputs; n columns of them. */
INLINE void tile_finish32(const float *sums, size_t rows, size_t n, float *out, size_t ldo) {
    size_t size = rows * PANEL_ROWS;
    UNROLL512 for (size_t r = 0; r < rows; r++) for (size_t v = 0; v < 2; v++) {
        const float *s = sums + r * PANEL_ROWS + v * 16;
        __m512 x[8];
        UNROLL512 for (size_t i = 0; i < 8; i++) x[i] = _mm512_load_ps(s + i * size);
        UNROLL512 for (size_t half = 4; half > 0; half /= 2) UNROLL512 for (size_t i = 0; i < half; i++) x[i] =
            _mm512_add_ps(x[i], x[i + half]);
        size_t left = n > v * 16 ? n - v * 16 : 0;
        _mm512_mask_storeu_ps(out + r * ldo + v * 16, left < 16 ? (__mmask16)((1u << left) - 1) : 0xFFFF, x[0]);
    }
}

static void tile32(const Panel *panel, size_t rows, const char *acts, size_t lda, size_t n, float *out, size_t ldo) {
    _Alignas(64) float sums[QUANT_SUMS * TILE_MANY * PANEL_ROWS]; /* [8][rows][32] */
    QuantTile tile = rows == TILE_MANY ? tiles_of[panel->type].many : tiles_of[panel->type].few;
    const char *a = acts + quant_row32_head(panel->k);
    size_t blocks = panel->k / QUANT_BLOCK, size = rows * PANEL_ROWS;
    if (blocks < 8) memset(sums + blocks * size, 0, (8 - blocks) * size * sizeof *sums);
    for (size_t b = 0; b < blocks; b += 8)
        tile(a + b * sizeof(QuantBlock32), lda, panel->bytes + b * QUANT_BLOCK * PANEL_ROWS,
             (const float *)panel->scales + b * 2 * PANEL_ROWS, b ? sums : no_sums, b ? size * sizeof *sums : 0, sums,
             blocks - b < 8 ? blocks - b : 8);
    if (rows == TILE_MANY)
        tile_finish32(sums, TILE_MANY, n, out, ldo);
    else
        tile_finish32(sums, TILE_FEW, n, out, ldo);
}

/* Integer sums of group g times the halves, added to the sums of floats. */
INLINE void tile_scale256(const Panel *panel, uint32_t type, size_t rows, const char *acts, size_t lda, size_t g,
                          const int32_t *integers, float *sums) {
    UNROLL512 for (size_t v = 0; v < 2; v++) {
        const float *halves = panel->halves + g * 2 * PANEL_ROWS + v * 16;
        __m512 d = _mm512_load_ps(halves), m = quant_has_min(type) ? _mm512_load_ps(halves + PANEL_ROWS) : d;
        Z mins[4] = {_mm512_setzero_si512()};
        if (quant_has_min(type))
            UNROLL512 for (size_t i = 0; i < 4; i++) mins[i] =
                z_load(panel->mins + ((g * 4 + i) * PANEL_ROWS + v * 16) * 2);
        for (size_t r = 0; r < rows; r++) {
            QuantRow256 a = quant_row256(acts + r * lda, panel->k);
            float *sum = sums + r * PANEL_ROWS + v * 16;
            __m512 da = _mm512_set1_ps(a.d[g]);
            __m512 x = _mm512_cvtepi32_ps(z_load(integers + r * PANEL_ROWS + v * 16));
            x = _mm512_add_ps(_mm512_load_ps(sum), _mm512_mul_ps(x, _mm512_mul_ps(d, da)));
            if (quant_has_min(type)) {
                Z least[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
                UNROLL512 for (size_t j = 0; j < 4; j++) {
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
    _Alignas(64) float sums[TILE_MANY * PANEL_ROWS] = {0};
    _Alignas(64) int32_t integers[TILE_MANY * PANEL_ROWS];
    QuantTile tile = rows == TILE_MANY ? tiles_of[panel->type].many : tiles_of[panel->type].few;
    const char *a = acts + quant_row256_head(panel->k);
    size_t each = panel->type == BLOCK_Q6_K ? 16 : 8;
    for (size_t g = 0; g < panel->k / QUANT_GROUP; g++) {
        tile(a + g * 8 * sizeof(QuantBlock256), lda, panel->bytes + g * QUANT_GROUP * PANEL_ROWS,
             (const int32_t *)panel->scales + g * each * PANEL_ROWS, no_sums, 0, integers, 8);
        if (panel->type == BLOCK_Q6_K)
            tile_scale256(panel, BLOCK_Q6_K, rows, acts, lda, g, integers, sums);
        else
            tile_scale256(panel, BLOCK_Q4_K, rows, acts, lda, g, integers, sums);
    }
    for (size_t r = 0; r < rows; r++) memcpy(out + r * ldo, sums + r * PANEL_ROWS, n * sizeof *out);
}

/* The last tile may take rows that were done already with it: their outputs get the same bits again. */
static void quant_panel(const QuantMatrix *w, size_t j, size_t n, const void *rows, size_t m, float *out, size_t ldo,
                        void *scratch) {
    const Panel panel = panel_at(w->type, w->k, scratch);
    QuantKind kind = quant_kind(w->type);
    size_t lda = quant_kind_bytes(kind, w->k);
    const uint8_t *p[PANEL_ROWS];
    for (size_t r = 0; r < PANEL_ROWS; r++) /* behind the last row: that row, for nobody */
        p[r] = (const uint8_t *)w->rows + (j + (r < n ? r : n - 1)) * w->row_bytes;
    panel_unpack(&panel, p);
    for (size_t r = 0; r < m;) {
        size_t tile = m < TILE_MANY || m - r <= TILE_FEW ? TILE_FEW : TILE_MANY;
        size_t first = m - r < tile ? m - tile : r;
        (kind == QUANT_BLOCKS32 ? tile32 : tile256)(&panel, tile, (const char *)rows + first * lda, lda, n,
                                                    out + first * ldo + j, ldo);
        r = first + tile;
    }
}
