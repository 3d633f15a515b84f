/* vec.c - the face of the vector kinds: the table, and the checks that are the same for all of them. */
#include "index/vec.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "index/vec_kind.h"
#include "kern/kern.h"

/* A kind is one file and one line. */
static const VecKind *const vec_kinds[] = {
    &flat_kind,    /* codes in partitions, int8 rows */
    &ivfpq_kind,   /* product codes in partitions, int8 rows */
    &hnsw_kind,    /* a graph, int8 rows */
    &compact_kind, /* codes alone, rows computed anew */
    &exact_kind,   /* f32, every row compared */
};
#define N_KINDS (sizeof vec_kinds / sizeof vec_kinds[0])

static const char *kind_names[N_KINDS + 1];
static pthread_once_t names_once = PTHREAD_ONCE_INIT; /* guards the writing of kind_names */

static void names_fill(void) {
    for (size_t i = 0; i < N_KINDS; i++) kind_names[i] = vec_kinds[i]->name;
}

const char *const *vec_kind_names(void) {
    (void)pthread_once(&names_once, names_fill);
    return kind_names;
}

Err vec_kind_unknown(const char *kind) {
    Buf names = {0};
    for (size_t i = 0; i < N_KINDS; i++) buf_printf(&names, "%s'%s'", i ? ", " : "", vec_kinds[i]->name);
    Err err = err_set(ERR_UNSUPPORTED, "no index kind '%s'; there is %s", kind ? kind : "", names.p ? names.p : "none");
    buf_free(&names);
    return err_fix(err, "pythia config set index.kind %s", vec_kinds[0]->name);
}

Err vec_open(VecIndex **out, const VecSpec *spec) {
    *out = NULL;
    TRY(kern_init()); /* a wrong PYTHIA_CPU is told here, not at the first search */
    if (spec->dim == 0 || spec->dim > VEC_DIM_MAX)
        return err_set(ERR_LIMIT, "an index of %zu dimensions: it must have 1 to %d", spec->dim, VEC_DIM_MAX);
    for (size_t i = 0; i < N_KINDS; i++) {
        if (!spec->kind || strcmp(spec->kind, vec_kinds[i]->name) != 0) continue;
        TRY(vec_kinds[i]->open(out, spec));
        (*out)->kind = vec_kinds[i];
        (*out)->dim = spec->dim;
        (*out)->writer = spec->writer;
        return ERR_OK;
    }
    return vec_kind_unknown(spec->kind);
}

void vec_close(VecIndex *ix) {
    if (ix) ix->kind->close(ix);
}

size_t vec_first_unfit(const float *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return i;
    return n;
}

static Err need_writer(const VecIndex *ix) {
    return ix->writer ? ERR_OK : err_set(ERR_INTERNAL, "the index was opened for reading");
}

Err vec_add(VecIndex *ix, const float *rows, size_t n, uint32_t *first) {
    TRY(need_writer(ix));
    size_t unfit = vec_first_unfit(rows, n * ix->dim);
    if (unfit < n * ix->dim)
        return err_set(ERR_INPUT, "row %zu of %zu to add is not finite: number %zu is %g", unfit / ix->dim, n,
                       unfit % ix->dim, (double)rows[unfit]);
    return ix->kind->add(ix, rows, n, first);
}

Err vec_sync(VecIndex *ix, uint32_t *rows) {
    TRY(need_writer(ix));
    return ix->kind->sync(ix, rows);
}

bool vec_build_due(const VecIndex *ix) { return ix->kind->build_due && ix->kind->build_due(ix); }

Err vec_build(VecIndex *ix, Pool *pool, const Deadline *deadline) {
    TRY(need_writer(ix));
    return ix->kind->build ? ix->kind->build(ix, pool, deadline) : ERR_OK;
}

Err vec_remove(VecIndex *ix, const uint32_t *slots, size_t n) {
    TRY(need_writer(ix));
    return n ? ix->kind->remove(ix, slots, n) : ERR_OK;
}

Err vec_row(const VecIndex *ix, uint32_t slot, float *out) { return ix->kind->row(ix, slot, out); }

Err vec_scratch_open(VecScratch **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : err_set(ERR_NOMEM, "out of memory for a search");
}

static void scratch_free(VecScratch *s) {
    free(s->own.bytes);
    free(s->shared.bytes);
}

