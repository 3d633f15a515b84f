/* rows.c - see rows.h: opening, appending and closing. Removed slots are in rows_gone.c.
 *
 * A writer fills a block in memory and appends it whole with one write. rows_sync ends the block, however short, so
 * that the committed count always falls between two blocks: nothing of the file is ever written twice, and a torn write
 * can only lie behind what is committed. Items between rows_append and rows_sync are seen by nobody.
 */
#include "index/rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static Err memory_out(const char *what) { return err_set(ERR_NOMEM, "out of memory for %s", what); }

/* ---- views ---- */

static void view_free(RowsView *v) {
    if (!v) return;
    file_unmap(&v->map);
    free(v->blocks);
    free(v->spans);
    free(v->hints);
    free(v->checked);
    free(v->gone);
    free(v);
}

/* Where the blocks' items are in the map; the file is as long as its directory says. */
static void spans_fill(RowsView *v) {
    uint32_t slot = 0;
    for (size_t b = 0; b < v->n_blocks; b++) {
        const IndexBlock *block = &v->blocks[b];
        uint32_t first = (uint32_t)block->first, end = first + block->items;
        v->spans[b] = (RowsSpan){(const uint8_t *)v->map.bytes.p + block->at + INDEX_BLOCK_HEAD, first, end};
        for (; slot < end; slot += 64) v->hints[slot / 64] = (uint32_t)b;
    }
}

/* A view of `map`, which it owns from here on when there was no error; blocks are copied. */
static Err view_new(const Rows *r, FileMap map, uint32_t rows, RowsView **out) {
    RowsView *v = calloc(1, sizeof *v);
    if (!v) return memory_out("an index view");
    size_t n = r->n_blocks;
    v->rows = rows;
    v->n_blocks = n;
    v->item_bytes = r->head.item_bytes;
    v->refs = 1;
    v->map.bytes = STR("");
    v->blocks = calloc(n + 1, sizeof *v->blocks);
    v->spans = calloc(n + 1, sizeof *v->spans);
    v->hints = calloc((size_t)rows / 64 + 1, sizeof *v->hints);
    v->checked = calloc(n / 64 + 1, sizeof *v->checked);
    v->gone = calloc((size_t)rows / 64 + 1, sizeof *v->gone);
    if (!v->blocks || !v->spans || !v->hints || !v->checked || !v->gone) {
        view_free(v);
        return memory_out("an index view");
    }
    if (n) memcpy(v->blocks, r->blocks, n * sizeof *v->blocks);
    v->map = map;
    spans_fill(v);
    *out = v;
    return ERR_OK;
}

RowsView *rows_hold(const Rows *r) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&r->lock; /* const to callers: searching changes no answer */
    (void)pthread_mutex_lock(lock);
    RowsView *v = r->view;
    v->refs++;
    (void)pthread_mutex_unlock(lock);
    return v;
}

void rows_drop(const Rows *r, RowsView *v) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&r->lock;
    (void)pthread_mutex_lock(lock);
    bool last = --v->refs == 0;
    (void)pthread_mutex_unlock(lock);
    if (last) view_free(v);
}

/* Two threads may check the same block at once; both come to the same result. */
Err rows_verify(const Rows *r, RowsView *v, size_t number) {
    uint64_t bit = UINT64_C(1) << (number % 64);
    if (atomic_load_explicit(&v->checked[number / 64], memory_order_relaxed) & bit) return ERR_OK;
    TRY(index_block_verify(v->map.bytes, r->rows_path, number, &v->blocks[number]));
    atomic_fetch_or_explicit(&v->checked[number / 64], bit, memory_order_relaxed);
    return ERR_OK;
}

/* ---- opening ---- */

static Err block_note(Rows *r, const IndexBlock *b) {
    if (r->n_blocks == r->cap_blocks) {
        size_t cap = r->cap_blocks ? r->cap_blocks * 2 : 64;
        IndexBlock *more = realloc(r->blocks, cap * sizeof *more);
        if (!more) return memory_out("an index's directory");
        r->blocks = more;
        r->cap_blocks = cap;
    }
    r->blocks[r->n_blocks++] = *b;
    return ERR_OK;
}

/* Walks the blocks' headers until they hold `committed` rows. */
static Err blocks_scan(Rows *r, Str file, uint32_t committed) {
    IndexHead in_file;
    TRY(index_head_read(file, r->rows_path, &in_file));
    TRY(index_head_expect(&in_file, &r->head, r->rows_path));
    r->head.sum = in_file.sum;
    uint64_t at = INDEX_HEAD_BYTES, rows = 0;
    while (rows < committed) {
        IndexBlock b;
        TRY(index_block_read(file, r->rows_path, &r->head, r->n_blocks, at, rows, &b));
        if (b.items > committed - rows)
            return err_fix(
                err_set(ERR_CORRUPT,
                        "index file '%s' does not fit its store: %u rows are committed, block %zu at byte %llu "
                        "holds rows %llu to %llu",
                        r->rows_path, committed, r->n_blocks, (unsigned long long)at, (unsigned long long)rows,
                        (unsigned long long)(rows + b.items - 1)),
                INDEX_FILE_FIX);
        TRY(block_note(r, &b));
        rows += b.items;
        at = index_block_end(&b);
    }
    r->written = committed;
    return ERR_OK;
}

