/* evidence.h - how much of a question a text holds, going by its words.
 *
 * The question's terms, each as rare as it is in the collections that were searched: idf as BM25F has it (index/lex.h).
 * Words that only ask ("what", "how many", "does") are no terms: no answer holds them.
 *
 * Threads: one; it uses the sources' analyser.
 */
#ifndef PYTHIA_SEARCH_EVIDENCE_H
#define PYTHIA_SEARCH_EVIDENCE_H

#include "search/search.h"

enum { EVIDENCE_TERMS = 64 }; /* of a question that are looked at */

typedef struct {
    Str term;
    float idf;
} EvidenceTerm;

typedef struct {
    Analyzer *analyzer; /* NULL: no source has one; nothing is held by any text */
    EvidenceTerm terms[EVIDENCE_TERMS];
    size_t n;
    float idf; /* of all terms together */
} Evidence;

/* Terms are in the arena; without a lexical index they count alike. Cost: a look-up a term, source and segment. */
MUST_USE Err evidence_open(Evidence *e, Arena *a, const SearchSource *sources, size_t n, Str question);

/* The share of the question's terms that stand in the text, each counted by its idf: 0..1; 0 for a question without
 * terms. */
float evidence_share(const Evidence *e, Str text);

#endif
