/* tok_bpe.c - byte-level BPE (tokenizer.ggml.model = "gpt2"): GPT-2, Llama 3, Qwen 2 and 3, ModernBERT, DeepSeek, …; id
 * by id the reference's (Hugging Face's `tokenizers`: AddedVocabulary, NFC, Split, ByteLevel, BPE).
 *
 *     added     tokens that stand in the raw text cut it (tok_added.h)
 *     compose   NFC, for the families that have it (tok_bpe_nfc.h)
 *     split     into words by the family's pattern, named by tokenizer.ggml.pre (tok_bpe_split.h)
 *     merge     each word from its bytes up, by the list of merges (tok_merge.h)
 *
 * A vocabulary of this kind spells bytes as letters (GPT-2's table: 'Ġ' is a space), so that a file of it is text. Here
 * tokens are their bytes; the spelling is kept for people.
 *
 * Merges become a table from (left id, right id) to a rank; reading them is most of opening: three look-ups a line, one
 * of which is saved while a vocabulary lists its tokens in the order of the merges.
 *
 * Most words are a token. Whether the merges lead to it is a fact of the vocabulary, worked out the first time a word
 * comes up and kept in one byte a token (`whole`); from then on such a word costs one look-up. On code and prose with
 * Qwen's vocabulary that makes 30 MB/s of 18.
 *
 * Threads: immutable once open, but for `whole`: atomic bytes that all threads would set alike.
 */
#include <stdatomic.h>

#include "model/tok_added.h"
#include "model/tok_bpe_nfc.h"
#include "model/tok_bpe_split.h"
#include "model/tok_merge.h"
#include "model/tok_vocab.h"

typedef struct {
    int32_t left, right, id;
} Merge;

enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

typedef struct {
    const TokPre *pre;
    TokSplit *split;
    TokAdded added;
    Str *bytes;     /* [n] what each token spells */
    TokTable table; /* over bytes */
    int32_t byte_ids[256];
    Merge *merges;         /* by rank */
    uint32_t *merge_slots; /* [1 << merge_bits] tag and rank of a merge, or MERGE_FREE */
    uint32_t merge_bits;
    _Atomic uint8_t *whole; /* [n] WHOLE_… */
} Bpe;

/* ---- merging ---- */

/* A slot has the rank in its low bits, and above them some of the hash, so that a pair without a merge, the common
 * case, is told from the slot alone. */
enum { RANK_BITS = 23, MERGES_MAX = (1 << RANK_BITS) - 1 };
#define MERGE_FREE UINT32_MAX

static inline uint64_t pair_hash(int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key = (key ^ key >> 31) * 0x9E3779B97F4A7C15u;
    return key ^ key >> 29;
}
static inline uint32_t pair_tag(uint64_t h) { return (uint32_t)h >> RANK_BITS; }
static inline size_t pair_place(const Bpe *b, uint64_t h) { return (size_t)(h >> (64 - b->merge_bits)); }

/* The rank of a pair, *at the slot that has it; or MERGE_FREE, *at the slot that it could have. */
static inline uint32_t pair_rank(const Bpe *b, int32_t left, int32_t right, size_t *at) {
    uint64_t h = pair_hash(left, right);
    size_t mask = ((size_t)1 << b->merge_bits) - 1;
    uint32_t tag = pair_tag(h);
    for (*at = pair_place(b, h); b->merge_slots[*at] != MERGE_FREE; *at = (*at + 1) & mask) {
        uint32_t slot = b->merge_slots[*at], rank = slot & MERGES_MAX;
        if (slot >> RANK_BITS == tag && b->merges[rank].left == left && b->merges[rank].right == right) return rank;
    }
    return MERGE_FREE;
}

static TokPair merge_find(const void *ctx, const TokSymbol *left, const TokSymbol *right) {
    const Bpe *b = ctx;
    size_t at;
    uint32_t rank = pair_rank(b, left->id, right->id, &at);
    return rank == MERGE_FREE ? (TokPair){TOK_NO_RANK, -1} : (TokPair){rank, b->merges[rank].id};
}

