/* test_low.c - the kernels of low.h at every level this CPU has: against the plain definition, and against themselves
 * cut into other pieces, which must give the same bits. */
#include <math.h>

#include "check.h"
#include "kern/kern.h"

enum { LEVELS_MAX = 8 };

static const Kern *levels[LEVELS_MAX];
static size_t n_levels;

static uint32_t seed = 1;
static float number(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
}

/* Zeroed, aligned to 64 bytes, with some room. */
static void *room(size_t bytes) {
    size_t n = (bytes + 191) / 64 * 64;
    void *p = aligned_alloc(64, n);
    assert_non_null(p);
    memset(p, 0, n);
    return p;
}

static float *numbers(size_t n) {
    float *x = room(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = number();
    return x;
}

static bool same_bits(const void *a, const void *b, size_t bytes) { return memcmp(a, b, bytes) == 0; }

#define EACH_LEVEL(low)                                                                                                \
    for (size_t level_ = 0; level_ < n_levels; level_++)                                                               \
        for (const KernLow *low = levels[level_]->low; low; low = NULL)

/* ---- a product and all that belongs to it ---- */

typedef struct {
    LowMatrix w;
    size_t group;
    float *rows; /* [n, k] */
    char *panels;
    float *bias, *scale, *sums;
} Packed;

static Packed pack_random(const KernLow *low, LowType type, size_t n, size_t k) {
    Packed p = {.group = low->group,
                .rows = numbers(n * k),
                .panels = room(low_panels(n) * low_panel_bytes(type, k)),
                .bias = numbers(low_wide(n)),
                .scale = room(low_wide(n) * sizeof(float)),
                .sums = room(low_wide(n) * sizeof(float))};
    for (size_t i = 0; i < low_panels(n); i++) {
        const float *rows[LOW_WIDE];
        for (size_t r = 0; r < LOW_WIDE; r++) rows[r] = i * LOW_WIDE + r < n ? p.rows + (i * LOW_WIDE + r) * k : NULL;
        low->pack(type, rows, k, p.panels + i * low_panel_bytes(type, k), p.scale + i * LOW_WIDE,
                  p.sums + i * LOW_WIDE);
    }
    p.w = (LowMatrix){type, n, k, p.panels, p.bias, p.scale, p.sums};
    return p;
}

static void packed_free(Packed *p) {
    free(p->rows);
    free(p->panels);
    free(p->bias);
    free(p->scale);
    free(p->sums);
}

typedef struct {
    LowRows rows;
    uint8_t *bytes;
    Bf16 *halves;
    float *scale, *zero;
} Acts;

/* Every byte occurs, the extremes often: where 16-bit sums would saturate. */
static Acts acts_random(LowType type, size_t m, size_t k) {
    size_t wide = low_wide(k);
    Acts a = {.bytes = room(m * wide), .halves = room(m * wide * 2), .scale = room(m * 4), .zero = room(m * 4)};
    for (size_t i = 0; i < m * wide; i++) {
        float x = number();
        a.bytes[i] = x > 0.5f ? 255 : x < -0.8f ? 0 : (uint8_t)((x + 1) * 127);
        a.halves[i] = bf16_of(x);
    }
    for (size_t r = 0; r < m; r++) {
        a.scale[r] = 0.001f + 0.01f * fabsf(number());
        a.zero[r] = (float)(int)((number() + 1) * 127);
    }
    a.rows = (LowRows){type == LOW_INT8 ? (void *)a.bytes : (void *)a.halves, wide, a.scale, a.zero};
    return a;
}

static void acts_free(Acts *a) {
    free(a->bytes);
    free(a->halves);
    free(a->scale);
    free(a->zero);
}

/* The weight as it was packed. */
static int packed_int8(const Packed *p, size_t row, size_t i) {
    const int8_t *panel = (const int8_t *)p->panels + row / LOW_WIDE * low_panel_bytes(LOW_INT8, p->w.k);
    return panel[i / p->group * p->group * LOW_WIDE + row % LOW_WIDE * p->group + i % p->group];
}

static double gelu_exact(double x) { return 0.5 * x * erfc(-x / sqrt(2.0)); }

/* What output j of row i must be; *bound: how far rounding may be off. */
static double product_exact(const Packed *p, const Acts *a, size_t i, size_t j, double *bound) {
    size_t k = p->w.k, wide = low_wide(k);
    double sum = 0, size = 0;
    if (p->w.type == LOW_INT8) {
        for (size_t d = 0; d < k; d++) {
            sum += ((double)a->bytes[i * wide + d] - (double)a->zero[i]) * packed_int8(p, j, d);
            size += (double)a->bytes[i * wide + d] * fabs((double)packed_int8(p, j, d));
        }
        double scale = (double)p->scale[j] * (double)a->scale[i];
        *bound = scale * (size + fabs((double)a->zero[i] * (double)p->sums[j])) * 0x1p-22;
        sum *= scale;
    } else {
        for (size_t d = 0; d < k; d++) {
            double product =
                (double)bf16_float(a->halves[i * wide + d]) * (double)bf16_float(bf16_of(p->rows[j * k + d]));
            sum += product;
            size += fabs(product);
        }
        *bound = size * (double)(k + 2) * 0x1p-24;
    }
    *bound += fabs((double)p->bias[j]) * 0x1p-22 + 1e-30;
    return sum + (double)p->bias[j];
}

static const size_t shapes[][3] = {{1, 1, 1},   {3, 5, 7},    {13, 33, 24},  {14, 64, 17},  {15, 31, 64},
                                   {29, 96, 3}, {61, 40, 48}, {7, 128, 384}, {28, 20, 1536}};

static void check_product(const KernLow *low, LowType type, size_t m, size_t n, size_t k) {
    Packed p = pack_random(low, type, n, k);
    Acts a = acts_random(type, m, k);
    size_t ldo = low_wide(n);
    float *out = room(m * ldo * 4);
    Bf16 *half = room(m * ldo * 2), *gelu = room(m * ldo * 2);
    low->gemm(&p.w, 0, low_panels(n), LOW_OUT_F32, &a.rows, m, out, ldo);
    low->gemm(&p.w, 0, low_panels(n), LOW_OUT_BF16, &a.rows, m, half, ldo);
    low->gemm(&p.w, 0, low_panels(n), LOW_OUT_GELU, &a.rows, m, gelu, ldo);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double bound, want = product_exact(&p, &a, i, j, &bound);
            CHECK_NEAR(out[i * ldo + j], want, bound);
            CHECK_NEAR(bf16_float(half[i * ldo + j]), (double)out[i * ldo + j], fabs(want) * 0x1p-8);
            double g = gelu_exact((double)out[i * ldo + j]);
            CHECK_NEAR(bf16_float(gelu[i * ldo + j]), g,
                       fabs(g) * 0x1p-8 + (type == LOW_INT8 ? 5e-4 : 4e-5) + fabs((double)out[i * ldo + j]) * 5e-6);
        }
    packed_free(&p);
    acts_free(&a);
    free(out);
    free(half);
    free(gelu);
}

