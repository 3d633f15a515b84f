/* partition.c - see partition.h.
 *
 * Rows are read as int8 and made floats a piece at a time, so memory is the built parts and a few megabytes. The result
 * depends on rows, parameters and seed alone: each vector's place is that of its slot among its partition's.
 */
#include "index/partition.h"

#include <stdlib.h>

#include "index/kmeans.h"

enum { BATCH = 64 /* centroids compared at a time */ };

void *parting_need(Arena *a, size_t n, size_t each, Err *err) {
    void *p = *err ? NULL : arena_alloc_array(a, n ? n : 1, each);
    if (!p && !*err) *err = arena_error();
    return p;
}

Err parting_begin(Parting *p, Arena *a) {
    Err err = ERR_OK;
    p->live = parting_need(a, p->v->rows, sizeof *p->live, &err);
    for (uint32_t slot = 0; !err && slot < p->v->rows; slot++)
        if (!rows_gone(p->v, slot)) p->live[p->n_live++] = slot;
    return err;
}

Err parting_sample(const Parting *p, Arena *a, size_t *m, uint32_t **drawn, float **sample) {
    Err err = ERR_OK;
    if (*m > p->n_live) *m = p->n_live;
    *drawn = parting_need(a, *m, sizeof **drawn, &err);
    *sample = err ? NULL : malloc(*m * p->dim * sizeof **sample);
    if (!*sample) return err ? err : err_set(ERR_NOMEM, "out of memory for a sample of %zu rows", *m);
    sample_draw(p->n_live, *m, p->seed, *drawn);
    for (size_t i = 0; !err && i < *m; i++)
        err = rows8_floats(p->rows, p->v, p->live[(*drawn)[i]], *sample + i * p->dim);
    if (!err) return ERR_OK;
    free(*sample);
    *sample = NULL;
    return err;
}

static Err centroids_train(Parting *p, Arena *a, size_t m, size_t iterations) {
    uint32_t *drawn;
    float *sample;
    TRY(parting_sample(p, a, &m, &drawn, &sample));
    Err err = kmeans_train(sample, m, p->dim, p->count, iterations, p->seed, p->pool, p->deadline, p->centroids);
    free(sample);
    return err;
}

/* Centroids as int8, and back: residuals are those to what a search will compute with. */
static void centroids_store(Parting *p) {
    uint8_t item[VEC_DIM_MAX + 2];
    for (size_t i = 0; i < p->count; i++) {
        float *c = p->centroids + i * p->dim;
        row8_encode(c, p->dim, item);
        row8_decode(item, p->dim, c);
        memcpy(p->small + i * p->dim, item, p->dim);
        p->scales[i] = row8_scale(item, p->dim);
    }
}

static Err nearest_find(Parting *p) {
    size_t chunk = PARTITION_PIECE * 64;
    float *rows = malloc((p->n_live < chunk ? p->n_live : chunk) * p->dim * sizeof *rows);
    if (!rows) return err_set(ERR_NOMEM, "out of memory for %zu rows", chunk);
    Err err = ERR_OK;
    for (size_t from = 0; !err && from < p->n_live; from += chunk) {
        size_t n = p->n_live - from < chunk ? p->n_live - from : chunk;
        for (size_t i = 0; !err && i < n; i++) err = rows8_floats(p->rows, p->v, p->live[from + i], rows + i * p->dim);
        uint32_t *first = p->nearest + from;
        if (!err) err = kmeans_assign(p->centroids, p->count, p->dim, rows, n, p->pool, p->deadline, first);
        if (!err && p->times == 2)
            err = kmeans_assign_second(p->centroids, p->count, p->dim, rows, n, p->pool, p->deadline, first,
                                       first + p->n_live);
    }
    free(rows);
    return err;
}

static void starts_count(Parting *p) {
    memset(p->starts, 0, (p->count + 1) * sizeof *p->starts);
    for (size_t i = 0; i < p->vectors; i++) p->starts[p->nearest[i] + 1]++;
    for (size_t c = 0; c < p->count; c++) p->starts[c + 1] += p->starts[c];
}