/* ---- words ---- */

typedef struct {
    const Bpe *b;
    TokSink *sink;
    Arena long_words;
} Encode;

/* The word's bytes as symbols, merged. A byte that the vocabulary lacks is left out, as the reference does. */
static Err word_merge(Encode *e, Str word, TokSymbol *symbols, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < word.n; i++) {
        int32_t id = e->b->byte_ids[(uint8_t)word.p[i]];
        if (id >= 0) symbols[(*n)++] = (TokSymbol){(uint32_t)i, 1, id};
    }
    return tok_merge(symbols, n, merge_find, e->b, &e->long_words);
}

static Err word_long(Encode *e, Str word) {
    if (word.n > UINT32_MAX) return err_set(ERR_LIMIT, "a word of %zu bytes is too long", word.n);
    size_t n = 0;
    TokSymbol *symbols = arena_array(&e->long_words, TokSymbol, word.n);
    if (!symbols) return arena_error();
    TRY(word_merge(e, word, symbols, &n));
    for (size_t i = 0; i < n; i++) tok_sink_add(e->sink, symbols[i].id);
    arena_free(&e->long_words);
    return ERR_OK;
}

static Err word_encode(void *ctx, Str word) {
    Encode *e = ctx;
    const Bpe *b = e->b;
    int32_t id =
        word.n <= b->table.longest ? tok_table_get(&b->table, tok_hash_of(word.p, word.n), word.p, word.n) : -1;
    uint8_t whole = id < 0 ? WHOLE_NO : atomic_load_explicit(&b->whole[id], memory_order_relaxed);
    if (whole == WHOLE_YES) {
        tok_sink_add(e->sink, id);
        return ERR_OK;
    }
    if (word.n > TOK_MERGE_SMALL) return word_long(e, word);
    TokSymbol symbols[TOK_MERGE_SMALL];
    size_t n = 0;
    TRY(word_merge(e, word, symbols, &n));
    for (size_t i = 0; i < n; i++) tok_sink_add(e->sink, symbols[i].id);
    if (whole == WHOLE_UNKNOWN) {
        whole = n == 1 && symbols[0].id == id ? WHOLE_YES : WHOLE_NO;
        atomic_store_explicit(&b->whole[id], whole, memory_order_relaxed);
    }
    return ERR_OK;
}

static Err fragment_encode(void *ctx, Str text) {
    Encode *e = ctx;
    if (!e->b->pre->nfc) return tok_split(e->b->split, text, word_encode, e);
    Arena composed = {0};
    Err err = tok_nfc(text, &composed, &text);
    if (!err) err = tok_split(e->b->split, text, word_encode, e);
    arena_free(&composed);
    return err;
}

static Err bpe_encode(const Tok *t, Str text, TokSink *sink) {
    const Bpe *b = t->impl;
    Encode e = {.b = b, .sink = sink};
    Err err = tok_added_encode(&b->added, text, sink, fragment_encode, &e);
    arena_free(&e.long_words);
    return err;
}

/* ---- opening: tokens ---- */

/* GPT-2's letter of each byte, backwards: printable bytes are themselves, the others follow from U+0100 on. -1:
 * none. */
static int16_t letter_byte(uint32_t cp) {
    if ((cp >= '!' && cp <= '~') || (cp >= 0xA1 && cp <= 0xAC) || (cp >= 0xAE && cp <= 0xFF)) return (int16_t)cp;
    if (cp < 0x100 || cp > 0x143) return -1;
    uint32_t rest = cp - 0x100; /* the rest-th of 0 … 32, 127 … 160, 173 */
    return (int16_t)(rest < 33 ? rest : rest < 67 ? rest + 94 : 173);
}

/* letter_byte of all letters up to U+0143, as reading a vocabulary asks a million times. */
typedef struct {
    int16_t of[0x144];
} Letters;

