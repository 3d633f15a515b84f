/* parcel.c - see parcel.h. Members are copied by memcpy: their places in the structs are known by offset alone. */
#include "serve/parcel.h"

#include <math.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "engine/pythia.h"

/* ---- writing ---- */

static void str_write(JsonOut *j, Str s) {
    Buf *b = j->buf;
    if (!s.p || utf8_valid(s)) {
        jout_str(j, s);
        return;
    }
    jout_begin(j, '[');
    buf_char(b, '"');
    if (buf_reserve(b, 2 * s.n + 1)) {
        hex_write((const uint8_t *)s.p, s.n, b->p + b->n);
        b->n += 2 * s.n;
    }
    buf_char(b, '"');
    jout_end(j, ']');
}

/* "-0" is a whole number to a reader, which has no sign at zero. */
static bool minus_zero(JsonOut *j, double v) {
    if (v != 0 || !signbit(v)) return false;
    jout_raw(j, STR("-0.0"));
    return true;
}

static void strs_write(JsonOut *j, const Str *list, size_t n) {
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) str_write(j, list[i]);
    jout_end(j, ']');
}

static void parts_write(JsonOut *j, const ParcelShape *shape, const char *list, size_t n) {
    jout_begin(j, '[');
    for (size_t i = 0; i < n; i++) parcel_write(j, shape, list + i * shape->size);
    jout_end(j, ']');
}

#define MEMBER_OF(T, v)                                                                                                \
    T v;                                                                                                               \
    memcpy(&v, place, sizeof v)

static void member_write(JsonOut *j, const ParcelMember *m, const char *from) {
    const char *place = from + m->at;
    size_t n = 0;
    if (m->kind == PARCEL_STRS || m->kind == PARCEL_PARTS) memcpy(&n, from + m->n_at, sizeof n);
    jout_key(j, m->name);
    switch (m->kind) {
    case PARCEL_STR: {
        MEMBER_OF(Str, v);
        str_write(j, v);
        break;
    }
    case PARCEL_TEXT: {
        MEMBER_OF(const char *, v);
        jout_str(j, str_of(v));
        break;
    }
    case PARCEL_I64: {
        MEMBER_OF(int64_t, v);
        jout_i64(j, v);
        break;
    }
    case PARCEL_I32: {
        MEMBER_OF(int32_t, v);
        jout_i64(j, v);
        break;
    }
    case PARCEL_SIZE: {
        MEMBER_OF(size_t, v);
        jout_i64(j, (int64_t)v);
        break;
    }
    case PARCEL_F64: {
        MEMBER_OF(double, v);
        if (!minus_zero(j, v)) jout_f64(j, v);
        break;
    }
    case PARCEL_F32: {
        MEMBER_OF(float, v);
        if (!minus_zero(j, (double)v)) jout_f32(j, v);
        break;
    }
    case PARCEL_BOOL: {
        MEMBER_OF(bool, v);
        jout_bool(j, v);
        break;
    }
    case PARCEL_STRS: {
        MEMBER_OF(const Str *, v);
        strs_write(j, v, n);
        break;
    }
    case PARCEL_PART:
        parcel_write(j, m->shape, place);
        break;
    case PARCEL_PARTS: {
        MEMBER_OF(const char *, v);
        parts_write(j, m->shape, v, n);
        break;
    }
    }
}

void parcel_write(JsonOut *j, const ParcelShape *shape, const void *from) {
    jout_begin(j, '{');
    for (const ParcelMember *m = shape->members; m->name; m++) member_write(j, m, from);
    jout_end(j, '}');
}

/* ---- reading ---- */

static Err member_bad(const ParcelMember *m, const char *want) {
    return err_set(ERR_INPUT, "'%s' must be %s", m->name, want);
}

