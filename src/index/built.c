/* built.c - see built.h. */
#include "index/built.h"

#include <stdio.h>
#include <stdlib.h>

enum { UNIT = 64, DIRECTORY = 128 }; /* bytes of an item; of the first block before the parts' sizes */

static size_t units(size_t bytes) { return (bytes + UNIT - 1) / UNIT; }

static Err damaged(const BuiltFile *f, const char *what) {
    return err_fix(err_set(ERR_CORRUPT, "index file '%s' is damaged: %s", f->path, what), INDEX_FILE_FIX);
}

/* ---- reading ---- */

typedef struct {
    const BuiltFile *f;
    Str file;
    IndexHead head;
    uint64_t at, first; /* of the block that comes next */
    size_t number;
} Walk;

static Err block_next(Walk *w, const uint8_t **bytes, size_t *n) {
    IndexBlock b;
    TRY(index_block_read(w->file, w->f->path, &w->head, w->number, w->at, w->first, &b));
    TRY(index_block_verify(w->file, w->f->path, w->number, &b));
    *bytes = (const uint8_t *)w->file.p + b.at + INDEX_BLOCK_HEAD;
    *n = (size_t)b.items * UNIT;
    w->at = index_block_end(&b);
    w->first += b.items;
    w->number++;
    return ERR_OK;
}

static Err parts_read(const BuiltFile *f, Built *b) {
    Walk w = {.f = f, .file = b->map.bytes, .at = INDEX_HEAD_BYTES};
    const uint8_t *directory;
    size_t n;
    uint32_t head[2];
    TRY(index_head_read(w.file, f->path, &w.head));
    TRY(index_head_expect(&w.head, &f->head, f->path));
    TRY(block_next(&w, &directory, &n));
    memcpy(head, directory, sizeof head);
    b->rows = head[0];
    b->n_parts = head[1];
    if (n < DIRECTORY || b->n_parts > BUILT_PARTS || n < DIRECTORY + 8 * b->n_parts)
        return damaged(f, "its directory is too short");
    memcpy(b->words, directory + UNIT, sizeof b->words);
    for (size_t i = 0; i < b->n_parts; i++) {
        uint64_t bytes;
        memcpy(&bytes, directory + DIRECTORY + 8 * i, sizeof bytes);
        b->parts[i] = (BuiltPart){NULL, 0};
        if (bytes == 0) continue;
        const uint8_t *part;
        TRY(block_next(&w, &part, &n));
        if (units((size_t)bytes) != n / UNIT) return damaged(f, "a part is not as long as its directory says");
        b->parts[i] = (BuiltPart){part, (size_t)bytes};
    }
    return w.at == w.file.n ? ERR_OK : damaged(f, "something stands behind its last part");
}

void built_free(Built *b) {
    if (!b) return;
    file_unmap(&b->map);
    free(b);
}

Err built_map(const BuiltFile *f, Built **out) {
    FileInfo info;
    *out = NULL;
    TRY(file_info(f->path, true, &info));
    if (info.type == FILE_NONE) return ERR_OK;
    Built *b = calloc(1, sizeof *b);
    if (!b) return err_set(ERR_NOMEM, "out of memory for an index view");
    b->refs = 1;
    b->map.bytes = STR("");
    Err err = file_map(f->path, &b->map);
    if (!err) err = parts_read(f, b);
    if (err)
        built_free(b);
    else
        *out = b;
    return err;
}

Err built_open(BuiltFile *f, const Rows *rows, const char *tag) {
    *f = (BuiltFile){.head = rows->head};
    (void)pthread_mutex_init(&f->lock, NULL);
    memset(f->head.kind, 0, sizeof f->head.kind);
    memcpy(f->head.kind, tag, strnlen(tag, sizeof f->head.kind - 1));
    f->head.dtype = INDEX_U32;
    f->head.item_bytes = UNIT;
    Err err = vec_path(rows->dir, rows->head.generation, "built", f->path, sizeof f->path);
    if (!err && rows->view->rows) err = built_map(f, &f->now);
    bool stale = rows->view->rows == 0 || (f->now && f->now->rows > rows->view->rows);
    if (!err && rows->writer && stale) {
        built_free(f->now);
        f->now = NULL;
        err = file_remove(f->path);
    }
    if (err) built_close(f);
    return err;
}

