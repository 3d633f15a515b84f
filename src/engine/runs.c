/* runs.c - ingestion runs as users see them, and how one is cancelled: by its row, which its process reads at each
 * beat. */
#include "engine/engine.h"

static Err run_out(Store *s, Arena *a, const StoreRun *r, PythiaRun *out) {
    StoreCollection *all = NULL;
    size_t n = 0;
    TRY(store_collections(s, a, &all, &n));
    *out = (PythiaRun){.id = r->id,
                       .state = str_of(run_state_name(r->state)),
                       .stage = r->stage,
                       .error = r->error,
                       .done = r->done,
                       .total = r->total,
                       .failures = r->failures,
                       .queued_ms = r->queued_ms,
                       .started_ms = r->started_ms,
                       .ended_ms = r->ended_ms,
                       .collection = STR("")};
    for (size_t i = 0; i < n; i++)
        if (all[i].id == r->collection) out->collection = all[i].name;
    return ERR_OK;
}

Err pythia_runs(Pythia *p, Arena *a, size_t limit, PythiaRun **out, size_t *n) {
    Store *s = NULL;
    StoreRun *runs = NULL;
    *n = 0;
    *out = NULL;
    TRY(engine_store(p, false, &s));
    TRY(store_runs(s, a, 0, limit, &runs, n));
    *out = arena_array(a, PythiaRun, *n);
    if (!*out) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(run_out(s, a, &runs[i], &(*out)[i]));
    return ERR_OK;
}

Err pythia_run(Pythia *p, Arena *a, int64_t id, PythiaRun *out) {
    Store *s = NULL;
    StoreRun run;
    TRY(engine_store(p, false, &s));
    TRY(store_run(s, a, id, &run));
    return run_out(s, a, &run, out);
}

/* In one transaction, so that a run that ends meanwhile is not called cancelled. */
static Err cancel(Store *s, Arena *a, int64_t id) {
    StoreRun run;
    TRY(store_run(s, a, id, &run));
    if (run.state != RUN_QUEUED && run.state != RUN_RUNNING)
        return err_set(ERR_INPUT, "run %lld is over: %s", (long long)id, run_state_name(run.state));
    return store_run_end(s, id, RUN_CANCELLED, STR("cancelled by the user"), run.failures, clock_wall_ms());
}

Err pythia_run_cancel(Pythia *p, Arena *a, int64_t id, PythiaRun *out) {
    Store *s = NULL;
    StoreRun run;
    TRY(engine_store(p, true, &s));
    TRY(store_begin(s));
    TRY(engine_commit(s, cancel(s, a, id)));
    TRY(store_run(s, a, id, &run));
    return run_out(s, a, &run, out);
}
