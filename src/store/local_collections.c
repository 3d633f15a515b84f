/* local_collections.c - collections: their rows, and what is made and removed with them. */
#include "store/local.h"

enum {
    NAMES_SHOWN = 20, /* in the error about a collection that is not there */
};

static Err collection_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreCollection *out) {
    *out = (StoreCollection){
        .id = sqlite3_column_int64(st, 0),
        .name = column_str_in(st, 1, a),
        .root = column_str_in(st, 2, a),
        .describe = column_str_in(st, 3, a),
        .model_name = column_str_in(st, 4, a),
        .dim = sqlite3_column_int64(st, 6),
        .index_kind = column_str_in(st, 7, a),
        .generation = (uint64_t)sqlite3_column_int64(st, 8),
        .created_ms = sqlite3_column_int64(st, 10),
        .updated_ms = sqlite3_column_int64(st, 11),
        .settings = column_str_in(st, 12, a),
        .pending_known = sqlite3_column_type(st, 13) == SQLITE_INTEGER,
        .pending = sqlite3_column_int64(st, 13),
        .pending_files = sqlite3_column_int64(st, 14),
        .lex_generation = (uint64_t)sqlite3_column_int64(st, 15),
        .chunks = sqlite3_column_int64(st, 17),
    };
    if (!out->name.p || !out->settings.p) return arena_error();
    const int64_t rows = sqlite3_column_int64(st, 9);
    if (rows < 0 || rows > UINT32_MAX) return local_damaged(l, "a collection has %lld rows", (long long)rows);
    out->rows = (uint32_t)rows;
    const int64_t words = sqlite3_column_int64(st, 16);
    if (words < 0 || words > UINT32_MAX)
        return local_damaged(l, "a collection has %lld words' numbers", (long long)words);
    out->lex_count = (uint32_t)words;
    return column_bytes(l, st, 5, out->model_id.bytes, sizeof out->model_id.bytes);
}

Err local_collections(Store *s, Arena *a, StoreCollection **out, size_t *n) {
    LocalStore *l = local_of(s);
    *out = NULL;
    *n = 0;
    Err err = ERR_OK;
    size_t cap = 0;
    bool row = false;
    sqlite3_stmt *st = NULL;
    if ((err = local_use(l, SQL_COLLECTIONS, &st, NULL, 0))) goto done;
    while (!(err = sql_next(l, st, &row)) && row) {
        if (*n == cap) {
            cap = cap ? 2 * cap : 8;
            StoreCollection *grown = arena_array(a, StoreCollection, cap);
            if (!grown) {
                err = arena_error();
                goto done;
            }
            if (*n) memcpy(grown, *out, *n * sizeof **out);
            *out = grown;
        }
        if ((err = collection_of_row(l, a, st, &(*out)[*n]))) goto done;
        ++*n;
    }
done:
    sql_done(st);
    return err;
}

/* "no collection 'x'; there are: a, b" */
static Err collection_missing(LocalStore *l, Str name) {
    Buf names = {0};
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_COLLECTION_NAMES, &st, SQL_VALUES(sql_int(NAMES_SHOWN + 1)));
    size_t count = 0;
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        if (count < NAMES_SHOWN) {
            if (count) buf_add_z(&names, ", ");
            buf_add(&names, column_str(st, 0));
        } else {
            buf_add_z(&names, ", …");
        }
        count++;
    }
    sql_done(st);
    if (!err && count == 0) {
        err = err_fix(err_set(ERR_NO_COLLECTION, "no collection '%.*s': nothing is indexed yet", STR_FMT(name)),
                      "pythia index");
    } else if (!err) {
        err = err_fix(err_set(ERR_NO_COLLECTION, "no collection '%.*s'; there are: %.*s", STR_FMT(name),
                              STR_FMT(buf_str(&names))),
                      "pythia collection list");
    }
    buf_free(&names);
    return err;
}

