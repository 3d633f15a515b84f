/* local_feedback.c - what people made of hits: rows that nobody changes, and of which the oldest go. */
#include "store/local.h"

Err local_feedback_put(Store *s, const StoreFeedback *row) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    Err err = local_run(l, SQL_FEEDBACK_INSERT,
                        SQL_VALUES(sql_int(row->collection), sql_text(row->query), sql_text(row->path),
                                   sql_int(row->start_line), sql_int(row->end_line),
                                   sql_blob(row->hash.bytes, sizeof row->hash.bytes), sql_int(row->verdict),
                                   sql_int(row->at_ms)));
    const int64_t id = sqlite3_last_insert_rowid(l->db);
    if (!err && id > STORE_FEEDBACK_MAX)
        err = local_run(l, SQL_FEEDBACK_TRIM, SQL_VALUES(sql_int(id - STORE_FEEDBACK_MAX)));
    return local_write_end(l, err);
}

static Err row_read(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreFeedback *out) {
    const int64_t verdict = sqlite3_column_int64(st, 7);
    *out = (StoreFeedback){.id = sqlite3_column_int64(st, 0),
                           .collection = sqlite3_column_int64(st, 1),
                           .query = column_str_in(st, 2, a),
                           .path = column_str_in(st, 3, a),
                           .start_line = (int32_t)sqlite3_column_int64(st, 4),
                           .end_line = (int32_t)sqlite3_column_int64(st, 5),
                           .at_ms = sqlite3_column_int64(st, 8)};
    if (!out->query.p || !out->path.p) return arena_error();
    if (verdict < 0 || verdict >= FEEDBACK_VERDICTS)
        return local_damaged(l, "feedback has verdict %lld", (long long)verdict);
    out->verdict = (FeedbackVerdict)verdict;
    return column_bytes(l, st, 6, out->hash.bytes, sizeof out->hash.bytes);
}

Err local_feedbacks(Store *s, Arena *a, int64_t collection, size_t limit, StoreFeedback **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    *n = 0;
    *out = arena_array(a, StoreFeedback, limit);
    if (!*out) return arena_error();
    Err err = local_use(l, SQL_FEEDBACKS, &st, SQL_VALUES(sql_int(collection), sql_int((int64_t)limit)));
    while (!err && !(err = sql_next(l, st, &row)) && row) err = row_read(l, a, st, &(*out)[(*n)++]);
    sql_done(st);
    return err;
}

Err local_feedback_clear(Store *s, int64_t collection, int64_t *n) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    const Err err = local_run(l, SQL_FEEDBACK_CLEAR, SQL_VALUES(sql_int(collection)));
    *n = sqlite3_changes(l->db);
    return local_write_end(l, err);
}
