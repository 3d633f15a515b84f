/* flat.c - the flat kind: rows of f32, every one compared, exact. Opening, adding and closing; searching is in
 * flat_search.c, removed slots in flat_gone.c.
 *
 * Flat is the ground truth that other kinds are tested against, and the right kind as long as a scan is fast enough:
 * 100,000 rows of 384 floats are 154 MB, which is what the memory delivers in some 10 ms.
 *
 * A writer fills a block in memory and appends it whole with one write. vec_sync ends the block, however short, so that
 * the committed count always falls between two blocks: nothing of the file is ever written twice, and a torn write can
 * only lie behind what is committed. Rows between vec_add and vec_sync are seen by nobody.
 */
#include "index/flat.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static Err memory_out(const char *what) { return err_set(ERR_NOMEM, "out of memory for %s", what); }

/* ---- views ---- */

static void view_free(FlatView *v) {
    if (!v) return;
    file_unmap(&v->map);
    free(v->blocks);
    free(v->checked);
    free(v->gone);
    free(v);
}

/* A view without map and bits; blocks are copied. */
static Err view_new(const IndexBlock *blocks, size_t n_blocks, uint32_t rows, FlatView **out) {
    FlatView *v = calloc(1, sizeof *v);
    if (!v) return memory_out("an index view");
    v->map.bytes = STR("");
    v->rows = rows;
    v->n_blocks = n_blocks;
    v->refs = 1;
    v->blocks = malloc((n_blocks ? n_blocks : 1) * sizeof *v->blocks);
    v->checked = calloc(n_blocks / 64 + 1, sizeof *v->checked);
    v->gone = calloc((size_t)rows / 64 + 1, sizeof *v->gone);
    if (!v->blocks || !v->checked || !v->gone) {
        view_free(v);
        return memory_out("an index view");
    }
    if (n_blocks) memcpy(v->blocks, blocks, n_blocks * sizeof *blocks);
    *out = v;
    return ERR_OK;
}

FlatView *flat_view_hold(const FlatIndex *ix) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&ix->lock; /* const to callers: searching changes no answer */
    (void)pthread_mutex_lock(lock);
    FlatView *v = ix->view;
    v->refs++;
    (void)pthread_mutex_unlock(lock);
    return v;
}

void flat_view_drop(const FlatIndex *ix, FlatView *v) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&ix->lock;
    (void)pthread_mutex_lock(lock);
    bool last = --v->refs == 0;
    (void)pthread_mutex_unlock(lock);
    if (last) view_free(v);
}

const float *flat_block_rows(const FlatView *v, const IndexBlock *b) {
    return (const float *)(const void *)(v->map.bytes.p + b->at + INDEX_BLOCK_HEAD);
}

/* Two threads may check the same block at once; both come to the same result. */
Err flat_block_need(const FlatIndex *ix, FlatView *v, size_t number) {
    uint64_t bit = UINT64_C(1) << (number % 64);
    if (atomic_load_explicit(&v->checked[number / 64], memory_order_relaxed) & bit) return ERR_OK;
    TRY(index_block_verify(v->map.bytes, ix->rows_path, number, &v->blocks[number]));
    atomic_fetch_or_explicit(&v->checked[number / 64], bit, memory_order_relaxed);
    return ERR_OK;
}

/* ---- opening ---- */

static Err block_note(FlatIndex *ix, const IndexBlock *b) {
    if (ix->n_blocks == ix->cap_blocks) {
        size_t cap = ix->cap_blocks ? ix->cap_blocks * 2 : 64;
        IndexBlock *more = realloc(ix->blocks, cap * sizeof *more);
        if (!more) return memory_out("an index's directory");
        ix->blocks = more;
        ix->cap_blocks = cap;
    }
    ix->blocks[ix->n_blocks++] = *b;
    return ERR_OK;
}

/* Walks the blocks' headers until they hold `committed` rows. */
static Err blocks_scan(FlatIndex *ix, Str file, uint32_t committed) {
    IndexHead in_file;
    TRY(index_head_read(file, ix->rows_path, &in_file));
    TRY(index_head_expect(&in_file, &ix->head, ix->rows_path));
    ix->head.sum = in_file.sum;
    uint64_t at = INDEX_HEAD_BYTES, rows = 0;
    while (rows < committed) {
        IndexBlock b;
        TRY(index_block_read(file, ix->rows_path, &ix->head, ix->n_blocks, at, rows, &b));
        if (b.items > committed - rows)
            return err_fix(
                err_set(ERR_CORRUPT,
                        "index file '%s' does not fit its store: %u rows are committed, block %zu at byte %llu "
                        "holds rows %llu to %llu",
                        ix->rows_path, committed, ix->n_blocks, (unsigned long long)at, (unsigned long long)rows,
                        (unsigned long long)(rows + b.items - 1)),
                INDEX_FILE_FIX);
        TRY(block_note(ix, &b));
        rows += b.items;
        at = index_block_end(&b);
    }
    ix->written = committed;
    return ERR_OK;
}

