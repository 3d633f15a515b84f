/* eval_report.c - see eval_report.h, and pythia.h for the rest. */
#include "engine/eval_report.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"

enum { REPORT_FILE_MAX = 256 << 20, RANK_MAX = 1000000 };

/* ---- figures ---- */

double pythia_eval_recall(const EvalReport *r, size_t places) {
    double sum = 0;
    for (int64_t i = 0; i < r->queries; i++) {
        const EvalQuery *q = &r->each[i];
        size_t found = 0;
        while (found < q->n_ranks && (size_t)q->ranks[found] <= places) found++;
        if (q->relevant) sum += (double)found / (double)q->relevant;
    }
    return r->queries ? sum / (double)r->queries : 0;
}

static int ascending(const void *x, const void *y) {
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

Err eval_report_sum(Arena *a, EvalReport *r) {
    const size_t n = (size_t)r->queries;
    double *ms = arena_array(a, double, n);
    if (!ms) return arena_error();
    r->ndcg_at_10 = r->mrr_at_10 = 0;
    if (n == 0) return ERR_OK;
    for (size_t i = 0; i < n; i++) {
        const EvalQuery *q = &r->each[i];
        ms[i] = q->ms;
        r->ndcg_at_10 += q->ndcg_at_10 / (double)n;
        if (q->n_ranks && q->ranks[0] <= 10) r->mrr_at_10 += 1.0 / q->ranks[0] / (double)n;
    }
    qsort(ms, n, sizeof *ms, ascending);
    r->p50_ms = ms[n / 2];
    r->p95_ms = ms[n * 95 / 100];
    r->recall_at_10 = pythia_eval_recall(r, 10);
    r->recall_at_100 = pythia_eval_recall(r, 100);
    return ERR_OK;
}

/* ---- writing ---- */

static void query_write(JsonOut *j, const EvalQuery *q) {
    jout_begin(j, '{');
    jout_kv_str(j, "id", q->id);
    if (q->kind.n) jout_kv_str(j, "kind", q->kind);
    jout_kv_str(j, "text", q->text);
    jout_kv_f64(j, "ndcg_at_10", q->ndcg_at_10);
    jout_kv_f64(j, "ms", q->ms);
    jout_kv_str(j, "best", q->best);
    jout_kv_i64(j, "relevant", q->relevant);
    jout_key(j, "ranks");
    jout_begin(j, '[');
    for (size_t i = 0; i < q->n_ranks; i++) jout_i64(j, q->ranks[i]);
    jout_end(j, ']');
    jout_end(j, '}');
}

Err pythia_eval_report_write(const EvalReport *r, const char *path) {
    Buf b = {0};
    JsonOut j = jout_to(&b);
    jout_begin(&j, '{');
    jout_kv_z(&j, "made_by", "pythia eval run");
    jout_kv_str(&j, "set", r->set);
    jout_kv_str(&j, "model", r->model);
    jout_kv_z(&j, "mode", r->mode);
    jout_kv_z(&j, "fusion", r->fusion);
    jout_kv_f64(&j, "vectors", r->vectors);
    jout_kv_i64(&j, "documents", r->documents);
    jout_kv_f64(&j, "index_seconds", r->index_seconds);
    if (r->questions) {
        jout_kv_i64(&j, "questions", r->questions);
        jout_kv_f64(&j, "abstain_auroc", r->abstain_auroc);
        jout_kv_f64(&j, "answer_em", r->answer_em);
        jout_kv_f64(&j, "answer_f1", r->answer_f1);
        jout_kv_f64(&j, "answer_holds", r->answer_holds);
        jout_kv_f64(&j, "citation_precision", r->citation_precision);
        jout_kv_f64(&j, "ask_p50_ms", r->ask_p50_ms);
    }
    jout_key(&j, "queries");
    jout_begin(&j, '[');
    for (int64_t i = 0; i < r->queries; i++) {
        buf_add_z(&b, i ? ",\n" : "\n");
        JsonOut one = jout_to(&b);
        query_write(&one, &r->each[i]);
    }
    jout_end(&j, ']');
    jout_end(&j, '}');
    buf_char(&b, '\n');
    Err err = buf_ok(&b);
    if (!err) err = file_write_atomic(path, buf_str(&b), 0644);
    buf_free(&b);
    return err;
}

/* ---- reading ---- */

static Err member_str(Arena *a, const json_t *v, const char *key, Str *out) {
    Str s = STR("");
    TRY(json_get_str(v, key, &s));
    *out = arena_str(a, s);
    return out->p ? ERR_OK : arena_error();
}

static Err member_z(Arena *a, const json_t *v, const char *key, const char **out) {
    Str s;
    TRY(member_str(a, v, key, &s));
    *out = s.p;
    return ERR_OK;
}

static Err ranks_read(Arena *a, const json_t *v, EvalQuery *q) {
    const json_t *list = json_object_get(v, "ranks");
    const size_t n = json_array_size(list);
    int32_t *ranks = arena_array(a, int32_t, n);
    if (!ranks) return arena_error();
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        const int64_t rank = json_is_integer(one) ? json_integer_value(one) : 0;
        if (rank < 1 || rank > RANK_MAX || (i && rank <= ranks[i - 1]))
            return err_set(ERR_INPUT, "'ranks' of query '%.*s' do not rise from 1", STR_FMT(q->id));
        ranks[i] = (int32_t)rank;
    }
    q->ranks = ranks;
    q->n_ranks = n;
    return ERR_OK;
}

