/* hits.h - printing hits: for eyes, for pipes, for editors, for programs. */
#ifndef PYTHIA_CLI_HITS_H
#define PYTHIA_CLI_HITS_H

#include "cli/cli.h"

typedef enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_MD, FORMAT_FILES, FORMAT_VIMGREP } HitFormat;

typedef struct {
    HitFormat format;
    bool pretty; /* text for eyes instead of one line a hit */
    bool full;   /* the whole hit, not an excerpt */
    bool explain;
    bool null;             /* files: raw paths that end in NUL */
    bool several;          /* hits of more than one collection: tell which */
    int32_t before, after; /* lines around the best line; -1: not asked for */
    size_t budget;         /* bytes of output; 0: no limit */
    const char *mode;      /* "hybrid"…, for explaining; with it: */
    const char *fusion;    /* "convex" or "rrf" */
    double alpha;
    double weight; /* of a reranker's relevance */
} HitView;

/* Words of a query that are worth marking in a hit: lower case, cut to a stem, in the arena. */
typedef struct {
    Str stem;
} QueryWord;
typedef struct {
    QueryWord *words;
    size_t n;
} QueryWords;
MUST_USE Err query_words(Arena *a, Str query, QueryWords *out);
/* Bytes at `at` that are one of the words (a MatchFn; ctx is QueryWords). */
size_t query_word_match(const void *ctx, Str line, size_t at);

/* Writes the reply's hits to cli->out; *shown is how many fitted into the budget. JSON is the whole envelope. */
MUST_USE Err hits_print(Cli *cli, const HitView *view, const PythiaReply *reply, size_t *shown);

/* The absolute path of a file:// URI; NULL for any other. */
const char *uri_file(Arena *a, Str uri);
/* What a user calls the file: relative to the working folder when it lies in it, else absolute; path when the URI is no
 * file's. */
Str path_shown(Cli *cli, Str path, Str uri);

/* Numbered lines for eyes, "   42 │ text"; width 0 cuts nothing. */
void numbered_lines(Buf *b, const Term *t, Str content, int32_t first_line, const QueryWords *words);

#endif
