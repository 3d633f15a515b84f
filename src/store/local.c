/* local.c - the local store: opening and closing, statements, transactions, what SQLite's answers mean. local.h has the
 * map of the other files and the word on durability.
 *
 * Opening for reading has three cases. The folder can be written: plain, beside any writer. It cannot, but a writer has
 * left its -shm and -wal there: SQLite reads through them. It cannot and nothing is there: SQLite would have to make
 * the -shm and fails, so the file is opened as immutable, which is true as long as nobody can write to it either.
 */
#include "store/local.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"

enum {
    CACHE_KIB = 32768,       /* page cache: the b-tree tops and the hot leaves of 100K chunks */
    CHECKPOINT_PAGES = 4000, /* 16 MB of log before it is folded into the database: four times fewer fsyncs than 1000 */
    LOG_KEEP_BYTES = 64 << 20, /* the log file is cut back to this after a large batch */
    ZSTD_LEVEL = 3,            /* 1 is 10 % larger; 9 saves 8 % at 5 times the time */
    WAL_TRIES = 500,           /* times 10 ms: switching to WAL does not wait by itself */
};

static const char PRAGMAS_ALL[] = "PRAGMA trusted_schema = OFF;"
                                  "PRAGMA foreign_keys = ON;"
                                  "PRAGMA temp_store = MEMORY;";
/* A search is often a process of its own, and a cold one: mapping spares it the copies of its first reads (first query
 * on 36 MB: 10 -> 6 ms; later ones gain nothing, and a writer would gain nothing). The price, SIGBUS instead of an
 * error when the disk itself fails, is paid by a process that holds nothing. */
static const char PRAGMAS_READ[] = "PRAGMA mmap_size = 268435456;";
static const char PRAGMAS_WRITE[] = "PRAGMA synchronous = NORMAL;"
                                    "PRAGMA secure_delete = OFF;"; /* Debian's default is ON: zeroes every freed page */

/* ---- errors ---- */

