/* remote_rank.c - ranks from a service: {"model", "query", "documents": [text…], "top_n"} is asked,
 * {"results": [{"index", "relevance_score"}…]} is answered (Cohere's API reference, v2/rerank). The order of the list
 * means nothing, the index does. See remote.h.
 */
#include <math.h>

#include "base/json.h"
#include "model/remote_impl.h"

enum { BATCH_DOCS = 100 };
static const double PROBABILITY_EDGE = 1e-7; /* 0 and 1 have no logits: +-16 is as good */

Err remote_rank_url(Arena *a, Str url, const char **out) {
    const Err err = http_api_url(a, url, "/rerank", out);
    if (err != ERR_USAGE) return err;
    return err_fix(err_set(ERR_USAGE, "'%.*s' is no URL of a service (rerank_remote.url)", STR_FMT(url)),
                   "pythia config set rerank_remote.url http://127.0.0.1:8081/v1");
}

/* ---- the answer ---- */

static Err read_result(const json_t *item, size_t at, size_t n, bool *seen, float *out) {
    int64_t index = -1;
    const json_t *score = json_object_get(item, "relevance_score");
    if (json_get_i64(item, "index", &index) || index < 0 || (uint64_t)index >= n || seen[index])
        return err_set(ERR_NETWORK, "result %zu of the answer has an index that cannot be", at);
    if (!json_is_number(score)) return err_set(ERR_NETWORK, "result %zu of the answer has no 'relevance_score'", at);
    out[index] = (float)json_number_value(score);
    if (!isfinite(out[index])) return err_set(ERR_NETWORK, "the score of result %zu is not finite", at);
    seen[index] = true;
    return ERR_OK;
}

static Err read_results(Arena *a, const json_t *root, size_t n, float *out) {
    const json_t *results = json_object_get(root, "results");
    if (!json_is_array(results)) return err_set(ERR_NETWORK, "the answer has no list 'results'");
    if (json_array_size(results) != n)
        return err_set(ERR_NETWORK, "the answer has %zu results for %zu texts", json_array_size(results), n);
    bool *seen = arena_array(a, bool, n);
    if (!seen) return arena_error();
    for (size_t i = 0; i < n; i++) TRY(read_result(json_array_get(results, i), i, n, seen, out));
    return ERR_OK;
}

Err remote_ranks_read(Arena *a, Str body, size_t n, float *out) {
    json_t *root = NULL;
    if (json_read(body, "answer", &root)) return err_set(ERR_NETWORK, "the answer is no JSON");
    const Err err = read_results(a, root, n, out);
    json_decref(root);
    return err;
}

void remote_ranks_logits(float *scores, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (scores[i] < 0 || scores[i] > 1) return;
    for (size_t i = 0; i < n; i++) {
        double p = (double)scores[i];
        p = p < PROBABILITY_EDGE ? PROBABILITY_EDGE : p > 1 - PROBABILITY_EDGE ? 1 - PROBABILITY_EDGE : p;
        scores[i] = (float)log(p / (1 - p));
    }
}

/* ---- asking ---- */

static Err request_body(const Remote *r, Str query, const Str *docs, size_t n, Buf *out) {
    JsonOut j = jout_to(out);
    jout_begin(&j, '{');
    jout_kv_z(&j, "model", r->model);
    jout_kv_str(&j, "query", query);
    jout_key(&j, "documents");
    jout_begin(&j, '[');
    for (size_t i = 0; i < n; i++) jout_str(&j, docs[i]);
    jout_end(&j, ']');
    jout_kv_i64(&j, "top_n", (int64_t)n);
    jout_end(&j, '}');
    return buf_ok(out);
}

static Err ask(Remote *r, Str query, const Str *docs, size_t n, size_t first, const Deadline *deadline, float *out) {
    Arena a = {0};
    Buf body = {0};
    HttpReply reply;
    bool too_large = false;
    Err err = request_body(r, query, docs, n, &body);
    if (!err) err = remote_post(r, &a, buf_str(&body), deadline, first, &reply);
    if (!err) too_large = reply.status == 413 && n > 1;
    if (!err && !too_large) err = remote_accept(r, &reply);
    if (!err && !too_large && (err = remote_ranks_read(&a, reply.body, n, out))) err = err_prefix(err, "'%s'", r->url);
    buf_free(&body);
    arena_free(&a);
    if (err || !too_large) return err;
    TRY(ask(r, query, docs, n / 2, first, deadline, out));
    return ask(r, query, docs + n / 2, n - n / 2, first + n / 2, deadline, out + n / 2);
}

Err remote_rerank(Remote *r, Str query, const Str *docs, size_t n, const EmbedOpts *opts, float *scores,
                  EmbedInfo *told) {
    for (size_t from = 0; from < n; from += BATCH_DOCS) {
        const size_t some = n - from < BATCH_DOCS ? n - from : BATCH_DOCS;
        TRY(deadline_check(opts->deadline));
        TRY(ask(r, query, docs + from, some, from, opts->deadline, scores + from));
    }
    remote_ranks_logits(scores, n);
    const size_t asked = told ? remote_count_tokens(r, query) : 0;
    for (size_t i = 0; told && i < n; i++) {
        const size_t tokens = asked + remote_count_tokens(r, docs[i]);
        told[i] = (EmbedInfo){.tokens = tokens > INT32_MAX ? INT32_MAX : (int32_t)tokens};
    }
    return ERR_OK;
}
