/* audit.c - who did what: the store's rows, and the small JSON in them. */
#include "base/json.h"
#include "engine/engine.h"

Err pythia_audit_note(Pythia *p, const PythiaAudit *row) {
    Store *s = NULL;
    Buf detail = {0};
    Err err = engine_store(p, false, &s);
    if (err == ERR_NO_COLLECTION) return ERR_OK;
    if (!err) err = engine_store(p, true, &s);
    TRY(err);
    JsonOut j = jout_to(&detail);
    jout_begin(&j, '{');
    jout_kv_str(&j, "who", row->who);
    jout_kv_str(&j, "door", row->door);
    jout_kv_str(&j, "object", row->object);
    jout_kv_str(&j, "outcome", row->outcome);
    jout_end(&j, '}');
    err = buf_ok(&detail);
    if (!err)
        err = store_audit_put(s, &(StoreAudit){.at_ms = clock_wall_ms(),
                                               .action = row->action,
                                               .object = row->collection,
                                               .detail = buf_str(&detail)});
    buf_free(&detail);
    return err;
}

/* A member in the arena; "" when it is not there. */
static Err detail_str(Arena *a, const json_t *detail, const char *key, Str *out) {
    const json_t *v = json_object_get(detail, key);
    *out = arena_str(a, json_is_string(v) ? str_make(json_string_value(v), json_string_length(v)) : STR(""));
    return out->p ? ERR_OK : arena_error();
}

static Err row_out(Arena *a, const StoreAudit *row, PythiaAudit *out) {
    json_t *detail = NULL;
    *out = (PythiaAudit){.id = row->id, .at_ms = row->at_ms, .action = row->action, .collection = row->object};
    TRY(json_read(row->detail, "audit", &detail));
    Err err = detail_str(a, detail, "who", &out->who);
    if (!err) err = detail_str(a, detail, "door", &out->door);
    if (!err) err = detail_str(a, detail, "object", &out->object);
    if (!err) err = detail_str(a, detail, "outcome", &out->outcome);
    json_decref(detail);
    return err;
}

Err pythia_audit(Pythia *p, Arena *a, size_t limit, PythiaAudit **out, size_t *n) {
    Store *s = NULL;
    StoreAudit *rows = NULL;
    *out = NULL;
    *n = 0;
    const Err err = engine_store(p, false, &s);
    if (err == ERR_NO_COLLECTION) return ERR_OK;
    TRY(err);
    TRY(store_audits(s, a, limit, &rows, n));
    *out = arena_array(a, PythiaAudit, *n);
    if (!*out) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(row_out(a, &rows[i], &(*out)[i]));
    return ERR_OK;
}
