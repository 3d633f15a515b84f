/* test_kern.c - every kernel at every level this CPU has, against the plain definition in double precision, and against
 * itself cut into other pieces, which must give the same bits. */
#include <math.h>

#include "check.h"
#include "kern/kern.h"

enum { LEVELS_MAX = 8 };

static const Kern *levels[LEVELS_MAX];
static size_t n_levels;

/* Numbers in [-1, 1), the same on every machine. */
static uint32_t seed = 1;
static float number(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
}

static float *numbers(size_t n) {
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = number();
    return x;
}

/* Bits, not values: -0 and 0 differ, NaN equals itself. */
static bool same_bits(const void *a, const void *b, size_t bytes) { return memcmp(a, b, bytes) == 0; }

#define EACH_LEVEL(kern)                                                                                               \
    for (size_t level_ = 0; level_ < n_levels; level_++)                                                               \
        for (const Kern *kern = levels[level_]; kern; kern = NULL)

static void levels_are_named_and_the_last_is_the_default(void **state) {
    (void)state;
    CHECK(n_levels >= 1);
    CHECK(strcmp(levels[0]->name, "scalar") == 0);
    CHECK(kern_find("scalar") == levels[0]);
    CHECK(kern_find("avx9000") == NULL);
    CHECK_OK(kern_init());
    const char *forced = getenv("PYTHIA_CPU");
    if (!forced || !*forced) CHECK(kern_table() == levels[n_levels - 1]);
    CHECK(strstr(kern_level_names(), "scalar") != NULL);
}

/* ---- inner products ---- */

/* A sum of n products in any order is off by at most n roundings of the sum of magnitudes. */
static double dot_exact(const float *a, const float *b, size_t n, double *bound) {
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        size += fabs((double)a[i] * (double)b[i]);
    }
    *bound = (double)(n + 2) * 0x1p-24 * size + 1e-30;
    return sum;
}

static void dot_is_the_sum_of_products(void **state) {
    (void)state;
    static const size_t more[] = {127, 384, 385, 768, 1000};
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < 70 + 5; i++) {
            size_t n = i < 70 ? i : more[i - 70];
            float *a = numbers(n), *b = numbers(n);
            double bound, want = dot_exact(a, b, n, &bound);
            CHECK_NEAR(kern->dot(a, b, n), want, bound);
            free(a);
            free(b);
        }
    }
}

static void dot_rows_gives_the_bits_of_dot(void **state) {
    (void)state;
    static const size_t dims[] = {1, 7, 16, 33, 384, 391};
    EACH_LEVEL(kern) {
        for (size_t d = 0; d < 6; d++)
            for (size_t n = 0; n < 12; n++) {
                float *q = numbers(dims[d]), *rows = numbers(n * dims[d]), out[12];
                kern->dot_rows(q, rows, n, dims[d], out);
                for (size_t i = 0; i < n; i++) {
                    float one = kern->dot(q, rows + i * dims[d], dims[d]);
                    CHECK(same_bits(&one, &out[i], sizeof one));
                }
                free(q);
                free(rows);
            }
    }
}

/* ---- matrix products ---- */

typedef struct {
    KernMatrix w;
    float *rows, *panels, *bias;
} Packed;

static Packed pack_random(const Kern *kern, size_t n, size_t k) {
    size_t panels = kern_panels(kern, n);
    Packed p = {
        .rows = numbers(n * k), .panels = numbers(panels * kern->panel * k), .bias = numbers(panels * kern->panel)};
    for (size_t i = 0; i < panels; i++) {
        const float *rows[KERN_PANEL_MAX];
        for (size_t r = 0; r < kern->panel; r++)
            rows[r] = i * kern->panel + r < n ? p.rows + (i * kern->panel + r) * k : NULL;
        CHECK(kern->pack(rows, k, p.panels + i * kern->panel * k));
    }
    p.w = (KernMatrix){n, k, p.panels, p.bias};
    return p;
}

static void packed_free(Packed *p) {
    free(p->rows);
    free(p->panels);
    free(p->bias);
}

