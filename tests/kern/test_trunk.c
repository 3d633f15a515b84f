/* test_trunk.c - the kernels of networks after BERT, at every level this CPU has: RMS norm, rotated positions, gates
 * and attention over spans, against their plain definitions in double precision. */
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

#define EACH_LEVEL(kern)                                                                                               \
    for (size_t level_ = 0; level_ < n_levels; level_++)                                                               \
        for (const Kern *kern = levels[level_]; kern; kern = NULL)

static void rmsnorm_scales_to_the_root_of_the_mean_square(void **state) {
    (void)state;
    static const size_t widths[] = {1, 3, 8, 24, 64, 65, 768};
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < 7; i++) {
            size_t n = widths[i], m = 3;
            float *x = numbers(m * n), *weight = numbers(n), *out = numbers(m * n);
            kern->rmsnorm(x, weight, 1e-6f, m, n, out);
            for (size_t r = 0; r < m; r++) {
                double squares = 0;
                for (size_t d = 0; d < n; d++) squares += (double)x[r * n + d] * (double)x[r * n + d];
                double scale = 1 / sqrt(squares / (double)n + 1e-6);
                for (size_t d = 0; d < n; d++)
                    CHECK_NEAR(out[r * n + d], (double)x[r * n + d] * scale * (double)weight[d], 2e-6);
            }
            kern->rmsnorm(x, weight, 1e-6f, m, n, x); /* in place */
            CHECK(memcmp(x, out, m * n * sizeof *x) == 0);
            free(x);
            free(weight);
            free(out);
        }
    }
}

static void rmsnorm_of_zeros_is_zeros(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        float x[40] = {0}, weight[40], out[40];
        for (size_t i = 0; i < 40; i++) weight[i] = 1;
        kern->rmsnorm(x, weight, 1e-6f, 1, 40, out);
        for (size_t i = 0; i < 40; i++) CHECK_NEAR(out[i], 0, 0);
    }
}

static void rope_turns_pairs_half_a_head_apart(void **state) {
    (void)state;
    static const size_t dims[] = {2, 6, 8, 24, 32, 64, 70, 128};
    enum { M = 3, HEADS = 2, GAP = 5 };
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < 8; i++) {
            size_t dim = dims[i], half = dim / 2, stride = HEADS * dim + GAP;
            float *x = numbers(M * stride), *was = numbers(M * stride), *turns = numbers(M * dim);
            memcpy(was, x, M * stride * sizeof *x);
            kern->rope(x, stride, HEADS, dim, turns, M);
            for (size_t at = 0; at < M * stride; at++) {
                size_t r = at / stride, c = at % stride, d = c % dim;
                if (c >= HEADS * dim) { /* what stands between the rows */
                    CHECK(memcmp(&x[at], &was[at], sizeof *x) == 0);
                    continue;
                }
                double cosine = turns[r * dim + d % half], sine = turns[r * dim + half + d % half];
                double other = d < half ? -(double)was[at + half] : (double)was[at - half];
                CHECK_NEAR(x[at], (double)was[at] * cosine + other * sine, 2e-7);
            }
            free(x);
            free(was);
            free(turns);
        }
    }
}

static double gate_exact(KernGate kind, double x) {
    if (kind == KERN_GATE_SILU) return x / (1 + exp(-x));
    if (kind == KERN_GATE_GELU) return 0.5 * x * erfc(-x * sqrt(0.5));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void gates_are_exact_to_rounding(void **state) {
    (void)state;
    enum { N = 4007 };
    static const KernGate kinds[] = {KERN_GATE_SILU, KERN_GATE_GELU, KERN_GATE_GELU_TANH};
    static float x[2 * N], out[N];
    EACH_LEVEL(kern) {
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < N; i++) {
                x[i] = ((float)i - 2000) * 0.01f; /* -20 to 20 */
                x[N + i] = i % 2 ? -1.0f : 1.0f;
            }
            kern->gate(kinds[k], x, 1, N, out);
            for (size_t i = 0; i < N; i++) {
                double want = gate_exact(kinds[k], (double)x[i]) * (double)x[N + i];
                CHECK_NEAR(out[i], want, 2e-7 * fmax(1, fabs((double)x[i])));
            }
        }
    }
}

