/* eval_gate.c - pythia_eval_gate: has retrieval become worse than it was?
 *
 * A baseline is a JSON file: how it was made, and each query's nDCG@10. The gate compares query by query. Worse is what
 * a paired randomisation test (Smucker, Allan & Carterette 2007) finds improbable by chance: under the hypothesis that
 * nothing changed each difference may as well have the other sign, so the mean of GATE_ROUNDS random signings says how
 * often chance alone loses as much. It fails when that is below GATE_P and the mean loss is above GATE_LEAST, or at any
 * loss above GATE_MOST: few queries prove nothing. The signs come from a fixed seed: the same figures, the same
 * verdict.
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "engine/engine.h"
#include "index/random.h"

enum { GATE_ROUNDS = 10000, GATE_FILE_MAX = 256 << 20 };
static const double GATE_P = 0.05, GATE_LEAST = 0.002, GATE_MOST = 0.05;

static Err baseline_write(const EvalReport *r, const char *path) {
    Buf b = {0};
    JsonOut j = jout_to(&b);
    jout_begin(&j, '{');
    jout_kv_z(&j, "made_by", "pythia eval gate --update");
    jout_kv_str(&j, "model", r->model);
    jout_kv_z(&j, "mode", r->mode);
    jout_kv_f64(&j, "ndcg_at_10", r->ndcg_at_10);
    jout_key(&j, "queries");
    jout_begin(&j, '{');
    for (int64_t i = 0; i < r->queries; i++) {
        buf_add_z(&b, i ? ",\n" : "\n");
        Buf key = {0};
        buf_add(&key, r->each[i].id);
        const Err err = buf_ok(&key);
        JsonOut member = jout_to(&b);
        if (!err) jout_kv_f64(&member, key.p ? key.p : "", r->each[i].ndcg_at_10);
        buf_free(&key);
        if (err) return buf_free(&b), err;
    }
    jout_end(&j, '}');
    jout_end(&j, '}');
    buf_char(&b, '\n');
    Err err = buf_ok(&b);
    if (!err) err = file_write_atomic(path, buf_str(&b), 0644);
    buf_free(&b);
    return err;
}

static Err differs(const char *path, const char *what) {
    return err_fix(err_set(ERR_INPUT, "the baseline '%s' %s", path, what),
                   "pythia eval gate DIR --baseline '%s' --update", path);
}

/* differences[i] = now - then of query i. */
static Err differences_read(const EvalReport *r, const json_t *v, const char *path, double *differences, double *then) {
    const json_t *queries = json_object_get(v, "queries");
    *then = 0;
    if (!json_is_object(queries)) return differs(path, "has no queries");
    if (json_object_size(queries) != (size_t)r->queries) return differs(path, "was made of other queries");
    for (int64_t i = 0; i < r->queries; i++) {
        const Str id = r->each[i].id;
        const json_t *one = json_object_getn(queries, id.p, id.n);
        if (!json_is_number(one)) return differs(path, "was made of other queries");
        *then += json_number_value(one);
        differences[i] = r->each[i].ndcg_at_10 - json_number_value(one);
    }
    *then /= (double)r->queries;
    return ERR_OK;
}

/* How often random signs give a sum as low as the one there is: 0..1, never 0. */
static double chance_of_loss(const double *differences, size_t n) {
    Random random = {1};
    uint64_t bits = 0;
    double sum = 0;
    size_t as_low = 0;
    for (size_t i = 0; i < n; i++) sum += differences[i];
    for (int round = 0; round < GATE_ROUNDS; round++) {
        double signed_sum = 0;
        for (size_t i = 0; i < n; i++) {
            if (i % 64 == 0) bits = random_next(&random);
            signed_sum += bits >> (i % 64) & 1 ? differences[i] : -differences[i];
        }
        as_low += signed_sum <= sum + 1e-12;
    }
    return (double)(as_low + 1) / (GATE_ROUNDS + 1);
}

static void judge(const double *differences, const EvalReport *now, EvalGate *out) {
    for (int64_t i = 0; i < now->queries; i++) {
        out->better += differences[i] > 1e-9;
        out->worse += differences[i] < -1e-9;
    }
    out->now = now->ndcg_at_10;
    const double loss = out->before - out->now;
    out->p = loss > 0 ? chance_of_loss(differences, (size_t)now->queries) : 1;
    out->failed = loss > GATE_MOST || (loss > GATE_LEAST && out->p < GATE_P);
}

static Err compare(Arena *a, const EvalReport *r, const char *path, EvalGate *out) {
    Str text;
    json_t *v = NULL;
    double *differences = arena_array(a, double, (size_t)r->queries);
    if (!differences) return arena_error();
    Err err = file_read(a, path, GATE_FILE_MAX, &text);
    if (err) return err_fix(err, "pythia eval gate DIR --baseline '%s' --update", path);
    TRY(json_read(text, path, &v));
    err = differences_read(r, v, path, differences, &out->before);
    json_decref(v);
    TRY(err);
    judge(differences, r, out);
    return ERR_OK;
}

Err pythia_eval_compare(Arena *a, const EvalReport *before, const EvalReport *now, EvalGate *out) {
    Map places = {0};
    double *differences = arena_array(a, double, (size_t)now->queries);
    Err err = differences ? ERR_OK : arena_error();
    *out = (EvalGate){.before = before->ndcg_at_10};
    for (int64_t i = 0; !err && i < before->queries; i++) err = map_put(&places, before->each[i].id, (uint64_t)i);
    for (int64_t i = 0; !err && i < now->queries; i++) {
        const uint64_t *at = map_get(&places, now->each[i].id);
        if (!at || before->queries != now->queries)
            err = err_set(ERR_INPUT, "'%.*s' and '%.*s' are of other queries", STR_FMT(before->set), STR_FMT(now->set));
        else
            differences[i] = now->each[i].ndcg_at_10 - before->each[*at].ndcg_at_10;
    }
    if (!err) judge(differences, now, out);
    map_free(&places);
    return err;
}

Err pythia_eval_gate(Pythia *p, Arena *a, const EvalRequest *rq, const char *baseline, bool update, EvalReport *report,
                     EvalGate *out) {
    *out = (EvalGate){0};
    TRY(pythia_eval(p, a, rq, report));
    if (!update) return compare(a, report, baseline, out);
    out->before = out->now = report->ndcg_at_10;
    out->p = 1;
    return baseline_write(report, baseline);
}
