/* bench.h - two clocks. CPU time is what a shared machine can still measure of one thread; wall time is what users
 * feel. */
#ifndef PYTHIA_BENCH_BENCH_H
#define PYTHIA_BENCH_BENCH_H

#include <time.h>

#include "base/file.h"
#include "base/json.h"

enum { BENCH_FILE_MAX = 1 << 30 };

static inline double bench_seconds(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Up to max texts out of a file of {"text": …} a line. */
static inline Err bench_read_texts(Arena *a, const char *path, size_t max, Str **out, size_t *n) {
    Str file, line;
    TRY(file_read(a, path, BENCH_FILE_MAX, &file));
    Str *texts = arena_array(a, Str, max);
    if (!texts) return arena_error();
    for (*n = 0; *n < max && str_line(&file, &line);) {
        json_t *object = NULL;
        Str text = {"", 0};
        TRY(json_read(line, path, &object));
        Err err = json_get_str(object, "text", &text);
        texts[(*n)++] = arena_str(a, text);
        json_decref(object);
        TRY(err);
    }
    *out = texts;
    return ERR_OK;
}

#endif
