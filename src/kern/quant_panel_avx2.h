/* quant_panel_avx2.h - many activation rows with AVX2 or AVX-VNNI: panels unpacked by plain code, tiles of 4 rows x 16
 * outputs, whose eight sums of integers stay in registers.
 *
 * Without VNNI a product is pmaddubsw, pmaddwd by ones, paddd. Numbers of up to five bits leave room in 16 bits for the
 * products of four steps (4 * 2 * 31 * 127 = 31,496), of six bits for two (32,004): those are added before they are
 * widened, 2.25 and 2.5 instructions a product instead of 3. Bytes of Q8_0 leave none.
 */
#include "kern/quant_panel.h"

enum { TILE_MANY = 4, TILE_FEW = 4, TILE_VECTORS = 2, TILE_OUTS = 16 };

/* ---- unpacking ---- */

/* 8 rows of 8 dwords become 8 columns. */
INLINE void y_transpose(Y x[8]) {
    Y y[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        y[i] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x20);
        y[i + 4] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x31);
    }
    UNROLL for (int i = 0; i < 8; i++) x[i] = y[i];
}

/* 32 numbers of 8 rows, at p[r] + offset, into the panel's bytes from `to` on; j as y_unpack256 takes it. */
INLINE void panel_bytes(uint32_t type, const uint8_t *const *p, size_t offset, int j, uint8_t *to) {
    Y x[8];
    UNROLL for (size_t r = 0; r < 8; r++) x[r] =
        !quant_is_large(type) ? y_unpack32(type, p[r] + offset) : y_unpack256(type, p[r] + offset, j);
    y_transpose(x);
    UNROLL for (size_t i = 0; i < 8; i++) memcpy(to + i * 4 * QUANT_PANEL, &x[i], sizeof x[i]);
}

INLINE void panel_unpack_type(const Panel *panel, uint32_t type, const uint8_t *const *p) {
    size_t bytes = quant_block_bytes(type), step = QUANT_BLOCK * QUANT_PANEL;
    for (size_t first = 0; first < QUANT_PANEL; first += 8, p += 8) {
        uint8_t *to = panel->bytes + 4 * first;
        if (!quant_is_large(type)) {
            for (size_t b = 0; b < panel->k / QUANT_BLOCK; b++, to += step) panel_bytes(type, p, b * bytes, 0, to);
            for (size_t r = 0; r < 8; r++) panel_scales32(panel, type, p[r], first + r);
            continue;
        }
        for (size_t g = 0; g < panel->k / QUANT_GROUP; g++) {
            UNROLL for (int j = 0; j < 8; j++, to += step) panel_bytes(type, p, g * bytes, j, to);
            for (size_t r = 0; r < 8; r++) panel_scales256(panel, type, p[r] + g * bytes, g, first + r);
        }
    }
}

static void panel_unpack(const Panel *panel, const uint8_t *const *p) {
    switch (panel->type) {
    case BLOCK_Q4_0:
        panel_unpack_type(panel, BLOCK_Q4_0, p);
        break;
    case BLOCK_Q4_1:
        panel_unpack_type(panel, BLOCK_Q4_1, p);
        break;
    case BLOCK_Q5_0:
        panel_unpack_type(panel, BLOCK_Q5_0, p);
        break;
    case BLOCK_Q5_1:
        panel_unpack_type(panel, BLOCK_Q5_1, p);
        break;
    case BLOCK_Q8_0:
        panel_unpack_type(panel, BLOCK_Q8_0, p);
        break;
    case BLOCK_Q4_K:
        panel_unpack_type(panel, BLOCK_Q4_K, p);
        break;
    case BLOCK_Q5_K:
        panel_unpack_type(panel, BLOCK_Q5_K, p);
        break;
    case BLOCK_Q6_K:
        panel_unpack_type(panel, BLOCK_Q6_K, p);
        break;
    default:
        break;
    }
}

/* ---- products ---- */

typedef struct {
    Y x[TILE_MANY][TILE_VECTORS];
} TileInts;

