/* Any bytes as blocks of each type: nothing reads outside of them, and rows that quant_check passes give products of
 * the same bits at every level.
 *
 * Input: the type's number, the inputs of a row in blocks, then rows of blocks (what is left over is not used). */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEVELS_MAX = 8, ROWS_MAX = 40, ITEMS_MAX = 1024 };

static const Kern *levels[LEVELS_MAX];
static size_t n_levels;

static void must(bool holds) {
    if (!holds) abort();
}

/* NaNs may differ in their payload. */
static bool alike(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void *copy(const void *from, size_t n) {
    void *p = malloc(n ? n : 1);
    must(p != NULL);
    if (n) memcpy(p, from, n);
    return p;
}

static void *take(size_t n) {
    void *p = aligned_alloc(64, (n + 63) / 64 * 64 + 64);
    must(p != NULL);
    memset(p, 0, n);
    return p;
}

static unsigned check_decode(const BlockFormat *f, const void *rows, size_t items) {
    unsigned nans = 0;
    float *got = malloc(items * sizeof *got); /* to the byte: one further is seen */
    must(got != NULL);
    f->decode(rows, items, got);
    for (size_t i = 0; i < items; i++) nans += isnan(got[i]) ? 1u : 0u;
    free(got);
    return nans;
}

static void check_products(const BlockFormat *f, const void *rows, size_t n, size_t k) {
    QuantKind kind = quant_kind(f->type);
    size_t row_bytes = quant_row_bytes(f->type, k);
    if (quant_check(f->type, rows, row_bytes, n, k) != n) return;
    const QuantMatrix w = {.type = f->type, .n = n, .k = k, .rows = rows, .row_bytes = row_bytes};
    const size_t m = 2;
    float *x = take(m * k * sizeof *x), *want = take(m * n * sizeof *want), *got = take(m * n * sizeof *got);
    void *scratch = take(quant_scratch_bytes(k)), *turned = take(m * quant_kind_bytes(kind, k));
    for (size_t i = 0; i < m * k; i++) x[i] = (float)((int)(i * 37 % 101) - 50) / 64;
    for (size_t l = 0; l < n_levels; l++) {
        const KernQuant *q = levels[l]->quant;
        q->rows(kind, x, k, m, k, turned);
        q->gemm(&w, 0, n, turned, m, l ? got : want, n, scratch);
        must(l == 0 || alike(want, got, m * n));
    }
    free(x);
    free(want);
    free(got);
    free(scratch);
    free(turned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t types[] = {BLOCK_F32,  BLOCK_F16,  BLOCK_BF16, BLOCK_Q4_0, BLOCK_Q4_1, BLOCK_Q5_0,
                                     BLOCK_Q5_1, BLOCK_Q8_0, BLOCK_Q4_K, BLOCK_Q5_K, BLOCK_Q6_K};
    if (size < 2) return 0;
    if (n_levels == 0) {
        must(kern_init() == ERR_OK);
        n_levels = kern_levels(levels, LEVELS_MAX);
    }
    const BlockFormat *f = block_format(types[data[0] % (sizeof types / sizeof *types)]);
    size_t blocks = (size - 2) / f->bytes, most = ITEMS_MAX / f->items;
    size_t each = 1 + data[1] % (most < 32 ? most : 32);
    if (f->items == 1) each = 32 * (1u + data[1] % 8u); /* floats: rows as networks have them */
    size_t n = blocks / each, k = each * f->items;
    if (n > ROWS_MAX) n = ROWS_MAX;
    if (n == 0 || !quant_fits(f->type, k)) return 0;
    void *rows = copy(data + 2, n * each * f->bytes); /* its own allocation: one byte further is seen */
    static volatile unsigned nans;                    /* keeps the reads */
    nans += check_decode(f, rows, n * k);
    check_products(f, rows, n, k);
    free(rows);
    return 0;
}
