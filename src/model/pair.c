/* pair.c - encoding pairs; see pair.h. */
#include "model/pair.h"

#include <string.h>

/* One mark; two with RoBERTa's byte-level BPE and XLM-RoBERTa's Unigram. */
static Err separators_read(const Gguf *g, const Tok *tok, size_t *out) {
    Str pre = {"", 0};
    uint32_t told = 0;
    TRY(gguf_get_str(g, "tokenizer.ggml.pre", &pre));
    *out = str_is(str_of(tok_kind(tok)), "t5") || str_is(pre, "roberta-bpe") ? 2 : 1;
    if (!gguf_key(g, "pythia.pair.separators")) return ERR_OK;
    TRY(gguf_get_u32(g, "pythia.pair.separators", &told));
    *out = told;
    if (told == 1 || told == 2) return ERR_OK;
    return err_set(ERR_CORRUPT, "model '%s': 'pythia.pair.separators' is %u, 1 or 2 is possible", gguf_name(g), told);
}

Err pair_open(Pair *out, Arena *a, const Gguf *g, const Tok *tok, size_t max, Str query) {
    const TokSpecial *special = tok_special(tok);
    *out = (Pair){.tok = tok, .max = max};
    TRY(separators_read(g, tok, &out->between));
    if (special->cls < 0 || special->sep < 0)
        return err_set(ERR_UNSUPPORTED, "the tokenizer '%s' has no marks around a pair of texts", tok_kind(tok));
    if (max < 4 + out->between) return err_set(ERR_LIMIT, "%zu tokens leave no room for a pair of texts", max);
    int32_t *ids = arena_array(a, int32_t, max);
    if (!ids) return arena_error();
    out->query = ids;
    return tok_encode(tok, query, false, ids, max, &out->n_query);
}

/* Shares `room` tokens between a and b of them: the longer gives first, then both half each. */
static void share_room(size_t room, size_t *a, size_t *b) {
    size_t *low = *a <= *b ? a : b, *high = low == a ? b : a;
    if (*low + *high <= room) return;
    if (*low <= room / 2)
        *high = room - *low;
    else {
        *low = room / 2;
        *high = room - room / 2;
    }
}

Err pair_encode(const Pair *p, Str doc, int32_t *ids, size_t cap, size_t *n, uint32_t *second) {
    const TokSpecial *special = tok_special(p->tok);
    size_t marks = 2 + p->between, n_query = p->n_query, n_doc = 0, at = 0;
    /* The document goes to the end of where a shortest query leaves it, then down to its place. */
    size_t room = p->max - marks, first = 1 + p->between;
    TRY(tok_encode(p->tok, doc, false, ids + first, cap - first, &n_doc));
    *n = marks + n_query + n_doc;
    share_room(room, &n_query, &n_doc);
    memmove(ids + first + n_query, ids + first, n_doc * sizeof *ids);
    ids[at++] = special->cls;
    memcpy(ids + at, p->query, n_query * sizeof *ids);
    at += n_query;
    for (size_t i = 0; i < p->between; i++) ids[at++] = special->sep;
    *second = (uint32_t)at;
    ids[at + n_doc] = special->sep;
    return ERR_OK;
}
