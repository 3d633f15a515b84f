/* Hostile vocabularies and merges of byte-level BPE, in each family, and hostile texts.
 *
 * Input: a byte that chooses the family, a byte of switches, the tokens with 0x1F between, 0x1E, the merges alike,
 * 0x1E, the text. With no token given, there is one for each byte. */
#include "tok_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TYPED = 1, BOS = 2, EOS = 4, MASK = 8 };
enum { TOKENS_MAX = 512 };

static const char *const families[] = {"gpt-2",  "modern-bert", "starcoder", "llama-bpe",      "dbrx",        "qwen2",
                                       "qwen35", "gpt-4o",      "tekken",    "deepseek-coder", "deepseek-v3", "frob"};

/* GPT-2's letters: those of the bytes that have one of their own, enough for texts to be told apart. */
static size_t letters_fill(Str *tokens) {
    static char letters[94];
    for (int i = 0; i < 94; i++) {
        letters[i] = (char)('!' + i);
        tokens[i] = str_make(&letters[i], 1);
    }
    return 94;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Str tokens[TOKENS_MAX], merges[TOKENS_MAX];
    static int32_t types[TOKENS_MAX];
    GgufWriter *w = NULL;
    if (size < 2 || gguf_writer_open(&w)) return 0;
    Str rest = str_make((const char *)data + 2, size - 2);
    uint8_t switches = data[1];
    size_t n = tok_list_cut(&rest, tokens, TOKENS_MAX), n_merges = tok_list_cut(&rest, merges, TOKENS_MAX);
    if (n <= 1) n = letters_fill(tokens);
    for (size_t i = 0; i < n; i++)
        types[i] = tokens[i].n > 2 && tokens[i].p[0] == '<' ? 3 : (int32_t)(tokens[i].n % 11 == 5 ? 4 : 1);
    gguf_set_str(w, "tokenizer.ggml.model", STR("gpt2"));
    gguf_set_str(w, "tokenizer.ggml.pre", str_of(families[data[0] % (sizeof families / sizeof *families)]));
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, n);
    gguf_set_strs(w, "tokenizer.ggml.merges", merges, n_merges);
    if (switches & TYPED) gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    if (switches & BOS) gguf_set_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)(n / 2));
    if (switches & EOS) gguf_set_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)(n / 3));
    if (switches & MASK) gguf_set_u32(w, "tokenizer.ggml.mask_token_id", (uint32_t)(n - 1));
    gguf_set_bool(w, "tokenizer.ggml.add_bos_token", switches & BOS);
    gguf_set_bool(w, "tokenizer.ggml.add_eos_token", switches & EOS);
    tok_promises_made(w, rest);
    return 0;
}
