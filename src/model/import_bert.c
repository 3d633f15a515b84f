/* import_bert.c - BERT (config.json: model_type "bert"): sizes and tensors.
 *
 * Older checkpoints prefix each name with "bert." and call a norm's weight and bias gamma and beta; heads for training
 * (pooler, cls) and the constant position ids are left out, as embedding does not use them. Anything else that is there
 * and not known is an error: a part left out silently would give other vectors.
 */
#include <stdio.h>

#include "model/import.h"

typedef struct {
    int64_t layers, heads, hidden, ff, vocab, positions, types;
    double norm_eps;
} BertSizes;

enum { LAYERS_MAX = 256, HIDDEN_MAX = 1 << 16, VOCAB_MAX = 1 << 22, POSITIONS_MAX = 1 << 20 };

/* What a dimension is: an index into the sizes below. */
typedef enum { NONE, HIDDEN, FF, VOCAB, POSITIONS, TYPES } Extent;

typedef struct {
    const char *hf, *gguf; /* without ".weight" or ".bias" */
    Extent rows, cols;     /* of the weight; cols NONE: a norm's */
    bool bias;             /* has one, [rows] */
    bool f32;              /* a small table, always kept in F32 */
} BertTensor;

static const BertTensor embedding_tensors[] = {
    {"embeddings.word_embeddings", "token_embd", VOCAB, HIDDEN, false, false},
    {"embeddings.position_embeddings", "position_embd", POSITIONS, HIDDEN, false, true},
    {"embeddings.token_type_embeddings", "token_types", TYPES, HIDDEN, false, true},
    {"embeddings.LayerNorm", "token_embd_norm", HIDDEN, NONE, true, true},
};
static const BertTensor layer_tensors[] = {
    /* behind "encoder.layer.N." and "blk.N." */
    {"attention.self.query", "attn_q", HIDDEN, HIDDEN, true, false},
    {"attention.self.key", "attn_k", HIDDEN, HIDDEN, true, false},
    {"attention.self.value", "attn_v", HIDDEN, HIDDEN, true, false},
    {"attention.output.dense", "attn_output", HIDDEN, HIDDEN, true, false},
    {"attention.output.LayerNorm", "attn_output_norm", HIDDEN, NONE, true, true},
    {"intermediate.dense", "ffn_up", FF, HIDDEN, true, false},
    {"output.dense", "ffn_down", HIDDEN, FF, true, false},
    {"output.LayerNorm", "layer_output_norm", HIDDEN, NONE, true, true},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const left_out[] = {"pooler.", "cls.", "embeddings.position_ids"};

static Err sizes_read(const json_t *config, BertSizes *s) {
    const char *const file = "config.json";
    *s = (BertSizes){.types = 2, .norm_eps = 1e-12};
    TRY(import_int(file, config, "num_hidden_layers", 1, LAYERS_MAX, &s->layers));
    TRY(import_int(file, config, "num_attention_heads", 1, HIDDEN_MAX, &s->heads));
    TRY(import_int(file, config, "hidden_size", 1, HIDDEN_MAX, &s->hidden));
    TRY(import_int(file, config, "intermediate_size", 1, HIDDEN_MAX * 8, &s->ff));
    TRY(import_int(file, config, "vocab_size", 1, VOCAB_MAX, &s->vocab));
    TRY(import_int(file, config, "max_position_embeddings", 1, POSITIONS_MAX, &s->positions));
    TRY(import_int(file, config, "type_vocab_size", 1, 1 << 10, &s->types));
    const struct {
        const char *key;
        int64_t value;
    } needed[] = {{"num_hidden_layers", s->layers}, {"num_attention_heads", s->heads},
                  {"hidden_size", s->hidden},       {"intermediate_size", s->ff},
                  {"vocab_size", s->vocab},         {"max_position_embeddings", s->positions}};
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!needed[i].value) return err_set(ERR_INPUT, "config.json has no '%s'", needed[i].key);
    if (s->hidden % s->heads)
        return err_set(ERR_INPUT, "config.json: hidden_size %lld is no multiple of num_attention_heads %lld",
                       (long long)s->hidden, (long long)s->heads);
    TRY(json_get_f64(config, "layer_norm_eps", &s->norm_eps));
    if (!(s->norm_eps > 0 && s->norm_eps < 1))
        return err_set(ERR_INPUT, "config.json: layer_norm_eps is %g", s->norm_eps);
    return ERR_OK;
}

