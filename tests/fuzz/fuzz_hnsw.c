/* A graph that someone changed, behind right checksums: opened, searched, checked, and built upon. Either it is
 * refused, or searches give slots that exist and the next build's graph is sound.
 *
 * Input: 1 byte flags (1: rows are removed before the next build, 2: rows are added), then changes of 7 bytes each: 1
 * byte which array (words, ground, starts, upper, twins), 2 bytes which number of it, 4 bytes its new value; 128: made
 * a slot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "index/hnsw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIM = 6, ROWS = 70, CHANGE = 7 };

static char dir[64];
static float rows[ROWS * DIM];

static void remove_dir(void) { (void)!file_remove_tree(dir); }

static VecIndex *opened(uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = {.kind = "hnsw", .dir = dir, .dim = DIM, .generation = 1, .committed = committed, .writer = true};
    spec.params = (VecParams){.graph_degree = 2, .ef_construction = 10};
    return vec_open(&ix, &spec) ? NULL : ix;
}

static void rows_make(void) {
    if (!dir[0]) (void)atexit(remove_dir);
    (void)snprintf(dir, sizeof dir, "/tmp/fuzz-hnsw-%ld", (long)getpid());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) /* every tenth row is like the one before it */
        rows[i] = i / DIM % 10 == 9 ? rows[i - DIM] : (float)(i * 7919 % 101) - 50;
}

/* The built file again, with changes. */
static void graph_change(const VecIndex *ix, const uint8_t *changes, size_t n) {
    BuiltFile *f = &((Rows8 *)(uintptr_t)ix)->built;
    Built *b = built_hold(f);
    BuiltPart parts[HNSW_N_PARTS];
    uint32_t words[BUILT_WORDS];
    if (!b) abort();
    memcpy(words, b->words, sizeof words);
    for (size_t p = 0; p < HNSW_N_PARTS; p++) {
        void *copy = malloc(b->parts[p].n + 1);
        if (!copy) abort();
        if (b->parts[p].n) memcpy(copy, b->parts[p].bytes, b->parts[p].n);
        parts[p] = (BuiltPart){copy, b->parts[p].n};
    }
    for (; n >= CHANGE; n -= CHANGE, changes += CHANGE) {
        size_t which = changes[0] % (HNSW_N_PARTS + 1), at = (size_t)changes[1] | (size_t)changes[2] << 8;
        uint32_t *array = which ? (uint32_t *)(uintptr_t)parts[which - 1].bytes : words;
        size_t numbers = which ? parts[which - 1].n / sizeof *array : BUILT_WORDS;
        uint32_t value;
        memcpy(&value, changes + 3, sizeof value);
        if (changes[0] & 128) value %= ROWS; /* mostly still a graph */
        if (numbers) array[at % numbers] = value;
    }
    if (built_write(f, b->rows, words, parts, HNSW_N_PARTS)) abort();
    built_drop(f, b);
    for (size_t p = 0; p < HNSW_N_PARTS; p++) free((void *)(uintptr_t)parts[p].bytes);
}

static void search(const VecIndex *ix, uint32_t count) {
    for (int exact = 0; exact < 2; exact++)
        for (size_t i = 0; i < 8; i++) {
            VecHit hits[3];
            size_t n;
            VecQuery q = {.k = 3, .effort = 0.1f, .exact = exact};
            if (vec_search(ix, rows + i * 8 * DIM, &q, hits, &n) || n > 3) abort();
            for (size_t h = 0; h < n; h++)
                if (hits[h].slot >= count) abort();
        }
}

static void build_upon(VecIndex *ix, uint8_t flags) {
    static const uint32_t gone[] = {0, 8, 9, 19, 33, 34, 35};
    uint32_t first, count = ROWS;
    HnswGraph g;
    if ((flags & 1) && vec_remove(ix, gone, sizeof gone / sizeof *gone)) abort();
    if ((flags & 2) && vec_add(ix, rows, 3, &first)) abort();
    if (vec_sync(ix, &count) || vec_build(ix, NULL, NULL)) abort();
    const BuiltFile *f = &((const Rows8 *)ix)->built;
    Built *b = built_hold(f);
    if (!b || hnsw_graph_read(f, b, &g) || hnsw_graph_check(f, &g)) abort();
    built_drop(f, b);
    search(ix, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t first, count;
    if (size < 1) return 0;
    rows_make();
    remove_dir();
    if (file_make_dirs(dir, 0755)) abort();
    VecIndex *ix = opened(0);
    if (!ix || vec_add(ix, rows, ROWS, &first) || vec_sync(ix, &count) || vec_build(ix, NULL, NULL)) abort();
    graph_change(ix, data + 1, size - 1);
    vec_close(ix);
    ix = opened(count);
    if (!ix) return 0;
    search(ix, count);
    build_upon(ix, data[0]);
    vec_close(ix);
    return 0;
}
