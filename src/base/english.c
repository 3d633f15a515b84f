/* english.c - see english.h. */
#include "base/english.h"

bool english_only_asks(Str word) {
    static const char *const words[] = {
        "a",     "about", "an",    "and",  "any",  "are",  "at",    "be",  "by",     "can",  "could", "did",   "do",
        "does",  "for",   "from",  "had",  "has",  "have", "how",   "i",   "if",     "in",   "is",    "it",    "its",
        "many",  "me",    "much",  "my",   "of",   "on",   "or",    "our", "should", "so",   "tell",  "that",  "the",
        "their", "them",  "there", "they", "this", "to",   "was",   "we",  "were",   "what", "when",  "where", "which",
        "who",   "whom",  "whose", "why",  "will", "with", "would", "you", "your"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(word, str_of(words[i]))) return true;
    return false;
}
