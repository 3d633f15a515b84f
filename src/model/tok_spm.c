/* tok_spm.c - SentencePiece's BPE (tokenizer.ggml.model = "llama"): Llama 2, Gemma, embeddinggemma; id by id that of
 * SentencePiece and llama.cpp.
 *
 *     added     tokens that stand in the raw text cut it; Gemma has runs of blanks, tabs and ends of line among them
 *     escape    a space is U+2581 '▁'; where the model wants it, one more before each text and behind each added token
 *     merge     the neighbours whose text together is the token of the highest score, the leftmost among equals
 *     fall back a character that is no token is its bytes, "<0xE2>"; where these are missing too, the unknown token
 *
 * The algorithm knows no words: it merges whole texts. But a merge over a '▁' from the left needs a token with such a
 * pair inside. Of 262,144 tokens Gemma has one ('>▁</'), Llama 2 only runs of '▁'; `before` has the last bytes of what
 * stands before an inner '▁', and at any other '▁' a text can be cut without changing an id. So words stay short, and
 * those that are a token are known after the first time, as in tok_bpe.c.
 *
 * There is no list of merges: what two neighbours come to is looked up by the hash of their bytes, which two prefix
 * hashes give (tok_vocab.h). Making a list, as the reference does, takes two look-ups for each way of cutting each
 * token: some 100 ms for Gemma.
 *
 * Threads: immutable once open, but for `whole`: atomic bytes that all threads would set alike.
 */
#include <stdatomic.h>

#include "base/utf8.h"
#include "model/tok_added.h"
#include "model/tok_merge.h"
#include "model/tok_vocab.h"

#define ESCAPED "\xE2\x96\x81" /* U+2581 */
enum { WORD_SMALL = 192 };     /* bytes of a word that needs no memory */
enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

typedef struct {
    TokAdded added;
    TokTable table;
    const float *scores;   /* [n] */
    bool before[256];      /* bytes that a '▁' inside a token follows */
    int32_t byte_ids[256]; /* -1: no such token */
    int32_t unk;           /* -1: none */
    bool space_prefix;
    _Atomic uint8_t *whole; /* [n] WHOLE_… */
} Spm;

typedef struct {
    const Spm *s;
    TokSink *sink;
    bool after_unknown; /* neighbouring unknown characters are one token */
    Buf escaped;        /* the fragment, escaped */
    Arena long_words;
} Encode;

/* ---- merging ---- */

typedef struct {
    const Spm *s;
    const char *word;
    const uint64_t *hashes; /* [n + 1] of its prefixes */
} Word;

