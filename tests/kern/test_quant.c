/* test_quant.c - products on quantised blocks: against ggml's own (tests/golden/quant.txt, made by
 * tools/make_goldens_quant.py), against numbers decoded one by one, and every level against the scalar one, which must
 * give the same bits. */
#include <math.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "check.h"
#include "kern/kern.h"
#include "kern/quant_exact.h"

enum { LEVELS_MAX = 8, N_TYPES = 11 };

static const uint32_t types[N_TYPES] = {BLOCK_F32,  BLOCK_F16,  BLOCK_BF16, BLOCK_Q4_0, BLOCK_Q4_1, BLOCK_Q5_0,
                                        BLOCK_Q5_1, BLOCK_Q8_0, BLOCK_Q4_K, BLOCK_Q5_K, BLOCK_Q6_K};
static const Kern *levels[LEVELS_MAX];
static size_t n_levels;

#define EACH_LEVEL(q)                                                                                                  \
    for (size_t level_ = 0; level_ < n_levels; level_++)                                                               \
        for (const KernQuant *q = levels[level_]->quant; q; q = NULL)

static uint32_t seed = 1;
static uint32_t bits32(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8 ^ seed << 16;
}
static float number(void) { return (float)(bits32() >> 8) / (float)(1 << 23) - 1.0f; }

static void *room(size_t bytes) {
    size_t n = (bytes + 191) / 64 * 64;
    void *p = aligned_alloc(64, n);
    assert_non_null(p);
    memset(p, 0xA5, n);
    return p;
}

static uint16_t half_of(float x) { /* rounds towards zero; normal halves and 0 */
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t magnitude = bits & 0x7FFFFFFF;
    return (uint16_t)((bits >> 16 & 0x8000) | (magnitude < 0x38800000 ? 0 : (magnitude - 0x38000000) >> 13));
}

/* Where the scales and minimums of a block stand. */
static size_t halves_of(uint32_t type, size_t at[2]) {
    at[0] = type == BLOCK_Q6_K ? 208 : 0;
    at[1] = 2;
    return type == BLOCK_Q4_1 || type == BLOCK_Q5_1 || type == BLOCK_Q4_K || type == BLOCK_Q5_K ? 2 : 1;
}

/* Blocks of random bits with finite scales; extreme: every number is the least or the largest there is. */
static void fill_weights(uint32_t type, uint8_t *p, size_t n, size_t k, bool extreme) {
    const BlockFormat *f = block_format(type);
    size_t bytes = quant_row_bytes(type, k) * n;
    uint8_t all = (uint8_t)(bits32() & 1 ? 0xFF : type == BLOCK_Q8_0 ? 0x80 : 0);
    for (size_t i = 0; i < bytes; i++) p[i] = extreme ? all : (uint8_t)bits32();
    for (uint8_t *b = p; b < p + bytes; b += f->bytes) {
        size_t at[2], halves = halves_of(type, at);
        if (f->items > 1) {
            for (size_t h = 0; h < halves; h++) {
                uint16_t v = half_of(number());
                memcpy(b + at[h], &v, sizeof v);
            }
        } else {
            float x = number();
            uint32_t x_bits;
            memcpy(&x_bits, &x, sizeof x_bits);
            uint16_t v = type == BLOCK_F16 ? half_of(x) : (uint16_t)(x_bits >> 16);
            memcpy(b, type == BLOCK_F32 ? (void *)&x : (void *)&v, f->bytes);
        }
    }
}

/* Rows of numbers of different size, some all zeros, some all of one magnitude. */
static float *fill_activations(size_t m, size_t k) {
    float *x = room(m * k * sizeof *x);
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < k; i++) {
            float v = number();
            if (r % 7 == 3) v = 0;
            if (r % 7 == 5) v = v > -0.9f ? 3.5f : -3.5f;
            if (r % 7 == 6 && i % 64 < 32) v *= 1e-5f;
            x[r * k + i] = v;
        }
    return x;
}

