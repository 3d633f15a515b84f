/* tok_vocab.h - what the tokenizers by merges and by scores share: the vocabulary of a GGUF, the marks around a text,
 * and a table from bytes to ids whose hash can be had for any span of a word in one step.
 *
 * Threads: immutable once filled.
 */
#ifndef PYTHIA_MODEL_TOK_VOCAB_H
#define PYTHIA_MODEL_TOK_VOCAB_H

#include "model/tok_kind.h"

/* tokenizer.ggml.token_type */
enum {
    TOK_TYPE_NORMAL = 1,
    TOK_TYPE_UNKNOWN = 2,
    TOK_TYPE_CONTROL = 3,
    TOK_TYPE_USER_DEFINED = 4,
    TOK_TYPE_UNUSED = 5,
    TOK_TYPE_BYTE = 6
};

/* Matched in the raw text, before anything else? */
static inline bool tok_type_is_added(int32_t type) {
    return type == TOK_TYPE_UNKNOWN || type == TOK_TYPE_CONTROL || type == TOK_TYPE_USER_DEFINED;
}

/* Fills t->texts and t->n from tokenizer.ggml.tokens; *types [n] from token_type, all normal when the file has none.
 * Errors: ERR_CORRUPT, ERR_LIMIT (TOK_VOCAB_MAX). */
MUST_USE Err tok_vocab_read(Tok *t, const Gguf *g, int32_t **types);

/* tokenizer.ggml.scores [n]. ERR_CORRUPT when missing, or of another length. */
MUST_USE Err tok_scores_read(const Tok *t, const Gguf *g, Arena *a, float **scores);

/* What a kind takes when a file says nothing: ids, -1 for none; and whether a text gets the marks. */
typedef struct {
    int32_t bos, eos, unk, pad;
    bool add_bos, add_eos;
} TokMarks;

/* Fills t->special from the file's keys: cls is what goes before a text (bos, or -1 when none goes), sep what goes
 * behind. ERR_CORRUPT for an id outside the vocabulary, and for a file that asks for a mark it does not name. */
MUST_USE Err tok_marks_read(Tok *t, const Gguf *g, TokMarks defaults);

/* The byte of a BYTE token's text, "<0x0A>"; -1 for other texts. */
int tok_text_byte(Str text);

/* ---- the table ----
 *
 * The hash of bytes b0 … bm is their polynomial in an odd constant, modulo 2^64: it grows by a byte in one step, and a
 * span's comes from the hashes of the two prefixes around it (h(i..j) = h(0..j) - h(0..i) * power(j - i)), so that a
 * merge needs no bytes until the tag says yes. Hits are compared byte by byte: a collision costs time, never an id. */

typedef struct {
    uint32_t tag;
    int32_t id; /* -1: free */
} TokSlot;

typedef struct {
    TokSlot *slots; /* [1 << bits] */
    uint32_t bits;
    size_t longest;   /* bytes of the longest text in it */
    const Str *texts; /* [ids] */
    uint64_t *powers; /* [longest + 1], by tok_table_seal */
} TokTable;

enum { TOK_PROBES_MAX = 512 }; /* honest vocabularies need some 20; a hostile one must not cost squares */
#define TOK_HASH_BASE 0xD6E8FEB86659FD93u

static inline uint64_t tok_hash_step(uint64_t h, uint8_t b) { return h * TOK_HASH_BASE + b + 1; }

static inline uint64_t tok_hash_of(const char *p, size_t n) {
    uint64_t h = 0;
    for (size_t i = 0; i < n; i++) h = tok_hash_step(h, (uint8_t)p[i]);
    return h;
}

static inline size_t tok_table_place(const TokTable *t, uint64_t h) {
    return (size_t)((h ^ h >> 29) * 0x9E3779B97F4A7C15u >> (64 - t->bits));
}
static inline uint32_t tok_table_tag(uint64_t h) { return (uint32_t)(h >> 32 ^ h); }

/* Room for n texts. texts: by id, borrowed. */
MUST_USE Err tok_table_open(TokTable *t, Arena *a, const Str *texts, size_t n);
/* A text that stands twice keeps its last id. An empty one is left out. name: the model's, for messages. */
MUST_USE Err tok_table_put(TokTable *t, const char *name, int32_t id);
MUST_USE Err tok_table_seal(TokTable *t, Arena *a);

/* The id of the n bytes at p, whose hash is h; -1 when there is none. */
static inline int32_t tok_table_get(const TokTable *t, uint64_t h, const char *p, size_t n) {
    size_t mask = ((size_t)1 << t->bits) - 1;
    uint32_t tag = tok_table_tag(h);
    for (size_t at = tok_table_place(t, h); t->slots[at].id >= 0; at = (at + 1) & mask)
        if (t->slots[at].tag == tag) {
            Str text = t->texts[t->slots[at].id];
            if (text.n == n && memcmp(text.p, p, n) == 0) return t->slots[at].id;
        }
    return -1;
}

#endif
