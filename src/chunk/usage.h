/* usage.h - the shape of a use of a name: what stands around it and what it is called with, with all that differs from
 * use to use taken out, so that uses that are alike have the same shape.
 *
 *     if (!backoff_next(&retry->wait, clock_now()))   is   if (!backoff_next(&_, clock_now(…)))
 *     int n = push_item(things[0], "a", 3);           is   _ = push_item(_, "…", 0)
 *
 * Variables, with what they are members of, become "_", texts "…", numbers 0; keywords, constants in capitals and the
 * names of calls stay. Judged by characters alone, in any language whose calls have parentheses: a tree of each file
 * would cost a thousand times more.
 */
#ifndef PYTHIA_CHUNK_USAGE_H
#define PYTHIA_CHUNK_USAGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
    USAGE_BYTES_MAX = 4096, /* of a call's arguments that are looked at */
    USAGE_SHAPE_MAX = 200,  /* bytes of a shape */
    USAGE_ARGS_NONE = -1,   /* it is named, not called */
};

typedef struct {
    Str shape; /* in the arena */
    int args;  /* of the call, or USAGE_ARGS_NONE */
} Usage;

/* Of the name text[at, at + n). Cost: linear in the line and the arguments. Whatever the bytes. ERR_NOMEM. */
MUST_USE Err usage_of(Arena *a, Str text, size_t at, size_t n, Usage *out);

/* What a signature asks for: "static int next(struct backoff *b, int now)" is the name "next" with 2 arguments, "next"
 * alone with any (USAGE_ARGS_NONE), as is one with "..." in it. Python's self, Rust's &self and C's void are no
 * arguments. */
void usage_wanted(Str signature, Str *name, int *args);

#endif
