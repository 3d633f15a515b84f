/* local_check.c - reads everything and proves the invariants of schema.sql: SQLite's own check of its pages and
 * indexes, foreign keys, chunks and spans, kept texts, totals. One line a finding, so that a report shows all of them;
 * the call then fails with their number.
 */
#include "store/local.h"

#include <stdio.h>

enum { SQLITE_FINDINGS_MAX = 100 };

typedef struct {
    Buf *report;
    int64_t findings;
    int64_t beyond; /* of them those that making the index anew mends; the others nothing does */
} Check;

static void finding(Check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void finding(Check *c, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    buf_vprintf(c->report, fmt, args);
    va_end(args);
    buf_char(c->report, '\n');
    c->findings++;
}

/* ---- SQLite's own checks ---- */

static Err check_pages(LocalStore *l, Check *c) {
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", SQLITE_FINDINGS_MAX);
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &st, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const Str line = column_str(st, 0);
        if (!str_is(line, "ok")) finding(c, "database: %.*s", STR_FMT(line));
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_DONE || rc == SQLITE_OK ? ERR_OK : local_fail(l, rc);
}

static Err check_foreign_keys(LocalStore *l, Check *c) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(l->db, "PRAGMA foreign_key_check", -1, &st, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        finding(c, "%.*s row %lld refers to a row of %.*s that is not there", STR_FMT(column_str(st, 0)),
                (long long)sqlite3_column_int64(st, 1), STR_FMT(column_str(st, 2)));
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(st);
    return rc == SQLITE_DONE || rc == SQLITE_OK ? ERR_OK : local_fail(l, rc);
}

/* ---- documents ---- */

typedef struct {
    int64_t collection, chunks; /* summed over the collection's documents */
} Totals;

static Err check_chunks(LocalStore *l, Check *c, sqlite3_stmt *doc) {
    const long long id = sqlite3_column_int64(doc, 0);
    const int64_t first = sqlite3_column_int64(doc, 4), count = sqlite3_column_int64(doc, 5);
    const int64_t text_size = sqlite3_column_int64(doc, 6);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(
        l, SQL_CHECK_CHUNKS, &st,
        SQL_VALUES(sql_int(id), sql_int(sqlite3_column_int64(doc, 3)), sql_int(sqlite3_column_int64(doc, 1)))));
    TRY(sql_next(l, st, &row));
    const int64_t n = sqlite3_column_int64(st, 0), low = sqlite3_column_int64(st, 1),
                  high = sqlite3_column_int64(st, 2);
    if (n != count) finding(c, "document %lld has %lld chunks instead of %lld", id, (long long)n, (long long)count);
    if (count > 0 && (low != first || high != first + count - 1)) {
        finding(c, "the chunks of document %lld are %lld to %lld instead of %lld on", id, (long long)low,
                (long long)high, (long long)first);
    }
    if (count > 0 && (sqlite3_column_int64(st, 3) < 0 || sqlite3_column_int64(st, 4) > text_size)) {
        finding(c, "a chunk of document %lld leaves its text of %lld bytes", id, (long long)text_size);
    }
    if (sqlite3_column_int64(st, 5)) {
        finding(c, "document %lld has %lld chunks with a wrong span, version or hash", id,
                (long long)sqlite3_column_int64(st, 5));
    }
    sql_done(st);
    return ERR_OK;
}

/* Damage that a reader found (its text is the pending error) is a finding here; anything else ends the check. */
static Err as_finding(Check *c, Err err, long long doc) {
    if (err != ERR_CORRUPT) return err;
    finding(c, "document %lld: %s", doc, err_text());
    return ERR_OK;
}

static Err check_text(LocalStore *l, Check *c, sqlite3_stmt *doc) {
    const long long id = sqlite3_column_int64(doc, 0);
    if (sqlite3_column_type(doc, 11) == SQLITE_NULL) return ERR_OK;
    Sha256 kept;
    TRY(as_finding(c, column_bytes(l, doc, 8, kept.bytes, sizeof kept.bytes), id));
    buf_clear(&l->text);
    const int64_t before = c->findings;
    TRY(as_finding(c, local_unpack(l, column_str(doc, 10), sqlite3_column_int64(doc, 9), &l->text), id));
    if (c->findings != before) return ERR_OK;
    const Sha256 sha = sha256_of(buf_str(&l->text));
    if (memcmp(sha.bytes, kept.bytes, sizeof sha.bytes) != 0)
        finding(c, "the kept text of document %lld was changed", id);
    if (sqlite3_column_int64(doc, 9) != sqlite3_column_int64(doc, 6)) {
        finding(c, "the kept text of document %lld has another length than its version", id);
    }
    return ERR_OK;
}

