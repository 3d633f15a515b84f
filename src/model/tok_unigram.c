/* tok_unigram.c - SentencePiece's Unigram (tokenizer.ggml.model = "t5"): T5, and XLM-RoBERTa with bge-m3 and E5; id by
 * id the reference's (Hugging Face's `tokenizers`: Precompiled, WhitespaceSplit, Metaspace, Unigram).
 *
 *     added      tokens that stand in the raw text cut it
 *     normalise  by the model's map (tok_unigram_charsmap.h)
 *     words      between white space, each with U+2581 '▁' before it; a model that keeps extra white space has no words:
 *                each space is a '▁' and the text is one
 *     segment    the way through the word's tokens whose scores (log probabilities) sum highest (Kudo 2018; Viterbi);
 *                a character that no token covers alone may stand for itself, unknown, at the lowest score less 10
 *     fall back  neighbouring unknowns are one: their bytes when the vocabulary has those, else the unknown token
 *
 * The tokens that begin at a place are found by walking on character by character, the hash growing with each. A filter
 * of two bits an entry says whether the bytes so far may be a token, and whether a longer one may begin with them, so
 * that most walks end after a few steps in the cache. A trie of XLM-RoBERTa's vocabulary has a million nodes and takes
 * several times as long to build.
 *
 * Sums are doubles, as the reference's. Words that are a token are known after the first time, as in tok_bpe.c.
 *
 * Threads: immutable once open, but for `whole`: atomic bytes that all threads would set alike.
 */
#include <math.h>
#include <stdatomic.h>

#include "base/utf8.h"
#include "model/tok_added.h"
#include "model/tok_space.h"
#include "model/tok_unigram_charsmap.h"
#include "model/tok_vocab.h"

#define ESCAPED         "\xE2\x96\x81"
#define ESCAPED_CODE    0x2581u
#define UNKNOWN_PENALTY 10.0
enum { WORD_SMALL = 192 }; /* bytes of a word that needs no memory */
enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };
enum { MAY_END = 1, MAY_GO_ON = 2 };

typedef struct {
    TokAdded added;
    TokCharsmap map;
    TokTable table;
    uint8_t *filter; /* [(1 << filter_bits) / 4] MAY_…, two bits an entry */
    uint32_t filter_bits;
    const float *scores; /* [n] */
    double unknown_score;
    int32_t unk;
    int32_t byte_ids[256];
    bool has_bytes; /* a token for each byte */
    bool prefix;    /* '▁' before the text, or each word */
    bool words;
    _Atomic uint8_t *whole; /* [n] WHOLE_… */
} Unigram;

/* The best way to a place in the word. */
typedef struct {
    double score;
    uint32_t from; /* where the last token begins; NOWHERE: no way yet */
    int32_t id;    /* that token */
} Step;
#define NOWHERE UINT32_MAX

typedef struct {
    const Unigram *u;
    TokSink *sink;
    Buf normal; /* the fragment, normalised */
    Buf word;   /* with its '▁' */
    Arena long_words;
} Encode;

/* ---- the filter ---- */

static inline size_t filter_place(const Unigram *u, uint64_t h) {
    return (size_t)((h ^ h >> 31) * 0xBF58476D1CE4E5B9u >> (64 - u->filter_bits));
}

static inline uint8_t filter_get(const Unigram *u, uint64_t h) {
    size_t at = filter_place(u, h);
    return u->filter[at / 4] >> (at % 4 * 2) & 3;
}

static void filter_add(Unigram *u, Str text) {
    uint64_t h = 0;
    for (size_t i = 0; i < text.n; i++) {
        h = tok_hash_step(h, (uint8_t)text.p[i]);
        bool inside = i + 1 < text.n && ((uint8_t)text.p[i + 1] & 0xC0) == 0x80;
        if (inside) continue;
        size_t at = filter_place(u, h);
        u->filter[at / 4] |= (uint8_t)((i + 1 < text.n ? MAY_GO_ON : MAY_END) << (at % 4 * 2));
    }
}

/* ---- segmenting ---- */

static inline void step_offer(Step *to, double score, size_t from, int32_t id) {
    if (to->from != NOWHERE && score <= to->score) return;
    *to = (Step){score, (uint32_t)from, id};
}