static void gemm_is_the_product_and_the_bias(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},   {3, 5, 7},     {13, 33, 24},  {14, 64, 17},  {15, 31, 64},
                                       {29, 96, 3}, {162, 40, 48}, {7, 128, 384}, {61, 20, 1536}};
    EACH_LEVEL(kern) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], lda = k + 3, ldo = n + 2;
            Packed p = pack_random(kern, n, k);
            float *a = numbers(m * lda), *out = numbers(m * ldo);
            float guard = out[n];
            kern->gemm(&p.w, 0, kern_panels(kern, n), KERN_PLAIN, a, lda, m, out, ldo);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double bound, want = dot_exact(a + i * lda, p.rows + j * k, k, &bound) + (double)p.bias[j];
                    CHECK_NEAR(out[i * ldo + j], want, bound + fabs((double)p.bias[j]) * (double)(k + 2) * 0x1p-24);
                }
            CHECK(same_bits(&guard, &out[n], sizeof guard)); /* nothing is written behind a row's end */
            packed_free(&p);
            free(a);
            free(out);
        }
    }
}

static void gemm_of_a_row_does_not_depend_on_its_company(void **state) {
    (void)state;
    enum { M = 61, N = 75, K = 100 };
    EACH_LEVEL(kern) {
        Packed p = pack_random(kern, N, K);
        float *a = numbers(M * K), *all = numbers(M * N), *some = numbers(M * N);
        size_t panels = kern_panels(kern, N);
        kern->gemm(&p.w, 0, panels, KERN_GELU, a, K, M, all, N);
        for (size_t m = 1; m <= 2 * kern->tile + 1; m++)
            for (size_t from = 0; from + m <= M; from += 17) {
                for (size_t q = 0; q < panels; q++) kern->gemm(&p.w, q, q + 1, KERN_GELU, a + from * K, K, m, some, N);
                CHECK(same_bits(some, all + from * N, m * N * sizeof *some));
            }
        packed_free(&p);
        free(a);
        free(all);
        free(some);
    }
}

static void pack_puts_inputs_first_and_refuses_what_is_not_finite(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    enum { K = 37 };
    EACH_LEVEL(kern) {
        float *w = numbers(KERN_PANEL_MAX * K), *out = numbers(KERN_PANEL_MAX * K);
        const float *rows[KERN_PANEL_MAX] = {NULL};
        for (size_t r = 0; r + 3 < kern->panel; r++) rows[r] = w + r * K;
        CHECK(kern->pack(rows, K, out));
        for (size_t k = 0; k < K; k++)
            for (size_t r = 0; r < kern->panel; r++) CHECK(out[k * kern->panel + r] == (rows[r] ? rows[r][k] : 0.0f));
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < K; k += 9) {
                float keep = w[2 * K + k];
                w[2 * K + k] = bad[i];
                CHECK(!kern->pack(rows, K, out));
                w[2 * K + k] = keep;
            }
        free(w);
        free(out);
    }
}

/* ---- element by element ---- */

static void gelu_is_exact_to_rounding(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        double worst = 0;
        for (int step = -120000; step <= 120000; step += LEVELS_MAX - 1) {
            float x = (float)step / 10000.0f, y = x;
            kern->gelu(&y, 1);
            double want = 0.5 * (double)x * erfc(-(double)x / sqrt(2.0));
            double error = fabs((double)y - want) / fmax(1.0, fabs((double)x));
            if (error > worst) worst = error;
        }
        CHECK_NEAR(worst, 0, 1e-7); /* as kern.h says */
        float odd[] = {0.0f, -0.0f, 1e30f, -1e30f, 40.0f, -40.0f, NAN, 1e-30f, -1e-30f};
        kern->gelu(odd, sizeof odd / sizeof *odd);
        CHECK_NEAR(odd[0], 0, 0);
        CHECK_NEAR(odd[2] / 1e30f, 1, 1e-6);
        CHECK_NEAR(odd[3] / 1e30f, 0, 1e-20);
        CHECK_NEAR(odd[4], 40, 1e-6);
        CHECK_NEAR(odd[5], 0, 1e-6);
        CHECK(isnan(odd[6]));
        CHECK_NEAR(odd[7] / 1e-30f, 0.5, 1e-6);
    }
}

static void gelu_of_an_element_does_not_depend_on_its_place(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        float x[67], one;
        for (size_t i = 0; i < 67; i++) x[i] = number() * 6;
        for (size_t i = 0; i < 67; i++) {
            float copy[67];
            memcpy(copy, x, sizeof x);
            kern->gelu(copy, 67);
            one = x[i];
            kern->gelu(&one, 1);
            CHECK(same_bits(&one, &copy[i], sizeof one));
        }
    }
}

