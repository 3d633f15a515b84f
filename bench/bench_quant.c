/* bench_quant.c - products on quantised blocks, a level and a type a line of JSON: one row of activations against a
 * matrix larger than the caches (GB of blocks a second, beside what memory gives to a plain read), and 256 rows (GOP/s,
 * beside what the core's instructions can do); exact products too. One thread, CPU time, the best of several runs.
 *
 *     cmake --build build --target bench_quant && build/bench/bench_quant [LEVEL [TYPE [LIBRARIES]]]
 *
 * LEVEL and TYPE: "avx2", "Q4_K", or "all". LIBRARIES: a folder with libggml-base.so and libggml-cpu.so, whose vec_dot
 * is measured on the same rows.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kern/kern.h"
#include "kern/quant_exact.h"

enum { RUNS = 5, K = 2048, MANY = 256, MANY_N = 512, BIG = 160 << 20 };

static double now(void) { return bench_seconds(CLOCK_PROCESS_CPUTIME_ID); }

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) abort();
    return p;
}

static float *numbers(size_t n) {
    static unsigned seed = 1;
    float *x = room(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
    }
    return x;
}

/* Blocks of random bits; scales become finite because the highest bit of their exponents is cleared everywhere. */
static unsigned char *blocks(const BlockFormat *f, size_t bytes) {
    unsigned seed = 7;
    unsigned char *p = room(bytes);
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (unsigned char)(seed >> 24);
    }
    size_t scale = f->type == BLOCK_Q6_K ? 208 : 0;
    for (size_t i = 0; i + f->bytes <= bytes; i += f->bytes) {
        if (f->items == 1) p[i + f->bytes - 1] = (p[i + f->bytes - 1] & 0x80) | 0x3A; /* no denormals */
        if (f->items > 1) p[i + scale + 1] &= 0xBF;
        if (f->items > 1 && scale == 0) p[i + 3] &= 0xBF;
    }
    return p;
}

typedef struct {
    QuantMatrix w;
    void *rows, *scratch;
    float *x, *out;
} Job;

static Job job_make(const KernQuant *q, const BlockFormat *f, const unsigned char *p, size_t n, size_t m) {
    QuantKind kind = quant_kind(f->type);
    Job j = {.w = {f->type, n, K, p, quant_row_bytes(f->type, K), NULL}, .x = numbers(m * K), .out = numbers(m * n)};
    j.rows = room(m * quant_kind_bytes(kind, K));
    j.scratch = room(quant_scratch_bytes(K));
    q->rows(kind, j.x, K, m, K, j.rows);
    return j;
}

static void job_free(Job *j) {
    free(j->rows);
    free(j->scratch);
    free(j->x);
    free(j->out);
}

/* Seconds of m rows against the whole matrix. */
static double product_seconds(const KernQuant *q, const Job *j, size_t m, int runs) {
    double best = 1e9;
    for (int run = 0; run < runs; run++) {
        double start = now();
        q->gemm(&j->w, 0, j->w.n, j->rows, m, j->out, j->w.n, j->scratch);
        double each = now() - start;
        if (each < best) best = each;
    }
    return best;
}

static double rows_ns(const KernQuant *q, const Job *j, QuantKind kind) {
    double best = 1e9;
    for (int run = 0; run < 4 * RUNS; run++) {
        double start = now();
        q->rows(kind, j->x, K, MANY, K, j->rows);
        double each = (now() - start) / (MANY * K);
        if (each < best) best = each;
    }
    return best * 1e9;
}

static double exact_gflops(const Kern *kern, const Job *j, bool bf16) {
    void *scratch = room(bf16 ? quant_bf16_scratch_bytes(K) : quant_f32_scratch_bytes(kern, K));
    Bf16 *halves = room(MANY * K * sizeof *halves);
    for (size_t i = 0; i < MANY * K; i++) halves[i] = bf16_of(j->x[i]);
    const LowRows rows = {halves, K, NULL, NULL};
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        if (bf16)
            quant_gemm_bf16(kern, &j->w, 0, j->w.n, LOW_OUT_F32, &rows, MANY, j->out, j->w.n, scratch);
        else
            quant_gemm_f32(kern, &j->w, 0, j->w.n, KERN_PLAIN, j->x, K, MANY, j->out, j->w.n, scratch);
        double each = now() - start;
        if (each < best) best = each;
    }
    free(scratch);
    free(halves);
    return 2e-9 * MANY * K * (double)j->w.n / best;
}

/* ---- what the machine can do ---- */

static double read_gb_s(void) {
    const Kern *kern = kern_table();
    size_t n = BIG / (K * sizeof(float));
    float *rows = numbers(n * K), *query = numbers(K), *out = numbers(n);
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        kern->dot_rows(query, rows, n, K, out);
        double each = now() - start;
        if (each < best) best = each;
    }
    free(rows);
    free(query);
    free(out);
    return 1e-9 * (double)(n * K * sizeof(float)) / best;
}

