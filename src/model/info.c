/* info.c - a model's metadata as one value, for opening and for listing alike. */
#include "model/info.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "model/prefix.h"

/* Larger than any model there is; keeps products of two of them far from overflow. */
enum { INFO_DIM_MAX = 1 << 20, INFO_LAYERS_MAX = 1 << 10, INFO_TOKENS_MAX = 1 << 24 };

const char *model_key(Str arch, const char *key, char out[128]) {
    (void)snprintf(out, 128, "%.*s.%s", (int)(arch.n > 60 ? 60 : arch.n), arch.p, key);
    return out;
}

/* A count that must be there and lie in 1..max. */
static Err read_count(const Gguf *g, Str arch, const char *key, size_t max, size_t *out) {
    char name[128];
    uint64_t v = 0;
    (void)model_key(arch, key, name);
    TRY(gguf_need(g, name));
    TRY(gguf_get_u64(g, name, &v));
    if (v == 0 || v > max)
        return err_set(ERR_CORRUPT, "model '%s': '%s' is %" PRIu64 ", 1 to %zu is possible", gguf_name(g), name, v,
                       max);
    *out = (size_t)v;
    return ERR_OK;
}

static Err read_limit(const Gguf *g, Str arch, ModelInfo *out) {
    uint64_t limit = UINT64_MAX;
    TRY(read_count(g, arch, "context_length", INFO_TOKENS_MAX, &out->max_tokens));
    TRY(gguf_get_u64(g, "pythia.max_tokens", &limit));
    if (limit < out->max_tokens) out->max_tokens = (size_t)limit;
    if (out->max_tokens < 3) /* two special ones and one of the text */
        return err_set(ERR_CORRUPT, "model '%s' takes %zu tokens, which leaves no room for a text", gguf_name(g),
                       out->max_tokens);
    return ERR_OK;
}

static Err read_pooling(const Gguf *g, Str arch, Pooling *out) {
    char name[128];
    uint32_t v = POOL_NONE;
    TRY(gguf_get_u32(g, model_key(arch, "pooling_type", name), &v));
    if (v > POOL_RANK)
        return err_set(ERR_UNSUPPORTED, "model '%s': '%s' is %" PRIu32 ", known are 0 (none) to %d (rank)",
                       gguf_name(g), name, v, POOL_RANK);
    *out = (Pooling)v;
    return ERR_OK;
}

/* "F16+F32": the tensors' formats, the one with the most bytes first. */
static Str tensor_types(const Gguf *g, Arena *a) {
    struct {
        const BlockFormat *format;
        uint64_t bytes;
    } seen[64];
    size_t n = 0;
    for (size_t i = 0; i < gguf_tensors(g); i++) {
        const GgufTensor *t = gguf_tensor_at(g, i);
        size_t k = 0;
        while (k < n && seen[k].format != t->format) k++;
        if (k == n && n == sizeof seen / sizeof *seen) continue;
        if (k == n) {
            seen[n].format = t->format;
            seen[n++].bytes = 0;
        }
        seen[k].bytes += t->data.n;
    }
    Str out = {"", 0};
    while (n > 0) {
        size_t best = 0;
        for (size_t k = 1; k < n; k++)
            if (seen[k].bytes > seen[best].bytes) best = k;
        out = arena_printf(a, "%.*s%s%s", STR_FMT(out), out.n ? "+" : "", seen[best].format->name);
        seen[best] = seen[--n];
    }
    return out;
}

Err model_info_read(const Gguf *g, Arena *a, const char *path, ModelInfo *out) {
    Str arch = {"", 0}, name = path_base(str_of(path)), parent = {"", 0}, parent_sha = {"", 0};
    size_t n_vocab = 0;
    *out = (ModelInfo){.normalize = true};
    TRY(gguf_need(g, "general.architecture"));
    TRY(gguf_get_str(g, "general.architecture", &arch));
    if (arch.n == 0 || arch.n > 60)
        return err_set(ERR_CORRUPT, "model '%s': 'general.architecture' has %zu bytes", gguf_name(g), arch.n);
    TRY(gguf_get_str(g, "general.name", &name));
    TRY(read_count(g, arch, "embedding_length", INFO_DIM_MAX, &out->dim));
    if (!str_is(arch, INFO_STATIC)) {
        TRY(read_count(g, arch, "block_count", INFO_LAYERS_MAX, &out->n_layers));
        TRY(read_count(g, arch, "attention.head_count", INFO_DIM_MAX, &out->n_heads));
        TRY(read_count(g, arch, "feed_forward_length", INFO_DIM_MAX, &out->n_ff));
    }
    TRY(read_limit(g, arch, out));
    TRY(read_pooling(g, arch, &out->pooling));
    TRY(gguf_get_bool(g, "pythia.normalize", &out->normalize));
    const GgufKey *tokens = gguf_key(g, "tokenizer.ggml.tokens");
    if (tokens) n_vocab = (size_t)tokens->count;
    out->n_vocab = n_vocab;
    out->arch = arena_str(a, arch);
    out->name = arena_str(a, name.n ? name : path_base(str_of(path)));
    out->path = arena_str(a, str_of(path));
    TRY(gguf_get_str(g, INFO_PARENT_KEY, &parent));
    TRY(gguf_get_str(g, INFO_PARENT_SHA, &parent_sha));
    if (parent_sha.n && !hex_read(parent_sha, out->parent_id.bytes, sizeof out->parent_id.bytes))
        return err_set(ERR_CORRUPT, "model '%s': '" INFO_PARENT_SHA "' is no SHA-256", gguf_name(g));
    out->parent = arena_str(a, parent);
    TRY(prefix_read(g, a, out));
    out->tensor_types = tensor_types(g, a);
    out->bytes = (int64_t)gguf_bytes(g).n;
    return out->arch.p && out->name.p && out->path.p && out->parent.p && out->tensor_types.p ? ERR_OK : arena_error();
}