static void layernorm_centres_scales_and_adds_the_residual(void **state) {
    (void)state;
    static const size_t widths[] = {1, 5, 16, 24, 47, 384, 400};
    EACH_LEVEL(kern) {
        for (size_t w = 0; w < 7; w++) {
            size_t n = widths[w], m = 3;
            float *x = numbers(m * n), *r = numbers(m * n), *weight = numbers(n), *bias = numbers(n),
                  *out = numbers(m * n);
            for (size_t i = 0; i < m * n; i++) x[i] += 10; /* a mean far from 0: one pass would lose digits */
            for (int with = 0; with < 2; with++) {
                kern->layernorm(x, with ? r : NULL, weight, bias, 1e-5f, m, n, out);
                for (size_t row = 0; row < m; row++) {
                    double mean = 0, variance = 0;
                    for (size_t i = 0; i < n; i++) mean += (double)x[row * n + i] + (with ? (double)r[row * n + i] : 0);
                    mean /= (double)n;
                    for (size_t i = 0; i < n; i++) {
                        double d = (double)x[row * n + i] + (with ? (double)r[row * n + i] : 0) - mean;
                        variance += d * d;
                    }
                    double scale = 1 / sqrt(variance / (double)n + 1e-5);
                    for (size_t i = 0; i < n; i++) {
                        double d = (double)x[row * n + i] + (with ? (double)r[row * n + i] : 0) - mean;
                        /* 10 + x is rounded at 1e-6, and the scale of narrow rows is large */
                        CHECK_NEAR(out[row * n + i], d * scale * (double)weight[i] + (double)bias[i],
                                   2e-6 * (1 + scale));
                    }
                }
            }
            kern->layernorm(x, r, weight, bias, 1e-5f, m, n, r); /* in place over the residual */
            CHECK(same_bits(r, out, m * n * sizeof *r));
            free(x);
            free(r);
            free(weight);
            free(bias);
            free(out);
        }
    }
}

static void mean_rows_and_normalize_do_what_they_say(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        for (size_t n = 1; n < 70; n += 6) {
            float *rows = numbers(9 * n), *out = numbers(n);
            kern->mean_rows(rows, 9, n, out);
            double length = 0;
            for (size_t i = 0; i < n; i++) {
                double want = 0;
                for (size_t r = 0; r < 9; r++) want += (double)rows[r * n + i] / 9;
                CHECK_NEAR(out[i], want, 1e-6);
                length += (double)out[i] * (double)out[i];
            }
            float first = out[0];
            kern->normalize(out, n);
            CHECK_NEAR(out[0], (double)first / sqrt(length), 1e-6);
            free(rows);
            free(out);
        }
        float zero[20] = {0};
        kern->normalize(zero, 20);
        for (size_t i = 0; i < 20; i++) CHECK(zero[i] == 0.0f);
    }
}

/* ---- attention ---- */

static void attention_exact(const float *qkv, size_t stride, size_t tokens, size_t dim, double scale, size_t row,
                            double *out) {
    double *p = malloc(tokens * sizeof *p), top = -INFINITY, sum = 0;
    assert_non_null(p);
    for (size_t t = 0; t < tokens; t++) {
        p[t] = 0;
        for (size_t d = 0; d < dim; d++) p[t] += (double)qkv[row * stride + d] * (double)qkv[t * stride + dim + d];
        p[t] *= scale;
        if (p[t] > top) top = p[t];
    }
    for (size_t t = 0; t < tokens; t++) sum += p[t] = exp(p[t] - top);
    for (size_t d = 0; d < dim; d++) {
        out[d] = 0;
        for (size_t t = 0; t < tokens; t++) out[d] += p[t] / sum * (double)qkv[t * stride + 2 * dim + d];
    }
    free(p);
}

