/* eval_answers.h - how well questions are answered, on sets of SQuAD 2's kind: questions with their answers, and others
 * that have none.
 *
 * An answer is what `pythia ask` gives at any confidence. exact match and F1 are SQuAD's own (lower case, no
 * punctuation, no articles; the best of a question's answers), of the first quote, which is a sentence: a low exact
 * match is no fault. `holds` is how often the quotes have an answer in them. `auroc` says how well the confidence parts
 * the two kinds of questions.
 */
#ifndef PYTHIA_ENGINE_EVAL_ANSWERS_H
#define PYTHIA_ENGINE_EVAL_ANSWERS_H

#include "search/search.h"

typedef struct {
    Str question;
    const Str *answers; /* [n] */
    size_t n;
    bool impossible; /* nothing in the corpus answers it */
} EvalQuestion;

typedef struct {
    int64_t answerable, impossible; /* questions asked */
    double exact_match, f1, holds;  /* of the answerable */
    double auroc;                   /* 0.5: no better than chance, also when one kind is missing */
    double citation_precision;      /* share of quotes that stand in their sources word for word */
    double p50_ms;                  /* of a question, search and answer */
} EvalAnswers;

/* Asks all [n]. rq: mode, fusion, weights, deadline of the search; the rest is as `ask` has it. */
MUST_USE Err eval_answers(Arena *a, const SearchSource *source, const SearchRequest *rq, const EvalQuestion *questions,
                          size_t n, EvalAnswers *out);

/* 2 precision recall / (precision + recall) of the words that two texts share; *exact: they are the same. */
double eval_f1(Str answer, Str truth, bool *exact);
/* Does the text have the truth in it, word for word, as F1 sees them? */
bool eval_holds(Str text, Str truth);

#endif
