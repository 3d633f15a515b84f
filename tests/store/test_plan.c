/* Every statement of local_sql.h reaches its tables through an index or a key, unless its line says that it walks. */
#include "fixture.h"

#include "store/local.h"

/* "SCAN x", or a sort, in the plan; walking a covering index is a scan too. */
static bool plan_walks(sqlite3 *db, const char *sql, Buf *plan) {
    Buf explain = {0};
    buf_printf(&explain, "EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *st = NULL;
    bool walks = false;
    CHECK_INT(sqlite3_prepare_v2(db, explain.p, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 3);
        buf_printf(plan, "    %s\n", line);
        walks = walks || strncmp(line, "SCAN ", 5) == 0 || strstr(line, "TEMP B-TREE");
    }
    (void)sqlite3_finalize(st);
    buf_free(&explain);
    return walks;
}

static void every_statement_uses_an_index_or_says_that_it_walks(void **state) {
    (void)state;
    Fixture f;
    fixture_open(&f);
    int wrong = 0;
    for (int id = 0; id < SQL_COUNT; id++) {
        bool may_walk = false;
        const char *sql = local_sql((SqlId)id, &may_walk);
        Buf plan = {0};
        const bool walks = plan_walks(local_of(f.store)->db, sql, &plan);
        if (walks != may_walk) {
            print_message("%s\n%s", sql, plan.p ? plan.p : "");
            wrong++;
        }
        buf_free(&plan);
    }
    CHECK_INT(wrong, 0);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_uses_an_index_or_says_that_it_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
