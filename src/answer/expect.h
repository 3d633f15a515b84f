/* expect.h - what kind of thing a question asks for, and whether a text has one that the question did not bring along.
 *
 * "When", "how many", "what year" ask for a number; "who", "whose", "where" for a name. Of other questions nothing is expected.
 * English; a heuristic that only moves the confidence, never decides.
 */
#ifndef PYTHIA_ANSWER_EXPECT_H
#define PYTHIA_ANSWER_EXPECT_H

#include "base/str.h"

typedef enum { EXPECT_ANYTHING, EXPECT_NUMBER, EXPECT_NAME } Expected;

Expected expect_of(Str question);

/* 1: the text has such a thing that the question has not; 0: it has none; 0.5: nothing is expected. */
float expect_met(Expected expected, Str question, Str text);

#endif
