/* Arbitrary bytes as an index's files: opened, searched and checked, as reader and as writer. Nothing may crash, and a
 * search that succeeds gives slots that exist.
 *
 * Input: 1 byte dim - 1 (5 bits) and flags, 1 byte committed rows, 2 bytes length of the rows' file, then both files.
 * So that mutations reach behind the checksums, flag 64 has the sums of both files put right first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "index/vec.h"
#include "sums.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], rows_path[96], gone_path[96];

static void remove_dir(void) { (void)!file_remove_tree(dir); }

static void setup(void) {
    if (dir[0]) return;
    (void)snprintf(dir, sizeof dir, "/tmp/fuzz-vecfile-%ld", (long)getpid());
    (void)snprintf(rows_path, sizeof rows_path, "%s/vec-1.rows", dir);
    (void)snprintf(gone_path, sizeof gone_path, "%s/vec-1.gone", dir);
    if (file_make_dirs(dir, 0755)) abort();
    (void)atexit(remove_dir);
}

static void write_file(const char *path, const uint8_t *bytes, size_t n, bool sums) {
    uint8_t *copy = malloc(n ? n : 1);
    FILE *f = fopen(path, "wb");
    if (!f || !copy) abort();
    if (n) memcpy(copy, bytes, n);
    if (sums) put_sums_right(copy, n);
    if (fwrite(copy, 1, n, f) != n) abort();
    (void)fclose(f);
    free(copy);
}

static void use(const VecSpec *spec) {
    VecIndex *ix;
    float query[32], row[32];
    for (size_t d = 0; d < 32; d++) query[d] = (float)d - 7;
    if (vec_open(&ix, spec)) return;
    VecHit hits[20];
    size_t n;
    uint64_t allowed[4] = {0x5555555555555555, ~UINT64_C(0), 0, 1};
    VecQuery q = {.k = 20};
    for (int filtered = 0; filtered < 2; filtered++, q.allowed = allowed) {
        if (vec_search(ix, query, &q, hits, &n)) continue;
        if (n > 20) abort();
        for (size_t i = 0; i < n; i++)
            if (hits[i].slot >= spec->committed || vec_row(ix, hits[i].slot, row)) abort();
    }
    Buf report = {0};
    if (vec_check(ix, &report) == ERR_OK && report.n) abort();
    buf_free(&report);
    if (spec->writer) {
        uint32_t slot = 0, map[256], count;
        (void)!vec_remove(ix, &slot, spec->committed > 0);
        if (vec_compact(ix, map, &count) == ERR_OK && count > spec->committed) abort();
        if (vec_add(ix, query, 1, &slot) == ERR_OK && slot != spec->committed) abort();
        (void)!vec_sync(ix, &count);
    }
    vec_close(ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    setup();
    if (size < 4) return 0;
    size_t rows = (size_t)data[2] | (size_t)data[3] << 8;
    if (rows > size - 4) rows = size - 4;
    write_file(rows_path, data + 4, rows, data[0] & 64);
    write_file(gone_path, data + 4 + rows, size - 4 - rows, data[0] & 64);
    VecSpec spec = {.kind = "exact", .dir = dir, .dim = 1 + (data[0] & 31), .generation = 1, .committed = data[1]};
    use(&spec);
    spec.writer = true;
    use(&spec);
    return 0;
}
