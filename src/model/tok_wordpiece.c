/* tok_wordpiece.c - BERT's tokenizer (tokenizer.ggml.model = "bert"), id by id that of Hugging Face's fast one.
 *
 * Four steps there, one pass here (Devlin et al. 2019; the reference: `tokenizers`, BertNormalizer, BertPreTokenizer,
 * WordPiece):
 *
 *     added     "[MASK]" and its like are found in the raw text, longest first, and cut it
 *     normalise drop controls and U+FFFD, spaces around ideographs, NFD without non-spacing marks, lower case
 *     split     at whitespace, and around each punctuation character
 *     pieces    the longest entry that starts the word, then the longest continuation of each rest; a rest without one,
 *               or a word over 100 characters, makes the whole word [UNK]
 *
 * Normalising works character by character but for the canonical order of marks; those that survive the strip (some
 * hundred, all younger than the reference's categories) are sorted in `marks`. A word over 100 characters is [UNK]
 * whatever it is made of, so that word and marks live in buffers of fixed size and encoding takes no memory.
 *
 * A GGUF spells the vocabulary in llama.cpp's way: U+2581 before what starts a word, nothing before a continuation,
 * control tokens plain. `pythia.tokenizer.continuations` lists continuations that themselves begin with U+2581 (no
 * vocabulary seen has any); `pythia.tokenizer.lowercase`, `.strip_accents`, `.chinese_chars` and `.clean_text` are the
 * normaliser's switches, all on when not given, as llama.cpp takes them.
 *
 * Look-up: one table of (tag, id) for both ways a token may stand, keyed by a multiplicative hash that grows byte by
 * byte, so that all prefixes of a word cost one pass. Probing from the longest on costs 0.02 ms a KB of Python (the
 * reference: 0.64); a set of the lengths that occur for each first byte, to skip probes, did not show in that.
 *
 * Threads: immutable once open.
 */
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "model/tok_kind.h"
#include "model/tok_unicode.h"

enum {
    WORD_CHARS_MAX = 100, /* the reference's max_input_chars_per_word */
    WORD_BYTES_MAX = WORD_CHARS_MAX * 4,
    ADDED_MAX = 4096, /* tokens matched in raw text */
    PROBES_MAX = 512  /* honest vocabularies need some 20; a hostile one must not cost squares */
};
enum { TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4, TYPE_UNUSED = 5 }; /* tokenizer.ggml.token_type */
enum { STARTS, CONTINUES };                                        /* how a token may stand in a word */

/* What a byte of raw text is, when it is ASCII. */
enum { BYTE_LETTER, BYTE_WHITE, BYTE_PUNCT, BYTE_REMOVE, BYTE_MULTI, BYTE_ADDED = 0x80 /* flag: may begin one */ };

#define PHANTOM "\xE2\x96\x81" /* U+2581 */

typedef struct {
    uint32_t tag;
    int32_t id; /* -1: free */
} Slot;

typedef struct {
    bool clean, chinese, strip, lower;
    uint8_t byte_kind[256];
    uint8_t byte_lower[128];
    Slot *slots; /* [1 << bits] */
    uint32_t bits;
    size_t longest[2]; /* bytes; [STARTS or CONTINUES] */
    const Str *texts;  /* [n] the tokens as the reference spells them, "##" before continuations */
    int32_t *added;    /* [n_added] ids, by first byte, then longest first */
    size_t n_added;
    uint32_t added_first[257]; /* those of first byte b: added[added_first[b] .. added_first[b + 1]) */
    int32_t unk;
} WordPiece;

/* ---- the table ---- */

static const uint64_t hash_seeds[2] = {0x243F6A8885A308D3u, 0x13198A2E03707344u}; /* STARTS, CONTINUES: digits of pi */

