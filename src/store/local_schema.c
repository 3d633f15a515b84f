/* local_schema.c - making the tables, and telling whose database this is.
 *
 * PRAGMA application_id says that it is Pythia's, PRAGMA user_version which schema it has. An empty file gets
 * schema.sql at once; an older schema is taken through the steps of `migrations`, one transaction each; a newer one is
 * refused, since writing with old knowledge would break it.
 */
#include "store/local.h"

#include <stdio.h>

#include "base/log.h"

typedef struct {
    int to; /* the schema after this step; the step before it made to - 1 */
    Err (*before)(LocalStore *l);
    const char *sql;
} Migration;

static Err words_leave(LocalStore *l);

/* Ends with a step without SQL. Version 1 is the first one. */
static const Migration migrations[] = {
    {2, NULL, "ALTER TABLE documents ADD COLUMN prior INTEGER NOT NULL DEFAULT 1000"},
    /* Words went from FTS5 to the lexical index, which is made by the next `index`: lex_generation is 0 until then. */
    {3, words_leave,
     "DROP TABLE document_terms;"
     "ALTER TABLE collections DROP COLUMN terms;"
     "ALTER TABLE collections ADD COLUMN lex_generation INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE collections ADD COLUMN lex_count INTEGER NOT NULL DEFAULT 0;"},
    {4, NULL,
     "ALTER TABLE chunks ADD COLUMN names TEXT NOT NULL DEFAULT '';"
     "CREATE TABLE symbols ("
     "document INTEGER NOT NULL REFERENCES documents(id), place INTEGER NOT NULL, "
     "collection INTEGER NOT NULL REFERENCES collections(id), name TEXT NOT NULL, path TEXT NOT NULL, "
     "kind TEXT NOT NULL, signature TEXT NOT NULL, start INTEGER NOT NULL, \"end\" INTEGER NOT NULL, "
     "line INTEGER NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, "
     "PRIMARY KEY (document, place)) WITHOUT ROWID;"
     "CREATE INDEX symbols_name ON symbols(collection, name);"
     "CREATE TABLE document_references ("
     "document INTEGER PRIMARY KEY REFERENCES documents(id), size INTEGER NOT NULL, zstd BLOB NOT NULL)"},
    {5, NULL, "ALTER TABLE documents ADD COLUMN cut INTEGER NOT NULL DEFAULT 0"},
    {6, NULL,
     "ALTER TABLE documents ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;"
     "UPDATE documents SET pending = (SELECT count(*) FROM chunks c WHERE c.document = documents.id AND NOT EXISTS "
     "(SELECT 1 FROM chunk_embeddings e, collections k, models m WHERE k.id = documents.collection "
     "AND m.sha256 = k.model_id AND e.collection = k.id AND e.model = m.id AND e.hash = c.hash))"},
    {7, NULL,
     "ALTER TABLE documents ADD COLUMN meta TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE documents ADD COLUMN changed_ms INTEGER NOT NULL DEFAULT 0"},
    {8, NULL, "ALTER TABLE chats ADD COLUMN owner TEXT NOT NULL DEFAULT ''"},
    {9, NULL,
     "CREATE TABLE feedback (id INTEGER PRIMARY KEY AUTOINCREMENT, "
     "collection INTEGER NOT NULL REFERENCES collections(id), query TEXT NOT NULL, path TEXT NOT NULL, "
     "start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, hash BLOB NOT NULL, verdict INTEGER NOT NULL, "
     "at_ms INTEGER NOT NULL);"
     "CREATE INDEX feedback_collection ON feedback(collection)"},
    {0, NULL, NULL},
};

/* ---- from 2 to 3 ---- */

static const char WORDS_FORGET[] =
    "PRAGMA writable_schema = ON;"
    "DELETE FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 AND name GLOB 'chunk_fts_[0-9]*';"
    "PRAGMA writable_schema = RESET;";
