/* Any bytes, cut by any chunker under any budget: what chunk.h promises holds. The first byte chooses the language and
 * the way of counting, the second the budget. */
#include "fuzz/chunk_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const langs[] = {"markdown", "rst", "", "c", "python", "text", "sql", "html"};
    if (size < 2 || size > 100000) return 0;
    Arena a = {0};
    DocChunks out;
    const Doc doc = {
        .text = str_make((const char *)data + 2, size - 2), .lang = str_of(langs[data[0] & 7]), .path = STR("x")};
    const ChunkOpts opts = {.max_tokens = 8u + data[1], .count_tokens = data[0] & 8 ? count_words : count_bytes};
    if (chunk_doc(&a, &doc, &opts, &out)) abort();
    check_chunks(doc.text, &opts, out.chunks, out.n);
    arena_free(&a);
    return 0;
}