typedef struct {
    QuantMatrix w;
    uint8_t *blocks; /* one byte before an aligned place */
    float *x, *bias;
    size_t m;
} Case;

static Case case_make(uint32_t type, size_t m, size_t n, size_t k, bool extreme) {
    Case c = {.blocks = room(quant_row_bytes(type, k) * n + 1), .x = fill_activations(m, k), .m = m};
    c.bias = room(n * sizeof(float));
    for (size_t j = 0; j < n; j++) c.bias[j] = number();
    fill_weights(type, c.blocks + 1, n, k, extreme);
    c.w = (QuantMatrix){type, n, k, c.blocks + 1, quant_row_bytes(type, k), c.bias};
    return c;
}

static void case_free(Case *c) {
    free(c->blocks);
    free(c->x);
    free(c->bias);
}

/* out [m, ldo] for columns [from, to). */
static void multiply(const KernQuant *q, const QuantMatrix *w, size_t from, size_t to, const float *x, size_t m,
                     float *out, size_t ldo) {
    QuantKind kind = quant_kind(w->type);
    void *rows = room(m * quant_kind_bytes(kind, w->k)), *scratch = room(quant_scratch_bytes(w->k));
    q->rows(kind, x, w->k, m, w->k, rows);
    q->gemm(w, from, to, rows, m, out, ldo, scratch);
    free(rows);
    free(scratch);
}

/* ---- against ggml ---- */

typedef struct {
    Str name;
    size_t k;
    float *x; /* [2, k] */
} Acts;

static void *hex_field(Arena *a, Str *line, size_t *bytes) {
    Str hex;
    CHECK(str_cut(line, ' ', &hex));
    *bytes = hex.n / 2;
    void *p = arena_alloc(a, *bytes);
    CHECK(hex_read(hex, p, *bytes));
    return p;
}

static void check_golden(uint32_t type, const Acts *acts, const uint8_t *blocks, size_t n, const float *want) {
    const QuantMatrix w = {type, n, acts->k, blocks, quant_row_bytes(type, acts->k), NULL};
    float *decoded = room(acts->k * sizeof *decoded), *out = room(2 * n * sizeof *out);
    EACH_LEVEL(q) {
        multiply(q, &w, 0, n, acts->x, 2, out, n);
        for (size_t i = 0; i < 2 * n; i++) {
            double size = 0; /* what sums may pass through on their way, minimums apart */
            block_format(type)->decode(blocks + i % n * w.row_bytes, acts->k, decoded);
            for (size_t d = 0; d < acts->k; d++) size = fmax(size, fabs((double)decoded[d]));
            double activations = 0;
            for (size_t d = 0; d < acts->k; d++) activations += fabs((double)acts->x[i / n * acts->k + d]);
            if (!(fabs((double)out[i] - (double)want[i]) <= 1e-6 * size * activations))
                fail_msg("%s on %s: product %zu is %.9g, ggml's is %.9g", block_format(type)->name,
                         levels[level_]->name, i, (double)out[i], (double)want[i]);
        }
    }
    free(decoded);
    free(out);
}

static void products_are_those_of_ggml(void **state) {
    (void)state;
    Arena a = {0};
    Str text, line;
    Acts acts = {0};
    size_t lines = 0, bytes;
    CHECK_OK(file_read(&a, TESTS_DIR "/golden/quant.txt", 1 << 20, &text));
    while (str_line(&text, &line)) {
        Str type, name, k;
        CHECK(str_cut(&line, ' ', &type) && str_cut(&line, ' ', &name) && str_cut(&line, ' ', &k));
        if (str_eq(type, STR("acts"))) {
            acts.name = name;
            acts.x = hex_field(&a, &line, &bytes);
            acts.k = bytes / 8;
            continue;
        }
        const uint8_t *blocks = hex_field(&a, &line, &bytes);
        for (size_t i = 0; i < N_TYPES; i++) {
            if (!str_is(type, block_format(types[i])->name)) continue;
            size_t n = bytes / quant_row_bytes(types[i], acts.k), products;
            const float *want = hex_field(&a, &line, &products);
            CHECK_INT(products, 2 * n * sizeof(float));
            check_golden(types[i], &acts, blocks, n, want);
            lines++;
        }
    }
    CHECK_INT(lines, N_TYPES);
    arena_free(&a);
}