static void gemm_is_the_product_with_scales_zero_points_and_bias(void **state) {
    (void)state;
    EACH_LEVEL(low) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            check_product(low, LOW_INT8, shapes[s][0], shapes[s][1], shapes[s][2]);
            check_product(low, LOW_BF16, shapes[s][0], shapes[s][1], shapes[s][2]);
        }
    }
}

static void no_sum_of_bytes_saturates(void **state) {
    (void)state;
    enum { K = 64 };
    EACH_LEVEL(low) {
        for (int sign = -1; sign <= 1; sign += 2) {
            Packed p = pack_random(low, LOW_INT8, LOW_WIDE, K);
            for (size_t i = 0; i < LOW_WIDE * K; i++) p.rows[i] = (float)sign;
            const float *rows[LOW_WIDE];
            for (size_t r = 0; r < LOW_WIDE; r++) rows[r] = p.rows + r * K;
            low->pack(LOW_INT8, rows, K, p.panels, p.scale, p.sums);
            CHECK_INT(packed_int8(&p, 3, 5), sign * (low->pair_max / 2));
            Acts a = acts_random(LOW_INT8, 5, K);
            memset(a.bytes, 255, 5 * K);
            float out[5 * LOW_WIDE];
            low->gemm(&p.w, 0, 1, LOW_OUT_F32, &a.rows, 5, out, LOW_WIDE);
            for (size_t i = 0; i < 5 * LOW_WIDE; i++) {
                double want = (255.0 - (double)a.zero[i / LOW_WIDE]) * K * sign * (double)a.scale[i / LOW_WIDE];
                CHECK_NEAR(out[i], want + (double)p.bias[i % LOW_WIDE], 1e-4 * (1 + fabs(want)));
            }
            packed_free(&p);
            acts_free(&a);
        }
    }
}

