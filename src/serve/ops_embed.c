/* ops_embed.c - the model by request: embed, embeddings, models, rerank, tokenize. */
#include <math.h>
#include <stdlib.h>

#include "base/base64.h"
#include "serve/desk.h"
#include "serve/reply.h"

enum { TOKENS_OF_ALL_MAX = 4 << 20 };

/* A model is asked for by its name alone: a path would let a caller have any file of the machine opened. */
static Err model_name_check(Str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-:", c);
        if (!fine || c == 0 || name.p[0] == '.')
            return err_fix(err_set(ERR_NO_MODEL, "there is no model '%.*s'", STR_FMT(name)), "GET /v1/models");
    }
    return ERR_OK;
}

typedef struct {
    const Str *texts;      /* [n], or */
    const TokenIds *given; /* [n] where texts is NULL */
    Str model;
    bool query, truncate;
    int64_t dimensions;
    float *vectors; /* [n, dim], cut to dimensions */
    size_t n, dim;
    int32_t *tokens;
    bool *cut;
    int64_t all_tokens;
    bool any_cut;
} Embedding;

/* Matryoshka: the first so many, at unit length again. */
static void shorten(float *v, size_t n, size_t from, size_t to) {
    for (size_t i = 0; i < n; i++) {
        const float *in = v + i * from;
        float *out = v + i * to;
        double sum = 0;
        for (size_t d = 0; d < to; d++) sum += (double)in[d] * (double)in[d];
        float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 1;
        for (size_t d = 0; d < to; d++) out[d] = in[d] * scale;
    }
}

static Err embedding_make(Call *c, Embedding *e) {
    const int64_t start = clock_mono_ns();
    const PythiaEmbed rq = {.model = e->model, .query = e->query};
    TRY(model_name_check(e->model));
    if (e->texts)
        TRY(pythia_embed(c->engine, c->arena, &rq, e->texts, e->n, &e->vectors, &e->dim, &e->tokens, &e->cut));
    else
        TRY(pythia_embed_ids(c->engine, c->arena, &rq, e->given, e->n, &e->vectors, &e->dim, &e->tokens, &e->cut));
    for (size_t i = 0; i < e->n; i++) {
        e->all_tokens += e->tokens[i];
        e->any_cut |= e->cut[i];
        if (e->cut[i] && !e->truncate)
            return err_fix(err_set(ERR_LIMIT, "text %zu has more than the model's %d tokens", i, e->tokens[i]),
                           "\"truncate\": true");
    }
    if (e->dimensions > (int64_t)e->dim)
        return err_set(ERR_USAGE, "'dimensions' cannot be %lld; valid: 1 to %zu", (long long)e->dimensions, e->dim);
    if (e->dimensions && e->dimensions < (int64_t)e->dim) {
        shorten(e->vectors, e->n, e->dim, (size_t)e->dimensions);
        e->dim = (size_t)e->dimensions;
    }
    metrics_embed(desk_metrics(c->desk), clock_ms_since(start) / 1000, e->all_tokens);
    return ERR_OK;
}

static Str model_shown(const Call *c, Str asked) {
    return asked.n ? asked : config_text(desk_opts(c->desk)->config, CONF_MODEL_EMBED);
}

Err op_embed(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    const Str *texts = NULL;
    Str one = field_str(p, "text", NULL);
    size_t n = 0;
    TRY(field_strs(c->arena, p, "texts", &texts, &n));
    bool many = json_object_get(p, "texts") != NULL;
    if (many == (one.p != NULL)) return err_set(ERR_USAGE, "give either 'text' or 'texts'");
    if (!field_bool(p, "normalize", true))
        return err_set(ERR_UNSUPPORTED, "'normalize' cannot be false: vectors have unit length");
    Embedding e = {.texts = many ? texts : &one,
                   .n = many ? n : 1,
                   .model = field_str(p, "model", ""),
                   .query = str_is(field_str(p, "kind", "document"), "query"),
                   .truncate = field_bool(p, "truncate", true),
                   .dimensions = field_i64(p, "dimensions", 0)};
    if (many && !n) e.texts = &one; /* none: not looked at */
    TRY(embedding_make(c, &e));
    if (many) {
        jout_key(j, "embeddings");
        jout_begin(j, '[');
        for (size_t i = 0; i < n; i++) reply_vector(j, NULL, e.vectors + i * e.dim, e.dim);
        jout_end(j, ']');
    } else {
        reply_vector(j, "embedding", e.vectors, e.dim);
    }
    jout_kv_str(j, "model", model_shown(c, e.model));
    jout_kv_i64(j, "dimension", (int64_t)e.dim);
    jout_kv_i64(j, "tokens", e.all_tokens);
    jout_kv_bool(j, "truncated", e.any_cut);
    return ERR_OK;
}

