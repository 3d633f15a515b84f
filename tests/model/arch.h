/* arch.h - the golden networks of tests/golden/arch, run id by id, for the tests of architectures. */
#ifndef PYTHIA_TESTS_MODEL_ARCH_H
#define PYTHIA_TESTS_MODEL_ARCH_H

#include <math.h>

#include "tiny.h"

#define ARCH(name) TESTS_DIR "/golden/arch/" name ".gguf"

enum { ARCH_IDS_MAX = 64, ARCH_DIM_MAX = 64, ARCH_CASES_MAX = 16 };

typedef struct {
    int32_t ids[ARCH_IDS_MAX];
    size_t n;
    float want[ARCH_DIM_MAX];
} ArchCase;

/* The cases of a golden file, their vectors of dim floats; returns how many. */
static inline size_t arch_cases(const char *model, size_t dim, ArchCase *out /* [ARCH_CASES_MAX] */) {
    char golden[512];
    Arena a = {0};
    Str text, line;
    size_t cases = 0;
    (void)snprintf(golden, sizeof golden, "%.*stxt", (int)strlen(model) - 4, model);
    CHECK_OK(file_read(&a, golden, 1 << 20, &text));
    while (str_line(&text, &line)) {
        ArchCase *c = &out[cases++];
        Str list, hex, field;
        int64_t id = 0;
        CHECK(cases <= ARCH_CASES_MAX);
        CHECK(str_cut(&line, '\t', &list) && str_cut(&line, '\t', &hex));
        for (c->n = 0; str_cut(&list, ',', &field);) {
            CHECK(c->n < ARCH_IDS_MAX && str_to_i64(field, &id));
            c->ids[c->n++] = (int32_t)id;
        }
        CHECK(hex_read(hex, (uint8_t *)c->want, dim * sizeof *c->want));
    }
    arena_free(&a);
    return cases;
}

/* Hidden vectors of a batch, in a copy that the caller frees. */
static inline float *arch_hidden(const Model *m, const NetBatch *batch, Pool *pool) {
    size_t threads = pool_size(pool), floats = m->arch->scratch(m->net, batch->n_tokens, batch->longest, threads);
    float *scratch = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
    float *copy = malloc(batch->n_tokens * m->info.dim * sizeof *copy);
    const NetRun run = {pool, NULL, scratch};
    const float *hidden = NULL;
    assert_non_null(scratch);
    assert_non_null(copy);
    CHECK_OK(m->arch->run(m->net, batch, &run, &hidden));
    memcpy(copy, hidden, batch->n_tokens * m->info.dim * sizeof *copy);
    free(scratch);
    return copy;
}

static inline float *arch_hidden_one(const Model *m, const int32_t *ids, size_t n) {
    const uint32_t starts[] = {0, (uint32_t)n};
    const NetBatch batch = {.ids = ids, .starts = starts, .n_texts = 1, .n_tokens = n, .longest = n};
    return arch_hidden(m, &batch, NULL);
}

#endif