/* Weights as they are trained: mostly small, some large. */
static void weights_keep_eight_bits_within_the_limit_of_pairs(void **state) {
    (void)state;
    enum { K = 384 };
    EACH_LEVEL(low) {
        Packed p = pack_random(low, LOW_INT8, LOW_WIDE, K);
        const float *rows[LOW_WIDE];
        double scales = 0, tops = 0;
        for (size_t i = 0; i < LOW_WIDE * K; i++) p.rows[i] = number() * number() * number() * number();
        for (size_t r = 0; r < LOW_WIDE; r++) rows[r] = p.rows + r * K;
        low->pack(LOW_INT8, rows, K, p.panels, p.scale, p.sums);
        for (size_t r = 0; r < LOW_WIDE; r++) {
            double top = 0;
            for (size_t i = 0; i < K; i++) {
                int q = packed_int8(&p, r, i);
                /* half a step, and a whole one where a pair gave way */
                CHECK_NEAR(q * (double)p.scale[r], (double)rows[r][i],
                           (double)p.scale[r] * (low->pair_max == 254 ? 0.51 : 1.51));
                if (i % 2) CHECK(abs(packed_int8(&p, r, i - 1) + q) <= low->pair_max);
                CHECK(abs(q) <= 127);
                top = fmax(top, fabs((double)rows[r][i]));
            }
            scales += (double)p.scale[r];
            tops += top / 127;
        }
        CHECK(scales < tops * 1.25); /* twice with 7-bit weights */
        packed_free(&p);
    }
}

static void a_row_does_not_depend_on_its_company(void **state) {
    (void)state;
    enum { M = 61, N = 75, K = 100 };
    size_t ldo = low_wide(N);
    EACH_LEVEL(low) {
        for (int type = LOW_BF16; type <= LOW_INT8; type++) {
            Packed p = pack_random(low, (LowType)type, N, K);
            Acts a = acts_random((LowType)type, M, K);
            Bf16 *all = room(M * ldo * 2), *some = room(M * ldo * 2);
            low->gemm(&p.w, 0, low_panels(N), LOW_OUT_GELU, &a.rows, M, all, ldo);
            for (size_t m = 1; m <= 2 * low->tile + 1; m++)
                for (size_t from = 0; from + m <= M; from += 17) {
                    size_t each = type == LOW_INT8 ? 1 : 2;
                    LowRows part = {(const char *)a.rows.rows + from * a.rows.stride * each, a.rows.stride,
                                    a.scale + from, a.zero + from};
                    for (size_t q = 0; q < low_panels(N); q++)
                        low->gemm(&p.w, q, q + 1, LOW_OUT_GELU, &part, m, some, ldo);
                    CHECK(same_bits(some, all + from * ldo, m * ldo * sizeof *some));
                }
            packed_free(&p);
            acts_free(&a);
            free(all);
            free(some);
        }
    }
}

static void int8_sums_are_the_same_at_every_level(void **state) {
    (void)state;
    enum { M = 17, N = 64, K = 96 };
    EACH_LEVEL(low) {
        if (low->pair_max != levels[0]->low->pair_max) continue; /* other weights */
        bool same_order = low->group == levels[0]->low->group;
        seed = 7;
        Packed p = pack_random(low, LOW_INT8, N, K), q;
        Acts a = acts_random(LOW_INT8, M, K);
        seed = 7;
        q = pack_random(levels[0]->low, LOW_INT8, N, K);
        CHECK(!same_order || same_bits(p.panels, q.panels, low_panels(N) * low_panel_bytes(LOW_INT8, K)));
        CHECK(same_bits(p.scale, q.scale, N * 4) && same_bits(p.sums, q.sums, N * 4));
        float *x = room(M * N * 4), *y = room(M * N * 4);
        low->gemm(&p.w, 0, 2, LOW_OUT_F32, &a.rows, M, x, N);
        levels[0]->low->gemm(&q.w, 0, 2, LOW_OUT_F32, &a.rows, M, y, N);
        for (size_t i = 0; i < M * N; i++) CHECK_NEAR(x[i], (double)y[i], 1e-5 * (1 + fabs((double)y[i])));
        packed_free(&p);
        packed_free(&q);
        acts_free(&a);
        free(x);
        free(y);
    }
}

