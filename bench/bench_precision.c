/* bench_precision.c - what `exact` and `fast` cost in accuracy: the cosine of each text's vector to that of f32.
 *
 *     cmake --build build --target bench_precision
 *     build/bench/bench_precision MODEL.gguf TEXTS.jsonl [TEXTS [KERNELS]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "model/model_impl.h"

static int die(const char *what) {
    (void)fprintf(stderr, "bench_precision: %s: %s\n", what, err_text());
    return 1;
}

static Err embed_all(const char *path, const Kern *kern, ModelPrecision precision, const Str *texts, size_t n, Arena *a,
                     float **out, size_t *dim) {
    Model *m = NULL;
    Pool *pool = NULL;
    TRY(model_open_kern(&m, path, kern, &(ModelOpts){.precision = precision, .no_cache = true}));
    *dim = model_info(m)->dim;
    *out = arena_alloc_array(a, n, *dim * sizeof **out);
    Err err = *out ? pool_open(&pool, 0) : arena_error();
    if (!err) err = model_embed(m, pool, texts, n, NULL, *out, NULL);
    pool_close(pool);
    model_close(m);
    return err;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"f32", "exact", "fast"};
    Arena a = {0};
    Str *texts = NULL;
    size_t n = 0, dim = 0, max = argc > 3 ? strtoul(argv[3], NULL, 10) : 300;
    float *f32 = NULL, *low = NULL;
    if (argc < 3) return fprintf(stderr, "usage: bench_precision MODEL.gguf TEXTS.jsonl [TEXTS [KERNELS]]\n"), 2;
    const Kern *kern = argc > 4 ? kern_find(argv[4]) : kern_table();
    if (!kern) return fprintf(stderr, "bench_precision: this machine can do: %s\n", kern_level_names()), 2;
    if (bench_read_texts(&a, argv[2], max, &texts, &n)) return die("texts");
    if (embed_all(argv[1], kern, MODEL_F32, texts, n, &a, &f32, &dim)) return die("f32");
    for (int p = MODEL_EXACT; p <= MODEL_FAST; p++) {
        double least = 1, sum = 0;
        if (embed_all(argv[1], kern, (ModelPrecision)p, texts, n, &a, &low, &dim)) return die(names[p]);
        for (size_t i = 0; i < n; i++) {
            double cosine = 0;
            for (size_t d = 0; d < dim; d++) cosine += (double)f32[i * dim + d] * (double)low[i * dim + d];
            sum += cosine;
            if (cosine < least) least = cosine;
        }
        printf("{\"precision\":\"%s\",\"texts\":%zu,\"cosine_min\":%.6f,\"cosine_mean\":%.6f,\"kernels\":\"%s\"}\n",
               names[p], n, least, sum / (double)n, kern->name);
    }
    arena_free(&a);
    return 0;
}
