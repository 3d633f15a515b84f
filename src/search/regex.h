/* regex.h - search by a regular expression (mode regex): chunks whose text, as their files are now, has a match.
 *
 * Expressions are PCRE2's: Unicode, '^' and '$' at lines, "(?i)" for any case. A match lies within one chunk and is not
 * empty. Nothing is indexed for this: every file that the filter lets pass is read.
 *
 * Hostile expressions are bounded: what takes more than REGEX_STEPS_MAX steps at one chunk is ERR_LIMIT, a deadline
 * ends the rest.
 */
#ifndef PYTHIA_SEARCH_REGEX_H
#define PYTHIA_SEARCH_REGEX_H

#include "search/search.h"

enum { REGEX_BYTES_MAX = 4096, REGEX_STEPS_MAX = 1000000 };

/* search() with MODE_REGEX. A hit is its chunk's lines from the first match to that match's end, its score 1 (less its
 * document's prior); those of ordinary documents first, then in order of documents and lines; `total` counts all unless
 * a deadline came. ERR_USAGE: not an expression, with what is wrong and where; ERR_LIMIT. Cost: reading, and some 500
 * MB/s. */
MUST_USE Err search_regex(Arena *a, const SearchSource *sources, size_t n_sources, const SearchRequest *rq, Str pattern,
                          SearchReply *out);

#endif
