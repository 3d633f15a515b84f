/* tok_bpe_split.h - how each family of byte-level models cuts a text into words before merging: its pre-tokenizer.
 *
 * Threads: a TokSplit is immutable once open; each call brings its own match data.
 */
#ifndef PYTHIA_MODEL_TOK_BPE_SPLIT_H
#define PYTHIA_MODEL_TOK_BPE_SPLIT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* A family of pre-tokenizers, as tokenizer.ggml.pre names its members. */
typedef struct {
    const char *names;       /* "llama3 llama-v3 …" */
    const char *patterns[6]; /* applied one after the other, each within the pieces that those before it left */
    bool letters;            /* ASCII letters, a space before them or not, are a word when ASCII or nothing follows */
    bool nfc;                /* the text is composed first */
    bool whole_words;        /* a word that is a token is that token, whatever the merges say ("ignore_merges") */
    bool add_bos, add_eos;   /* when the file does not say */
    bool mask_left_strips;   /* the mask token takes the white space before it along */
} TokPre;

/* The family of a name; NULL when there is none. */
const TokPre *tok_pre_find(Str name);

/* All names, for messages. */
void tok_pre_names(Buf *out);

typedef struct TokSplit TokSplit;

/* Compiles the patterns. Cost: ~1 ms, most of it for machine code. Errors: ERR_NOMEM, ERR_INTERNAL. */
MUST_USE Err tok_split_open(TokSplit **out, const TokPre *pre);
void tok_split_close(TokSplit *s); /* NULL is fine */

/* Hands each word of text to `word`, in order; together they are the text. text is well-formed UTF-8.
 * Errors: those of word; ERR_NOMEM; ERR_LIMIT when a pattern's work on a text goes over PCRE2's limits. */
typedef Err (*TokWord)(void *ctx, Str word);
MUST_USE Err tok_split(const TokSplit *s, Str text, TokWord word, void *ctx);

#endif
