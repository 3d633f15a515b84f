/* Any bytes, cut by any chunker: spans are in order, inside the text, and blank between. */
#include <stdlib.h>

#include "chunk/chunk.h"

static size_t count_bytes(const void *ctx, Str text) {
    (void)ctx;
    return (text.n + 2) / 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const langs[] = {"markdown", "rst", "", "c"};
    if (size < 2 || size > 100000) return 0;
    Arena a = {0};
    Chunk *chunks;
    size_t n;
    Doc doc = {
        .text = str_make((const char *)data + 2, size - 2), .lang = str_of(langs[data[0] & 3]), .path = STR("x")};
    ChunkOpts opts = {.max_tokens = 8u + data[1], .count_tokens = count_bytes};
    if (chunk_doc(&a, &doc, &opts, &chunks, &n)) abort();
    int64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (chunks[i].start < end || chunks[i].end <= chunks[i].start || (uint64_t)chunks[i].end > doc.text.n) abort();
        if (chunks[i].start_line > chunks[i].end_line || chunks[i].start_line < 1) abort();
        size_t bytes = (size_t)(chunks[i].end - chunks[i].start);
        if ((bytes + 2) / 3 > opts.max_tokens) abort();
        end = chunks[i].end;
    }
    arena_free(&a);
    return 0;
}
