/* query.h - what a question asks of each arm. The operators of the manual (-word lang: path: …) will be parsed here.
 */
#ifndef PYTHIA_SEARCH_QUERY_H
#define PYTHIA_SEARCH_QUERY_H

#include "base/arena.h"
#include "base/err.h"

#define QUERY_MAX (16 * 1024) /* bytes: several times what any embedding model reads */

typedef struct {
    Str words;       /* for the lexical arm: "quoted phrases" stand as they are */
    Str meaning;     /* for the embedding: the same without the quotes, which mean nothing to a model */
    bool has_phrase; /* some phrase is quoted: hits must hold it, so words decide what is a hit */
} Query;

/* ERR_USAGE for a blank query, ERR_LIMIT above QUERY_MAX. */
MUST_USE Err query_parse(Arena *a, Str text, Query *out);

#endif
