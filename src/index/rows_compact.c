/* rows_compact.c - the rows that are still needed, written as the next generation beside the old files.
 *
 * Nothing of the old generation is touched, so whoever has it open, or comes before the caller has committed, reads on
 * as if nothing had happened. What a crash leaves of the new generation is overwritten by the next attempt.
 */
#include <stdlib.h>

#include "index/rows.h"

typedef struct {
    FileAppend file;
    IndexHead head;
    uint8_t *buffer; /* a block of ROWS_BLOCK rows */
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

static Err copy_block(const Rows *r, RowsView *v, size_t number, Copy *c, uint32_t *map_out) {
    const RowsSpan *b = &v->spans[number];
    TRY(rows_verify(r, v, number));
    for (uint32_t slot = b->first; slot < b->end; slot++) {
        map_out[slot] = UINT32_MAX;
        if (rows_gone(v, slot)) continue;
        if (c->pending == ROWS_BLOCK) TRY(copy_flush(c));
        memcpy(c->buffer + INDEX_BLOCK_HEAD + (size_t)c->pending * c->head.item_bytes, rows_item(v, slot),
               c->head.item_bytes);
        map_out[slot] = c->written + c->pending++;
    }
    return ERR_OK;
}

Err rows_compact(Rows *r, uint32_t *map_out, uint32_t *rows_out) {
    char path[1024];
    if (r->written + r->pending != r->view->rows)
        return err_set(ERR_INTERNAL, "'%s' has rows that are not synced and cannot be compacted", r->rows_path);
    Copy c = {.file.fd = -1, .head = r->head};
    c.head.generation++;
    TRY(vec_drop(r->dir, c.head.generation));
    TRY(vec_path(r->dir, c.head.generation, "rows", path, sizeof path));
    Err err = index_file_create(path, &c.head);
    if (!err) err = file_append_open(path, &c.file);
    if (err) goto done;
    c.buffer = calloc(1, index_block_bytes(ROWS_BLOCK, c.head.item_bytes));
    if (!c.buffer) {
        err = err_set(ERR_NOMEM, "out of memory for an index block");
        goto done;
    }
    for (size_t number = 0; number < r->view->n_blocks; number++)
        if ((err = copy_block(r, r->view, number, &c, map_out))) goto done;
    if ((err = copy_flush(&c))) goto done;
    if ((err = file_append_sync(&c.file))) goto done;
    *rows_out = c.written;
done:
    file_append_close(&c.file);
    free(c.buffer);
    return err;
}