/* In base64: little-endian bytes of the floats, whatever this machine's order. */
static void base64_floats(Buf *b, const float *v, size_t n) {
    char *bytes = malloc(n * sizeof *v);
    if (!bytes) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, &v[i], sizeof word);
        for (size_t k = 0; k < sizeof word; k++) bytes[i * sizeof word + k] = (char)(word >> 8 * k);
    }
    base64_encode(str_make(bytes, n * sizeof *v), b);
    free(bytes);
}

static Err ids_of(Call *c, const json_t *list, TokenIds *out) {
    const size_t n = json_array_size(list);
    int32_t *ids = arena_array(c->arena, int32_t, n);
    if (!ids) return arena_error();
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    *out = (TokenIds){ids, n};
    return ERR_OK;
}

/* A text or some, or token ids, or some lists of them. */
static Err input_take(Call *c, Embedding *e) {
    const json_t *input = json_object_get(c->params, "input"), *first = json_array_get(input, 0);
    if (!json_is_integer(first) && !json_is_array(first))
        return field_strs(c->arena, c->params, "input", &e->texts, &e->n);
    e->n = json_is_integer(first) ? 1 : json_array_size(input);
    TokenIds *lists = arena_array(c->arena, TokenIds, e->n);
    if (!lists) return arena_error();
    for (size_t i = 0; i < e->n; i++)
        TRY(ids_of(c, json_is_integer(first) ? input : json_array_get(input, i), &lists[i]));
    e->given = lists;
    return ERR_OK;
}

Err op_embeddings(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    Embedding e = {.model = field_str(p, "model", ""), .truncate = true, .dimensions = field_i64(p, "dimensions", 0)};
    TRY(input_take(c, &e));
    TRY(embedding_make(c, &e));
    bool base64 = str_is(field_str(p, "encoding_format", "float"), "base64");
    jout_kv_z(j, "object", "list");
    jout_key(j, "data");
    jout_begin(j, '[');
    for (size_t i = 0; i < e.n; i++) {
        const float *v = e.vectors + i * e.dim;
        jout_begin(j, '{');
        jout_kv_z(j, "object", "embedding");
        jout_kv_i64(j, "index", (int64_t)i);
        if (base64) {
            jout_key(j, "embedding");
            jout_raw(j, STR("\""));
            base64_floats(j->buf, v, e.dim);
            buf_char(j->buf, '"');
        } else {
            reply_vector(j, "embedding", v, e.dim);
        }
        jout_end(j, '}');
    }
    jout_end(j, ']');
    jout_kv_str(j, "model", e.model);
    jout_key(j, "usage");
    jout_begin(j, '{');
    jout_kv_i64(j, "prompt_tokens", e.all_tokens);
    jout_kv_i64(j, "total_tokens", e.all_tokens);
    jout_end(j, '}');
    return ERR_OK;
}

typedef struct {
    JsonOut *j;
    Str only; /* its members alone are written; {NULL,0}: all, as objects */
    size_t n;
} Models;

/* dim, max_tokens: of models that embed; 0 of what answers. */
static void model_add(Models *m, Str id, int64_t dim, int64_t max_tokens) {
    JsonOut *j = m->j;
    if (m->only.p && (m->n || !str_eq(id, m->only))) return;
    m->n++;
    if (!m->only.p) jout_begin(j, '{');
    jout_kv_str(j, "id", id);
    jout_kv_z(j, "object", "model");
    jout_kv_i64(j, "created", 0);
    jout_kv_z(j, "owned_by", "pythia");
    jout_kv_positive(j, "dimension", dim);
    jout_kv_positive(j, "max_tokens", max_tokens);
    if (!m->only.p) jout_end(j, '}');
}

/* What chat completions may be asked of: all collections, and each. */
static Err answerers_add(Call *c, Models *m) {
    PythiaCollection *list = NULL;
    size_t n = 0;
    const Err err = pythia_collections(c->engine, c->arena, &list, &n);
    if (err && err != ERR_NO_COLLECTION) return err;
    model_add(m, STR("pythia"), 0, 0);
    for (size_t i = 0; i < n; i++) {
        const Str id = arena_printf(c->arena, "pythia:%.*s", STR_FMT(list[i].name));
        if (!id.p) return arena_error();
        model_add(m, id, 0, 0);
    }
    return ERR_OK;
}

