/* cite.h - does what a writer wrote stand in the sources? Sentence by sentence, as they come.
 *
 * A sentence stays when one source, or those it cites together, have
 *  1. every identifier and name in it, everything between quotation marks or backticks word for word, and every number
 *     where the source speaks of the same: in a sentence with CITE_NEAR of its words, or beside the nearest one;
 *  2. CITE_SHARE of its other words by idf, stems counting as words, and CITE_NEAR of all within three sentences of one
 *     source, since any page has most words somewhere;
 *  3. a negation near, where it has one, and none where it has not and the words around are the same.
 * A block of code stays when each of its lines stands in one source.
 *
 * Sources that the sentence cites are tried first. When they do not hold it, or it cites none, or one that is not
 * there, the others are tried one by one: a small model miscounts more often than it invents. Numbers behind a sentence
 * that stays are ours: of sources in which a sentence was found that supports it, so that every citation is valid, and
 * quotes it.
 *
 * This proves wording, not meaning: "A beats B" passes for "B beats A". What it rules out is what writers do most:
 * facts, figures and names from elsewhere.
 *
 * Threads: one; it uses the sources' analyser.
 */
#ifndef PYTHIA_ANSWER_CITE_H
#define PYTHIA_ANSWER_CITE_H

#include "answer/answer.h"
#include "answer/spans.h"

enum { CITE_SOURCES = 8 }; /* of one sentence at most */

typedef struct {
    Str text;    /* of hit->content */
    Span *spans; /* [n] */
    size_t n;
} CiteSource;

typedef struct {
    Arena *a;
    const SearchSource *searched; /* [n_searched] */
    size_t n_searched;
    const SearchHit *hits; /* [n] by number of their source, from 1 */
    CiteSource *sources;   /* [n] */
    size_t n;
} Citing;

MUST_USE Err citing_open(Citing *c, Arena *a, const SearchSource *searched, size_t n_searched, const SearchHit *hits,
                         size_t n);

typedef struct {
    bool holds;
    const char *why; /* when it does not: "numbers or names that are in no source" */
    Str text;        /* when it does: the sentence with its sources' numbers behind it, and no others */
    Citation citations[CITE_SOURCES];
    size_t n;
} Cited;

/* sentence: one that cite_cut gave. Strings live in the arena. Cost: some 0.1 ms a source. */
MUST_USE Err cite_check(const Citing *c, Str sentence, Cited *out);

/* Bytes of the first sentence of a text that is still being written: up to its end, with the "[1]" behind it and its
 * line break; a block of code from fence to fence. 0: it is not whole yet, so give more. ended: there is no more. */
size_t cite_cut(Str text, bool ended);

#endif