static void letters_fill(Letters *letters) {
    for (uint32_t cp = 0; cp < 0x144; cp++) letters->of[cp] = letter_byte(cp);
}

/* The byte of the letter at text[*at], which moves on; -1 when it is none of the table's. */
static inline int letter_read(const Letters *letters, Str text, size_t *at) {
    uint32_t cp = (uint8_t)text.p[(*at)++];
    if (cp >= 0x80) { /* all letters beyond ASCII have two bytes, 0xC2 … 0xC5 first */
        if (cp < 0xC2 || cp > 0xC5 || *at == text.n) return -1;
        cp = (cp & 31) << 6 | ((uint8_t)text.p[(*at)++] & 63);
    }
    return cp < 0x144 ? letters->of[cp] : -1;
}

/* The bytes that text spells, no more than it has itself; false when a letter is none of the table's. */
static bool bytes_read(const Letters *letters, Str text, char *out /* [text.n] */, size_t *n) {
    *n = 0;
    for (size_t at = 0; at < text.n;) {
        int byte = letter_read(letters, text, &at);
        if (byte < 0) return false;
        out[(*n)++] = (char)byte;
    }
    return true;
}

/* Their hash and how many. */
static bool bytes_hash(const Letters *letters, Str text, uint64_t *h, size_t *n) {
    *h = *n = 0;
    for (size_t at = 0; at < text.n; (*n)++) {
        int byte = letter_read(letters, text, &at);
        if (byte < 0) return false;
        *h = tok_hash_step(*h, (uint8_t)byte);
    }
    return true;
}

/* What each token spells. Added ones are as they stand; a token whose letters are not the table's can never come up. */
static Err tokens_read(Bpe *b, Tok *t, const Letters *letters, const int32_t *types) {
    size_t room = 0;
    for (size_t i = 0; i < t->n; i++) room += t->texts[i].n;
    b->bytes = arena_array(&t->arena, Str, t->n);
    char *p = arena_alloc(&t->arena, room);
    if (!b->bytes || !p) return arena_error();
    for (size_t i = 0; i < t->n; i++) {
        size_t n = 0;
        if (tok_type_is_added(types[i])) {
            b->bytes[i] = t->texts[i];
            continue;
        }
        if (types[i] != TOK_TYPE_NORMAL || !bytes_read(letters, t->texts[i], p, &n)) continue;
        b->bytes[i] = str_make(p, n);
        p += n;
    }
    return ERR_OK;
}

/* Normal tokens last: where an added one spells the same, the merges mean the normal one. */
static Err table_fill(Bpe *b, Tok *t, const Gguf *g, const int32_t *types) {
    TRY(tok_table_open(&b->table, &t->arena, b->bytes, t->n));
    for (size_t i = 0; i < t->n; i++)
        if (tok_type_is_added(types[i])) TRY(tok_table_put(&b->table, gguf_name(g), (int32_t)i));
    for (size_t i = 0; i < t->n; i++)
        if (types[i] == TOK_TYPE_NORMAL) TRY(tok_table_put(&b->table, gguf_name(g), (int32_t)i));
    TRY(tok_table_seal(&b->table, &t->arena));
    for (unsigned i = 0; i < 256; i++) {
        char byte = (char)i;
        b->byte_ids[i] = tok_table_get(&b->table, tok_hash_of(&byte, 1), &byte, 1);
    }
    b->whole = arena_alloc(&t->arena, t->n); /* zeros: WHOLE_UNKNOWN */
    if (!b->whole) return arena_error();
    for (size_t i = 0; i < t->n; i++)
        if (b->pre->whole_words && types[i] == TOK_TYPE_NORMAL) atomic_init(&b->whole[i], WHOLE_YES);
    return ERR_OK;
}

/* ---- opening: merges ---- */

/* A line, "left right", on its way into the table. */
typedef struct {
    Str left, right;          /* as spelled */
    uint64_t h_left, h_right; /* of the bytes */
    size_t n_right;           /* bytes */
} Line;

