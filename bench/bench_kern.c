/* bench_kern.c - the kernels of each level at the shapes of all-MiniLM-L6-v2: 162 tokens (a chunk), 13 tokens (a
 * query). One thread, CPU time, the best of several runs. One line of JSON a level.
 *
 *     cmake --build build --target bench_kern && build/bench/bench_kern
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "kern/kern.h"

enum { RUNS = 7, DIM = 384, FF = 1536, HEADS = 12, CHUNK = 162, QUERY = 13, ROWS = 60000 };

static float *numbers(size_t n) {
    static unsigned seed = 1;
    float *x = aligned_alloc(64, (n * sizeof *x + 127) / 64 * 64);
    if (!x) abort();
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
    }
    return x;
}

static double gemm_gflops(const Kern *kern, size_t m, size_t n, size_t k) {
    float *rows = numbers(n * k), *panels = numbers(n * k), *bias = numbers(n), *a = numbers(m * k),
          *out = numbers(m * n);
    for (size_t p = 0; p < kern_panels(kern, n); p++) {
        const float *of[KERN_PANEL_MAX];
        for (size_t r = 0; r < kern->panel; r++) of[r] = rows + (p * kern->panel + r) * k;
        if (!kern->pack(of, k, panels + p * kern->panel * k)) abort();
    }
    const KernMatrix w = {n, k, panels, bias};
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        size_t times = 1 + 4000000000 / (2 * m * n * k) / 10;
        double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i < times; i++) kern->gemm(&w, 0, kern_panels(kern, n), KERN_PLAIN, a, k, m, out, n);
        double each = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)times;
        if (each < best) best = each;
    }
    free(rows);
    free(panels);
    free(bias);
    free(a);
    free(out);
    return 2e-9 * (double)(m * n * k) / best;
}

static double attention_ms(const Kern *kern) {
    float *qkv = numbers(CHUNK * 3 * DIM), *out = numbers(CHUNK * DIM);
    float *scratch = numbers(kern_attention_scratch(kern, CHUNK, DIM / HEADS));
    double best = 1e9;
    for (int run = 0; run < 4 * RUNS; run++) {
        double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t h = 0; h < HEADS; h++) {
            const float *q = qkv + h * (DIM / HEADS);
            kern->attention(&(KernAttention){q, q + DIM, q + 2 * DIM, 3 * DIM, CHUNK, DIM / HEADS, 0.18f,
                                             out + h * (DIM / HEADS), DIM, scratch});
        }
        double each = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
        if (each < best) best = each;
    }
    free(qkv);
    free(out);
    free(scratch);
    return best * 1e3;
}

static double gelu_ns(const Kern *kern) {
    float *x = numbers(CHUNK * FF);
    double best = 1e9;
    for (int run = 0; run < 4 * RUNS; run++) {
        double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        kern->gelu(x, CHUNK * FF);
        double each = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / (CHUNK * FF);
        if (each < best) best = each;
    }
    free(x);
    return best * 1e9;
}

static double dot_rows_gb_s(const Kern *kern, size_t n) {
    float *rows = numbers(n * DIM), *query = numbers(DIM), *out = numbers(n);
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i < ROWS / n; i++) kern->dot_rows(query, rows, n, DIM, out);
        double each = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)(ROWS / n);
        if (each < best) best = each;
    }
    free(rows);
    free(query);
    free(out);
    return 1e-9 * (double)(n * DIM * sizeof(float)) / best;
}

int main(void) {
    const Kern *levels[8];
    size_t n = kern_levels(levels, 8);
    for (size_t i = 0; i < n; i++) {
        const Kern *kern = levels[i];
        printf("{\"level\":\"%s\",\"gemm_gflops\":{", kern->name);
        printf("\"qkv\":%.1f,", gemm_gflops(kern, CHUNK, 3 * DIM, DIM));
        printf("\"output\":%.1f,", gemm_gflops(kern, CHUNK, DIM, DIM));
        printf("\"up\":%.1f,", gemm_gflops(kern, CHUNK, FF, DIM));
        printf("\"down\":%.1f,", gemm_gflops(kern, CHUNK, DIM, FF));
        printf("\"query_qkv\":%.1f,", gemm_gflops(kern, QUERY, 3 * DIM, DIM));
        printf("\"query_down\":%.1f},", gemm_gflops(kern, QUERY, DIM, FF));
        printf("\"attention_ms\":%.3f,\"gelu_ns\":%.3f,", attention_ms(kern), gelu_ns(kern));
        printf("\"dot_rows_gb_s\":{\"cached\":%.1f,\"memory\":%.1f}}\n", dot_rows_gb_s(kern, 256),
               dot_rows_gb_s(kern, ROWS));
    }
    return 0;
}