/* Offers all tokens that begin at `from`. */
static void steps_from(const Unigram *u, Str word, size_t from, Step *steps) {
    double score = steps[from].score;
    size_t at = from, first = 0;
    uint64_t h = 0;
    bool covered = false; /* by a token of one character */
    for (uint8_t may = MAY_GO_ON; at < word.n && may & MAY_GO_ON;) {
        do h = tok_hash_step(h, (uint8_t)word.p[at++]);
        while (at < word.n && ((uint8_t)word.p[at] & 0xC0) == 0x80);
        if (first == 0) first = at - from;
        may = filter_get(u, h);
        int32_t id = may & MAY_END ? tok_table_get(&u->table, h, word.p + from, at - from) : -1;
        if (id < 0) continue;
        step_offer(&steps[at], score + (double)u->scores[id], from, id);
        covered |= at - from == first;
    }
    if (!covered) step_offer(&steps[from + first], score + u->unknown_score, from, u->unk);
}

static void unknown_emit(Encode *e, Str bytes) {
    if (!e->u->has_bytes) {
        tok_sink_add(e->sink, e->u->unk);
        return;
    }
    for (size_t i = 0; i < bytes.n; i++) tok_sink_add(e->sink, e->u->byte_ids[(uint8_t)bytes.p[i]]);
}

/* Turns the best way round: steps[at] of each token's beginning then has its end (in `from`) and its id. */
static void way_turn(Step *steps, size_t n) {
    size_t to = n, from = steps[n].from;
    int32_t id = steps[n].id;
    for (;;) {
        Step before = steps[from];
        steps[from].from = (uint32_t)to;
        steps[from].id = id;
        if (from == 0) return;
        to = from;
        from = before.from;
        id = before.id;
    }
}

/* id: the word's own when it is a token and not yet known whether it is the best way; else -1. */
static void word_segment(Encode *e, Str word, int32_t id, Step *steps /* [n + 1] */) {
    const Unigram *u = e->u;
    for (size_t i = 0; i <= word.n; i++) steps[i].from = NOWHERE;
    steps[0] = (Step){.id = -1};
    for (size_t at = 0; at < word.n;) {
        steps_from(u, word, at, steps);
        do at++;
        while (at < word.n && ((uint8_t)word.p[at] & 0xC0) == 0x80);
    }
    way_turn(steps, word.n);
    if (id >= 0) atomic_store_explicit(&u->whole[id], steps[0].id == id ? WHOLE_YES : WHOLE_NO, memory_order_relaxed);
    for (size_t at = 0, end; at < word.n; at = end) {
        end = steps[at].from;
        if (steps[at].id != u->unk) {
            tok_sink_add(e->sink, steps[at].id);
            continue;
        }
        while (end < word.n && steps[end].id == u->unk) end = steps[end].from;
        unknown_emit(e, str_make(word.p + at, end - at));
    }
}

static Err word_encode(Encode *e, Str word) {
    const Unigram *u = e->u;
    int32_t id = -1;
    if (word.n <= u->table.longest) id = tok_table_get(&u->table, tok_hash_of(word.p, word.n), word.p, word.n);
    /* The unknown token's own text is unknown like any other. */
    bool known = id >= 0 && id != u->unk;
    uint8_t whole = known ? atomic_load_explicit(&u->whole[id], memory_order_relaxed) : WHOLE_NO;
    if (whole == WHOLE_YES) {
        tok_sink_add(e->sink, id);
        return ERR_OK;
    }
    if (whole == WHOLE_NO) id = -1;
    if (word.n <= WORD_SMALL) {
        Step steps[WORD_SMALL + 1];
        word_segment(e, word, id, steps);
        return ERR_OK;
    }
    if (word.n >= NOWHERE) return err_set(ERR_LIMIT, "a word of %zu bytes is too long", word.n);
    Step *steps = arena_array(&e->long_words, Step, word.n + 1);
    if (!steps) return arena_error();
    word_segment(e, word, id, steps);
    arena_free(&e->long_words);
    return ERR_OK;
}

/* ---- texts ---- */

/* The next word of *rest into e->word; false when there is none. White space separates words; a '▁' in the text begins
 * one, and gets no other before it. */
static bool word_cut(Encode *e, Str *rest) {
    while (rest->n) {
        uint32_t cp = 0;
        size_t n = 0, run = 0;
        for (; run < rest->n; run += n) {
            n = utf8_decode(str_from(*rest, run), &cp);
            if (tok_is_space(cp) || (cp == ESCAPED_CODE && run > 0)) break;
        }
        Str word = str_upto(*rest, run);
        *rest = str_from(*rest, run < rest->n && cp != ESCAPED_CODE ? run + n : run);
        if (word.n == 0) continue;
        buf_clear(&e->word);
        if (e->u->prefix && !str_starts(word, STR(ESCAPED))) buf_add(&e->word, STR(ESCAPED));
        buf_add(&e->word, word);
        return true;
    }
    return false;
}

