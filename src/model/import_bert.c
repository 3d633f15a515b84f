/* import_bert.c - BERT and those that are the same network under other names: RoBERTa, XLM-RoBERTa and CamemBERT, whose
 * positions begin behind that of the padding, and DistilBERT, which has half the layers and no token types.
 *
 * Older checkpoints call a norm's weight and bias gamma and beta; heads for training (pooler, cls, lm_head) and the
 * constant position ids are left out, as embedding does not use them. Anything else that is there and not known is an
 * error.
 */
#include "model/import.h"

#define CONFIG "config.json"

static const ImportTensor embeddings[] = {
    {"embeddings.word_embeddings", "token_embd", SIZE_VOCAB, SIZE_HIDDEN, 0},
    {"embeddings.position_embeddings", "position_embd", SIZE_POSITIONS, SIZE_HIDDEN, TENSOR_F32 | TENSOR_POSITIONS},
    {"embeddings.LayerNorm", "token_embd_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};
static const ImportTensor types[] = {
    {"embeddings.token_type_embeddings", "token_types", SIZE_TYPES, SIZE_HIDDEN, TENSOR_F32},
};
static const ImportTensor bert_layer[] = {
    {"attention.self.query", "attn_q", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.self.key", "attn_k", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.self.value", "attn_v", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.output.dense", "attn_output", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.output.LayerNorm", "attn_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
    {"intermediate.dense", "ffn_up", SIZE_FF, SIZE_HIDDEN, TENSOR_BIAS},
    {"output.dense", "ffn_down", SIZE_HIDDEN, SIZE_FF, TENSOR_BIAS},
    {"output.LayerNorm", "layer_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};
static const ImportTensor distil_layer[] = {
    {"attention.q_lin", "attn_q", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.k_lin", "attn_k", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.v_lin", "attn_v", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"attention.out_lin", "attn_output", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"sa_layer_norm", "attn_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
    {"ffn.lin1", "ffn_up", SIZE_FF, SIZE_HIDDEN, TENSOR_BIAS},
    {"ffn.lin2", "ffn_down", SIZE_HIDDEN, SIZE_FF, TENSOR_BIAS},
    {"output_layer_norm", "layer_output_norm", SIZE_HIDDEN, SIZE_NONE, TENSOR_BIAS},
};

/* cls, then an activation, then cls.output. */
static const ImportTensor bert_head[] = {
    {"bert.pooler.dense", "cls", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"classifier", "cls.output", SIZE_LABELS, SIZE_HIDDEN, TENSOR_BIAS},
};
static const ImportTensor roberta_head[] = {
    {"classifier.dense", "cls", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"classifier.out_proj", "cls.output", SIZE_LABELS, SIZE_HIDDEN, TENSOR_BIAS},
};
static const ImportTensor distil_head[] = {
    {"pre_classifier", "cls", SIZE_HIDDEN, SIZE_HIDDEN, TENSOR_BIAS},
    {"classifier", "cls.output", SIZE_LABELS, SIZE_HIDDEN, TENSOR_BIAS},
};

typedef struct {
    const char *prefixes;      /* before all names */
    const char *hf_layer;      /* "encoder.layer." */
    const ImportTensor *layer; /* eight of them */
    const ImportTensor *head;  /* two of them */
    const char *left_out;
    const char *what;
    bool has_types, after_padding;
} Bert;

enum { LAYER_TENSORS = IMPORT_COUNT(bert_layer), HEAD_TENSORS = IMPORT_COUNT(bert_head) };
_Static_assert(IMPORT_COUNT(distil_layer) == LAYER_TENSORS, "a layer is a layer");

static Err sizes_read(Import *im, const Bert *b, ImportShape *s) {
    int64_t n_types = 2, padding = 1;
    *s = (ImportShape){.epsilon = 1e-12};
    TRY(import_shape_read(im, s));
    TRY(import_int(CONFIG, im->config, "type_vocab_size", 1, 1 << 10, &n_types));
    im->sizes[SIZE_TYPES] = (uint64_t)n_types;
    if (!b->after_padding) return ERR_OK;
    TRY(import_int(CONFIG, im->config, "pad_token_id", 0, s->positions - 2, &padding));
    im->first_position = (uint64_t)padding + 1;
    s->positions -= padding + 1;
    return ERR_OK;
}

/* What the network takes for granted. */
static Err variant_check(const Import *im) {
    TRY(import_want_str(CONFIG, im->config, "hidden_act|activation", "gelu"));
    TRY(import_want_str(CONFIG, im->config, "position_embedding_type", "absolute"));
    TRY(import_want_bool(CONFIG, im->config, "is_decoder", false));
    return import_want_bool(CONFIG, im->config, "add_cross_attention", false);
}

/* A network without token types is one whose only type adds nothing: llama.cpp asks for the tensor. */
static Err types_zero(Import *im) {
    uint64_t shape[2] = {im->sizes[SIZE_HIDDEN], 1};
    const float *zeros = arena_array(im->arena, float, (size_t)shape[0]);
    if (!zeros) return arena_error();
    gguf_add_tensor(im->out, "token_types.weight", BLOCK_F32, shape, 2,
                    str_make((const char *)zeros, (size_t)shape[0] * sizeof *zeros));
    return ERR_OK;
}

static void keys_write(const Import *im, const Bert *b, const ImportShape *s) {
    import_shape_write(im, s, false);
    import_key_bool(im, "attention.causal", false);
    import_key_u32(im, "pooling_type", im->reranker ? POOL_RANK : im->pooling);
    gguf_set_u32(im->out, "tokenizer.ggml.token_type_count", b->has_types ? (uint32_t)im->sizes[SIZE_TYPES] : 1);
    if (im->reranker && b->head == distil_head) gguf_set_str(im->out, "pythia.rank.activation", STR("relu"));
}

static Err write(Import *im, const Bert *b, int64_t *context) {
    ImportShape s;
    im->arch = "bert";
    TRY(variant_check(im));
    TRY(sizes_read(im, b, &s));
    import_prefix_find(im, b->prefixes, "embeddings.word_embeddings.weight");
    TRY(import_tensors(im, embeddings, IMPORT_COUNT(embeddings), "", ""));
    TRY(b->has_types ? import_tensors(im, types, IMPORT_COUNT(types), "", "") : types_zero(im));
    TRY(import_layers(im, b->layer, LAYER_TENSORS, b->hf_layer, s.layers));
    TRY(import_classifier(im, b->head, HEAD_TENSORS));
    TRY(import_leftovers(im, b->left_out, b->what));
    keys_write(im, b, &s);
    *context = s.positions;
    return ERR_OK;
}

static Err bert_write(Import *im, int64_t *context) {
    static const Bert b = {.prefixes = "|bert.|model.",
                           .hf_layer = "encoder.layer.",
                           .layer = bert_layer,
                           .head = bert_head,
                           .left_out = "pooler.|cls.|embeddings.position_ids",
                           .what = "a BERT",
                           .has_types = true};
    return write(im, &b, context);
}

static Err roberta_write(Import *im, int64_t *context) {
    static const Bert b = {.prefixes = "|roberta.|model.",
                           .hf_layer = "encoder.layer.",
                           .layer = bert_layer,
                           .head = roberta_head,
                           .left_out = "pooler.|lm_head.|embeddings.position_ids",
                           .what = "a RoBERTa",
                           .has_types = true,
                           .after_padding = true};
    return write(im, &b, context);
}

static Err distilbert_write(Import *im, int64_t *context) {
    static const Bert b = {.prefixes = "|distilbert.|model.",
                           .hf_layer = "transformer.layer.",
                           .layer = distil_layer,
                           .head = distil_head,
                           .left_out = "vocab_|embeddings.position_ids",
                           .what = "a DistilBERT"};
    return write(im, &b, context);
}

const ImportArch import_bert = {"bert", bert_write};
const ImportArch import_roberta = {"roberta", roberta_write};
const ImportArch import_xlm_roberta = {"xlm-roberta", roberta_write};
const ImportArch import_camembert = {"camembert", roberta_write};
const ImportArch import_distilbert = {"distilbert", distilbert_write};
