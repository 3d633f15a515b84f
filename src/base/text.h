/* text.h - what a file's bytes mean as text. One place, because spans of a document are offsets into this text: who
 * cuts, who embeds and who shows must see the same bytes. */
#ifndef PYTHIA_BASE_TEXT_H
#define PYTHIA_BASE_TEXT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A byte-order mark decides: that of UTF-8 is dropped; UTF-16 and UTF-32 are converted to UTF-8, where lone surrogates,
 * values above U+10FFFF and a rest at the end become U+FFFD. Without a mark, *out is bytes itself, well-formed or not.
 * Cost: nothing, or one copy in the arena. Errors: ERR_NOMEM, ERR_LIMIT. */
MUST_USE Err text_decode(Arena *a, Str bytes, Str *out);

#endif
