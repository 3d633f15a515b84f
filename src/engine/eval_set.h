/* eval_set.h - an evaluation set read from its folder, in BEIR's layout: corpus.jsonl {id, title, text}, queries.jsonl
 * {id, text}, qrels.tsv (query, document, grade; with or without header).
 *
 * A document may say more of itself, as `eval init` writes it: path, lang, symbol, names, heading; a query what it was
 * made of (kind), and what answers it (answers, is_impossible). A title that is a path of source code is one; else it
 * stands before the text.
 */
#ifndef PYTHIA_ENGINE_EVAL_SET_H
#define PYTHIA_ENGINE_EVAL_SET_H

#include "base/arena.h"
#include "base/hash.h"

typedef struct {
    Str id, text;
    Str path, symbol, names, heading, lang; /* "", and lang "text" of prose */
    Str kind;                               /* of a query; "" */
    const Str *answers;                     /* [n_answers] of a question; NULL: it comes without */
    size_t n_answers;
    bool impossible;
} EvalText;

typedef struct {
    Str query; /* id */
    Str doc;
    int grade; /* above 0 */
} Qrel;

typedef struct {
    EvalText *docs, *queries; /* [n_docs], [n_queries] in the files' order */
    size_t n_docs, n_queries;
    Qrel *qrels; /* [n_qrels] by query, then document */
    size_t n_qrels;
    Sha256 corpus; /* of corpus.jsonl */
} EvalSet;

/* ERR_INPUT names file and line at fault; ERR_IO: a file that is not there. */
MUST_USE Err eval_set_read(Arena *a, const char *dir, EvalSet *out);

/* The relevant documents of a query: [*n]. */
const Qrel *eval_set_qrels(const EvalSet *set, Str query, size_t *n);

#endif