Err local_damaged(const LocalStore *l, const char *fmt, ...) {
    char what[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_fix(err_set(ERR_CORRUPT, "'%s' is damaged: %s", l->file, what), "mv '%s' '%s.damaged' && pythia index",
                   l->file, l->file);
}

Err local_fail(const LocalStore *l, int rc) {
    const char *why = l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_fix(
            err_set(ERR_BUSY, "'%s' is locked: another pythia is writing; try again when it is done", l->file),
            "pythia runs");
    case SQLITE_FULL:
        return err_set(ERR_IO, "cannot write '%s': the disk is full", l->file);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(ERR_IO, "cannot read or write '%s': %s (%d)", l->file, why, rc);
    case SQLITE_READONLY:
        return err_set(ERR_IO, "cannot write '%s': %s", l->file, why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return local_damaged(l, "%s", why);
    case SQLITE_NOMEM:
        return err_set(ERR_NOMEM, "out of memory in the store '%s'", l->file);
    case SQLITE_TOOBIG:
        return err_set(ERR_LIMIT, "a value is too large for the store '%s'", l->file);
    case SQLITE_INTERRUPT:
        return err_set(ERR_INTERRUPT, "interrupted");
    default:
        return err_set(ERR_INTERNAL, "unexpected answer of the store '%s': %s (%d)", l->file, why, rc);
    }
}

/* ---- statements ---- */

static const struct {
    const char *sql;
    enum { INDEXED, WALKS } plan;
} statements[SQL_COUNT] = {
#define LOCAL_SQL_TEXT(name, plan, sql) {sql, plan},
    LOCAL_SQL_LIST(LOCAL_SQL_TEXT)
#undef LOCAL_SQL_TEXT
};

const char *local_sql(SqlId id, bool *walks) {
    *walks = statements[id].plan == WALKS;
    return statements[id].sql;
}

Err sql_bind(LocalStore *l, sqlite3_stmt *st, const SqlValue *values, size_t n) {
    int rc = SQLITE_OK;
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        const SqlValue *v = &values[i];
        const int at = (int)i + 1;
        switch (v->type) {
        case SQL_VALUE_INT:
            rc = sqlite3_bind_int64(st, at, v->number);
            break;
        case SQL_VALUE_TEXT:
            rc = sqlite3_bind_text64(st, at, v->bytes.n ? v->bytes.p : "", v->bytes.n, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case SQL_VALUE_BLOB:
            rc = v->bytes.n ? sqlite3_bind_blob64(st, at, v->bytes.p, v->bytes.n, SQLITE_STATIC)
                            : sqlite3_bind_zeroblob(st, at, 0);
            break;
        case SQL_VALUE_NULL:
            rc = sqlite3_bind_null(st, at);
            break;
        }
    }
    return rc ? local_fail(l, rc) : ERR_OK;
}

Err local_use(LocalStore *l, SqlId id, sqlite3_stmt **out, const SqlValue *values, size_t n) {
    sqlite3_stmt *st = l->stmts[id];
    if (!st) {
        const int rc = sqlite3_prepare_v3(l->db, statements[id].sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
        if (rc) return local_fail(l, rc);
        l->stmts[id] = st;
    }
    assert(!sqlite3_stmt_busy(st)); /* a sink that calls back into the same statement */
    assert(sqlite3_bind_parameter_count(st) == (int)n);
    (void)sqlite3_reset(st);
    *out = st;
    return sql_bind(l, st, values, n);
}

Err sql_next(LocalStore *l, sqlite3_stmt *st, bool *row) {
    const int rc = sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return ERR_OK;
    const Err err = rc == SQLITE_DONE ? ERR_OK : local_fail(l, rc);
    (void)sqlite3_reset(st);
    return err;
}

void sql_done(sqlite3_stmt *st) {
    if (st) (void)sqlite3_reset(st);
}

Err local_run(LocalStore *l, SqlId id, const SqlValue *values, size_t n) {
    sqlite3_stmt *st = NULL;
    TRY(local_use(l, id, &st, values, n));
    bool row = true;
    while (row) TRY(sql_next(l, st, &row));
    return ERR_OK;
}

Err local_number(LocalStore *l, SqlId id, int64_t *out, const SqlValue *values, size_t n) {
    *out = 0;
    sqlite3_stmt *st = NULL;
    TRY(local_use(l, id, &st, values, n));
    bool row = false;
    TRY(sql_next(l, st, &row));
    if (!row) return ERR_OK;
    *out = sqlite3_column_int64(st, 0);
    /* To the end, not reset at once: INSERT ... RETURNING is done only then. */
    while (row) TRY(sql_next(l, st, &row));
    return ERR_OK;
}

Err local_exec(LocalStore *l, const char *sql) {
    const int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    return rc ? local_fail(l, rc) : ERR_OK;
}

Str column_str(sqlite3_stmt *st, int column) {
    const void *p = sqlite3_column_blob(st, column); /* of TEXT too: its bytes as they are */
    return str_make(p ? p : "", p ? (size_t)sqlite3_column_bytes(st, column) : 0);
}

Str column_str_in(sqlite3_stmt *st, int column, Arena *a) {
    const Str s = column_str(st, column);
    return a ? arena_str(a, s) : s;
}

Err column_bytes(LocalStore *l, sqlite3_stmt *st, int column, void *out, size_t n) {
    const Str s = column_str(st, column);
    if (s.n != n)
        return local_damaged(l, "column '%s' has %zu bytes instead of %zu", sqlite3_column_name(st, column), s.n, n);
    memcpy(out, s.p, n);
    return ERR_OK;
}

/* ---- transactions ---- */

static void transaction_undo(LocalStore *l) {
    for (size_t i = 0; i < SQL_COUNT; i++) sql_done(l->stmts[i]);
    l->model_known = false;
    /* After a full disk SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(l->db)) (void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
}

static Err local_begin(Store *s) {
    LocalStore *l = local_of(s);
    l->failure = (ErrInfo){.code = ERR_OK};
    return local_exec(l, "BEGIN IMMEDIATE");
}

static Err local_commit(Store *s) {
    LocalStore *l = local_of(s);
    if (l->failure.code) return err_restore(&l->failure);
    return local_exec(l, "COMMIT");
}

static void local_rollback(Store *s) { transaction_undo(local_of(s)); }

/* Not by a checkpoint: one that meets a reader of an old snapshot may end without a sync. What another process has
 * folded into the database meanwhile, and so out of the log, was synced by that. */
static Err local_sync(Store *s) {
    LocalStore *l = local_of(s);
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(l->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log && log->pMethods) rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK ? ERR_OK : local_fail(l, rc);
}

Err local_write_begin(LocalStore *l) {
    assert(!l->own_write);
    l->changes = sqlite3_total_changes64(l->db);
    if (l->base.in_transaction) return l->failure.code ? err_restore(&l->failure) : ERR_OK;
    TRY(local_exec(l, "BEGIN IMMEDIATE"));
    l->own_write = true;
    return ERR_OK;
}

Err local_write_end(LocalStore *l, Err err) {
    if (!l->own_write) {
        const bool changed = sqlite3_total_changes64(l->db) != l->changes || sqlite3_get_autocommit(l->db);
        if (err && changed && !l->failure.code) err_save(&l->failure, err);
        return err;
    }
    l->own_write = false;
    if (!err) err = local_exec(l, "COMMIT");
    if (err) transaction_undo(l);
    return err;
}

Err local_read_begin(LocalStore *l, bool *own) {
    *own = sqlite3_get_autocommit(l->db) != 0;
    return *own ? local_exec(l, "BEGIN") : ERR_OK;
}

void local_read_end(LocalStore *l, bool own) {
    if (own) (void)sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL);
}

/* ---- compression ---- */

Err local_pack(LocalStore *l, Str text) {
    if (text.n > LOCAL_TEXT_MAX) return err_set(ERR_LIMIT, "a text of %zu bytes is too large to be kept", text.n);
    if (!l->zstd_out && !(l->zstd_out = ZSTD_createCCtx())) return err_set(ERR_NOMEM, "out of memory for zstd");
    buf_clear(&l->packed);
    if (!buf_reserve(&l->packed, ZSTD_compressBound(text.n))) return buf_ok(&l->packed);
    const size_t n =
        ZSTD_compressCCtx(l->zstd_out, l->packed.p, ZSTD_compressBound(text.n), text.p, text.n, ZSTD_LEVEL);
    if (ZSTD_isError(n)) return err_set(ERR_INTERNAL, "zstd cannot compress: %s", ZSTD_getErrorName(n));
    l->packed.n = n;
    return ERR_OK;
}

Err local_unpack(LocalStore *l, Str frame, int64_t size, Buf *out) {
    if (size < 0 || size > LOCAL_TEXT_MAX) return local_damaged(l, "a kept text claims %lld bytes", (long long)size);
    if (!l->zstd_in && !(l->zstd_in = ZSTD_createDCtx())) return err_set(ERR_NOMEM, "out of memory for zstd");
    if (!buf_reserve(out, (size_t)size)) return buf_ok(out);
    const size_t n = ZSTD_decompressDCtx(l->zstd_in, out->p + out->n, (size_t)size, frame.p, frame.n);
    if (ZSTD_isError(n)) return local_damaged(l, "a kept text does not decompress: %s", ZSTD_getErrorName(n));
    if (n != (size_t)size) return local_damaged(l, "a kept text has %zu bytes instead of %lld", n, (long long)size);
    out->n += n;
    out->p[out->n] = 0;
    return ERR_OK;
}

/* ---- open and close ---- */

static void local_close(Store *s) {
    LocalStore *l = local_of(s);
    if (!l) return;
    for (size_t i = 0; i < SQL_COUNT; i++) (void)sqlite3_finalize(l->stmts[i]);
    (void)sqlite3_close(l->db);
    (void)ZSTD_freeCCtx(l->zstd_out);
    (void)ZSTD_freeDCtx(l->zstd_in);
    buf_free(&l->packed);
    buf_free(&l->text);
    free(l->file);
    free(l);
}

static Err db_open(LocalStore *l, const char *name, int flags) {
    const int rc = sqlite3_open_v2(name, &l->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc) return local_fail(l, rc);
    (void)sqlite3_busy_timeout(l->db, LOCAL_BUSY_MS);
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return ERR_OK;
}

static Err db_settle(LocalStore *l) {
    TRY(local_exec(l, PRAGMAS_ALL));
    if (l->base.read_only) TRY(local_exec(l, PRAGMAS_READ));
    char cache[64];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", CACHE_KIB);
    return local_exec(l, cache);
}

/* Nobody who may write can be told from here whether readers are there, so the switch to WAL is simply tried again. */
static Err wal_start(LocalStore *l) {
    for (int i = 0; i < WAL_TRIES; i++) {
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(l->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
        if (rc == SQLITE_OK) rc = sqlite3_step(st);
        const bool is_wal = rc == SQLITE_ROW && str_is(column_str(st, 0), "wal");
        (void)sqlite3_finalize(st);
        if (is_wal) return ERR_OK;
        if (rc == SQLITE_ROW) {
            return err_set(ERR_IO, "the file system of '%s' cannot share memory between processes (SQLite's WAL)",
                           l->file);
        }
        if ((rc & 0xff) != SQLITE_BUSY) return local_fail(l, rc);
        (void)sqlite3_sleep(10);
    }
    return local_fail(l, SQLITE_BUSY);
}

static Err open_for_writing(LocalStore *l, const char *folder) {
    TRY(file_make_dirs(folder, 0700));
    TRY(db_open(l, l->file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
    TRY(wal_start(l));
    char limits[128];
    (void)snprintf(limits, sizeof limits, "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d",
                   CHECKPOINT_PAGES, LOG_KEEP_BYTES);
    TRY(local_exec(l, limits));
    return local_exec(l, PRAGMAS_WRITE);
}

/* "file:" URI of the database with everything but plain characters in percent form. */
static Err immutable_uri(const LocalStore *l, Buf *uri) {
    buf_add_z(uri, "file:");
    for (const char *c = l->file; *c; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                           *c == '/' || *c == '.' || *c == '-' || *c == '_';
        if (plain)
            buf_char(uri, *c);
        else
            buf_printf(uri, "%%%02X", (unsigned)(uint8_t)*c);
    }
    buf_add_z(uri, "?immutable=1");
    return buf_ok(uri);
}

/* True when there is no log whose content an immutable reading would miss. */
static Err log_is_empty(const LocalStore *l, bool *empty) {
    Arena a = {0};
    FileInfo info = {0};
    const Str log = arena_printf(&a, "%s-wal", l->file);
    const Err err = log.p ? file_info(log.p, true, &info) : arena_error();
    arena_free(&a);
    *empty = info.type == FILE_NONE || info.size == 0;
    return err;
}

static Err open_for_reading(LocalStore *l) {
    FileInfo info;
    TRY(file_info(l->file, true, &info));
    if (info.type == FILE_NONE) {
        return err_fix(err_set(ERR_NO_COLLECTION, "nothing is indexed yet: there is no '%s'", l->file), "pythia index");
    }
    TRY(db_open(l, l->file, SQLITE_OPEN_READONLY));
    const int rc = sqlite3_exec(l->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (rc == SQLITE_OK) return ERR_OK;
    const Err err = local_fail(l, rc);
    const int primary = rc & 0xff;
    if (primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY) return err;
    bool empty = false;
    ErrInfo first;
    err_save(&first, err);
    TRY(log_is_empty(l, &empty));
    if (!empty) return err_restore(&first);
    (void)sqlite3_close(l->db);
    l->db = NULL;
    Buf uri = {0};
    Err again = immutable_uri(l, &uri);
    if (!again) again = db_open(l, uri.p, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    buf_free(&uri);
    return again;
}

static Err local_open(Store **out, const StoreSpec *spec) {
    Err err = ERR_OK;
    LocalStore *l = calloc(1, sizeof *l);
    if (!l) return err_set(ERR_NOMEM, "out of memory for the store");
    l->base.read_only = spec->read_only;
    const size_t room = strlen(spec->path) + sizeof "/" LOCAL_FILE;
    l->file = malloc(room);
    if (!l->file) {
        (void)err_set(err = ERR_NOMEM, "out of memory for the store");
        goto done;
    }
    (void)snprintf(l->file, room, "%s/%s", spec->path, LOCAL_FILE);
    if ((err = spec->read_only ? open_for_reading(l) : open_for_writing(l, spec->path))) goto done;
    if ((err = db_settle(l))) goto done;
    if ((err = local_schema_ready(l))) goto done;
    *out = &l->base;
done:
    if (err) local_close(&l->base);
    return err;
}

const StoreKind store_local = {
    .name = "local",
    .caps = {.text = true, .transactions = true, .many_writers = false},
    .open = local_open,
    .close = local_close,
    .begin = local_begin,
    .commit = local_commit,
    .rollback = local_rollback,
    .sync = local_sync,
    .collections = local_collections,
    .collection = local_collection,
    .collection_put = local_collection_put,
    .collection_remove = local_collection_remove,
    .documents = local_documents,
    .document = local_document,
    .document_by_uri = local_document_by_uri,
    .put = local_put,
    .put_skipped = local_put_skipped,
    .rename = local_rename,
    .touch = local_touch,
    .recut = local_recut,
    .reread = local_reread,
    .remove = local_remove,
    .symbols_of = local_symbols_of,
    .symbols_named = local_symbols_named,
    .symbols_each = local_symbols_each,
    .symbol = local_symbol,
    .references = local_references,
    .pending = local_pending,
    .newest = local_newest,
    .embedding_put = local_embedding_put,
    .embedding_find = local_embedding_find,
    .embedding_sweep = local_embedding_sweep,
    .embedding_clear = local_embedding_clear,
    .embedding_remap = local_embedding_remap,
    .ranges = local_ranges,
    .slots = local_slots,
    .slot_chunks = local_slot_chunks,
    .chunk = local_chunk,
    .chunk_prior = local_chunk_prior,
    .chunks_of = local_chunks_of,
    .chunk_holding = local_chunk_holding,
    .chunk_slot = local_chunk_slot,
    .text = local_text,
    .counts = local_counts,
    .run_get = local_run_get,
    .run_begin = local_run_begin,
    .run_beat = local_run_beat,
    .run_end = local_run_end,
    .run_reap = local_run_reap,
    .runs = local_runs,
    .chat_begin = local_chat_begin,
    .chat_add = local_chat_add,
    .chat_remove = local_chat_remove,
    .chat = local_chat,
    .chats = local_chats,
    .chat_messages = local_chat_messages,
    .feedback_put = local_feedback_put,
    .feedbacks = local_feedbacks,
    .feedback_clear = local_feedback_clear,
    .audit_put = local_audit_put,
    .audits = local_audits,
    .check = local_check,
};
