/* Hostile vocabularies with scores, read as SentencePiece's BPE and as Unigram, with hostile maps and texts.
 *
 * Input: a byte of switches, the tokens with 0x1F between (the last byte of each is its score), 0x1E, u16 length of the
 * map and its bytes, the text. */
#include <stdio.h>

#include "tok_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNIGRAM = 1, PREFIX = 2, WORDS = 4, BYTES = 8, MASK = 16, PLAIN = 32 };
enum { TOKENS_MAX = 512, BYTE_TOKENS = 256 };

typedef struct {
    Str tokens[TOKENS_MAX + BYTE_TOKENS];
    int32_t types[TOKENS_MAX + BYTE_TOKENS];
    float scores[TOKENS_MAX + BYTE_TOKENS];
    size_t n;
} Vocab;

static void vocab_add(Vocab *v, Str text, int32_t type, float score) {
    v->tokens[v->n] = text;
    v->types[v->n] = type;
    v->scores[v->n++] = score;
}

static void vocab_cut(Vocab *v, Str *rest, uint8_t switches) {
    static char spelled[BYTE_TOKENS][8];
    Str texts[TOKENS_MAX];
    size_t n = tok_list_cut(rest, texts, TOKENS_MAX);
    v->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].n == 0) continue;
        uint8_t score = (uint8_t)texts[i].p[texts[i].n - 1];
        Str text = str_upto(texts[i], texts[i].n - 1);
        bool mark = text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>';
        vocab_add(v, text, mark ? 3 : score == 255 ? 4 : score == 254 ? 5 : 1, -(float)score / 4);
    }
    for (int i = 0; switches & BYTES && i < BYTE_TOKENS; i++) {
        (void)snprintf(spelled[i], sizeof spelled[i], "<0x%02X>", (unsigned)i);
        vocab_add(v, str_of(spelled[i]), 6, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Vocab v;
    GgufWriter *w = NULL;
    if (size < 1 || gguf_writer_open(&w)) return 0;
    uint8_t switches = data[0];
    Str rest = str_make((const char *)data + 1, size - 1);
    vocab_cut(&v, &rest, switches);
    size_t map = rest.n < 2 ? 0 : (size_t)(uint8_t)rest.p[0] | (size_t)(uint8_t)rest.p[1] << 8;
    rest = str_from(rest, 2);
    Str map_bytes = str_upto(rest, map);
    gguf_set_str(w, "tokenizer.ggml.model", switches & UNIGRAM ? STR("t5") : STR("llama"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", v.tokens, v.n);
    gguf_set_array(w, "tokenizer.ggml.scores", GGUF_F32, v.scores, v.n);
    if (!(switches & PLAIN)) gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, v.types, v.n);
    gguf_set_array(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, map_bytes.p, map_bytes.n);
    gguf_set_bool(w, "tokenizer.ggml.add_space_prefix", switches & PREFIX);
    gguf_set_bool(w, "tokenizer.ggml.remove_extra_whitespaces", switches & WORDS);
    gguf_set_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    gguf_set_bool(w, "tokenizer.ggml.add_bos_token", false);
    gguf_set_bool(w, "tokenizer.ggml.add_eos_token", false);
    if (switches & MASK && v.n) gguf_set_u32(w, "tokenizer.ggml.mask_token_id", (uint32_t)(v.n - 1));
    tok_promises_made(w, str_from(rest, map));
    return 0;
}