static inline uint64_t hash_step(uint64_t h, uint8_t b) { return (h + b + 1) * 0x9E3779B97F4A7C15u; }
static inline size_t hash_slot(const WordPiece *w, uint64_t h) { return (size_t)(h >> (64 - w->bits)); }
static inline uint32_t hash_tag(uint64_t h) { return (uint32_t)(h >> 8); }

/* The bytes that must stand in a word, for a token of that way. */
static inline Str token_body(const WordPiece *w, int32_t id, int way) {
    Str text = w->texts[id];
    return way == CONTINUES ? str_from(text, 2) : text;
}

static Err table_put(WordPiece *w, const Gguf *g, int32_t id, int way) {
    Str body = token_body(w, id, way);
    if (body.n == 0 || body.n > WORD_BYTES_MAX) return ERR_OK; /* no word can hold it */
    uint64_t h = hash_seeds[way];
    for (size_t i = 0; i < body.n; i++) h = hash_step(h, (uint8_t)body.p[i]);
    size_t mask = ((size_t)1 << w->bits) - 1, at = hash_slot(w, h);
    for (size_t probes = 0; probes < PROBES_MAX; probes++, at = (at + 1) & mask) {
        Slot *slot = &w->slots[at];
        /* A text that stands twice keeps its last id, as in the reference's map. */
        if (slot->id >= 0 && !(slot->tag == hash_tag(h) && str_eq(w->texts[slot->id], w->texts[id]))) continue;
        *slot = (Slot){.tag = hash_tag(h), .id = id};
        if (body.n > w->longest[way]) w->longest[way] = body.n;
        return ERR_OK;
    }
    return err_set(ERR_CORRUPT, "model '%s' has a vocabulary that collides at token %d", gguf_name(g), id);
}

static inline int32_t table_get(const WordPiece *w, uint64_t h, Str body, int way) {
    size_t mask = ((size_t)1 << w->bits) - 1, at = hash_slot(w, h);
    for (size_t probes = 0; probes < PROBES_MAX && w->slots[at].id >= 0; probes++, at = (at + 1) & mask) {
        int32_t id = w->slots[at].id;
        if (w->slots[at].tag == hash_tag(h) && str_eq(token_body(w, id, way), body)) return id;
    }
    return -1;
}

/* ---- words to ids ---- */

typedef struct {
    const WordPiece *w;
    TokSink *sink;
    size_t n;     /* bytes of the word so far */
    size_t chars; /* characters of it; over WORD_CHARS_MAX nothing is stored any more */
    size_t n_marks;
    uint8_t word[WORD_BYTES_MAX];
    uint32_t marks[WORD_CHARS_MAX]; /* since the last boundary of canonical order, sorted by mark_orders, stable */
    uint8_t mark_orders[WORD_CHARS_MAX];
} Walk;

/* The longest token that word begins with; -1 when there is none. */
static int32_t piece_longest(const WordPiece *w, Str word, int way, size_t *length) {
    uint64_t hashes[WORD_BYTES_MAX];
    uint64_t h = hash_seeds[way];
    size_t most = word.n < w->longest[way] ? word.n : w->longest[way];
    for (size_t i = 0; i < most; i++) hashes[i] = h = hash_step(h, (uint8_t)word.p[i]);
    for (size_t n = most; n > 0; n--) {
        if (n < word.n && ((uint8_t)word.p[n] & 0xC0) == 0x80) continue; /* inside a character */
        int32_t id = table_get(w, hashes[n - 1], str_upto(word, n), way);
        if (id < 0) continue;
        *length = n;
        return id;
    }
    return -1;
}

static void word_pieces(const WordPiece *w, Str word, TokSink *sink) {
    size_t before = sink->n;
    for (size_t at = 0, n = 0; at < word.n; at += n) {
        int32_t id = piece_longest(w, str_from(word, at), at ? CONTINUES : STARTS, &n);
        if (id < 0) { /* the whole word is unknown: what was added goes again */
            sink->n = before;
            tok_sink_add(sink, w->unk);
            return;
        }
        tok_sink_add(sink, id);
    }
}

