/* local_audit.c - who did what, when: rows that nobody changes, and of which the oldest go. */
#include "store/local.h"

static const int64_t ROWS_KEPT = 100000; /* some 20 MB */

Err local_audit_put(Store *s, const StoreAudit *row) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    Err err =
        local_run(l, SQL_AUDIT_INSERT,
                  SQL_VALUES(sql_int(row->at_ms), sql_text(row->action), sql_text(row->object), sql_text(row->detail)));
    const int64_t id = sqlite3_last_insert_rowid(l->db);
    if (!err && id > ROWS_KEPT) err = local_run(l, SQL_AUDIT_TRIM, SQL_VALUES(sql_int(id - ROWS_KEPT)));
    return local_write_end(l, err);
}

Err local_audits(Store *s, Arena *a, size_t limit, StoreAudit **out, size_t *n) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    if (limit > (size_t)ROWS_KEPT) limit = (size_t)ROWS_KEPT;
    *n = 0;
    *out = arena_array(a, StoreAudit, limit);
    if (!*out) return arena_error();
    Err err = local_use(l, SQL_AUDITS, &st, SQL_VALUES(sql_int((int64_t)limit)));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        StoreAudit *x = &(*out)[(*n)++];
        *x = (StoreAudit){.id = sqlite3_column_int64(st, 0),
                          .at_ms = sqlite3_column_int64(st, 1),
                          .action = column_str_in(st, 2, a),
                          .object = column_str_in(st, 3, a),
                          .detail = column_str_in(st, 4, a)};
        if (!x->action.p || !x->object.p || !x->detail.p) err = arena_error();
    }
    sql_done(st);
    return err;
}