static void gates_survive_what_is_far_out(void **state) {
    (void)state;
    static const KernGate kinds[] = {KERN_GATE_SILU, KERN_GATE_GELU, KERN_GATE_GELU_TANH};
    EACH_LEVEL(kern) {
        for (size_t k = 0; k < 3; k++) {
            const float x[] = {-1e10f, -200, -90, 0, 90, 200, 1e10f, 1, 1, 1, 1, 1, 1, 1};
            float out[7];
            kern->gate(kinds[k], x, 1, 7, out);
            for (size_t i = 0; i < 3; i++) CHECK_NEAR(out[i], 0, 1e-7);
            for (size_t i = 3; i < 7; i++) CHECK_NEAR(out[i], (double)x[i], 0);
        }
    }
}

/* Row r of a gate is the same whatever stands around it. */
static void a_gate_s_row_does_not_depend_on_its_company(void **state) {
    (void)state;
    enum { M = 5, N = 37 };
    EACH_LEVEL(kern) {
        float *x = numbers(2 * M * N), all[M * N], one[N];
        kern->gate(KERN_GATE_SILU, x, M, N, all);
        for (size_t r = 0; r < M; r++) {
            kern->gate(KERN_GATE_SILU, x + r * 2 * N, 1, N, one);
            CHECK(memcmp(one, all + r * N, sizeof one) == 0);
        }
        free(x);
    }
}

/* ---- attention of a span ---- */

typedef struct {
    size_t queries, keys, first, heads, head_dim, before, after;
} Shape;

static const Shape shapes[] = {
    {1, 1, 0, 1, 8, SIZE_MAX, SIZE_MAX},
    {7, 7, 0, 2, 16, SIZE_MAX, SIZE_MAX}, /* every key */
    {33, 33, 0, 1, 24, SIZE_MAX, 0},
    {70, 70, 0, 3, 32, SIZE_MAX, 0}, /* causal */
    {70, 70, 0, 2, 16, 5, 5},
    {130, 130, 0, 1, 8, 64, 64}, /* a window to both sides */
    {100, 100, 0, 2, 40, 9, 0},
    {65, 65, 0, 1, 12, 0, 0}, /* a causal window; oneself alone */
    {1, 50, 49, 4, 16, SIZE_MAX, 0},
    {3, 50, 47, 2, 16, 10, 0}, /* behind a cache of keys */
    {5, 50, 20, 1, 16, SIZE_MAX, SIZE_MAX},
    {20, 90, 60, 1, 6, 33, 2}, /* in the middle */
    {40, 40, 0, 1, 128, SIZE_MAX - 1, 1000},
    {2, 500, 450, 1, 4, 449, 48}, /* no wrapping */
};

typedef struct {
    float *q, *k, *v, *out, *scratch;
    KernSpan a;
} Span;

static Span span_make(const Kern *kern, const Shape *s) {
    size_t width = s->heads * s->head_dim;
    Span p = {.q = numbers(s->queries * (width + 3)), .k = numbers(s->keys * 2 * s->head_dim)};
    p.v = p.k + s->head_dim;
    p.out = numbers(s->queries * (width + 1));
    p.scratch = malloc(kern_attention_scratch(kern, s->keys, s->head_dim) * sizeof *p.scratch);
    assert_non_null(p.scratch);
    for (size_t i = 0; i < s->queries * (width + 3); i++) p.q[i] *= 3;
    p.a = (KernSpan){.q = p.q,
                     .k = p.k,
                     .v = p.v,
                     .q_stride = width + 3,
                     .stride = 2 * s->head_dim,
                     .queries = s->queries,
                     .keys = s->keys,
                     .first = s->first,
                     .heads = s->heads,
                     .head_dim = s->head_dim,
                     .before = s->before,
                     .after = s->after,
                     .scale = 0.4f,
                     .out = p.out,
                     .out_stride = width + 1,
                     .scratch = p.scratch};
    return p;
}

static void span_free(Span *p) {
    free(p->q);
    free(p->k);
    free(p->out);
    free(p->scratch);
}