static inline void word_add(Walk *k, uint32_t cp) {
    if (k->chars++ < WORD_CHARS_MAX) k->n += utf8_encode(cp, (char *)k->word + k->n);
}

static void marks_flush(Walk *k) {
    for (size_t i = 0; i < k->n_marks; i++) word_add(k, k->marks[i]);
    k->n_marks = 0;
}

static inline void word_end(Walk *k) {
    if (k->n_marks) marks_flush(k);
    if (k->chars == 0) return;
    if (k->chars > WORD_CHARS_MAX)
        tok_sink_add(k->sink, k->w->unk);
    else
        word_pieces(k->w, str_make((const char *)k->word, k->n), k->sink);
    k->n = k->chars = 0;
}

/* ---- characters to words ---- */

/* A character as it is after the strip. */
static void char_put(Walk *k, uint32_t cp, TokChar c) {
    if (c.flags & (TOK_CHAR_WHITE | TOK_CHAR_PUNCT)) {
        word_end(k);
        if (!(c.flags & TOK_CHAR_PUNCT)) return;
        word_add(k, cp);
        word_end(k);
        return;
    }
    uint32_t lower[TOK_CHAR_LOWER_MAX] = {cp};
    size_t n = k->w->lower && (c.flags & TOK_CHAR_LOWER) ? tok_char_lower(cp, lower) : 1;
    for (size_t i = 0; i < n; i++) word_add(k, lower[i]);
}

/* A mark that the strip leaves takes its place among those before it. */
static void mark_put(Walk *k, uint32_t cp, uint8_t order) {
    if (k->n_marks == WORD_CHARS_MAX) { /* a word too long in any order */
        k->chars += WORD_CHARS_MAX;
        return;
    }
    size_t at = k->n_marks++;
    for (; at > 0 && k->mark_orders[at - 1] > order; at--) {
        k->marks[at] = k->marks[at - 1];
        k->mark_orders[at] = k->mark_orders[at - 1];
    }
    k->marks[at] = cp;
    k->mark_orders[at] = order;
}

static void char_strip(Walk *k, uint32_t cp, TokChar c) {
    if (c.order) {
        mark_put(k, cp, c.order);
        return;
    }
    if (!(c.flags & TOK_CHAR_JOIN) && k->n_marks) marks_flush(k);
    if (!(c.flags & TOK_CHAR_STRIP)) {
        char_put(k, cp, c);
        return;
    }
    uint32_t stripped[TOK_CHAR_STRIP_MAX];
    size_t n = tok_char_strip(cp, stripped);
    for (size_t i = 0; i < n; i++) {
        TokChar part = tok_char(stripped[i]);
        if (part.order)
            mark_put(k, stripped[i], part.order);
        else
            char_put(k, stripped[i], part);
    }
}

static void char_normalise(Walk *k, uint32_t cp) {
    TokChar c = tok_char(cp);
    if (k->w->clean && (c.flags & TOK_CHAR_REMOVE)) return;
    bool alone = k->w->chinese && (c.flags & TOK_CHAR_CHINESE);
    if (alone || (c.flags & TOK_CHAR_WHITE)) word_end(k);
    if (c.flags & TOK_CHAR_WHITE) return;
    if (k->w->strip)
        char_strip(k, cp, c);
    else
        char_put(k, cp, c);
    if (alone) word_end(k);
}

/* Letters and digits of ASCII, the bulk of all text: bytes to bytes. Returns how many there were. */
static size_t letters_put(Walk *k, const uint8_t *p, size_t n) {
    const WordPiece *w = k->w;
    if (k->n_marks) marks_flush(k);
    size_t room = k->chars < WORD_CHARS_MAX ? WORD_CHARS_MAX - k->chars : 0, i = 0;
    for (; i < n && w->byte_kind[p[i]] == BYTE_LETTER; i++)
        if (i < room) k->word[k->n++] = w->byte_lower[p[i]];
    k->chars += i;
    return i;
}

