/* Files of the kinds flat, ivfpq and compact that someone changed, behind right checksums: opened, searched, checked,
 * and built upon. Either they are refused, or searches give slots that exist, each once, and the next build is sound.
 *
 * Input: 1 byte kind (2 bits) and flags (4: rows are removed before the next build, 8: rows are added, 16: sums are
 * left wrong), 2 bytes which cut the built file's end off, then changes of 6 bytes each: 2 bytes where (the upper bit:
 * in the rows' file), 4 bytes what stands there then. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "index/vec.h"
#include "sums.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIM = 16, ROWS = 130, ADDED = 5, CHANGE = 6 };

static const struct {
    const char *name;
    VecParams params;
} kinds[] = {
    {"flat", {.partitions = 4, .iterations = 1}},
    {"ivfpq", {.sub_vectors = 5, .iterations = 1}},
    {"compact", {.seed = 3}},
    {"flat", {.keep_f32 = true}},
};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

static char dir[64];
static float rows[(ROWS + ADDED) * DIM];
static Buf good[N_KINDS][2]; /* the files as they are written: rows, built */

static void remove_dir(void) { (void)!file_remove_tree(dir); }

static Err row_compute(void *ctx, const uint32_t *slots, size_t n, const Deadline *deadline, float *out, bool *had) {
    (void)ctx;
    (void)had;
    (void)deadline;
    for (size_t i = 0; i < n; i++) {
        if (slots[i] >= ROWS + ADDED) abort();
        memcpy(out + i * DIM, rows + slots[i] * DIM, DIM * sizeof *out);
    }
    return ERR_OK;
}

static VecIndex *opened(size_t kind, uint32_t committed) {
    VecIndex *ix;
    VecSpec spec = {.kind = kinds[kind].name,
                    .dir = dir,
                    .dim = DIM,
                    .generation = 1,
                    .committed = committed,
                    .writer = true,
                    .params = kinds[kind].params};
    return vec_open(&ix, &spec) ? NULL : ix;
}

static const char *path_of(size_t part) {
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/vec-1.%s", dir, part ? "built" : "rows");
    return path;
}

static void files_make(void) {
    if (dir[0]) return;
    (void)atexit(remove_dir);
    (void)snprintf(dir, sizeof dir, "/tmp/fuzz-built-%ld", (long)getpid());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) /* every tenth row is like the one before it */
        rows[i] = i / DIM % 10 == 9 ? rows[i - DIM] : (float)(i * 7919 % 101) - 50;
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        uint32_t first, count;
        Arena a = {0};
        remove_dir();
        if (file_make_dirs(dir, 0755)) abort();
        VecIndex *ix = opened(kind, 0);
        if (!ix || vec_add(ix, rows, ROWS, &first) || vec_sync(ix, &count) || vec_build(ix, NULL, NULL)) abort();
        vec_close(ix);
        for (size_t part = 0; part < 2; part++) {
            Str bytes;
            if (file_read(&a, path_of(part), (size_t)1 << 20, &bytes)) abort();
            buf_add(&good[kind][part], bytes);
        }
        arena_free(&a);
    }
}

static void files_change(size_t kind, const uint8_t *data, size_t size) {
    uint8_t *files[2];
    size_t n[2], cut = (size_t)data[1] | (size_t)data[2] << 8;
    for (size_t part = 0; part < 2; part++) {
        n[part] = good[kind][part].n;
        files[part] = malloc(n[part]);
        if (!files[part]) abort();
        memcpy(files[part], good[kind][part].p, n[part]);
    }
    for (const uint8_t *c = data + 3; size >= 3 + CHANGE; size -= CHANGE, c += CHANGE) {
        size_t part = c[1] & 128 ? 0 : 1, at = ((size_t)c[0] | (size_t)(c[1] & 127) << 8) % (n[part] - 3);
        memcpy(files[part] + at, c + 2, 4);
    }
    n[1] -= cut % n[1];
    remove_dir();
    if (file_make_dirs(dir, 0755)) abort();
    for (size_t part = 0; part < 2; part++) {
        if (!(data[0] & 16)) put_sums_right(files[part], n[part]);
        FILE *f = fopen(path_of(part), "wb");
        if (!f || fwrite(files[part], 1, n[part], f) != n[part]) abort();
        (void)fclose(f);
        free(files[part]);
    }
}

/* A failing search is fine where the files are not. */
static void search(const VecIndex *ix, uint32_t count, bool sound) {
    uint64_t every_third[3] = {0x9249249249249249, 0x4924924924924924, 0x2492492492492492};
    for (size_t i = 0; i < 12; i++) {
        VecHit hits[7];
        size_t n;
        VecQuery q = {.k = 7,
                      .fetch = row_compute,
                      .effort = i % 4 ? 1 : 5,
                      .exact = i % 3 == 2,
                      .allowed = i % 2 ? every_third : NULL};
        if (vec_search(ix, rows + i * 8 * DIM, &q, hits, &n)) {
            if (sound) abort();
            continue;
        }
        if (n > 7) abort();
        for (size_t h = 0; h < n; h++) {
            if (hits[h].slot >= count || (q.allowed && !(every_third[hits[h].slot / 64] >> hits[h].slot % 64 & 1)))
                abort();
            for (size_t o = 0; o < h; o++)
                if (hits[o].slot == hits[h].slot) abort();
        }
    }
}

static void build_upon(VecIndex *ix, uint8_t flags) {
    static const uint32_t gone[] = {0, 8, 9, 19, 33, 34, 35};
    uint32_t first, count = ROWS;
    Buf report = {0};
    if ((flags & 4) && vec_remove(ix, gone, sizeof gone / sizeof *gone)) abort();
    if ((flags & 8) && vec_add(ix, rows + ROWS * DIM, ADDED, &first)) return;
    if (vec_sync(ix, &count)) abort();
    Err built = vec_build(ix, NULL, NULL); /* rows that are no rows are found out here at the latest */
    search(ix, count, false);
    if (!built && vec_check(ix, &report) && report.n == 0) abort();
    buf_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    size_t kind = data[0] & 3;
    files_make();
    files_change(kind, data, size);
    VecIndex *ix = opened(kind, ROWS);
    if (!ix) return 0;
    search(ix, ROWS, size == 3 && data[1] == 0 && data[2] == 0);
    build_upon(ix, data[0]);
    vec_close(ix);
    return 0;
}
