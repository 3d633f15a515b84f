/* bench.h - what the benches share: the texts they run on, times in order. */
#ifndef PYTHIA_ENGINE_BENCH_H
#define PYTHIA_ENGINE_BENCH_H

#include "engine/engine.h"

typedef enum {
    BENCH_TEXTS,   /* {"text": …} */
    BENCH_QUERIES, /* {"text": …} or {"query": …}, none of them empty */
} BenchTexts;
/* A file of a JSON object a line; blank lines are left out. ERR_INPUT names the line; ERR_IO: no such file. */
MUST_USE Err bench_read_texts(Arena *a, const char *path, BenchTexts which, Str **out, size_t *n);
void bench_sort(double *values /* [n] */, size_t n); /* rising */
double bench_rss_mb(void);                           /* the highest so far, of this process */

#endif
