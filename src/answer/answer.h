/* answer.h - from a question and the hits found for it to an answer that proves itself, or to none.
 *
 *     hits ──spans──▶ sentences and blocks ──▶ the best of them, quoted word for word, each with the source it stands in
 *                                          └─▶ confidence: does any source hold the answer at all?
 *
 * Abstaining. An answer is given when the confidence reaches a threshold. It is the probability, by a logistic over
 * what is known of the best sources, that one of them answers: the share of the question's words that they hold, by
 * idf; the greatest cosine; the best sentence's own share and cosine, how it holds the question token by token, how far
 * it stands out, the question's numbers and names that it lacks, and whether the question turns it round. Weights and
 * how they were fitted: gate.c.
 *
 * Proof. Citations are bytes of hits that were checked against their live files; answer_check looks again.
 *
 * Threads: one answer uses its sources' analyser and cache alone.
 */
#ifndef PYTHIA_ANSWER_ANSWER_H
#define PYTHIA_ANSWER_ANSWER_H

#include "search/search.h"

enum { ANSWER_QUOTES_MAX = 8 };

typedef struct {
    Str question; /* what is asked, without operators (Query.meaning) */
    const SearchSource *sources;
    size_t n_sources;
    const SearchHit *hits; /* [n_hits] best first, with their contents */
    size_t n_hits;
    size_t quotes;   /* at most; 0: 3 */
    float threshold; /* 0..1: abstain below */
    const Deadline *deadline;
} AnswerRequest;

typedef struct {
    size_t hit;                   /* which one's content it is in */
    size_t source;                /* its number in the text, from 1 in order of citing */
    size_t start, end;            /* bytes of that content */
    int32_t start_line, end_line; /* of the document */
    Str quote;
    float score; /* how well it answers, 0..1; comparable within an answer */
} Citation;

/* What the confidence was made of. */
typedef struct {
    float share;      /* of the question's words, by idf, in the best source */
    float cosine;     /* of the nearest source */
    float span_share; /* of the best quote */
    float span_cosine;
    float expected; /* it has what the question asks for (expect.h) */
    float margin;   /* by which its score is above the mean of those behind it */
    float denied;   /* 1: the question denies what it does not (twist.h); 0 */
    float opposed;  /* 1: the question asks for the opposite of a word in it; 0 */
    bool compared;  /* token by token; else `held` means nothing */
    float held;     /* of the question's tokens by the best quote (model_match) */
    float lead;    /* by which its hit ranks above its own score: how near its words come to the best of all by words */
    float gap;     /* by which its score is above the next one's */
    float numbers; /* of the question's numbers, how many it has not (expect.h) */
    float names;   /* of its numbers and names, how many its hit has not */
} AnswerEvidence;

typedef struct {
    bool abstained;
    float confidence; /* 0..1 */
    AnswerEvidence evidence;
    Citation *citations; /* [n] best first; filled when abstained, too: the nearest miss */
    size_t n;
    size_t *cited; /* [n_cited] hits by source number */
    size_t n_cited;
    size_t
        *order; /* [n_hits] the request's hits, first those that answer best, going by them and their best sentences */
    Str text;   /* the quotes, each with its source's number "[1]" behind it; empty when abstained */
    bool deadline_hit; /* sentences were judged by their words alone */
    double ms;
} Answer;

/* Answers by quoting. Without hits it abstains with confidence 0. Cost: a vector for each of some forty sentences.
 * Errors: those of the model; a deadline is none. */
MUST_USE Err answer_extract(Arena *a, const AnswerRequest *rq, Answer *out);

/* The probability that the sources answer, from the evidence. */
float answer_confidence(const AnswerEvidence *e);

/* Does every citation stand where it says, word for word? */
bool answer_check(const Answer *answer, const SearchHit *hits, size_t n_hits);

#endif
