/* claims.h - what in a sentence cannot be said in other words: numbers, identifiers, names, quotations, negations.
 *
 * Heuristics of English and code; they only ever take a sentence out.
 */
#ifndef PYTHIA_ANSWER_CLAIMS_H
#define PYTHIA_ANSWER_CLAIMS_H

#include "base/str.h"

enum { CLAIM_MARKS = 8, CLAIM_MARK_BYTES = 64 };

/* "[1]", "[1, 2]", "[1-3]", "[source 2]" at the start of text: its bytes, with the numbers in it, CLAIM_MARKS at most;
 * 0: there is none. */
size_t claim_mark(Str text, size_t numbers[CLAIM_MARKS], size_t *n);

/* NULL: the text has every identifier, name and quotation of the sentence, and `near`, what in it speaks of the same,
 * every number; else what is missing, in words. */
const char *claim_missing(Str sentence, Str text, Str near);

/* Says that something is not. */
bool claim_negates(Str sentence);

/* The words of a sentence that do not negate: those without digits, for which others may stand; or those with, a blank
 * behind each. */
void claim_rest(Str sentence, bool numbers, Buf *out);

/* Where a line stands in the text, blanks at its ends aside; -1: nowhere. */
ptrdiff_t claim_line(Str text, Str line);

#endif