/* ---- against the numbers themselves ---- */

/* Activations as int8 of blocks say them: what quantising may be off by is known, the product is then exact. */
static void products_are_those_of_the_decoded_weights(void **state) {
    (void)state;
    enum { N = 5, K = 1024, M = 3 };
    for (size_t t = 0; t < N_TYPES; t++) {
        Case c = case_make(types[t], M, N, K, false);
        float *decoded = room(K * sizeof *decoded), *out = room(M * N * sizeof *out);
        multiply(levels[0]->quant, &c.w, 0, N, c.x, M, out, N);
        for (size_t j = 0; j < N; j++) {
            block_format(types[t])->decode((const uint8_t *)c.w.rows + j * c.w.row_bytes, K, decoded);
            for (size_t i = 0; i < M; i++) {
                double want = (double)c.bias[j], squares = 0, top = 0;
                for (size_t d = 0; d < K; d++) {
                    want += (double)decoded[d] * (double)c.x[i * K + d];
                    squares += (double)decoded[d] * (double)decoded[d];
                    top = fmax(top, fabs((double)c.x[i * K + d]));
                }
                /* errors of at most half a step, evenly spread: their sum's deviation is step / sqrt(12) * |w|; five of
                 * them, and as much for scales in half precision */
                double step = quant_kind(types[t]) == QUANT_FLOATS ? 1e-5 : top / 127;
                CHECK_NEAR(out[i * N + j], want, 5 * step * sqrt(squares / 12) + 1e-3 * step * sqrt(squares * K));
            }
        }
        case_free(&c);
        free(decoded);
        free(out);
    }
}

/* ---- levels against each other ---- */

static void check_levels_agree(uint32_t type, size_t m, size_t n, size_t k, bool extreme) {
    Case c = case_make(type, m, n, k, extreme);
    size_t bytes = m * n * sizeof(float);
    float *want = room(bytes), *got = room(bytes);
    multiply(levels[0]->quant, &c.w, 0, n, c.x, m, want, n);
    for (size_t i = 0; i < m * n; i++) CHECK(isfinite(want[i]));
    EACH_LEVEL(q) {
        memset(got, 0xA5, bytes);
        multiply(q, &c.w, 0, n, c.x, m, got, n);
        for (size_t i = 0; i < m * n; i++)
            if (memcmp(got + i, want + i, sizeof *got) != 0)
                fail_msg("%s on %s, m %zu, n %zu, k %zu: [%zu, %zu] is %.9g, scalar has %.9g", block_format(type)->name,
                         levels[level_]->name, m, n, k, i / n, i % n, (double)got[i], (double)want[i]);
    }
    case_free(&c);
    free(want);
    free(got);
}

static void every_level_gives_the_scalar_bits(void **state) {
    (void)state;
    static const size_t small[] = {32, 96, 224, 256, 288, 352, 640, 1504}, large[] = {256, 512, 768, 2304};
    static const size_t odd[] = {1, 7, 16, 33, 100};
    for (size_t t = 0; t < N_TYPES; t++) {
        size_t items = block_format(types[t])->items;
        for (size_t m = 1; m <= 20; m++) {
            size_t n = m % 5 == 0 ? 71 : m % 3 == 0 ? 33 : 1 + m % 4 * 16;
            size_t k = items == 1 ? odd[m % 5] : items == 32 ? small[m % 8] : large[m % 4];
            check_levels_agree(types[t], m, n, k, false);
        }
        check_levels_agree(types[t], 67, 40, 768, false);
        check_levels_agree(types[t], 1, 40, 768, false);
        for (int i = 0; i < 8; i++) {
            check_levels_agree(types[t], 21, 35, 1024, true);
            check_levels_agree(types[t], 2, 3, 1024, true);
        }
    }
}