static Err str_read(Arena *a, const ParcelMember *m, const json_t *v, Str *out) {
    *out = (Str){NULL, 0};
    if (json_is_null(v)) return ERR_OK;
    const json_t *hex = json_is_array(v) && json_array_size(v) == 1 ? json_array_get(v, 0) : NULL;
    const json_t *text = hex ? hex : v;
    if (!json_is_string(text)) return member_bad(m, "a string, its hex digits or null");
    const Str s = str_make(json_string_value(text), json_string_length(text));
    if (!hex) {
        *out = arena_str(a, s);
        return out->p ? ERR_OK : arena_error();
    }
    char *bytes = arena_alloc(a, s.n / 2 + 1);
    if (!bytes) return arena_error();
    if (!hex_read(s, (uint8_t *)bytes, s.n / 2)) return member_bad(m, "hex digits, two a byte");
    *out = str_make(bytes, s.n / 2);
    return ERR_OK;
}

static Err text_read(Arena *a, const ParcelMember *m, const json_t *v, const char **out) {
    *out = NULL;
    if (json_is_null(v)) return ERR_OK;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return member_bad(m, "a string without NUL, or null");
    *out = arena_cstr(a, str_of(json_string_value(v)));
    return *out ? ERR_OK : arena_error();
}

static Err strs_read(Arena *a, const ParcelMember *m, const json_t *v, const Str **out, size_t *n) {
    if (!json_is_array(v)) return member_bad(m, "an array");
    *n = json_array_size(v);
    Str *list = *n ? arena_array(a, Str, *n) : NULL;
    if (*n && !list) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(str_read(a, m, json_array_get(v, i), &list[i]));
    *out = list;
    return ERR_OK;
}

static Err parts_read(Arena *a, const ParcelMember *m, const json_t *v, void **out, size_t *n) {
    if (!json_is_array(v)) return member_bad(m, "an array");
    *n = json_array_size(v);
    char *list = *n ? arena_alloc_array(a, *n, m->shape->size) : NULL;
    if (*n && !list) return arena_error();
    for (size_t i = 0; i < *n; i++) TRY(parcel_read(a, m->shape, json_array_get(v, i), list + i * m->shape->size));
    *out = list;
    return ERR_OK;
}

static Err whole_read(const ParcelMember *m, const json_t *v, int64_t min, int64_t max, int64_t *out) {
    if (!json_is_integer(v)) return member_bad(m, "a whole number");
    *out = json_integer_value(v);
    return *out < min || *out > max ? member_bad(m, "a whole number within its type") : ERR_OK;
}

/* Infinities and NaN are written as null. */
static Err number_read(const ParcelMember *m, const json_t *v, double *out) {
    if (!json_is_number(v) && !json_is_null(v)) return member_bad(m, "a number or null");
    *out = json_is_null(v) ? (double)NAN : json_number_value(v);
    return ERR_OK;
}

static Err scalar_read(const ParcelMember *m, const json_t *v, char *place) {
    int64_t whole = 0;
    double number = 0;
    switch (m->kind) {
    case PARCEL_I64:
        TRY(whole_read(m, v, INT64_MIN, INT64_MAX, &whole));
        memcpy(place, &whole, sizeof whole);
        return ERR_OK;
    case PARCEL_I32:
        TRY(whole_read(m, v, INT32_MIN, INT32_MAX, &whole));
        memcpy(place, &(int32_t){(int32_t)whole}, sizeof(int32_t));
        return ERR_OK;
    case PARCEL_SIZE:
        TRY(whole_read(m, v, 0, INT64_MAX, &whole));
        memcpy(place, &(size_t){(size_t)whole}, sizeof(size_t));
        return ERR_OK;
    case PARCEL_F64:
        TRY(number_read(m, v, &number));
        memcpy(place, &number, sizeof number);
        return ERR_OK;
    case PARCEL_F32:
        TRY(number_read(m, v, &number));
        memcpy(place, &(float){(float)number}, sizeof(float));
        return ERR_OK;
    default:
        if (!json_is_boolean(v)) return member_bad(m, "true or false");
        memcpy(place, &(bool){json_is_true(v)}, sizeof(bool));
        return ERR_OK;
    }
}