/* Partition by partition, in order of slots. */
static void places_give(Parting *p) {
    starts_count(p);
    for (size_t i = 0; i < p->n_live; i++)
        for (size_t at = i; at < p->vectors; at += p->n_live) {
            p->place[at] = p->starts[p->nearest[at]]++;
            p->slots[p->place[at]] = p->live[i];
        }
    for (size_t c = p->count; c > 0; c--) p->starts[c] = p->starts[c - 1];
    p->starts[0] = 0;
}

Err parting_make(Parting *p, Arena *a, size_t count, size_t sample, size_t iterations, bool twice) {
    Err err = ERR_OK;
    p->times = twice && count > 1 ? 2 : 1;
    size_t n = p->vectors = p->times * p->n_live;
    p->count = count;
    p->padded = (n + SCAN_BLOCK - 1) / SCAN_BLOCK * SCAN_BLOCK;
    p->centroids = parting_need(a, count * p->dim, sizeof *p->centroids, &err);
    p->nearest = parting_need(a, n, sizeof *p->nearest, &err);
    p->place = parting_need(a, n, sizeof *p->place, &err);
    p->lengths = parting_need(a, n, sizeof *p->lengths, &err);
    p->small = parting_need(a, count * p->dim, 1, &err);
    p->scales = parting_need(a, count, sizeof *p->scales, &err);
    p->radii = parting_need(a, count, sizeof *p->radii, &err);
    p->starts = parting_need(a, count + 1, sizeof *p->starts, &err);
    p->slots = parting_need(a, p->padded, sizeof *p->slots, &err);
    if (!err) err = centroids_train(p, a, sample, iterations);
    if (err) return err;
    centroids_store(p);
    TRY(nearest_find(p));
    places_give(p);
    return ERR_OK;
}

void parting_out(Parting *p, uint32_t *words, BuiltPart *parts) {
    /* Of first vectors alone: the second ones lie further off, and radii with them would make searches look at twice as
     * much for less. How many those are stands in starts for the moment. */
    for (size_t c = 0; c < p->count; c++) p->starts[c + 1] = 0;
    for (size_t i = 0; i < p->n_live; i++) {
        p->radii[p->nearest[i]] += p->lengths[i];
        p->starts[p->nearest[i] + 1]++;
    }
    for (size_t c = 0; c < p->count; c++)
        p->radii[c] = p->starts[c + 1] ? sqrtf(p->radii[c] / (float)p->starts[c + 1]) : 0;
    starts_count(p);
    words[PARTITION_COUNT] = (uint32_t)p->count;
    words[PARTITION_CODED] = (uint32_t)p->vectors;
    parts[PARTITION_CENTROIDS] = (BuiltPart){p->small, p->count * p->dim};
    parts[PARTITION_SCALES] = (BuiltPart){p->scales, p->count * sizeof *p->scales};
    parts[PARTITION_RADII] = (BuiltPart){p->radii, p->count * sizeof *p->radii};
    parts[PARTITION_STARTS] = (BuiltPart){p->starts, (p->count + 1) * sizeof *p->starts};
    parts[PARTITION_SLOTS] = (BuiltPart){p->slots, p->padded * sizeof *p->slots};
}

/* ---- searching ---- */

Err partitions_read(const BuiltFile *f, const Built *b, size_t dim, Partitions *out) {
    *out = (Partitions){.count = b->words[PARTITION_COUNT], .coded = b->words[PARTITION_CODED]};
    out->blocks = (out->coded + SCAN_BLOCK - 1) / SCAN_BLOCK;
    if (out->count == 0)
        return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: it has no partitions", f->path),
                       INDEX_FILE_FIX);
    TRY(built_expect(f, b, PARTITION_CENTROIDS, out->count * dim));
    TRY(built_expect(f, b, PARTITION_SCALES, out->count * sizeof(float)));
    TRY(built_expect(f, b, PARTITION_RADII, out->count * sizeof(float)));
    TRY(built_expect(f, b, PARTITION_STARTS, (out->count + 1) * sizeof(uint32_t)));
    TRY(built_expect(f, b, PARTITION_SLOTS, out->blocks * SCAN_BLOCK * sizeof(uint32_t)));
    out->centroids = b->parts[PARTITION_CENTROIDS].bytes;
    out->scales = b->parts[PARTITION_SCALES].bytes;
    out->radii = b->parts[PARTITION_RADII].bytes;
    out->starts = b->parts[PARTITION_STARTS].bytes;
    out->slots = b->parts[PARTITION_SLOTS].bytes;
    return ERR_OK;
}

