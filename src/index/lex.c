/* lex.c - the handle of a lexical index: adding, removing, syncing, views for searches.
 *
 * A writer has segments that searches see (view), segments that it wrote since the last sync because its memory was
 * full (flushed), and documents in memory. lex_sync writes the last ones, with the removals, and makes a new view of
 * everything. Nothing of an existing file is ever changed, so a search holds its view for as long as it likes; the
 * files of segments that a merge replaced are unlinked at once and live on in the maps.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/lex_view.h"

enum { BUFFER_KEPT = 2 << 20 /* occurrences: their memory serves the next segment */ };

static Err memory_out(void) { return err_set(ERR_NOMEM, "out of memory for a lexical index"); }

/* ---- views ---- */

void lex_view_free(LexView *v) {
    if (!v) return;
    for (size_t i = 0; i < v->n; i++) seg_drop(v->segs[i]);
    free(v->segs);
    free(v->gone);
    free(v);
}

/* Bits of what segments remove; dropped documents are none that could be. What is removed is in no statistic. */
static void gone_fill(LexView *v, uint32_t committed) {
    for (uint32_t d = committed; d < v->numbers; d++) v->gone[d / 64] |= UINT64_C(1) << (d % 64);
    for (size_t i = 0; i < v->n; i++)
        for (uint32_t r = 0; r < v->segs[i]->n_removed; r++) {
            const uint32_t number = v->segs[i]->removed[r];
            v->gone[number / 64] |= UINT64_C(1) << (number % 64);
        }
    for (size_t i = 0; i < v->n; i++) {
        const LexSeg *s = v->segs[i];
        for (uint32_t d = 0; d < s->docs; d++) {
            if (!lex_is_gone(v, s->first + d) || seg_is_dropped(s, d)) continue;
            v->n_gone++;
            v->counted--;
            v->length -= s->lengths[d];
        }
    }
}

Err lex_view_new(LexSeg *const *segs, size_t n, uint32_t committed, LexView **out) {
    *out = NULL;
    LexView *v = calloc(1, sizeof *v);
    if (!v) return memory_out();
    v->refs = 1;
    v->numbers = n ? segs[n - 1]->first + segs[n - 1]->docs : 0;
    v->segs = calloc(n + 1, sizeof *v->segs);
    v->gone = calloc((size_t)v->numbers / 64 + 1, sizeof *v->gone);
    if (!v->segs || !v->gone) {
        lex_view_free(v);
        return memory_out();
    }
    for (size_t i = 0; i < n; i++) {
        seg_hold(segs[i]);
        v->segs[v->n++] = segs[i];
        v->counted += segs[i]->counted;
        v->length += segs[i]->length;
    }
    gone_fill(v, committed);
    *out = v;
    return ERR_OK;
}

LexView *lex_hold(const LexIndex *ix) {
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&ix->lock; /* const to callers: searching changes no answer */
    (void)pthread_mutex_lock(lock);
    LexView *v = ix->view;
    v->refs++;
    (void)pthread_mutex_unlock(lock);
    return v;
}

void lex_release(const LexIndex *ix, LexView *v) {
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&ix->lock;
    (void)pthread_mutex_lock(lock);
    const bool last = --v->refs == 0;
    (void)pthread_mutex_unlock(lock);
    if (last) lex_view_free(v);
}

void lex_publish(LexIndex *ix, LexView *v) {
    (void)pthread_mutex_lock(&ix->lock);
    LexView *old = ix->view;
    ix->view = v;
    (void)pthread_mutex_unlock(&ix->lock);
    lex_release(ix, old);
}

/* ---- opening ---- */

Err lex_open(LexIndex **out, const LexSpec *spec) {
    *out = NULL;
    if (strlen(spec->dir) >= sizeof(((LexIndex *)0)->dir) - 64)
        return err_set(ERR_LIMIT, "the path '%s' is too long for an index", spec->dir);
    LexIndex *ix = calloc(1, sizeof *ix);
    if (!ix) return memory_out();
    memcpy(ix->dir, spec->dir, strlen(spec->dir) + 1);
    ix->generation = spec->generation;
    ix->full = spec->full ? spec->full : LEX_FULL;
    ix->writer = spec->writer;
    ix->lock_fd = -1;
    (void)pthread_mutex_init(&ix->lock, NULL);
    Err err = ERR_OK;
    if (spec->writer) {
        char path[sizeof ix->dir + 16];
        (void)snprintf(path, sizeof path, "%s/lex.lock", spec->dir);
        err = file_make_dirs(spec->dir, 0755);
        if (!err) err = file_lock(path, &ix->lock_fd);
    }
    if (!err) err = lex_load(ix, spec->committed);
    if (err)
        lex_close(ix);
    else
        *out = ix;
    return err;
}

static void flushed_forget(LexIndex *ix) {
    for (size_t i = 0; i < ix->n_flushed; i++) seg_drop(ix->flushed[i]);
    ix->n_flushed = 0;
}

