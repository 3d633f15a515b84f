/* flat_compact.c - the rows that are still needed, written as the next generation beside the old files.
 *
 * Nothing of the old generation is touched, so whoever has it open, or comes before the caller has committed, reads on
 * as if nothing had happened. What a crash leaves of the new generation is overwritten by the next attempt.
 */
#include <stdlib.h>

#include "index/flat.h"

typedef struct {
    FileAppend file;
    IndexHead head;
    uint8_t *buffer; /* a block of FLAT_BLOCK_ROWS rows */
    uint32_t pending, written;
} Copy;

static Err copy_flush(Copy *c) {
    IndexBlock b;
    if (c->pending == 0) return ERR_OK;
    TRY(index_block_append(&c->file, &c->head, c->buffer, c->written, c->pending, &b));
    c->written += c->pending;
    c->pending = 0;
    return ERR_OK;
}

static Err copy_block(const FlatIndex *ix, FlatView *v, size_t number, Copy *c, uint32_t *map_out) {
    const IndexBlock *b = &v->blocks[number];
    const float *rows = flat_block_rows(v, b);
    TRY(flat_block_need(ix, v, number));
    for (uint32_t i = 0; i < b->items; i++) {
        uint32_t slot = (uint32_t)b->first + i;
        map_out[slot] = UINT32_MAX;
        if (atomic_load(&v->gone[slot / 64]) >> (slot % 64) & 1) continue;
        if (c->pending == FLAT_BLOCK_ROWS) TRY(copy_flush(c));
        memcpy(c->buffer + INDEX_BLOCK_HEAD + (size_t)c->pending * c->head.item_bytes, rows + i * ix->base.dim,
               c->head.item_bytes);
        map_out[slot] = c->written + c->pending++;
    }
    return ERR_OK;
}

Err flat_compact(VecIndex *base, uint32_t *map_out, uint32_t *rows_out) {
    FlatIndex *ix = (FlatIndex *)base;
    char path[1024];
    if (ix->written + ix->pending != ix->view->rows)
        return err_set(ERR_INTERNAL, "'%s' has rows that are not synced and cannot be compacted", ix->rows_path);
    Copy c = {.file.fd = -1, .head = ix->head};
    c.head.generation++;
    TRY(vec_drop(ix->dir, c.head.generation));
    TRY(vec_path(ix->dir, c.head.generation, "rows", path, sizeof path));
    Err err = index_file_create(path, &c.head);
    if (!err) err = file_append_open(path, &c.file);
    if (err) goto done;
    c.buffer = calloc(1, index_block_bytes(FLAT_BLOCK_ROWS, c.head.item_bytes));
    if (!c.buffer) {
        err = err_set(ERR_NOMEM, "out of memory for an index block");
        goto done;
    }
    for (size_t number = 0; number < ix->view->n_blocks; number++)
        if ((err = copy_block(ix, ix->view, number, &c, map_out))) goto done;
    if ((err = copy_flush(&c))) goto done;
    if ((err = file_append_sync(&c.file))) goto done;
    *rows_out = c.written;
done:
    file_append_close(&c.file);
    free(c.buffer);
    return err;
}