Err local_collection(Store *s, Arena *a, Str name, StoreCollection *out) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_COLLECTION_BY_NAME, &st, SQL_VALUES(sql_text(name))));
    TRY(sql_next(l, st, &row));
    if (!row) return collection_missing(l, name);
    const Err err = collection_of_row(l, a, st, out);
    sql_done(st);
    return err;
}

static Err name_check(LocalStore *l, const StoreCollection *c) {
    if (c->name.n == 0) return err_set(ERR_INPUT, "a collection needs a name");
    int64_t holder = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_COLLECTION_BY_NAME, &st, SQL_VALUES(sql_text(c->name))));
    TRY(sql_next(l, st, &row));
    if (row) holder = sqlite3_column_int64(st, 0);
    sql_done(st);
    if (holder == 0 || holder == c->id) return ERR_OK;
    return err_set(ERR_INPUT, "there is a collection '%.*s' already", STR_FMT(c->name));
}

static Err collection_write(LocalStore *l, StoreCollection *c) {
    TRY(name_check(l, c));
    /* The columns of COLLECTION_INSERT and COLLECTION_UPDATE; the second one has the id behind them. */
    const SqlValue values[] = {
        sql_text(c->name),
        sql_text(c->root),
        sql_text(c->describe),
        sql_text(c->model_name),
        sql_blob(c->model_id.bytes, sizeof c->model_id.bytes),
        sql_int(c->dim),
        sql_text(c->index_kind),
        sql_int((int64_t)c->generation),
        sql_int(c->rows),
        sql_int(c->created_ms),
        sql_int(c->updated_ms),
        sql_text(c->settings),
        c->pending_known ? sql_int(c->pending) : sql_null(),
        c->pending_known ? sql_int(c->pending_files) : sql_null(),
        sql_int((int64_t)c->lex_generation),
        sql_int(c->lex_count),
        sql_int(c->id),
    };
    const size_t n = sizeof values / sizeof values[0];
    if (c->id) {
        int64_t same_model = 0;
        TRY(local_number(l, SQL_COLLECTION_HAS_MODEL, &same_model, SQL_VALUES(sql_int(c->id), values[4])));
        TRY(local_run(l, SQL_COLLECTION_UPDATE, values, n));
        if (sqlite3_changes(l->db) == 1) return same_model ? ERR_OK : pending_of_collection(l, c->id);
        return err_set(ERR_NO_COLLECTION, "no collection with id %lld", (long long)c->id);
    }
    TRY(local_run(l, SQL_COLLECTION_INSERT, values, n - 1));
    c->id = sqlite3_last_insert_rowid(l->db);
    return ERR_OK;
}

Err local_collection_put(Store *s, StoreCollection *c) {
    LocalStore *l = local_of(s);
    const int64_t id = c->id;
    TRY(local_write_begin(l));
    const Err err = local_write_end(l, collection_write(l, c));
    if (err) c->id = id;
    return err;
}

Err local_collection_remove(Store *s, int64_t collection) {
    /* In this order: what refers before what is referred to. */
    static const SqlId steps[] = {
        SQL_COLLECTION_DELETE_EMBEDDINGS,
        SQL_COLLECTION_DELETE_CHUNKS,
        SQL_COLLECTION_DELETE_VERSIONS,
        SQL_COLLECTION_DELETE_SYMBOLS,
        SQL_COLLECTION_DELETE_REFERENCES,
        SQL_COLLECTION_DELETE_DOCUMENTS,
        SQL_COLLECTION_DELETE_RUNS,
        SQL_FEEDBACK_CLEAR,
        SQL_COLLECTION_DELETE,
    };
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    Err err = ERR_OK;
    for (size_t i = 0; !err && i < sizeof steps / sizeof steps[0]; i++) {
        err = local_run(l, steps[i], SQL_VALUES(sql_int(collection)));
    }
    if (!err && sqlite3_changes(l->db) == 0) {
        err = err_set(ERR_NO_COLLECTION, "no collection with id %lld", (long long)collection);
    }
    if (!err) err = local_run(l, SQL_BLOBS_SWEEP, NULL, 0);
    return local_write_end(l, err);
}
