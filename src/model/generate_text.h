/* generate_text.h - from the bytes of tokens to text that can be shown: whole characters only, and nothing of a stop
 * string.
 *
 * A token may end in the middle of a character, and a stop string may begin in any of them: what could still become
 * either is held back until it is decided. */
#ifndef PYTHIA_MODEL_GENERATE_TEXT_H
#define PYTHIA_MODEL_GENERATE_TEXT_H

#include "base/str.h"

enum { STOPS_MAX = 16, STOP_BYTES_MAX = 256 };

typedef struct {
    const Str *stops; /* [n_stops] */
    size_t n_stops;
    Buf held;       /* not decided yet */
    Buf ready;      /* to be shown; the taker clears it */
    ptrdiff_t stop; /* which stop string came, -1: none */
} GenerateText;

/* Stops are borrowed. ERR_USAGE: too many, an empty or a too long one. */
MUST_USE Err generate_text_open(GenerateText *t, const Str *stops, size_t n_stops);
void generate_text_free(GenerateText *t);

/* The bytes of a token. Ill-formed ones become U+FFFD. Nothing more may come once t->stop is set. */
MUST_USE Err generate_text_add(GenerateText *t, Str bytes);

/* No more tokens come: what was held is ready, a broken character as U+FFFD. */
MUST_USE Err generate_text_end(GenerateText *t);

#endif