static Err models_add(Call *c, Models *m) {
    PythiaModel *list = NULL;
    size_t n = 0;
    TRY(pythia_models(c->engine, c->arena, &list, &n));
    for (size_t i = 0; i < n; i++)
        if (!list[i].problem.n) model_add(m, list[i].name, list[i].dim, list[i].max_tokens);
    return answerers_add(c, m);
}

Err op_models(Call *c, JsonOut *j) {
    Models all = {.j = j};
    jout_kv_z(j, "object", "list");
    jout_key(j, "data");
    jout_begin(j, '[');
    TRY(models_add(c, &all));
    jout_end(j, ']');
    return ERR_OK;
}

Err op_model(Call *c, JsonOut *j) {
    Models one = {.j = j, .only = field_str(c->params, "id", "")};
    TRY(models_add(c, &one));
    if (one.n) return ERR_OK;
    return err_fix(err_set(ERR_NO_MODEL, "there is no model '%.*s'", STR_FMT(str_upto(one.only, 200))),
                   "GET /v1/models");
}

/* ---- rerank ---- */

static Err rerank_texts(Call *c, const Str **out, size_t *n) {
    const json_t *list = json_object_get(c->params, "documents");
    if (json_is_string(json_array_get(list, 0))) return field_strs(c->arena, c->params, "documents", out, n);
    *n = json_array_size(list);
    Str *texts = arena_array(c->arena, Str, *n);
    if (!texts) return arena_error();
    for (size_t i = 0; i < *n; i++) texts[i] = field_str(json_array_get(list, i), "text", "");
    *out = texts;
    return ERR_OK;
}

static int better(const void *x, const void *y, void *ctx) {
    const PythiaRanked *r = ctx;
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    if (r[a].score != r[b].score) return r[a].score < r[b].score ? 1 : -1;
    return a < b ? -1 : 1;
}

Err op_rerank(Call *c, JsonOut *j) {
    const json_t *p = c->params;
    const Str *texts = NULL;
    size_t n = 0;
    PythiaRanked *ranked = NULL;
    Str model = field_str(p, "model", "");
    TRY(model_name_check(model));
    TRY(rerank_texts(c, &texts, &n));
    TRY(pythia_rerank(c->engine, c->arena, &(PythiaRerank){.model = model, .query = field_str(p, "query", "")}, texts,
                      n, &ranked));
    size_t *order = arena_array(c->arena, size_t, n);
    if (!order) return arena_error();
    for (size_t i = 0; i < n; i++) order[i] = i;
    qsort_r(order, n, sizeof *order, better, ranked);
    int64_t top = field_i64(p, "top_n", (int64_t)n);
    bool with_text = field_bool(p, "return_documents", false);
    jout_kv_z(j, "id", "rerank");
    jout_key(j, "results");
    jout_begin(j, '[');
    for (size_t i = 0; i < n && (int64_t)i < top; i++) {
        jout_begin(j, '{');
        jout_kv_i64(j, "index", (int64_t)order[i]);
        jout_kv_f64(j, "relevance_score", ranked[order[i]].score);
        if (with_text) {
            jout_key(j, "document");
            jout_begin(j, '{');
            jout_kv_str(j, "text", texts[order[i]]);
            jout_end(j, '}');
        }
        jout_end(j, '}');
    }
    jout_end(j, ']');
    jout_kv_str(j, "model", model.n ? model : config_text(desk_opts(c->desk)->config, CONF_MODEL_RERANK));
    return ERR_OK;
}

Err op_tokenize(Call *c, JsonOut *j) {
    int32_t *ids = NULL;
    size_t n = 0;
    Str model = field_str(c->params, "model", ""), text = field_str(c->params, "text", "");
    TRY(model_name_check(model));
    if (text.n > TOKENS_OF_ALL_MAX)
        return err_set(ERR_LIMIT, "'text' has %zu bytes; at most %d are taken", text.n, TOKENS_OF_ALL_MAX);
    TRY(pythia_tokenize(c->engine, c->arena, model, text, &ids, &n));
    jout_key(j, "ids");
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) jout_i64(j, ids[i]);
    jout_end(j, ']');
    jout_kv_i64(j, "tokens", (int64_t)n);
    return ERR_OK;
}