void built_close(BuiltFile *f) {
    built_free(f->now);
    f->now = NULL;
    (void)pthread_mutex_destroy(&f->lock);
}

Built *built_hold(const BuiltFile *f) {
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&f->lock; /* const to callers: searching changes no answer */
    (void)pthread_mutex_lock(lock);
    Built *b = f->now;
    if (b) b->refs++;
    (void)pthread_mutex_unlock(lock);
    return b;
}

void built_drop(const BuiltFile *f, Built *b) {
    if (!b) return;
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&f->lock;
    (void)pthread_mutex_lock(lock);
    bool last = --b->refs == 0;
    (void)pthread_mutex_unlock(lock);
    if (last) built_free(b);
}

Err built_expect(const BuiltFile *f, const Built *b, size_t i, size_t n) {
    if (i < b->n_parts && b->parts[i].n == n) return ERR_OK;
    return damaged(f, "a part has another length than its kind asks for");
}

Err built_check(const BuiltFile *f, Buf *report) {
    Built *b = NULL;
    Err err = built_map(f, &b);
    if (err) buf_printf(report, "%s\n", err_text());
    built_free(b);
    return err;
}

/* ---- writing ---- */

typedef struct {
    FileAppend file;
    IndexHead head;
    uint64_t first;
} Write;

static Err block_put(Write *w, const void *bytes, size_t n) {
    IndexBlock b;
    size_t items = units(n);
    if (items > UINT32_MAX) return err_set(ERR_LIMIT, "an index part of %zu bytes is too large", n);
    uint8_t *buffer = calloc(1, index_block_bytes(items, UNIT));
    if (!buffer) return err_set(ERR_NOMEM, "out of memory for an index part of %zu bytes", n);
    memcpy(buffer + INDEX_BLOCK_HEAD, bytes, n);
    Err err = index_block_append(&w->file, &w->head, buffer, w->first, (uint32_t)items, &b);
    w->first += items;
    free(buffer);
    return err;
}

static Err all_put(Write *w, uint32_t rows, const uint32_t *words, const BuiltPart *parts, size_t n_parts) {
    TRY(file_append_truncate(&w->file, 0)); /* what a kill left there */
    TRY(index_head_append(&w->file, &w->head));
    uint8_t directory[DIRECTORY + 8 * BUILT_PARTS] = {0};
    const uint32_t head[2] = {rows, (uint32_t)n_parts};
    memcpy(directory, head, sizeof head);
    memcpy(directory + UNIT, words, BUILT_WORDS * sizeof *words);
    for (size_t i = 0; i < n_parts; i++) {
        uint64_t bytes = parts[i].n;
        memcpy(directory + DIRECTORY + 8 * i, &bytes, sizeof bytes);
    }
    TRY(block_put(w, directory, DIRECTORY + 8 * n_parts));
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].n) TRY(block_put(w, parts[i].bytes, parts[i].n));
    return file_append_sync(&w->file);
}

Err built_put(const BuiltFile *f, uint32_t rows, const uint32_t words[BUILT_WORDS], const BuiltPart *parts,
              size_t n_parts) {
    char beside[1024 + 8];
    Write w = {.file = {.fd = -1}, .head = f->head};
    (void)snprintf(beside, sizeof beside, "%s.new", f->path);
    Err err = file_append_open(beside, &w.file);
    if (!err) err = all_put(&w, rows, words, parts, n_parts);
    file_append_close(&w.file);
    if (!err) err = file_move(beside, f->path);
    if (!err) return ERR_OK;
    ErrInfo told;
    err_save(&told, err);
    if (file_remove(beside)) err = told.code; /* what is left there is written over by the next build */
    return err_restore(&told);
}

Err built_write(BuiltFile *f, uint32_t rows, const uint32_t words[BUILT_WORDS], const BuiltPart *parts,
                size_t n_parts) {
    Built *next = NULL;
    TRY(built_put(f, rows, words, parts, n_parts));
    TRY(file_sync_dir_of(f->path));
    TRY(built_map(f, &next));
    (void)pthread_mutex_lock(&f->lock);
    Built *old = f->now;
    f->now = next;
    (void)pthread_mutex_unlock(&f->lock);
    built_drop(f, old);
    return ERR_OK;
}