void vec_scratch_close(VecScratch *s) {
    if (s) scratch_free(s);
    free(s);
}

static Err piece_need(ScratchPiece *s, size_t bytes, void **out) {
    if (bytes > s->cap) {
        size_t cap = (bytes + bytes / 2 + 63) / 64 * 64;
        free(s->bytes);
        s->cap = 0;
        s->bytes = aligned_alloc(64, cap);
        if (!s->bytes) return err_set(ERR_NOMEM, "out of memory for a search: %zu bytes", cap);
        s->cap = cap;
    }
    *out = s->bytes;
    return ERR_OK;
}

Err vec_scratch_need(VecScratch *s, size_t bytes, void **out) { return piece_need(&s->own, bytes, out); }
Err vec_scratch_shared(VecScratch *s, size_t bytes, void **out) { return piece_need(&s->shared, bytes, out); }

typedef struct {
    VecScratch own;
    VecReport unread;
    VecQuery q;
} Asked;

/* What the caller left out, filled in. a lives as long as a->q is looked at. */
static const VecQuery *asked_fill(Asked *a, const VecQuery *asked) {
    *a = (Asked){.q = *asked};
    if (!a->q.scratch) a->q.scratch = &a->own;
    if (!a->q.report) a->q.report = &a->unread;
    if (!(a->q.effort > 0)) a->q.effort = 1;
    *a->q.report = (VecReport){0};
    return &a->q;
}

static Err query_check(const VecIndex *ix, const float *query) {
    size_t unfit = vec_first_unfit(query, ix->dim);
    if (unfit == ix->dim) return ERR_OK;
    return err_set(ERR_INPUT, "the query's vector is not finite: number %zu is %g", unfit, (double)query[unfit]);
}

Err vec_search(const VecIndex *ix, const float *query, const VecQuery *q, VecHit *out, size_t *n) {
    Asked a;
    *n = 0;
    TRY(query_check(ix, query));
    if (q->k == 0) return ERR_OK;
    Err err = ix->kind->search(ix, query, asked_fill(&a, q), out, n);
    scratch_free(&a.own);
    return err;
}

static Err score_rows(const VecIndex *ix, const float *query, const uint32_t *slots, size_t n, const VecQuery *q,
                      float *scores, bool *had) {
    void *row = NULL;
    TRY(vec_scratch_need(q->scratch, ix->dim * sizeof(float), &row));
    for (size_t i = 0; i < n; i++) {
        TRY(ix->kind->row(ix, slots[i], row));
        scores[i] = kern_table()->dot(query, row, ix->dim);
        had[i] = true;
    }
    q->report->reranked = (uint32_t)n;
    return ERR_OK;
}

Err vec_score(const VecIndex *ix, const float *query, const uint32_t *slots, size_t n, const VecQuery *q, float *scores,
              bool *had) {
    Asked a;
    TRY(query_check(ix, query));
    Err err = (ix->kind->score ? ix->kind->score : score_rows)(ix, query, slots, n, asked_fill(&a, q), scores, had);
    scratch_free(&a.own);
    return err;
}

Err vec_check(const VecIndex *ix, Buf *report) { return ix->kind->check(ix, report); }

void vec_stats(const VecIndex *ix, VecStats *out) {
    *out = (VecStats){.kind = ix->kind->name, .dim = ix->dim};
    ix->kind->stats(ix, out);
}

Err vec_compact(VecIndex *ix, uint32_t *map_out, uint32_t *rows_out) {
    TRY(need_writer(ix));
    return ix->kind->compact(ix, map_out, rows_out);
}

Err vec_path(const char *dir, uint64_t generation, const char *part, char *out, size_t cap) {
    int n = snprintf(out, cap, "%s/vec-%" PRIu64 ".%s", dir, generation, part);
    if (n < 0 || (size_t)n >= cap) return err_set(ERR_LIMIT, "the path of an index in '%s' is too long", dir);
    return ERR_OK;
}

Err vec_drop(const char *dir, uint64_t generation) {
#define PART_NAME(name) name,
    static const char *const parts[] = {VEC_PARTS(PART_NAME)};
#undef PART_NAME
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[1024];
        TRY(vec_path(dir, generation, parts[i], path, sizeof path));
        TRY(file_remove(path));
    }
    return ERR_OK;
}