static void every_level_makes_the_same_rows(void **state) {
    (void)state;
    enum { M = 9, K = 768 };
    float *x = fill_activations(M, K);
    x[0] = -0.0f;
    x[K + 5] = 60000.0f * 127;
    x[4 * K + 300] = 1e-38f;
    for (int kind = QUANT_FLOATS; kind <= QUANT_BLOCKS256; kind++) {
        size_t bytes = M * quant_kind_bytes((QuantKind)kind, K);
        char *want = room(bytes), *got = room(bytes);
        memset(want, 0, bytes);
        levels[0]->quant->rows((QuantKind)kind, x, K, M, K, want);
        EACH_LEVEL(q) {
            memset(got, 0, bytes);
            q->rows((QuantKind)kind, x, K, M, K, got);
            CHECK(memcmp(got, want, bytes) == 0);
        }
        free(want);
        free(got);
    }
    free(x);
}

static void an_output_does_not_depend_on_its_company(void **state) {
    (void)state;
    enum { M = 17, N = 77, K = 1280 };
    for (size_t t = 0; t < N_TYPES; t++) {
        Case c = case_make(types[t], M, N, K, false);
        float *all = room(M * N * sizeof *all), *part = room(M * N * sizeof *part);
        EACH_LEVEL(q) {
            multiply(q, &c.w, 0, N, c.x, M, all, N);
            for (size_t round = 0; round < 6; round++) {
                size_t from = bits32() % N, to = from + 1 + bits32() % (N - from);
                size_t row = bits32() % M, m = 1 + bits32() % (round < 3 ? 2 : M - row);
                m = m < M - row ? m : M - row;
                for (size_t i = 0; i < M * N; i++) part[i] = 12345.0f;
                multiply(q, &c.w, from, to, c.x + row * K, m, part, N);
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < N; j++) {
                        const float *want = &all[(row + i) * N + j];
                        if (j < from || j >= to)
                            CHECK(part[i * N + j] == 12345.0f);
                        else
                            CHECK(memcmp(part + i * N + j, want, sizeof *want) == 0);
                    }
            }
        }
        case_free(&c);
        free(all);
        free(part);
    }
}

