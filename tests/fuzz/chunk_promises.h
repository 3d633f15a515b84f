/* chunk_promises.h - what chunk.h promises of any text's chunks, for the fuzz targets of the chunkers; and two ways to
 * count. */
#ifndef PYTHIA_TESTS_FUZZ_CHUNK_PROMISES_H
#define PYTHIA_TESTS_FUZZ_CHUNK_PROMISES_H

#include <stdlib.h>

#include "chunk/chunk.h"

static inline size_t count_bytes(const void *ctx, Str text) {
    (void)ctx;
    return (text.n + 2) / 3;
}

/* Words of any length are one token, and each line break costs one more: counts of lines do not add up. */
static inline size_t count_words(const void *ctx, Str text) {
    size_t n = 0;
    (void)ctx;
    for (size_t i = 0; i < text.n; i++) {
        const bool starts = text.p[i] != ' ' && (i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\n');
        n += starts || text.p[i] == '\n';
    }
    return n;
}

static inline bool is_blank(Str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(" \t\r\n\f\v", s.p[i])) return false;
    return true;
}

static inline void check_chunks(Str text, const ChunkOpts *opts, const Chunk *chunks, size_t n) {
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

#endif