static Err rows_load(Rows *r, uint32_t committed) {
    FileInfo info;
    FileMap map = {{"", 0}, NULL};
    TRY(file_info(r->rows_path, true, &info));
    if (info.type == FILE_NONE)
        return err_fix(
            err_set(ERR_NO_INDEX, "index file '%s' is missing, its store counts %u rows", r->rows_path, committed),
            INDEX_FILE_FIX);
    TRY(file_map(r->rows_path, &map));
    Err err = blocks_scan(r, map.bytes, committed);
    if (!err) err = view_new(r, map, committed, &r->view);
    if (err) file_unmap(&map);
    return err;
}

/* Ready to append behind the last committed block; what a crash left there is cut off. */
static Err writer_ready(Rows *r) {
    TRY(file_append_open(r->rows_path, &r->rows_file));
    uint64_t end = r->n_blocks ? index_block_end(&r->blocks[r->n_blocks - 1]) : INDEX_HEAD_BYTES;
    if ((uint64_t)r->rows_file.size > end) TRY(file_append_truncate(&r->rows_file, (int64_t)end));
    r->buffer = calloc(1, index_block_bytes(ROWS_BLOCK, r->head.item_bytes));
    return r->buffer ? ERR_OK : memory_out("an index block");
}

static Err writer_lock(Rows *r, const char *dir) {
    char path[1024 + 16];
    TRY(file_make_dirs(dir, 0755));
    (void)snprintf(path, sizeof path, "%s/writer.lock", dir);
    return file_lock(path, &r->lock_fd);
}

static Err files_open(Rows *r, const VecSpec *spec) {
    TRY(vec_path(spec->dir, spec->generation, "rows", r->rows_path, sizeof r->rows_path));
    TRY(vec_path(spec->dir, spec->generation, "gone", r->gone_path, sizeof r->gone_path));
    memcpy(r->dir, spec->dir, strlen(spec->dir) + 1);
    if (spec->committed > ROWS_MAX) return err_set(ERR_LIMIT, "an index of %u rows is too large", spec->committed);
    if (spec->writer) TRY(writer_lock(r, spec->dir));
    if (spec->committed)
        TRY(rows_load(r, spec->committed));
    else
        TRY(view_new(r, (FileMap){STR(""), NULL}, 0, &r->view));
    if (spec->writer && spec->committed == 0) TRY(index_file_create(r->rows_path, &r->head));
    if (spec->writer) TRY(writer_ready(r));
    return rows_gone_load(r, r->view);
}

void rows_close(Rows *r) {
    assert(!r->view || r->view->refs == 1); /* no search may be under way */
    view_free(r->view);
    file_append_close(&r->rows_file);
    file_append_close(&r->gone_file);
    file_unlock(&r->lock_fd);
    free(r->buffer);
    free(r->blocks);
    (void)pthread_mutex_destroy(&r->lock);
}

Err rows_open(Rows *r, const VecSpec *spec, const char *tag, IndexDtype dtype, size_t item_bytes) {
    *r = (Rows){.writer = spec->writer, .lock_fd = -1, .rows_file.fd = -1, .gone_file.fd = -1};
    (void)pthread_mutex_init(&r->lock, NULL);
    r->head = (IndexHead){.dim = (uint32_t)spec->dim,
                          .dtype = dtype,
                          .item_bytes = (uint32_t)item_bytes,
                          .model = spec->model,
                          .generation = spec->generation};
    r->gone_head = r->head;
    memcpy(r->head.kind, tag, strnlen(tag, sizeof r->head.kind - 1));
    memcpy(r->gone_head.kind, "gone", 5);
    r->gone_head.dtype = INDEX_U32;
    r->gone_head.item_bytes = sizeof(uint32_t);
    Err err = files_open(r, spec);
    if (err) rows_close(r);
    return err;
}

/* ---- adding ---- */

static Err still_whole(const Rows *r) {
    if (!r->broken) return ERR_OK;
    return err_set(ERR_IO, "writing '%s' failed before: open it again", r->rows_path);
}

static Err block_flush(Rows *r) {
    IndexBlock b;
    if (r->pending == 0) return ERR_OK;
    Err err = index_block_append(&r->rows_file, &r->head, r->buffer, r->written, r->pending, &b);
    if (!err) err = block_note(r, &b);
    if (err) {
        r->broken = true;
        return err;
    }
    r->written += r->pending;
    r->pending = 0;
    return ERR_OK;
}

