/* lex_open.c - which of a folder's segments hold the committed documents.
 *
 * Segments of a generation lie inside of each other or apart, never across: one is written behind all others, and a
 * merge joins whole neighbours. So from each document on, the longest segment that ends at or before the committed
 * count is the one to take: those inside of it are what a merge has left over. When none ends in time, a merge has gone
 * past the count that this reader was told (the store has moved on since): then the shortest is taken, and what is
 * behind the count is not shown. A segment that a crash left uncommitted begins at or behind the count, so nobody comes
 * to it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/lex_view.h"

enum { LOAD_TRIES = 8 /* a merge may remove files between the listing and their opening */ };

typedef struct {
    uint32_t first, end;
} Span;

typedef struct {
    Span *spans;
    size_t n, cap;
} Spans;

/* The documents of a segment's file name; false for other files and other generations. */
static bool name_read(const char *name, uint64_t generation, Span *out) {
    unsigned long long g = 0;
    char again[64];
    if (sscanf(name, "lex-%llu-%8x-%8x.seg", &g, &out->first, &out->end) != 3 || g != generation) return false;
    (void)snprintf(again, sizeof again, "lex-%llu-%08x-%08x.seg", g, out->first, out->end);
    return strcmp(again, name) == 0 && out->first < out->end;
}

/* Calls each for the entries of the folder; a missing one has none. */
static Err names_each(const char *dir, Err (*each)(void *ctx, const char *name), void *ctx) {
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT) return ERR_OK;
    if (!d) return err_set(ERR_IO, "cannot read the folder '%s': %s", dir, strerror(errno));
    Err err = ERR_OK;
    for (struct dirent *e; !err && (e = readdir(d));) err = each(ctx, e->d_name);
    (void)closedir(d);
    return err;
}

typedef struct {
    uint64_t generation;
    Spans *spans;
} Listing;

static Err span_note(void *ctx, const char *name) {
    const Listing *l = ctx;
    Spans *s = l->spans;
    Span span;
    if (!name_read(name, l->generation, &span)) return ERR_OK;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 64;
        Span *more = realloc(s->spans, cap * sizeof *more);
        if (!more) return err_set(ERR_NOMEM, "out of memory for the segments of an index");
        s->spans = more;
        s->cap = cap;
    }
    s->spans[s->n++] = span;
    return ERR_OK;
}

/* The segment to take from document `at` on; NULL when there is none. */
static const Span *span_from(const Spans *s, uint32_t at, uint32_t committed) {
    const Span *within = NULL, *past = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const Span *x = &s->spans[i];
        if (x->first != at) continue;
        if (x->end <= committed && (!within || x->end > within->end)) within = x;
        if (x->end > committed && (!past || x->end < past->end)) past = x;
    }
    return within ? within : past;
}

static Err segs_open(const LexIndex *ix, const Spans *s, uint32_t committed, LexSeg **segs, size_t *n) {
    uint32_t at = 0;
    while (at < committed) {
        const Span *span = span_from(s, at, committed);
        if (!span)
            return err_fix(err_set(ERR_NO_INDEX,
                                   "the index in '%s' has no segment from document %u on, its store counts %u", ix->dir,
                                   at, committed),
                           INDEX_FILE_FIX);
        TRY(seg_open(ix->dir, ix->generation, span->first, span->end, &segs[*n]));
        (*n)++;
        at = span->end;
    }
    if (ix->writer && at > committed)
        return err_fix(
            err_set(ERR_CORRUPT, "the index in '%s' has %u documents, its store counts %u", ix->dir, at, committed),
            INDEX_FILE_FIX);
    return ERR_OK;
}

static Err load_once(const LexIndex *ix, uint32_t committed, LexView **out) {
    Spans spans = {0};
    Listing listing = {ix->generation, &spans};
    LexSeg **segs = NULL;
    size_t n = 0;
    Err err = names_each(ix->dir, span_note, &listing);
    if (!err) {
        segs = calloc(spans.n + 1, sizeof *segs);
        if (!segs) err = err_set(ERR_NOMEM, "out of memory for the segments of an index");
    }
    if (!err) err = segs_open(ix, &spans, committed, segs, &n);
    if (!err) err = lex_view_new(segs, n, committed, out);
    for (size_t i = 0; i < n; i++) seg_drop(segs[i]);
    free(segs);
    free(spans.spans);
    return err;
}

/* ---- what is left over ---- */

typedef struct {
    const LexView *view; /* keeps its segments; NULL: everything of the generation goes */
    const char *dir;
    uint64_t generation;
} Sweep;

static Err sweep_one(void *ctx, const char *name) {
    const Sweep *s = ctx;
    char prefix[48], path[1024 + 300];
    Span span;
    const int n = snprintf(prefix, sizeof prefix, "lex-%llu-", (unsigned long long)s->generation);
    if (n < 0 || strncmp(name, prefix, (size_t)n) != 0) return ERR_OK;
    for (size_t i = 0; s->view && i < s->view->n && name_read(name, s->generation, &span); i++)
        if (s->view->segs[i]->first == span.first && s->view->segs[i]->first + s->view->segs[i]->docs == span.end)
            return ERR_OK;
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    return file_remove(path);
}

Err lex_load(LexIndex *ix, uint32_t committed) {
    Err err = ERR_OK;
    for (int i = 0; i < LOAD_TRIES; i++) {
        err = load_once(ix, committed, &ix->view);
        /* A name that is listed and gone when opened is a merge's doing; the folder is read again. */
        if (ix->writer || (err != ERR_NO_INDEX && err != ERR_IO)) break;
    }
    if (err || !ix->writer) return err;
    Sweep sweep = {ix->view, ix->dir, ix->generation};
    return names_each(ix->dir, sweep_one, &sweep);
}

Err lex_drop(const char *dir, uint64_t generation) {
    Sweep sweep = {NULL, dir, generation};
    return names_each(dir, sweep_one, &sweep);
}