static Err member_read(Arena *a, const ParcelMember *m, const json_t *v, char *to) {
    char *place = to + m->at;
    size_t n = 0;
    Str s;
    const char *text = NULL;
    const Str *list = NULL;
    void *parts = NULL;
    switch (m->kind) {
    case PARCEL_STR:
        TRY(str_read(a, m, v, &s));
        memcpy(place, &s, sizeof s);
        return ERR_OK;
    case PARCEL_TEXT:
        TRY(text_read(a, m, v, &text));
        memcpy(place, &text, sizeof text);
        return ERR_OK;
    case PARCEL_STRS:
        TRY(strs_read(a, m, v, &list, &n));
        memcpy(place, &list, sizeof list);
        memcpy(to + m->n_at, &n, sizeof n);
        return ERR_OK;
    case PARCEL_PARTS:
        TRY(parts_read(a, m, v, &parts, &n));
        memcpy(place, &parts, sizeof parts);
        memcpy(to + m->n_at, &n, sizeof n);
        return ERR_OK;
    case PARCEL_PART:
        return parcel_read(a, m->shape, v, place);
    default:
        return scalar_read(m, v, place);
    }
}

Err parcel_read(Arena *a, const ParcelShape *shape, const json_t *object, void *to) {
    if (!json_is_object(object)) return err_set(ERR_INPUT, "an object is wanted");
    memset(to, 0, shape->size);
    for (const ParcelMember *m = shape->members; m->name; m++) {
        const json_t *v = json_object_get(object, m->name);
        if (!v) return err_set(ERR_INPUT, "'%s' is missing", m->name);
        TRY(member_read(a, m, v, to));
    }
    return ERR_OK;
}

/* ---- shapes: every member of pythia.h's structs ---- */

