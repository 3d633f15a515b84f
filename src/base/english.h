/* english.h - words of English that say nothing of what a question is about. */
#ifndef PYTHIA_BASE_ENGLISH_H
#define PYTHIA_BASE_ENGLISH_H

#include "base/str.h"

/* A word that makes a sentence a question ("how", "which", "does"), or stands everywhere ("the", "of"), in any case. */
bool english_only_asks(Str word);

#endif
