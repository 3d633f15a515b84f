/* tok_kind.h - what a kind of tokenizer hands to tok.c: its functions and the fields that all kinds share. */
#ifndef PYTHIA_MODEL_TOK_KIND_H
#define PYTHIA_MODEL_TOK_KIND_H

#include "base/arena.h"
#include "model/tok.h"

/* Where ids go: written while there is room, counted always. */
typedef struct {
    int32_t *ids; /* [cap] */
    size_t cap;
    size_t n;            /* ids so far, those that found no room too */
    const size_t *plain; /* [n_plain] bytes of the text, ascending: a control token spelled there is only text */
    size_t n_plain;
} TokSink;

static inline void tok_sink_add(TokSink *sink, int32_t id) {
    if (sink->n < sink->cap) sink->ids[sink->n] = id;
    sink->n++;
}

struct TokAdded;

typedef struct {
    const char *name;                                     /* as tokenizer.ggml.model has it */
    Err (*open)(Tok *t, const Gguf *g);                   /* fills t->impl, vocab, special; memory from t->arena */
    Err (*encode)(const Tok *t, Str text, TokSink *sink); /* without special ones around */
    void (*close)(Tok *t);                                /* what the arena does not own; NULL: nothing */
    void (*decode)(const Tok *t, int32_t id, Buf *out);   /* a token's bytes; NULL: no model of this kind generates */
} TokKind;

struct Tok {
    const TokKind *kind;
    Arena arena;          /* owns everything below */
    void *impl;           /* the kind's own */
    Str *texts;           /* [n] as the reference spells them */
    const int32_t *types; /* [n] tokenizer.ggml.token_type; NULL: the kind reads none */
    size_t n;
    const struct TokAdded *added; /* NULL: the kind finds none in texts */
    TokSpecial special;
};

extern const TokKind tok_wordpiece, tok_bpe, tok_spm, tok_unigram;

enum { TOK_VOCAB_MAX = 1 << 22 }; /* tokens; the largest vocabularies have 2^18 */

#endif
