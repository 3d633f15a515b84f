/* tok_added.h - tokens that are found in the raw text before a tokenizer sees it: "<|im_end|>", "[MASK]", runs of
 * blanks.
 *
 * Leftmost first, then the longest, as the reference has it. Threads: immutable once open.
 */
#ifndef PYTHIA_MODEL_TOK_ADDED_H
#define PYTHIA_MODEL_TOK_ADDED_H

#include "model/tok_kind.h"

typedef struct {
    Str text;
    int32_t id;
    bool control;
} TokAddedText;

typedef struct TokAdded {
    TokAddedText *all; /* [n] sorted by bytes */
    size_t n;
    uint32_t first[257]; /* those that begin with byte b: all[first[b] .. first[b + 1]) */
    int32_t left_strips; /* this one takes the white space before it along; -1: none does */
} TokAdded;

/* One found: text[start, end) is replaced by id. */
typedef struct {
    size_t start, end;
    int32_t id;
} TokAddedHit;

/* Of t->texts all whose type is added (tok_type_is_added). left_strips: an id or -1. */
MUST_USE Err tok_added_open(TokAdded *added, Tok *t, const int32_t *types, int32_t left_strips);

/* The first at or behind `from`, but for control tokens where sink says that they are text; false when there is none.
 * Cost: ~1 ns a byte. */
bool tok_added_next(const TokAdded *added, Str text, size_t from, const TokSink *sink, TokAddedHit *hit);

/* Text between added tokens, for the tokenizer proper; never empty. */
typedef Err (*TokFragment)(void *ctx, Str text);
/* What every tokenizer with added tokens does: ill-formed UTF-8 is repaired, added tokens go to the sink as they stand,
 * what is between them to fragment. Errors: fragment's, and memory. */
MUST_USE Err tok_added_encode(const TokAdded *added, Str text, TokSink *sink, TokFragment fragment, void *ctx);

/* tok_find_control's answer. */
bool tok_added_control(const TokAdded *added, Str text, size_t from, size_t *at);

#endif