/* All of text as one word, its spaces escaped. */
static void text_escape(Encode *e, Str text) {
    buf_clear(&e->word);
    if (e->u->prefix) buf_add(&e->word, STR(ESCAPED));
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ' ')
            buf_add(&e->word, STR(ESCAPED));
        else
            buf_char(&e->word, text.p[i]);
}

static Err fragment_encode(void *ctx, Str text) {
    Encode *e = ctx;
    buf_clear(&e->normal);
    tok_charsmap_apply(&e->u->map, text, &e->normal);
    TRY(buf_ok(&e->normal));
    Str rest = buf_str(&e->normal);
    if (rest.n == 0) return ERR_OK;
    if (!e->u->words) {
        text_escape(e, rest);
        TRY(buf_ok(&e->word));
        return word_encode(e, buf_str(&e->word));
    }
    while (word_cut(e, &rest)) {
        TRY(buf_ok(&e->word));
        TRY(word_encode(e, buf_str(&e->word)));
    }
    return buf_ok(&e->word);
}

static Err unigram_encode(const Tok *t, Str text, TokSink *sink) {
    const Unigram *u = t->impl;
    Encode e = {.u = u, .sink = sink};
    Err err = tok_added_encode(&u->added, text, sink, fragment_encode, &e);
    arena_free(&e.long_words);
    buf_free(&e.normal);
    buf_free(&e.word);
    return err;
}

/* ---- opening ---- */

/* All but what fills up, as in the reference: a full-width '＜s＞' is normalised to '<s>', and is that; a '<0x41>' in the
 * text is that byte. */
static bool is_text(int32_t type) { return type != TOK_TYPE_UNUSED; }

static Err table_fill(Unigram *u, Tok *t, const Gguf *g, const int32_t *types) {
    TRY(tok_table_open(&u->table, &t->arena, t->texts, t->n));
    u->filter_bits = 6;
    while (((size_t)1 << u->filter_bits) < 16 * t->n) u->filter_bits++;
    u->filter = arena_alloc(&t->arena, ((size_t)1 << u->filter_bits) / 4);
    u->whole = arena_alloc(&t->arena, t->n); /* zeros: WHOLE_UNKNOWN */
    if (!u->filter || !u->whole) return arena_error();
    double least = INFINITY;
    for (size_t i = 0; i < t->n; i++) {
        if (!is_text(types[i])) continue;
        TRY(tok_table_put(&u->table, gguf_name(g), (int32_t)i));
        filter_add(u, t->texts[i]);
        if ((double)u->scores[i] < least) least = (double)u->scores[i];
    }
    u->unknown_score = least - UNKNOWN_PENALTY;
    return tok_table_seal(&u->table, &t->arena);
}

static void bytes_find(Unigram *u, const Tok *t, const int32_t *types) {
    size_t found = 0;
    for (unsigned b = 0; b < 256; b++) u->byte_ids[b] = -1;
    for (size_t i = 0; i < t->n; i++) {
        int byte = types[i] == TOK_TYPE_BYTE ? tok_text_byte(t->texts[i]) : -1;
        if (byte < 0) continue;
        found += u->byte_ids[byte] < 0;
        u->byte_ids[byte] = (int32_t)i;
    }
    u->has_bytes = found == 256;
}

static Err unigram_open(Tok *t, const Gguf *g) {
    Unigram *u = arena_new(&t->arena, Unigram);
    if (!u) return arena_error();
    t->impl = u;
    int32_t *types = NULL;
    float *scores = NULL;
    Str map = {"", 0};
    u->prefix = u->words = true;
    TRY(gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &u->prefix));
    TRY(gguf_get_bool(g, "tokenizer.ggml.remove_extra_whitespaces", &u->words));
    TRY(gguf_get_u8s(g, "tokenizer.ggml.precompiled_charsmap", &map));
    TRY(tok_charsmap_open(&u->map, map, gguf_name(g)));
    TRY(tok_vocab_read(t, g, &types));
    TRY(tok_scores_read(t, g, &t->arena, &scores));
    u->scores = scores;
    /* T5's ids, for files that do not say. */
    TRY(tok_marks_read(t, g, (TokMarks){.bos = -1, .eos = 1, .unk = 2, .pad = 0, .add_eos = true}));
    u->unk = t->special.unk;
    if (u->unk < 0) return err_set(ERR_CORRUPT, "model '%s' has no token for the unknown", gguf_name(g));
    TRY(tok_added_open(&u->added, t, types, t->special.mask));
    bytes_find(u, t, types);
    return table_fill(u, t, g, types);
}

const TokKind tok_unigram = {.name = "t5", .open = unigram_open, .encode = unigram_encode};
