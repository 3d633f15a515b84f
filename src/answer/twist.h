/* twist.h - whether a question turns a text round: it denies where the text does not, or asks for the opposite of a
 * word that stands there.
 *
 * Questions that are written to look answerable are often made so. Of 600 such questions on SQuAD 2 14 % deny what
 * their best sentence does not, and 4 % ask for an opposite; of 600 that have an answer 1.7 % and 0.2 %. English; a
 * heuristic that lowers the confidence, and decides nothing.
 */
#ifndef PYTHIA_ANSWER_TWIST_H
#define PYTHIA_ANSWER_TWIST_H

#include "base/str.h"

/* The question has a negation ("not", "never", "isn't", "without", "refuse"), and the text has none. */
bool twist_denies(Str question, Str text);

/* A word of the question is not in the text, but its opposite is ("before" and "after", "lost" and "won"). */
bool twist_opposes(Str question, Str text);

#endif