static bool line_parse(const Letters *letters, Str line, Line *m) {
    ptrdiff_t space = str_find_char(str_from(line, 1), ' ');
    if (space < 0) return false;
    size_t n_left = 0;
    m->left = str_upto(line, (size_t)space + 1);
    m->right = str_from(line, (size_t)space + 2);
    return bytes_hash(letters, m->left, &m->h_left, &n_left) &&
           bytes_hash(letters, m->right, &m->h_right, &m->n_right) && n_left > 0 && m->n_right > 0;
}

static bool is_spelled(Str text, Str left, Str right) {
    return text.n == left.n + right.n && memcmp(text.p, left.p, left.n) == 0 &&
           memcmp(text.p + left.n, right.p, right.n) == 0;
}

/* The id of the token that is spelled left, then right; -1 when there is none. */
static int32_t spelled_find(const Bpe *b, const Str *texts, uint64_t h, Str left, Str right) {
    const TokTable *table = &b->table;
    size_t mask = ((size_t)1 << table->bits) - 1;
    uint32_t tag = tok_table_tag(h);
    for (size_t at = tok_table_place(table, h); table->slots[at].id >= 0; at = (at + 1) & mask)
        if (table->slots[at].tag == tag && is_spelled(texts[table->slots[at].id], left, right))
            return table->slots[at].id;
    return -1;
}

static inline uint64_t line_hash(const Bpe *b, const Line *m) {
    return m->n_right > b->table.longest ? 0 : m->h_left * b->table.powers[m->n_right] + m->h_right;
}

/* Puts line `rank` into the table; *guess: the id that comes next while tokens follow the merges. */
static Err merge_add(Bpe *b, const Tok *t, const char *name, const Line *m, uint32_t rank, int32_t *guess) {
    const Str *texts = t->texts, none = {"", 0};
    int32_t left = spelled_find(b, texts, m->h_left, m->left, none);
    int32_t right = spelled_find(b, texts, m->h_right, m->right, none);
    int32_t id = is_spelled(texts[*guess], m->left, m->right)
                     ? *guess
                     : spelled_find(b, texts, line_hash(b, m), m->left, m->right);
    if (left < 0 || right < 0 || id < 0)
        return err_set(ERR_CORRUPT, "model '%s': merge %u, '%.*s %.*s', is not of two tokens that make a third", name,
                       rank, STR_FMT(m->left), STR_FMT(m->right));
    if ((size_t)id + 1 < t->n) *guess = id + 1;
    size_t at, mask = ((size_t)1 << b->merge_bits) - 1;
    uint64_t h = pair_hash(left, right);
    b->merges[rank] = (Merge){left, right, id};
    (void)pair_rank(b, left, right,
                    &at); /* a pair that stands twice has the rank of its last line, as in the reference */
    if (((at - pair_place(b, h)) & mask) > TOK_PROBES_MAX)
        return err_set(ERR_CORRUPT, "model '%s' has merges that collide at merge %u", name, rank);
    b->merge_slots[at] = pair_tag(h) << RANK_BITS | rank;
    return ERR_OK;
}

/* A look-up is a wait for memory, and a line needs four: those of the lines ahead are asked for early (Llama 3, 280,147
 * lines: opening takes 50 ms instead of 64). */
enum { MERGES_AHEAD = 16 };

