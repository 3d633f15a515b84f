/* tok_vocab.c - reading a vocabulary, and the table over it. */
#include "model/tok_vocab.h"

#include <math.h>

#include "base/hash.h"

Err tok_vocab_read(Tok *t, const Gguf *g, int32_t **types) {
    Arena *a = &t->arena;
    TRY(gguf_need(g, "tokenizer.ggml.tokens"));
    TRY(gguf_get_strs(g, a, "tokenizer.ggml.tokens", &t->texts, &t->n));
    if (t->n == 0) return err_set(ERR_CORRUPT, "model '%s' has an empty vocabulary", gguf_name(g));
    if (t->n > TOK_VOCAB_MAX)
        return err_set(ERR_LIMIT, "model '%s' has %zu tokens; the limit is %d", gguf_name(g), t->n, TOK_VOCAB_MAX);
    size_t n = 0;
    *types = NULL;
    TRY(gguf_get_i32s(g, a, "tokenizer.ggml.token_type", types, &n));
    if (*types && n != t->n)
        return err_set(ERR_CORRUPT, "model '%s' has %zu tokens, but %zu token types", gguf_name(g), t->n, n);
    if (!*types) {
        *types = arena_array(a, int32_t, t->n);
        if (!*types) return arena_error();
        for (size_t i = 0; i < t->n; i++) (*types)[i] = TOK_TYPE_NORMAL;
    }
    t->types = *types;
    return ERR_OK;
}

Err tok_scores_read(const Tok *t, const Gguf *g, Arena *a, float **scores) {
    size_t n = 0;
    TRY(gguf_need(g, "tokenizer.ggml.scores"));
    TRY(gguf_get_f32s(g, a, "tokenizer.ggml.scores", scores, &n));
    if (n != t->n) return err_set(ERR_CORRUPT, "model '%s' has %zu tokens, but %zu scores", gguf_name(g), t->n, n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite((*scores)[i]))
            return err_set(ERR_CORRUPT, "model '%s': the score of token %zu is not a number", gguf_name(g), i);
    return ERR_OK;
}

static Err mark_id(const Tok *t, const Gguf *g, const char *key, int32_t *id) {
    uint32_t value = UINT32_MAX;
    TRY(gguf_get_u32(g, key, &value));
    /* Some converters write -1 for a token that is not there. */
    if (value == UINT32_MAX) {
        if (*id >= 0 && (size_t)*id >= t->n) *id = -1;
        return ERR_OK;
    }
    if (value >= t->n)
        return err_set(ERR_CORRUPT, "model '%s': '%s' is %u, the vocabulary has %zu tokens", gguf_name(g), key, value,
                       t->n);
    *id = (int32_t)value;
    return ERR_OK;
}

Err tok_marks_read(Tok *t, const Gguf *g, TokMarks defaults) {
    TokSpecial *s = &t->special;
    int32_t cls = -1, sep = -1;
    bool add_bos = defaults.add_bos, add_eos = defaults.add_eos;
    s->bos = defaults.bos;
    s->eos = defaults.eos;
    s->unk = defaults.unk;
    s->pad = defaults.pad;
    TRY(mark_id(t, g, "tokenizer.ggml.bos_token_id", &s->bos));
    TRY(mark_id(t, g, "tokenizer.ggml.eos_token_id", &s->eos));
    TRY(mark_id(t, g, "tokenizer.ggml.unknown_token_id", &s->unk));
    TRY(mark_id(t, g, "tokenizer.ggml.padding_token_id", &s->pad));
    TRY(mark_id(t, g, "tokenizer.ggml.mask_token_id", &s->mask));
    TRY(mark_id(t, g, "tokenizer.ggml.cls_token_id", &cls));
    TRY(mark_id(t, g, "tokenizer.ggml.seperator_token_id", &sep)); /* llama.cpp's spelling */
    TRY(gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &add_bos));
    TRY(gguf_get_bool(g, "tokenizer.ggml.add_eos_token", &add_eos));
    if (s->bos < 0) s->bos = cls;
    if (s->eos < 0) s->eos = sep;
    if ((add_bos && s->bos < 0) || (add_eos && s->eos < 0))
        return err_set(ERR_CORRUPT, "model '%s' asks for a token %s each text and does not name it", gguf_name(g),
                       add_bos && s->bos < 0 ? "before" : "behind");
    s->cls = add_bos ? s->bos : -1;
    s->sep = add_eos ? s->eos : -1;
    return ERR_OK;
}

int tok_text_byte(Str text) {
    if (text.n != 6 || !str_starts(text, STR("<0x")) || text.p[5] != '>') return -1;
    int high = hex_value(text.p[3]), low = hex_value(text.p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Err tok_table_open(TokTable *t, Arena *a, const Str *texts, size_t n) {
    *t = (TokTable){.bits = 4, .texts = texts};
    while (((size_t)1 << t->bits) < n + n / 2) t->bits++; /* two thirds full at most */
    size_t slots = (size_t)1 << t->bits;
    t->slots = arena_array(a, TokSlot, slots);
    if (!t->slots) return arena_error();
    memset(t->slots, 0xFF, slots * sizeof *t->slots); /* id -1 */
    return ERR_OK;
}

Err tok_table_put(TokTable *t, const char *name, int32_t id) {
    Str text = t->texts[id];
    if (text.n == 0) return ERR_OK;
    uint64_t h = tok_hash_of(text.p, text.n);
    size_t mask = ((size_t)1 << t->bits) - 1, at = tok_table_place(t, h);
    for (size_t probes = 0; probes < TOK_PROBES_MAX; probes++, at = (at + 1) & mask) {
        TokSlot *slot = &t->slots[at];
        if (slot->id >= 0 && !(slot->tag == tok_table_tag(h) && str_eq(t->texts[slot->id], text))) continue;
        *slot = (TokSlot){.tag = tok_table_tag(h), .id = id};
        if (text.n > t->longest) t->longest = text.n;
        return ERR_OK;
    }
    return err_set(ERR_CORRUPT, "model '%s' has a vocabulary that collides at token %d", name, id);
}

Err tok_table_seal(TokTable *t, Arena *a) {
    t->powers = arena_array(a, uint64_t, t->longest + 1);
    if (!t->powers) return arena_error();
    t->powers[0] = 1;
    for (size_t i = 1; i <= t->longest; i++) t->powers[i] = t->powers[i - 1] * TOK_HASH_BASE;
    return ERR_OK;
}