static Err check_document(LocalStore *l, Check *c, sqlite3_stmt *doc, Totals *totals) {
    const long long id = sqlite3_column_int64(doc, 0);
    if (sqlite3_column_int64(doc, 3) != 0 && sqlite3_column_int64(doc, 7) != id) {
        finding(c, "document %lld has a version that is not its own", id);
    }
    TRY(check_chunks(l, c, doc));
    TRY(check_text(l, c, doc));
    totals->chunks += sqlite3_column_int64(doc, 5);
    return ERR_OK;
}

/* ---- collections ---- */

/* Documents come in order of their collections, so one set of totals after the other is complete. */
static Err totals_of(LocalStore *l, Check *c, Buf *out /* Totals each */) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    Totals now = {0};
    Err err = local_use(l, SQL_CHECK_DOCS, &st, NULL, 0);
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        const int64_t collection = sqlite3_column_int64(st, 1);
        if (collection != now.collection) {
            if (now.collection) buf_add_bytes(out, &now, sizeof now);
            now = (Totals){.collection = collection};
        }
        err = check_document(l, c, st, &now);
    }
    if (now.collection) buf_add_bytes(out, &now, sizeof now);
    sql_done(st);
    return err ? err : buf_ok(out);
}

static void check_totals(Check *c, sqlite3_stmt *collection, const Totals *t) {
    const Str name = column_str(collection, 1);
    const int64_t chunks = sqlite3_column_int64(collection, 2);
    const int64_t rows = sqlite3_column_int64(collection, 4), beyond = sqlite3_column_int64(collection, 5);
    if (chunks != t->chunks || chunks != rows) {
        finding(c, "collection '%.*s' counts %lld chunks, its documents %lld, its rows %lld", STR_FMT(name),
                (long long)chunks, (long long)t->chunks, (long long)rows);
    }
    if (beyond) {
        finding(c, "%lld embeddings of collection '%.*s' stand beyond the %lld rows of its index", (long long)beyond,
                STR_FMT(name), (long long)sqlite3_column_int64(collection, 3));
        c->beyond++;
    }
}

static Err check_collections(LocalStore *l, Check *c, Str sums) {
    const Totals *totals = (const Totals *)(const void *)sums.p;
    const size_t n = sums.n / sizeof *totals;
    sqlite3_stmt *st = NULL;
    bool row = false;
    Err err = local_use(l, SQL_CHECK_COLLECTIONS, &st, NULL, 0);
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        const int64_t id = sqlite3_column_int64(st, 0);
        Totals mine = {.collection = id};
        for (size_t i = 0; i < n; i++)
            if (totals[i].collection == id) mine = totals[i];
        check_totals(c, st, &mine);
    }
    sql_done(st);
    return err;
}

static Err check_all(LocalStore *l, Check *c) {
    int64_t orphans = 0;
    Buf sums = {0};
    TRY(check_pages(l, c));
    TRY(check_foreign_keys(l, c));
    TRY(local_number(l, SQL_CHECK_ORPHANS, &orphans, NULL, 0));
    if (orphans) finding(c, "%lld chunks belong to no document", (long long)orphans);
    TRY(local_number(l, SQL_CHECK_SYMBOLS, &orphans, NULL, 0));
    if (orphans) finding(c, "%lld symbols lie in no document's text", (long long)orphans);
    TRY(local_number(l, SQL_CHECK_REFERENCES, &orphans, NULL, 0));
    if (orphans) finding(c, "the references of %lld documents belong to none", (long long)orphans);
    TRY(local_number(l, SQL_CHECK_PENDING, &orphans, NULL, 0));
    if (orphans) {
        finding(c, "%lld documents count their chunks without a vector wrongly", (long long)orphans);
        c->beyond++;
    }
    Err err = totals_of(l, c, &sums);
    if (!err) err = check_collections(l, c, buf_str(&sums));
    buf_free(&sums);
    return err;
}

Err local_check(Store *s, Buf *report) {
    LocalStore *l = local_of(s);
    Check c = {.report = report};
    TRY(check_all(l, &c));
    TRY(buf_ok(report));
    if (c.findings == 0) return ERR_OK;
    const Err err = local_damaged(l, "%lld findings, the first lines of the report name them", (long long)c.findings);
    return c.findings == c.beyond ? err_fix(err, "pythia index --collection NAME --force") : err;
}
