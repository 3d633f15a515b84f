/* ops_runs.c - what was done and by whom: runs as they are, as they go on, and ended early; the audit. */
#include "serve/ops_fields.h"
#include "serve/reply.h"

const Field runs_fields[] = {LIMIT_FIELD(0, 1000, "20", "rows at most, newest first"), {0}};
#define RUN_ID_FIELD                                                                                                   \
    { .name = "id", .types = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 9e15, .help = "a run's number" }
const Field run_fields[] = {
    RUN_ID_FIELD,
    SWITCH_FIELD("follow", "over HTTP: events progress, done, error; else the reply comes when the run is over"),
    {0}};
const Field run_cancel_fields[] = {RUN_ID_FIELD, {0}};
const Field runs_reply[] = {OK_FIELD, {.name = "runs", .types = FIELD_OBJECTS}, {0}};
const Field run_reply[] = {
    OK_FIELD, {.name = "run", .types = FIELD_ANY}, {.name = "rate", .types = FIELD_NUM | FIELD_NULL}, {0}};

static const Field audit_item[] = {INT_FIELD("id"),       STR_OR_NULL("at"),      STR_OR_NULL("who"),
                                   STR_OR_NULL("door"),   STR_FIELD("action"),    STR_OR_NULL("collection"),
                                   STR_OR_NULL("object"), STR_OR_NULL("outcome"), {0}};
const Field audit_reply[] = {OK_FIELD, {.name = "audit", .types = FIELD_OBJECTS, .members = audit_item}, {0}};

Err op_runs(Call *c, JsonOut *j) {
    PythiaRun *list = NULL;
    size_t n = 0;
    Err err = pythia_runs(c->engine, c->arena, (size_t)field_i64(c->params, "limit", 20), &list, &n);
    if (err && err != ERR_NO_COLLECTION) return err;
    jout_key(j, "runs");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) reply_run(j, &list[i]);
    jout_end(j, ']');
    return ERR_OK;
}

static void run_show(JsonOut *j, const PythiaRun *run) {
    jout_key(j, "run");
    reply_run(j, run);
}

Err op_run(Call *c, JsonOut *j) {
    PythiaRun run;
    Err err = pythia_run(c->engine, c->arena, field_i64(c->params, "id", 0), &run);
    if (err == ERR_NO_DOCUMENT) err = err_fix(err, "GET /v1/runs");
    if (!err && field_bool(c->params, "follow", false)) return desk_follow(c->desk, c, run.id);
    if (!err) run_show(j, &run);
    return err;
}

Err op_audit(Call *c, JsonOut *j) {
    PythiaAudit *list = NULL;
    size_t n = 0;
    TRY(pythia_audit(c->engine, c->arena, (size_t)field_i64(c->params, "limit", 20), &list, &n));
    jout_key(j, "audit");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) reply_audit(j, &list[i]);
    jout_end(j, ']');
    return ERR_OK;
}

/* Of whatever process: its row says so, and it stops at its next beat. One of this server stops at once. */
Err op_run_cancel(Call *c, JsonOut *j) {
    PythiaRun run;
    const int64_t id = field_i64(c->params, "id", 0);
    Err err = pythia_run_cancel(c->engine, c->arena, id, &run);
    if (err == ERR_NO_DOCUMENT) err = err_fix(err, "GET /v1/runs");
    if (err) return err;
    (void)desk_run_cancel(c->desk, id);
    run_show(j, &run);
    return ERR_OK;
}