/* The added token that stands at the beginning of text: its length, or 0. */
static size_t added_match(const WordPiece *w, Str text, int32_t *id) {
    uint8_t first = (uint8_t)text.p[0];
    for (uint32_t i = w->added_first[first]; i < w->added_first[first + 1]; i++)
        if (str_starts(text, w->texts[w->added[i]])) {
            *id = w->added[i];
            return w->texts[w->added[i]].n;
        }
    return 0;
}

static Err wordpiece_encode(const Tok *t, Str text, TokSink *sink) {
    const WordPiece *w = t->impl;
    Walk k;
    k.w = w;
    k.sink = sink;
    k.n = k.chars = k.n_marks = 0; /* the buffers need no zeros: 900 bytes a call */
    for (size_t at = 0; at < text.n;) {
        const uint8_t *p = (const uint8_t *)text.p + at;
        uint8_t kind = w->byte_kind[*p];
        if (kind & BYTE_ADDED) {
            int32_t id = -1;
            size_t n = added_match(w, str_from(text, at), &id);
            if (n) {
                word_end(&k);
                tok_sink_add(sink, id);
                at += n;
                continue;
            }
            kind &= (uint8_t)~BYTE_ADDED;
        }
        uint32_t cp = *p;
        size_t used = 1;
        switch (kind) {
        case BYTE_LETTER:
            /* One that may begin an added token does not count as a letter in letters_put. */
            used = letters_put(&k, p, text.n - at);
            if (used == 0) word_add(&k, w->byte_lower[*p]), used = 1;
            break;
        case BYTE_WHITE:
            word_end(&k);
            break;
        case BYTE_PUNCT:
            word_end(&k);
            word_add(&k, cp);
            word_end(&k);
            break;
        case BYTE_REMOVE:
            break;
        default:
            used = utf8_decode(str_from(text, at), &cp);
            char_normalise(&k, cp);
        }
        at += used;
    }
    word_end(&k);
    return ERR_OK;
}

/* ---- opening ---- */

/* The way a token of the file may stand in a word. */
static int token_way(Str text, int32_t type) {
    if (type == TYPE_CONTROL || str_starts(text, STR(PHANTOM))) return STARTS;
    /* Older files of llama.cpp leave all of "[unused7]" plain, whatever their type. */
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') return STARTS;
    return CONTINUES;
}

/* The file's spelling to the reference's: "▁in" is "in", "ing" is "##ing". */
static Err texts_spell(Tok *t, uint8_t *ways /* [n] */, const int32_t *types /* [n] or NULL */) {
    size_t bytes = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (ways[i] == STARTS) ways[i] = (uint8_t)token_way(t->texts[i], types ? types[i] : 0);
        if (ways[i] == CONTINUES) bytes += t->texts[i].n + 2;
    }
    char *p = arena_alloc(&t->arena, bytes);
    if (!p) return arena_error();
    for (size_t i = 0; i < t->n; i++) {
        Str *text = &t->texts[i];
        if (ways[i] == STARTS) {
            if (str_starts(*text, STR(PHANTOM))) *text = str_from(*text, 3);
            continue;
        }
        p[0] = p[1] = '#';
        if (text->n) memcpy(p + 2, text->p, text->n);
        *text = str_make(p, text->n + 2);
        p += text->n;
    }
    return ERR_OK;
}

static Err special_id(const Tok *t, const Gguf *g, const char *key, const char *other_key, const char *text,
                      int32_t *out) {
    uint32_t id = UINT32_MAX;
    TRY(gguf_get_u32(g, key, &id));
    if (id == UINT32_MAX && other_key) TRY(gguf_get_u32(g, other_key, &id));
    if (id != UINT32_MAX) {
        if (id >= t->n)
            return err_set(ERR_CORRUPT, "model '%s': '%s' is %u, the vocabulary has %zu tokens", gguf_name(g), key, id,
                           t->n);
        *out = (int32_t)id;
        return ERR_OK;
    }
    for (size_t i = 0; i < t->n && *out < 0; i++)
        if (str_is(t->texts[i], text)) *out = (int32_t)i;
    return ERR_OK;
}