static void attention_mixes_values_by_softmax(void **state) {
    (void)state;
    static const size_t tokens[] = {1, 2, 13, 14, 15, 33, 100}, dims[] = {8, 24, 32, 40, 64};
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < 7 * 5; i++) {
            size_t n = tokens[i % 7], dim = dims[i / 7], stride = 3 * dim;
            float *qkv = numbers(n * stride), *out = numbers(n * (dim + 1)), guard = out[dim];
            double *want = malloc(dim * sizeof *want);
            KernAttention a = {
                qkv, qkv + dim, qkv + 2 * dim, stride,  n,
                dim, 0.5f,      out,           dim + 1, malloc(kern_attention_scratch(kern, n, dim) * sizeof(float))};
            kern->attention(&a);
            for (size_t row = 0; row < n; row++) {
                attention_exact(qkv, stride, n, dim, 0.5, row, want);
                /* |score| < 32: its rounding, 2e-6, is the relative error of a weight; values are below 1 */
                for (size_t d = 0; d < dim; d++) CHECK_NEAR(out[row * (dim + 1) + d], want[d], 4e-6);
            }
            CHECK(same_bits(&guard, &out[dim], sizeof guard));
            free(a.scratch);
            free(want);
            free(qkv);
            free(out);
        }
    }
}

static void attention_survives_scores_far_apart(void **state) {
    (void)state;
    enum { N = 20, D = 8 };
    EACH_LEVEL(kern) {
        float qkv[N * 3 * D], out[N * D];
        float *scratch = malloc(kern_attention_scratch(kern, N, D) * sizeof *scratch);
        for (size_t i = 0; i < N * 3 * D; i++) qkv[i] = number() * 1000; /* scores of a million */
        KernAttention a = {qkv, qkv + D, qkv + 2 * D, 3 * D, N, D, 1.0f, out, D, scratch};
        kern->attention(&a);
        for (size_t row = 0; row < N; row++) {
            double want[D];
            attention_exact(qkv, 3 * D, N, D, 1.0, row, want);
            for (size_t d = 0; d < D; d++) CHECK_NEAR(out[row * D + d], want[d], 1.0); /* of 1000: the winner's value */
        }
        free(scratch);
    }
}

/* ---- number formats ---- */

static void decode_f16_knows_all_65536_halves(void **state) {
    (void)state;
    static uint16_t halves[65536 + 3];
    static float out[65536 + 3];
    for (size_t i = 0; i < 65536 + 3; i++) halves[i] = (uint16_t)i;
    EACH_LEVEL(kern) {
        kern->decode_f16(halves, 65536 + 3, out); /* 3 more: the rest that fills no vector */
        for (size_t i = 0; i < 65536 + 3; i++) {
            int exponent = (int)(i >> 10 & 31), mantissa = (int)(i & 1023);
            double want = exponent == 31  ? (mantissa ? NAN : INFINITY)
                          : exponent == 0 ? ldexp(mantissa, -24)
                                          : ldexp(1024 + mantissa, exponent - 25);
            if (i & 0x8000) want = -want;
            if (isnan(want))
                CHECK(isnan(out[i]));
            else
                CHECK(same_bits(&out[i], &(float){(float)want}, sizeof(float)));
        }
    }
}

static void decode_bf16_is_the_upper_half_of_a_float(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        for (size_t n = 1; n < 40; n += 3) {
            uint16_t src[40];
            float out[40];
            for (size_t i = 0; i < n; i++) src[i] = (uint16_t)(i * 1777 + 0x3F00);
            kern->decode_bf16(src, n, out);
            for (size_t i = 0; i < n; i++) {
                uint32_t bits;
                memcpy(&bits, &out[i], sizeof bits);
                CHECK_INT(bits, (uint32_t)src[i] << 16);
            }
        }
    }
}

int main(void) {
    n_levels = kern_levels(levels, LEVELS_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_named_and_the_last_is_the_default),
        cmocka_unit_test(dot_is_the_sum_of_products),
        cmocka_unit_test(dot_rows_gives_the_bits_of_dot),
        cmocka_unit_test(gemm_is_the_product_and_the_bias),
        cmocka_unit_test(gemm_of_a_row_does_not_depend_on_its_company),
        cmocka_unit_test(pack_puts_inputs_first_and_refuses_what_is_not_finite),
        cmocka_unit_test(gelu_is_exact_to_rounding),
        cmocka_unit_test(gelu_of_an_element_does_not_depend_on_its_place),
        cmocka_unit_test(layernorm_centres_scales_and_adds_the_residual),
        cmocka_unit_test(mean_rows_and_normalize_do_what_they_say),
        cmocka_unit_test(attention_mixes_values_by_softmax),
        cmocka_unit_test(attention_survives_scores_far_apart),
        cmocka_unit_test(decode_f16_knows_all_65536_halves),
        cmocka_unit_test(decode_bf16_is_the_upper_half_of_a_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