static Err rows_load(FlatIndex *ix, uint32_t committed) {
    FileInfo info;
    FileMap map = {{"", 0}, NULL};
    TRY(file_info(ix->rows_path, true, &info));
    if (info.type == FILE_NONE)
        return err_fix(
            err_set(ERR_NO_INDEX, "index file '%s' is missing, its store counts %u rows", ix->rows_path, committed),
            INDEX_FILE_FIX);
    TRY(file_map(ix->rows_path, &map));
    Err err = blocks_scan(ix, map.bytes, committed);
    if (!err) err = view_new(ix->blocks, ix->n_blocks, committed, &ix->view);
    if (err)
        file_unmap(&map);
    else
        ix->view->map = map;
    return err;
}

/* Ready to append behind the last committed block; what a crash left there is cut off. */
static Err writer_ready(FlatIndex *ix) {
    TRY(file_append_open(ix->rows_path, &ix->rows_file));
    uint64_t end = ix->n_blocks ? index_block_end(&ix->blocks[ix->n_blocks - 1]) : INDEX_HEAD_BYTES;
    if ((uint64_t)ix->rows_file.size > end) TRY(file_append_truncate(&ix->rows_file, (int64_t)end));
    ix->buffer = calloc(1, index_block_bytes(FLAT_BLOCK_ROWS, ix->head.item_bytes));
    return ix->buffer ? ERR_OK : memory_out("an index block");
}

static Err writer_lock(FlatIndex *ix, const char *dir) {
    char path[1024 + 16];
    TRY(file_make_dirs(dir, 0755));
    (void)snprintf(path, sizeof path, "%s/writer.lock", dir);
    return file_lock(path, &ix->lock_fd);
}

static Err files_open(FlatIndex *ix, const VecSpec *spec) {
    TRY(vec_path(spec->dir, spec->generation, "rows", ix->rows_path, sizeof ix->rows_path));
    TRY(vec_path(spec->dir, spec->generation, "gone", ix->gone_path, sizeof ix->gone_path));
    memcpy(ix->dir, spec->dir, strlen(spec->dir) + 1);
    if (spec->committed > FLAT_ROWS_MAX) return err_set(ERR_LIMIT, "an index of %u rows is too large", spec->committed);
    if (spec->writer) TRY(writer_lock(ix, spec->dir));
    if (spec->committed)
        TRY(rows_load(ix, spec->committed));
    else
        TRY(view_new(NULL, 0, 0, &ix->view));
    if (spec->writer && spec->committed == 0) TRY(index_file_create(ix->rows_path, &ix->head));
    if (spec->writer) TRY(writer_ready(ix));
    return flat_gone_load(ix, ix->view);
}

static void flat_close(VecIndex *base) {
    FlatIndex *ix = (FlatIndex *)base;
    assert(!ix->view || ix->view->refs == 1); /* no search may be under way */
    view_free(ix->view);
    file_append_close(&ix->rows_file);
    file_append_close(&ix->gone_file);
    file_unlock(&ix->lock_fd);
    free(ix->buffer);
    free(ix->blocks);
    (void)pthread_mutex_destroy(&ix->lock);
    free(ix);
}

static Err flat_open(VecIndex **out, const VecSpec *spec) {
    FlatIndex *ix = calloc(1, sizeof *ix);
    if (!ix) return memory_out("an index");
    (void)pthread_mutex_init(&ix->lock, NULL);
    ix->lock_fd = ix->rows_file.fd = ix->gone_file.fd = -1;
    ix->base = (VecIndex){&flat_kind, spec->dim, spec->writer};
    ix->head = (IndexHead){.kind = "flat",
                           .dim = (uint32_t)spec->dim,
                           .dtype = INDEX_F32,
                           .item_bytes = (uint32_t)(spec->dim * sizeof(float)),
                           .model = spec->model,
                           .generation = spec->generation};
    ix->gone_head = ix->head;
    memcpy(ix->gone_head.kind, "gone", 5);
    ix->gone_head.dtype = INDEX_U32;
    ix->gone_head.item_bytes = sizeof(uint32_t);
    Err err = files_open(ix, spec);
    if (err)
        flat_close(&ix->base);
    else
        *out = &ix->base;
    return err;
}

