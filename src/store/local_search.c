/* local_search.c - chunks by slot, by id and by document, and the counts of `status`. */
#include "store/local.h"

#include "base/file.h"

/* ---- slots ---- */

/* Sets the bits of the slots a statement gives. A slot beyond the index is an uncommitted or foreign row: no bit. */
static Err bits_set(LocalStore *l, sqlite3_stmt *st, uint64_t *bits, uint32_t rows, size_t *count) {
    bool row = false;
    Err err = ERR_OK;
    while (!(err = sql_next(l, st, &row)) && row) {
        const int64_t slot = sqlite3_column_int64(st, 0);
        if (slot < 0 || slot >= rows) continue;
        const uint64_t bit = UINT64_C(1) << (slot % 64);
        *count += !(bits[slot / 64] & bit);
        bits[slot / 64] |= bit;
    }
    sql_done(st);
    return err;
}

static Err slots(LocalStore *l, Arena *a, int64_t collection, int64_t model, const Filter *filter, uint64_t *bits,
                 uint32_t rows, size_t *count) {
    ChunkSet set;
    sqlite3_stmt *st = NULL;
    TRY(chunk_set_of(l, a, collection, filter, &set));
    if (set.all) {
        TRY(local_use(l, SQL_SLOTS_OF_ALL, &st, SQL_VALUES(sql_int(collection), sql_int(model))));
        return bits_set(l, st, bits, rows, count);
    }
    for (size_t i = 0; i < set.n; i++) {
        TRY(local_use(l, SQL_SLOTS_OF_RANGE, &st,
                      SQL_VALUES(sql_int(collection), sql_int(model), sql_int(set.ranges[i].first),
                                 sql_int(set.ranges[i].end - 1))));
        TRY(bits_set(l, st, bits, rows, count));
    }
    return ERR_OK;
}

Err local_slots(Store *s, int64_t collection, const Sha256 *model, const Filter *filter, uint64_t *bits, uint32_t rows,
                size_t *count) {
    LocalStore *l = local_of(s);
    *count = 0;
    if (rows) memset(bits, 0, ((size_t)rows + 63) / 64 * sizeof *bits);
    Arena scratch = {0};
    bool own = false;
    int64_t model_id = 0;
    TRY(local_read_begin(l, &own));
    Err err = model_find(l, model, &model_id);
    if (!err && model_id) err = slots(l, &scratch, collection, model_id, filter, bits, rows, count);
    local_read_end(l, own);
    arena_free(&scratch);
    return err;
}

typedef struct {
    int64_t chunk;
    size_t slot_at; /* in the caller's list */
} SlotChunk;

static Err slot_chunks(LocalStore *l, Arena *a, int64_t collection, int64_t model, const Filter *filter,
                       const uint32_t *list, size_t n, Buf *out /* SlotChunk each */) {
    ChunkSet set;
    TRY(chunk_set_of(l, a, collection, filter, &set));
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *st = NULL;
        bool row = false;
        size_t at = 0;
        Err err = local_use(l, SQL_SLOT_CHUNKS, &st, SQL_VALUES(sql_int(collection), sql_int(model), sql_int(list[i])));
        while (!err && !(err = sql_next(l, st, &row)) && row) {
            const SlotChunk found = {sqlite3_column_int64(st, 0), i};
            if (chunk_set_has(&set, found.chunk, &at)) buf_add_bytes(out, &found, sizeof found);
        }
        sql_done(st);
        if (err) return err;
    }
    return buf_ok(out);
}

Err local_slot_chunks(Store *s, Arena *a, int64_t collection, const Sha256 *model, const Filter *filter,
                      const uint32_t *list, size_t n, int64_t **out_ids, size_t **out_slots, size_t *n_out) {
    LocalStore *l = local_of(s);
    Arena scratch = {0};
    Buf found = {0};
    bool own = false;
    int64_t model_id = 0;
    TRY(local_read_begin(l, &own));
    Err err = model_find(l, model, &model_id);
    if (!err && model_id) err = slot_chunks(l, &scratch, collection, model_id, filter, list, n, &found);
    local_read_end(l, own);
    arena_free(&scratch);
    if (!err) {
        const SlotChunk *rows = (const SlotChunk *)(const void *)found.p;
        *n_out = found.n / sizeof *rows;
        *out_ids = arena_array(a, int64_t, *n_out);
        *out_slots = arena_array(a, size_t, *n_out);
        const bool have = *out_ids && *out_slots;
        if (!have) err = arena_error();
        for (size_t i = 0; have && i < *n_out; i++) {
            (*out_ids)[i] = rows[i].chunk;
            (*out_slots)[i] = rows[i].slot_at;
        }
    }
    buf_free(&found);
    return err;
}