static Err specials_find(Tok *t, const Gguf *g) {
    TokSpecial *s = &t->special;
    TRY(special_id(t, g, "tokenizer.ggml.unknown_token_id", NULL, "[UNK]", &s->unk));
    TRY(special_id(t, g, "tokenizer.ggml.cls_token_id", "tokenizer.ggml.bos_token_id", "[CLS]", &s->cls));
    /* llama.cpp's spelling */
    TRY(special_id(t, g, "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id", "[SEP]", &s->sep));
    TRY(special_id(t, g, "tokenizer.ggml.padding_token_id", NULL, "[PAD]", &s->pad));
    TRY(special_id(t, g, "tokenizer.ggml.mask_token_id", NULL, "[MASK]", &s->mask));
    if (s->unk < 0) return err_set(ERR_CORRUPT, "model '%s' has no token for the unknown", gguf_name(g));
    return ERR_OK;
}

static Err added_put(WordPiece *w, const Gguf *g, int32_t id) {
    Str text = w->texts[id];
    if (text.n == 0) return ERR_OK;
    /* Raw text is compared byte by byte, while its ill-formed bytes stand for U+FFFD: such tokens would tell the two
     * apart. No vocabulary has them. */
    if (!utf8_valid(text) || str_find(text, STR("\xEF\xBF\xBD")) >= 0) return ERR_OK;
    size_t at = 0;
    for (; at < w->n_added; at++) {
        Str other = w->texts[w->added[at]];
        if (w->added[at] == id || str_eq(other, text)) return ERR_OK;
        uint8_t a = (uint8_t)text.p[0], b = (uint8_t)other.p[0];
        if (a < b || (a == b && text.n > other.n)) break;
    }
    if (w->n_added == ADDED_MAX)
        return err_set(ERR_LIMIT, "model '%s' has more than %d control tokens", gguf_name(g), ADDED_MAX);
    memmove(w->added + at + 1, w->added + at, (w->n_added - at) * sizeof *w->added);
    w->added[at] = id;
    w->n_added++;
    return ERR_OK;
}

static Err added_fill(WordPiece *w, const Tok *t, const Gguf *g, const int32_t *types) {
    const TokSpecial *s = &t->special;
    const int32_t always[] = {s->unk, s->cls, s->sep, s->pad, s->mask};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (always[i] >= 0) TRY(added_put(w, g, always[i]));
    for (size_t i = 0; types && i < t->n; i++)
        if (types[i] == TYPE_CONTROL || types[i] == TYPE_USER_DEFINED) TRY(added_put(w, g, (int32_t)i));
    size_t at = 0;
    for (unsigned b = 0; b < 256; b++) {
        w->added_first[b] = (uint32_t)at;
        while (at < w->n_added && (uint8_t)w->texts[w->added[at]].p[0] == b) at++;
        if (at > w->added_first[b]) w->byte_kind[b] |= BYTE_ADDED;
    }
    w->added_first[256] = (uint32_t)at;
    return ERR_OK;
}

static void bytes_classify(WordPiece *w) {
    for (unsigned b = 0; b < 256; b++) {
        if (b >= 128) {
            w->byte_kind[b] = BYTE_MULTI;
            continue;
        }
        TokChar c = tok_char(b);
        bool remove = w->clean && (c.flags & TOK_CHAR_REMOVE);
        w->byte_kind[b] = remove                       ? BYTE_REMOVE
                          : (c.flags & TOK_CHAR_WHITE) ? BYTE_WHITE
                          : (c.flags & TOK_CHAR_PUNCT) ? BYTE_PUNCT
                                                       : BYTE_LETTER;
        w->byte_lower[b] = (uint8_t)(w->lower && b >= 'A' && b <= 'Z' ? b + 32 : b);
    }
}