static void weights_of_nothing_pack_to_nothing(void **state) {
    (void)state;
    EACH_LEVEL(low) {
        float tiny[40] = {1e-42f}, zero[40] = {0}, scale[LOW_WIDE], sums[LOW_WIDE];
        const float *rows[LOW_WIDE] = {tiny, zero};
        int8_t panel[64 * LOW_WIDE];
        low->pack(LOW_INT8, rows, 40, panel, scale, sums);
        for (size_t i = 0; i < sizeof panel; i++) CHECK_INT(panel[i], 0);
        for (size_t i = 0; i < LOW_WIDE; i++) CHECK(scale[i] == 0 && sums[i] == 0);
    }
}

/* ---- rows on their way ---- */

static void check_bytes(const uint8_t *bytes, const float *want, size_t n, float scale, float zero) {
    CHECK(zero >= 0 && zero <= 255 && zero == floorf(zero));
    for (size_t i = 0; i < n; i++)
        CHECK_NEAR(((float)bytes[i] - zero) * scale, (double)want[i], (double)scale * 1.01 + 1e-30);
}

static void quantize_keeps_zero_and_is_off_by_a_step_at_most(void **state) {
    (void)state;
    EACH_LEVEL(low) {
        for (int kind = 0; kind < 4; kind++) {
            enum { N = 96 };
            Bf16 in[N];
            float want[N], scale, zero;
            uint8_t out[N];
            for (size_t i = 0; i < N; i++) {
                float x = kind == 0 ? number() : kind == 1 ? fabsf(number()) * 9 : kind == 2 ? -fabsf(number()) : 0;
                in[i] = bf16_of(i % 7 ? x : 0);
                want[i] = bf16_float(in[i]);
            }
            low->quantize(in, 1, N, out, &scale, &zero);
            check_bytes(out, want, N, scale, zero);
            for (size_t i = 0; i < N; i++)
                if (want[i] == 0 && kind < 3) CHECK_INT(out[i], (int)zero);
        }
    }
}

static void layernorm_is_that_of_f32_and_quantises_it_smoothed(void **state) {
    (void)state;
    static const size_t widths[] = {1, 24, 32, 47, 384};
    for (size_t l = 0; l < n_levels; l++)
        for (size_t w = 0; w < 5; w++)
            for (int type = LOW_BF16; type <= LOW_INT8; type++) {
                enum { M = 3 };
                const KernLow *low = levels[l]->low;
                size_t n = widths[w], wide = low_wide(n);
                float *x = room(M * wide * 4), *y = room(M * wide * 4), *want = numbers(M * n),
                      *weight = room(wide * 4), *bias = room(wide * 4), *smooth = room(wide * 4), scale[M], zero[M];
                bool smoothed = type == LOW_INT8 && w % 2;
                void *rows = room(M * wide * 2);
                for (size_t i = 0; i < n; i++) weight[i] = number(), bias[i] = number(), smooth[i] = 2 + number();
                for (size_t r = 0; r < M; r++)
                    for (size_t i = 0; i < n; i++) {
                        x[r * wide + i] = number() + 4;
                        y[r * wide + i] = number();
                        want[r * n + i] = x[r * wide + i] + y[r * wide + i];
                    }
                levels[l]->layernorm(want, NULL, weight, bias, 1e-5f, M, n, want);
                LowNorm io = {x, rows, scale, zero, smoothed ? smooth : NULL};
                low->layernorm((LowType)type, y, weight, bias, 1e-5f, M, n, wide, &io);
                for (size_t r = 0; r < M; r++) {
                    float q[384];
                    for (size_t i = 0; i < n; i++) {
                        CHECK_NEAR(x[r * wide + i], (double)want[r * n + i], 1e-4 * (n == 1 ? 100 : 1));
                        q[i] = x[r * wide + i] * (smoothed ? smooth[i] : 1);
                        if (type == LOW_BF16) CHECK_INT(((Bf16 *)rows)[r * wide + i], bf16_of(x[r * wide + i]));
                    }
                    for (size_t i = n; i < wide; i++) CHECK(x[r * wide + i] == 0);
                    if (type == LOW_INT8) check_bytes((uint8_t *)rows + r * wide, q, n, scale[r], zero[r]);
                }
                free(x), free(y), free(want), free(weight), free(bias), free(smooth), free(rows);
            }
}