/* What the network takes for granted. */
static Err variant_check(const json_t *config) {
    Str act = STR("gelu"), positions = STR("absolute");
    TRY(import_str("config.json", config, "hidden_act", &act));
    TRY(import_str("config.json", config, "position_embedding_type", &positions));
    if (!str_is(act, "gelu"))
        return err_set(ERR_UNSUPPORTED, "config.json: hidden_act '%.*s'; known: gelu", STR_FMT(act));
    if (!str_is(positions, "absolute"))
        return err_set(ERR_UNSUPPORTED, "config.json: position_embedding_type '%.*s'; known: absolute",
                       STR_FMT(positions));
    return ERR_OK;
}

static uint64_t extent_of(const BertSizes *s, Extent e) {
    switch (e) {
    case HIDDEN:
        return (uint64_t)s->hidden;
    case FF:
        return (uint64_t)s->ff;
    case VOCAB:
        return (uint64_t)s->vocab;
    case POSITIONS:
        return (uint64_t)s->positions;
    case TYPES:
        return (uint64_t)s->types;
    default:
        return 1;
    }
}

/* ---- tensors ---- */

typedef struct {
    Import *im;
    BertSizes sizes;
    bool *taken;       /* [tensors of the file] */
    SafeType matrices; /* type of the word embeddings: what general.file_type tells */
} BertImport;

/* By the names in use: plain or with "bert." before, and a norm's old names. */
static const SafeTensor *tensor_find(const BertImport *b, const char *base, const char *part) {
    const char *old = strcmp(part, "weight") == 0 ? "gamma" : "beta";
    char name[256];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof name, "%s%s.%s", i & 1 ? "bert." : "", base, i & 2 ? old : part);
        const SafeTensor *t = safetensors_find(b->im->weights, name);
        if (t) return t;
    }
    return NULL;
}

static Err block_type_of(const BertImport *b, const SafeTensor *t, BlockType *out) {
    switch (t->type) {
    case SAFE_F32:
        *out = BLOCK_F32;
        return ERR_OK;
    case SAFE_F16:
        *out = BLOCK_F16;
        return ERR_OK;
    case SAFE_BF16:
        *out = BLOCK_BF16;
        return ERR_OK;
    default:
        return err_set(ERR_UNSUPPORTED, "'%s': tensor '%.*s' is %s; known: F32, F16, BF16",
                       safetensors_name(b->im->weights), STR_FMT(t->name), safe_type_name(t->type));
    }
}

static Err shape_check(const BertImport *b, const SafeTensor *t, uint64_t rows, uint64_t cols) {
    uint32_t n_dims = cols > 0 ? 2 : 1;
    if (t->n_dims == n_dims && t->shape[0] == rows && (n_dims == 1 || t->shape[1] == cols)) return ERR_OK;
    char got[128] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_dims && n < sizeof got; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%llu", i ? ", " : "", (unsigned long long)t->shape[i]);
    char want[64];
    if (n_dims == 2)
        (void)snprintf(want, sizeof want, "%llu, %llu", (unsigned long long)rows, (unsigned long long)cols);
    else
        (void)snprintf(want, sizeof want, "%llu", (unsigned long long)rows);
    return err_set(ERR_INPUT, "'%s': tensor '%.*s' is [%s]; config.json asks for [%s]",
                   safetensors_name(b->im->weights), STR_FMT(t->name), got, want);
}

/* cols 0: a vector. */
static Err tensor_add(BertImport *b, const char *hf, const char *gguf, const char *part, uint64_t rows, uint64_t cols,
                      bool f32) {
    const SafeTensor *t = tensor_find(b, hf, part);
    if (!t) return err_set(ERR_INPUT, "'%s' has no tensor '%s.%s'", safetensors_name(b->im->weights), hf, part);
    b->taken[t - safetensors_at(b->im->weights, 0)] = true;
    TRY(shape_check(b, t, rows, cols));
    BlockType type = BLOCK_F32;
    TRY(block_type_of(b, t, &type));
    Str data = t->data;
    if (type != BLOCK_F32 && (f32 || cols == 0)) {
        float *numbers = arena_array(b->im->arena, float, t->items);
        if (!numbers) return arena_error();
        block_format(type)->decode(t->data.p, (size_t)t->items, numbers);
        data = str_make((const char *)numbers, (size_t)t->items * sizeof *numbers);
        type = BLOCK_F32;
    }
    char name[GGUF_NAME_LENGTH_MAX];
    (void)snprintf(name, sizeof name, "%s.%s", gguf, part);
    uint64_t shape[2] = {cols ? cols : rows, rows}; /* fastest first */
    gguf_add_tensor(b->im->out, name, type, shape, cols ? 2 : 1, data);
    return ERR_OK;
}