static Err switches_read(WordPiece *w, const Gguf *g) {
    w->clean = w->chinese = w->lower = true;
    TRY(gguf_get_bool(g, "pythia.tokenizer.clean_text", &w->clean));
    TRY(gguf_get_bool(g, "pythia.tokenizer.chinese_chars", &w->chinese));
    TRY(gguf_get_bool(g, "pythia.tokenizer.lowercase", &w->lower));
    w->strip = w->lower;
    return gguf_get_bool(g, "pythia.tokenizer.strip_accents", &w->strip);
}

static Err table_fill(WordPiece *w, Tok *t, const Gguf *g, const uint8_t *ways, const int32_t *types) {
    w->bits = 4;
    while (((size_t)1 << w->bits) < 2 * t->n) w->bits++;
    size_t slots = (size_t)1 << w->bits;
    w->slots = arena_array(&t->arena, Slot, slots);
    if (!w->slots) return arena_error();
    memset(w->slots, 0xFF, slots * sizeof *w->slots); /* id -1 */
    for (size_t i = 0; i < t->n; i++)
        if (!types || types[i] != TYPE_UNUSED) TRY(table_put(w, g, (int32_t)i, ways[i]));
    return ERR_OK;
}

static Err vocab_read(Tok *t, const Gguf *g, int32_t **types, uint8_t **ways) {
    Arena *a = &t->arena;
    TRY(gguf_need(g, "tokenizer.ggml.tokens"));
    TRY(gguf_get_strs(g, a, "tokenizer.ggml.tokens", &t->texts, &t->n));
    if (t->n == 0) return err_set(ERR_CORRUPT, "model '%s' has an empty vocabulary", gguf_name(g));
    if (t->n > TOK_VOCAB_MAX)
        return err_set(ERR_LIMIT, "model '%s' has %zu tokens; the limit is %d", gguf_name(g), t->n, TOK_VOCAB_MAX);
    size_t n_types = 0, n_continuations = 0;
    int32_t *continuations = NULL;
    *types = NULL;
    TRY(gguf_get_i32s(g, a, "tokenizer.ggml.token_type", types, &n_types));
    if (*types && n_types != t->n)
        return err_set(ERR_CORRUPT, "model '%s' has %zu tokens, but %zu token types", gguf_name(g), t->n, n_types);
    TRY(gguf_get_i32s(g, a, "pythia.tokenizer.continuations", &continuations, &n_continuations));
    *ways = arena_array(a, uint8_t, t->n);
    if (!*ways) return arena_error();
    for (size_t i = 0; i < n_continuations; i++) {
        if (continuations[i] < 0 || (size_t)continuations[i] >= t->n)
            return err_set(ERR_CORRUPT, "model '%s': continuation %d is outside the vocabulary", gguf_name(g),
                           continuations[i]);
        (*ways)[continuations[i]] = CONTINUES;
    }
    return ERR_OK;
}

static Err wordpiece_open(Tok *t, const Gguf *g) {
    WordPiece *w = arena_new(&t->arena, WordPiece);
    if (!w) return arena_error();
    t->impl = w;
    w->added = arena_array(&t->arena, int32_t, ADDED_MAX);
    if (!w->added) return arena_error();
    int32_t *types = NULL;
    uint8_t *ways = NULL;
    TRY(switches_read(w, g));
    TRY(vocab_read(t, g, &types, &ways));
    TRY(texts_spell(t, ways, types));
    TRY(specials_find(t, g));
    w->texts = t->texts;
    w->unk = t->special.unk;
    bytes_classify(w);
    TRY(added_fill(w, t, g, types));
    return table_fill(w, t, g, ways, types);
}

const TokKind tok_wordpiece = {.name = "bert", .open = wordpiece_open, .encode = wordpiece_encode};
