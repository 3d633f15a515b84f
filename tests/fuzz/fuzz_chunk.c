/* Any bytes, cut by any chunker under any budget: what chunk.h promises holds. The first byte chooses the language and the
 * way of counting, the second the budget. */
#include <stdlib.h>

#include "chunk/chunk.h"

static size_t count_bytes(const void *ctx, Str text) {
    (void)ctx;
    return (text.n + 2) / 3;
}

/* Words of any length are one token, and each line break costs one more: counts of lines do not add up. */
static size_t count_words(const void *ctx, Str text) {
    size_t n = 0;
    (void)ctx;
    for (size_t i = 0; i < text.n; i++) {
        const bool starts = text.p[i] != ' ' && (i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\n');
        n += starts || text.p[i] == '\n';
    }
    return n;
}

static bool is_blank(Str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(" \t\r\n\f\v", s.p[i])) return false;
    return true;
}

static void check(Str text, const ChunkOpts *opts, const Chunk *chunks, size_t n) {
    int64_t end = 0;
    int32_t line = 1;
    for (size_t i = 0; i < n; i++) {
        const Chunk *c = &chunks[i];
        if (c->start < end || c->end <= c->start || (uint64_t)c->end > text.n) abort();
        const Str span = str_make(text.p + c->start, (size_t)(c->end - c->start));
        if (!is_blank(str_make(text.p + end, (size_t)(c->start - end))) || is_blank(span)) abort();
        for (; end < c->start; end++) line += text.p[end] == '\n';
        if (c->start_line != line) abort();
        for (; end < c->end; end++) line += text.p[end] == '\n';
        if (c->end_line != line || (uint64_t)c->tokens != opts->count_tokens(NULL, span)) abort();
        if (span.n > 4 && (uint64_t)c->tokens > opts->max_tokens) abort();
        if (c->start_line != c->end_line && span.n > opts->max_tokens * CHUNK_BYTES_PER_TOKEN + 2000) abort();
    }
    if (!is_blank(str_from(text, (size_t)end))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const langs[] = {"markdown", "rst", "", "c", "python", "text", "sql", "html"};
    if (size < 2 || size > 100000) return 0;
    Arena a = {0};
    Chunk *chunks;
    size_t n;
    const Doc doc = {
        .text = str_make((const char *)data + 2, size - 2), .lang = str_of(langs[data[0] & 7]), .path = STR("x")};
    const ChunkOpts opts = {.max_tokens = 8u + data[1], .count_tokens = data[0] & 8 ? count_words : count_bytes};
    if (chunk_doc(&a, &doc, &opts, &chunks, &n)) abort();
    check(doc.text, &opts, chunks, n);
    arena_free(&a);
    return 0;
}
