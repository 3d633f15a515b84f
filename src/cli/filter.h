/* filter.h - what the commands of the engine as a Unix filter share: JSON lines in, JSON lines out.
 *
 * Lines are taken in batches of what is there already, at most FILTER_BATCH, so that a file streams at full speed and a
 * program that waits for each answer gets it. A bad line is an item like any other, with its problem, and gives
 * {"error"}.
 *
 * Threads: one. Memory: an item lives in the batch's arena, which the next batch reuses.
 */
#ifndef PYTHIA_CLI_FILTER_H
#define PYTHIA_CLI_FILTER_H

#include "cli/cli.h"

enum { FILTER_BATCH = 64 };

/* One line of input. */
typedef struct {
    Str id; /* JSON text of the id, "" none */
    Str text;
    Str query;      /* what the line asks, where lines carry queries */
    bool is_query;  /* its kind */
    int64_t number; /* of its line; 0: no line */
    bool bad;       /* set by the batch too, with its problem: item_refuse */
    Str problem;
} Item;

typedef struct {
    const char *kind; /* of lines that do not tell one: "query" or "document"; NULL: lines have no kind */
    bool queries;     /* each line has a query of its own */
    Err (*batch)(Cli *cli, void *ctx, Arena *a, Item *items, size_t n);
    void *ctx;
    bool hold; /* nothing is written before the end: batch gathers */
} LineFilter;

/* The error just set is this item's: it is told, and the stream goes on. */
MUST_USE Err item_refuse(Cli *cli, Arena *a, Item *item);

/* Reads stdin to its end. ERR_PARTIAL when lines were bad; the batch's own error ends the stream. */
MUST_USE Err filter_run(Cli *cli, const LineFilter *filter);

/* No words are left of the arguments, or the one is "-". ERR_USAGE when that would wait for a person to type: stdin is
 * a terminal and "-" was not said. */
MUST_USE Err filter_wanted(const Cli *cli, const Str *words, size_t n, bool *stream);

/* {"id": …, open: the members follow. */
void item_begin(JsonOut *j, const Item *item);
/* The members of a bad line: "error". */
void item_error(JsonOut *j, const Item *item);

#endif