/* ---- adding ---- */

static Err still_whole(const FlatIndex *ix) {
    if (!ix->broken) return ERR_OK;
    return err_set(ERR_IO, "writing '%s' failed before: open it again", ix->rows_path);
}

static Err block_flush(FlatIndex *ix) {
    IndexBlock b;
    if (ix->pending == 0) return ERR_OK;
    Err err = index_block_append(&ix->rows_file, &ix->head, ix->buffer, ix->written, ix->pending, &b);
    if (!err) err = block_note(ix, &b);
    if (err) {
        ix->broken = true;
        return err;
    }
    ix->written += ix->pending;
    ix->pending = 0;
    return ERR_OK;
}

static Err flat_add(VecIndex *base, const float *rows, size_t n, uint32_t *first) {
    FlatIndex *ix = (FlatIndex *)base;
    TRY(still_whole(ix));
    uint32_t have = ix->written + ix->pending;
    if (n > FLAT_ROWS_MAX - have)
        return err_set(ERR_LIMIT, "'%s' has %u rows and cannot take %zu more", ix->rows_path, have, n);
    *first = have;
    size_t row_bytes = ix->head.item_bytes;
    while (n > 0) {
        if (ix->pending == FLAT_BLOCK_ROWS) TRY(block_flush(ix));
        size_t take = FLAT_BLOCK_ROWS - ix->pending < n ? FLAT_BLOCK_ROWS - ix->pending : n;
        memcpy(ix->buffer + INDEX_BLOCK_HEAD + ix->pending * row_bytes, rows, take * row_bytes);
        ix->pending += (uint32_t)take;
        rows += take * base->dim;
        n -= take;
    }
    return ERR_OK;
}

/* The next view: a map of the longer file, and the bits that the last one gained. Only the writer's thread comes here,
 * and the writer alone sets bits of `gone`; bits of `checked` that a search sets meanwhile are set again later. */
static Err view_renew(FlatIndex *ix) {
    FlatView *next, *old = ix->view;
    TRY(view_new(ix->blocks, ix->n_blocks, ix->written, &next));
    Err err = file_map(ix->rows_path, &next->map);
    if (err) {
        view_free(next);
        return err;
    }
    for (size_t i = 0; i < old->n_blocks / 64 + 1; i++) atomic_store(&next->checked[i], atomic_load(&old->checked[i]));
    for (size_t i = 0; i < (size_t)old->rows / 64 + 1; i++) atomic_store(&next->gone[i], atomic_load(&old->gone[i]));
    atomic_store(&next->n_gone, atomic_load(&old->n_gone));
    (void)pthread_mutex_lock(&ix->lock);
    ix->view = next;
    (void)pthread_mutex_unlock(&ix->lock);
    flat_view_drop(ix, old);
    return ERR_OK;
}

static Err flat_sync(VecIndex *base, uint32_t *rows) {
    FlatIndex *ix = (FlatIndex *)base;
    TRY(still_whole(ix));
    TRY(block_flush(ix));
    if (ix->view->rows != ix->written) {
        Err err = file_append_sync(&ix->rows_file);
        if (err) ix->broken = true; /* after a failed sync nobody can tell what is on disk */
        if (err) return err;
        TRY(view_renew(ix));
    }
    *rows = ix->written;
    return ERR_OK;
}

static void flat_stats(const VecIndex *base, VecStats *out) {
    const FlatIndex *ix = (const FlatIndex *)base;
    FlatView *v = flat_view_hold(ix);
    FileInfo gone;
    out->rows = v->rows;
    out->removed = atomic_load(&v->n_gone);
    out->bytes = v->n_blocks ? (int64_t)index_block_end(&v->blocks[v->n_blocks - 1]) : 0;
    if (file_info(ix->gone_path, true, &gone) == ERR_OK && gone.type == FILE_REGULAR) out->bytes += gone.size;
    flat_view_drop(ix, v);
}

const VecKind flat_kind = {
    .name = "flat",
    .open = flat_open,
    .close = flat_close,
    .add = flat_add,
    .sync = flat_sync,
    .remove = flat_remove,
    .row = flat_row,
    .search = flat_search,
    .check = flat_check,
    .stats = flat_stats,
    .compact = flat_compact,
};
