/* rows_gone.c - removed slots: a bitmap in memory, and a small file that is appended to.
 *
 * A slot in the file that is lost does no harm: the store leads from a slot to its chunks, and a dead one leads
 * nowhere. So nothing is synced, and a damaged end is dropped without a word. A slot too many would do harm: it would
 * hide a row. That could only come from a slot that was removed, cut off with a crash's leftovers and then given to
 * another row; therefore a writer rewrites the file at opening when it names slots that are not committed.
 */
#include <stdlib.h>

#include "index/rows.h"

static void mark(RowsView *v, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint64_t before = atomic_fetch_or_explicit(&v->gone[slot / 64], bit, memory_order_relaxed);
    if (!(before & bit)) atomic_fetch_add_explicit(&v->n_gone, 1, memory_order_relaxed);
}

/* Sets the bits that the file's whole blocks name; false when something in it is unfit to be built upon. */
static bool marks_read(Rows *r, RowsView *v, Str file) {
    IndexHead in_file;
    if (index_head_read(file, r->gone_path, &in_file) || index_head_expect(&in_file, &r->gone_head, r->gone_path))
        return false;
    r->gone_head.sum = in_file.sum;
    bool fit = true;
    uint64_t at = INDEX_HEAD_BYTES, first = 0;
    for (size_t number = 0; at < file.n; number++) {
        IndexBlock b;
        if (index_block_read(file, r->gone_path, &r->gone_head, number, at, first, &b)) return false;
        if (index_block_verify(file, r->gone_path, number, &b)) return false;
        const uint32_t *slots = (const uint32_t *)(const void *)(file.p + at + INDEX_BLOCK_HEAD);
        for (uint32_t i = 0; i < b.items; i++) {
            if (slots[i] < v->rows)
                mark(v, slots[i]);
            else
                fit = false;
        }
        first += b.items;
        at = index_block_end(&b);
    }
    return fit;
}

/* One block of slots behind what the file holds. */
static Err slots_append(Rows *r, const uint32_t *slots, uint32_t n) {
    IndexBlock b;
    uint8_t *buffer = malloc(index_block_bytes(n, sizeof *slots));
    if (!buffer) return err_set(ERR_NOMEM, "out of memory for %u removed slots", n);
    memcpy(buffer + INDEX_BLOCK_HEAD, slots, n * sizeof *slots);
    Err err = index_block_append(&r->gone_file, &r->gone_head, buffer, r->gone_first, n, &b);
    if (!err) r->gone_first += n;
    free(buffer);
    return err;
}

/* The file anew from the bitmap. */
static Err gone_rewrite(Rows *r, const RowsView *v) {
    uint32_t n = atomic_load(&v->n_gone), at = 0;
    TRY(index_file_create(r->gone_path, &r->gone_head));
    TRY(file_append_open(r->gone_path, &r->gone_file));
    r->gone_first = 0;
    if (n == 0) return ERR_OK;
    uint32_t *slots = malloc(n * sizeof *slots);
    if (!slots) return err_set(ERR_NOMEM, "out of memory for %u removed slots", n);
    for (uint32_t slot = 0; slot < v->rows; slot++)
        if (atomic_load(&v->gone[slot / 64]) >> (slot % 64) & 1) slots[at++] = slot;
    Err err = slots_append(r, slots, n);
    free(slots);
    return err;
}

Err rows_gone_load(Rows *r, RowsView *v) {
    FileInfo info;
    FileMap map = {{"", 0}, NULL};
    if (v->rows == 0) return r->writer ? file_remove(r->gone_path) : ERR_OK;
    TRY(file_info(r->gone_path, true, &info));
    if (info.type == FILE_NONE) return ERR_OK;
    TRY(file_map(r->gone_path, &map));
    bool fit = marks_read(r, v, map.bytes);
    file_unmap(&map);
    /* Else the writer's first removal rewrites it, into one block. */
    if (r->writer && !fit) return gone_rewrite(r, v);
    return ERR_OK;
}

Err rows_remove(Rows *r, const uint32_t *slots, size_t n) {
    RowsView *v = r->view; /* the writer's thread is the one that replaces it */
    for (size_t i = 0; i < n; i++)
        if (slots[i] >= v->rows)
            return err_set(ERR_INPUT, "cannot remove slot %u of '%s': it has %u rows", slots[i], r->rows_path, v->rows);
    if (n > ROWS_MAX) return err_set(ERR_LIMIT, "cannot remove %zu slots at once", n);
    if (r->gone_file.fd < 0) TRY(gone_rewrite(r, v));
    TRY(slots_append(r, slots, (uint32_t)n));
    for (size_t i = 0; i < n; i++) mark(v, slots[i]);
    return ERR_OK;
}
