/* import_tok.h - what the importers of tokenizers share: the vocabulary as it is gathered, the marks around a text.
 *
 *   import_tok.c            which kind; shared parts
 *   import_tok_wordpiece.c  WordPiece
 *   import_tok_bpe.c        byte-level BPE
 *   import_tok_scores.c     SentencePiece's BPE and Unigram: tokens with scores
 */
#ifndef PYTHIA_MODEL_IMPORT_TOK_H
#define PYTHIA_MODEL_IMPORT_TOK_H

#include "model/import.h"
#include "model/tok_vocab.h" /* the types of tokens */

#define TOKENIZER    "tokenizer.json"
#define TOK_CONFIG   "tokenizer_config.json"
#define TOK_SPECIALS "special_tokens_map.json"
#define TOK_BLANK    "\xE2\x96\x81" /* U+2581, SentencePiece's space */

typedef struct {
    const json_t *tokenizer, *config, *map; /* the three files; NULL: not there */
    Str *tokens;                            /* [n] as the reference spells them; {NULL, 0}: a row without a token */
    int32_t *types;                         /* [n] TOK_TYPE_… */
    float *scores;                          /* [n] of kinds that have them, else NULL */
    size_t n;                               /* rows of embeddings */
} ImportVocab;

/* Token `id` is text, borrowed. ERR_INPUT: outside the rows, or two texts for one id. */
MUST_USE Err vocab_set(ImportVocab *v, const char *file, Str text, int64_t id, int32_t type);
/* The same out of tokenizer.json, copied, because the JSON goes before the tokens do. */
MUST_USE Err vocab_copy(const Import *im, ImportVocab *v, Str text, int64_t id, int32_t type);
/* The object "vocab" of the model: {"token": id}. */
MUST_USE Err vocab_copy_object(const Import *im, ImportVocab *v);
int64_t vocab_find(const ImportVocab *v, Str text); /* -1: not there. Cost: a walk over all */

/* {"type": …} of a part of tokenizer.json: ERR_UNSUPPORTED unless it is one of "a|b". */
MUST_USE Err vocab_part_check(const json_t *tokenizer, const char *part, const char *types);
/* The type of a part that is an object; "none" of a missing one. */
MUST_USE Err vocab_part_type(const json_t *part, Str *out);
/* A part's members where it is a Sequence (under `list`), or itself: so many, and the i-th. */
size_t vocab_parts(const json_t *part, const char *list);
const json_t *vocab_part(const json_t *part, const char *list, size_t i);

/* The text of "cls_token": "[CLS]" or {"content": "[CLS]", …}; *out stays where there is none. */
MUST_USE Err vocab_special(const ImportVocab *v, const char *key, Str *out);

/* Added tokens, for kinds that find them in the raw text: types of special ones become control, of others user-defined.
 * What their kind cannot do is refused. *mask_strips: the mask takes the blanks before it along. */
typedef struct {
    bool (*normal)(Str text); /* is a token the same in normalised text? */
    bool blanks_free;         /* blanks are dropped anyway; else only the mask may take those before it along */
} AddedRules;
MUST_USE Err vocab_added(const Import *im, ImportVocab *v, const AddedRules *rules, bool *mask_strips);

/* What goes around a text, by the post_processor. */
typedef struct {
    int64_t before, behind; /* ids; -1: nothing */
    int64_t unknown;        /* the id where the model tells it by number; -1: by name */
    int64_t separators;     /* marks between the two texts of a pair; 0: pairs are put together in another way */
} ImportMarks;
MUST_USE Err marks_read(const ImportVocab *v, ImportMarks *out);

/* tokenizer.ggml.tokens, token_type and, where there are, scores. Rows without a token become "[PAD7]". */
MUST_USE Err vocab_write(const Import *im, ImportVocab *v);
/* Ids of special tokens and of marks; usual: separators of the kind in a pair, as pair.c takes them. */
MUST_USE Err vocab_marks_write(const Import *im, const ImportVocab *v, const ImportMarks *marks, int64_t usual);

/* ---- kinds ---- */
MUST_USE Err import_tok_wordpiece(const Import *im, ImportVocab *v);
MUST_USE Err import_tok_bytes(const Import *im, ImportVocab *v);
MUST_USE Err import_tok_merges(const Import *im, ImportVocab *v); /* SentencePiece's BPE */
MUST_USE Err import_tok_unigram(const Import *im, ImportVocab *v);

#endif