static double peak_gop_s(const Kern *kern) {
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = now(), done = kern->low->spin(8, 1 << 18);
        double rate = 1e-9 * done / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* ---- ggml ---- */

typedef struct {
    void (*from_float)(const float *x, void *row, int64_t k);
    void (*vec_dot)(int n, float *s, size_t bs, const void *x, size_t bx, const void *y, size_t by, int nrc);
    int dot_type;
    int64_t nrows;
} GgmlTraits;

static const GgmlTraits *(*ggml_traits)(int type);

static void ggml_open(const char *folder) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/libggml-base.so", folder);
    void *base = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    (void)snprintf(path, sizeof path, "%s/libggml-cpu.so", folder);
    void *cpu = base ? dlopen(path, RTLD_NOW) : NULL;
    void (*init)(void) = NULL;
    if (cpu) *(void **)&init = dlsym(cpu, "ggml_cpu_init");
    if (cpu) *(void **)&ggml_traits = dlsym(cpu, "ggml_get_type_traits_cpu");
    if (!init || !ggml_traits) {
        (void)fprintf(stderr, "cannot open ggml in '%s': %s\n", folder, dlerror());
        exit(1);
    }
    init();
}

static double ggml_seconds(const Job *j, size_t m, int runs) {
    const GgmlTraits *t = ggml_traits((int)j->w.type);
    size_t bytes = K * sizeof(float) + 4096;
    char *rows = room(m * bytes);
    for (size_t i = 0; i < m; i++) {
        if (t->dot_type == BLOCK_F32)
            memcpy(rows + i * bytes, j->x + i * K, K * sizeof(float));
        else
            ggml_traits(t->dot_type)->from_float(j->x + i * K, rows + i * bytes, K);
    }
    double best = 1e9;
    for (int run = 0; run < runs; run++) {
        double start = now();
        for (size_t r = 0; r < j->w.n; r++)
            for (size_t i = 0; i < m; i++)
                t->vec_dot(K, j->out + i * j->w.n + r, 0, (const char *)j->w.rows + r * j->w.row_bytes, 0,
                           rows + i * bytes, 0, 1);
        double each = now() - start;
        if (each < best) best = each;
    }
    free(rows);
    return best;
}

/* ---- a line ---- */

static void measure(const Kern *kern, const BlockFormat *f, double peak, double memory) {
    size_t row_bytes = quant_row_bytes(f->type, K), n = BIG / row_bytes, bytes = n * row_bytes;
    unsigned char *p = blocks(f, bytes);
    Job one = job_make(kern->quant, f, p, n, 1), many = job_make(kern->quant, f, p, MANY_N, MANY);
    Job cached = job_make(kern->quant, f, p, 128, 1);
    double ops = 2e-9 * MANY * MANY_N * K;
    double gb_s = 1e-9 * (double)bytes / product_seconds(kern->quant, &one, 1, 3);
    double l2 = 1e-9 * (double)(128 * row_bytes) / product_seconds(kern->quant, &cached, 1, 200);
    double gop_s = ops / product_seconds(kern->quant, &many, MANY, RUNS);
    printf("{\"level\":\"%s\",\"type\":\"%s\",\"m1_gb_s\":%.1f,\"read_gb_s\":%.1f,\"m1_cached_gb_s\":%.1f,", kern->name,
           f->name, gb_s, memory, l2);
    printf("\"m4_gop_s\":%.0f,", ops * 4 / MANY / product_seconds(kern->quant, &many, 4, 20));
    printf("\"m16_gop_s\":%.0f,", ops * 16 / MANY / product_seconds(kern->quant, &many, 16, 10));
    printf("\"m256_gop_s\":%.0f,\"peak_gop_s\":%.0f,\"rows_ns\":%.3f,", gop_s, peak,
           rows_ns(kern->quant, &many, quant_kind(f->type)));
    printf("\"f32_gflops\":%.0f,\"bf16_gflops\":%.0f", exact_gflops(kern, &many, false),
           exact_gflops(kern, &many, true));
    double start = now();
    if (quant_check(f->type, p, row_bytes, n, K) != n) abort();
    printf(",\"check_gb_s\":%.1f", 1e-9 * (double)bytes / (now() - start));
    if (ggml_traits)
        printf(",\"ggml_m1_gb_s\":%.1f,\"ggml_m1_cached_gb_s\":%.1f,\"ggml_m256_gop_s\":%.0f",
               1e-9 * (double)bytes / ggml_seconds(&one, 1, 3),
               1e-9 * (double)(128 * row_bytes) / ggml_seconds(&cached, 1, 200), ops / ggml_seconds(&many, MANY, 2));
    printf("}\n");
    (void)fflush(stdout);
    job_free(&one);
    job_free(&many);
    job_free(&cached);
    free(p);
}

int main(int argc, char **argv) {
    const char *level = argc > 1 ? argv[1] : "all", *type = argc > 2 ? argv[2] : "all";
    if (argc > 3) ggml_open(argv[3]);
    const Kern *levels[8];
    size_t n = kern_levels(levels, 8);
    double memory = read_gb_s();
    for (size_t i = 0; i < n; i++) {
        if (strcmp(level, "all") != 0 && strcmp(level, levels[i]->name) != 0) continue;
        double peak = peak_gop_s(levels[i]);
        for (uint32_t t = 0; t < 64; t++) {
            const BlockFormat *f = block_format(t);
            if (f && quant_fits(t, K) && (strcmp(type, "all") == 0 || strcmp(type, f->name) == 0))
                measure(levels[i], f, peak, memory);
        }
    }
    return 0;
}