void lex_close(LexIndex *ix) {
    if (!ix) return;
    assert(!ix->view || ix->view->refs == 1); /* no search may be under way */
    lex_view_free(ix->view);
    flushed_forget(ix);
    free(ix->flushed);
    free(ix->removed);
    lex_buffer_clear(&ix->buffer);
    file_unlock(&ix->lock_fd);
    (void)pthread_mutex_destroy(&ix->lock);
    free(ix);
}

/* ---- writing ---- */

static Err may_write(const LexIndex *ix) {
    if (!ix->writer) return err_set(ERR_INTERNAL, "the index in '%s' is open for reading", ix->dir);
    if (!ix->broken) return ERR_OK;
    return err_set(ERR_IO, "writing the index in '%s' failed before: open it again", ix->dir);
}

/* Behind all segments, in view or not. */
static uint32_t segments_end(const LexIndex *ix) {
    const LexSeg *last = ix->n_flushed ? ix->flushed[ix->n_flushed - 1] : NULL;
    return last ? last->first + last->docs : ix->view->numbers;
}

static int number_order(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Writes what is in memory as one more segment, with the removals when this is a sync. */
static Err buffer_flush(LexIndex *ix, bool with_removals) {
    const uint64_t first_only = 1;
    const bool empty = ix->buffer.docs == 0;
    LexSeg **more = realloc(ix->flushed, (ix->n_flushed + 1) * sizeof(LexSeg *));
    if (!more) return memory_out();
    ix->flushed = more;
    if (empty) TRY(lex_buffer_add_empty(&ix->buffer)); /* a number that tells of the removals */
    if (ix->n_removed) qsort(ix->removed, ix->n_removed, sizeof *ix->removed, number_order);
    TRY(lex_buffer_write(&ix->buffer, ix->dir, ix->generation, segments_end(ix), ix->removed,
                         with_removals ? (uint32_t)ix->n_removed : 0, empty ? &first_only : NULL,
                         &ix->flushed[ix->n_flushed]));
    ix->n_flushed++;
    if (ix->buffer.cap > BUFFER_KEPT)
        lex_buffer_clear(&ix->buffer);
    else
        lex_buffer_reset(&ix->buffer);
    ix->buffers++;
    if (with_removals) ix->n_removed = 0;
    return ERR_OK;
}

Err lex_add(LexIndex *ix, Analyzer *a, int64_t id, const Str fields[LEX_FIELDS], uint32_t *number) {
    TRY(may_write(ix));
    if (id < 0) return err_set(ERR_INPUT, "a document cannot have the id %lld", (long long)id);
    *number = segments_end(ix) + ix->buffer.docs;
    if (*number >= UINT32_MAX - 1) return err_set(ERR_LIMIT, "the index in '%s' is full", ix->dir);
    Err err = lex_buffer_add(&ix->buffer, a, id, fields);
    if (!err && ix->buffer.n >= LEX_BUFFER_OCCURRENCES) err = buffer_flush(ix, false);
    ix->broken = err != ERR_OK;
    return err;
}

Err lex_add_batch(LexIndex *ix, LexBatch *b, uint32_t from, uint32_t n, int64_t first) {
    uint32_t *numbers = NULL;
    TRY(may_write(ix));
    if (from > lex_batch_size(b) || n > lex_batch_size(b) - from)
        return err_set(ERR_INPUT, "a batch of %u documents has none from %u to %u", lex_batch_size(b), from, from + n);
    if (n == 0) return ERR_OK;
    if (first < 0 || first > INT64_MAX - n)
        return err_set(ERR_INPUT, "documents cannot have the ids %lld and on", (long long)first);
    if ((uint64_t)segments_end(ix) + ix->buffer.docs + n >= UINT32_MAX - 1)
        return err_set(ERR_LIMIT, "the index in '%s' is full", ix->dir);
    Err err = lex_batch_numbers(b, ix, &numbers);
    if (!err) err = lex_buffer_append(&ix->buffer, lex_batch_buffer(b), from, n, first, numbers);
    if (!err && ix->buffer.n >= LEX_BUFFER_OCCURRENCES) err = buffer_flush(ix, false);
    ix->broken = err != ERR_OK;
    return err;
}

static Err view_renew(LexIndex *ix) {
    const LexView *old = ix->view;
    LexSeg **segs = calloc(old->n + ix->n_flushed + 1, sizeof *segs);
    LexView *next = NULL;
    if (!segs) return memory_out();
    memcpy(segs, old->segs, old->n * sizeof *segs);
    memcpy(segs + old->n, ix->flushed, ix->n_flushed * sizeof *segs);
    const Err err = lex_view_new(segs, old->n + ix->n_flushed, UINT32_MAX, &next);
    free(segs);
    if (err) return err;
    lex_publish(ix, next);
    flushed_forget(ix);
    return ERR_OK;
}

Err lex_sync(LexIndex *ix, uint32_t *committed) {
    TRY(may_write(ix));
    Err err = ERR_OK;
    if (ix->buffer.docs || ix->n_removed) err = buffer_flush(ix, true);
    if (!err && ix->n_flushed) err = file_sync_dir_of(ix->flushed[0]->file.path);
    if (!err && ix->n_flushed) err = view_renew(ix);
    ix->broken = err != ERR_OK;
    if (!err) *committed = ix->view->numbers;
    return err;
}

/* ---- ids ---- */

static Err ranges_check(const ChunkRange *ranges, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (ranges[i].end < ranges[i].first || (i && ranges[i].first < ranges[i - 1].end))
            return err_set(ERR_INPUT, "the range of ids %lld to %lld is out of order", (long long)ranges[i].first,
                           (long long)ranges[i].end);
    return ERR_OK;
}

typedef struct {
    LexIndex *ix;
    Err err;
} Removal;

static void removal_note(void *ctx, uint32_t number) {
    Removal *r = ctx;
    LexIndex *ix = r->ix;
    if (r->err || lex_is_gone(ix->view, number)) return;
    if (ix->n_removed == ix->cap_removed) {
        const size_t cap = ix->cap_removed ? 2 * ix->cap_removed : 64;
        uint32_t *more = realloc(ix->removed, cap * sizeof *more);
        if (!more) {
            r->err = memory_out();
            return;
        }
        ix->removed = more;
        ix->cap_removed = cap;
    }
    ix->removed[ix->n_removed++] = number;
}

/* What was removed twice since the last sync is told once. */
static void removals_settle(LexIndex *ix) {
    size_t kept = 0;
    if (ix->n_removed) qsort(ix->removed, ix->n_removed, sizeof *ix->removed, number_order);
    for (size_t i = 0; i < ix->n_removed; i++)
        if (kept == 0 || ix->removed[i] != ix->removed[kept - 1]) ix->removed[kept++] = ix->removed[i];
    ix->n_removed = kept;
}

Err lex_remove(LexIndex *ix, const ChunkRange *ranges, size_t n, size_t *n_removed) {
    TRY(may_write(ix));
    TRY(ranges_check(ranges, n));
    const size_t before = ix->n_removed;
    Removal r = {.ix = ix};
    for (size_t i = 0; i < ix->view->n; i++) seg_find(ix->view->segs[i], ranges, n, removal_note, &r);
    if (r.err) ix->n_removed = before;
    TRY(r.err);
    removals_settle(ix);
    if (n_removed) *n_removed = ix->n_removed - before;
    return ERR_OK;
}

typedef struct {
    const LexView *view;
    uint64_t *bits;
    uint32_t numbers;
    size_t count;
} Allowing;

static void allowing_note(void *ctx, uint32_t number) {
    Allowing *a = ctx;
    if (number >= a->numbers || lex_is_gone(a->view, number)) return;
    a->bits[number / 64] |= UINT64_C(1) << (number % 64);
    a->count++;
}

Err lex_allow(const LexIndex *ix, const ChunkRange *ranges, size_t n, uint64_t *bits, uint32_t numbers, size_t *count) {
    *count = 0;
    TRY(ranges_check(ranges, n));
    LexView *v = lex_hold(ix);
    Allowing a = {v, bits, numbers, 0};
    for (size_t i = 0; i < v->n; i++) seg_find(v->segs[i], ranges, n, allowing_note, &a);
    *count = a.count;
    lex_release(ix, v);
    return ERR_OK;
}

/* ---- looking after it ---- */

size_t lex_ids(const LexIndex *ix, int64_t *out, size_t room) {
    size_t n = 0;
    LexView *v = lex_hold(ix);
    for (size_t i = 0; i < v->n; i++) {
        const LexSeg *s = v->segs[i];
        for (uint32_t d = 0; d < s->docs; d++) {
            if (seg_is_dropped(s, d) || lex_is_gone(v, s->first + d)) continue;
            if (n < room) out[n] = seg_id(s, d);
            n++;
        }
    }
    lex_release(ix, v);
    return n;
}

Err lex_term_count(const LexIndex *ix, Str term, uint32_t *n) {
    LexView *v = lex_hold(ix);
    Err err = ERR_OK;
    *n = 0;
    for (size_t i = 0; !err && i < v->n; i++) {
        LexEntry entry;
        bool found = false;
        err = seg_term(v->segs[i], term, &entry, &found);
        if (!err && found) *n += entry.df;
    }
    lex_release(ix, v);
    return err;
}

void lex_stats(const LexIndex *ix, LexStats *out) {
    LexView *v = lex_hold(ix);
    *out = (LexStats){.numbers = v->numbers,
                      .live = (uint32_t)v->counted,
                      .removed = v->n_gone,
                      .segments = (uint32_t)v->n,
                      .mean_length = v->counted ? (double)v->length / (double)v->counted : 0};
    for (size_t i = 0; i < v->n; i++) {
        const LexSeg *s = v->segs[i];
        out->terms += s->terms;
        out->postings += s->postings;
        out->positions += s->positions;
        out->bytes += (int64_t)s->built->map.bytes.n;
        out->position_bytes += (int64_t)s->pos.n;
    }
    lex_release(ix, v);
}