INLINE Y y_all(const void *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

/* Adds the products of `steps` times four numbers. a: rows, lda bytes apart; b: the panel at the tile's first
 * output. */
INLINE void tile_products(uint32_t type, size_t steps, const char *a, size_t lda, const uint8_t *b, TileInts *sums) {
    enum { STEP = 4 * QUANT_PANEL };
    size_t depth = QUANT_AVXVNNI || type == BLOCK_Q8_0 ? 1 : type == BLOCK_Q6_K ? 2 : 4;
    UNROLL for (size_t s = 0; s < steps; s += depth) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) {
        Y w[4];
        UNROLL for (size_t i = 0; i < depth; i++) w[i] = y_load(b + (s + i) * STEP + v * sizeof(Y));
        UNROLL for (size_t r = 0; r < TILE_MANY; r++) {
            const char *at = a + r * lda + 4 * s;
            if (depth == 1) {
                sums->x[r][v] = y_products(type, sums->x[r][v], w[0], y_all(at));
                continue;
            }
            Y pairs = _mm256_maddubs_epi16(w[0], y_all(at));
            UNROLL for (size_t i = 1; i < depth; i++) pairs =
                _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[i], y_all(at + 4 * i)));
            sums->x[r][v] = _mm256_add_epi32(sums->x[r][v], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
}

/* ---- tiles: blocks of 32 ---- */

INLINE int32_t tile_start(uint32_t type, const QuantBlock32 *block) {
    return type == BLOCK_Q4_0   ? block->start8
           : type == BLOCK_Q5_0 ? block->start16
           : y_biased(type)     ? block->start128
                                : 0;
}

typedef struct {
    __m256 x[QUANT_SUMS][TILE_MANY][TILE_VECTORS]; /* 2 KB: in the L1 cache */
} TileSums;

/* Block b of the panel into sum b % 8. */
INLINE void tile_block32(uint32_t type, const Panel *panel, const QuantBlock32 *a, size_t lda, size_t b, size_t out,
                         TileSums *sums) {
    TileInts ints;
    const char *rows = (const char *)(a + b);
    UNROLL for (size_t r = 0; r < TILE_MANY; r++) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) ints.x[r][v] =
        _mm256_set1_epi32(y_biased(type) ? tile_start(type, (const QuantBlock32 *)(const void *)(rows + r * lda)) : 0);
    tile_products(type, 8, rows, lda, panel->bytes + (b * QUANT_BLOCK * QUANT_PANEL) + 4 * out, &ints);
    const float *scales = (const float *)panel->scales + b * 2 * QUANT_PANEL + out;
    UNROLL for (size_t r = 0; r < TILE_MANY; r++) {
        const QuantBlock32 *block = (const QuantBlock32 *)(const void *)(rows + r * lda);
        __m256 d = _mm256_set1_ps(block->d), s = _mm256_set1_ps(block->s);
        UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) {
            __m256 scale = _mm256_mul_ps(_mm256_loadu_ps(scales + 8 * v), d), *sum = &sums->x[b % 8][r][v];
            *sum = _mm256_add_ps(*sum, _mm256_mul_ps(_mm256_cvtepi32_ps(ints.x[r][v]), scale));
            if (quant_has_min(type))
                *sum = _mm256_add_ps(*sum, _mm256_mul_ps(_mm256_loadu_ps(scales + QUANT_PANEL + 8 * v), s));
        }
    }
}

/* Outputs [out, out + 16) of the panel, of which `cols` exist. */
INLINE void tile_store(const __m256 *x, size_t cols, float *out) {
    if (cols >= TILE_OUTS) {
        _mm256_storeu_ps(out, x[0]);
        _mm256_storeu_ps(out + 8, x[1]);
    } else {
        memcpy(out, x, cols * sizeof *out);
    }
}

INLINE void tile32_type(uint32_t type, const Panel *panel, const char *acts, size_t lda, size_t n, float *out,
                        size_t ldo) {
    const QuantBlock32 *a = quant_row32(acts, panel->k).blocks;
    for (size_t o = 0; o < n; o += TILE_OUTS) {
        TileSums sums;
        memset(&sums, 0, sizeof sums);
        for (size_t b = 0; b < panel->k / QUANT_BLOCK; b++) tile_block32(type, panel, a, lda, b, o, &sums);
        UNROLL for (size_t half = QUANT_SUMS / 2; half > 0; half /= 2) for (size_t i = 0; i < half; i++)
            UNROLL for (size_t r = 0; r < TILE_MANY; r++) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++)
                sums.x[i][r][v] = _mm256_add_ps(sums.x[i][r][v], sums.x[i + half][r][v]);
        for (size_t r = 0; r < TILE_MANY; r++) tile_store(sums.x[0][r], n - o, out + r * ldo + o);
    }
}

static void tile32(const Panel *panel, size_t rows, const char *acts, size_t lda, size_t n, float *out, size_t ldo) {
    (void)rows;
    switch (panel->type) {
    case BLOCK_Q4_0:
        tile32_type(BLOCK_Q4_0, panel, acts, lda, n, out, ldo);
        break;
    case BLOCK_Q5_0:
        tile32_type(BLOCK_Q5_0, panel, acts, lda, n, out, ldo);
        break;
    case BLOCK_Q8_0:
        tile32_type(BLOCK_Q8_0, panel, acts, lda, n, out, ldo);
        break;
    default:
        tile32_type(BLOCK_Q5_1, panel, acts, lda, n, out, ldo);
        break; /* Q4_1 is the same from here on */
    }
}

