/* Hostile vocabularies and texts.
 *
 * Input: a byte of switches, the tokens as a GGUF spells them with 0x1F between, 0x1E, the text. With the highest bit
 * of the first byte set the rest is a GGUF as it stands. What opens must hold what tok.h promises, on any text.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "model/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLEAN = 1, CHINESE = 2, LOWER = 4, STRIP = 8, TYPED = 16, CONTINUATIONS = 32, SPECIALS = 64, RAW = 128 };
enum { TOKENS_MAX = 512, IDS_MAX = 1 << 14 };

static void must(bool holds) {
    if (!holds) abort();
}

static void check_text(const Tok *t, Str text) {
    static int32_t ids[IDS_MAX], again[IDS_MAX];
    size_t n = 0, n_again = 0, n_special = 0;
    must(tok_encode(t, text, false, ids, IDS_MAX, &n) == ERR_OK);
    must(tok_count(t, text) == n && n <= text.n);
    for (size_t i = 0; i < n && i < IDS_MAX; i++) must(ids[i] >= 0 && (size_t)ids[i] < tok_vocab_size(t));

    must(tok_encode(t, text, true, again, IDS_MAX, &n_special) == ERR_OK);
    must(n_special >= n && n_special <= n + 2);

    /* Half the room: the same ids from the first. */
    must(tok_encode(t, text, false, again, n / 2, &n_again) == ERR_OK);
    must(n_again == n && memcmp(ids, again, (n / 2 < IDS_MAX ? n / 2 : IDS_MAX) * sizeof *ids) == 0);

    /* Ill-formed bytes count as U+FFFD. */
    Buf repaired = {0};
    utf8_repair(&repaired, text);
    must(tok_encode(t, buf_str(&repaired), false, again, IDS_MAX, &n_again) == ERR_OK);
    must(n_again == n && memcmp(ids, again, (n < IDS_MAX ? n : IDS_MAX) * sizeof *ids) == 0);
    buf_free(&repaired);
}

static void check_tokens(const Tok *t) {
    static unsigned char sum;
    for (size_t i = 0; i < tok_vocab_size(t); i++) {
        Str text = tok_text(t, (int32_t)i);
        for (size_t k = 0; k < text.n; k++) sum ^= (unsigned char)text.p[k];
    }
    must(tok_special(t)->unk >= 0);
}

static void set_vocab(GgufWriter *w, uint8_t switches, Str list) {
    static Str tokens[TOKENS_MAX];
    static int32_t types[TOKENS_MAX], hidden[TOKENS_MAX];
    size_t n = 0, n_hidden = 0;
    for (Str field; n < TOKENS_MAX && str_cut(&list, 0x1F, &field); n++) {
        tokens[n] = field;
        types[n] = field.n && field.p[0] == '[' ? 3 : (int32_t)(field.n % 7);
        if (field.n % 5 == 4) hidden[n_hidden++] = (int32_t)n;
    }
    gguf_set_str(w, "tokenizer.ggml.model", STR("bert"));
    gguf_set_strs(w, "tokenizer.ggml.tokens", tokens, n);
    if (switches & TYPED) gguf_set_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    if (switches & CONTINUATIONS) gguf_set_array(w, "pythia.tokenizer.continuations", GGUF_I32, hidden, n_hidden);
    if (switches & SPECIALS) gguf_set_u32(w, "tokenizer.ggml.unknown_token_id", (uint32_t)(n / 2));
    gguf_set_bool(w, "pythia.tokenizer.clean_text", switches & CLEAN);
    gguf_set_bool(w, "pythia.tokenizer.chinese_chars", switches & CHINESE);
    gguf_set_bool(w, "pythia.tokenizer.lowercase", switches & LOWER);
    gguf_set_bool(w, "pythia.tokenizer.strip_accents", switches & STRIP);
}

static void check_gguf(Str bytes, Str text) {
    Gguf *g = NULL;
    Tok *t = NULL;
    /* A GGUF as it stands may be of any kind; the others have targets of their own. */
    if (!gguf_open_bytes(&g, bytes, "fuzz") && !tok_open(&t, g) && str_is(str_of(tok_kind(t)), "bert")) {
        check_tokens(t);
        check_text(t, text);
    }
    tok_close(t);
    gguf_close(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Str rest = str_make((const char *)data + 1, size - 1);
    if (data[0] & RAW) {
        check_gguf(rest, STR("The na\xC3\xAFve [MASK] \xE4\xB8\xAD\xFF"));
        return 0;
    }
    ptrdiff_t end = str_find_char(rest, 0x1E);
    if (end < 0) return 0;
    GgufWriter *w = NULL;
    Buf bytes = {0};
    if (gguf_writer_open(&w)) return 0;
    set_vocab(w, data[0], str_upto(rest, (size_t)end));
    if (!gguf_writer_bytes(w, &bytes)) check_gguf(buf_str(&bytes), str_from(rest, (size_t)end + 1));
    gguf_writer_close(w);
    buf_free(&bytes);
    return 0;
}