#define HAS(S, kind_, member)                                                                                          \
    { .name = #member, .kind = PARCEL_##kind_, .at = offsetof(S, member) }
#define HAS_MANY(S, kind_, member, count, shape_)                                                                      \
    { .name = #member, .kind = PARCEL_##kind_, .at = offsetof(S, member), .n_at = offsetof(S, count), .shape = shape_ }
#define HAS_PART(S, member, shape_)                                                                                    \
    { .name = #member, .kind = PARCEL_PART, .at = offsetof(S, member), .shape = shape_ }

static const ParcelMember search_members[] = {HAS(PythiaSearch, STR, query),
                                              HAS(PythiaSearch, STR, like),
                                              HAS_MANY(PythiaSearch, STRS, paths, n_paths, NULL),
                                              HAS_MANY(PythiaSearch, STRS, collections, n_collections, NULL),
                                              HAS(PythiaSearch, SIZE, limit),
                                              HAS(PythiaSearch, TEXT, mode),
                                              HAS(PythiaSearch, TEXT, fusion),
                                              HAS_MANY(PythiaSearch, STRS, langs, n_langs, NULL),
                                              HAS_MANY(PythiaSearch, STRS, globs, n_globs, NULL),
                                              HAS_MANY(PythiaSearch, STRS, kinds, n_kinds, NULL),
                                              HAS_MANY(PythiaSearch, STRS, metas, n_metas, NULL),
                                              HAS(PythiaSearch, I64, since_ms),
                                              HAS(PythiaSearch, I64, until_ms),
                                              HAS(PythiaSearch, F64, min_score),
                                              HAS(PythiaSearch, I64, deadline_ms),
                                              HAS(PythiaSearch, BOOL, full),
                                              HAS(PythiaSearch, I32, rerank),
                                              HAS(PythiaSearch, I32, collapse),
                                              {0}};
const ParcelShape parcel_search = {sizeof(PythiaSearch), search_members};

static const ParcelMember copy_members[] = {
    HAS(PythiaCopy, STR, id),         HAS(PythiaCopy, STR, uri),      HAS(PythiaCopy, STR, path),
    HAS(PythiaCopy, STR, collection), HAS(PythiaCopy, STR, root),     HAS(PythiaCopy, I32, start_line),
    HAS(PythiaCopy, I32, end_line),   HAS(PythiaCopy, F32, likeness), {0}};
static const ParcelShape copy_shape = {sizeof(PythiaCopy), copy_members};

static const ParcelMember hit_members[] = {HAS(PythiaHit, STR, id),
                                           HAS(PythiaHit, STR, uri),
                                           HAS(PythiaHit, STR, path),
                                           HAS(PythiaHit, STR, collection),
                                           HAS(PythiaHit, STR, root),
                                           HAS(PythiaHit, I32, start_line),
                                           HAS(PythiaHit, I32, end_line),
                                           HAS(PythiaHit, I32, page),
                                           HAS(PythiaHit, STR, symbol),
                                           HAS(PythiaHit, STR, kind),
                                           HAS(PythiaHit, STR, lang),
                                           HAS(PythiaHit, STR, heading),
                                           HAS(PythiaHit, STR, title),
                                           HAS(PythiaHit, STR, meta),
                                           HAS(PythiaHit, F32, score),
                                           HAS(PythiaHit, TEXT, freshness),
                                           HAS(PythiaHit, STR, content),
                                           HAS(PythiaHit, I32, lex_rank),
                                           HAS(PythiaHit, I32, vec_rank),
                                           HAS(PythiaHit, F32, bm25),
                                           HAS(PythiaHit, F32, cosine),
                                           HAS(PythiaHit, F32, fused),
                                           HAS(PythiaHit, F32, named),
                                           HAS(PythiaHit, F32, prior),
                                           HAS(PythiaHit, BOOL, estimated),
                                           HAS(PythiaHit, I32, first_rank),
                                           HAS(PythiaHit, F32, first_score),
                                           HAS(PythiaHit, F32, relevance),
                                           HAS_MANY(PythiaHit, PARTS, copies, n_copies, &copy_shape),
                                           HAS(PythiaHit, I64, more_copies),
                                           {0}};
static const ParcelShape hit_shape = {sizeof(PythiaHit), hit_members};

static const ParcelMember recomputed_members[] = {HAS(PythiaRecomputed, BOOL, any),
                                                  HAS(PythiaRecomputed, I64, computed),
                                                  HAS(PythiaRecomputed, I64, cached),
                                                  HAS(PythiaRecomputed, I64, lost),
                                                  HAS(PythiaRecomputed, BOOL, proven),
                                                  HAS(PythiaRecomputed, F64, ms),
                                                  {0}};
static const ParcelShape recomputed_shape = {sizeof(PythiaRecomputed), recomputed_members};

static const ParcelMember reranked_members[] = {HAS(PythiaReranked, BOOL, any),
                                                HAS(PythiaReranked, STR, model),
                                                HAS(PythiaReranked, I64, wanted),
                                                HAS(PythiaReranked, I64, scored),
                                                HAS(PythiaReranked, F64, weight),
                                                HAS(PythiaReranked, F64, ms),
                                                {0}};
static const ParcelShape reranked_shape = {sizeof(PythiaReranked), reranked_members};

static const ParcelMember coverage_members[] = {
    HAS(Coverage, I64, indexed), HAS(Coverage, I64, pending), HAS(Coverage, I64, skipped), HAS(Coverage, I64, stale),
    HAS(Coverage, I64, skimmed), HAS(Coverage, I64, statics), HAS(Coverage, F64, ratio),   {0}};
static const ParcelShape coverage_shape = {sizeof(Coverage), coverage_members};

static const ParcelMember reply_members[] = {HAS(PythiaReply, STR, query),
                                             HAS(PythiaReply, TEXT, mode),
                                             HAS_MANY(PythiaReply, PARTS, hits, n, &hit_shape),
                                             HAS(PythiaReply, I64, total),
                                             HAS(PythiaReply, BOOL, has_more),
                                             HAS(PythiaReply, BOOL, deadline_hit),
                                             HAS_PART(PythiaReply, recomputed, &recomputed_shape),
                                             HAS_PART(PythiaReply, reranked, &reranked_shape),
                                             HAS(PythiaReply, F64, took_ms),
                                             HAS(PythiaReply, F64, timing.open_ms),
                                             HAS(PythiaReply, F64, timing.model_ms),
                                             HAS(PythiaReply, F64, timing.embed_ms),
                                             HAS(PythiaReply, F64, timing.lexical_ms),
                                             HAS(PythiaReply, F64, timing.vector_ms),
                                             HAS(PythiaReply, F64, timing.fuse_ms),
                                             HAS(PythiaReply, F64, timing.fresh_ms),
                                             HAS_PART(PythiaReply, coverage, &coverage_shape),
                                             {0}};
const ParcelShape parcel_reply = {sizeof(PythiaReply), reply_members};

static const ParcelMember ask_members[] = {HAS_PART(PythiaAsk, search, &parcel_search),
                                           HAS(PythiaAsk, SIZE, quotes),
                                           HAS(PythiaAsk, F64, threshold),
                                           HAS(PythiaAsk, BOOL, extractive),
                                           HAS(PythiaAsk, BOOL, sources_only),
                                           HAS(PythiaAsk, SIZE, context_tokens),
                                           HAS(PythiaAsk, BOOL, whole),
                                           HAS(PythiaAsk, BOOL, count_tokens),
                                           HAS(PythiaAsk, BOOL, any_collections),
                                           {0}};
const ParcelShape parcel_ask = {sizeof(PythiaAsk), ask_members};

static const ParcelMember citation_members[] = {
    HAS(PythiaCitation, SIZE, source), HAS(PythiaCitation, I32, start_line), HAS(PythiaCitation, I32, end_line),
    HAS(PythiaCitation, STR, quote),   HAS(PythiaCitation, F32, score),      {0}};
static const ParcelShape citation_shape = {sizeof(PythiaCitation), citation_members};

static const ParcelMember refused_members[] = {HAS(PythiaRefused, STR, sentence), HAS(PythiaRefused, TEXT, why), {0}};
static const ParcelShape refused_shape = {sizeof(PythiaRefused), refused_members};

static const ParcelMember answer_members[] = {HAS(PythiaAnswer, STR, question),
                                              HAS_PART(PythiaAnswer, found, &parcel_reply),
                                              HAS(PythiaAnswer, I64, session),
                                              HAS(PythiaAnswer, BOOL, abstained),
                                              HAS(PythiaAnswer, F64, confidence),
                                              HAS(PythiaAnswer, F64, threshold),
                                              HAS(PythiaAnswer, STR, answer),
                                              HAS(PythiaAnswer, TEXT, writer),
                                              HAS(PythiaAnswer, STR, model),
                                              HAS_MANY(PythiaAnswer, PARTS, sources, n_sources, &hit_shape),
                                              HAS(PythiaAnswer, SIZE, context_tokens),
                                              HAS(PythiaAnswer, I64, tokens.read),
                                              HAS(PythiaAnswer, I64, tokens.written),
                                              HAS(PythiaAnswer, BOOL, tokens.estimated),
                                              HAS_MANY(PythiaAnswer, PARTS, citations, n_citations, &citation_shape),
                                              HAS_MANY(PythiaAnswer, PARTS, refused, n_refused, &refused_shape),
                                              HAS(PythiaAnswer, F32, evidence.share),
                                              HAS(PythiaAnswer, F32, evidence.cosine),
                                              HAS(PythiaAnswer, F32, evidence.span_share),
                                              HAS(PythiaAnswer, F32, evidence.span_cosine),
                                              HAS(PythiaAnswer, F32, evidence.expected),
                                              HAS(PythiaAnswer, F32, evidence.margin),
                                              HAS(PythiaAnswer, F32, evidence.denied),
                                              HAS(PythiaAnswer, F32, evidence.opposed),
                                              HAS(PythiaAnswer, F32, evidence.held),
                                              HAS(PythiaAnswer, F32, evidence.lead),
                                              HAS(PythiaAnswer, F32, evidence.gap),
                                              HAS(PythiaAnswer, F32, evidence.numbers),
                                              HAS(PythiaAnswer, F32, evidence.names),
                                              HAS(PythiaAnswer, F64, answer_ms),
                                              HAS(PythiaAnswer, F64, took_ms),
                                              {0}};
const ParcelShape parcel_answer = {sizeof(PythiaAnswer), answer_members};
