/* docstring.h - what the comment of a definition says: the comment before it, or Python's string behind its head,
 * without the marks that make it one.
 *
 * Judged by lines, of languages whose comments begin with / * # - or ; a heuristic for asking questions of a collection
 * (engine/ eval_init.c), where a comment that is missed costs nothing.
 */
#ifndef PYTHIA_CHUNK_DOCSTRING_H
#define PYTHIA_CHUNK_DOCSTRING_H

#include "base/arena.h"
#include "base/types.h"

typedef struct {
    int64_t start, end; /* bytes [start, end) of the text: whole lines, all that the comment is made of */
    Str said; /* its first paragraph on one line, in the arena; it ends before "@param", ":param", "Args:" and the like */
} Docstring;

/* symbol: a definition in text, as chunk_doc tells them; spans that leave the text have no comment. *found false: there
 * is none. Cost: linear in the comment. ERR_NOMEM. */
MUST_USE Err docstring_of(Arena *a, Str text, Str lang, const Symbol *symbol, bool *found, Docstring *out);

#endif