static Err merges_add(Bpe *b, const Tok *t, const Gguf *g, const Letters *letters, const Str *lines, size_t n) {
    Line ring[MERGES_AHEAD];
    int32_t guess = 0;
    for (size_t i = 0; i < n + MERGES_AHEAD; i++) {
        Line *m = &ring[i % MERGES_AHEAD];
        if (i >= MERGES_AHEAD) TRY(merge_add(b, t, gguf_name(g), m, (uint32_t)(i - MERGES_AHEAD), &guess));
        if (i >= n) continue;
        if (!line_parse(letters, lines[i], m))
            return err_set(ERR_CORRUPT, "model '%s': merge %zu, '%.*s', is not two tokens", gguf_name(g), i,
                           STR_FMT(lines[i]));
        __builtin_prefetch(&b->table.slots[tok_table_place(&b->table, m->h_left)]);
        __builtin_prefetch(&b->table.slots[tok_table_place(&b->table, m->h_right)]);
        __builtin_prefetch(&b->table.slots[tok_table_place(&b->table, line_hash(b, m))]);
    }
    return ERR_OK;
}

static Err merges_read(Bpe *b, Tok *t, const Gguf *g, const Letters *letters) {
    Arena lines_arena = {0};
    Str *lines = NULL;
    size_t n = 0;
    Err err = gguf_need(g, "tokenizer.ggml.merges");
    if (!err) err = gguf_get_strs(g, &lines_arena, "tokenizer.ggml.merges", &lines, &n);
    if (!err && n > MERGES_MAX)
        err = err_set(ERR_LIMIT, "model '%s' has %zu merges; the limit is %d", gguf_name(g), n, MERGES_MAX);
    if (err) goto done;
    b->merge_bits = 4;
    while (((size_t)1 << b->merge_bits) < n + n / 2) b->merge_bits++;
    b->merges = arena_array(&t->arena, Merge, n);
    b->merge_slots = arena_array(&t->arena, uint32_t, (size_t)1 << b->merge_bits);
    if (!b->merges || !b->merge_slots) {
        err = arena_error();
        goto done;
    }
    memset(b->merge_slots, 0xFF, sizeof *b->merge_slots << b->merge_bits);
    err = merges_add(b, t, g, letters, lines, n);
done:
    arena_free(&lines_arena);
    return err;
}

static Err pre_find(Bpe *b, const Gguf *g) {
    Str name = {"", 0};
    TRY(gguf_get_str(g, "tokenizer.ggml.pre", &name));
    b->pre = tok_pre_find(name);
    if (b->pre) return ERR_OK;
    if (name.n == 0 || str_is(name, "default"))
        return err_set(ERR_UNSUPPORTED,
                       "model '%s' does not say how its tokenizer cuts words ('tokenizer.ggml.pre'); it was made by an "
                       "old converter: convert it again",
                       gguf_name(g));
    Buf known = {0};
    tok_pre_names(&known);
    Err err = err_set(ERR_UNSUPPORTED, "model '%s' has a pre-tokenizer '%.*s'; known: %.*s", gguf_name(g),
                      STR_FMT(name), STR_FMT(buf_str(&known)));
    buf_free(&known);
    return err;
}

static Err bpe_open(Tok *t, const Gguf *g) {
    Bpe *b = arena_new(&t->arena, Bpe);
    if (!b) return arena_error();
    t->impl = b;
    int32_t *types = NULL;
    Letters letters;
    letters_fill(&letters);
    TRY(pre_find(b, g));
    TRY(tok_vocab_read(t, g, &types));
    TRY(tok_marks_read(t, g, (TokMarks){-1, -1, -1, -1, b->pre->add_bos, b->pre->add_eos}));
    TRY(tok_added_open(&b->added, t, types, b->pre->mask_left_strips ? t->special.mask : -1));
    TRY(tokens_read(b, t, &letters, types));
    TRY(table_fill(b, t, g, types));
    TRY(merges_read(b, t, g, &letters));
    return tok_split_open(&b->split, b->pre);
}

static void bpe_close(Tok *t) {
    Bpe *b = t->impl;
    if (b) tok_split_close(b->split);
}

static void bpe_decode(const Tok *t, int32_t id, Buf *out) {
    const Bpe *b = t->impl;
    buf_add(out, b->bytes[id]);
}

const TokKind tok_bpe = {
    .name = "gpt2", .open = bpe_open, .encode = bpe_encode, .close = bpe_close, .decode = bpe_decode};