/* ---- tiles: blocks of 256 ---- */

/* The integers of a group: products of its sub-blocks times their scales. */
INLINE void tile_group256(uint32_t type, const Panel *panel, const char *rows, size_t lda, size_t g, size_t out,
                          TileInts *total) {
    size_t each = type == BLOCK_Q6_K ? 16 : 8, steps = 64 / each;
    const uint8_t *bytes = panel->bytes + g * QUANT_GROUP * QUANT_PANEL + 4 * out;
    const int32_t *scales = (const int32_t *)panel->scales + g * each * QUANT_PANEL + out;
    memset(total, 0, sizeof *total);
    for (size_t j = 0; j < each; j++) {
        TileInts ints;
        const char *at = rows + (8 * g + j * 8 / each) * sizeof(QuantBlock256) + j * steps % 8 * 4;
        size_t start = offsetof(QuantBlock256, start) + j % 2 * sizeof(int32_t) - j % 2 * 16;
        UNROLL for (size_t r = 0; r < TILE_MANY; r++) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) ints.x[r][v] =
            type == BLOCK_Q6_K ? y_all(at + r * lda + start) : _mm256_setzero_si256();
        tile_products(type, steps, at, lda, bytes + j * steps * 4 * QUANT_PANEL, &ints);
        UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) {
            Y scale = y_load(scales + j * QUANT_PANEL + 8 * v);
            UNROLL for (size_t r = 0; r < TILE_MANY; r++) total->x[r][v] =
                _mm256_add_epi32(total->x[r][v], _mm256_mullo_epi32(ints.x[r][v], scale));
        }
    }
}

/* The minimums of a group times the sums of one row's blocks, for eight outputs. */
INLINE Y tile_mins(const Panel *panel, const int16_t *sum32, size_t g, size_t out) {
    const int16_t *mins = panel->mins + (g * 4 * QUANT_PANEL + out) * 2;
    Y x = _mm256_setzero_si256();
    UNROLL for (size_t j = 0; j < 4; j++) x =
        _mm256_add_epi32(x, _mm256_madd_epi16(y_load(mins + j * 2 * QUANT_PANEL), y_all(sum32 + 8 * g + 2 * j)));
    return x;
}

INLINE void tile256_type(uint32_t type, const Panel *panel, const char *acts, size_t lda, size_t n, float *out,
                         size_t ldo) {
    QuantRow256 a[TILE_MANY];
    for (size_t r = 0; r < TILE_MANY; r++) a[r] = quant_row256(acts + r * lda, panel->k);
    for (size_t o = 0; o < n; o += TILE_OUTS) {
        __m256 sums[TILE_MANY][TILE_VECTORS];
        memset(sums, 0, sizeof sums);
        for (size_t g = 0; g < panel->k / QUANT_GROUP; g++) {
            TileInts ints;
            tile_group256(type, panel, (const char *)a[0].blocks, lda, g, o, &ints);
            const float *halves = panel->halves + g * 2 * QUANT_PANEL + o;
            UNROLL for (size_t r = 0; r < TILE_MANY; r++) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) {
                __m256 da = _mm256_set1_ps(a[r].d[g]), d = _mm256_mul_ps(_mm256_loadu_ps(halves + 8 * v), da);
                sums[r][v] = _mm256_add_ps(sums[r][v], _mm256_mul_ps(_mm256_cvtepi32_ps(ints.x[r][v]), d));
                if (!quant_has_min(type)) continue;
                __m256 m = _mm256_mul_ps(_mm256_loadu_ps(halves + QUANT_PANEL + 8 * v), da);
                Y least = tile_mins(panel, a[r].sum32, g, o + 8 * v);
                sums[r][v] = _mm256_sub_ps(sums[r][v], _mm256_mul_ps(_mm256_cvtepi32_ps(least), m));
            }
        }
        for (size_t r = 0; r < TILE_MANY; r++) tile_store(sums[r], n - o, out + r * ldo + o);
    }
}

static void tile256(const Panel *panel, size_t rows, const char *acts, size_t lda, size_t n, float *out, size_t ldo) {
    (void)rows;
    if (panel->type == BLOCK_Q6_K)
        tile256_type(BLOCK_Q6_K, panel, acts, lda, n, out, ldo);
    else
        tile256_type(BLOCK_Q5_K, panel, acts, lda, n, out, ldo); /* Q4_K is the same from here on */
}