/* ---- attention ---- */

static void attention_exact(const Bf16 *qkv, size_t stride, size_t tokens, size_t dim, size_t row, double *out) {
    double *p = malloc(tokens * sizeof *p), top = -INFINITY, sum = 0;
    assert_non_null(p);
    for (size_t t = 0; t < tokens; t++) {
        p[t] = 0;
        for (size_t d = 0; d < dim; d++)
            p[t] += (double)bf16_float(qkv[row * stride + d]) * (double)bf16_float(qkv[t * stride + dim + d]);
        if (p[t] > top) top = p[t];
    }
    for (size_t t = 0; t < tokens; t++) sum += p[t] = exp2(p[t] - top);
    for (size_t d = 0; d < dim; d++) {
        out[d] = 0;
        for (size_t t = 0; t < tokens; t++) out[d] += p[t] / sum * (double)bf16_float(qkv[t * stride + 2 * dim + d]);
    }
    free(p);
}

static void check_attention(const KernLow *low, size_t n, size_t dim, float size) {
    size_t stride = 3 * dim;
    Bf16 *qkv = room(n * stride * 2), *out = room(n * (dim + 1) * 2);
    double *want = malloc(dim * sizeof *want);
    for (size_t i = 0; i < n * stride; i++) qkv[i] = bf16_of(number() * (i % stride < 2 * dim ? size : 1));
    out[dim] = 12345;
    LowAttention a = {
        qkv, qkv + dim, qkv + 2 * dim, stride, n, dim, out, dim + 1, room(low->attention_scratch(n, dim) * 4)};
    low->attention(&a);
    for (size_t row = 0; row < n; row++) {
        attention_exact(qkv, stride, n, dim, row, want);
        /* powers and results are rounded to 8 bits, values are below 1 */
        for (size_t d = 0; d < dim; d++) CHECK_NEAR(bf16_float(out[row * (dim + 1) + d]), want[d], 0x1p-7);
    }
    CHECK_INT(out[dim], 12345);
    free(a.scratch);
    free(want);
    free(qkv);
    free(out);
}

static void attention_mixes_values_by_softmax_of_two(void **state) {
    (void)state;
    static const size_t tokens[] = {1, 2, 13, 14, 15, 16, 17, 31, 32, 33, 100}, dims[] = {8, 24, 32, 40, 64};
    EACH_LEVEL(low) {
        for (size_t t = 0; t < 11; t++)
            for (size_t d = 0; d < 5; d++) check_attention(low, tokens[t], dims[d], 1);
        check_attention(low, 60, 32, 20); /* scores of thousands: the maximum is subtracted */
    }
}

int main(void) {
    n_levels = kern_levels(levels, LEVELS_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_is_the_product_with_scales_zero_points_and_bias),
        cmocka_unit_test(no_sum_of_bytes_saturates),
        cmocka_unit_test(a_row_does_not_depend_on_its_company),
        cmocka_unit_test(weights_keep_eight_bits_within_the_limit_of_pairs),
        cmocka_unit_test(int8_sums_are_the_same_at_every_level),
        cmocka_unit_test(weights_of_nothing_pack_to_nothing),
        cmocka_unit_test(quantize_keeps_zero_and_is_off_by_a_step_at_most),
        cmocka_unit_test(layernorm_is_that_of_f32_and_quantises_it_smoothed),
        cmocka_unit_test(attention_mixes_values_by_softmax_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