Err partitions_finite(const BuiltFile *f, const float *numbers, size_t n, const char *what) {
    size_t at = vec_first_unfit(numbers, n);
    if (at == n) return ERR_OK;
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %s, number %zu, is %g", f->path, what, at,
                           (double)numbers[at]),
                   INDEX_FILE_FIX);
}

/* No row has more than so many vectors. */
static Err slots_check(const BuiltFile *f, const Built *b, const Partitions *in, unsigned times) {
    uint8_t *seen = calloc((size_t)b->rows + 1, sizeof *seen);
    size_t i = 0;
    if (!seen) return err_set(ERR_NOMEM, "out of memory for an index of %u rows", b->rows);
    for (; i < in->coded; i++) {
        uint32_t slot = in->slots[i];
        if (slot >= b->rows || seen[slot] == times) break;
        seen[slot]++;
    }
    free(seen);
    if (i == in->coded) return ERR_OK;
    return err_fix(err_set(ERR_CORRUPT,
                           "index file '%s' is damaged: vector %zu is of row %u of %u, or of one too often", f->path, i,
                           in->slots[i], b->rows),
                   INDEX_FILE_FIX);
}

Err partitions_check(const BuiltFile *f, const Built *b, const Partitions *in, unsigned times) {
    uint32_t before = 0;
    for (size_t c = 0; c <= in->count; c++) {
        bool last = c == in->count;
        if (in->starts[c] < before || (last ? in->starts[c] != in->coded : c == 0 && in->starts[c] != 0))
            return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: partition %zu of %zu begins at vector %u",
                                   f->path, c, in->count, in->starts[c]),
                           INDEX_FILE_FIX);
        before = in->starts[c];
    }
    TRY(partitions_finite(f, in->scales, in->count, "a centroid's scale"));
    TRY(partitions_finite(f, in->radii, in->count, "a partition's radius"));
    return slots_check(f, b, in, times);
}

void probe_place(Probe *p, uint8_t *memory) {
    size_t each = probe_bytes(&p->in) / 3;
    p->promise = (float *)(void *)memory;
    p->centre = (float *)(void *)(memory + each);
    p->heap = (uint32_t *)(void *)(memory + 2 * each);
}

static void heap_down(Probe *p, size_t i) {
    uint32_t moved = p->heap[i];
    float key = p->promise[moved];
    for (size_t child; (child = 2 * i + 1) < p->n_heap; i = child) {
        if (child + 1 < p->n_heap && p->promise[p->heap[child + 1]] > p->promise[p->heap[child]]) child++;
        if (key >= p->promise[p->heap[child]]) break;
        p->heap[i] = p->heap[child];
    }
    p->heap[i] = moved;
}

uint32_t probe_pop(Probe *p) {
    uint32_t best = p->heap[0];
    p->heap[0] = p->heap[--p->n_heap];
    if (p->n_heap) heap_down(p, 0);
    return best;
}

void probe_rank(Probe *p, const int8_t *query, float scale, size_t dim, float reach) {
    const KernScan *scan = scan_table();
    for (size_t c = 0; c < p->in.count; c += BATCH) {
        int32_t dots[BATCH];
        size_t n = p->in.count - c < BATCH ? p->in.count - c : BATCH;
        scan->dots8(query, p->in.centroids + c * dim, n, dim, dots);
        for (size_t i = 0; i < n; i++) {
            p->centre[c + i] = (float)dots[i] * (scale * p->in.scales[c + i]);
            p->promise[c + i] = p->centre[c + i] + reach * p->in.radii[c + i];
        }
    }
}

uint32_t probe_best(const Probe *p) {
    size_t best = 0;
    for (size_t c = 1; c < p->in.count; c++)
        if (p->promise[c] > p->promise[best]) best = c;
    return (uint32_t)best;
}

void probe_fill(Probe *p, uint32_t but, float stop, float floor) {
    p->n_heap = 0;
    for (size_t c = 0; c < p->in.count; c++)
        if (c != but && p->centre[c] + stop * p->in.radii[c] >= floor) p->heap[p->n_heap++] = (uint32_t)c;
    for (size_t i = p->n_heap / 2; i-- > 0;) heap_down(p, i);
}