static Err query_read(Arena *a, const json_t *v, EvalQuery *q) {
    *q = (EvalQuery){.ndcg_at_10 = -1};
    if (!json_is_object(v)) return err_set(ERR_INPUT, "one of 'queries' is no object");
    TRY(member_str(a, v, "id", &q->id));
    TRY(member_str(a, v, "kind", &q->kind));
    TRY(member_str(a, v, "text", &q->text));
    TRY(member_str(a, v, "best", &q->best));
    TRY(json_get_f64(v, "ndcg_at_10", &q->ndcg_at_10));
    TRY(json_get_f64(v, "ms", &q->ms));
    TRY(json_get_i64(v, "relevant", &q->relevant));
    TRY(ranks_read(a, v, q));
    if (!(q->ndcg_at_10 >= 0 && q->ndcg_at_10 <= 1) || !(q->ms >= 0) || q->relevant < 1 ||
        q->n_ranks > (size_t)q->relevant)
        return err_set(ERR_INPUT, "the figures of query '%.*s' cannot be", STR_FMT(q->id));
    return ERR_OK;
}

static Err report_read(Arena *a, const json_t *v, EvalReport *out) {
    const json_t *queries = json_object_get(v, "queries");
    const size_t n = json_array_size(queries);
    if (n == 0) return err_set(ERR_INPUT, "it has no 'queries'");
    TRY(member_str(a, v, "set", &out->set));
    TRY(member_str(a, v, "model", &out->model));
    TRY(member_z(a, v, "mode", &out->mode));
    TRY(member_z(a, v, "fusion", &out->fusion));
    TRY(json_get_f64(v, "vectors", &out->vectors));
    TRY(json_get_i64(v, "documents", &out->documents));
    TRY(json_get_f64(v, "index_seconds", &out->index_seconds));
    TRY(json_get_i64(v, "questions", &out->questions));
    TRY(json_get_f64(v, "abstain_auroc", &out->abstain_auroc));
    TRY(json_get_f64(v, "answer_em", &out->answer_em));
    TRY(json_get_f64(v, "answer_f1", &out->answer_f1));
    TRY(json_get_f64(v, "answer_holds", &out->answer_holds));
    TRY(json_get_f64(v, "citation_precision", &out->citation_precision));
    TRY(json_get_f64(v, "ask_p50_ms", &out->ask_p50_ms));
    EvalQuery *each = arena_array(a, EvalQuery, n);
    if (!each) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(query_read(a, json_array_get(queries, i), &each[i]));
    out->each = each;
    out->queries = (int64_t)n;
    return eval_report_sum(a, out);
}

Err pythia_eval_report_read(Arena *a, const char *path, EvalReport *out) {
    Str text;
    json_t *v = NULL;
    *out = (EvalReport){.vectors = 1};
    TRY(file_read(a, path, REPORT_FILE_MAX, &text));
    TRY(json_read(text, path, &v));
    Err err = report_read(a, v, out);
    json_decref(v);
    if (err == ERR_INPUT) return err_fix(err_prefix(err, "'%s'", path), "pythia eval run DIR --report '%s'", path);
    return err;
}
