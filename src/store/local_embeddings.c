/* local_embeddings.c - which vector stands in which slot of a collection's index. Rows are keyed by (collection, model,
 * hash of the text), never by chunk: a chunk that moves, is copied or comes back costs no embedding, and another
 * model's rows stand beside.
 */
#include "store/local.h"

Err model_find(LocalStore *l, const Sha256 *model, int64_t *id) {
    if (l->model_known && memcmp(l->model.bytes, model->bytes, sizeof model->bytes) == 0) {
        *id = l->model_id;
        return ERR_OK;
    }
    TRY(local_number(l, SQL_MODEL_FIND, id, SQL_VALUES(sql_blob(model->bytes, sizeof model->bytes))));
    /* "Not there" is not remembered: another process may put it there. */
    l->model_known = *id != 0;
    l->model = *model;
    l->model_id = *id;
    return ERR_OK;
}

static Err model_make(LocalStore *l, const Sha256 *model, int64_t *id) {
    TRY(model_find(l, model, id));
    if (*id) return ERR_OK;
    TRY(local_run(l, SQL_MODEL_INSERT, SQL_VALUES(sql_blob(model->bytes, sizeof model->bytes))));
    *id = sqlite3_last_insert_rowid(l->db);
    return ERR_OK;
}

Err local_newest(Store *s, int64_t collection, int64_t *out, size_t cap, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    *n = 0;
    TRY(local_use(l, SQL_DOC_NEWEST, &st, SQL_VALUES(sql_int(collection), sql_int((int64_t)cap))));
    Err err = ERR_OK;
    while (*n < cap && !(err = sql_next(l, st, &row)) && row) out[(*n)++] = sqlite3_column_int64(st, 0);
    sql_done(st);
    return err;
}

Err local_pending(Store *s, int64_t collection, const Sha256 *model, int64_t doc, int64_t after, StorePending *out,
                  size_t cap, size_t *n) {
    LocalStore *l = local_of(s);
    *n = 0;
    int64_t model_id = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(model_find(l, model, &model_id));
    const SqlValue values[] = {sql_int(collection), sql_int(model_id), sql_int(after), sql_int((int64_t)cap),
                               sql_int(doc)};
    Err err = local_use(l, doc ? SQL_PENDING_OF : SQL_PENDING, &st, values, doc ? 5 : 4);
    while (!err && *n < cap && !(err = sql_next(l, st, &row)) && row) {
        out[*n].chunk = sqlite3_column_int64(st, 0);
        if ((err = column_bytes(l, st, 1, out[*n].hash.bytes, sizeof out[*n].hash.bytes))) break;
        ++*n;
    }
    sql_done(st);
    return err;
}

static Err embedding_put(LocalStore *l, int64_t collection, int64_t model, const ChunkHash *hash, uint32_t slot) {
    int64_t had = 0;
    const SqlValue values[] = {sql_int(collection), sql_int(model), sql_blob(hash->bytes, sizeof hash->bytes),
                               sql_int(slot)};
    TRY(local_number(l, SQL_EMBEDDING_HAS, &had, values, 3));
    TRY(local_run(l, SQL_EMBEDDING_PUT, values, 4));
    return had ? ERR_OK : pending_lose(l, collection, model, hash);
}

Err local_embedding_put(Store *s, int64_t collection, const Sha256 *model, const ChunkHash *hash, uint32_t slot) {
    LocalStore *l = local_of(s);
    int64_t model_id = 0;
    TRY(local_write_begin(l));
    Err err = model_make(l, model, &model_id);
    if (!err) err = embedding_put(l, collection, model_id, hash, slot);
    return local_write_end(l, err);
}

/* A slot as the table has it: 32 bits, or the table is damaged. */
static Err slot_of(LocalStore *l, int64_t number, uint32_t *slot) {
    if (number < 0 || number > UINT32_MAX) return local_damaged(l, "an embedding has slot %lld", (long long)number);
    *slot = (uint32_t)number;
    return ERR_OK;
}

