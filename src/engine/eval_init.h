/* eval_init.h - private to pythia_eval_init: a collection read into memory, and the queries that are made of it
 * (eval_queries.c).
 *
 * Each query has a text that it was made of. Nothing proves less than finding a text by itself, so
 *  - what a query was made of is left out of the corpus: the definition's whole comment, the section's heading;
 *  - one that stands anywhere else word for word is no query, nor one that two things gave, nor one that names what it
 *    is to find;
 *  - the rest of the corpus stays as the collection is: others keep their comments and headings, and compete.
 * Which of all that could be asked are asked is told by the hash of seed and text: the same collection and seed give
 * the same set, and a collection that changed a little nearly the same.
 */
#ifndef PYTHIA_ENGINE_EVAL_INIT_H
#define PYTHIA_ENGINE_EVAL_INIT_H

#include "base/map.h"
#include "engine/engine.h"

typedef struct {
    int64_t id;
    Str path, uri, lang, text; /* as it is, and as it was indexed */
    StoreChunk *chunks;        /* [n] */
    size_t n;
} InitDoc;

/* What a query is to find: the chunks that touch [from, to) of a document, first of all the one that holds `at`; -1:
 * all alike. */
typedef struct {
    size_t doc;
    int64_t from, to, at;
} InitTarget;

typedef struct {
    EvalQueryKind kind;
    Str text;
    InitTarget *targets; /* [n] the first one is where it comes from, but for commits */
    size_t n;
    size_t doc;             /* whose bytes [cut, cut_end) it was made of; equal: none */
    int64_t cut, cut_end;   /* left out of the corpus when it is chosen */
    Str heading;            /* chunks under it have no heading then; "" */
    uint64_t order;         /* the lowest are chosen */
    bool elsewhere, chosen; /* elsewhere: it stands in another place, too, or something else gave it */
} InitQuery;

typedef struct {
    Pythia *p;
    Arena *a;
    const EvalInitRequest *rq;
    EvalInitReport *out;
    Store *store;
    StoreCollection c;
    InitDoc *docs; /* [n_docs] by path */
    size_t n_docs, cap_docs;
    Map by_path;        /* of docs: their number */
    InitQuery *queries; /* [n_queries] all that could be asked */
    size_t n_queries, cap_queries;
    int64_t start_ns;
} EvalInit;

/* All that could be asked of the documents, of the kinds that are wanted; those that stand elsewhere are marked. */
MUST_USE Err eval_queries_find(EvalInit *e);

#endif