Err local_chunk_slot(Store *s, int64_t collection, const Sha256 *model, int64_t chunk_id, uint32_t *slot) {
    LocalStore *l = local_of(s);
    int64_t model_id = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(model_find(l, model, &model_id));
    TRY(local_use(l, SQL_CHUNK_SLOT, &st, SQL_VALUES(sql_int(collection), sql_int(model_id), sql_int(chunk_id))));
    TRY(sql_next(l, st, &row));
    if (!row)
        return err_fix(err_set(ERR_NO_INDEX, "chunk %lld has no vector yet", (long long)chunk_id), "pythia index");
    const int64_t number = sqlite3_column_int64(st, 0);
    sql_done(st);
    if (number < 0 || number > UINT32_MAX) return local_damaged(l, "an embedding has slot %lld", (long long)number);
    *slot = (uint32_t)number;
    return ERR_OK;
}

/* ---- chunks ---- */

static Err chunk_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreChunk *out) {
    *out = (StoreChunk){
        .chunk_id = sqlite3_column_int64(st, 0),
        .doc_id = sqlite3_column_int64(st, 1),
        .uri = column_str_in(st, 2, a),
        .path = column_str_in(st, 3, a),
        .title = column_str_in(st, 4, a),
        .lang = column_str_in(st, 5, a),
        .symbol = column_str_in(st, 6, a),
        .kind = column_str_in(st, 7, a),
        .heading = column_str_in(st, 8, a),
        .names = column_str_in(st, 20, a),
        .meta = column_str_in(st, 21, a),
        .start = sqlite3_column_int64(st, 9),
        .end = sqlite3_column_int64(st, 10),
        .start_line = sqlite3_column_int(st, 11),
        .end_line = sqlite3_column_int(st, 12),
        .page = sqlite3_column_int(st, 13),
        .size = sqlite3_column_int64(st, 16),
        .mtime_ns = sqlite3_column_int64(st, 17),
        .has_text = sqlite3_column_int(st, 18) != 0,
    };
    if (!out->uri.p || !out->path.p || !out->title.p || !out->lang.p || !out->symbol.p || !out->kind.p ||
        !out->heading.p || !out->names.p || !out->meta.p) {
        return arena_error();
    }
    if (out->start < 0 || out->start > out->end) {
        return local_damaged(l, "chunk %lld spans bytes %lld to %lld", (long long)out->chunk_id, (long long)out->start,
                             (long long)out->end);
    }
    TRY(column_bytes(l, st, 14, out->hash.bytes, sizeof out->hash.bytes));
    return column_bytes(l, st, 15, out->doc_sha256.bytes, sizeof out->doc_sha256.bytes);
}

Err local_chunk(Store *s, Arena *a, int64_t chunk_id, int64_t *collection, StoreChunk *out) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_CHUNK_BY_ID, &st, SQL_VALUES(sql_int(chunk_id))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_set(ERR_NO_DOCUMENT, "no chunk with id %lld", (long long)chunk_id);
    const Err err = chunk_of_row(l, a, st, out);
    if (collection) *collection = sqlite3_column_int64(st, 19);
    sql_done(st);
    return err;
}

Err local_chunk_prior(Store *s, int64_t chunk_id, float *prior) {
    int64_t thousandths = 0;
    TRY(local_number(local_of(s), SQL_CHUNK_PRIOR, &thousandths, SQL_VALUES(sql_int(chunk_id))));
    *prior = thousandths > 0 && thousandths < 1000 ? (float)thousandths / 1000.0f : 1.0f;
    return ERR_OK;
}

Err local_chunk_holding(Store *s, int64_t doc, int64_t at, int64_t *chunk_id) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_CHUNK_HOLDING, &st, SQL_VALUES(sql_int(doc), sql_int(at))));
    const Err err = sql_next(l, st, &row);
    *chunk_id = !err && row ? sqlite3_column_int64(st, 0) : 0;
    sql_done(st);
    return err;
}

