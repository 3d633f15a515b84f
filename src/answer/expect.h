/* expect.h - what kind of thing a question asks for, and whether a text has one that the question did not bring along.
 *
 * "When", "how many", "what year" ask for a number; "who", "whose", "where" for a name. Of other questions nothing is
 * expected. English; a heuristic that only moves the confidence, never decides.
 */
#ifndef PYTHIA_ANSWER_EXPECT_H
#define PYTHIA_ANSWER_EXPECT_H

#include "base/str.h"

typedef enum { EXPECT_ANYTHING, EXPECT_NUMBER, EXPECT_NAME } Expected;

Expected expect_of(Str question);

/* 1: the text has such a thing that the question has not; 0: it has none; 0.5: nothing is expected. */
float expect_met(Expected expected, Str question, Str text);

/* How many of the question's words that name something the text has not: those with a digit in them, each once, at most
 * 3. names: those with a capital too, but for the question's first word. */
typedef enum { NAMING_NUMBERS, NAMING_ALL } Naming;
float expect_lacks(Naming naming, Str question, Str text);

#endif