Err rows_append(Rows *r, const void *items, size_t n, uint32_t *first) {
    TRY(still_whole(r));
    const uint8_t *from = items;
    uint32_t have = r->written + r->pending;
    if (n > ROWS_MAX - have)
        return err_set(ERR_LIMIT, "'%s' has %u rows and cannot take %zu more", r->rows_path, have, n);
    *first = have;
    size_t item_bytes = r->head.item_bytes;
    while (n > 0) {
        if (r->pending == ROWS_BLOCK) TRY(block_flush(r));
        size_t take = ROWS_BLOCK - r->pending < n ? ROWS_BLOCK - r->pending : n;
        memcpy(r->buffer + INDEX_BLOCK_HEAD + r->pending * item_bytes, from, take * item_bytes);
        r->pending += (uint32_t)take;
        from += take * item_bytes;
        n -= take;
    }
    return ERR_OK;
}

/* The next view: a map of the longer file, and the bits that the last one gained. Only the writer's thread comes here,
 * and the writer alone sets bits of `gone`; bits of `checked` that a search sets meanwhile are set again later. */
static Err view_renew(Rows *r) {
    RowsView *next, *old = r->view;
    FileMap map = {STR(""), NULL};
    TRY(file_map(r->rows_path, &map));
    Err err = view_new(r, map, r->written, &next);
    if (err) file_unmap(&map);
    if (err) return err;
    for (size_t i = 0; i < old->n_blocks / 64 + 1; i++) atomic_store(&next->checked[i], atomic_load(&old->checked[i]));
    for (size_t i = 0; i < (size_t)old->rows / 64 + 1; i++) atomic_store(&next->gone[i], atomic_load(&old->gone[i]));
    atomic_store(&next->n_gone, atomic_load(&old->n_gone));
    (void)pthread_mutex_lock(&r->lock);
    r->view = next;
    (void)pthread_mutex_unlock(&r->lock);
    rows_drop(r, old);
    return ERR_OK;
}

Err rows_sync(Rows *r, uint32_t *rows) {
    TRY(still_whole(r));
    TRY(block_flush(r));
    if (r->view->rows != r->written) {
        Err err = file_append_sync(&r->rows_file);
        if (err) r->broken = true; /* after a failed sync nobody can tell what is on disk */
        if (err) return err;
        TRY(view_renew(r));
    }
    *rows = r->written;
    return ERR_OK;
}

Err rows_replaced(Rows *r, const IndexHead *head) {
    FileMap map = {STR(""), NULL};
    uint32_t rows = r->view->rows;
    r->broken = true; /* until all of it has gone well */
    r->head = *head;
    r->n_blocks = 0;
    file_append_close(&r->rows_file);
    free(r->buffer);
    r->buffer = NULL;
    TRY(file_map(r->rows_path, &map));
    Err err = blocks_scan(r, map.bytes, rows);
    file_unmap(&map);
    if (err) return err;
    TRY(writer_ready(r));
    TRY(view_renew(r));
    r->broken = false;
    return ERR_OK;
}

/* ---- looking ---- */

Err rows_has(const Rows *r, const RowsView *v, uint32_t slot) {
    if (slot < v->rows) return ERR_OK;
    return err_set(ERR_INPUT, "'%s' has no slot %u: it has %u rows", r->rows_path, slot, v->rows);
}

void rows_stats(const Rows *r, VecStats *out) {
    RowsView *v = rows_hold(r);
    FileInfo gone;
    out->rows = v->rows;
    out->removed = atomic_load(&v->n_gone);
    out->bytes = v->n_blocks ? (int64_t)index_block_end(&v->blocks[v->n_blocks - 1]) : 0;
    if (file_info(r->gone_path, true, &gone) == ERR_OK && gone.type == FILE_REGULAR) out->bytes += gone.size;
    rows_drop(r, v);
}

Err rows_check(const Rows *r, RowsUnfit unfit, const void *ctx, Buf *report) {
    RowsView *v = rows_hold(r);
    size_t findings = 0;
    for (size_t b = 0; b < v->n_blocks; b++) {
        if (index_block_verify(v->map.bytes, r->rows_path, b, &v->blocks[b])) {
            buf_printf(report, "%s\n", err_text());
            findings++;
            continue;
        }
        for (uint32_t slot = v->spans[b].first; unfit && slot < v->spans[b].end; slot++) {
            const char *what = unfit(ctx, v->spans[b].items + (size_t)(slot - v->spans[b].first) * v->item_bytes);
            if (!what) continue;
            buf_printf(report, "index file '%s': row %u %s\n", r->rows_path, slot, what);
            findings++;
        }
    }
    rows_drop(r, v);
    if (findings == 0) return ERR_OK;
    return err_fix(err_set(ERR_CORRUPT, "%zu findings in index file '%s'", findings, r->rows_path), INDEX_FILE_FIX);
}