Err local_chunks_of(Store *s, Arena *a, int64_t doc, StoreChunk **out, size_t *n) {
    LocalStore *l = local_of(s);
    *out = NULL;
    *n = 0;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_CHUNKS_OF, &st, SQL_VALUES(sql_int(doc)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        if (*n == cap) {
            cap = cap ? 2 * cap : 16;
            StoreChunk *grown = arena_array(a, StoreChunk, cap);
            if (!grown) {
                err = arena_error();
                break;
            }
            if (*n) memcpy(grown, *out, *n * sizeof **out);
            *out = grown;
        }
        err = chunk_of_row(l, a, st, &(*out)[*n]);
        ++*n;
    }
    sql_done(st);
    return err;
}

/* ---- counts ---- */

static Err counts_of_rows(LocalStore *l, int64_t collection, const Sha256 *model, StoreCounts *out) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    int64_t model_id = 0;
    TRY(local_use(l, SQL_COUNT_DOCS, &st, SQL_VALUES(sql_int(collection))));
    TRY(sql_next(l, st, &row));
    if (row) {
        out->documents = sqlite3_column_int64(st, 0);
        out->skipped = sqlite3_column_int64(st, 1);
        out->failed = sqlite3_column_int64(st, 2);
        out->chunks = sqlite3_column_int64(st, 3);
        out->text_bytes = sqlite3_column_int64(st, 4);
        out->skimmed = sqlite3_column_int64(st, 5);
        out->pending = sqlite3_column_int64(st, 6);
        out->pending_files = sqlite3_column_int64(st, 7);
        sql_done(st);
    }
    int64_t of_model = 0;
    TRY(local_number(l, SQL_COLLECTION_HAS_MODEL, &of_model,
                     SQL_VALUES(sql_int(collection), sql_blob(model->bytes, sizeof model->bytes))));
    out->embedded = out->chunks - out->pending;
    if (of_model) return ERR_OK;
    TRY(model_find(l, model, &model_id));
    TRY(local_number(l, SQL_COUNT_PENDING_FILES, &out->pending_files,
                     SQL_VALUES(sql_int(collection), sql_int(model_id))));
    TRY(local_number(l, SQL_COUNT_EMBEDDED, &out->embedded, SQL_VALUES(sql_int(collection), sql_int(model_id))));
    out->pending = out->chunks - out->embedded;
    return ERR_OK;
}

/* The database and its log. */
static Err bytes_on_disk(const LocalStore *l, int64_t *out) {
    Arena a = {0};
    FileInfo db = {0}, log = {0};
    const Str name = arena_printf(&a, "%s-wal", l->file);
    Err err = name.p ? file_info(name.p, true, &log) : arena_error();
    if (!err) err = file_info(l->file, true, &db);
    arena_free(&a);
    *out = db.size + log.size;
    return err;
}

/* Every search asks for them, and seldom has anything changed since the last one: 0.02 ms instead of a look at each
 * document. Not inside of a caller's transaction, which may be rolled back. */
static Err counts_remembered(LocalStore *l, int64_t collection, const Sha256 *model, StoreCounts *out) {
    const int64_t changes = sqlite3_total_changes64(l->db);
    int64_t version = 0;
    LocalCounted *place = NULL;
    TRY(local_number(l, SQL_DATA_VERSION, &version, NULL, 0));
    for (size_t i = 0; i < LOCAL_COUNTED && !place; i++) {
        LocalCounted *c = &l->counted[i];
        if (c->collection == collection && memcmp(&c->model, model, sizeof *model) == 0) place = c;
    }
    if (place && place->version == version && place->changes == changes) {
        *out = place->counts;
        return ERR_OK;
    }
    TRY(counts_of_rows(l, collection, model, out));
    if (!place) place = &l->counted[l->counted_next++ % LOCAL_COUNTED];
    *place = (LocalCounted){collection, *model, version, changes, *out};
    return ERR_OK;
}

Err local_counts(Store *s, int64_t collection, const Sha256 *model, StoreCounts *out) {
    LocalStore *l = local_of(s);
    *out = (StoreCounts){0};
    bool own = false;
    TRY(local_read_begin(l, &own));
    Err err = own ? counts_remembered(l, collection, model, out) : counts_of_rows(l, collection, model, out);
    local_read_end(l, own);
    return err ? err : bytes_on_disk(l, &out->db_bytes);
}
