/* tok_unicode.h - what BERT's reference tokenizer takes each code point for.
 *
 * Not utf8proc: the reference mixes several Unicode versions (categories of version 8, older NFD, newer lower case), so
 * that no library gives its ids on all texts, and Debian's changes from release to release. The tables are its own
 * answers (tools/make_tok_unicode.py; 42 KB in memory).
 *
 * Threads: everything here is immutable.
 */
#ifndef PYTHIA_MODEL_TOK_UNICODE_H
#define PYTHIA_MODEL_TOK_UNICODE_H

#include <stddef.h>
#include <stdint.h>

enum {
    TOK_CHAR_REMOVE = 1,  /* dropped by clean_text: controls, formats, private use, U+FFFD */
    TOK_CHAR_WHITE = 2,   /* separates words */
    TOK_CHAR_PUNCT = 4,   /* a word of its own */
    TOK_CHAR_CHINESE = 8, /* an ideograph: gets spaces around */
    TOK_CHAR_STRIP = 16,  /* NFD without non-spacing marks is something else: tok_char_strip */
    TOK_CHAR_LOWER = 32,  /* has a lower case: tok_char_lower */
    TOK_CHAR_JOIN = 64    /* canonical ordering goes on over it */
};

typedef struct {
    uint8_t flags; /* TOK_CHAR_… */
    uint8_t order; /* rank of its canonical combining class among the marks that strip leaves; 0: not such a mark */
} TokChar;

enum { TOK_CHAR_PLANES = 0x20000, TOK_CHAR_BLOCK = 128, TOK_CHAR_STRIP_MAX = 3, TOK_CHAR_LOWER_MAX = 2 };

/* Of a scalar value. Cost: two look-ups, ~1 ns. */
TokChar tok_char(uint32_t cp);

/* NFD of cp without its non-spacing marks, for one with TOK_CHAR_STRIP: returns how many code points, 0 for a mark. */
size_t tok_char_strip(uint32_t cp, uint32_t out[TOK_CHAR_STRIP_MAX]);

/* The lower case of one with TOK_CHAR_LOWER: one code point, but two for U+0130. */
size_t tok_char_lower(uint32_t cp, uint32_t out[TOK_CHAR_LOWER_MAX]);

/* ---- the tables (tok_unicode_data.c) ---- */

typedef struct {
    uint32_t first, last;
    char letter;
} TokCharRange;

typedef struct {
    uint32_t from, to;
} TokCharPair;

typedef struct {
    uint32_t from;
    uint32_t to[TOK_CHAR_STRIP_MAX]; /* zeros behind the last */
} TokCharSeveral;

typedef struct {
    uint32_t first, last, step;
    int32_t delta;
} TokCharLower;

extern const TokChar tok_char_classes[];                               /* by letter - 'A' */
extern const uint8_t tok_char_index[TOK_CHAR_PLANES / TOK_CHAR_BLOCK]; /* block of each 128 code points */
extern const char tok_char_blocks[][TOK_CHAR_BLOCK + 1];               /* letters of classes */
extern const TokCharRange tok_char_high[];                             /* from TOK_CHAR_PLANES up, without gaps */
extern const size_t tok_char_high_count;
extern const TokCharPair tok_char_strip_one[]; /* sorted */
extern const size_t tok_char_strip_one_count;
extern const TokCharSeveral tok_char_strip_several[]; /* sorted */
extern const size_t tok_char_strip_several_count;
extern const TokCharLower tok_char_lower_ranges[]; /* sorted */
extern const size_t tok_char_lower_count;

#endif