/* Higher scores are lower ranks. Scores are finite, so that none becomes TOK_NO_RANK. */
static uint32_t score_rank(float score) {
    uint32_t bits;
    float plain = score + 0.0f; /* no -0 */
    memcpy(&bits, &plain, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static int32_t span_find(const Word *w, size_t from, size_t n) {
    const TokTable *table = &w->s->table;
    if (n > table->longest) return -1;
    return tok_table_get(table, w->hashes[from + n] - w->hashes[from] * table->powers[n], w->word + from, n);
}

static TokPair span_pair(const void *ctx, const TokSymbol *left, const TokSymbol *right) {
    const Word *w = ctx;
    int32_t id = span_find(w, left->at, right->at + right->n - left->at);
    return id < 0 ? (TokPair){TOK_NO_RANK, -1} : (TokPair){score_rank(w->s->scores[id]), id};
}

/* ---- words ---- */

static void symbol_emit(Encode *e, const char *word, TokSymbol symbol) {
    bool known = symbol.id >= 0;
    if (known) {
        tok_sink_add(e->sink, symbol.id);
    } else {
        known = true;
        for (size_t i = 0; i < symbol.n; i++) known &= e->s->byte_ids[(uint8_t)word[symbol.at + i]] >= 0;
        for (size_t i = 0; known && i < symbol.n; i++)
            tok_sink_add(e->sink, e->s->byte_ids[(uint8_t)word[symbol.at + i]]);
        if (!known && !e->after_unknown && e->s->unk >= 0) tok_sink_add(e->sink, e->s->unk);
    }
    e->after_unknown = !known;
}

/* whole: the word's own id when it is a token and not yet known whether merging leads there; else -1. */
static Err word_merge(Encode *e, Str word, int32_t whole, uint64_t *hashes /* [n + 1] */,
                      TokSymbol *symbols /* [n] */) {
    Word w = {e->s, word.p, hashes};
    size_t n = 0;
    hashes[0] = 0;
    for (size_t i = 0; i < word.n; i++) hashes[i + 1] = tok_hash_step(hashes[i], (uint8_t)word.p[i]);
    for (size_t at = 0, length; at < word.n; at += length) {
        uint32_t cp;
        length = utf8_decode(str_from(word, at), &cp);
        symbols[n++] = (TokSymbol){(uint32_t)at, (uint32_t)length, span_find(&w, at, length)};
    }
    TRY(tok_merge(symbols, &n, span_pair, &w, &e->long_words));
    for (size_t i = 0; i < n; i++) symbol_emit(e, word.p, symbols[i]);
    if (whole >= 0) atomic_store_explicit(&e->s->whole[whole], n == 1 ? WHOLE_YES : WHOLE_NO, memory_order_relaxed);
    return ERR_OK;
}

static Err word_encode(Encode *e, Str word) {
    const Spm *s = e->s;
    int32_t id = -1;
    if (word.n <= s->table.longest) id = tok_table_get(&s->table, tok_hash_of(word.p, word.n), word.p, word.n);
    uint8_t whole = id < 0 ? WHOLE_NO : atomic_load_explicit(&s->whole[id], memory_order_relaxed);
    if (whole == WHOLE_YES) {
        tok_sink_add(e->sink, id);
        e->after_unknown = false;
        return ERR_OK;
    }
    if (whole == WHOLE_NO) id = -1;
    if (word.n <= WORD_SMALL) {
        uint64_t hashes[WORD_SMALL + 1];
        TokSymbol symbols[WORD_SMALL];
        return word_merge(e, word, id, hashes, symbols);
    }
    if (word.n >= UINT32_MAX) return err_set(ERR_LIMIT, "a word of %zu bytes is too long", word.n);
    uint64_t *hashes = arena_array(&e->long_words, uint64_t, word.n + 1);
    TokSymbol *symbols = arena_array(&e->long_words, TokSymbol, word.n);
    if (!hashes || !symbols) return arena_error();
    TRY(word_merge(e, word, id, hashes, symbols));
    arena_free(&e->long_words);
    return ERR_OK;
}

/* ---- texts ---- */

static void fragment_escape(Buf *out, Str text, bool prefix) {
    buf_clear(out);
    if (prefix) buf_add(out, STR(ESCAPED));
    for (Str rest = text; rest.n > 0;) {
        ptrdiff_t space = str_find_char(rest, ' ');
        size_t n = space < 0 ? rest.n : (size_t)space;
        buf_add(out, str_upto(rest, n));
        if (space >= 0) buf_add(out, STR(ESCAPED));
        rest = str_from(rest, n + (space >= 0));
    }
}

static Err fragment_encode(void *ctx, Str text) {
    Encode *e = ctx;
    e->after_unknown = false;
    fragment_escape(&e->escaped, text, e->s->space_prefix);
    TRY(buf_ok(&e->escaped));
    Str all = buf_str(&e->escaped);
    size_t start = 0;
    for (size_t at = 1; at + 2 < all.n; at++)
        if (all.p[at] == ESCAPED[0] && memcmp(all.p + at, ESCAPED, 3) == 0 && !e->s->before[(uint8_t)all.p[at - 1]]) {
            TRY(word_encode(e, str_make(all.p + start, at - start)));
            start = at;
        }
    return word_encode(e, str_from(all, start));
}

static Err spm_encode(const Tok *t, Str text, TokSink *sink) {
    const Spm *s = t->impl;
    Encode e = {.s = s, .sink = sink};
    Err err = tok_added_encode(&s->added, text, sink, fragment_encode, &e);
    arena_free(&e.long_words);
    buf_free(&e.escaped);
    return err;
}

/* ---- opening ---- */

static void before_add(Spm *s, Str text) {
    for (size_t at = 1; at + 2 < text.n; at++)
        if (text.p[at] == ESCAPED[0] && memcmp(text.p + at, ESCAPED, 3) == 0) s->before[(uint8_t)text.p[at - 1]] = true;
}

/* Control tokens and bytes are no text; unused ones are there to fill up. */
static Err table_fill(Spm *s, Tok *t, const Gguf *g, const int32_t *types) {
    TRY(tok_table_open(&s->table, &t->arena, t->texts, t->n));
    for (size_t i = 0; i < 256; i++) s->byte_ids[i] = -1;
    for (size_t i = 0; i < t->n; i++) {
        int byte = types[i] == TOK_TYPE_BYTE ? tok_text_byte(t->texts[i]) : -1;
        if (byte >= 0) s->byte_ids[byte] = (int32_t)i;
        if (types[i] != TOK_TYPE_NORMAL && types[i] != TOK_TYPE_USER_DEFINED) continue;
        TRY(tok_table_put(&s->table, gguf_name(g), (int32_t)i));
        before_add(s, t->texts[i]);
    }
    return tok_table_seal(&s->table, &t->arena);
}

static Err spm_open(Tok *t, const Gguf *g) {
    Spm *s = arena_new(&t->arena, Spm);
    if (!s) return arena_error();
    t->impl = s;
    int32_t *types = NULL;
    float *scores = NULL;
    s->space_prefix = true;
    TRY(gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &s->space_prefix));
    TRY(tok_vocab_read(t, g, &types));
    TRY(tok_scores_read(t, g, &t->arena, &scores));
    s->scores = scores;
    /* Llama's ids, for files from before the keys. */
    TRY(tok_marks_read(t, g, (TokMarks){.bos = 1, .eos = 2, .unk = 0, .pad = -1, .add_bos = true}));
    s->unk = t->special.unk;
    TRY(tok_added_open(&s->added, t, types, -1));
    TRY(table_fill(s, t, g, types));
    s->whole = arena_alloc(&t->arena, t->n); /* zeros: WHOLE_UNKNOWN */
    return s->whole ? ERR_OK : arena_error();
}

/* Added tokens are as they stand, the others with their spaces back. */
static void spm_decode(const Tok *t, int32_t id, Buf *out) {
    Str text = t->texts[id];
    int byte = t->types[id] == TOK_TYPE_BYTE ? tok_text_byte(text) : -1;
    if (byte >= 0) {
        buf_char(out, (char)byte);
        return;
    }
    if (tok_type_is_added(t->types[id])) {
        buf_add(out, text);
        return;
    }
    for (ptrdiff_t at; (at = str_find(text, STR(ESCAPED))) >= 0; text = str_from(text, (size_t)at + 3)) {
        buf_add(out, str_upto(text, (size_t)at));
        buf_char(out, ' ');
    }
    buf_add(out, text);
}

const TokKind tok_spm = {.name = "llama", .open = spm_open, .encode = spm_encode, .decode = spm_decode};
