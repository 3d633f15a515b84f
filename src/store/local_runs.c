/* local_runs.c - ingestion runs: rows that are there before the work is, beat while it goes on, and tell how it ended.
 *
 * A run whose process was killed is marked by the next run of its collection, or stops beating and is reaped. A process
 * that only slept (a suspended laptop) beats again, which takes the run back from `failed`; a cancelled run stays
 * cancelled, and the beat says so to the process.
 */
#include "store/local.h"

static const int64_t QUEUED_MAX_MS = 60 * 60 * 1000;
static const int64_t SILENT_MAX_MS = 15 * 60 * 1000;
static const int64_t RUNS_KEPT = 1000; /* of a collection */

Err local_run_begin(Store *s, int64_t collection, int64_t now_ms, int64_t *run) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    Err err =
        local_run(l, SQL_RUN_ABANDON,
                  SQL_VALUES(sql_int(collection), sql_int(now_ms), sql_text(STR("its process ended before it did"))));
    if (!err) err = local_run(l, SQL_RUN_TRIM, SQL_VALUES(sql_int(collection), sql_int(RUNS_KEPT - 1)));
    if (!err) err = local_run(l, SQL_RUN_INSERT, SQL_VALUES(sql_int(collection), sql_int(now_ms)));
    const int64_t id = sqlite3_last_insert_rowid(l->db);
    TRY(local_write_end(l, err));
    *run = id;
    return ERR_OK;
}

/* *state of a run; ERR_INPUT when there is none. */
static Err run_state(LocalStore *l, int64_t run, RunState *state) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_RUN_STATE, &st, SQL_VALUES(sql_int(run))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_set(ERR_INPUT, "no run %lld", (long long)run);
    const int64_t number = sqlite3_column_int64(st, 0);
    sql_done(st);
    if (number < RUN_QUEUED || number > RUN_CANCELLED) {
        return local_damaged(l, "run %lld has state %lld", (long long)run, (long long)number);
    }
    *state = (RunState)number;
    return ERR_OK;
}

static Err run_beat(LocalStore *l, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms) {
    RunState state = RUN_QUEUED;
    TRY(run_state(l, run, &state));
    if (state == RUN_CANCELLED) return err_set(ERR_INTERRUPT, "run %lld was cancelled", (long long)run);
    return local_run(l, SQL_RUN_BEAT,
                     SQL_VALUES(sql_int(run), sql_text(stage), sql_int(done), sql_int(total), sql_int(now_ms)));
}

Err local_run_beat(Store *s, int64_t run, Str stage, int64_t done, int64_t total, int64_t now_ms) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, run_beat(l, run, stage, done, total, now_ms));
}

static Err run_end(LocalStore *l, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms) {
    RunState was = RUN_QUEUED;
    TRY(run_state(l, run, &was));
    return local_run(l, SQL_RUN_END,
                     SQL_VALUES(sql_int(run), sql_int(state), sql_text(error), sql_int(failures), sql_int(now_ms)));
}

Err local_run_end(Store *s, int64_t run, RunState state, Str error, int64_t failures, int64_t now_ms) {
    LocalStore *l = local_of(s);
    TRY(local_write_begin(l));
    return local_write_end(l, run_end(l, run, state, error, failures, now_ms));
}

Err local_run_reap(Store *s, int64_t now_ms, int64_t *n) {
    LocalStore *l = local_of(s);
    *n = 0;
    TRY(local_write_begin(l));
    const Err err =
        local_run(l, SQL_RUN_REAP,
                  SQL_VALUES(sql_int(now_ms), sql_int(now_ms - QUEUED_MAX_MS), sql_int(now_ms - SILENT_MAX_MS),
                             sql_text(STR("queued for over an hour")), sql_text(STR("no heartbeat for 15 minutes"))));
    const int64_t changed = err ? 0 : sqlite3_changes(l->db);
    TRY(local_write_end(l, err));
    *n = changed;
    return ERR_OK;
}

static Err run_of_row(LocalStore *l, Arena *a, sqlite3_stmt *st, StoreRun *out) {
    *out = (StoreRun){
        .id = sqlite3_column_int64(st, 0),
        .collection = sqlite3_column_int64(st, 1),
        .stage = column_str_in(st, 3, a),
        .error = column_str_in(st, 4, a),
        .done = sqlite3_column_int64(st, 5),
        .total = sqlite3_column_int64(st, 6),
        .failures = sqlite3_column_int64(st, 7),
        .queued_ms = sqlite3_column_int64(st, 8),
        .started_ms = sqlite3_column_int64(st, 9),
        .beat_ms = sqlite3_column_int64(st, 10),
        .ended_ms = sqlite3_column_int64(st, 11),
    };
    const int64_t state = sqlite3_column_int64(st, 2);
    if (state < RUN_QUEUED || state > RUN_CANCELLED) {
        return local_damaged(l, "run %lld has state %lld", (long long)out->id, (long long)state);
    }
    out->state = (RunState)state;
    return out->stage.p && out->error.p ? ERR_OK : arena_error();
}

Err local_run_get(Store *s, Arena *a, int64_t run, StoreRun *out) {
    LocalStore *l = local_of(s);
    sqlite3_stmt *st = NULL;
    bool row = false;
    TRY(local_use(l, SQL_RUN_BY_ID, &st, SQL_VALUES(sql_int(run))));
    TRY(sql_next(l, st, &row));
    if (!row) return err_fix(err_set(ERR_NO_DOCUMENT, "there is no run '%lld'", (long long)run), "pythia runs");
    const Err err = run_of_row(l, a, st, out);
    sql_done(st);
    return err;
}

Err local_runs(Store *s, Arena *a, int64_t collection, size_t limit, StoreRun **out, size_t *n) {
    LocalStore *l = local_of(s);
    *out = NULL;
    *n = 0;
    size_t cap = 0;
    sqlite3_stmt *st = NULL;
    bool row = false;
    const SqlValue most = sql_int(limit > INT32_MAX ? INT32_MAX : (int64_t)limit);
    Err err = collection ? local_use(l, SQL_RUNS, &st, SQL_VALUES(sql_int(collection), most))
                         : local_use(l, SQL_RUNS_ALL, &st, SQL_VALUES(most));
    while (!err && !(err = sql_next(l, st, &row)) && row) {
        if (*n == cap) {
            cap = cap ? 2 * cap : 16;
            StoreRun *grown = arena_array(a, StoreRun, cap);
            if (!grown) {
                err = arena_error();
                break;
            }
            if (*n) memcpy(grown, *out, *n * sizeof **out);
            *out = grown;
        }
        err = run_of_row(l, a, st, &(*out)[*n]);
        ++*n;
    }
    sql_done(st);
    return err;
}