static void span_exact(const KernSpan *a, size_t query, size_t head, double *out /* [head_dim] */) {
    const float *q = a->q + query * a->q_stride + head * a->head_dim;
    double sum = 0;
    for (size_t d = 0; d < a->head_dim; d++) out[d] = 0;
    for (size_t key = 0; key < a->keys; key++) {
        size_t place = a->first + query;
        if (key < place ? place - key > a->before : key - place > a->after) continue;
        double score = 0;
        for (size_t d = 0; d < a->head_dim; d++) score += (double)q[d] * (double)a->k[key * a->stride + d];
        double e = exp(score * (double)a->scale);
        sum += e;
        for (size_t d = 0; d < a->head_dim; d++) out[d] += e * (double)a->v[key * a->stride + d];
    }
    for (size_t d = 0; d < a->head_dim; d++) out[d] /= sum;
}

static void a_span_mixes_the_values_it_sees(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            Span p = span_make(kern, &shapes[i]);
            kern->attention_span(&p.a);
            for (size_t r = 0; r < p.a.queries; r++)
                for (size_t h = 0; h < p.a.heads; h++) {
                    double want[128];
                    span_exact(&p.a, r, h, want);
                    for (size_t d = 0; d < p.a.head_dim; d++)
                        CHECK_NEAR(p.out[r * p.a.out_stride + h * p.a.head_dim + d], want[d], 3e-6);
                }
            span_free(&p);
        }
    }
}

/* What makes a cache of keys possible: a query alone, behind the keys of those before it, gives the same bits. */
static void a_query_alone_gives_the_bits_it_gives_among_others(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            Span p = span_make(kern, &shapes[i]);
            size_t width = p.a.heads * p.a.head_dim;
            float *one = numbers(width);
            kern->attention_span(&p.a);
            for (size_t r = 0; r < p.a.queries; r++) {
                KernSpan a = p.a;
                a.q += r * a.q_stride;
                a.first += r;
                a.queries = 1;
                a.out = one;
                if (a.after == 0) a.keys = a.first + 1; /* later keys are not there yet */
                kern->attention_span(&a);
                CHECK(memcmp(one, p.out + r * p.a.out_stride, width * sizeof *one) == 0);
            }
            free(one);
            span_free(&p);
        }
    }
}

/* Kept in pieces of three places, in room for more: the panels' edges fall anywhere. */
static void kept_keys_give_the_bits_of_keys_as_they_lie(void **state) {
    (void)state;
    EACH_LEVEL(kern) {
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            Span p = span_make(kern, &shapes[i]);
            size_t places = (kern_panels(kern, p.a.keys) + 1) * kern->panel, floats = p.a.queries * p.a.out_stride;
            KernKept kept = {numbers(kern_kept_keys(kern, places, p.a.head_dim)),
                             numbers(kern_kept_values(kern, places, p.a.head_dim)), places};
            float *scratch = malloc(kern_kept_scratch(kern, p.a.keys) * sizeof *scratch), *want = numbers(floats);
            assert_non_null(scratch);
            kern->attention_span(&p.a);
            memcpy(want, p.out, floats * sizeof *want);
            for (size_t at = 0; at < p.a.keys; at += 3)
                kern->keep(&kept, p.k + at * p.a.stride, p.a.v + at * p.a.stride, p.a.stride, p.a.head_dim, at,
                           p.a.keys - at < 3 ? p.a.keys - at : 3);
            p.a.k = p.a.v = NULL;
            p.a.kept = &kept;
            p.a.scratch = scratch;
            kern->attention_span(&p.a);
            for (size_t r = 0; r < p.a.queries; r++)
                CHECK(memcmp(want + r * p.a.out_stride, p.out + r * p.a.out_stride,
                             p.a.heads * p.a.head_dim * sizeof *want) == 0);
            free(kept.keys);
            free(kept.values);
            free(scratch);
            free(want);
            span_free(&p);
        }
    }
}

int main(void) {
    n_levels = kern_levels(levels, LEVELS_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rmsnorm_scales_to_the_root_of_the_mean_square),
        cmocka_unit_test(rmsnorm_of_zeros_is_zeros),
        cmocka_unit_test(rope_turns_pairs_half_a_head_apart),
        cmocka_unit_test(gates_are_exact_to_rounding),
        cmocka_unit_test(gates_survive_what_is_far_out),
        cmocka_unit_test(a_gate_s_row_does_not_depend_on_its_company),
        cmocka_unit_test(a_span_mixes_the_values_it_sees),
        cmocka_unit_test(a_query_alone_gives_the_bits_it_gives_among_others),
        cmocka_unit_test(kept_keys_give_the_bits_of_keys_as_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