static Err tensors_add(BertImport *b, const BertTensor *list, size_t n, const char *hf_prefix,
                       const char *gguf_prefix) {
    for (size_t i = 0; i < n; i++) {
        const BertTensor *t = &list[i];
        char hf[128], gguf[128];
        (void)snprintf(hf, sizeof hf, "%s%s", hf_prefix, t->hf);
        (void)snprintf(gguf, sizeof gguf, "%s%s", gguf_prefix, t->gguf);
        uint64_t rows = extent_of(&b->sizes, t->rows), cols = t->cols == NONE ? 0 : extent_of(&b->sizes, t->cols);
        TRY(tensor_add(b, hf, gguf, "weight", rows, cols, t->f32));
        if (t->bias) TRY(tensor_add(b, hf, gguf, "bias", rows, 0, true));
    }
    return ERR_OK;
}

static Err leftovers_check(const BertImport *b) {
    for (size_t i = 0; i < safetensors_count(b->im->weights); i++) {
        if (b->taken[i]) continue;
        Str name = safetensors_at(b->im->weights, i)->name;
        Str plain = str_starts(name, STR("bert.")) ? str_from(name, 5) : name;
        bool known = false;
        for (size_t k = 0; k < COUNT(left_out); k++) known |= str_starts(plain, str_of(left_out[k]));
        if (!known)
            return err_set(ERR_UNSUPPORTED, "'%s': tensor '%.*s' is no part of a BERT that is known",
                           safetensors_name(b->im->weights), STR_FMT(name));
    }
    return ERR_OK;
}

static Err all_tensors_add(BertImport *b) {
    TRY(tensors_add(b, embedding_tensors, COUNT(embedding_tensors), "", ""));
    for (int64_t i = 0; i < b->sizes.layers; i++) {
        char hf[48], gguf[32];
        (void)snprintf(hf, sizeof hf, "encoder.layer.%lld.", (long long)i);
        (void)snprintf(gguf, sizeof gguf, "blk.%lld.", (long long)i);
        TRY(tensors_add(b, layer_tensors, COUNT(layer_tensors), hf, gguf));
    }
    return leftovers_check(b);
}

/* ---- keys ---- */

static void keys_write(const BertImport *b) {
    const BertSizes *s = &b->sizes;
    GgufWriter *w = b->im->out;
    uint32_t file_type = b->matrices == SAFE_F16 ? 1 : b->matrices == SAFE_BF16 ? 32 : 0; /* llama.cpp's numbers */
    gguf_set_u32(w, "general.file_type", file_type);
    gguf_set_u32(w, "bert.block_count", (uint32_t)s->layers);
    gguf_set_u32(w, "bert.context_length", (uint32_t)s->positions);
    gguf_set_u32(w, "bert.embedding_length", (uint32_t)s->hidden);
    gguf_set_u32(w, "bert.feed_forward_length", (uint32_t)s->ff);
    gguf_set_u32(w, "bert.attention.head_count", (uint32_t)s->heads);
    gguf_set_f32(w, "bert.attention.layer_norm_epsilon", (float)s->norm_eps);
    gguf_set_bool(w, "bert.attention.causal", false);
    gguf_set_u32(w, "bert.pooling_type", (uint32_t)b->im->pooling);
    gguf_set_u32(w, "tokenizer.ggml.token_type_count", (uint32_t)s->types);
    if (b->im->max_tokens && b->im->max_tokens < s->positions)
        gguf_set_u32(w, "pythia.max_tokens", (uint32_t)b->im->max_tokens);
}

static Err bert_write(Import *im, size_t *n_vocab) {
    BertImport b = {.im = im};
    TRY(sizes_read(im->config, &b.sizes));
    TRY(variant_check(im->config));
    b.taken = arena_array(im->arena, bool, safetensors_count(im->weights) + 1);
    if (!b.taken) return arena_error();
    const SafeTensor *words = tensor_find(&b, "embeddings.word_embeddings", "weight");
    if (words) b.matrices = words->type;
    keys_write(&b);
    *n_vocab = (size_t)b.sizes.vocab;
    return all_tensors_add(&b);
}

const ImportArch import_bert = {"bert", bert_write};
