/* Arbitrary bytes as a segment of the lexical index: opened, searched, checked, joined. Nothing may crash, and a search
 * that succeeds gives documents that exist.
 *
 * Input: 1 byte documents, 1 byte flags, the file. So that mutations reach behind the checksums, flag 1 has the file's
 * sums put right first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "index/lex.h"
#include "sums.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static Analyzer *analyzer;

static void tear_down(void) {
    (void)!file_remove_tree(dir);
    analyzer_close(analyzer);
}

static void setup(void) {
    if (dir[0]) return;
    (void)snprintf(dir, sizeof dir, "/tmp/fuzz-lex-%ld", (long)getpid());
    if (file_make_dirs(dir, 0755) || analyzer_open(&analyzer)) abort();
    (void)atexit(tear_down);
}

static void write_segment(const uint8_t *bytes, size_t n, bool sums, uint32_t documents) {
    char path[128];
    uint8_t *copy = malloc(n ? n : 1);
    (void)snprintf(path, sizeof path, "%s/lex-1-00000000-%08x.seg", dir, documents);
    FILE *f = fopen(path, "wb");
    if (!f || !copy) abort();
    if (n) memcpy(copy, bytes, n);
    if (sums) put_sums_right(copy, n);
    if (fwrite(copy, 1, n, f) != n) abort();
    (void)fclose(f);
    free(copy);
}

static void search(const LexIndex *ix, const char *text, uint32_t documents) {
    Arena a = {0};
    LexQuery q;
    LexHit hits[16];
    size_t n = 0;
    const LexSearch how = {.k = 16};
    if (lex_query_read(&a, analyzer, str_of(text), true, &q)) abort();
    if (lex_search(ix, &q, &how, hits, &n) == ERR_OK)
        for (size_t i = 0; i < n; i++)
            if (hits[i].number >= documents || !(hits[i].score > 0)) abort();
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    setup();
    if (size < 2) return 0;
    const uint32_t documents = data[0] + 1u;
    LexIndex *ix;
    LexSpec spec = {.dir = dir, .generation = 1, .committed = documents};
    for (int writer = 0; writer < 2; writer++) {
        spec.writer = writer;
        if (lex_drop(dir, 1)) abort();
        write_segment(data + 2, size - 2, data[1] & 1, documents);
        if (lex_open(&ix, &spec)) continue;
        search(ix, "bako cako dako eako", documents);
        search(ix, "\"bako cako\" +ba* -dako", documents);
        const ChunkRange all = {0, INT64_MAX};
        uint64_t bits[5] = {0};
        size_t count;
        if (lex_allow(ix, &all, 1, bits, documents, &count) || count > documents) abort();
        Buf report = {0};
        if (lex_check(ix, &report) == ERR_OK && report.n) abort();
        buf_free(&report);
        uint32_t committed;
        const ChunkRange some = {0, 5};
        if (writer) {
            if (lex_remove(ix, &some, 1, NULL) == ERR_OK) (void)!lex_sync(ix, &committed);
            if (lex_merge(ix, true, NULL) == ERR_OK) search(ix, "bako", documents + 1);
        }
        lex_close(ix);
    }
    return 0;
}