/* A weight row is the last thing in the file, and the first: nothing around it may be touched. */
static void weights_are_read_to_their_ends_and_no_further(void **state) {
    (void)state;
    enum { N = 3, M = 20, K = 768 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 4 * page;
    uint8_t *map = mmap(NULL, size + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    CHECK_INT(mprotect(map, page, PROT_NONE), 0);
    CHECK_INT(mprotect(map + page + size, page, PROT_NONE), 0);
    for (size_t t = 0; t < N_TYPES; t++) {
        Case c = case_make(types[t], M, N, K, false);
        size_t bytes = N * c.w.row_bytes;
        float *want = room(M * N * sizeof *want), *got = room(M * N * sizeof *got);
        CHECK(bytes <= size);
        EACH_LEVEL(q) {
            multiply(q, &c.w, 0, N, c.x, M, want, N);
            for (int end = 0; end < 2; end++) {
                QuantMatrix w = c.w;
                w.rows = memcpy(map + page + (end ? size - bytes : 0), c.blocks + 1, bytes);
                CHECK_INT(quant_check(w.type, w.rows, w.row_bytes, N, K), N);
                for (size_t m = 1; m <= M; m += 19) {
                    multiply(q, &w, 0, N, c.x, m, got, N);
                    CHECK(memcmp(got, want, m * N * sizeof *got) == 0);
                }
            }
        }
        case_free(&c);
        free(want);
        free(got);
    }
    CHECK_INT(munmap(map, size + 2 * page), 0);
}

/* ---- exact ---- */

typedef struct {
    double value, size; /* size: sum of the products' magnitudes */
} Exact;

static Exact exact_product(const Case *c, const float *decoded, size_t i, size_t j, bool bf16) {
    Exact e = {(double)c->bias[j], fabs((double)c->bias[j])};
    for (size_t d = 0; d < c->w.k; d++) {
        float w = decoded[d], x = c->x[i * c->w.k + d];
        double product = bf16 ? (double)bf16_float(bf16_of(w)) * (double)bf16_float(bf16_of(x)) : (double)w * (double)x;
        e.value += product;
        e.size += fabs(product);
    }
    return e;
}

static void check_exact(const Kern *kern, const Case *c, bool bf16) {
    size_t n = c->w.n, k = c->w.k, ldo = low_wide(n), from = LOW_WIDE;
    float *out = room(c->m * ldo * sizeof *out), *part = room(c->m * ldo * sizeof *part);
    float *decoded = room(k * sizeof *decoded);
    void *scratch = room(bf16 ? quant_bf16_scratch_bytes(k) : quant_f32_scratch_bytes(kern, k));
    Bf16 *halves = room(c->m * low_wide(k) * sizeof *halves);
    for (size_t i = 0; i < c->m; i++)
        for (size_t d = 0; d < k; d++) halves[i * low_wide(k) + d] = bf16_of(c->x[i * k + d]);
    LowRows a = {halves, low_wide(k), NULL, NULL}, last = {halves + (c->m - 1) * low_wide(k), low_wide(k), NULL, NULL};
    if (bf16) {
        quant_gemm_bf16(kern, &c->w, 0, n, LOW_OUT_F32, &a, c->m, out, ldo, scratch);
        quant_gemm_bf16(kern, &c->w, from, n, LOW_OUT_F32, &last, 1, part, ldo, scratch);
    } else {
        quant_gemm_f32(kern, &c->w, 0, n, KERN_PLAIN, c->x, k, c->m, out, ldo, scratch);
        from = 3;
        quant_gemm_f32(kern, &c->w, from, n, KERN_PLAIN, c->x + (c->m - 1) * k, k, 1, part, ldo, scratch);
    }
    CHECK(memcmp(part + from, out + (c->m - 1) * ldo + from, (n - from) * sizeof *out) == 0);
    for (size_t j = 0; j < n; j++) {
        block_format(c->w.type)->decode((const uint8_t *)c->w.rows + j * c->w.row_bytes, k, decoded);
        for (size_t i = 0; i < c->m; i++) {
            Exact e = exact_product(c, decoded, i, j, bf16);
            CHECK_NEAR(out[i * ldo + j], e.value, e.size * (double)(k + 2) * 0x1p-24);
        }
    }
    free(out);
    free(part);
    free(decoded);
    free(scratch);
    free(halves);
}

static void weights_decode_to_the_numbers_of_their_format(void **state) {
    (void)state;
    enum { BLOCKS = 43 };
    for (size_t t = 0; t < N_TYPES; t++) {
        const BlockFormat *f = block_format(types[t]);
        size_t n = BLOCKS * f->items;
        uint8_t *blocks = room(BLOCKS * f->bytes + 1);
        float *want = room(n * sizeof *want), *got = room((n + 1) * sizeof *got);
        fill_weights(types[t], blocks + 1, 1, n, false);
        EACH_LEVEL(q) {
            for (size_t m = f->items; m <= n; m += (f->items == 1 ? 7 : 3) * f->items) {
                f->decode(blocks + 1, m, want);
                got[m] = 12345.0f;
                q->decode(types[t], blocks + 1, m, got);
                for (size_t i = 0; i < m; i++) CHECK(got[i] == want[i]); /* zeros may differ in sign */
                CHECK(got[m] == 12345.0f);
            }
        }
        free(blocks);
        free(want);
        free(got);
    }
}

static void exact_products_are_those_of_the_decoded_weights(void **state) {
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        size_t items = block_format(types[t])->items;
        Case c = case_make(types[t], 15, 75, items == 1 ? 301 : items == 32 ? 352 : 512, false);
        for (size_t level = 0; level < n_levels; level++)
            for (int bf16 = 0; bf16 < 2; bf16++) check_exact(levels[level], &c, bf16);
        case_free(&c);
    }
}

/* ---- what is refused ---- */

static void rows_with_scales_that_are_no_numbers_are_found(void **state) {
    (void)state;
    enum { N = 6, K = 768 };
    static const uint16_t bad16[] = {0x7C00, 0xFC00, 0x7E00, 0xFFFF}; /* infinities and NaNs of F16 */
    for (size_t t = 0; t < N_TYPES; t++) {
        const BlockFormat *f = block_format(types[t]);
        Case c = case_make(types[t], 1, N, K, false);
        size_t at[2], halves = halves_of(types[t], at), blocks = N * K / f->items;
        uint8_t *p = c.blocks + 1;
        CHECK_INT(quant_check(types[t], p, c.w.row_bytes, N, K), N);
        CHECK_INT(quant_check(types[t], p, c.w.row_bytes, 0, K), 0);
        for (size_t round = 0; round < 64; round++) {
            size_t block = round == 0 ? 0 : round == 1 ? blocks - 1 : bits32() % blocks;
            uint8_t *place = p + block * f->bytes + at[bits32() % halves], saved[2];
            if (types[t] == BLOCK_F32) place += 2;
            uint16_t bad = bad16[bits32() % 4];
            if (types[t] == BLOCK_F32 || types[t] == BLOCK_BF16) bad |= 0x7F80;
            memcpy(saved, place, sizeof saved);
            memcpy(place, &bad, sizeof bad);
            CHECK_INT(quant_check(types[t], p, c.w.row_bytes, N, K), block * f->items / K);
            memcpy(place, saved, sizeof saved);
        }
        case_free(&c);
    }
}

static void what_fits_is_told(void **state) {
    (void)state;
    CHECK(quant_fits(BLOCK_Q8_0, 640) && !quant_fits(BLOCK_Q8_0, 641) && !quant_fits(BLOCK_Q8_0, 0));
    CHECK(quant_fits(BLOCK_Q4_K, 512) && !quant_fits(BLOCK_Q4_K, 640));
    CHECK(quant_fits(BLOCK_F16, 7) && !quant_fits(BLOCK_IQ4_NL, 256) && !quant_fits(4, 256));
    CHECK_INT(quant_row_bytes(BLOCK_Q6_K, 512), 420);
    CHECK_INT(quant_kind(BLOCK_Q4_1), QUANT_BLOCKS32);
    CHECK_INT(quant_kind(BLOCK_Q6_K), QUANT_BLOCKS256);
    CHECK_INT(quant_kind(BLOCK_BF16), QUANT_FLOATS);
    for (size_t t = 0; t < N_TYPES; t++) CHECK(block_format(types[t])->decode && quant_fits(types[t], 256));
    for (uint32_t type = 0; type < 64; type++) /* what can be decoded can be multiplied */
        CHECK_INT(quant_fits(type, 256), block_format(type) && block_format(type)->decode);
}

int main(void) {
    n_levels = kern_levels(levels, LEVELS_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_ggml),
        cmocka_unit_test(products_are_those_of_the_decoded_weights),
        cmocka_unit_test(every_level_gives_the_scalar_bits),
        cmocka_unit_test(every_level_makes_the_same_rows),
        cmocka_unit_test(an_output_does_not_depend_on_its_company),
        cmocka_unit_test(weights_are_read_to_their_ends_and_no_further),
        cmocka_unit_test(weights_decode_to_the_numbers_of_their_format),
        cmocka_unit_test(exact_products_are_those_of_the_decoded_weights),
        cmocka_unit_test(rows_with_scales_that_are_no_numbers_are_found),
        cmocka_unit_test(what_fits_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
