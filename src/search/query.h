/* query.h - what a question asks of each arm, and what it is narrowed to. The same for every door.
 *
 *     "a phrase"            stands there word for word
 *     +word  +"a phrase"    must stand there          -word  -"a phrase"    must not
 *     lang:c  kind:function  path:src/net  file:*.test.js  sym:Backoff.next  in:docs    narrow; with a '-' before them: not these
 *     date>=2026-11  date<2w  date:2026-11-21            of the document's last change, as it says itself or else its file's
 *     author:berg  meta:keywords=tides                   what the document says of itself (base/meta.h)
 *
 * A value with blanks is quoted: path:"my notes". Several values of one name are alternatives, several names must all
 * fit. Everything else is text, so a question pasted from an error message or a program means what it says:
 * "std::sort", "C: drive", "a - b" and "--force" hold no operators, nor does a quote without its partner.
 */
#ifndef PYTHIA_SEARCH_QUERY_H
#define PYTHIA_SEARCH_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"

#define QUERY_MAX       (16 * 1024) /* bytes: several times what any embedding model reads */
#define QUERY_NARROWING 64          /* operators that narrow, at most */
#define QUERY_NAMES     4           /* identifiers that are looked up */

typedef struct {
    Str words;     /* for the lexical arm: "phrases", +words and -words stand as they are */
    Str meaning;   /* for the embedding: without what must not be there, and without quotes, which say nothing to it */
    bool strict;   /* words decide what is a hit: there is a phrase, a +word or a -word */
    Filter narrow; /* what is asked for by lang:, kind:, path:, file:, sym:, author:, meta:, date */
    const Str *in; /* [n_in] collections */
    size_t n_in;
    const Str *names; /* [n_names] identifiers in it, as they are written, that may be the name of a definition */
    size_t n_names;
} Query;

/* Reads the operators. now_ms: what "2w" is counted from. ERR_USAGE for a blank query, one of operators alone (sym:
 * says what to look for itself), a date or an empty value that cannot be read, more than QUERY_NARROWING; ERR_LIMIT
 * above QUERY_MAX. */
MUST_USE Err query_parse(Arena *a, Str text, int64_t now_ms, Query *out);

/* The same for text that is not typed by somebody who knows of operators: only "phrases" count. */
MUST_USE Err query_plain(Arena *a, Str text, Query *out);

#endif
