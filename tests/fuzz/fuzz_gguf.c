/* fuzz_gguf.c - a GGUF out of hostile bytes: the walk, every getter, every tensor's first blocks, and where all of that
 * holds, tokenizer, network in each precision and one text through both, and a few tokens decoded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/decode.h"
#include "model/model_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory must stay in proportion to the file: a block of 18 bytes becomes 32 floats (7 times), and packing pads rows to
 * panels. More than this of any input is not worth the fuzzer's time. */
enum { FUZZ_BYTES_MAX = 1 << 17 };

/* Getters of the wrong type must refuse, those of the right one must not read outside. */
static unsigned read_keys(const Gguf *g, Arena *a) {
    unsigned sum = 0;
    for (size_t i = 0; i < gguf_keys(g); i++) {
        const char *key = arena_cstr(a, gguf_key_at(g, i)->key);
        uint32_t u = 0;
        uint64_t v = 0;
        int64_t s = 0;
        float f = 0;
        bool b = false;
        Str str = {"", 0}, *strs = NULL;
        int32_t *ints = NULL;
        float *floats = NULL;
        size_t n = 0;
        if (!gguf_get_u32(g, key, &u)) sum += u;
        if (!gguf_get_u64(g, key, &v)) sum += (unsigned)v;
        if (!gguf_get_i64(g, key, &s)) sum += (unsigned)s;
        if (!gguf_get_f32(g, key, &f)) sum += isnan(f) ? 1u : 0u;
        if (!gguf_get_bool(g, key, &b)) sum += b;
        if (!gguf_get_str(g, key, &str) && str.n) sum += (unsigned char)str.p[str.n - 1];
        if (!gguf_get_u8s(g, key, &str) && str.n) sum += (unsigned char)str.p[str.n - 1];
        if (!gguf_get_strs(g, a, key, &strs, &n))
            for (size_t k = 0; k < n; k++) sum += strs[k].n ? (unsigned char)strs[k].p[strs[k].n - 1] : 0;
        n = 0;
        if (!gguf_get_i32s(g, a, key, &ints, &n) && n) sum += (unsigned)ints[n - 1];
        n = 0;
        if (!gguf_get_f32s(g, a, key, &floats, &n) && n) sum += isnan(floats[n - 1]) ? 1u : 0u;
    }
    return sum;
}

static unsigned read_tensors(const Gguf *g) {
    unsigned sum = 0;
    for (size_t i = 0; i < gguf_tensors(g); i++) {
        const GgufTensor *t = gguf_tensor_at(g, i);
        float out[256];
        size_t n = t->items < 256 ? (size_t)t->items : 256;
        n = n / t->format->items * t->format->items;
        if (t->data.n) sum += (unsigned char)t->data.p[t->data.n - 1];
        if (!t->format->decode || n == 0) continue;
        t->format->decode(t->data.p, n, out);
        sum += isnan(out[n - 1]) ? 1u : 0u;
    }
    return sum;
}

static void try_reranker(Str bytes) {
    const Str docs[] = {STR("read it"), STR("")};
    const ModelOpts opts = {.reranker = true};
    Model *m = NULL;
    float scores[2];
    if (model_open_bytes(&m, bytes, "fuzz.gguf", kern_table(), &opts)) return;
    if (model_rerank(m, NULL, STR("the file"), docs, 2, NULL, scores, NULL) == ERR_OK)
        for (size_t i = 0; i < 2; i++)
            if (!isfinite(scores[i])) abort();
    model_close(m);
}

/* A prompt and one more token, scored. */
static void try_decoder(const Model *m) {
    const int32_t ids[] = {0, 2, 1, 3};
    const float *hidden = NULL;
    Decoder *d = NULL;
    if (!m->arch->decodes || decoder_open(&d, m->net, 8)) return;
    float *logits = malloc(decoder_vocab(d) * sizeof *logits);
    if (logits && decoder_step(d, NULL, NULL, ids, 3, &hidden) == ERR_OK &&
        decoder_step(d, NULL, NULL, ids + 3, 1, &hidden) == ERR_OK)
        (void)!decoder_logits(d, NULL, hidden, 1, logits);
    free(logits);
    decoder_close(d);
}

static void try_model(Str bytes, ModelPrecision precision) {
    static const char words[] = "the file: read(it) \xff\xe2\x96\x81 na\xc3\xafve";
    const ModelOpts opts = {.precision = precision};
    Model *m = NULL;
    if (model_open_bytes(&m, bytes, "fuzz.gguf", kern_table(), &opts)) return;
    try_decoder(m);
    float *out = malloc(2 * model_info(m)->dim * sizeof *out);
    const Str texts[] = {STR(words), STR("")};
    if (out && model_embed(m, NULL, texts, 2, NULL, out, NULL) == ERR_OK && model_info(m)->normalize)
        for (size_t i = 0; i < 2 * model_info(m)->dim; i++)
            if (!(fabsf(out[i]) <= 1.001f)) abort(); /* an element of a vector of length 1 */
    free(out);
    model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Gguf *g = NULL;
    Arena a = {.limit = (size_t)64 << 20};
    Str bytes = str_make((const char *)data, size);
    if (size > FUZZ_BYTES_MAX) return 0;
    if (gguf_open_bytes(&g, bytes, "fuzz.gguf") == ERR_OK) {
        volatile unsigned sum = read_keys(g, &a) + read_tensors(g);
        (void)sum;
    }
    gguf_close(g);
    arena_free(&a);
    try_model(bytes, MODEL_F32);
    try_model(bytes, MODEL_EXACT);
    try_model(bytes, MODEL_FAST);
    try_reranker(bytes);
    return 0;
}