static const char WORDS_TABLE[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'chunk_fts_[0-9]*' LIMIT 1";

/* The next of the tables to be dropped, as the statement that does it; NULL when there is none. */
static Err words_drop_next(LocalStore *l, char **sql) {
    sqlite3_stmt *st = NULL;
    *sql = NULL;
    int rc = sqlite3_prepare_v2(l->db, WORDS_TABLE, -1, &st, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *sql =
            sqlite3_mprintf("DROP TABLE \"%w\"", (const char *)sqlite3_column_text(st, 0)); /* no name can be bound */
        if (!*sql) rc = SQLITE_NOMEM;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : local_fail(l, rc);
}

/* Schemas 1 and 2 had a full-text table a collection, with a tokenizer that this program has no more: SQLite cannot
 * open such a table, so it cannot drop it either. A virtual table has no pages of its own: once its line of the schema
 * is gone, what it stood on are plain tables. */
static Err words_leave(LocalStore *l) {
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    Err err = local_exec(l, WORDS_FORGET);
    for (char *sql = NULL; !err && !(err = words_drop_next(l, &sql)) && sql;) {
        err = local_exec(l, sql);
        sqlite3_free(sql);
    }
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return err;
}

/* ---- versions ---- */

static Err pragma_number(LocalStore *l, const char *sql, int64_t *out) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(st);
    Err err = ERR_OK;
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else
        err = local_fail(l, rc);
    (void)sqlite3_finalize(st);
    return err;
}

typedef struct {
    int64_t version, application, tables;
} SchemaState;

static Err schema_read(LocalStore *l, SchemaState *out) {
    TRY(pragma_number(l, "PRAGMA user_version", &out->version));
    TRY(pragma_number(l, "PRAGMA application_id", &out->application));
    return pragma_number(l, "SELECT count(*) FROM sqlite_schema", &out->tables);
}

/* Runs sql and sets the version, in the transaction that is open. */
static Err schema_apply(LocalStore *l, const char *sql, int version) {
    TRY(local_exec(l, sql));
    char set[128];
    (void)snprintf(set, sizeof set, "PRAGMA application_id = %d; PRAGMA user_version = %d", LOCAL_APPLICATION_ID,
                   version);
    return local_exec(l, set);
}

static const Migration *migration_to(int64_t version) {
    for (const Migration *m = migrations; m->sql; m++)
        if (m->to == version) return m;
    return NULL;
}

/* In one transaction: looks again (another process may have been faster), then makes or migrates. */
static Err schema_raise(LocalStore *l) {
    TRY(local_write_begin(l));
    SchemaState state = {0};
    Err err = schema_read(l, &state);
    if (!err && state.version == 0 && state.tables == 0) {
        err = schema_apply(l, local_schema_sql, LOCAL_SCHEMA_VERSION);
    } else {
        for (int64_t v = state.version; !err && v < LOCAL_SCHEMA_VERSION; v++) {
            const Migration *m = migration_to(v + 1);
            if (!m) {
                err = err_set(ERR_FORMAT, "'%s' has schema %lld, which cannot be migrated", l->file, (long long)v);
                break;
            }
            LOG(LOG_INFO, "store", "migrating the store to schema=%d", m->to);
            if (m->before) err = m->before(l);
            if (!err) err = schema_apply(l, m->sql, m->to);
        }
    }
    return local_write_end(l, err);
}

Err local_schema_ready(LocalStore *l) {
    SchemaState state = {0};
    TRY(schema_read(l, &state));
    const bool fresh = state.version == 0 && state.tables == 0 && state.application == 0;
    if (!fresh && state.application != LOCAL_APPLICATION_ID) {
        return err_fix(err_set(ERR_FORMAT, "'%s' is a database, but not one of pythia's", l->file),
                       "mv '%s' '%s.other' && pythia index", l->file, l->file);
    }
    if (state.version > LOCAL_SCHEMA_VERSION) {
        return err_fix(err_set(ERR_FORMAT, "'%s' has schema %lld, this pythia knows %d: it was written by a newer one",
                               l->file, (long long)state.version, LOCAL_SCHEMA_VERSION),
                       "mv '%s' '%s.newer' && pythia index", l->file, l->file);
    }
    if (state.version == LOCAL_SCHEMA_VERSION) return ERR_OK;
    if (!l->base.read_only) return schema_raise(l);
    if (fresh)
        return err_fix(err_set(ERR_NO_COLLECTION, "nothing is indexed yet: '%s' is empty", l->file), "pythia index");
    return err_fix(err_set(ERR_FORMAT, "'%s' has schema %lld, this pythia needs %d", l->file, (long long)state.version,
                           LOCAL_SCHEMA_VERSION),
                   "pythia index");
}
