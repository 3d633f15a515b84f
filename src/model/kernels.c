/* kernels.c - what the rooms above may know of the kernels: their name and their limit. */
#include "base/clock.h"
#include "kern/kern.h"
#include "model/model.h"

Err model_kernels(const char **name, const char **possible) {
    TRY(kern_init());
    *name = kern_table()->name;
    *possible = kern_level_names();
    return ERR_OK;
}

static Err spin_piece(void *ctx, size_t piece, size_t worker) {
    double *operations = ctx;
    const ModelPrecision precision = (ModelPrecision)operations[0];
    (void)worker;
    operations[1 + piece] = kern_table()->low->spin(precision == MODEL_FAST    ? 8
                                                    : precision == MODEL_EXACT ? 16
                                                                               : 32,
                                                    200000);
    return ERR_OK;
}

Err model_peak_gops(Pool *pool, ModelPrecision precision, double *out) {
    enum { TRIES = 7, THREADS_MAX = 256 };
    double operations[1 + THREADS_MAX] = {(double)precision};
    size_t threads = pool_size(pool) < THREADS_MAX ? pool_size(pool) : THREADS_MAX;
    *out = 0;
    for (int i = 0; i < TRIES; i++) {
        int64_t start = clock_mono_ns();
        double sum = 0;
        TRY(pool_for(pool, threads, spin_piece, operations));
        for (size_t t = 0; t < threads; t++) sum += operations[1 + t];
        double rate = sum / (double)(clock_mono_ns() - start); /* operations a nanosecond */
        if (rate > *out) *out = rate;
    }
    return ERR_OK;
}