Err local_embedding_find(Store *s, const Sha256 *model, const ChunkHash *hash, bool *found, int64_t *collection,
                         uint32_t *slot) {
    LocalStore *l = local_of(s);
    int64_t model_id = 0;
    sqlite3_stmt *st = NULL;
    *found = false;
    TRY(model_find(l, model, &model_id));
    if (!model_id) return ERR_OK;
    TRY(local_use(l, SQL_EMBEDDING_FIND, &st,
                  SQL_VALUES(sql_int(model_id), sql_blob(hash->bytes, sizeof hash->bytes))));
    TRY(sql_next(l, st, found));
    if (!*found) return ERR_OK;
    *collection = sqlite3_column_int64(st, 0);
    const Err err = slot_of(l, sqlite3_column_int64(st, 1), slot);
    sql_done(st);
    return err;
}

static Err sweep(LocalStore *l, Arena *a, int64_t collection, StoreSwept **out, size_t *n) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    Buf found = {0}; /* StoreSwept each */
    Err err = local_use(l, SQL_EMBEDDING_SWEEP, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        StoreSwept e = {0};
        err = slot_of(l, sqlite3_column_int64(st, 0), &e.slot);
        if (!err) err = column_bytes(l, st, 1, e.hash.bytes, sizeof e.hash.bytes);
        buf_add_bytes(&found, &e, sizeof e);
    }
    sql_done(st);
    if (!err) err = buf_ok(&found);
    if (!err) {
        *n = found.n / sizeof **out;
        *out = arena_array(a, StoreSwept, *n);
        if (!*out)
            err = arena_error();
        else if (*n)
            memcpy(*out, found.p, found.n);
    }
    buf_free(&found);
    return err;
}

Err local_embedding_sweep(Store *s, Arena *a, int64_t collection, StoreSwept **out, size_t *n) {
    LocalStore *l = local_of(s);
    *out = NULL;
    *n = 0;
    TRY(local_write_begin(l));
    return local_write_end(l, sweep(l, a, collection, out, n));
}

Err local_embedding_clear(Store *s, int64_t collection) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    Err err = local_run(l, SQL_COLLECTION_DELETE_EMBEDDINGS, SQL_VALUES(sql_int(collection)));
    if (!err) err = pending_of_collection(l, collection);
    return local_write_end(l, err);
}

/* ---- remapping ---- */

typedef struct {
    int64_t model;
    ChunkHash hash;
    uint32_t slot;
} EmbeddingRow;

static Err rows_read(LocalStore *l, int64_t collection, Buf *out /* EmbeddingRow each */) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_EMBEDDING_LIST, &st, SQL_VALUES(sql_int(collection)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        EmbeddingRow e = {.model = sqlite3_column_int64(st, 0)};
        err = column_bytes(l, st, 1, e.hash.bytes, sizeof e.hash.bytes);
        if (!err) err = slot_of(l, sqlite3_column_int64(st, 2), &e.slot);
        if (!err) buf_add_bytes(out, &e, sizeof e);
    }
    sql_done(st);
    return err ? err : buf_ok(out);
}

static Err row_move(LocalStore *l, int64_t collection, const EmbeddingRow *e, uint32_t to) {
    const SqlValue hash = sql_blob(e->hash.bytes, sizeof e->hash.bytes);
    if (to == e->slot) return ERR_OK;
    if (to == UINT32_MAX) {
        return local_run(l, SQL_EMBEDDING_DELETE, SQL_VALUES(sql_int(collection), sql_int(e->model), hash));
    }
    return local_run(l, SQL_EMBEDDING_MOVE, SQL_VALUES(sql_int(collection), sql_int(e->model), hash, sql_int(to)));
}

static Err remap(LocalStore *l, int64_t collection, const uint32_t *map, size_t n) {
    Buf rows = {0};
    Err err = rows_read(l, collection, &rows); /* first all: a moved row would be met again */
    const EmbeddingRow *e = (const EmbeddingRow *)(const void *)rows.p;
    bool lost = false;
    for (size_t i = 0; !err && i < rows.n / sizeof *e; i++) {
        const uint32_t to = e[i].slot < n ? map[e[i].slot] : UINT32_MAX;
        lost |= to == UINT32_MAX;
        err = row_move(l, collection, &e[i], to);
    }
    buf_free(&rows);
    return !err && lost ? pending_of_collection(l, collection) : err;
}

Err local_embedding_remap(Store *s, int64_t collection, const uint32_t *map, size_t n) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, remap(l, collection, map, n));
}
